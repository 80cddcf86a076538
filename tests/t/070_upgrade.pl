# tests/t/070_upgrade.pl
#	From every released version to this one: today's library under yesterday's
#	SQL, ALTER EXTENSION mmrd UPDATE, and nothing is lost, nothing scores
#	differently, and nothing tells the database from a fresh one.
use strict;
use warnings;
use Digest::SHA qw(sha256_hex);
use File::Basename;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use MmrdJobs;
use MmrdSession;

# What was released stays as it was released.
my %released = ('0.1.0' =>
	'18fd5c0952c07246a9e3be7547b10e3660bebdf4f24d5cf6fffcfead54114e04');
my $upgrade = "$ENV{MMRD_TESTS}/upgrade";
my @files = map { basename($_) } glob("$upgrade/mmrd--*.sql");
is_deeply([ sort @files ], [ map { "mmrd--$_.sql" } sort keys %released ],
	'install scripts of released versions');
is(sha256_hex(slurp_file("$upgrade/mmrd--$_.sql")), $released{$_},
	"that of $_ is as it was released") for sort keys %released;

my $conf = "mmrd.threads = 1\nmmrd.progress = off";
my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', $conf);
$node->start;
my $now = $node->safe_psql('postgres',
	q{SELECT default_version FROM pg_available_extensions WHERE name = 'mmrd'});
ok(!$released{$now}, "this is $now");
is($node->safe_psql('postgres', q{SELECT string_agg(path, ' ')
	FROM pg_extension_update_paths('mmrd') WHERE target < source}), '', 'no way back');

# What distinguishes two databases, in words.
my $catalog = slurp_file("$upgrade/catalog.sql");
sub differences
{
	my ($one, $two) = @_;
	my @lines = map { [ split /\n/, $node->safe_psql($_, $catalog) ] } $one, $two;
	my @found;

	cmp_ok(scalar @{ $lines[$_] }, '>', 100, 'there is much to compare') for 0, 1;
	for my $side (0, 1)
	{
		my %there = map { $_ => 1 } @{ $lines[ 1 - $side ] };
		push @found, map { 'only in ' . ($one, $two)[$side] . ": $_" }
		  grep { !$there{$_} } @{ $lines[$side] };
	}
	return join "\n", @found;
}

# Every bit of scores, maps and thresholds, of a model.
sub scores
{
	my ($model) = @_;

	return qq{SELECT md5(string_agg(float4send(i.score)::text || i.version
			|| i.threshold || i.anomalous || i.map::text, ',' ORDER BY t.id))
		FROM test t, LATERAL mmrd_inspect(t.rgb, t.aux, '$model') i};
}

# All rows, but for weights, whose hash will do.
my $rows = q{SELECT md5(string_agg(r, E'\n' ORDER BY r)) FROM (
	SELECT t::text AS r FROM mmrd.teachers t WHERE NOT builtin UNION ALL
	SELECT concat_ws(' ', id, name, last_version, created_at, created_by) FROM mmrd.models UNION ALL
	SELECT concat_ws(' ', id, uid, model, version, teacher, modalities, options, metrics, loss) FROM mmrd.versions UNION ALL
	SELECT concat_ws(' ', id, model, version, deployed_at, restores) FROM mmrd.deployments UNION ALL
	SELECT concat_ws(' ', id, version, method, fpr, threshold, pixel_threshold, scores) FROM mmrd.calibrations UNION ALL
	SELECT concat_ws(' ', version, modality, stage, ordinal, vector) FROM mmrd.prototypes UNION ALL
	SELECT concat_ws(' ', model, role) FROM mmrd.model_users UNION ALL
	SELECT concat_ws(' ', job, state, model, version, epoch, epochs, loss, scans, error) FROM mmrd.jobs UNION ALL
	SELECT concat_ws(' ', job, epoch, loss, distillation, prototype) FROM mmrd.epochs UNION ALL
	SELECT concat_ws(' ', job, epoch, part, md5(data)) FROM mmrd.checkpoints UNION ALL
	SELECT concat_ws(' ', id, name, part, dims, md5(data)) FROM mmrd.tensors) r};

