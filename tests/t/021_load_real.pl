# tests/t/021_load_real.pl
#	The real scans beside the repository, all of them, through mmrd-load; and
#	a real teacher.  They are others': where they are absent this is skipped.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use MmrdScans;

my $data = "$ENV{MMRD_SHARED}/data";
my $teacher = "$ENV{MMRD_SHARED}/weights/resnet18_imagenet.pth";
for my $needed ("$data/mvtec_3d_ad/cable_gland",
	"$data/eyecandies/CandyCane", $teacher)
{
	plan skip_all => "$needed is not here" unless -r $needed;
}

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', 'log_parameter_max_length = 100');
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION mmrd');

sub load_ok
{
	my ($n, @arguments) = @_;
	my ($status, $out, $err) = mmrd_load($node, @arguments);

	is($status, 0, "@arguments: exit status") or diag("$out$err");
	like($out, qr/^$n scans loaded/m, "@arguments: $n scans");
	return;
}

sub rows_are
{
	my ($table, $want) = @_;

	is($node->safe_psql('postgres', qq{
		SELECT split, label, count(*), count(mask) FROM $table
		GROUP BY split, label ORDER BY split, label}), $want, "rows of $table");
	return;
}

my $candy_rows = "test_public|f|25|0\ntest_public|t|25|25\n"
  . "train|f|100|0\nval|f|50|0";

load_ok(20, '-f', 'mvtec3d', "$data/mvtec_3d_ad", '-t', 'cable_gland');
rows_are('cable_gland',
	"test|f|2|0\ntest|t|8|8\ntrain|f|8|0\nvalidation|f|2|0");
for my $aux ('normals', 'depth', 'both')
{
	load_ok(200, '-f', 'eyecandies', "$data/eyecandies", '-t', "candy_$aux",
		"--aux=$aux");
	rows_are("candy_$aux", $candy_rows);
}
is($node->safe_psql('postgres', q{
	SELECT count(*) FROM candy_both b JOIN candy_normals n USING (id)
	JOIN candy_depth d USING (id) WHERE b.aux = n.aux AND b.aux2 = d.aux}),
	'200', 'both is one and the other');

my ($status, $out, $err) = mmrd_load($node, "--teacher=imagenet=$teacher");
is($status, 0, 'teacher: exit status') or diag("$out$err");
is($node->safe_psql('postgres',
	q{SELECT arch FROM mmrd.teachers WHERE name = 'imagenet'}),
	'resnet18', 'the teacher is there');
($status, $out, $err) = mmrd_load($node, "--teacher=imagenet=$teacher");
is($status, 0, 'again: exit status');
like($err, qr/exists already/, 'again: left as it is');

# Decoded by the server as well, not only by the loader.
is($node->safe_psql('postgres', q{
	SELECT scans, deployed FROM mmrd_train('candy_normals', 'candy',
		filter => $$split = 'train' AND id < 'CandyCane/train/008'$$,
		options => '{"epochs": 1, "input_size": 64, "teacher": "imagenet"}')}),
	'8|t', 'and it trains');

# Maps of real scans take no more than a quarter of their floats.
is($node->safe_psql('postgres', q{
	SELECT count(*), count(*) FILTER (WHERE octet_length(mmrd_map_send(i.map))
		<= mmrd_width(i.map) * mmrd_height(i.map))
	FROM (SELECT * FROM candy_normals WHERE split LIKE 'test%' ORDER BY id LIMIT 6) s,
		LATERAL mmrd_inspect(s.rgb, s.aux, 'candy') i}),
	'6|6', 'maps are small');

# Every kind of scan trains and scores, at a size that shows nothing but that.
sub trains_ok
{
	my ($table, $kinds, $options, $has_aux2) = @_;
	my $aux2 = $has_aux2 ? 'aux2' : 'NULL';
	my $column = $has_aux2 ? q{'aux2'} : 'NULL';
	my ($rows, $messages);

	$node->psql('postgres', qq{
		SET mmrd.progress = off;
		SELECT scans FROM mmrd_train('$table', 'm', aux2 => $column,
			filter => \$\$id IN (SELECT id FROM $table WHERE split = 'train'
				ORDER BY id LIMIT 6)\$\$,
			options => '{"epochs": 1, "bn_epochs": 1, "input_size": 64,
				"prototypes": [5, 5, 5], "teacher": "imagenet",
				"deploy": "always", $options}');
		SELECT options ->> 'aux_kind', options ->> 'aux2_kind'
		FROM mmrd.versions ORDER BY id DESC LIMIT 1;
		SELECT count(*) FROM (SELECT mmrd_score(rgb, aux, 'm', $aux2) AS s
			FROM (SELECT * FROM $table WHERE split LIKE 'test%'
				ORDER BY id LIMIT 4) t OFFSET 0) t
		WHERE s > 0 AND s < 10;
	}, stdout => \$rows, stderr => \$messages);
	is($rows, "6\n$kinds\n4", "$table, {$options}: trains and scores")
	  or diag($messages);
	unlike($messages, qr/no table was found/,
		"$table, {$options}: the table is found");
	return;
}

trains_ok('cable_gland', 'normals_from_xyz|auto', '"aux_kind": "auto"', 0);
trains_ok('cable_gland', 'xyz|auto', '"aux_kind": "xyz", "aux_range": "train"', 0);
trains_ok('cable_gland', 'height|auto', '"aux_kind": "height"', 0);
trains_ok('candy_normals', 'image|auto', '"aux_kind": "auto"', 0);
trains_ok('candy_depth', 'depth|auto', '"aux_range": "train"', 0);
trains_ok('candy_both', 'image|depth', '"aux2_kind": "auto"', 1);

$node->stop;
done_testing();
