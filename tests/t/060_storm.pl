# tests/t/060_storm.pl
#	Signals by the hundred while sessions train and score, kill -9, timeouts and
#	replay conflicts: an error message at most, the same scores afterwards, one
#	thread, and nothing damaged.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time sleep);
use MmrdJobs;
use MmrdSession;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init(allows_streaming => 1);
$node->append_conf('postgresql.conf', "mmrd.threads = 2\nmmrd.progress = off\nrestart_after_crash = on\nautovacuum = off");
$node->start;
$node->safe_psql('postgres', qq{
	CREATE EXTENSION mmrd; CREATE EXTENSION amcheck;
	CREATE TABLE scans AS SELECT * FROM mmrd_synthesize(6, 1);
	CREATE TABLE filler AS SELECT generate_series(1, 1000) AS n;
	SELECT mmrd_train('scans', 'm', options => '} . options('"epochs": 1') . q{')});
my $scoring = q{SELECT md5(string_agg(mmrd_score(rgb, aux, 'm')::text, ',' ORDER BY id)) FROM scans};
my $scores = $node->safe_psql('postgres', $scoring);
like($scores, qr/^[0-9a-f]{32}$/, 'scores');
my $started = $node->safe_psql('postgres', 'SELECT pg_postmaster_start_time()');
my $long_training = q{SELECT mmrd_train('scans', 'never', options => '} . options('"epochs": 100000') . q{')};
my $long_scoring = q{SELECT sum(mmrd_score(rgb, aux, 'm')) FROM scans, generate_series(1, 100000)};

# ---- storms ----

# SIGALRM is what timeouts are made of; SIGUSR1 (barriers, interrupts) and
# SIGHUP come from other processes at any time.  To the process: the kernel
# gives them to any thread that does not block them.
my $session = MmrdSession->new($node);
$session->query($scoring);
for my $what ([ training => $long_training ], [ scoring => $long_scoring ])
{
	my ($name, $query) = @$what;

	$session->query(q{SET statement_timeout = '6s'; SET client_connection_check_interval = '20ms'});
	$session->send($query);
	my $until = time + 4;
	my $sent = 0;
	while (time < $until)
	{
		$sent += kill $_, $session->{pid} for qw(ALRM USR1 HUP ALRM);
		sleep 0.002;
	}
	my $threads = $session->threads; # not earlier: some are tried at first
	my (undef, $errors) = $session->answer;
	cmp_ok($sent, '>', 500, "$name: $sent signals");
	is($threads, 2, "$name: with two threads");
	like($errors, qr/canceling statement due to statement timeout/, "$name: goes on until its timeout");
	is($session->threads, 1, "$name: one thread afterwards");
	is($session->query('SET statement_timeout = 0'), '', "$name: the session lives");
	is($session->query($scoring), $scores, "$name: bit-equal scores");

	# Cancelled at any moment, again and again, and twice at once.
	my $cancelled = 0;
	for my $n (1 .. 12)
	{
		$session->send($query);
		sleep 0.03 * $n;
		kill 'INT', $session->{pid} for 1 .. 1 + $n % 2;
		(undef, $errors) = $session->answer;
		$cancelled++ if $errors =~ /canceling statement due to user request/;
	}
	cmp_ok($cancelled, '>=', 11, "$name: cancelled at any moment");
	is($session->threads, 1, "$name: one thread after those");
	$session->query('SELECT 1') for 1 .. 2; # a cancel that came late
	is($session->query($scoring), $scores, "$name: bit-equal scores after those");

	# Terminated at any moment.
	for my $n (1 .. 4)
	{
		my $victim = MmrdSession->new($node);

		$victim->send($query);
		sleep 0.1 * $n;
		kill 'TERM', $victim->{pid};
		(undef, $errors) = $victim->answer;
		like($errors, qr/terminating connection due to administrator command/, "$name: terminated, $n");
	}
}
is($session->query(q{SELECT count(*) FROM mmrd.models WHERE name = 'never'}), '0', 'no model of a training that did not end');

