# tests/t/040_pending.pl
#	The queue of scans under load: several clients insert, several sessions
#	score, some of them are killed.  Every scan gets one result, and nothing
#	is scored twice or lost.
#
#	MMRD_TEST_SCANS says how many scans (2000); 10000 take a minute or two.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);
use MmrdJobs;
use MmrdSession;

my $scans = $ENV{MMRD_TEST_SCANS} || 2000;
my $clients = 4;
my $each = int($scans / $clients);
$scans = $each * $clients;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', q{
mmrd.threads = 1
mmrd.progress = off
log_lock_waits = on
restart_after_crash = on
});
$node->start;

sub sql
{
	my ($query, %with) = @_;

	return $node->safe_psql('postgres', $query, %with);
}

# Kill a process, and wait until the server has recovered from that.
sub crash
{
	my ($pid) = @_;
	my $ready = sub { scalar(() = slurp_file($node->logfile) =~ /ready to accept connections/g) };
	my $before = $ready->();

	kill 'KILL', $pid;
	return defined until_true(sub { $ready->() > $before })
	  && defined until_true(sub { $node->psql('postgres', 'SELECT 1') == 0 });
}

# Small pictures: heat maps of generated scans, 64 x 64.  And a model that
# takes them as they are, RGB alone.
sql(q{
	CREATE EXTENSION mmrd;
	CREATE TABLE made AS SELECT * FROM mmrd_synthesize(16, 1);
	SELECT mmrd_train('made', 'large', options => '{"epochs": 1, "input_size": 64, "prototypes": [1, 1, 1]}');
	CREATE TABLE tiny AS SELECT id, mmrd_png(map) AS rgb FROM made, LATERAL mmrd_inspect(rgb, aux, 'large');
	SELECT mmrd_train('tiny', 'tiny', aux => NULL, options => '{"epochs": 1, "input_size": 64, "prototypes": [1, 1, 1]}');
	CREATE TABLE scans (id bigserial PRIMARY KEY, client integer, rgb bytea);
	SELECT mmrd_attach('scans', 'id', 'tiny', aux => NULL);
	-- what is written, again and again or once
	CREATE TABLE written (key text, score real);
	CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN
		INSERT INTO public.written VALUES (NEW.key, NEW.score);
		RETURN NULL;
	END $$;
	CREATE TRIGGER note AFTER INSERT OR UPDATE ON mmrd.results FOR EACH ROW EXECUTE FUNCTION note();
});

# ---- 4 clients, 2 sessions that score, one of which is ended ----

my $script = $node->basedir . '/insert.sql';
append_to_file($script, q{\set n random(1, 16)
INSERT INTO scans (client, rgb) SELECT :client_id, rgb FROM tiny WHERE id = :n;
});
my $start = time;
my ($in, $out, $err) = ('', '', '');
my $inserting = IPC::Run::start([ 'pgbench', '-n', '-M', 'prepared', '-c', $clients, '-j', '2',
	'-t', $each, '-f', $script, $node->connstr('postgres') ], \$in, \$out, \$err,
	IPC::Run::timer(300));
my @draining = map { MmrdSession->new($node) } 1 .. 2;
my $look = MmrdSession->new($node);
ok($look->poll('SELECT count(*) > 20 FROM mmrd.pending', 't'), 'scans come in');
$_->send('CALL mmrd_drain()') for @draining;
ok($look->poll('SELECT count(*) > 200 FROM mmrd.results', 't'), 'and are scored meanwhile');
is($look->query("SELECT pg_terminate_backend($draining[0]{pid})"), 't', 'one who scores is ended');
my (undef, $message) = eval { $draining[0]->answer };
ok($look->poll("SELECT count(*) FROM pg_stat_activity WHERE pid = $draining[0]{pid}", '0'), 'and gone');
is($look->query('SELECT count(*) FROM mmrd.pending WHERE attempts > 1'), '0', 'nothing was tried twice');
$draining[0] = MmrdSession->new($node);
$draining[0]->send('CALL mmrd_drain(batch => 7)');
ok($inserting->finish, 'every insert succeeded') or diag($err);
diag(sprintf '%d scans inserted in %.1f s', $scans, time - $start);
is($look->query('SELECT count(*) FROM scans'), $scans, 'all scans are there');
cmp_ok($look->query('SELECT count(*) FROM mmrd.pending'), '>', 0, 'and some wait still');

# ---- the server goes down and comes up again ----

