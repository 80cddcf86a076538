# tests/t/030_models.pl
#	mmrd_deploy and its kin in a world of other sessions, other databases,
#	dumps, an upgraded cluster and a standby.
use strict;
use warnings;
use File::Basename;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use MmrdSession;

my $conf = "mmrd.threads = 1\nmmrd.progress = off\nwal_keep_size = 4GB";
my $node = PostgreSQL::Test::Cluster->new('main');
$node->init(allows_streaming => 1);
$node->append_conf('postgresql.conf', $conf);
$node->start;

# Two databases whose models, versions and rows have the same ids.
my $train = q{SELECT version FROM mmrd_train('scans', 'm', options =>
	'{"epochs": 1, "input_size": 64, "prototypes": [1, 1, 1], "deploy": "never", "threshold_fpr": 0.5, "seed": %d}')};
for my $database (qw(one two))
{
	my $seed = $database eq 'one' ? 1 : 101;

	$node->safe_psql('postgres', "CREATE DATABASE $database");
	$node->safe_psql($database, q{
		CREATE EXTENSION mmrd;
		CREATE TABLE scans AS SELECT * FROM mmrd_synthesize(5, 1);
		CREATE TABLE test AS SELECT * FROM mmrd_synthesize(2, 2, 0.5)});
	$node->safe_psql($database, sprintf $train, $seed + $_) for 0 .. 2;
	$node->safe_psql($database, q{SELECT mmrd_deploy('m', 1)});
}

# Every bit of scores, maps and thresholds.
my $scores = q{SELECT md5(string_agg(float4send(i.score)::text || i.version || i.threshold || i.map::text, ',' ORDER BY t.id))
	FROM test t, LATERAL mmrd_inspect(t.rgb, t.aux) i};
my $one = MmrdSession->new($node, 'one');
my $other = MmrdSession->new($node, 'one');
my $two = MmrdSession->new($node, 'two');

my %at = map { $_ => undef } 1 .. 3;
for my $version (1 .. 3)
{
	$one->query("SELECT mmrd_deploy('m', $version)");
	$at{$version} = $one->query($scores);
}
my %seen = map { $at{$_} => 1 } 1 .. 3;
is(scalar keys %seen, 3, 'three versions that score differently');
my $ids = q{SELECT string_agg(id || ' ' || model || ' ' || version, ',' ORDER BY id) FROM mmrd.versions};
is($one->query($ids), $two->query($ids), 'two databases with the same ids');
my $foreign = $two->query($scores);
ok(!(grep { $_ eq $foreign } values %at), 'do not mix');
is($two->query('SELECT DISTINCT version FROM test, LATERAL mmrd_inspect(rgb, aux)'), '1', 'nor follow each other');

# ---- other sessions ----

$other->query("PREPARE p AS $scores");
is($other->query('EXECUTE p'), $at{3}, 'a prepared statement');
$one->query('BEGIN');
$one->query(q{SELECT mmrd_deploy('m', 2)});
is($one->query($scores), $at{2}, 'deployed for its own transaction');
is($other->query('EXECUTE p'), $at{3}, 'and not for others');
$one->query('ROLLBACK');
is($other->query('EXECUTE p'), $at{3}, 'rolled back, it never happened');
is($one->query($scores), $at{3}, 'not in its own session either');
$one->query('BEGIN');
$one->query(q{SELECT mmrd_deploy('m', 2)});

# Who deploys meanwhile waits, and comes after.
$other->send(q{SELECT mmrd_deploy('m', 1)});
my $waits = q{SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%mmrd_deploy%'
	AND pid <> pg_backend_pid()};
ok($two->poll($waits, '1'), 'a second deployment waits for the first');
is($two->query($scores), $foreign, 'other models do not');
$one->query('COMMIT');
$other->answer;
is($other->query('EXECUTE p'), $at{1}, 'the one that committed last is in force');
is($one->query(q{SELECT mmrd_rollback('m')}), '2', 'rolled back');
is($other->query('EXECUTE p'), $at{2}, 'which prepared statements notice');
is($one->query(q{SELECT mmrd_rollback('m')}), '3', 'and further back');
is($other->query('EXECUTE p'), $at{3}, 'again');

