# tests/t/041_pending_copies.pl
#	Attached tables and their results in copies of a database: a dump, a
#	restore with several jobs, a standby.  Also who listens, and isolation
#	levels.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use MmrdJobs;
use MmrdSession;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init(allows_streaming => 1);
$node->append_conf('postgresql.conf', q{
mmrd.threads = 1
mmrd.progress = off
client_min_messages = error
# A standby compares each page that it has changed with the primary's.
wal_consistency_checking = 'heap, heap2, btree, sequence'
});
$node->start;

my $one = MmrdSession->new($node);
my $options = '{"epochs": 1, "input_size": 64, "prototypes": [1, 1, 1]}';
# More tables before ours, so that numbers of the copy are not the original's.
$one->query(q{CREATE TABLE before (); CREATE SCHEMA line; CREATE EXTENSION mmrd;
	CREATE TABLE made AS SELECT * FROM mmrd_synthesize(6, 1)});
$one->query("SELECT mmrd_train('made', 'm', options => '$options')");
$one->query(q{
	CREATE TABLE line."The Scans" (gone text, id integer PRIMARY KEY, rgb bytea, aux bytea);
	ALTER TABLE line."The Scans" DROP COLUMN gone;
	CREATE TABLE parts (id integer PRIMARY KEY, rgb bytea, aux bytea) PARTITION BY RANGE (id);
	CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (100);
	CREATE TABLE now (id integer PRIMARY KEY, rgb bytea, aux bytea);
	CREATE TABLE dropped (id integer PRIMARY KEY, rgb bytea, aux bytea);
	SELECT mmrd_attach('line."The Scans"', 'id', 'm', notify => 'Alarm', keep_map => 'always');
	SELECT mmrd_attach('parts', 'id', 'm');
	SELECT mmrd_attach('now', 'id', 'm', mode => 'trigger');
	SELECT mmrd_attach('dropped', 'id', 'm', mode => 'trigger');
	SELECT mmrd_attach_options('parts', on_delete => 'keep');
	ALTER TABLE line."The Scans" RENAME COLUMN aux TO depth;
	INSERT INTO line."The Scans" SELECT id, rgb, aux FROM made;
	INSERT INTO parts SELECT id, rgb, aux FROM made;
	INSERT INTO now SELECT id, rgb, aux FROM made;
	INSERT INTO dropped SELECT id, rgb, aux FROM made});
is($one->query(q{SELECT mmrd_score_pending('line."The Scans"', 4)}), '4', 'some are scored');
$one->query('DROP TABLE dropped');
is($one->query('SELECT count(*), count(DISTINCT source) FROM mmrd.results'), '16|3', 'results');

my $all = q{SELECT source::regclass, key, model, version, score, anomalous, md5(map::text), error, scored_at
	FROM mmrd.results WHERE source::text ~ '[a-z]' ORDER BY source::text, key};
my $waiting = q{SELECT id, source, attempts, key, queued_at FROM mmrd.pending ORDER BY id};
my $attached = q{SELECT source, key, rgb, aux, mode, notify, on_delete, attached_by FROM mmrd.attachments
	WHERE source::text ~ '[a-z]' ORDER BY source::text};
my %original = map { $_ => $one->query($_) } $all, $waiting, $attached;

