# tests/t/031_exchange.pl
#	Model files on the server's disk; and models of PyTorch, an implementation
#	of its own, which score here as they score there.
use strict;
use warnings;
use File::Basename;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use MmrdSession;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', "mmrd.threads = 1\nmmrd.progress = off");
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION mmrd;
	CREATE TABLE scans AS SELECT id, rgb, aux, rgb AS aux2 FROM mmrd_synthesize(3, 1, 0.5);
	SELECT mmrd_train('scans', 'm', options => '{"epochs": 1, "input_size": 64, "prototypes": [1, 1, 1]}');
});
my $session = MmrdSession->new($node);

# ---- files of the server ----

my $folder = $node->basedir . '/files';
mkdir $folder;
my $file = "$folder/m.safetensors";
my $bytes = $session->query(qq{SELECT mmrd_export_model_file('m', '$file')});
is(-s $file, $bytes, 'the file has the bytes that the function said');
is($session->query(qq{SELECT mmrd_import_model_file('m', '$file')}), '2', 'imported as a second version');
is($session->query(qq{SELECT pg_read_binary_file('$file') = mmrd_export_model('m', 2)}), 't', 'the same file again');
is($session->query(q{SELECT count(DISTINCT float4send(mmrd_score(rgb, aux, 'm'))) FROM scans}), '3', 'which scores');
is($session->query(qq{SELECT mmrd_export_model_file('m', '$file', 1)}), $bytes, 'a file that is there is replaced');
my @left = glob("$folder/*");
is(scalar @left, 1, 'nothing else is left in the folder');

# What goes wrong leaves what was there.
my $before = slurp_file($file);
my (undef, $errors) = $session->query(qq{SELECT mmrd_export_model_file('nobody', '$file')});
like($errors, qr/model "nobody" does not exist/, 'no such model');
mkdir "$folder/full";
SKIP:
{
	skip 'no way to a full disk without a file system of our own', 2
	  if !-w '/dev/full';
	symlink '/dev/full', "$folder/device";
	(undef, $errors) = $session->query(qq{SELECT mmrd_export_model_file('m', '$folder/device')});
	like($errors, qr/is not a regular file/, 'a device is not written to');
	ok(-l "$folder/device", 'and not replaced');
	unlink "$folder/device";
}
$session->send(qq{SET statement_timeout = 1; SELECT mmrd_export_model_file('m', '$file'); RESET statement_timeout});
(undef, $errors) = $session->answer;
like($errors, qr/statement timeout/, 'an export is cancelled');
$session->query('RESET statement_timeout');
rmdir "$folder/full";
@left = glob("$folder/*");
is_deeply(\@left, [$file], 'and leaves no half a file');
ok(slurp_file($file) eq $before, 'but the one that was there');

# ---- PyTorch ----

my $python = '/usr/bin/python3';
my $script = dirname(__FILE__) . '/../golden/pytorch_exchange.py';
my $missing = `$python -c 'import torch, PIL, numpy' 2>&1`;
SKIP:
{
	skip "PyTorch's part needs torch, PIL and numpy for $python", 1 if $? != 0;
	local $ENV{PGHOST} = $node->host;
	local $ENV{PGPORT} = $node->port;
	local $ENV{PGDATABASE} = 'postgres';
	local $ENV{OMP_NUM_THREADS} = 1;

	my $small = '"input_size": 64, "prototypes": [3, 4, 5]';
	my @variants = (
		[ 'trained', 'rgb,aux', "{$small}", '--epochs', 1 ],
		[ 'next', 'rgb,aux', "{$small}", '--formula' ],
		[ 'same, two aux', 'rgb,aux,aux2', qq({$small, "prior_at": "same"}), '--formula' ],
		[ 'RGB alone', 'rgb', "{$small}", '--formula' ],
		[ 'sum of priors', 'rgb,aux', qq({$small, "interaction": false, "fusion": "modulated_aux"}), '--formula' ],
		[ 'no priors', 'rgb,aux', '{"input_size": 96, "prototypes": [0, 0, 0], "fusion": "add"}', '--formula' ],
		[ 'resnet34', 'rgb,aux', qq({$small, "arch": "resnet34", "fusion": "none"}), '--formula' ]);
	foreach my $variant (@variants)
	{
		my ($name, $columns, $config, @rest) = @$variant;

		command_ok([ $python, $script, '--columns', $columns, '--config', $config, '--model', $name, @rest ],
			"PyTorch: $name");
	}
}

done_testing();