# A model of two versions, calibrated, for one role only; one with a teacher
# that was imported; a job that is done, and one that was cancelled half way.
my $import = q{SELECT mmrd_import_model('imported', overlay(f PLACING '\x0000' FROM
		9 + get_byte(f, 0) + (get_byte(f, 1) << 8) + (get_byte(f, 2) << 16) +
		(convert_from(substr(f, 9, get_byte(f, 0) + (get_byte(f, 1) << 8) + (get_byte(f, 2) << 16)), 'UTF8')::jsonb
			-> 'teacher.conv1.weight' -> 'data_offsets' ->> 0)::integer))
	FROM mmrd_export_model('m', 1) f};
my $small = options('"epochs": 1, "deploy": "always", "threshold_fpr": 0.5');
my $grant = 'GRANT EXECUTE ON FUNCTION mmrd_deploy TO line; GRANT SELECT ON mmrd.tensors TO line';

sub fill
{
	my ($session) = @_;

	$session->query(q{CREATE TABLE scans AS SELECT * FROM mmrd_synthesize(6, 1)});
	$session->query(q{CREATE TABLE test AS SELECT * FROM mmrd_synthesize(2, 2, 0.5)});
	is($session->query("SELECT version FROM mmrd_train('scans', 'm', options => '$small')"), $_,
		"version $_") for 1, 2;
	$session->query(q{SELECT mmrd_calibrate('m', 'scans', fpr => 0.25)});
	$session->query(q{SELECT mmrd_deploy('m', 1)});
	$session->query(q{SELECT mmrd_rollback('m')});
	$session->query(q{SELECT mmrd_allow('m', 'line')});
	is($session->query($import), '1', 'a model with a teacher of its own');
	is($session->query('SELECT count(*) FROM mmrd.teachers WHERE NOT builtin'), '1', 'which is one');
	my $job = $session->query("SELECT mmrd_train_start('scans', 'job', options => '$small')");
	is($session->query("SELECT mmrd_wait($job, '3 min')"), 'done', 'a job');
	my $options = options('"epochs": 400, "checkpoint_every": 1, "threshold_fpr": 0.5');
	$job = $session->query("SELECT mmrd_train_start('scans', 'half', options => '$options')");
	ok($session->poll("SELECT coalesce(max(epoch), 0) >= 2 FROM mmrd.epochs WHERE job = $job", 't'),
		'another has begun');
	$session->query("SELECT mmrd_cancel($job)");
	is($session->query("SELECT mmrd_wait($job, '3 min')"), 'cancelled', 'and was cancelled');
	$session->query($grant);
	return $job;
}

sub same
{
	my ($what, $session, $expected) = @_;

	is($session->query(scores($_)), $expected->{$_}, "$what: bit-equal scores of \"$_\"")
	  for sort keys %$expected;
}

$node->safe_psql('postgres', 'CREATE ROLE line; CREATE DATABASE fresh');
$node->safe_psql('fresh', "CREATE EXTENSION mmrd; $grant");

