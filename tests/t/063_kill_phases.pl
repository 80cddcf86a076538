# tests/t/063_kill_phases.pl
#	kill -9 in the middle of what must be whole or not at all: a checkpoint, the
#	version at the end of a job and its deployment, an imported model, results
#	of a queue, imported scans, a model on its way into shared memory, a
#	parallel worker that scores.
#
#	Each victim is held at the right place, by a trigger or a lock that another
#	session has, so nothing here depends on time.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use MmrdJobs;
use MmrdScans;
use MmrdSession;

$ENV{OMP_WAIT_POLICY} = 'passive';
my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', "mmrd.threads = 2\nmmrd.train_threads = 2\nmmrd.model = 'm'\nmmrd.progress = off\n"
	  . "restart_after_crash = on\nautovacuum = off\nclient_min_messages = error");
$node->start;

sub sql
{
	return $node->safe_psql('postgres', shift);
}

my $files = MmrdScans->new($node->basedir . '/files');
$files->png('set/1/rgb.png');
my $import = q{SELECT mmrd_import_scans('imported', '} . $files->path('set') . q{', 'folder')};
sql(q{
	CREATE EXTENSION mmrd;
	CREATE TABLE scans AS SELECT * FROM mmrd_synthesize(4, 1);
	ALTER TABLE scans SET (parallel_workers = 2);
	CREATE UNIQUE INDEX ON scans (id);
	SELECT mmrd_train('scans', 'm', options => '} . options('"epochs": 1, "deploy": "always"') . q{');
	CREATE TABLE file AS SELECT mmrd_export_model('m') AS bytes;
	CREATE TABLE queued (LIKE scans INCLUDING ALL);
	SELECT mmrd_attach('queued', 'id', 'm', keep_map => 'always');
	INSERT INTO queued SELECT * FROM scans;
	CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN
		PERFORM pg_catalog.pg_advisory_xact_lock_shared(4711);
		RETURN NULL;
	END $$;
});
is(sql($import), '1', 'a scan from a file');
$files->png("set/$_/rgb.png") for 2 .. 5;
my $scoring = q{SELECT md5(string_agg(float4send(mmrd_score(rgb, aux))::text, ',' ORDER BY id)) FROM scans};
my $scores = sql($scoring);

# ---- killing ----

# Dynamic shared memory that the server's processes have mapped.
sub segments
{
	my $postmaster = $node->{_pid};
	my %found;

	for my $process ($postmaster, map { m{/(\d+)$} } glob '/proc/[0-9]*')
	{
		open my $status, '<', "/proc/$process/stat" or next;
		my $stat = <$status> // next;
		next if $process != $postmaster && $stat !~ /\) \S $postmaster /;
		open my $maps, '<', "/proc/$process/maps" or next;
		while (<$maps>)
		{
			$found{$1} = 1 if m{(/dev/shm/PostgreSQL\.\d+)};
		}
	}
	return %found;
}

# Kill that process; what must hold after that, whatever it was doing.
sub kill_it
{
	my ($what, $pid) = @_;
	my %before = segments();

	ok((bless { pid => $pid }, 'MmrdSession')->crash($node), "$what: the server is back");
	is(sql($scoring), $scores, "$what: bit-equal scores");
	is(temporary_files($node), 0, "$what: no temporary files");
	my %now = segments();
	is(join(' ', grep { -e $_ && !$now{$_} } keys %before), '', "$what: no shared memory is left behind");
	return;
}

# Let rows of a table wait once they are written; by a session that is lost
# with the server.
sub hold
{
	my ($table) = @_;

	sql("CREATE TRIGGER zz_hold AFTER INSERT ON $table FOR EACH ROW EXECUTE FUNCTION hold()");
	my $holder = MmrdSession->new($node);
	$holder->query('SELECT pg_advisory_lock(4711)');
	return $holder;
}

# Who waits there.
sub held
{
	my $pid;

	until_true(sub {
		$pid = sql(q{SELECT min(pid) FROM pg_locks WHERE locktype = 'advisory' AND objid = 4711 AND NOT granted});
		return $pid ne '';
	});
	return $pid;
}

sub let_go
{
	my ($table) = @_;

	sql("DROP TRIGGER zz_hold ON $table");
	return;
}

# ---- jobs ----

