# tests/t/011_job_crash.pl
#	Jobs that are killed, shut down or cancelled and then resumed end with the
#	bits of one that nobody disturbed.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use MmrdJobs;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', q{
mmrd.train_threads = 2
restart_after_crash = on
});
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION mmrd;
	CREATE TABLE scans AS SELECT * FROM mmrd_synthesize(8, 1);
});
# 3 scans a batch, so that an epoch has several steps to be killed in.
my $options = options('"epochs": 14, "batch_size": 3, "checkpoint_every": 4');

sub start_it
{
	my ($more) = @_;

	return start($node, "'scans', options => '$options'" . ($more // ''));
}

sub pid_of
{
	my ($job) = @_;

	return $node->safe_psql('postgres', "SELECT pid FROM mmrd.jobs WHERE job = $job");
}

sub checkpoints
{
	my ($job) = @_;

	return $node->safe_psql('postgres', "SELECT string_agg(DISTINCT epoch::text, ',')
		FROM mmrd.checkpoints WHERE job = $job");
}

my $undisturbed = start_it();
is(wait_for($node, $undisturbed), 'done', 'a job that nobody disturbs');
my $bits = bits($node, $undisturbed);
my $losses = "SELECT string_agg(epoch || ' ' || loss, ',' ORDER BY epoch) FROM mmrd.epochs WHERE job = ";
my $epochs = $node->safe_psql('postgres', "$losses $undisturbed");

sub resumed_is_the_same
{
	my ($job, $what) = @_;

	$node->safe_psql('postgres', "SELECT mmrd_resume($job)");
	is(wait_for($node, $job), 'done', "$what: resumed, it ends");
	is(bits($node, $job), $bits, "$what: with the same bits");
	is($node->safe_psql('postgres', "$losses $job"), $epochs, "$what: and the same epochs");
	is(checkpoints($job), '', "$what: the checkpoint is gone");
}

# ---- kill -9 in the middle of an epoch: the server restarts by itself ----

my $job = start_it();
ok(epochs_done($node, $job, 6), 'a job is past its first checkpoint');
is(checkpoints($job), '4', 'there is one checkpoint');
my $started = $node->safe_psql('postgres', 'SELECT pg_postmaster_start_time()');
my $pid = pid_of($job);
kill 'KILL', $pid;
ok(defined until_true(sub {
	my ($status, $out) = $node->psql('postgres', 'SELECT 1');
	return $status == 0 && $out eq '1' && !kill(0, $pid);
}), 'kill -9: the server is back');
is($node->safe_psql('postgres', "SELECT state, pid, epoch >= 6 FROM mmrd.jobs WHERE job = $job"),
	'interrupted||t', 'kill -9: interrupted');
is($node->safe_psql('postgres', "SELECT mmrd_wait($job)"), 'interrupted',
	'kill -9: nobody waits for ever');
is(temporary_files($node), 0, 'kill -9: no temporary files');
resumed_is_the_same($job, 'kill -9');
like(slurp_file($node->logfile), qr/training job $job of model "scans" goes on after epoch 4 of 14/,
	'kill -9: it went on from the checkpoint');

# ---- immediate shutdown ----

$job = start_it();
ok(epochs_done($node, $job, 9), 'a job is past its second checkpoint');
is(checkpoints($job), '8', 'the first one is replaced');
$node->stop('immediate');
$node->start;
is(state($node, $job), 'interrupted', 'immediate shutdown: interrupted');
resumed_is_the_same($job, 'immediate shutdown');

# ---- fast shutdown, before the first checkpoint ----

$job = start_it();
ok(epochs_done($node, $job, 1), 'a job is before its first checkpoint');
$node->stop('fast');
$node->start;
is(state($node, $job), 'interrupted', 'fast shutdown: interrupted');
resumed_is_the_same($job, 'fast shutdown');

# ---- terminated, then cancelled twice ----

$job = start_it();
ok(epochs_done($node, $job, 5), 'a job runs');
$node->safe_psql('postgres', "SELECT pg_terminate_backend(pid, 5000) FROM mmrd.jobs WHERE job = $job");
is(state($node, $job), 'interrupted', 'terminated: interrupted');
$node->safe_psql('postgres', "SELECT mmrd_resume($job)");
ok(epochs_done($node, $job, 6), 'resumed');
is($node->safe_psql('postgres', "SELECT mmrd_cancel($job)"), 't', 'cancelled');
$node->safe_psql('postgres', "SELECT mmrd_resume($job)");
ok(epochs_done($node, $job, 10), 'resumed');
is($node->safe_psql('postgres', "SELECT mmrd_cancel($job)"), 't', 'cancelled again');
is(state($node, $job), 'cancelled', 'cancel: cancelled');
resumed_is_the_same($job, 'cancel');

# ---- other scans ----

$job = start_it();
ok(epochs_done($node, $job, 5), 'a job runs');
is($node->safe_psql('postgres', "SELECT mmrd_cancel($job)"), 't', 'cancelled');
$node->safe_psql('postgres', 'CREATE TABLE kept AS SELECT * FROM scans WHERE id = 3;
	DELETE FROM scans WHERE id = 3');
like(refused($node, "SELECT mmrd_resume($job)"),
	qr/training job $job cannot be resumed: its scans have changed/, 'a scan less: refused');
is(state($node, $job), 'cancelled', 'and still cancelled');
$node->safe_psql('postgres', 'INSERT INTO scans SELECT * FROM kept');
$node->safe_psql('postgres', 'UPDATE scans SET id = -id'); # another order, other rows
resumed_is_the_same($job, 'the same scans again');
$job = start_it();
ok(epochs_done($node, $job, 5), 'a job runs');
$node->safe_psql('postgres', "SELECT mmrd_cancel($job)");
# Between the call and the worker: resumed and changed in one transaction.
$node->safe_psql('postgres', "BEGIN; SELECT mmrd_resume($job);
	DELETE FROM scans WHERE id = -3; COMMIT");
is(wait_for($node, $job), 'failed', 'changed after the call: the job fails');
like($node->safe_psql('postgres', "SELECT error FROM mmrd.jobs WHERE job = $job"),
	qr/its scans have changed/, 'and says why');

$node->stop;
done_testing();