my $before = $look->query('SELECT count(*) FROM mmrd.results');
ok($look->poll("SELECT count(*) > $before FROM mmrd.results", 't'), 'scoring goes on');
ok(crash($draining[1]{pid}), 'the server is back after a crash');
cmp_ok(sql('SELECT max(attempts) FROM mmrd.pending'), '<=', 1, 'what was being scored is marked once');
cmp_ok(sql('SELECT count(*) FROM mmrd.pending WHERE attempts = 1'), '<=', 16 + 7, 'and nothing else');
cmp_ok(sql('SELECT count(*) FROM mmrd.results'), '>=', $before, 'no result is lost');

@draining = map { MmrdSession->new($node) } 1 .. 2;
$_->send('CALL mmrd_drain()') for @draining;
is(($_->answer)[1], '', 'drained') for @draining;
diag(sprintf '%d scans scored after %.1f s', $scans, time - $start);
is(sql('SELECT count(*) FROM mmrd.pending'), '0', 'nothing waits');
is(sql('SELECT count(*), count(DISTINCT key), count(score), count(error) FROM mmrd.results'),
	"$scans|$scans|$scans|0", 'every scan has one result');
is(sql('SELECT count(*) FROM scans s LEFT JOIN mmrd.results r ON r.key = s.id::text WHERE r.key IS NULL'),
	'0', 'of its own');
is(sql('SELECT count(*), count(DISTINCT key) FROM written'), "$scans|$scans", 'and none was written twice');
is(sql(q{SELECT count(DISTINCT score) FROM mmrd.results}),
	sql(q{SELECT count(DISTINCT mmrd_score(rgb, model => 'tiny')) FROM tiny}), 'they are the right scores');
unlike(slurp_file($node->logfile), qr/deadlock detected/, 'no deadlock');
$_->quit for @draining;

# ---- a scan that kills its session ----

# Reading it takes the worker's policy a minute: time enough.
sql(q{
	CREATE ROLE worker LOGIN;
	GRANT SELECT ON scans TO worker;
	CREATE FUNCTION slow(id bigint) RETURNS boolean LANGUAGE plpgsql AS $$
	BEGIN
		IF id = -5 THEN
			PERFORM pg_sleep(60);
		END IF;
		RETURN true;
	END $$;
	ALTER TABLE scans ENABLE ROW LEVEL SECURITY;
	CREATE POLICY slow ON scans USING (slow(id));
	INSERT INTO scans (id, rgb) SELECT -id, rgb FROM tiny WHERE id <= 9;
});

# The process that is busy with it, working as `worker`.
sub busy
{
	my $pid;

	until_true(sub {
		$pid = sql(q{SELECT min(pid) FROM pg_stat_activity WHERE usename = 'worker' AND wait_event = 'PgSleep'});
		return $pid ne '';
	});
	return $pid;
}

sub drain_as_worker
{
	return IPC::Run::start([ 'psql', '-XAtq', '-c', 'CALL mmrd_drain()',
		$node->connstr('postgres') . ' user=worker' ], '<', \undef, '>', \my $rows, '2>', \my $errors,
		IPC::Run::timer(180));
}

my $attempts = q{SELECT string_agg(attempts::text, '' ORDER BY id) FROM mmrd.pending};

# Ended in an orderly way, it leaves no mark.
my $worker = drain_as_worker();
my $pid = busy();
is(sql($attempts), '111111111', 'all of a batch are marked');
sql("SELECT pg_cancel_backend($pid)");
$worker->finish;
is(sql($attempts), '000000000', 'but not when the query is cancelled');
$worker = drain_as_worker();
$pid = busy();
sql("SELECT pg_terminate_backend($pid)");
$worker->finish;
is(sql($attempts), '000000000', 'or the session is ended');
is(sql('SELECT count(*) FROM mmrd.results WHERE key < $$0$$'), '0', 'no result yet');

for my $time (1 .. 3)
{
	$worker = drain_as_worker();
	$pid = busy();
	ok(crash($pid), 'the server is back');
	eval { $worker->finish };
	is(sql($attempts), $time == 1 ? '111111111' : $time . '1111', 'the attempt is counted');
	is(sql('SELECT count(*) FROM mmrd.results WHERE key < $$0$$'), $time == 1 ? '0' : '4',
		'those before it have got their results');
}
$worker = drain_as_worker();
ok($worker->finish, 'the fourth time it is passed over');
is(sql('SELECT count(*) FROM mmrd.pending'), '0', 'nothing waits');
is(sql(q{SELECT key, score IS NULL, error FROM mmrd.results WHERE key < '0' AND error IS NOT NULL}),
	'-5|t|given up: scoring was begun 3 times, and each time the server process died', 'it is given up');
