# tests/t/020_load.pl
#	mmrd-load: what arrives in the table, what happens to bad files, killed
#	and interrupted runs, two at once, and what it refuses.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time sleep);
use MmrdScans;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init(extra => [ '--encoding=UTF8', '--locale=C.UTF-8' ]);
$node->append_conf('postgresql.conf', 'log_parameter_max_length = 100');
$node->start;

my $tmp = PostgreSQL::Test::Utils::tempdir();
my $scans = MmrdScans->new($tmp);

sub query
{
	return $node->safe_psql('postgres', $_[0]);
}

# Run it, and check the exit status and what it says.
sub load_ok
{
	my ($what, $arguments, $want, @patterns) = @_;
	my ($status, $out, $err) = mmrd_load($node, @$arguments);

	is($status, $want, "$what: exit status") or diag("$out$err");
	like("$out$err", $_, "$what: says so") for @patterns;
	return ($out, $err);
}

# -- What arrives -----------------------------------------------------------

for my $n (0 .. 2)
{
	$scans->png("mvtec/bolt/train/good/rgb/00$n.png");
	$scans->tiff("mvtec/bolt/train/good/xyz/00$n.tiff", 0.5);
}
$scans->png('mvtec/bolt/test/bent/rgb/000.png');
$scans->tiff('mvtec/bolt/test/bent/xyz/000.tiff', 0.5);
$scans->png('mvtec/bolt/test/bent/gt/000.png', 'grey8', 254);
$scans->png('mvtec/nut/train/good/rgb/000.png');
$scans->tiff('mvtec/nut/train/good/xyz/000.tiff', 0.5);

load_ok('mvtec3d', [ '-f', 'mvtec3d', $scans->path('mvtec'), '-t', 'bolts' ],
	0, qr/table public\.bolts created/, qr/5 scans loaded/);
is(query(q{SELECT id, category, split, label, defect, rgb IS NOT NULL,
	length(aux), mask IS NOT NULL FROM bolts ORDER BY id}),
	"bolt/test/bent/000|bolt|test|t|bent|t|2450|t\n"
	  . join('', map { "bolt/train/good/00$_|bolt|train|f|good|t|2450|f\n" } 0 .. 2)
	  . 'nut/train/good/000|nut|train|f|good|t|2450|f',
	'mvtec3d: rows');
is(query(q{SELECT encode(rgb, 'hex') FROM bolts WHERE split = 'test'}),
	unpack('H*', slurp_file($scans->path('mvtec/bolt/test/bent/rgb/000.png'))),
	'the picture is the file, to the byte');
is(query(q{SELECT string_agg(attname, ' ' ORDER BY attnum) FROM pg_attribute
	WHERE attrelid = 'bolts'::regclass AND attnum > 0 AND attstorage = 'e'}),
	'rgb aux mask', 'pictures are not compressed again');
load_ok('again', [ '-f', 'mvtec3d', $scans->path('mvtec/bolt'), '-t', 'bolts' ],
	0, qr/0 scans loaded/, qr/4 were already there/);
load_ok('one category',
	[ '-f', 'mvtec3d', $scans->path('mvtec'), '-t', 'nuts', '-c', 'nut',
		'--aux', 'none' ], 0, qr/1 scans loaded/);
is(query(q{SELECT string_agg(attname, ' ' ORDER BY attnum) FROM pg_attribute
	WHERE attrelid = 'nuts'::regclass AND attnum > 0}),
	'id category split label defect rgb mask', 'no column for what is not there');

$scans->eyecandy("candy/Bar/train/data/00$_", 0) for 0 .. 2;
$scans->eyecandy('candy/Bar/test_public/data/00', 1);
load_ok('eyecandies',
	[ '-f', 'eyecandies', $scans->path('candy'), '-t', 'candy',
		'--aux=both' ], 0, qr/4 scans loaded/);
is(query(q{SELECT id, split, label, defect, length(aux) = octet_length(aux),
	substr(aux2, 1, 4), mask IS NOT NULL FROM candy ORDER BY id LIMIT 2}),
	"Bar/test_public/00|test_public|t|bumps|t|\\x49492a00|t\n"
	  . 'Bar/train/000|train|f|good|t|\x49492a00|f', 'eyecandies: rows');

# -- Names ------------------------------------------------------------------

query('CREATE SCHEMA "Line 3"');
load_ok('a name in quotes',
	[ '-f', 'folder', $scans->path('mvtec/nut'), '-t', '"Line 3"."Scans ""x"""',
		'--column', 'id=the "key"', '-c', 'spare parts' ],
	0, qr/1 scans loaded/);
is(query(q{SELECT "the ""key""", category, split, label, defect
	FROM "Line 3"."Scans ""x"""}),
	'spare parts/train/good/000|spare parts|train|f|good', 'and columns, too');

# -- Bad files --------------------------------------------------------------

