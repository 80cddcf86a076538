# tests/t/010_jobs.pl
#	A training job from start to end: what it makes, what is seen of it, whose
#	rights it has, and what it does not hold on to.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time sleep);
use MmrdJobs;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', "mmrd.train_threads = 1\nautovacuum = off");
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION mmrd;
	CREATE TABLE scans AS
		SELECT s.*, date '2020-01-01' + id AS shot FROM mmrd_synthesize(6, 1) s;
});
my $small = options('"epochs": 2');

# ---- the job makes what mmrd_train makes ----

my $job = start($node, "'scans', options => '$small'");
is(wait_for($node, $job), 'done', 'a job is done');
$node->safe_psql('postgres', "SELECT mmrd_train('scans', options => '$small')");
my $made = bits($node, $job);
$node->safe_psql('postgres', "UPDATE mmrd.trainings SET version = 2 WHERE id = $job");
is(bits($node, $job), $made, 'a job makes the same bits as mmrd_train');
$node->safe_psql('postgres', "UPDATE mmrd.trainings SET version = 1 WHERE id = $job");
is($node->safe_psql('postgres', qq{
	SELECT model, version, state, epoch, epochs, loss > 0, scans,
		started_at < finished_at, eta, pid, error FROM mmrd.jobs WHERE job = $job}),
	'scans|1|done|2|2|t|6|t|||', 'what is left to see of it');
is($node->safe_psql('postgres', qq{
	SELECT string_agg(epoch::text, ',' ORDER BY epoch),
		bool_and(abs(loss - distillation - 0.1 * prototype) < 1e-4),
		bool_and(seconds > 0) FROM mmrd.epochs WHERE job = $job}),
	'1,2|t|t', 'its epochs');
is($node->safe_psql('postgres', "SELECT count(*) FROM mmrd.checkpoints"),
	'0', 'no checkpoint is left');
my $log = slurp_file($node->logfile);
like($log, qr/training job $job of model "scans" starts/, 'log: start');
like($log, qr/training job $job made version 1 of model "scans", deployed/, 'log: end');

# ---- the job exists when the transaction commits ----

my $before = $node->safe_psql('postgres', 'SELECT count(*) FROM mmrd.trainings');
$node->safe_psql('postgres', qq{BEGIN;
	SELECT mmrd_train_start('scans', 'rolled back', options => '$small');
	SELECT pg_sleep(0.5); ROLLBACK});
$node->safe_psql('postgres', qq{BEGIN; SAVEPOINT s;
	SELECT mmrd_train_start('scans', 'rolled back', options => '$small');
	ROLLBACK TO s; COMMIT});
ok(defined until_true(sub { $node->safe_psql('postgres',
	"SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'mmrd training'")
	eq '0' }), 'workers of jobs that were rolled back end');
is($node->safe_psql('postgres', 'SELECT count(*) FROM mmrd.trainings'), $before,
	'nothing is left of them');
like(refused($node, qq{BEGIN;
	SELECT mmrd_wait(mmrd_train_start('scans', options => '$small'))}),
	qr/has not begun.*when this transaction is committed/s,
	'nobody waits for the job of their own transaction');
$job = $node->safe_psql('postgres', qq{BEGIN;
	SELECT mmrd_train_start('scans', 'after a while', options => '$small');
	SELECT pg_sleep(1.5) IS NULL; COMMIT});
$job =~ s/\n.*//s;
is(wait_for($node, $job), 'done', 'a worker waits for a long transaction');

# ---- what is refused at the call ----

like(refused($node, "SELECT mmrd_train_start('nowhere')"),
	qr/relation "nowhere" does not exist/, 'no table');
like(refused($node, "SELECT mmrd_train_start('scans', rgb => 'red')"),
	qr/column "red" of "scans" does not exist/, 'no column');
like(refused($node, q{SELECT mmrd_train_start('scans', options => '{"epoch": 1}')}),
	qr/epoch/, 'an unknown option');
like(refused($node, q{CREATE TEMP TABLE t AS SELECT * FROM scans;
	SELECT mmrd_train_start('t')}), qr/"t" is temporary.*mmrd_train/s,
	'a temporary table');
like(refused($node, q{BEGIN READ ONLY; SELECT mmrd_train_start('scans')}),
	qr/read-only/, 'a read-only transaction');
like(refused($node, q{CREATE ROLE nologin; GRANT nologin TO CURRENT_USER;
	GRANT EXECUTE ON FUNCTION mmrd_train_start TO nologin;
	SET ROLE nologin; SELECT mmrd_train_start('scans')}),
	qr/role "nologin" is not permitted to log in.*HINT.*ALTER ROLE nologin LOGIN/s,
	'a role that cannot log in');