# A transaction with one snapshot keeps a version that was dropped.
$one->query(q{SELECT mmrd_deploy('m', 1)});
$other->query('BEGIN ISOLATION LEVEL REPEATABLE READ');
is($other->query('EXECUTE p'), $at{1}, 'one snapshot');
$one->query(q{SELECT mmrd_deploy('m', 3)});
$one->query(q{SELECT mmrd_drop_version('m', 1)});
is($other->query('EXECUTE p'), $at{1}, 'still scores with what it saw');
my $fresh = $other->query(q{SELECT encode(sha256(mmrd_export_model('m', 1)), 'hex')});
like($fresh, qr/^[0-9a-f]{64}$/, 'and still reads its weights');
$other->query('COMMIT');
is($other->query('EXECUTE p'), $at{3}, 'until it ends');
my (undef, $errors) = $other->query(q{SELECT length(mmrd_export_model('m', 1))});
like($errors, qr/version 1 of model "m" does not exist/, 'then it is gone');

# ---- dumps ----

$node->safe_psql('one', q{
	CREATE ROLE line;
	SELECT mmrd_deploy('m', 2);
	SELECT mmrd_rollback('m');
	SELECT mmrd_calibrate('m', 'scans', fpr => 0.25);
	SELECT mmrd_allow('m', 'line');
	SELECT mmrd_import_model('imported', overlay(f PLACING '\x0000' FROM
			11 + get_byte(f, 0) + (get_byte(f, 1) << 8) + (get_byte(f, 2) << 16) +
			(convert_from(substr(f, 9, get_byte(f, 0) + (get_byte(f, 1) << 8) + (get_byte(f, 2) << 16)), 'UTF8')::jsonb
				-> 'teacher.conv1.weight' -> 'data_offsets' ->> 0)::integer))
		FROM mmrd_export_model('m', 2) f});
is($one->query('SELECT count(*) FROM mmrd.teachers WHERE NOT builtin'), '1', 'a teacher of its own');
my $m = $scores =~ s/t\.aux\)/t.aux, 'm')/r;
my $imported = $scores =~ s/t\.aux\)/t.aux, 'imported')/r;
my %expected = (m => $one->query($m), imported => $one->query($imported));
isnt($expected{m}, $expected{imported}, 'two models');

# Rows but for the ids of roles.
my $rows = q{SELECT md5(string_agg(r, E'\n' ORDER BY r)) FROM (
	SELECT t::text AS r FROM mmrd.teachers t WHERE NOT builtin UNION ALL SELECT t::text FROM mmrd.models t UNION ALL
	SELECT t::text FROM mmrd.versions t UNION ALL SELECT t::text FROM mmrd.deployments t UNION ALL
	SELECT t::text FROM mmrd.calibrations t UNION ALL SELECT t::text FROM mmrd.prototypes t UNION ALL
	SELECT t::text FROM mmrd.model_users t UNION ALL
	SELECT id || ' ' || name || ' ' || part || ' ' || dims::text || md5(data) FROM mmrd.tensors t) r};
my $all = $one->query($rows);

sub same_database
{
	my ($what, $there) = @_;
	my $session = MmrdSession->new($there, 'restored');

	is($session->query($rows), $all, "$what: the same rows");
	is($session->query($m), $expected{m}, "$what: bit-equal scores");
	is($session->query($imported), $expected{imported}, "$what: also with an imported teacher");
	is($session->query(q{SELECT mmrd_rollback('m')}), $one->query(q{BEGIN; SELECT mmrd_rollback('m'); ROLLBACK}),
		"$what: the history of deployments");
	is($session->query(sprintf $train, 7), '4', "$what: trained further");
	is($session->query(q{SELECT count(*), max(id) > 4 FROM mmrd.versions}), '4|t', "$what: with fresh ids");
	is($session->query(q{SELECT mmrd_deploy('m', 4)}), '', "$what: deployed");
	is($session->query(q{SELECT version FROM mmrd_inspect((SELECT rgb FROM test LIMIT 1), (SELECT aux FROM test LIMIT 1), 'm')}),
		'4', "$what: and scoring");
	$session->query('SET ROLE line');
	is($session->query(q{SELECT count(*) FROM mmrd_inspect(NULL, NULL, 'm')}), '1', "$what: roles");
	$session->quit;
}

