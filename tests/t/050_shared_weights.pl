# tests/t/050_shared_weights.pl
#	One copy of a model for all sessions: who loads it, who waits, who takes
#	over, and what is let go when.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use MmrdCache;
use MmrdSession;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init(allows_streaming => 1);
$node->append_conf('postgresql.conf', "mmrd.threads = 1\nmmrd.progress = off\nautovacuum = off\nrestart_after_crash = on");
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION mmrd; CREATE TABLE scans AS SELECT * FROM mmrd_synthesize(5, 1)');
my $started = $node->safe_psql('postgres', 'SELECT pg_postmaster_start_time()');
my $one = MmrdSession->new($node);
my $two = MmrdSession->new($node);
my $watcher = MmrdSession->new($node);

sub sets_limit
{
	my ($limit) = @_;

	$node->append_conf('postgresql.conf', "mmrd.cache_size = '$limit'");
	$node->reload;
	for my $session ($one, $two, $watcher)
	{
		$session->query(q{LOAD 'mmrd'});
		ok($session->poll('SHOW mmrd.cache_size', $limit), "cache_size is $limit");
	}
}

# ---- one copy ----

is($watcher->query(train(1)), '1', 'a model');
is(cached($watcher, 'count(*)'), '0', 'nobody has it');
my $first = $one->query(scores());
like($first, qr/^[0-9a-f]{32}$/, 'scores');
is(cached($watcher, 'version, users, hits, shared, state, pid IS NULL, loaded_at IS NULL'), '1|1|4|t|ready|t|f',
	'one session has it, loaded for the first scan and found for four');
is($two->query(scores()), $first, 'the same bits in another session');
is(cached($watcher, 'version, users, hits, shared'), '1|2|9|t', 'which has the same copy');
cmp_ok(cached($watcher, 'bytes'), '>', 50 << 20, 'of so many bytes');
my @mapped = mapped($one);
is(scalar @mapped, 1, 'one segment');
like($mapped[0], qr/^r--s/, 'which it cannot write to');
is_deeply([ mapped($two) ], \@mapped, 'the same in both');
my ($segment) = $mapped[0] =~ /(\S+)$/;
my $third = MmrdSession->new($node);
is($third->query(scores()), $first, 'a third session');
is(cached($watcher, 'users'), '3', 'is a third user');
$third->quit;
ok($watcher->poll('SELECT users FROM mmrd.cache', '2'), 'until it ends');

# ---- a version that is not committed ----

$one->query('BEGIN');
is($one->query(train(2)), '2', 'a version in a transaction');
my $second = $one->query(scores());
isnt($second, $first, 'scores with it');
is(cached($watcher, 'version, users'), '1|2', 'and shares it with nobody');
is($two->query(scores()), $first, 'others score with the first');
$one->query('ROLLBACK');
is($one->query(scores()), $first, 'rolled back, it never was');
is(cached($watcher, 'count(*)'), '1', 'nor is it in memory');
$one->query('BEGIN; SAVEPOINT s');
is($one->query(train(2)), '2', 'in a savepoint');
is($one->query(scores()), $second, 'it scores the same');
$one->query('ROLLBACK TO s');
is($one->query(scores()), $first, 'and is gone with it');
is($one->query(q{SELECT count(*) FROM pg_backend_memory_contexts WHERE name = 'mmrd model'}), '1',
	'the private copy stays for the transaction');
$one->query('COMMIT');
is($one->query(q{SELECT count(*) FROM pg_backend_memory_contexts WHERE name = 'mmrd model'}), '0', 'and goes with it');
$one->query('BEGIN');
$one->query(train(2));
is($one->query(scores()), $second, 'once more');
$one->query('COMMIT');
is($two->query(scores()), $second, 'committed, others use it');
is($one->query(scores()), $second, 'so does its session');
is(cached($watcher, 'version, users, shared'), "1|2|t\n2|2|t", 'and all share it');

