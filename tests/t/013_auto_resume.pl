# tests/t/013_auto_resume.pl
#	mmrd.auto_resume: interrupted jobs go on when the server has started, but
#	not for ever.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use MmrdJobs;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', q{
mmrd.train_threads = 1
restart_after_crash = on
shared_preload_libraries = 'mmrd'
mmrd.auto_resume = on
});
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION mmrd;
	CREATE TABLE scans AS SELECT * FROM mmrd_synthesize(4, 1);
});
my $options = options('"epochs": 10, "batch_size": 3, "checkpoint_every": 4');

sub start_it
{
	return start($node, "'scans', options => '$options'");
}

sub pid_of
{
	my ($job) = @_;

	return $node->safe_psql('postgres', "SELECT pid FROM mmrd.jobs WHERE job = $job");
}

my $job = start_it();
is(wait_for($node, $job), 'done', 'a job that nobody disturbs');
my $bits = bits($node, $job);

$job = start_it();
ok(epochs_done($node, $job, 6), 'a job runs, mmrd is preloaded');
kill 'KILL', pid_of($job);
ok(defined until_true(sub {
	my ($status, $out) = $node->psql('postgres', "SELECT state FROM mmrd.jobs WHERE job = $job");
	return $status == 0 && $out eq 'done' }), 'auto_resume: kill -9, and it ends by itself');
is(bits($node, $job), $bits, 'auto_resume: with the same bits');
$job = start_it();
ok(epochs_done($node, $job, 6), 'a job runs');
$node->restart;
is(wait_for($node, $job), 'done', 'auto_resume: a restart');
is(bits($node, $job), $bits, 'auto_resume: the same bits');

# A job that brings the server down is not resumed for ever.
$job = start($node, "'scans', 'deadly', options => '" . options('"epochs": 5000') . "'");
for my $time (0 .. 3)
{
	ok(defined until_true(sub {
		my ($status, $out) = $node->psql('postgres', "SELECT 1 FROM mmrd.jobs
			WHERE job = $job AND state = 'running' AND pid IS NOT NULL");
		return $status == 0 && $out eq '1' }), "the job runs, resumed $time times");
	my $victim = pid_of($job);
	kill 'KILL', $victim;
	until_true(sub { !kill(0, $victim) });
}
ok(defined until_true(sub {
	my ($status, $out) = $node->psql('postgres', "SELECT state FROM mmrd.jobs WHERE job = $job");
	return $status == 0 && $out eq 'interrupted' }), 'and then no more');
sleep 2;
is(state($node, $job), 'interrupted', 'it stays interrupted');
$node->stop;

done_testing();
