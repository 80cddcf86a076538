# tests/t/035_builtin_teacher.pl
#	The teachers that ship with the extension: two that differ, a file that is
#	checked whenever it is read, and dumps that leave them out.
use strict;
use warnings;
use File::Basename;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use MmrdSession;

# An installation of our own, whose files may be damaged: a copy of the one
# that the tests run with, where links stay links.
my ($bin) = map { dirname($_) } grep { -x } map { "$_/initdb" } split /:/, $ENV{PATH};
my ($root) = $bin =~ m{^(.*/pg)/};
my $own = PostgreSQL::Test::Utils::tempdir_short() . '/pg';
command_ok([ 'cp', '-R', '-P', $root, $own ], 'an installation of our own');
my $inner = substr(dirname($bin), length $root);
my ($config) = grep { -x } map { "$_/pg_config" } split /:/, $ENV{PATH};
symlink $config, "$own$inner/bin/pg_config"; # for its version alone
my $node = PostgreSQL::Test::Cluster->new('main', install_path => "$own$inner");
$node->init;
$node->append_conf('postgresql.conf', "mmrd.threads = 1\nmmrd.progress = off");
$node->start;
my ($file) = split /\n/, qx{find '$own' -name mmrd_teacher_2.safetensors};
ok($file, 'the file is installed');

$node->safe_psql('postgres', q{
	CREATE EXTENSION mmrd;
	CREATE TABLE scans AS SELECT * FROM mmrd_synthesize(5, 1);
	CREATE TABLE test AS SELECT * FROM mmrd_synthesize(3, 2, 0.5);
});

sub train
{
	my ($model, $more) = @_;

	return qq{SELECT version FROM mmrd_train('scans', '$model', options => '{"epochs": 1,
		"input_size": 64, "prototypes": [1, 1, 1], "deploy": "always"$more}')};
}

# Every bit of the scores and of the maps.
sub scores
{
	my ($model) = @_;

	return qq{SELECT md5(string_agg(float4send(i.score)::text || i.map::text, ',' ORDER BY t.id))
		FROM test t, LATERAL mmrd_inspect(t.rgb, t.aux, '$model') i};
}

# ---- two teachers ----

my $one = MmrdSession->new($node);
is($one->query(train('new', '')), '1', 'the default');
is($one->query(train('named', ', "teacher": "builtin"')), '1', 'the same by its name');
is($one->query(train('random', ', "teacher": "builtin_random"')), '1', 'the other');
is($one->query(q{SELECT string_agg(m.name || ' ' || v.teacher, ', ' ORDER BY m.name)
	FROM mmrd.models m JOIN mmrd.versions v ON v.model = m.id}),
	'named -2, new -2, random -1', 'which is which');
my %is = map { $_ => scalar $one->query(scores($_)) } qw(new named random);
like($is{$_}, qr/^[0-9a-f]{32}$/, "scores of \"$_\"") for sort keys %is;
is($is{named}, $is{new}, 'one teacher, the same bits');
isnt($is{random}, $is{new}, 'another teacher, other scores');
is($one->query('SELECT count(*) FROM mmrd.tensors WHERE teacher < 0'), '0',
	'no weights of either in tables');

# A model brings its teacher along, which is known here.
my ($version, $notices) = $one->query(
	q{SELECT mmrd_import_model('copy', mmrd_export_model('new'))});
is("$version$notices", '1', 'exported, and imported without a new teacher');
is($one->query(q{SELECT v.teacher FROM mmrd.models m JOIN mmrd.versions v ON v.model = m.id
	WHERE m.name = 'copy'}), '-2', 'it is the one that ships');
is($one->query(scores('copy')), $is{new}, 'the same bits');

# ---- dump and restore ----

my $dump = $node->basedir . '/dump.sql';
command_ok([ 'pg_dump', '-f', $dump, $node->connstr('postgres') ], 'pg_dump');
unlike(slurp_file($dump), qr/builtin\w*\t/, 'shipped teachers are not in it');
$node->safe_psql('postgres', 'CREATE DATABASE restored');
command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-f', $dump, $node->connstr('restored') ],
	'restored');
my $restored = MmrdSession->new($node, 'restored');
is($restored->query(scores($_)), $is{$_}, "bit-equal scores of \"$_\"") for sort keys %is;
is($restored->query('SELECT count(*) FROM mmrd.teachers WHERE builtin'), '2', 'two are here');
$restored->quit;

# ---- a file that is not the one ----

my $whole = slurp_file($file);

# In a server that has loaded nothing yet.
sub refuses
{
	my ($what, $pattern) = @_;

	$node->restart;
	my $session = MmrdSession->new($node);
	for my $sql (scores('new'), train('other', ''))
	{
		my (undef, $errors) = $session->query($sql);
		like($errors, $pattern, $what);
		like($errors, qr/HINT:  .*nstall.* mmrd/, 'and says what to do');
	}
	is($session->query(scores('random')), $is{random}, 'the other teacher works');
	is($session->query('SELECT 1'), '1', 'the session goes on');
	$session->quit;
}

sub becomes
{
	my ($bytes) = @_;

	unlink $file;
	open my $f, '>:raw', $file or die "$file: $!";
	print $f $bytes;
	close $f;
}

$one->quit;
unlink $file;
refuses('missing', qr/could not open the file of teacher "builtin": No such file/);
my $changed = $whole;
substr($changed, length($whole) / 2, 1) ^= "\x01";
becomes($changed);
refuses('one bit differs', qr/the file of teacher "builtin" is not the one that was released/);
becomes(substr($whole, 0, -1));
refuses('too short', qr/is not the one that was released\nDETAIL:.* has the checksum [0-9A-F]{8}, expected [0-9A-F]{8}/);
becomes('');
refuses('empty', qr/is not the one that was released/);
becomes($whole);
$node->restart;
my $again = MmrdSession->new($node);
is($again->query(scores('new')), $is{new}, 'the file is back: the same bits');
$again->quit;
$node->stop;

done_testing();