# ---- one loads, the others wait ----

my @waiting = map { MmrdSession->new($node) } 1 .. 6;
my $locker = MmrdSession->new($node);
sub hold
{
	$locker->query('BEGIN');
	$locker->query('LOCK TABLE mmrd.tensors IN ACCESS EXCLUSIVE MODE');
}
my $waiters = q{SELECT count(*) FROM pg_stat_activity WHERE wait_event_type IN ('Extension', 'IPC')
	AND query LIKE '%mmrd_score%' AND pid <> pg_backend_pid()};
my $loader = q{SELECT pid FROM mmrd.cache WHERE state = 'loading'};
my ($rows, $errors);

is($watcher->query(train(3)), '3', 'a third version');
hold();
$_->send(scores()) for @waiting;
ok($watcher->poll($waiters, '5'), 'of six sessions five wait for the one that loads');
is(cached($watcher, 'version, users, loaded_at, shared', q{state = 'loading'}), '3|1||t', 'which the cache shows');

# A waiter can be cancelled, and ended.
my %by_pid = map { $_->{pid} => $_ } @waiting;
my $first_loader = $watcher->query($loader);
my @others = grep { $_->{pid} != $first_loader } @waiting;
my $cancelled = shift @others;
$watcher->query("SELECT pg_cancel_backend($cancelled->{pid})");
(undef, $errors) = $cancelled->answer;
like($errors, qr/canceling statement due to user request/, 'a waiter is cancelled');
my $ended = shift @others;
$watcher->query("SELECT pg_terminate_backend($ended->{pid}, 10000)");
(undef, $errors) = $ended->answer;
like($errors, qr/terminating connection/, 'a waiter is ended');

# When the loader is ended, or cancelled, another one loads.
$watcher->query("SELECT pg_terminate_backend($first_loader, 10000)");
(undef, $errors) = $by_pid{$first_loader}->answer;
like($errors, qr/terminating connection/, 'the loader is ended');
ok($watcher->poll("SELECT count(*) FROM mmrd.cache WHERE state = 'loading' AND pid <> $first_loader", '1'),
	'another one loads');
ok($watcher->poll($waiters, '2'), 'and two wait');
my $second_loader = $watcher->query($loader);
$watcher->query("SELECT pg_cancel_backend($second_loader)");
(undef, $errors) = $by_pid{$second_loader}->answer;
like($errors, qr/canceling statement due to user request/, 'that one is cancelled');
ok($watcher->poll("SELECT count(*) FROM mmrd.cache WHERE state = 'loading' AND pid <> $second_loader", '1'),
	'a third one loads');
@others = grep { $_->{pid} != $second_loader } @others;
$locker->query('ROLLBACK');
my %answers = map { ($_->answer)[0] => 1 } @others;
is(scalar keys %answers, 1, 'all who waited score the same');
my ($newest) = keys %answers;
isnt($newest, $second, 'with the new version');
is(cached($watcher, 'version, users, hits, shared, state', 'version = 3'), '3|2|9|t|ready', 'loaded once');
is($cancelled->query(scores()), $newest, 'who was cancelled scores too');
$_->quit for grep { $_ != $ended && $_->{pid} != $first_loader } @waiting;
ok($watcher->poll('SELECT users FROM mmrd.cache WHERE version = 3', '0'), 'nobody uses it now');

# A loader that fails leaves nothing behind.
$watcher->query(train(4));
$node->safe_psql('postgres', q{BEGIN; CREATE TABLE kept AS SELECT t.* FROM mmrd.tensors t JOIN mmrd.versions v
	ON v.id = t.version WHERE v.version = 4 AND part = 0 ORDER BY t.id DESC LIMIT 1;
	DELETE FROM mmrd.tensors t USING kept WHERE t.id = kept.id; COMMIT});
