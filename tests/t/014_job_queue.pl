# tests/t/014_job_queue.pl
#	mmrd.max_training_jobs, the queue, and max_worker_processes.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time sleep);
use MmrdJobs;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', q{
mmrd.train_threads = 1
mmrd.max_training_jobs = 1
max_worker_processes = 3
});
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION mmrd;
	CREATE TABLE scans AS SELECT * FROM mmrd_synthesize(3, 1);
	CREATE ROLE trainer LOGIN;
	GRANT SELECT ON scans TO trainer;
	GRANT EXECUTE ON FUNCTION mmrd_train_start TO trainer;
});
my $small = options('"epochs": 1');
my $long = options('"epochs": 5000');
my $workers = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'mmrd training'";

sub states
{
	return $node->safe_psql('postgres',
		"SELECT string_agg(state, ',' ORDER BY job) FROM mmrd.jobs WHERE job IN ("
		. join(',', @_) . ')');
}

# ---- one after the other ----

my $first = start($node, "'scans', 'first', options => '$long'");
ok(epochs_done($node, $first, 1), 'the first job runs');
my @rest = map { start($node, "'scans', 'rest', options => '$small'",
	extra_params => ['-U', 'trainer']) } 1 .. 3;
sleep 1;
is(states($first, @rest), 'running,queued,queued,queued', 'the others are queued');
is($node->safe_psql('postgres', $workers), '1', 'and have no worker');
is($node->safe_psql('postgres', "SELECT mmrd_wait($rest[0], '0.5 s')"), 'queued',
	'waiting has an end');
is($node->safe_psql('postgres', "SELECT mmrd_cancel($rest[1])"), 't', 'a queued one is cancelled');
is($node->safe_psql('postgres', "SELECT mmrd_cancel($first)"), 't', 'the first one, too');
ok(defined until_true(sub { states(@rest) eq 'done,cancelled,done' }),
	'the others follow by themselves');
is($node->safe_psql('postgres', "SELECT string_agg(epoch::text, ',') FROM mmrd.epochs
	WHERE job = $rest[1]"), '', 'but for the cancelled one');
is($node->safe_psql('postgres', "SELECT a.finished_at <= b.started_at FROM mmrd.jobs a,
	mmrd.jobs b WHERE a.job = $rest[0] AND b.job = $rest[2]"), 't', 'one after the other');

# ---- more at once, and none ----

$node->append_conf('postgresql.conf', 'mmrd.max_training_jobs = 2');
$node->reload;
my @two = map { start($node, "'scans', 'two', options => '$long'") } 1 .. 3;
ok(defined until_true(sub { states(@two) eq 'running,running,queued' }), 'two at once');
$node->safe_psql('postgres', "SELECT mmrd_cancel($two[0])");
ok(defined until_true(sub { states(@two) eq 'cancelled,running,running' }), 'the third follows');
$node->safe_psql('postgres', "SELECT mmrd_cancel($two[1]), mmrd_cancel($two[2])");
$node->append_conf('postgresql.conf', 'mmrd.max_training_jobs = 0');
$node->reload;
my $none = start($node, "'scans', options => '$small'");
sleep 1;
is(states($none), 'queued', 'none at all');
$node->append_conf('postgresql.conf', 'mmrd.max_training_jobs = 8');
$node->reload;
is(wait_for($node, $none), 'done', 'whoever waits starts it');

# ---- a role that has become impossible ----

$node->append_conf('postgresql.conf', 'mmrd.max_training_jobs = 0');
$node->reload;
my $barred = start($node, "'scans', options => '$small'", extra_params => ['-U', 'trainer']);
sleep 0.5;
$node->safe_psql('postgres', 'ALTER ROLE trainer NOLOGIN');
$node->append_conf('postgresql.conf', 'mmrd.max_training_jobs = 8');
$node->reload;
is(wait_for($node, $barred), 'failed', 'a role that may not log in any more');
is($node->safe_psql('postgres', "SELECT error FROM mmrd.jobs WHERE job = $barred"),
	'role "trainer" is not permitted to log in', 'and why');

# ---- max_worker_processes: 3, one of them for replication ----

my @many = map { start($node, "'scans', 'many', options => '$long'") } 1 .. 2;
ok(epochs_done($node, $many[1], 1), 'no background worker is left');
my ($status, $out, $err) = $node->psql('postgres',
	"SELECT mmrd_train_start('scans', 'late', options => '$small')");
my $late = $out;
like($err, qr/training job $late has to wait: no background worker is free.*max_worker_processes/s,
	'a notice says so');
sleep 0.5;
is(states($late), 'queued', 'queued');
$node->safe_psql('postgres', "SELECT mmrd_cancel($many[0]), mmrd_cancel($many[1])");
is(wait_for($node, $late), 'done', 'it runs when there is one again');

$node->stop;
done_testing();
