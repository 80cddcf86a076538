# tests/t/061_starvation.pl
#	Too few places for threads (ulimit -u) and too little address space
#	(ulimit -v): a session goes on with fewer threads, to the same bits, or gets
#	an error that says what to do; it is never lost, and the server never
#	restarts.
#
#	The limit on processes counts all processes of a user, so the server runs in
#	a namespace of its own where that is allowed: there it counts the server's
#	only, and not what else this user happens to run.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time sleep);
use MmrdCache;
use MmrdJobs;
use MmrdSession;

# More threads than cores: those that wait must sleep.
$ENV{OMP_WAIT_POLICY} = 'passive';
my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf',
	"mmrd.threads = 4\nmmrd.total_threads = 64\nmmrd.train_threads = 4\nmmrd.progress = off\nmmrd.model = 'scans'\n"
	  . "client_min_messages = error\nautovacuum = off");
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION mmrd; CREATE TABLE scans AS SELECT * FROM mmrd_synthesize(3, 1)');
$node->safe_psql('postgres', train(1));
my $scores = $node->safe_psql('postgres', scores());
my $training = q{SELECT round(loss::numeric, 4) FROM mmrd_train('scans', 'tried', options => '} . options('"epochs": 1, "bn_epochs": 1') . q{')};
my $loss = $node->safe_psql('postgres', $training);
like($loss, qr/^\d+\.\d+$/, 'a loss');
$node->stop;

sub start_as
{
	my ($prelude) = @_;
	my @start = ('pg_ctl', '-w', '-D', $node->data_dir, '-l', $node->logfile, 'start');

	system('bash', '-c', "$prelude >/dev/null", 'bash', @start) == 0 or return 0;
	$node->_update_pid(1);
	return 1;
}

# A soft limit of a process that runs, lowered or given back.
sub limit
{
	my ($pid, $what, $value) = @_;

	system('prlimit', '--pid', $pid, "--$what=$value:") == 0 or die "prlimit: $?";
	return;
}

sub address_space_mb
{
	my ($pid) = @_;

	slurp_file("/proc/$pid/status") =~ /^VmSize:\s+(\d+) kB/m or die 'VmSize';
	return int($1 / 1024);
}

# What a session answers: its result, or an error of which no session dies.
my %seen;
sub goes_on
{
	my ($session, $what, $sql, $right, $allowed) = @_;

	$session->send($sql);
	my ($rows, $errors) = $session->answer;
	my $alive = $session->query('SELECT 1') // '';
	my $result = $rows eq $right && $errors eq '' ? 'right' : $errors =~ $allowed ? 'error' : 'wrong';

	$seen{$result}++;
	return ok($alive eq '1' && $result ne 'wrong', "$what: $result") || diag("rows $rows, errors $errors");
}

# ---- places for threads ----

my ($user, $group) = ($>, (split ' ', $))[0]);
my $own_namespace = "unshare --user --map-user=$user --map-group=$group";
if (system("$own_namespace true 2>/dev/null") != 0)
{
	diag('processes that this user runs elsewhere are counted, too: namespaces of users are not allowed here');
	$own_namespace = '';
}

