# tests/t/001_cancel.pl
#	A training that is cancelled, times out or is terminated ends within a
#	second and leaves nothing behind: no rows, files, threads or memory.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time sleep);
use MmrdSession;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', 'mmrd.total_threads = 8');
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION mmrd;
	CREATE TABLE scans AS SELECT * FROM mmrd_synthesize(20, 1);
});
my $started = $node->safe_psql('postgres', 'SELECT pg_postmaster_start_time()');

my $watcher = MmrdSession->new($node);
my $session = MmrdSession->new($node);
my $training = q{SELECT * FROM mmrd_train('scans',
	options => '{"epochs": 1000, "input_size": 128}')};

# Everything that must be gone.  The library itself and what it keeps for the
# session (plans, settings) stay.
sub nothing_left
{
	my ($what) = @_;

	is($watcher->query(q{SELECT (SELECT count(*) FROM mmrd.models),
		(SELECT count(*) FROM mmrd.versions),
		(SELECT count(*) FROM mmrd.tensors),
		(SELECT count(*) FROM mmrd.deployments)}),
		'0|0|0|0', "$what: no rows");
	is(scalar(my @files = glob($node->data_dir . '/base/pgsql_tmp/*')), 0,
		"$what: no temporary files");
	is($session->threads, 1, "$what: one thread");
	is($session->query(q{SELECT count(*) FROM pg_backend_memory_contexts
		WHERE name LIKE 'mmrd%' AND name NOT IN ('mmrd cache', 'mmrd working memory')}), '0',
		"$what: no memory of ours");
}

# A score loads the library, so that what follows compares like with like.
$session->query('SELECT mmrd_score(NULL)');
is($session->threads, 1, 'one thread before');
my $before;

# Cancelled in every phase: while scans are read, statistics adapted, the
# student trained.  Of three attempts the best counts: machines are shared.
for my $threads (1, 2)
{
	$session->query("SET mmrd.threads = $threads");
	my $best = 1e9;

	for my $delay (4, 1, 0.3)
	{
		$session->send($training);
		sleep $delay;
		my $many = $session->threads;
		my $sent = time;

		is($watcher->query("SELECT pg_cancel_backend($session->{pid})"), 't',
			"$threads threads, after $delay s: cancel sent");
		my ($rows, $errors) = $session->answer;
		my $took = time - $sent;

		note("$many threads, answered after $took s");
		$best = $took if $took < $best;
		is($rows, '', 'no result');
		like($errors, qr/canceling statement due to user request/, 'the reason');
		nothing_left("$threads threads, cancelled after $delay s");
		$before = $session->resident if !defined $before;
	}
	cmp_ok($best, '<', 1, "$threads threads: cancel answered within a second");
}

# Threads exist while it trains.
$session->query('SET mmrd.threads = 3');
$session->send($training);
ok((grep { sleep 0.05; $session->threads == 3 } 1 .. 200) > 0, 'three threads while it trains');
$watcher->query("SELECT pg_cancel_backend($session->{pid})");
$session->answer;
is($session->threads, 1, 'one afterwards');
$session->query('SET mmrd.threads = 2');

# statement_timeout, also in the middle of a transaction with a savepoint.
$session->query("SET statement_timeout = '1500ms'");
my $start = time;
my ($rows, $errors) = $session->query($training);
like($errors, qr/canceling statement due to statement timeout/, 'statement_timeout');
note('statement_timeout of 1.5 s: ' . (time - $start) . ' s');
nothing_left('statement_timeout');
$session->query('BEGIN; SAVEPOINT s');
(undef, $errors) = $session->query($training);
like($errors, qr/statement timeout/, 'in a savepoint');
is($session->threads, 1, 'in a savepoint: one thread, though the transaction goes on');
$session->query('ROLLBACK TO s');
is($session->query('SELECT 1'), '1', 'the transaction goes on');
$session->query('COMMIT; RESET statement_timeout');
nothing_left('savepoint');

# Spilled to files, then cancelled.
$session->query("SET mmrd.train_memory = '64MB'");
(undef, $errors) = $session->query($training);
my ($needed) = $errors =~ /(\d+) MB are needed/;
$session->query('SET mmrd.train_memory = ' . ($needed + 1) * 1024);
$session->send($training);
ok((grep { sleep 0.05; my @f = glob($node->data_dir . '/base/pgsql_tmp/*'); @f > 0 } 1 .. 400) > 0,
	'temporary files while it trains');
$watcher->query("SELECT pg_cancel_backend($session->{pid})");
$session->answer;
nothing_left('spilled and cancelled');

# temp_file_limit holds for what is spilled.
$session->query("SET temp_file_limit = '1MB'");
(undef, $errors) = $session->query($training);
like($errors, qr/temporary file size exceeds temp_file_limit/, 'temp_file_limit');
nothing_left('temp_file_limit');
$session->query('RESET temp_file_limit; RESET mmrd.train_memory');

# The allocator keeps some of what was freed, but not more each time.
my $after = $session->resident;
note("resident after the first cancel $before kB, after the last $after kB");
cmp_ok($after, '<', $before + 64 * 1024, 'memory does not grow');

# A score that was cancelled leaves a model that still scores the same.
$watcher->query(q{SELECT mmrd_train('scans', options => '{"epochs": 1, "bn_epochs": 1, "input_size": 128, "prototypes": [1, 1, 1]}')});
my $scoring = 'SELECT md5(string_agg(mmrd_score(rgb, aux)::text, $$,$$ ORDER BY id)) FROM scans';
my $scores = $session->query($scoring);
like($scores, qr/^[0-9a-f]{32}$/, 'scores');
for my $delay (0.2, 0.5, 0.9)
{
	$session->send('SELECT sum(mmrd_score(rgb, aux)) FROM scans, generate_series(1, 1000)');
	sleep $delay;
	my $sent = time;
	$watcher->query("SELECT pg_cancel_backend($session->{pid})");
	(undef, $errors) = $session->answer;
	note('scoring answered after ' . (time - $sent) . ' s');
	like($errors, qr/canceling statement due to user request/, 'scoring cancelled');
	is($session->threads, 1, 'one thread');
	is($session->query($scoring), $scores, 'and the scores are the same');
}
$watcher->query('DELETE FROM mmrd.versions; DELETE FROM mmrd.models');

# Terminated.
$session->send($training);
sleep 2;
$watcher->query("SELECT pg_terminate_backend($session->{pid})");
(undef, $errors) = $session->answer;
like($errors, qr/terminating connection due to administrator command/, 'terminated');
ok($watcher->poll("SELECT count(*) FROM pg_stat_activity WHERE pid = $session->{pid}", '0'),
	'the session is gone');
is($watcher->query('SELECT count(*) FROM mmrd.models'), '0', 'terminated: no rows');

# The client goes away.
$session = MmrdSession->new($node);
$session->query("SET client_connection_check_interval = '200ms'");
$session->send($training);
sleep 1;
$session->{run}->kill_kill;
ok($watcher->poll("SELECT count(*) FROM pg_stat_activity WHERE pid = $session->{pid}", '0'),
	'the session of a lost client ends');

is($watcher->query('SELECT pg_postmaster_start_time()'), $started, 'the server never restarted');
# A handful of scans is few for a threshold, and the training says so.
is(join("\n", grep { /terminated by signal|WARNING|PANIC/
		&& !/the threshold rests on only/ } split /\n/, slurp_file($node->logfile)), '',
	'no crash and no other warning in the log');

done_testing();
