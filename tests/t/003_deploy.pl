# tests/t/003_deploy.pl
#	What is deployed obeys transactions, in every session and statement; dumps
#	restore it, and a standby follows it, bit for bit.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use MmrdSession;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init(allows_streaming => 1);
$node->append_conf('postgresql.conf', "mmrd.threads = 1\nmmrd.progress = off");
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION mmrd;
	CREATE TABLE scans AS SELECT * FROM mmrd_synthesize(5, 1);
	CREATE TABLE test AS SELECT * FROM mmrd_synthesize(3, 2, 0.5);
});

my $train = q{SELECT version FROM mmrd_train('scans',
	options => '{"epochs": 1, "input_size": 64, "prototypes": [1, 1, 1], "seed": %d}')};
# Every bit of the scores and of the maps.
my $scores = q{SELECT md5(string_agg(float4send(i.score)::text || i.version || i.map::text, ',' ORDER BY t.id))
	FROM test t, LATERAL mmrd_inspect(t.rgb, t.aux) i};

my $one = MmrdSession->new($node);
my $two = MmrdSession->new($node);

is($one->query(sprintf $train, 1), '1', 'first version');
my $first = $two->query($scores);
like($first, qr/^[0-9a-f]{32}$/, 'scores of the first');
$two->query("PREPARE p AS $scores");
is($two->query('EXECUTE p'), $first, 'prepared');

$one->query('BEGIN');
is($one->query(sprintf $train, 2), '2', 'second version, not committed');
my $second = $one->query($scores);
isnt($second, $first, 'its own session scores with it');
is($two->query($scores), $first, 'another does not');
is($two->query('EXECUTE p'), $first, 'nor does a prepared statement');
$one->query('ROLLBACK');
is($one->query($scores), $first, 'after the rollback it never happened');
is($one->query('SELECT count(*) FROM mmrd.versions'), '1', 'and left no rows');

$two->query('BEGIN ISOLATION LEVEL REPEATABLE READ');
is($two->query('EXECUTE p'), $first, 'a transaction with one snapshot');
is($one->query(sprintf $train, 2), '2', 'second version, committed');
is($two->query('EXECUTE p'), $first, 'still the first in that snapshot');
$two->query('COMMIT');
is($two->query('EXECUTE p'), $second, 'the next statement has the second');
is($two->query($scores), $second, 'whatever its form');

# In one statement there is one version, though another is deployed meanwhile.
$two->send(q{SELECT count(DISTINCT i.version), min(i.version) FROM test t,
	LATERAL (SELECT pg_sleep(1)) s, LATERAL mmrd_inspect(t.rgb, t.aux) i});
$one->query(sprintf $train, 3);
is(($two->answer)[0], '1|2', 'one statement, one version');
is($two->query('SELECT DISTINCT version FROM test, LATERAL mmrd_inspect(rgb, aux)'), '3',
	'the next one has the third');

# The server keeps as many models as fit; here none but the one in use.
my $kept = q{SELECT count(*) FROM mmrd.cache WHERE state = 'ready'};
is($two->query($kept), '3', 'three models are kept');
$node->append_conf('postgresql.conf', 'mmrd.cache_size = 0');
$node->reload;
ok($two->poll('SHOW mmrd.cache_size', '0'), 'a cache of no size');
$one->query(sprintf $train, 4);
my $fourth = $two->query($scores);
is($two->query($kept), '1', 'one model is kept');

# Imported teachers are part of a dump, too.
$node->safe_psql('postgres', q{CREATE DATABASE copy});
my $dump = $node->basedir . '/dump.sql';
command_ok([ 'pg_dump', '-f', $dump, $node->connstr('postgres') ], 'pg_dump');
unlike(slurp_file($dump), qr/builtin\t/, 'the shipped teacher is not in the dump');
command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-f', $dump, $node->connstr('copy') ], 'restored');
my $copy = MmrdSession->new($node, 'copy');
is($copy->query($scores), $fourth, 'bit-equal scores after a restore');
is($copy->query('SELECT count(*), count(DISTINCT uid) FROM mmrd.versions'), '4|4', 'all versions');
is($copy->query(sprintf $train, 5), '5', 'and trained further');
is($copy->query('SELECT max(id) FROM mmrd.versions'), $copy->query('SELECT last_value FROM mmrd.versions_id_seq'),
	'with fresh ids');
is($two->query($scores), $fourth, 'databases do not mix');

# A session that saw the extension go and come back has no stale models.
$two->query('DROP EXTENSION mmrd CASCADE; CREATE EXTENSION mmrd');
my (undef, $errors) = $two->query($scores);
like($errors, qr/no model is deployed/, 'a new extension has no models');
is($two->query(sprintf $train, 9), '1', 'version 1 again');
isnt($two->query($scores), $first, 'which is not the old version 1');
$one->quit;

# A standby.
$node->backup('backup');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'backup', has_streaming => 1);
$standby->start;
$node->wait_for_catchup($standby, 'replay', $node->lsn('insert'));
my $reader = MmrdSession->new($standby);
is($reader->query($scores), $two->query($scores), 'bit-equal scores on a standby');
(undef, $errors) = $reader->query(sprintf $train, 1);
like($errors, qr/cannot execute mmrd_train\(\) during recovery/, 'which does not train');
(undef, $errors) = $reader->query(q{SELECT mmrd_drop_teacher('x')});
like($errors, qr/read-only transaction/, 'nor write');
is($two->query(sprintf $train, 10), '2', 'another version on the primary');
$node->wait_for_catchup($standby, 'replay', $node->lsn('insert'));
is($reader->query($scores), $two->query($scores), 'the standby follows');

done_testing();