# Tasks that count against the limit: all of this user's in the server's
# namespace.
sub tasks
{
	my $namespace = readlink('/proc/' . $node->{_pid} . '/ns/user');
	my $n = 0;

	for my $process (glob '/proc/[0-9]*')
	{
		my @stat = stat $process or next;
		next if $stat[4] != $>;
		next if (readlink("$process/ns/user") // '') ne $namespace;
		my @tasks = glob "$process/task/*";
		$n += @tasks;
	}
	return $n;
}

ok(start_as("ulimit -Su 200 && exec $own_namespace \"\$@\""), 'a server under ulimit -u');
my $started = $node->safe_psql('postgres', 'SELECT pg_postmaster_start_time()');
my $one = MmrdSession->new($node);
is($one->query(scores()), $scores, 'scores while there is room');
for my $more (0 .. 7)
{
	limit($one->{pid}, 'nproc', tasks() + $more);
	goes_on($one, "scoring, $more places left", scores(), $scores, qr/^$/);
	goes_on($one, "training, $more places left", $training, $loss, qr/^$/);
}
is($one->threads, 1, 'one thread is left');

# Several at a time that have to share what is left.
my @all = ($one, map { MmrdSession->new($node) } 1 .. 5);
for my $more (3, 6, 10, 14)
{
	my $tasks = tasks();

	limit($_->{pid}, 'nproc', $tasks + $more) for @all;
	for (1 .. 5)
	{
		$_->send(scores()) for @all;
		for my $session (@all)
		{
			my ($rows, $errors) = $session->answer;

			$seen{"$rows $errors" eq "$scores " ? 'right together' : 'wrong together'}++;
		}
	}
}
is($seen{'right together'}, 4 * 5 * @all, 'six sessions together, all of them right');
my $long = q{SELECT count(mmrd_score(rgb, aux)) FROM scans, generate_series(1, 100000)};
my $taken = 'SELECT taken FROM mmrd_threads_taken()';
limit($one->{pid}, 'nproc', tasks());
$one->send($long);
ok($all[1]->poll($taken, '4'), 'without a place for another thread');
is($one->threads, 1, 'there is none');
$all[1]->query("SELECT pg_cancel_backend($one->{pid})");
$one->answer;
limit($_->{pid}, 'nproc', 200) for @all;
$one->send($long);
ok(defined until_true(sub { $one->threads == 4 }), 'four threads when there is room again');
$all[1]->query("SELECT pg_cancel_backend($one->{pid})");
$one->answer;
is($one->query(scores()), $scores, 'and the same scores');
is($node->safe_psql('postgres', 'SELECT pg_postmaster_start_time()'), $started, 'the server never restarted');
$_->quit for @all;
$node->stop;

# ---- address space ----

# Not all of PostgreSQL's own errors have a hint.
my $short = qr/ERROR:  (?:out of memory|could not .*: Cannot allocate memory|.*cannot allocate memory)/i;

%seen = ();
ok(start_as('ulimit -Sv 4000000 && exec "$@"'), 'a server under ulimit -v');
$started = $node->safe_psql('postgres', 'SELECT pg_postmaster_start_time()');

# Before and after the library and the model are there.
for my $more (5, 40, 100, 200, 300, 350, 400, 450, 500, 600, 800, 1200)
{
	my $fresh = MmrdSession->new($node);

	limit($fresh->{pid}, 'as', (address_space_mb($fresh->{pid}) + $more) << 20);
	goes_on($fresh, "a new session scores, $more MB left", scores(), $scores, qr/$short|failed to map segment/);
	limit($fresh->{pid}, 'as', 4000000 << 10);
	is($fresh->query(scores()), $scores, "$more MB: it scores when there is room");
	limit($fresh->{pid}, 'as', (address_space_mb($fresh->{pid}) + $more) << 20);
	goes_on($fresh, "it trains, $more MB left", $training, $loss, $short);
	limit($fresh->{pid}, 'as', 4000000 << 10);
	is($fresh->threads, 1, "$more MB: one thread");
	$fresh->quit;
}
note("$seen{right} right, $seen{error} errors");
cmp_ok($seen{right}, '>', 3, 'some found room');
cmp_ok($seen{error}, '>', 3, 'some did not');
is($node->safe_psql('postgres', scores()), $scores, 'everything works afterwards');
is($node->safe_psql('postgres', 'SELECT taken, sessions FROM mmrd_threads_taken()'), '0|0', 'no thread is taken');
is($node->safe_psql('postgres', 'SELECT pg_postmaster_start_time()'), $started, 'the server never restarted');
$node->stop;
is(join("\n", grep { /terminated by signal|PANIC|libgomp/ } split /\n/, slurp_file($node->logfile)), '',
	'nobody crashed');

done_testing();