$scans->png("own/good/$_/rgb.png") for 0 .. 4;
$scans->png("own/good/$_/aux.png", 'grey16', 5) for 0 .. 3;
$scans->write('own/good/1/rgb.png', 'this is no picture');
$scans->write('own/good/2/aux.png', '');
$scans->png("own/good/gl\xc3\xbchen/rgb.png");
symlink('nowhere.png', $scans->path("own/good/gl\xc3\xbchen/aux.png"));
symlink('..', $scans->path('own/good/back'));
my @own = ('-f', 'folder', $scans->path('own'));
my @bad = (qr/5 bad/, qr{good/1/rgb\.png: not an image},
	qr{good/2/aux\.png: not an image}, qr{good/4/rgb\.png: .*has no aux},
	qr{\xc3\xbchen/aux\.png: .*No such file}, qr{good/back: a link back});
load_ok('bad files', [ @own, '-t', 'own' ], 2, qr/2 scans loaded/, @bad);
is(query('SELECT id FROM own ORDER BY id'), "own/good/0\nown/good/3",
	'the rest is there');
{
	local $ENV{PGPORT} = 1;
	local $ENV{PGHOST} = '/nowhere';
	my ($status, $out, $err) = mmrd_load($node, @own, '--dry-run');
	is($status, 2, 'dry run: exit status');
	like($out, qr/own +- +good +good +5/, 'dry run: what there is');
	like($out, qr/5 scans found, 2 could be loaded, 5 bad/, 'dry run: counts');
	like($err, $_, 'dry run: bad files') for @bad;
}

# Mended, the others follow.
$scans->png('own/good/1/rgb.png');
load_ok('mended', [ @own, '-t', 'own' ], 2, qr/1 scans loaded/,
	qr/2 were already there/, qr/4 bad/);

# -- Rows that the server refuses -------------------------------------------

$scans->png("many/$_.png", 'rgb', $_ % 250) for 1000 .. 1599;
my @many = ('-f', 'folder', $scans->path('many'), '-t', 'many');
query(q{
	CREATE TABLE many (id text PRIMARY KEY, rgb bytea, loaded_at timestamptz
		DEFAULT now());
	CREATE FUNCTION check_many() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN
		IF new.id IN ('many/1100', 'many/1599') THEN
			RAISE EXCEPTION 'not this one';
		END IF;
		RETURN new;
	END $$;
	CREATE TRIGGER check_many BEFORE INSERT ON many
		FOR EACH ROW EXECUTE FUNCTION check_many()});
load_ok('refused rows', \@many, 2, qr/has no column "split": it is left out/,
	qr/598 scans loaded/, qr{/1100\.png: the server refused it: not this one},
	qr{/1599\.png: the server refused it});
query('DROP TRIGGER check_many ON many; TRUNCATE many');

# -- Killed, interrupted, two at once ---------------------------------------

# A row takes 10 ms, so that there is time to do all this.
query(q{
	CREATE FUNCTION wait_a_bit() RETURNS trigger LANGUAGE plpgsql AS
		$$ BEGIN PERFORM pg_sleep(0.01); RETURN new; END $$;
	CREATE TRIGGER wait_a_bit BEFORE INSERT ON many
		FOR EACH ROW EXECUTE FUNCTION wait_a_bit()});

sub wait_for_rows
{
	my ($least) = @_;
	my $until = time + 120;

	sleep 0.1
	  while query('SELECT count(*) FROM many') < $least && time < $until;
	return query('SELECT count(*) FROM many');
}

my $load = start_load($node, @many);
cmp_ok(wait_for_rows(1), '<', 600, 'some rows are there');
$load->{run}->signal('KILL');
is((MmrdScans::finish($load))[0], 'signal 9', 'killed');
$node->poll_query_until('postgres', # its server process notices
	q{SELECT count(*) = 0 FROM pg_stat_activity WHERE query LIKE 'COPY%'});
my $left = query('SELECT count(*) FROM many');
cmp_ok($left, '>', 0, 'a chunk survives');
cmp_ok($left, '<', 600, 'the rest does not');
is(query('SELECT count(DISTINCT loaded_at) FROM many'),
	int(($left + 255) / 256), 'chunks are transactions');

$load = start_load($node, @many);
$node->poll_query_until('postgres',
	q{SELECT count(*) > 0 FROM pg_stat_activity WHERE query LIKE 'COPY%'});
$load->{run}->signal('INT');
my ($status, $out, $err) = MmrdScans::finish($load);
is($status, 130, 'interrupted') or diag("$out$err");
like($err, qr/interrupted: run it again/, 'and said so');
cmp_ok(query('SELECT count(*) FROM many'), '>', $left,
	'what had been sent is kept');

query('DROP TRIGGER wait_a_bit ON many');
load_ok('resumed', \@many, 0, qr/scans loaded/);
is(query('SELECT count(*), count(DISTINCT id), count(DISTINCT rgb) FROM many'),
	'600|600|250', 'all are there, once');

