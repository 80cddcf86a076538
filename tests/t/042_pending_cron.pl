# tests/t/042_pending_cron.pl
#	CALL mmrd_drain() every minute, by pg_cron itself: as a client, and in a
#	background worker.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use MmrdJobs;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->start;
plan skip_all => 'pg_cron is not installed (postgresql-NN-cron)'
	if $node->safe_psql('postgres', "SELECT count(*) FROM pg_available_extensions
		WHERE name = 'pg_cron'") eq '0';

my $socket = $node->host;
$node->append_conf('postgresql.conf', qq{
shared_preload_libraries = 'pg_cron'
cron.database_name = 'postgres'
cron.host = '$socket'
mmrd.threads = 1
mmrd.progress = off
});
$node->restart;
my $options = options('"epochs": 1');
$node->safe_psql('postgres', qq{
	CREATE EXTENSION pg_cron;
	CREATE EXTENSION mmrd;
	CREATE TABLE made AS SELECT * FROM mmrd_synthesize(40, 1);
	SELECT mmrd_train('made', 'm', filter => 'id <= 4', options => '$options');
	CREATE TABLE scans (id integer PRIMARY KEY, rgb bytea, aux bytea);
	SELECT mmrd_attach('scans', 'id');
	SELECT cron.schedule('drain', '* * * * *', 'CALL mmrd_drain()');
	SELECT cron.schedule('drain as well', '* * * * *', 'CALL mmrd_drain(batch => 2)');
});

sub drained
{
	my ($first, $last, $how) = @_;

	$node->safe_psql('postgres', "INSERT INTO scans SELECT id, rgb, aux FROM made WHERE id BETWEEN $first AND $last;
		INSERT INTO scans VALUES (100 + $first, 'x', 'y')");
	ok(defined until_true(sub { $node->safe_psql('postgres', 'SELECT count(*) FROM mmrd.pending') eq '0' }),
		"$how: scored within a minute");
	is($node->safe_psql('postgres', "SELECT count(*), count(score), count(error) FROM mmrd.results
		WHERE key::integer BETWEEN $first AND $last OR key = (100 + $first)::text"), '21|20|1', "$how: all of them");
	ok(defined until_true(sub { $node->safe_psql('postgres', "SELECT count(*) FROM cron.job_run_details
		WHERE status = 'succeeded'") >= 2 }), "$how: both runs ended well");
	is($node->safe_psql('postgres', "SELECT count(*) FROM cron.job_run_details WHERE status = 'failed'"), '0',
		"$how: and none failed");
	# Each batch was committed by itself.
	cmp_ok($node->safe_psql('postgres', 'SELECT count(DISTINCT xmin::text) FROM mmrd.results'), '>', 2,
		"$how: in several transactions");
}

drained(1, 20, 'as a client');
$node->safe_psql('postgres', 'TRUNCATE mmrd.results; TRUNCATE cron.job_run_details');
$node->append_conf('postgresql.conf', 'cron.use_background_workers = on
max_worker_processes = 20');
$node->restart;
drained(21, 40, 'in a worker');
$node->stop('fast');
done_testing();