(undef, $errors) = $one->query(scores());
like($errors, qr/ERROR.*tensor/, 'a damaged version is an error');
is(cached($watcher, 'count(*)', "state = 'loading'"), '0', 'no load is left over');
(undef, $errors) = $two->query(scores());
like($errors, qr/ERROR.*tensor/, 'for everybody, at once');
$node->safe_psql('postgres', q{INSERT INTO mmrd.tensors SELECT * FROM kept});
like($one->query(scores()), qr/^[0-9a-f]{32}$/, 'repaired, it scores');
is($one->query(q{SELECT mmrd_deploy('scans', 3)}), '', 'back to the third');

# ---- what is let go ----

sets_limit('160MB');
is($one->query(scores()), $newest, 'scores with the third version');
is($one->query(q{SELECT mmrd_deploy('scans', 2)}), '', 'then with the second');
is($one->query(scores()), $second, 'of which there is room for two');
is(cached($watcher, 'version, users', "state = 'ready'"), "2|2\n3|1", 'both are there, the others not');
is($two->query(scores()), $second, 'another session');
$one->query(q{SELECT mmrd_deploy('scans', 1)});
is($one->query(scores()), $first, 'a third one');
is(cached($watcher, 'version', "state = 'ready'"), "1\n2", 'takes the place of the one not used for longest');
sets_limit('80MB');
is($one->query(scores()), $first, 'room for one');
is(cached($watcher, 'version, users, state', 'true'), "1|1|ready\n2|1|evicted", 'what a session has mapped waits for it');
is(scalar(mapped($two)), 1, 'which has it still');
is($two->query(scores()), $first, 'until it needs another one');
is(cached($watcher, 'version, users, state', 'true'), '1|2|ready', 'then it is gone');
$one->query(q{SELECT mmrd_deploy('scans', 2)});
$one->query('BEGIN ISOLATION LEVEL REPEATABLE READ');
is($one->query(scores()), $second, 'a transaction with one snapshot');
$two->query(q{SELECT mmrd_deploy('scans', 3)});
is($two->query(scores()), $newest, 'another session deploys');
is(cached($watcher, 'version, users, state', 'true'), "2|1|evicted\n3|1|ready", 'so the older one is evicted');
is($one->query(scores()), $second, 'and in use nevertheless');
is(cached($watcher, 'version, users, state', 'version = 2'), '2|1|ready', 'so it is ready again');
$one->query('COMMIT');
sets_limit('0');
is($one->query(scores()), $newest, 'without a cache');
is($two->query(scores()), $newest, 'what is in use is shared all the same');
is(cached($watcher, 'version, users', 'true'), '3|2', 'and nothing else is kept');
sets_limit('1GB');
is($watcher->query('SELECT mmrd_cache_clear()'), '0', 'what is mapped is not cleared');
$_->quit for $one, $two;
ok($watcher->poll('SELECT sum(users) FROM mmrd.cache', '0'), 'nobody uses it');
cmp_ok($watcher->query('SELECT mmrd_cache_clear()'), '>', 50 << 20, 'cleared');
is(cached($watcher, 'count(*)', 'true'), '0', 'nothing is left');

# ---- versions, databases and extensions that go ----

$one = MmrdSession->new($node);
$two = MmrdSession->new($node);
$one->query(q{SELECT mmrd_deploy('scans', 2)});
$one->query(scores());
$one->query(q{SELECT mmrd_deploy('scans', 3)});
$one->query(scores());
$one->query('BEGIN');
$one->query(q{SELECT mmrd_drop_version('scans', 2)});
$one->query('ROLLBACK');
is(cached($watcher, 'version, state'), "2|ready\n3|ready", 'a dropped version that is not');
$one->query(q{SELECT mmrd_drop_version('scans', 2)});
is(cached($watcher, 'version, users, state', 'true'), "3|1|ready\n|1|evicted", 'a dropped version is evicted');
is($one->query(scores()), $newest, 'at the next call');
is(cached($watcher, 'version, users, state', 'true'), '3|1|ready', 'it is gone');