query(q{TRUNCATE many; CREATE TRIGGER wait_a_bit BEFORE INSERT ON many
	FOR EACH ROW EXECUTE FUNCTION wait_a_bit()});
my @both = map { start_load($node, @many) } 1 .. 2;
my $sum = 0;
for my $one (@both)
{
	my ($one_status, $one_out, $one_err) = MmrdScans::finish($one);

	is($one_status, 0, 'two at once: exit status') or diag($one_err);
	$sum += $1 if $one_out =~ /(\d+) scans loaded/;
}
is($sum, 600, 'two at once: each scan was loaded by one of them');
is(query('SELECT count(*) FROM many'), '600', 'two at once: all are there');

# -- What is refused --------------------------------------------------------

query(q{
	CREATE TABLE no_aux (id text PRIMARY KEY, rgb bytea);
	CREATE TABLE no_key (id text, rgb bytea, aux bytea);
	CREATE TABLE part_key (id text, n integer, rgb bytea, aux bytea,
		PRIMARY KEY (id, n));
	CREATE TABLE some_key (id text, rgb bytea, aux bytea);
	CREATE UNIQUE INDEX ON some_key (id) WHERE rgb IS NULL;
	CREATE TABLE number_key (id bigint PRIMARY KEY, rgb bytea, aux bytea);
	CREATE TABLE text_rgb (id text PRIMARY KEY, rgb text, aux bytea);
	CREATE ROLE nobody_special LOGIN;
	CREATE TABLE forbidden (LIKE bolts INCLUDING ALL)});
my @bolts = ('-f', 'mvtec3d', $scans->path('mvtec'), '-t');
load_ok('no aux', [ @bolts, 'no_aux' ], 1, qr/no_aux has no column "aux"/);
load_ok('but without', [ @bolts, 'no_aux', '--aux=none', '-q' ], 0);
load_ok('no key', [ @bolts, 'no_key' ], 1, qr/"id" of table .* is not unique/);
load_ok('half a key', [ @bolts, 'part_key' ], 1, qr/not unique/);
load_ok('a key of some', [ @bolts, 'some_key' ], 1, qr/not unique/);
load_ok('a number', [ @bolts, 'number_key' ], 1, qr/has type bigint, not text/);
load_ok('a text', [ @bolts, 'text_rgb' ], 1, qr/has type text, not bytea/);
load_ok('no right', [ @bolts, 'forbidden', '-U', 'nobody_special' ], 1,
	qr/permission denied/);
load_ok('no database', [ @bolts, 'bolts', '-d', 'nowhere' ], 1,
	qr/could not connect.*"nowhere" does not exist/s);
load_ok('no such category', [ @bolts, 'bolts', '-c', 'screw' ], 1,
	qr/category "screw" is not there/);
load_ok('no such folder', [ '-f', 'folder', "$tmp/nowhere", '-t', 'x' ], 1,
	qr/cannot be opened/);
load_ok('a bad name', [ @bolts, 'a.b.c.d' ], 1, qr/could not/);
load_ok('no format', [ $scans->path('own'), '-t', 'x' ], 1, qr/--format/);
load_ok('no table', [ '-f', 'folder', $scans->path('own') ], 1, qr/--table/);
load_ok('nothing', [], 1, qr/no folder/);
load_ok('help', ['--help'], 0, qr/^Usage:/m);
load_ok('version', ['--version'], 0, qr/^mmrd-load \(mmrd\) \d/);
is(query(q{SELECT count(*) FROM forbidden}), '0', 'nothing was loaded');

# -- Another encoding -------------------------------------------------------

$scans->png("words/gr\xc3\xbcn.png");
$scans->png("words/\xe7\xba\xa2.png");
$node->safe_psql('postgres', q{CREATE DATABASE latin ENCODING 'LATIN1'
	LOCALE 'C' TEMPLATE template0});
load_ok('LATIN1', [ '-f', 'folder', $scans->path('words'), '-t', 'words',
		'-d', 'latin' ], 2, qr/1 scans loaded/, qr/has no equivalent/);

# -- Teachers ---------------------------------------------------------------

my $weights = "$ENV{MMRD_TESTS}/golden/weights/all.safetensors";
load_ok('teacher without the extension', [ "--teacher=golden=$weights" ], 1,
	qr/extension "mmrd" is not in database "postgres"/);
query('CREATE SCHEMA tools; CREATE EXTENSION mmrd SCHEMA tools');
load_ok('no such backbone', [ "--teacher=golden=$weights" ], 1,
	qr/not those of a known backbone/);
load_ok('no weights', [ "--teacher=x=" . $scans->path('own/good/0/rgb.png') ],
	1, qr/rgb\.png: /);
load_ok('no file', [ "--teacher=x=$tmp/nowhere" ], 1, qr/No such file/);
load_ok('no name', [ "--teacher=$weights" ], 1, qr/has no name/);
is(query('SELECT count(*) FROM mmrd.teachers WHERE NOT builtin'), '0',
	'none was imported');

$node->stop;
done_testing();
