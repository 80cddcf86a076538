# tests/t/017_job_cancel_wide.pl
#	A job of the largest network, wide_resnet50_2 at 256 pixels, ends within
#	2 s of mmrd_cancel, whatever it is doing.
#
# Batches of 2, so that 6 GB are enough; the trainer looks for a cancel
# between layers, and a layer takes so much longer with 16.
#
# The teacher's weights are made up here, with the shapes of the real ones:
# how long a step takes does not depend on them.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time sleep);
use MmrdJobs;

# ---- a safetensors file of stages 1 to 3 ----

sub tensors
{
	my @tensors = ([ 'conv1.weight', 64, 3, 7, 7 ]);
	my $norm = sub {
		my ($name, $c) = @_;
		push @tensors, map { [ "$name.$_", $c ] }
		  qw(weight bias running_mean running_var);
	};

	$norm->('bn1', 64);
	my $in = 64;
	for my $layer (1 .. 3)
	{
		my ($width, $out) = (64 << $layer, 128 << $layer);

		for my $block (0 .. (3, 4, 6)[ $layer - 1 ] - 1)
		{
			my $at = "layer$layer.$block";

			push @tensors, [ "$at.conv1.weight", $width, $in, 1, 1 ];
			$norm->("$at.bn1", $width);
			push @tensors, [ "$at.conv2.weight", $width, $width, 3, 3 ];
			$norm->("$at.bn2", $width);
			push @tensors, [ "$at.conv3.weight", $out, $width, 1, 1 ];
			$norm->("$at.bn3", $out);
			if ($block == 0)
			{
				push @tensors, [ "$at.downsample.0.weight", $out, $in, 1, 1 ];
				$norm->("$at.downsample.1", $out);
			}
			$in = $out;
		}
	}
	return @tensors;
}

sub write_teacher
{
	my ($path) = @_;
	my ($at, @header) = (0);
	my @tensors = tensors();

	for my $t (@tensors)
	{
		my ($name, @dims) = @$t;
		my $bytes = 4;
		$bytes *= $_ for @dims;
		push @header, sprintf('"%s":{"dtype":"F32","shape":[%s],"data_offsets":[%d,%d]}',
			$name, join(',', @dims), $at, $at + $bytes);
		$at += $bytes;
	}
	my $header = '{' . join(',', @header) . '}';
	open my $file, '>:raw', $path or die "$path: $!";
	print $file pack('Q<', length $header), $header;
	my $convolution = pack('f<*', map { 0.02 * (($_ * 7919) % 13 - 6) / 6 } 1 .. 1009);
	my $one = pack('f<', 1);
	for my $t (@tensors)
	{
		my ($name, @dims) = @$t;
		my $bytes = 4;
		$bytes *= $_ for @dims;
		my $unit = @dims > 1 ? $convolution : $one;
		print $file substr($unit x (1 + $bytes / length $unit), 0, $bytes);
	}
	close $file or die "$path: $!";
}

my $memory = 0;
if (open my $meminfo, '<', '/proc/meminfo')
{
	($memory) = map { /^MemAvailable:\s+(\d+)/ ? $1 / 1024 / 1024 : () } <$meminfo>;
}
plan skip_all => sprintf('needs 6 GB of memory, %.1f are available', $memory)
  if $memory < 6;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', "mmrd.train_memory = '8GB'");
$node->start;
my $file = $node->basedir . '/wide.safetensors';
write_teacher($file);
$node->safe_psql('postgres', qq{
	CREATE EXTENSION mmrd;
	SELECT mmrd_import_teacher_file('wide', '$file');
	CREATE TABLE scans AS SELECT * FROM mmrd_synthesize(3, 1);
});
unlink $file;
is($node->safe_psql('postgres', q{SELECT arch FROM mmrd.teachers WHERE name = 'wide'}),
	'wide_resnet50_2', 'a teacher of that kind');

for my $phase ("computing the teacher's features", 'first epoch', 'epoch 1')
{
	my $job = start($node, q{'scans', 'wide', options =>
		'{"teacher": "wide", "batch_size": 2, "epochs": 1000, "bn_epochs": 1, "checkpoint_every": 1000}'});
	(my $quoted = $phase) =~ s/'/''/g;
	ok(defined until_true(sub { $node->safe_psql('postgres', "SELECT count(*)
		FROM pg_stat_activity WHERE query LIKE 'training job $job of %: $quoted%'") eq '1' }),
		"a job is at: $phase");
	sleep 0.5; # well into a step
	my $pid = $node->safe_psql('postgres', "SELECT pid FROM mmrd.jobs WHERE job = $job");
	my $start = time;
	is($node->safe_psql('postgres', "SELECT mmrd_cancel($job)"), 't', 'cancelled');
	until_true(sub { !kill(0, $pid) });
	my $seconds = time - $start;
	is(state($node, $job), 'cancelled', 'it is');
	cmp_ok($seconds, '<', 2, sprintf('the worker ended within 2 s (%.2f)', $seconds));
}

$node->stop;
done_testing();