my $dump = $node->basedir . '/dump';
$node->safe_psql('postgres', 'CREATE DATABASE restored');
command_ok([ 'pg_dump', '-Fc', '-f', $dump, $node->connstr('one') ], 'pg_dump');
command_ok([ 'pg_restore', '-j', '2', '-e', '-d', $node->connstr('restored'), $dump ], 'pg_restore, two at a time');
same_database('custom format', $node);
$node->safe_psql('postgres', 'DROP DATABASE restored');
$node->safe_psql('postgres', 'CREATE DATABASE restored');
command_ok([ 'pg_dump', '-f', "$dump.sql", $node->connstr('one') ], 'pg_dump as SQL');
command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-f', "$dump.sql", $node->connstr('restored') ], 'psql');
same_database('SQL', $node);

# ---- a standby ----

$node->backup('backup');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'backup', has_streaming => 1);
$standby->start;
my $reader = MmrdSession->new($standby, 'one');
sub follow { $node->wait_for_catchup($standby, 'replay', $node->lsn('insert')) }
follow();
is($reader->query($m), $expected{m}, 'bit-equal scores on a standby');
is($reader->query($imported), $expected{imported}, 'also with an imported teacher');
$reader->query("PREPARE p AS $m");
is($reader->query('EXECUTE p'), $expected{m}, 'prepared');
$one->query(q{SELECT mmrd_deploy('m', 2)});
follow();
isnt($one->query($m), $expected{m}, 'deployed on the primary');
is($reader->query('EXECUTE p'), $one->query($m), 'the standby follows');
$one->query(q{SELECT mmrd_calibrate('m', 'scans', fpr => 0.5)});
follow();
is($reader->query('EXECUTE p'), $one->query($m), 'and the threshold');
$one->query(q{SELECT mmrd_rollback('m')});
follow();
is($reader->query(q{SELECT DISTINCT version FROM test, LATERAL mmrd_inspect(rgb, aux, 'm')}), '3', 'and a rollback');
is($reader->query(q{SELECT sha256(mmrd_export_model('m'))}), $one->query(q{SELECT sha256(mmrd_export_model('m'))}),
	'a standby exports');
for my $call (sprintf($train, 1), q{SELECT mmrd_deploy('m', 2)}, q{SELECT mmrd_rollback('m')},
	q{SELECT mmrd_drop_version('m', 2)}, q{SELECT mmrd_drop_model('m')}, q{SELECT mmrd_prune('m')},
	q{SELECT mmrd_calibrate('m', 'scans')}, q{SELECT mmrd_import_model('x', '')}, q{SELECT mmrd_allow('m', 'line')})
{
	my ($function) = $call =~ /(mmrd_\w+)/;

	(undef, $errors) = $reader->query($call);
	like($errors, qr/cannot execute $function\(\) during recovery/, "a standby refuses $function");
}
$standby->stop;

# ---- pg_upgrade ----

my $upgraded = $one->query($rows);
my $now = $one->query($m);
$_->quit for $one, $other, $two;
$node->safe_psql('postgres', 'DROP DATABASE restored');
$node->safe_psql('postgres', 'ALTER DATABASE one RENAME TO restored');
$node->stop;
my $new = PostgreSQL::Test::Cluster->new('new');
$new->init;
$new->append_conf('postgresql.conf', $conf);
my ($bin) = map { dirname($_) } grep { -x } map { "$_/pg_upgrade" } split /:/, $ENV{PATH};
my $work = $node->basedir . '/upgrade';
mkdir $work;
chdir $work;
command_ok([ 'pg_upgrade', '--no-sync', '-d', $node->data_dir, '-D', $new->data_dir, '-b', $bin, '-B', $bin,
	'-s', $new->host, '-p', $node->port, '-P', $new->port ], 'pg_upgrade');
$new->start;
$one = MmrdSession->new($new, 'restored');
is($one->query($rows), $upgraded, 'pg_upgrade: the same rows');
is($one->query($imported), $expected{imported}, 'pg_upgrade: bit-equal scores');
is($one->query($m), $now, 'pg_upgrade: of every model');
is($one->query(sprintf $train, 8), '4', 'pg_upgrade: trained further');

done_testing();