# ---- timeouts of idle sessions ----

for my $timeout ([ q{SET idle_session_timeout = '300ms'}, qr/idle-session timeout/ ],
	[ q{SET idle_in_transaction_session_timeout = '300ms'; BEGIN}, qr/idle-in-transaction timeout/ ])
{
	my $idle = MmrdSession->new($node);

	is($idle->query($scoring), $scores, 'a session that has scored');
	$idle->query($timeout->[0]);
	$idle->query($scoring);
	sleep 1.5;
	ok(!-e "/proc/$idle->{pid}", 'ends when it is idle');
	like(slurp_file($node->logfile), $timeout->[1], 'for that reason');
}
is($node->safe_psql('postgres', 'SELECT pg_postmaster_start_time()'), $started, 'until here the server never restarted');
unlike(slurp_file($node->logfile), qr/terminated by signal|PANIC/, 'and nobody crashed');

# ---- a standby that has to choose between replay and a score ----

$node->backup('backup');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'backup', has_streaming => 1);
$standby->append_conf('postgresql.conf', "max_standby_streaming_delay = '200ms'\nhot_standby_feedback = off");
$standby->start;
my $reader = MmrdSession->new($standby);
is($reader->query($scoring), $scores, 'standby: bit-equal scores');
$reader->send($long_scoring =~ s/FROM scans/FROM filler, scans/r);
sleep 0.5;
$node->safe_psql('postgres', 'DELETE FROM filler');
$node->safe_psql('postgres', 'VACUUM filler');
my (undef, $errors) = $reader->answer;
like($errors, qr/due to conflict with recovery/, 'standby: a replay conflict cancels a long score');
# PostgreSQL itself ends a session that is asked a second time while it is
# still busy with aborting; that is a message too, and no crash.
my $alive = $reader->query('SELECT 1');
if (($alive // '') ne '1')
{
	note('the conflict ended the session');
	$reader = MmrdSession->new($standby);
}
is($reader->query($scoring), $scores, 'standby: scores after it');
is($reader->threads, 1, 'standby: one thread');
$node->safe_psql('postgres', q{BEGIN; LOCK TABLE scans IN ACCESS EXCLUSIVE MODE; COMMIT});
$node->wait_for_catchup($standby, 'replay', $node->lsn('insert'));
is($reader->query($scoring), $scores, 'standby: and after a lock was replayed');
unlike(slurp_file($standby->logfile), qr/terminated by signal|PANIC/, 'standby: never restarted');
$reader->quit;
$standby->stop;

# ---- kill -9: the server restarts by itself, with all it had ----

sub comes_back
{
	my ($what) = @_;

	is($node->safe_psql('postgres', $scoring), $scores, "$what: bit-equal scores");
	is(temporary_files($node), 0, "$what: no temporary files");
	is($node->safe_psql('postgres', q{SELECT count(*) FROM mmrd.models WHERE name = 'never'}), '0', "$what: no half a model");
}

for my $what ([ 'while scoring' => $long_scoring, 0.5 ], [ 'while reading scans' => $long_training, 0.05 ],
	[ 'while training' => $long_training, 2 ])
{
	my $victim = MmrdSession->new($node);

	$victim->send($what->[1]);
	sleep $what->[2];
	ok($victim->crash($node), "kill -9 $what->[0]: the server is back");
	comes_back("kill -9 $what->[0]");
	eval { $victim->{run}->kill_kill };
}
$node->stop('immediate');
$node->start;
comes_back('immediate shutdown');

# ---- nothing is damaged ----

command_ok([ 'pg_amcheck', '--heapallindexed', '--all', '--exclude-schema', 'pg_toast_temp_*', '-h', $node->host, '-p', $node->port ],
	'pg_amcheck');
done_testing();