is(sql(q{SELECT count(score) FROM mmrd.results WHERE key < '0'}), '8', 'all others have scores');

# The same within one transaction, where nothing can be committed.
sql('INSERT INTO scans (id, rgb) SELECT -10 - id, rgb FROM tiny WHERE id <= 3;
	UPDATE scans SET rgb = (SELECT rgb FROM tiny WHERE id = 9) WHERE id = -5;
	INSERT INTO scans (id, rgb) SELECT -20 - id, rgb FROM tiny WHERE id <= 2');
for my $time (1 .. 3)
{
	$worker = IPC::Run::start([ 'psql', '-XAtq', '-c', 'SELECT mmrd_score_pending()',
		$node->connstr('postgres') . ' user=worker' ], '<', \undef, '>', \my $rows, '2>', \my $errors,
		IPC::Run::timer(180));
	$pid = busy();
	ok(crash($pid), 'the server is back');
	eval { $worker->finish };
	is(sql($attempts), $time == 1 ? '111111' : "111${time}11", 'in a function, too, the attempt is counted');
}
is(sql('SELECT mmrd_score_pending()', connstr => $node->connstr('postgres') . ' user=worker'), '6',
	'the others were never at fault');
is(sql(q{SELECT string_agg(key, ' ') FROM mmrd.results WHERE error LIKE 'given up%'}), '-5', 'it alone is given up');

# It can be tried again: attempts begin anew.
sql('DROP POLICY slow ON scans; CREATE POLICY fast ON scans USING (true)');
is(sql(q{SELECT mmrd_rescore('scans', now() - interval '1 hour') > 0}), 't', 'again');
sql(q{DELETE FROM mmrd.pending WHERE key <> '-5'});
sql('CALL mmrd_drain()');
is(sql('SELECT count(*) FROM mmrd.results WHERE error IS NOT NULL'), '0', 'and it is scored');

# ---- who scores and who changes scans do not wait for each other ----

my $one = MmrdSession->new($node);
my $two = MmrdSession->new($node);
$one->query('BEGIN');
$one->query('DELETE FROM scans WHERE id = 1');
$one->query('UPDATE scans SET rgb = (SELECT rgb FROM tiny WHERE id = 3) WHERE id = 2');
$two->query("SET statement_timeout = '20s'");
$two->query(q{SELECT mmrd_rescore('scans', '-infinity') > 0});
$two->query(q{DELETE FROM mmrd.pending WHERE key NOT IN ('1', '2', '3')});
is($two->query('SELECT mmrd_score_pending()'), '2', 'a result that is being deleted is left for later');
is($two->query('SELECT string_agg(key, $$ $$) FROM mmrd.pending'), '1', 'its scan waits');
$one->query('COMMIT');
is($two->query('SELECT mmrd_score_pending()'), '1', 'the changed scan is scored again');
is($two->query(q{SELECT count(*) FROM mmrd.results WHERE key = '1'}), '0', 'the deleted one has no result');

# The other way round: its result is being written.
$two->query('BEGIN');
$two->query('UPDATE scans SET rgb = (SELECT rgb FROM tiny WHERE id = 4) WHERE id = 3');
$two->query('COMMIT');
$two->query('BEGIN');
is($two->query('SELECT mmrd_score_pending()'), '1', 'scored, not committed');
$one->query("SET statement_timeout = '20s'");
is(($one->query('DELETE FROM scans WHERE id = 3'))[1], '', 'a scan that is being scored can be deleted');
$two->query('COMMIT');
is($two->query(q{SELECT count(*) FROM mmrd.results WHERE key = '3'}), '1', 'its result came too late');
$two->query('CALL mmrd_drain()');
is($two->query(q{SELECT count(*) FROM mmrd.results WHERE key = '3'}), '0', 'and is removed');

# Detaching waits for a batch, and nobody for ever.
$two->query('BEGIN');
$two->query('UPDATE scans SET rgb = (SELECT rgb FROM tiny WHERE id = 4) WHERE id BETWEEN 4 AND 9');
$two->query('COMMIT');
$two->query('BEGIN');
is($two->query('SELECT mmrd_score_pending()'), '6', 'scored, not committed');
$one->send(q{SELECT mmrd_detach('scans')});
ok($look = MmrdSession->new($node), 'connected');
ok($look->poll(q{SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'}, '1'), 'detaching waits');
$two->query('COMMIT');
is(($one->answer)[1], '', 'and ends');
unlike(slurp_file($node->logfile), qr/deadlock detected/, 'no deadlock');

$_->quit for $one, $two, $look;
$node->stop('fast');
done_testing();