# Is a copy the same, and does it go on?
sub check_copy
{
	my ($database, $how) = @_;
	my $copy = MmrdSession->new($node, $database);

	# Renamed columns are written down when scans are scored.
	(my $expected = $original{$attached}) =~ s/\|depth\|/|depth|/;
	is($copy->query($all), $original{$all}, "$how: the same results");
	is($copy->query($waiting), $original{$waiting}, "$how: the same scans wait");
	is($copy->query($attached), $expected, "$how: the same attachments");
	is($copy->query('SELECT count(*) FROM mmrd.results WHERE source::text !~ $$[a-z]$$'), '0',
		"$how: nothing of the table that is gone");
	is(($copy->query(q{INSERT INTO line."The Scans" SELECT 10 + id, rgb, aux FROM made;
		INSERT INTO parts SELECT 10 + id, rgb, aux FROM made; INSERT INTO now SELECT 10 + id, rgb, aux FROM made;
		CALL mmrd_drain()}))[1], '', "$how: scans come in and are scored");
	is($copy->query(q{SELECT source, count(score), count(*) FROM mmrd.results GROUP BY source ORDER BY source::text}),
		qq{line."The Scans"|12|12\nnow|12|12\nparts|12|12}, "$how: each of them");
	is($copy->query('SELECT count(*) FROM mmrd.pending'), '0', "$how: nothing waits");
	is($copy->query(q{SELECT count(*) FROM mmrd.results r JOIN parts p ON r.source = 'parts'::regclass
		AND r.key = p.id::text WHERE r.score = mmrd_score(p.rgb, p.aux, 'm')}), '12', "$how: rightly");
	is($copy->query(q{DELETE FROM parts; DELETE FROM now; CALL mmrd_drain();
		SELECT source, count(*) FROM mmrd.results GROUP BY source ORDER BY source::text}),
		qq{line."The Scans"|12\nparts|12}, "$how: options hold");
	is(($copy->query(q{SELECT mmrd_detach('line."The Scans"')}))[1], '', "$how: detached");
	$copy->quit;
}

$one->query('CREATE DATABASE plain');
my $plain = $node->basedir . '/dump.sql';
command_ok([ 'pg_dump', '-f', $plain, $node->connstr('postgres') ], 'pg_dump');
command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-f', $plain, $node->connstr('plain') ], 'restored');
check_copy('plain', 'plain dump');

$one->query('CREATE DATABASE parallel');
my $folder = $node->basedir . '/dump';
command_ok([ 'pg_dump', '-Fd', '-f', $folder, $node->connstr('postgres') ], 'pg_dump of a folder');
command_ok([ 'pg_restore', '-j', '3', '-e', '-d', $node->connstr('parallel'), $folder ], 'restored by three');
check_copy('parallel', 'parallel restore');

# The data alone, into tables that are attached.
$one->query('CREATE DATABASE data');
command_ok([ 'pg_restore', '-e', '--section=pre-data', '--section=post-data', '-d', $node->connstr('data'), $folder ],
	'restored without data');
command_ok([ 'pg_restore', '-e', '--section=data', '--disable-triggers', '-d', $node->connstr('data'), $folder ], 'then the data');
my $data = MmrdSession->new($node, 'data');
is(($data->query('CALL mmrd_drain()'))[1], '', 'drained');
is($data->query('SELECT source, count(DISTINCT key), count(*) FROM mmrd.results GROUP BY source ORDER BY source::text'),
	qq{line."The Scans"|6|6\nnow|6|6\nparts|6|6}, 'one result for each');
$data->quit;

# A table without what mmrd knows of it: inserts work all the same.
$one->query('CREATE DATABASE alone');
$node->safe_psql('alone', 'CREATE EXTENSION mmrd');
command_ok([ 'pg_dump', '-t', 'now', '-t', 'parts', '-t', 'parts_1', '-t', 'made', '-f', $plain, $node->connstr('postgres') ],
	'two tables');
command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-f', $plain, $node->connstr('alone') ], 'elsewhere');
is($node->safe_psql('alone', q{INSERT INTO now SELECT 20 + id, rgb, aux FROM made;
	INSERT INTO parts SELECT 20 + id, rgb, aux FROM made; DELETE FROM parts WHERE id = 21; CALL mmrd_drain();
	SELECT count(*) FROM mmrd.pending}), '7', 'take scans');
$node->safe_psql('alone', q{SELECT mmrd_detach('now'); SELECT mmrd_detach('parts')});
is($node->safe_psql('alone', 'SELECT count(*) FROM pg_trigger WHERE tgname ~ $$^mmrd_$$'), '0', 'and are detached');

# ---- who listens ----