$_->quit for $two, $locker;
$node->safe_psql('postgres', 'CREATE DATABASE template IS_TEMPLATE true');
$node->safe_psql('postgres', 'ALTER DATABASE template IS_TEMPLATE false');
system_or_bail('sh', '-c', 'pg_dump -d "$1" | psql -Xq -d "$2"', 'sh', $node->connstr('postgres'), $node->connstr('template'));
my $copy = MmrdSession->new($node, 'template');
is($copy->query(scores()), $newest, 'a copy of the database scores the same');
is($copy->query('SELECT count(*), count(DISTINCT database), count(model), min(users) FROM mmrd.cache'), '2|2|1|1',
	'from a copy of its own');
$copy->query('CREATE ROLE nobody LOGIN');
$copy->query('SET ROLE nobody');
is($copy->query('SELECT database, model FROM mmrd.cache'), 'template|scans', 'others see their own database only');
(undef, $errors) = $copy->query('SELECT mmrd_cache_clear()');
like($errors, qr/permission denied/, 'and clear nothing');
$copy->query('RESET ROLE; GRANT pg_read_all_stats TO nobody; SET ROLE nobody');
is($copy->query('SELECT count(*) FROM mmrd.cache'), '2', 'unless they may read all statistics');
$copy->quit;
$node->safe_psql('postgres', 'DROP DATABASE template');
is(cached($watcher, 'database', 'true'), 'postgres', 'a dropped database is let go');

$watcher->query('DROP EXTENSION mmrd CASCADE');
$watcher->query('CREATE EXTENSION mmrd');
is(cached($watcher, 'version, users, state', 'true'), '|1|evicted', 'so is what an extension had');
(undef, $errors) = $one->query(scores());
like($errors, qr/no model is deployed/, 'a new one has no models');
is($one->query(train(9)), '1', 'version 1 again');
my $again = $one->query(scores());
isnt($again, $first, 'which is not the old version 1');
is(cached($watcher, 'version, users, state', 'true'), '1|1|ready', 'and the only one');
is($watcher->query('SELECT pg_postmaster_start_time()'), $started, 'the server never restarted');

# ---- a standby, and its promotion ----

$node->backup('backup');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'backup', has_streaming => 1);
$standby->start;
my $reader = MmrdSession->new($standby);
is($reader->query(scores()), $again, 'a standby scores the same');
is(cached($reader, 'version, users, shared'), '1|1|t', 'and shares');
my $loaded = cached($reader, 'loaded_at, hits');
$standby->promote;
is($reader->query(scores()), $again, 'promoted, it scores the same');
is(cached($reader, 'loaded_at, hits - 5'), $loaded, 'with the copy that it had');
is($reader->query(train(10)), '2', 'and trains');
$reader->quit;
$standby->stop;

# ---- a crash ----

@mapped = mapped($one);
($segment) = $mapped[0] =~ /(\S+)$/;
ok(-e $segment, 'the segment is a file');
$two = MmrdSession->new($node);
$two->query(scores());
ok($two->crash($node), 'the server comes back');
ok(!-e $segment, 'without the old segment');
$one = MmrdSession->new($node);
is(cached($one, 'count(*)', 'true'), '0', 'and with no model in memory');
is($one->query('SELECT taken, sessions FROM mmrd_threads_taken()'), '0|0', 'nor any thread');
is($one->query(scores()), $again, 'scores are the same');
@mapped = mapped($one);
($segment) = $mapped[0] =~ /(\S+)$/;
$node->stop('immediate');
$node->start;
$one = MmrdSession->new($node);
is($one->query(scores()), $again, 'and after an immediate restart');
ok(!-e $segment, 'which left no segment');
@mapped = mapped($one);
($segment) = $mapped[0] =~ /(\S+)$/;
$node->stop;
ok(!-e $segment, 'nor does a stop');

done_testing();