for my $version (sort keys %released)
{
	my $database = "from_$version";
	my $dump = $node->basedir . "/$version";

	$node->safe_psql('postgres', qq{CREATE DATABASE "$database"});
	my $session = MmrdSession->new($node, $database);
	$session->query("CREATE EXTENSION mmrd VERSION '$version'");
	is($session->query(q{SELECT extversion FROM pg_extension WHERE extname = 'mmrd'}), $version,
		"$version, with the library of $now");
	my $job = fill($session);
	my %expected = map { $_ => scalar $session->query(scores($_)) } qw(m imported job);
	my %seen = map { $_ => 1 } values %expected;
	is((grep { /^[0-9a-f]{32}$/ } keys %seen), 3, 'three models that score differently');
	my $all = $session->query($rows);
	command_ok([ 'pg_dump', '-Fc', '-Z', '0', '-f', "$dump.old", $node->connstr($database) ], "a dump of $version");

	# One that has prepared its statements, and looks on.
	my $other = MmrdSession->new($node, $database);
	$other->query('PREPARE p AS ' . scores('m'));
	is($other->query('EXECUTE p'), $expected{m}, 'another session');

	# A teacher of the user's that has the name: nothing happens to it.
	$session->query(q{UPDATE mmrd.teachers SET name = 'builtin_random' WHERE id > 0});
	my ($done, $errors) = $session->query('ALTER EXTENSION mmrd UPDATE');
	like($errors, qr/teacher "builtin_random" already exists.*HINT:  Give yours another name/s,
		'a name that is taken');
	is($session->query(q{SELECT extversion FROM pg_extension WHERE extname = 'mmrd'}), $version, 'no update');
	$session->query(q{UPDATE mmrd.teachers SET name = 'imported' WHERE id > 0});
	$all = $session->query($rows);

	($done, $errors) = $session->query('ALTER EXTENSION mmrd UPDATE');
	is($errors, '', "updated from $version");
	is($session->query(q{SELECT extversion FROM pg_extension WHERE extname = 'mmrd'}), $now, "to $now");
	is($session->query($rows), $all, 'the same rows');
	same('updated', $session, \%expected);
	is($other->query('EXECUTE p'), $expected{m}, 'also for who had prepared it');
	is(differences($database, 'fresh'), '',
		"no difference to a fresh $now (else: tests/upgrade/README.md)");

	# The teacher that was called builtin is the same under its new name; a job
	# that is not done goes on with it.
	is($session->query(q{SELECT string_agg(DISTINCT t.name, ' ') FROM mmrd.versions v
		JOIN mmrd.teachers t ON t.id = v.teacher WHERE t.builtin}), 'builtin_random',
		'models keep their teacher');
	is($session->query(q{SELECT string_agg(state || ' ' || (options ->> 'teacher'), ', ' ORDER BY id)
		FROM mmrd.trainings}), 'done builtin, cancelled builtin_random', 'so do jobs');

	# What was begun goes on.
	$session->query("SELECT mmrd_resume($job)");
	ok($session->poll("SELECT max(epoch) > 4 FROM mmrd.epochs WHERE job = $job", 't'),
		'the cancelled job goes on');
	$session->query("SELECT mmrd_cancel($job)");
	is($session->query("SELECT mmrd_wait($job, '3 min')"), 'cancelled', 'and is cancelled');
	is($session->query("SELECT version FROM mmrd_train('scans', 'm', options => '$small')"), '3',
		'trained further');
	$expected{m} = $session->query(scores('m'));
	$all = $session->query($rows);

	# A dump of what was updated; checkpoints are not dumped.
	my $saved = $rows =~ s/SELECT concat_ws\(' ', job, epoch, part, md5\(data\)\) FROM mmrd.checkpoints UNION ALL//r;
	$all = $session->query($saved);
	command_ok([ 'pg_dump', '-Fc', '-Z', '0', '-f', "$dump.new", $node->connstr($database) ], 'a dump of what was updated');
	$node->safe_psql('postgres', qq{CREATE DATABASE "restored_$version"});
	command_ok([ 'pg_restore', '-j', '2', '-e', '-d', $node->connstr("restored_$version"), "$dump.new" ], 'is restored');
	my $restored = MmrdSession->new($node, "restored_$version");
	same('restored', $restored, \%expected);
	is($restored->query($saved =~ s/, error//r), $session->query($saved =~ s/, error//r), 'the same rows');
	is(differences("restored_$version", 'fresh'), '', 'no difference there');

	# A dump that was made before the update, into a fresh version.
	$node->safe_psql('postgres', qq{CREATE DATABASE "old_$version"});
	command_ok([ 'pg_restore', '-j', '2', '-e', '-d', $node->connstr("old_$version"), "$dump.old" ],
		"a dump of $version is restored");
	my $old = MmrdSession->new($node, "old_$version");
	is($old->query(q{SELECT extversion FROM pg_extension WHERE extname = 'mmrd'}), $now, "as $now");
	same("dumped by $version", $old, { map { $_ => $expected{$_} } qw(imported job) });
	$_->quit for $session, $other, $restored, $old;
	$node->safe_psql('postgres', qq{DROP DATABASE "$_\_$version"}) for qw(restored old);
}

# ---- pg_upgrade of what was updated ----

my ($oldest) = sort keys %released;
my $session = MmrdSession->new($node, "from_$oldest");
my %expected = map { $_ => scalar $session->query(scores($_)) } qw(m imported job);
$session->quit;
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
same('pg_upgrade', MmrdSession->new($new, "from_$oldest"), \%expected);
$node = $new;
is(differences("from_$oldest", 'fresh'), '', 'no difference after pg_upgrade');

done_testing();
