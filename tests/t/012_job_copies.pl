# tests/t/012_job_copies.pl
#	Jobs on a standby, in a dump and after a promotion: a copy of a job is not
#	taken for the original.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use MmrdJobs;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init(allows_streaming => 1);
$node->append_conf('postgresql.conf', 'mmrd.train_threads = 1');
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION mmrd;
	CREATE TABLE scans AS SELECT * FROM mmrd_synthesize(4, 1);
});

my $job = start($node, "'scans', 'copied', options => '" . options('"epochs": 5000') . "'");
my $waiting = start($node, "'scans', 'waiting', options => '" . options() . "'");
ok(epochs_done($node, $job, 3), 'a job runs');
is(state($node, $waiting), 'queued', 'another is queued');
$node->backup('copy', backup_options => ['--checkpoint=fast']);
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'copy', has_streaming => 1);
$standby->start;
$node->wait_for_catchup($standby);
is($standby->safe_psql('postgres', "SELECT state, pid FROM mmrd.jobs WHERE job = $job"),
	'running|', 'a standby shows what the primary does, and no worker');
like(refused($standby, "SELECT mmrd_train_start('scans')"), qr/during recovery/,
	'a standby does not train');
my ($dump) = run_command([ 'pg_dump', '-d', $node->connstr('postgres') ]);
unlike($dump, qr/COPY mmrd.checkpoints/, 'checkpoints are not dumped');
like($dump, qr/COPY mmrd.epochs/, 'epochs are');
$node->safe_psql('postgres', 'CREATE DATABASE restored');
{
	my $file = $node->basedir . '/dump.sql';
	append_to_file($file, $dump);
	$node->command_ok([ 'psql', '-XqAt', '-v', 'ON_ERROR_STOP=1', '-f', $file,
		'-d', $node->connstr('restored') ], 'restored');
}
is($node->safe_psql('restored', "SELECT mmrd_wait($job), mmrd_wait($waiting)"),
	'interrupted|interrupted', 'a restored copy neither runs nor starts');
is(state($node, $job), 'running', 'the original runs');
$standby->promote;
ok(defined until_true(sub {
	state($standby, $job) eq 'interrupted' }), 'after a promotion it is interrupted there');
$standby->stop;
is($node->safe_psql('postgres', "SELECT mmrd_cancel($waiting), mmrd_cancel($job)"), 't|t',
	'cancelled');

$node->stop;
done_testing();
