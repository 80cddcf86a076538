# tests/t/053_many_sessions.pl
#	Sixteen sessions score at once: their threads stay within the budget and
#	come back on every way out, their memory stays as it is, and the model is in
#	memory once.  (Sixty-four for minutes: make soak.)
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time sleep);
use MmrdCache;
use MmrdSession;

my $sessions = 16;
my $budget = 4;
my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', "mmrd.threads = 4\nmmrd.total_threads = $budget\nmmrd.progress = off\nautovacuum = off");
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION mmrd; CREATE TABLE scans AS SELECT * FROM mmrd_synthesize(5, 1)');
$node->safe_psql('postgres', train(1));
my $started = $node->safe_psql('postgres', 'SELECT pg_postmaster_start_time()');
my $watcher = MmrdSession->new($node);
my $taken = 'SELECT taken, sessions FROM mmrd_threads_taken()';

# ---- one session: taken while it scores, back on every way out ----

my $one = MmrdSession->new($node);
my $scores = $one->query(scores());
my $long = 'SELECT count(mmrd_score(rgb, aux)) FROM scans, generate_series(1, 100000)';
my $errors;

is($watcher->query('SELECT total FROM mmrd_threads_taken()'), $budget, 'the budget');
is($watcher->query($taken), '0|0', 'after a statement');
$one->query('BEGIN; DECLARE c CURSOR FOR SELECT mmrd_score(rgb, aux) FROM scans');
$one->query('FETCH c');
is($watcher->query($taken), '4|1', 'a cursor keeps its threads');
is($one->threads, 4, 'which are there');
$one->query('SET mmrd.threads = 2; FETCH c');
is($watcher->query($taken), '2|1', 'until the session wants fewer');
is($one->threads, 2, 'so many it has then');
$one->query('SET mmrd.threads = 1; FETCH c');
is($watcher->query($taken), '1|1', 'one counts, too');
is($one->threads, 1, 'and is all there is');
$one->query('RESET mmrd.threads; CLOSE c');
is($watcher->query($taken), '0|0', 'and gives them back');
$one->query('COMMIT');
for my $statement (q{SELECT mmrd_score(rgb, aux), 1 / (id - 3) FROM scans}, q{SELECT mmrd_score(rgb, substr(aux, 1, 99)) FROM scans})
{
	(undef, $errors) = $one->query($statement);
	like($errors, qr/ERROR/, 'an error');
	is($watcher->query($taken), '0|0', 'gives them back');
}
$one->query(qq{DO \$\$ BEGIN PERFORM mmrd_score(rgb, aux) / 0 FROM scans; EXCEPTION WHEN division_by_zero THEN NULL; END \$\$});
is($watcher->query($taken), '0|0', 'so does one that is caught');
for my $end ('cancel', 'terminate')
{
	$one->send($long);
	ok($watcher->poll($taken, '4|1'), 'a long statement has four');
	$watcher->query("SELECT pg_${end}_backend($one->{pid})");
	$one->answer;
	ok($watcher->poll($taken, '0|0'), "$end: they are back");
}

# ---- shared out ----

my @all = map { MmrdSession->new($node) } 1 .. $sessions;

$all[0]->send($long);
ok($watcher->poll($taken, '4|1'), 'the first takes all');
$all[1]->send($long);
ok($watcher->poll($taken, '4|2'), 'and shares with the second');
ok((grep { sleep 0.05; $all[0]->threads == 2 && $all[1]->threads == 2 } 1 .. 400) > 0, 'half and half');
$all[2]->query('SET mmrd.threads = 1');
$all[2]->send($long);
ok((grep { sleep 0.05; $all[2]->threads == 1 && $watcher->query($taken) =~ /^[345]\|3$/ } 1 .. 400) > 0, 'a third wants but one');
$watcher->query("SELECT pg_cancel_backend($_->{pid})") for @all[1, 2];
$_->answer for @all[1, 2];
ok($watcher->poll($taken, '4|1'), 'the first has all again');
$all[2]->query('RESET mmrd.threads');
$watcher->query("SELECT pg_cancel_backend($all[0]->{pid})");
$all[0]->answer;
$node->append_conf('postgresql.conf', 'mmrd.total_threads = 1000');
$node->reload;
ok($watcher->poll('SELECT total FROM mmrd_threads_taken()', '1000'), 'without a limit');
$_->send($long) for @all[0 .. 3];
ok($watcher->poll($taken, '16|4'), 'each has what it wants');
$watcher->query("SELECT pg_cancel_backend($_->{pid})") for @all[0 .. 3];
$_->answer for @all[0 .. 3];
$node->append_conf('postgresql.conf', "mmrd.total_threads = $budget");
$node->reload;
ok($watcher->poll('SELECT total FROM mmrd_threads_taken()', $budget), 'the budget again');

