# tests/t/051_shared_memory_short.pl
#	Where dynamic shared memory is short, a session keeps a model to itself and
#	says so once; nothing fails.
#
#	Three ways to be short: a limit on the size of files, which is that of
#	segments, too; a /dev/shm of 100 MB, as a container has it, in a namespace
#	of its own; and segments as files on a disk that is full.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use MmrdCache;
use MmrdSession;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', "mmrd.threads = 1\nmmrd.progress = off\nautovacuum = off");
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION mmrd; CREATE TABLE scans AS SELECT * FROM mmrd_synthesize(4, 1)');
$node->safe_psql('postgres', train($_)) for 1 .. 2;
my $newest = $node->safe_psql('postgres', scores());
$node->stop;

sub start_as
{
	my ($prelude) = @_;
	my @start = ('pg_ctl', '-w', '-D', $node->data_dir, '-l', $node->logfile, 'start');

	return 0 if system('bash', '-c', "$prelude >/dev/null", 'bash', @start) != 0;
	$node->_update_pid(1);
	return 1;
}

my $notice = qr/NOTICE:  model "scans" is kept in this session's own memory\nDETAIL:  Version \d takes 7\d MB, and sharing it failed: /;

# Two sessions without room for a single segment.
sub nothing_fits
{
	my ($what, $reason) = @_;
	my $one = MmrdSession->new($node);
	my $two = MmrdSession->new($node);
	my ($rows, $errors) = $one->query(scores());

	is($rows, $newest, "$what: the score is right");
	like($errors, qr/$notice$reason/, 'with a notice');
	($rows, $errors) = $one->query(scores());
	is("$rows $errors", "$newest ", 'given once');
	$one->query(q{SELECT mmrd_deploy('scans', 1)});
	(undef, $errors) = $one->query(scores());
	is($errors, '', 'also for another version');
	$one->query(q{SELECT mmrd_deploy('scans', 2)});
	(undef, $errors) = $two->query(scores());
	like($errors, $notice, 'and to another session');
	is(cached($one, 'version, users, shared, state, pid = ' . $one->{pid}), "1|1|f|ready|t\n2|1|f|ready|t\n2|1|f|ready|f",
		'private copies are listed');
	is(scalar(() = mapped($one)), 0, 'nothing is shared');

	# Many failures leave nothing behind, in a parallel query neither.
	$one->query(q{SET max_parallel_workers_per_gather = 2; SET parallel_setup_cost = 0;
		ALTER TABLE scans SET (parallel_workers = 2)});
	like($one->query('EXPLAIN ' . scores_gathered()), qr/Workers Planned: 2/, 'parallel workers');
	for (1 .. 3)
	{
		($rows, $errors) = $one->query(scores_gathered());
		is("$rows $errors", "$newest ", 'are as short of it');
	}
	$two->quit;
	ok($one->poll('SELECT count(*) FROM mmrd.cache', '2'), 'a copy ends with its session');
	$one->quit;
	is(join("\n", grep { /WARNING|leak|terminated by signal|PANIC|TRAP/ && !/few|rests on only/ }
		split /\n/, slurp_file($node->logfile)), '', 'no warning of a leak in the log');
}

# ---- a limit on the size of files ----

ok(start_as('ulimit -f 50000 && exec "$@"'), 'a server whose files have at most 50 MB');
nothing_fits('limited', qr/could not resize shared memory segment .*: File too large/);
$node->stop;

# ---- a small /dev/shm ----

# A user may mount things in a namespace of his own, where that is allowed:
# first as its root, then as himself, for PostgreSQL refuses to be root.
sub small_shm
{
	my ($size) = @_;
	my ($user, $group) = ($>, (split ' ', $))[0]);

	return "exec unshare --user --map-root-user --mount sh -c 'mount -t tmpfs -o size=$size tmpfs /dev/shm"
	  . " && exec unshare --user --map-user=$user --map-group=$group \"\$@\"' sh \"\$@\"";
}

SKIP: {
	if (system('bash', '-c', small_shm('1m') . ' 2>/dev/null', 'bash', 'true') != 0)
	{
		diag('a small /dev/shm is not tested: namespaces of users are not allowed here');
		skip('no namespaces', 1);
	}
	ok(start_as(small_shm('64m')), 'a server whose /dev/shm has 64 MB');
	nothing_fits('64 MB', qr/could not resize shared memory segment .*: No space left on device/);
	$node->stop;

	ok(start_as(small_shm('100m')), 'a server whose /dev/shm has room for one');
	my $one = MmrdSession->new($node);
	my $two = MmrdSession->new($node);
	my ($rows, $errors) = $one->query(scores());
	is("$rows $errors", "$newest ", 'the first model is shared');
	$two->query(q{SELECT mmrd_deploy('scans', 1)});
	($rows, $errors) = $two->query(scores());
	like($errors, $notice, 'the second is not');
	is(cached($one, 'version, users, shared, state'), "1|1|f|ready\n2|1|t|ready", 'as the cache shows');
	$one->query(q{SELECT mmrd_deploy('scans', 2)});
	($rows, $errors) = $two->query(scores());
	is("$rows $errors", "$newest ", 'the second session shares the first model');
	is(cached($one, 'version, users, shared', 'shared'), '2|2|t', 'too');
	$_->quit for $one, $two;
	$node->stop;
}

# ---- segments as files ----

$node->append_conf('postgresql.conf', 'dynamic_shared_memory_type = mmap');
ok(start_as('exec "$@"'), 'a server with segments as files');
my $one = MmrdSession->new($node);
is($one->query(scores()), $newest, 'shares as well');
is(cached($one, 'version, users, shared'), '2|1|t', 'as the cache shows');
$one->quit;
$node->stop;
ok(start_as('ulimit -f 50000 && exec "$@"'), 'the same with small files');
nothing_fits('small files', qr/could not .*: File too large/);
$node->stop;

done_testing();
