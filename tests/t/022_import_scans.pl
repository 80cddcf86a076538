# tests/t/022_import_scans.pl
#	mmrd_import_scans(): the same rows as mmrd-load makes, who may call it, bad
#	files, and that a failure or a cancel leaves nothing behind.
use strict;
use warnings;
use POSIX qw(mkfifo);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use MmrdScans;
use MmrdSession;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init(extra => [ '--encoding=UTF8', '--locale=C.UTF-8' ]);
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION mmrd');
my $tmp = PostgreSQL::Test::Utils::tempdir();
my $scans = MmrdScans->new($tmp);
my $session = MmrdSession->new($node);

sub query
{
	return scalar $session->query($_[0]);
}

# The statement fails, and says this.
sub refused
{
	my ($what, $sql, $pattern) = @_;
	my ($rows, $errors) = $session->query($sql);

	like($errors, $pattern, $what);
	return;
}

# -- The same as from a client ----------------------------------------------

for my $n (0 .. 2)
{
	$scans->png("mvtec/bolt/train/good/rgb/00$n.png");
	$scans->tiff("mvtec/bolt/train/good/xyz/00$n.tiff", 0.5);
	$scans->eyecandy("candy/Bar/train/data/00$n", 0);
}
$scans->png('mvtec/bolt/test/bent/rgb/000.png');
$scans->tiff('mvtec/bolt/test/bent/xyz/000.tiff', 0.5);
$scans->png('mvtec/bolt/test/bent/gt/000.png', 'grey8', 254);
$scans->eyecandy('candy/Bar/test_public/data/00', 1);
$scans->png("own/test/scratch/gl\xc3\xbchen_rgb.png");

my $columns = q{SELECT string_agg(format('%s %s %s %s', attname,
	atttypid::regtype, attnotnull, attstorage), ', ' ORDER BY attnum)
	FROM pg_attribute WHERE attnum > 0 AND attrelid = };
for my $case (
	[ 'mvtec', 'mvtec3d', 4, 'default' ],
	[ 'candy', 'eyecandies', 4, 'both' ],
	[ 'candy', 'eyecandies', 4, 'depth' ],
	[ 'own', 'folder', 1, 'none' ])
{
	my ($folder, $format, $n, $aux) = @$case;
	my $table = "${folder}_$aux";

	is(query(qq{SELECT mmrd_import_scans('server.$table', '$tmp/$folder',
		'$format', aux => '$aux')}), '', 'no schema, no table')
	  unless $folder ne 'mvtec';
	query('CREATE SCHEMA IF NOT EXISTS server');
	is(query(qq{SELECT mmrd_import_scans('server.$table', '$tmp/$folder',
		'$format', aux => '$aux')}), $n, "$table: imported");
	is((mmrd_load($node, '-q', '-f', $format, "$tmp/$folder", '-t', $table,
			"--aux=$aux"))[0], 0, "$table: loaded");
	is(query("$columns 'server.$table'::regclass"),
		query("$columns '$table'::regclass"), "$table: the same columns");
	is(query("SELECT count(*) FROM (TABLE $table EXCEPT TABLE server.$table) x"),
		'0', "$table: the same rows");
	is(query("SELECT count(*) FROM server.$table"), $n, "$table: as many");
	is(query(qq{SELECT mmrd_import_scans('server.$table', '$tmp/$folder',
		'$format', aux => '$aux')}), '0', "$table: again");
}
is(query(qq{SELECT mmrd_import_scans('named', '$tmp/candy', 'eyecandies',
	category => '{Bar}')}), '4', 'a category by its name');

# -- What is refused --------------------------------------------------------

query(q{
	CREATE TABLE no_aux (id text PRIMARY KEY, rgb bytea);
	CREATE TABLE no_key (id text, rgb bytea, aux bytea);
	CREATE TABLE number_key (id bigint PRIMARY KEY, rgb bytea, aux bytea)});
my $mvtec = "'$tmp/mvtec', 'mvtec3d'";
refused('no aux', "SELECT mmrd_import_scans('no_aux', $mvtec)",
	qr/table public\.no_aux has no column "aux"/);
is(query("SELECT mmrd_import_scans('no_aux', $mvtec, aux => 'none')"), '4',
	'but without');
refused('no key', "SELECT mmrd_import_scans('no_key', $mvtec)",
	qr/no unique or exclusion constraint/);
refused('a number', "SELECT mmrd_import_scans('number_key', $mvtec)",
	qr/operator does not exist|is of type bigint/);
refused('no table', "SELECT mmrd_import_scans(NULL, $mvtec)",
	qr/table must not be null/);
refused('no path', "SELECT mmrd_import_scans('x', NULL, 'folder')",
	qr/path of the folder must not be null/);
refused('no format', "SELECT mmrd_import_scans('x', '$tmp', NULL)",
	qr/format must not be null/);
refused('another format', "SELECT mmrd_import_scans('x', '$tmp', 'zip')",
	qr/unknown format "zip".*Formats are: mvtec3d, eyecandies, folder/s);
refused('another aux',
	"SELECT mmrd_import_scans('x', $mvtec, aux => 'colour')",
	qr/unknown aux "colour"/);
refused('not this aux', "SELECT mmrd_import_scans('x', $mvtec, aux => 'depth')",
	qr/aux "depth" does not go with/);
