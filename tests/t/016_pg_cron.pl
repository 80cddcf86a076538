# tests/t/016_pg_cron.pl
#	Training on a schedule, with pg_cron itself: docs/retrain.md, each minute
#	instead of each night.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);
use MmrdJobs;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->start;
plan skip_all => 'pg_cron is not installed (postgresql-NN-cron)'
	if $node->safe_psql('postgres', "SELECT count(*) FROM pg_available_extensions
		WHERE name = 'pg_cron'") eq '0';

# As pg_cron comes: it connects as a client does, here through the socket.
my $socket = $node->host;
$node->append_conf('postgresql.conf', qq{
shared_preload_libraries = 'pg_cron, mmrd'
cron.database_name = 'postgres'
cron.host = '$socket'
mmrd.train_threads = 1
});
$node->restart;
$node->safe_psql('postgres', q{
	CREATE EXTENSION pg_cron;
	CREATE EXTENSION mmrd;
	CREATE TABLE scans AS SELECT * FROM mmrd_synthesize(4, 1);
});
my $small = options('"epochs": 1');
my $long = options('"epochs": 100000');
my %schedule = (
	'long job' => "SELECT mmrd_train_start('scans', 'long', options => '$long')",
	'small job' => "SELECT mmrd_train_start('scans', 'small', options => '$small')",
	'in session' => "SELECT version FROM mmrd_train('scans', 'session', options => '$small')",
	'long in session' => "SELECT version FROM mmrd_train('scans', 'never', options => '$long')");
my %number;
for my $name (sort keys %schedule)
{
	$number{$name} = $node->safe_psql('postgres',
		"SELECT cron.schedule('$name', '* * * * *', \$c\$$schedule{$name}\$c\$)");
}

# Runs of a schedule as pg_cron tells: how many have this status.
sub runs
{
	my ($name, $status) = @_;

	return $node->safe_psql('postgres', "SELECT count(*) FROM cron.job_run_details
		WHERE jobid = $number{$name} AND status = '$status'");
}

# ---- a run of each ----

ok(defined until_true(sub { runs('long job', 'succeeded') >= 1 }), 'a job was started on schedule');
ok(defined until_true(sub { runs('in session', 'succeeded') >= 1 }), 'a training ran in its session');
is($node->safe_psql('postgres', "SELECT v.version, count(d.id) FROM mmrd.models m
	JOIN mmrd.versions v ON v.model = m.id LEFT JOIN mmrd.deployments d ON d.version = v.id
	WHERE m.name = 'session' AND v.version = 1 GROUP BY 1"), '1|1', 'its version is deployed (if_better)');

# ---- the next run, while the first goes on ----

ok(defined until_true(sub { runs('long job', 'succeeded') >= 2 }), 'the next night comes');
is($node->safe_psql('postgres', "SELECT count(*) FROM cron.job_run_details WHERE status = 'failed'"),
	'0', 'no run failed');
$node->safe_psql('postgres', "SELECT cron.unschedule($number{$_})") for 'long job', 'small job', 'in session';
sleep 1;
is($node->safe_psql('postgres', "SELECT state FROM mmrd.jobs WHERE model = 'long' ORDER BY job LIMIT 1"),
	'running', 'the first long job goes on');
is($node->safe_psql('postgres', "SELECT state FROM mmrd.jobs WHERE model = 'long' ORDER BY job OFFSET 1 LIMIT 1"),
	'queued', 'the second one is queued');
is($node->safe_psql('postgres', "SELECT count(*) FROM mmrd.jobs WHERE state = 'running'"), '1', 'one runs at a time');
is(runs('long in session', 'running'), '1', 'a training in its session goes on');
is($node->safe_psql('postgres', "SELECT count(*) FROM pg_stat_activity
	WHERE query LIKE 'SELECT version FROM mmrd_train(''scans'', ''never''%'"), '1',
	'and pg_cron has not started it twice');

# ---- the queue moves on ----

$node->safe_psql('postgres', "SELECT mmrd_cancel(job) FROM mmrd.jobs WHERE model = 'long' ORDER BY job DESC");
my $job = $node->safe_psql('postgres', "SELECT min(job) FROM mmrd.jobs WHERE model = 'small'");
is(wait_for($node, $job), 'done', 'the small job follows');
is($node->safe_psql('postgres', "SELECT j.version, count(d.id) FROM mmrd.jobs j
	JOIN mmrd.models m ON m.name = j.model
	JOIN mmrd.versions v ON v.model = m.id AND v.version = j.version
	LEFT JOIN mmrd.deployments d ON d.version = v.id WHERE j.job = $job GROUP BY 1"),
	'1|1', 'its version is deployed (if_better)');
$node->safe_psql('postgres', "SELECT cron.unschedule($number{'long in session'})");

# ---- the same without connections: cron.use_background_workers ----

$node->append_conf('postgresql.conf', 'cron.use_background_workers = on
max_worker_processes = 20');
$node->restart;
$number{'in a worker'} = $node->safe_psql('postgres',
	"SELECT cron.schedule('in a worker', '* * * * *', \$c\$$schedule{'small job'}\$c\$)");
ok(defined until_true(sub { runs('in a worker', 'succeeded') >= 1 }),
	'pg_cron with background workers starts a job');
$job = $node->safe_psql('postgres', "SELECT max(job) FROM mmrd.jobs WHERE model = 'small'");
is(wait_for($node, $job), 'done', 'and it is done');
$node->stop('fast');

done_testing();