like(refused($node, "SELECT mmrd_train_start('scans',
	options => '{\"warm_start\": true}', model => 'new')"),
	qr/model "new" has no deployed version to start from/, 'nothing to start from');
like(refused($node, 'SELECT mmrd_wait(77)'), qr/training job 77 does not exist/,
	'waiting for no job');

# ---- what goes wrong later is the job's error ----

$job = start($node, "'scans', filter => 'id / 0 = 1', options => '$small'");
is(wait_for($node, $job), 'failed', 'an error in the condition');
is($node->safe_psql('postgres', "SELECT error FROM mmrd.jobs WHERE job = $job"),
	'division by zero', 'is kept with the job');
like(slurp_file($node->logfile), qr/training job $job of model "scans" failed\n.*DETAIL:  division by zero/,
	'and in the log');

# ---- settings of the caller ----

$node->safe_psql('postgres', q{
	CREATE SCHEMA theirs;
	CREATE FUNCTION theirs.good(integer) RETURNS boolean LANGUAGE sql AS 'SELECT $1 <= 5';
});
$job = $node->safe_psql('postgres', qq{SET search_path = theirs, public;
	SELECT mmrd_train_start('scans', filter => 'good(id)', options => '$small')});
is(wait_for($node, $job), 'done', 'the search_path of the caller');
is($node->safe_psql('postgres', "SELECT scans FROM mmrd.jobs WHERE job = $job"),
	'5', 'decides what a condition means');
for my $style ('MDY', 'DMY')
{
	$job = $node->safe_psql('postgres', qq{SET DateStyle = 'ISO, $style';
		SELECT mmrd_train_start('scans', filter => 'shot < ''02/01/2020'' OR id > 4',
			options => '$small')});
	wait_for($node, $job);
	is($node->safe_psql('postgres', "SELECT scans FROM mmrd.jobs WHERE job = $job"),
		$style eq 'MDY' ? 6 : 2, "DateStyle $style");
}

# ---- rights ----