refused('no such light', "SELECT mmrd_import_scans('x', '$tmp/candy',
	'eyecandies', light => 6)", qr/light 6 does not exist/);
refused('no such category',
	"SELECT mmrd_import_scans('x', $mvtec, category => '{screw}')",
	qr/category "screw" is not there/);
refused('a category that is null',
	"SELECT mmrd_import_scans('x', $mvtec, category => '{NULL}')",
	qr/category must not be null/);
refused('a relative path', "SELECT mmrd_import_scans('x', 'own', 'folder')",
	qr/not an absolute path/);
refused('no such folder',
	"SELECT mmrd_import_scans('x', '$tmp/nowhere', 'folder')",
	qr/folder cannot be opened: No such file/);
refused('another layout',
	"SELECT mmrd_import_scans('x', '$tmp/own/test', 'mvtec3d')",
	qr/does not have the layout of mvtec3d/);
refused('read only', 'BEGIN READ ONLY;'
	  . "SELECT mmrd_import_scans('x', $mvtec)", qr/read-only transaction/);
query('ROLLBACK');
is(query(q{SELECT to_regclass('x') IS NULL}), 't', 'no table was made');

# -- Rights -----------------------------------------------------------------

query('CREATE ROLE loader; GRANT CREATE ON SCHEMA public TO loader;
	SET ROLE loader');
refused('not for everybody', "SELECT mmrd_import_scans('x', $mvtec)",
	qr/permission denied for function/);
query('RESET ROLE; GRANT EXECUTE ON FUNCTION mmrd_import_scans TO loader;
	SET ROLE loader');
refused('files of the server', "SELECT mmrd_import_scans('x', $mvtec)",
	qr/permission denied to read files of the server.*pg_read_server_files/s);
query('RESET ROLE; GRANT pg_read_server_files TO loader; SET ROLE loader');
refused('a table of others',
	"SELECT mmrd_import_scans('mvtec_default', $mvtec)",
	qr/permission denied for table mvtec_default/);
is(query("SELECT mmrd_import_scans('loaders', $mvtec)"), '4', 'may');
is(query(q{SELECT relowner::regrole FROM pg_class WHERE relname = 'loaders'}),
	'loader', 'with the rights of the caller');
query('RESET ROLE');

# -- Bad files --------------------------------------------------------------

$scans->png("bad/$_/rgb.png") for 0 .. 6;
$scans->write('bad/1/rgb.png', 'this is no picture');
$scans->write("bad/\xff\xfe/rgb.png", '');
unlink("$tmp/bad/2/rgb.png");
mkfifo("$tmp/bad/2/rgb.png", 0600) or die $!;
unlink("$tmp/bad/3/rgb.png");
symlink('nowhere', "$tmp/bad/3/rgb.png");
symlink('../..', "$tmp/bad/4/back");
truncate("$tmp/bad/5/rgb.png", 3_000_000_000) or die $!;
my ($rows, $errors) =
  $session->query("SELECT mmrd_import_scans('bad', '$tmp/bad', 'folder')");
is($rows, '3', 'the others are loaded') or diag($errors);
like($errors, $_, "said: $_")
  for (qr{bad/1/rgb\.png: not an image}, qr{bad/2/rgb\.png: not a regular file},
	qr{bad/3/rgb\.png: .*No such file}, qr{bad/4/back: a link back},
	qr{bad/5/rgb\.png: file is too large}, qr{\?\?/rgb\.png: .*not UTF-8},
	qr/3 scans loaded, 0 were already there, 6 bad/);

# The setting holds here, too.
query('SET mmrd.max_pixels = 100');
($rows, $errors) =
  $session->query("SELECT mmrd_import_scans('small', '$tmp/own', 'folder')");
is($rows, '0', 'none is small enough');
like($errors, qr/192 pixels|16 x 12|too large|limit/, 'and why');
query('RESET mmrd.max_pixels; DROP TABLE small');

# -- All or nothing ---------------------------------------------------------

$scans->png("many/$_.png", 'rgb', $_ % 250) for 1000 .. 1299;
query(q{CREATE TABLE many (id text PRIMARY KEY, rgb bytea);
	CREATE FUNCTION check_many() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN
		IF new.id = 'many/1100' THEN RAISE EXCEPTION 'not this one'; END IF;
		PERFORM pg_sleep(0.01);
		RETURN new;
	END $$;
	CREATE TRIGGER check_many BEFORE INSERT ON many
		FOR EACH ROW EXECUTE FUNCTION check_many()});
my $many = "SELECT mmrd_import_scans('many', '$tmp/many', 'folder')";
refused('a trigger refuses one', $many, qr/not this one/);
my $fds = () = glob("/proc/$session->{pid}/fd/*");
refused('a timeout', "SET statement_timeout = '300ms'; $many",
	qr/canceling statement due to statement timeout/);
query('RESET statement_timeout');
is(query('SELECT count(*) FROM many'), '0', 'nothing was loaded');
is(query(q{SELECT count(*) FROM pg_backend_memory_contexts
	WHERE name = 'mmrd import'}), '0', 'no memory is left');
$session->query("SELECT mmrd_import_scans('many', '$tmp/bad', 'mvtec3d')")
  for 1 .. 50;
my $fds_after = () = glob("/proc/$session->{pid}/fd/*");
cmp_ok($fds_after, '<=', $fds + 3, 'no file is left open');

$node->stop;
done_testing();