my $options = options('"epochs": 3, "batch_size": 2, "checkpoint_every": 2, "deploy": "always"');
my $undisturbed = start($node, "'scans', 'j', options => '$options'");
is(wait_for($node, $undisturbed), 'done', 'a job that nobody disturbs');
my $bits = bits($node, $undisturbed);
my $version = sql('SELECT max(version) FROM mmrd.jobs');
for my $phase ([ 'writing a checkpoint', 'mmrd.checkpoints' ], [ 'storing the version', 'mmrd.tensors' ],
	[ 'deploying the version', 'mmrd.deployments' ])
{
	my ($what, $table) = @$phase;
	my $holder = hold($table);
	my $job = start($node, "'scans', 'j', options => '$options'");
	my $pid = held();

	is($pid, sql("SELECT pid FROM mmrd.jobs WHERE job = $job"), "a worker is $what");
	kill_it($what, $pid);
	is(state($node, $job), 'interrupted', "$what: interrupted");
	is(sql("SELECT count(*) FROM mmrd.versions v JOIN mmrd.models m ON m.id = v.model WHERE m.name = 'j'"), $version,
		"$what: no half a version");
	is(sql("SELECT count(DISTINCT epoch) FROM mmrd.checkpoints WHERE job = $job"), $table eq 'mmrd.checkpoints' ? '0' : '1',
		"$what: no half a checkpoint");
	let_go($table);
	sql("SELECT mmrd_resume($job)");
	is(wait_for($node, $job), 'done', "$what: resumed, it ends");
	is(bits($node, $job), $bits, "$what: with the same bits");
	is(sql("SELECT max(version) FROM mmrd.jobs WHERE job = $job"), ++$version, "$what: as one version more");
	eval { $holder->{run}->kill_kill };
}

# ---- sessions ----

my $drained = q{SELECT count(*), count(map), count(error) FROM mmrd.results};
for my $phase ([ 'storing results', 'mmrd.results', 'CALL mmrd_drain()', $drained, '0|0|0', '4|4|0' ],
	[ 'importing scans', 'imported', $import, 'SELECT count(*) FROM imported', '1', '5' ],
	[ 'importing a model', 'mmrd.tensors', q{SELECT mmrd_import_model('copy', bytes) FROM file},
		q{SELECT count(*) FROM mmrd.models WHERE name = 'copy'}, '0', '1' ])
{
	my ($what, $table, $query, $look, $before, $after) = @$phase;
	my $holder = hold($table);
	my $victim = MmrdSession->new($node);

	$victim->send($query);
	is(held(), $victim->{pid}, "a session is $what");
	kill_it($what, $victim->{pid});
	is(sql($look), $before, "$what: nothing half");
	let_go($table);
	sql($query);
	is(sql($look), $after, "$what: again, it is all there");
	eval { $_->{run}->kill_kill } for $holder, $victim;
}
is(sql(q{SELECT md5(string_agg(float4send(score)::text, ',' ORDER BY key::integer)) FROM mmrd.results}), $scores,
	'the results are the right ones');
is(sql($scoring =~ s/aux\)/aux, 'copy')/r), $scores, 'and so is the imported model');

# ---- a model on its way into shared memory, and a parallel worker ----

my $gathered = q{SET max_parallel_workers_per_gather = 2; SET parallel_setup_cost = 0; SET min_parallel_table_scan_size = 0;
	SET parallel_leader_participation = off;
	SELECT count(mmrd_score(rgb, aux)) FROM scans, generate_series(1, 100000)};
my @phases = ('as a session of its own', 'preloaded');
for my $phase (@phases)
{
	if ($phase eq 'preloaded')
	{
		$node->append_conf('postgresql.conf', "shared_preload_libraries = 'mmrd'");
	}
	$node->restart; # nothing is in memory
	my $holder = MmrdSession->new($node);
	$holder->query('BEGIN; LOCK TABLE mmrd.tensors IN ACCESS EXCLUSIVE MODE');
	my $victim = MmrdSession->new($node);
	$victim->send($scoring);
	ok(defined until_true(sub {
		sql(q{SELECT count(*) FROM mmrd_cached() WHERE state = 'loading'}) eq '1'
		  && sql("SELECT count(*) FROM pg_locks WHERE pid = $victim->{pid} AND NOT granted") eq '1' }),
		"$phase: a session loads a model");
	kill_it("$phase: loading a model", $victim->{pid});
	is(sql(q{SELECT string_agg(state || users, ',') FROM mmrd.cache}), 'ready0', "$phase: loaded once");
	eval { $_->{run}->kill_kill } for $holder, $victim;

	my $leader = MmrdSession->new($node);
	my $worker;

	# The table has one page: of two workers the one that took it is left.
	$leader->send($gathered);
	ok(defined until_true(sub {
		(my $n, $worker) = split /\|/,
		  sql(q{SELECT count(*), min(pid) FROM pg_stat_activity WHERE backend_type = 'parallel worker'});
		return $n == 1 && sql('SELECT sum(users) FROM mmrd.cache') eq '1' }),
		"$phase: a parallel worker scores");
	kill_it("$phase: a parallel worker", $worker);
	eval { $leader->{run}->kill_kill };
}

# ---- nothing is damaged ----

sql('CREATE EXTENSION amcheck');
command_ok([ 'pg_amcheck', '--heapallindexed', '--all', '-h', $node->host, '-p', $node->port ], 'pg_amcheck');
my %before = segments();
$node->stop;
is(join(' ', grep { -e } keys %before), '', 'no shared memory is left when the server has stopped');
done_testing();