$node->safe_psql('postgres', q{
	CREATE ROLE trainer LOGIN; CREATE ROLE other LOGIN;
	GRANT EXECUTE ON FUNCTION mmrd_train_start, mmrd_resume, mmrd_train
		TO trainer, other;
	CREATE TABLE secret AS SELECT * FROM scans;
	CREATE TABLE shared AS SELECT * FROM scans;
	GRANT SELECT ON shared TO trainer;
	ALTER TABLE shared ENABLE ROW LEVEL SECURITY;
	CREATE POLICY p ON shared TO trainer USING (id <> 3);
});
my @trainer = (extra_params => ['-U', 'trainer']);
my @other = (extra_params => ['-U', 'other']);
$job = start($node, "'secret', options => '$small'", @trainer);
is(wait_for($node, $job), 'failed', 'a role without rights on the table');
is($node->safe_psql('postgres', "SELECT split_part(error, E'\n', 1)
	FROM mmrd.jobs WHERE job = $job", @trainer), 'permission denied for table secret', 'gets the error in the job');
is($node->safe_psql('postgres', "SELECT error IS NULL FROM mmrd.jobs WHERE job = $job", @other),
	't', 'which others do not see');
my $seen = start($node, "'shared', options => '$small'", @trainer);
is(wait_for($node, $seen), 'done', 'a role with row security');
$job = start($node, "'scans', 'the same', filter => 'id <> 3', options => '$small'");
wait_for($node, $job);
is(bits($node, $seen), bits($node, $job), 'trains on exactly what it may see');
is($node->safe_psql('postgres', q{SELECT v.created_by FROM mmrd.versions v JOIN
	mmrd.models m ON m.id = v.model WHERE m.name = 'shared'}), 'trainer', 'as itself');
$job = $node->safe_psql('postgres', qq{SET ROLE trainer;
	SELECT mmrd_train_start('secret', options => '$small')});
is(wait_for($node, $job), 'failed', 'SET ROLE counts: the job has no more rights');

# ---- while it runs ----

$node->safe_psql('postgres', q{CREATE TABLE going AS SELECT * FROM scans;
	GRANT SELECT ON going TO trainer;
	CREATE TABLE junk AS SELECT generate_series(1, 10000) AS n});
$job = start($node, "'going', 'gone', options => '" . options('"epochs": 2000') . "'",
	@trainer);
ok(epochs_done($node, $job, 2), 'a long job runs, its client gone');
my $activity = "FROM pg_stat_activity WHERE backend_type = 'mmrd training'";
is($node->safe_psql('postgres', "SELECT usename, application_name, state,
	query LIKE 'training job $job of model \"gone\": epoch % of 2000 done%' $activity"),
	"trainer|mmrd training job $job|active|t", 'pg_stat_activity tells');
is($node->safe_psql('postgres', "SELECT j.state, j.epoch >= 2, j.loss > 0,
	j.eta > now(), j.pid = a.pid FROM mmrd.jobs j, (SELECT pid $activity) a
	WHERE job = $job"), 'running|t|t|t|t', 'mmrd.jobs tells');
my ($long, $held, $samples) = (0, 0, 0);
for (1 .. 40)
{
	my ($l, $h) = split /\|/, $node->safe_psql('postgres', "SELECT
		count(*) FILTER (WHERE clock_timestamp() - xact_start > '1 s'),
		count(backend_xmin) $activity");
	$long += $l;
	$held += $h;
	$samples++;
	sleep 0.05;
}
is($long, 0, 'no long transaction');
cmp_ok($held, '<', $samples / 2, 'no xmin held between epochs');
$node->safe_psql('postgres', 'DELETE FROM junk');
$node->safe_psql('postgres', 'VACUUM junk');
is($node->safe_psql('postgres', "SELECT pg_relation_size('junk')"), '0',
	'VACUUM cleans up behind it');
$node->safe_psql('postgres', "SET lock_timeout = '1 s'; DROP TABLE going");
my $epoch = $node->safe_psql('postgres', "SELECT max(epoch) FROM mmrd.epochs WHERE job = $job");
ok(epochs_done($node, $job, $epoch + 3), 'the source can be dropped meanwhile');

# ---- cancelled by its owner only ----

like(refused($node, "SELECT mmrd_cancel($job)", @other),
	qr/must be owner of training job $job/, 'another role may not cancel it');
like(refused($node, "SELECT mmrd_resume($job)", @trainer),
	qr/training job $job is running/, 'a running job cannot be resumed');
my $start = time;
is($node->safe_psql('postgres', "SELECT mmrd_cancel($job)", @trainer), 't', 'its owner may');
ok(defined until_true(sub { $node->safe_psql('postgres', "SELECT count(*) $activity") eq '0' }),
	'the worker is gone');
cmp_ok(time - $start, '<', 2, 'within 2 s');
is(state($node, $job), 'cancelled', 'cancelled');
is($node->safe_psql('postgres', "SELECT mmrd_cancel($job)", @trainer), 'f', 'and only once');
like(refused($node, "SELECT mmrd_resume($job)", @other), qr/must be owner/,
	'another role may not resume it');
like(refused($node, "SELECT mmrd_resume($job)", @trainer),
	qr/relation "public.going" does not exist/, 'no resuming without the scans');
is(temporary_files($node), 0, 'no temporary files are left');

# ---- a table that is gone when two versions are to be compared ----

$node->safe_psql('postgres', q{CREATE TABLE labelled AS
	SELECT * FROM mmrd_synthesize(12, 2, 0.4)});
my $compared = q{'labelled', 'compared', filter => 'not anomalous AND id % 2 = 0',
	validation => 'id % 2 = 1', options => '} . options('"label": "anomalous", "epochs": EPOCHS') . q{'};
$job = start($node, $compared =~ s/EPOCHS/1/r);
is(wait_for($node, $job), 'done', 'a version to compare with');
$job = start($node, $compared =~ s/EPOCHS/1/r);
is(wait_for($node, $job), 'done', 'compared with it');
unlike(slurp_file($node->logfile), qr/could not be compared/, 'the table is there');
$job = start($node, $compared =~ s/EPOCHS/12/r);
ok(epochs_done($node, $job, 1), 'another');
$node->safe_psql('postgres', 'DROP TABLE labelled');
is(wait_for($node, $job), 'done', 'done, its table gone');
is($node->safe_psql('postgres', "SELECT count(*) FROM mmrd.deployments d JOIN mmrd.versions v
	ON v.id = d.version JOIN mmrd.models m ON m.id = v.model JOIN mmrd.jobs j
	ON j.model = m.name AND j.version = v.version WHERE j.job = $job"), '0', 'not deployed');
like(slurp_file($node->logfile), qr/is not deployed: it could not be compared/, 'and the log says why');

# ---- warm start ----

$job = start($node, "'scans', 'warm', options => '" . options('"epochs": 6') . "'");
wait_for($node, $job);
my $warm = start($node, "'scans', 'warm', options => '"
	. options('"epochs": 1, "warm_start": true') . "'");
is(wait_for($node, $warm), 'done', 'a warm start');
is($node->safe_psql('postgres', "SELECT (SELECT loss FROM mmrd.epochs WHERE job = $warm
	AND epoch = 1) < (SELECT loss FROM mmrd.epochs WHERE job = $job AND epoch = 2)"),
	't', 'begins where the deployed version ended');
is($node->safe_psql('postgres', "SELECT version, deployed FROM mmrd_train('scans', 'warm',
	options => '" . options('"epochs": 1, "warm_start": true') . "')"), '3|t',
	'in this session, too');

done_testing();