my $ears = MmrdSession->new($node);
$ears->query('LISTEN "Alarm"');
$one->query('UPDATE mmrd.calibrations SET threshold = 0.001');
$one->query('CALL mmrd_drain()');
my $heard = $ears->query('SELECT 1');
like($heard, qr/notification "Alarm" with payload "5".*payload "6"/s, 'anomalous scans are told of');
unlike($heard, qr/payload "1"/, 'others, scored before, are not');
is($one->query(q{SELECT string_agg(key, ' ' ORDER BY key) FROM mmrd.results WHERE source = 'line."The Scans"'::regclass
	AND anomalous AND map IS NOT NULL AND threshold < 0.01}), '5 6', 'with their maps');
$ears->quit;

# ---- isolation levels ----

$one->query('SET default_transaction_isolation = serializable');
$one->query('INSERT INTO parts SELECT 30 + id, rgb, aux FROM made');
my $two = MmrdSession->new($node);
$two->query('SET default_transaction_isolation = $$repeatable read$$');
$one->send('CALL mmrd_drain(batch => 1)');
$two->send('CALL mmrd_drain(batch => 1)');
is(($_->answer)[1], '', 'drained whatever the default level is') for $one, $two;
is($one->query('SELECT count(*) FROM mmrd.results WHERE key LIKE $$3_$$'), '6', 'all of them');
$one->query('BEGIN');
$one->query('INSERT INTO parts SELECT 40 + id, rgb, aux FROM made');
is($one->query('SELECT mmrd_score_pending()'), '6', 'a function, in a serializable transaction');
$one->query('COMMIT');
is($one->query('SELECT count(*) FROM mmrd.results WHERE key LIKE $$4_$$'), '6', 'and they stay');
$one->query('BEGIN');
my (undef, $errors) = $one->query('CALL mmrd_drain()');
like($errors, qr/mmrd_drain cannot run inside a transaction block/, 'no procedure there');
$one->query('ROLLBACK');
(undef, $errors) = $one->query('BEGIN READ ONLY; SELECT mmrd_score_pending()');
like($errors, qr/cannot execute mmrd_score_pending\(\) in a read-only transaction/, 'nor anything that only reads');
$one->query('ROLLBACK');

# ---- a standby ----

$node->backup('backup');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'backup', has_streaming => 1);
$standby->start;
$one->query('RESET default_transaction_isolation');
$one->query('INSERT INTO parts SELECT 50 + id, rgb, aux FROM made');
$one->query('UPDATE parts SET rgb = $$x$$ WHERE id = 51');
# Attempts are changed in place, and so on the standby.
$two->query('BEGIN');
$two->query('SET default_transaction_isolation = DEFAULT');
$two->query('SELECT mmrd_score_pending(max_rows => 2)');
$two->query('ROLLBACK');
$node->wait_for_catchup($standby, 'replay', $node->lsn('insert'));
my $reader = MmrdSession->new($standby);
is($reader->query($waiting), $one->query($waiting), 'a standby has the same scans waiting');
is($reader->query($all), $one->query($all), 'and the same results');
like($reader->query(q{SELECT mmrd_report('parts')}), qr/alt="photo of the scan"/, 'and a report of them');
(undef, $errors) = $reader->query('SELECT mmrd_score_pending()');
like($errors, qr/cannot execute mmrd_score_pending\(\) during recovery.*Run it on the primary/s, 'but does not score them');
(undef, $errors) = $reader->query('CALL mmrd_drain()');
like($errors, qr/cannot execute mmrd_drain\(\) during recovery/, 'nor drains');
(undef, $errors) = $reader->query(q{SELECT mmrd_attach('made', 'id')});
like($errors, qr/cannot execute mmrd_attach\(\) during recovery/, 'nor attaches');
$standby->promote;
ok($reader->poll('SELECT pg_is_in_recovery()', 'f'), 'promoted');
is(($reader->query('CALL mmrd_drain()'))[1], '', 'it goes on');
is($reader->query('SELECT count(*), count(score), count(error) FROM mmrd.results WHERE key LIKE $$5_$$'), '6|5|1', 'with all');

$_->quit for $one, $two, $reader;
$standby->stop('fast');
$node->stop('fast');
done_testing();