# ---- sixteen at once ----

# Memory that is one process's own, in kB.
sub own_memory
{
	my ($session) = @_;

	open my $status, '<', "/proc/$session->{pid}/status" or die "status: $!";
	my ($kb) = map { /^RssAnon:\s+(\d+)/ ? $1 : () } <$status>;
	return $kb;
}

my $most_threads = 0;
my $most_taken = 0;
my (%wrong, @memory);
for my $round (1 .. 6)
{
	$_->send(scores()) for @all;
	for (1 .. 5)
	{
		my $threads = 0;
		my ($n) = $watcher->query('SELECT taken FROM mmrd_threads_taken()');

		$threads += $_->threads for @all;
		$most_threads = $threads if $threads > $most_threads;
		$most_taken = $n if $n > $most_taken;
	}
	for my $session (@all)
	{
		my ($rows, $messages) = $session->answer;

		$wrong{"$rows $messages"} = 1 if $rows ne $scores || $messages ne '';
	}
	my $sum = 0;
	$sum += own_memory($_) for @all;
	push @memory, $sum;
}
is(join(' ', keys %wrong), '', 'all scores are right');
note("at most $most_threads threads, $most_taken taken; memory @memory kB");
cmp_ok($most_taken, '<=', $budget + $sessions - 1, 'threads within the budget, and one for each session');
cmp_ok($most_threads, '<=', $budget + 2 * $sessions - 1, 'the system says the same');
is($watcher->query($taken), '0|0', 'all are back');
is(cached($watcher, "count(*), min(users)"), "1|$sessions", 'one copy for all');
cmp_ok($memory[5] - $memory[1], '<', 1024 * $sessions, 'their memory does not grow');
cmp_ok($memory[5] / $sessions, '<', 64 * 1024, 'nor does a session hold a model');
$_->quit for @all;
ok($watcher->poll('SELECT users FROM mmrd.cache', '0'), 'and nobody uses it afterwards');
is($watcher->query('SELECT pg_postmaster_start_time()'), $started, 'the server never restarted');
is(join("\n", grep { /WARNING|terminated by signal|PANIC/ && !/rests on only/ } split /\n/, slurp_file($node->logfile)),
	'', 'no warning in the log');
$watcher->quit;
$node->stop;

# ---- preloaded ----

$node->append_conf('postgresql.conf', "shared_preload_libraries = 'mmrd'\nrestart_after_crash = on");
$node->start;
$one = MmrdSession->new($node);
is($one->query(scores()), $scores, 'preloaded, it scores the same');
is(cached($one, 'users, shared'), '1|t', 'from a shared copy');
like($one->query(q{SELECT allocated_size FROM pg_shmem_allocations WHERE name LIKE 'mmrd registry%'}), qr/^1\d{4}$/,
	'listed in memory that was reserved');
$watcher = MmrdSession->new($node);
is($watcher->query(scores()), $scores, 'in another session, too');
ok($watcher->crash($node), 'after a crash');
$one = MmrdSession->new($node);
is(cached($one, 'count(*)'), '0', 'nothing is in memory');
is($one->query($taken), '0|0', 'no thread is taken');
is($one->query(scores()), $scores, 'and it scores');

done_testing();
