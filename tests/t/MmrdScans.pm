# tests/t/MmrdScans.pm
#	Small scans on disk, in the layouts that mmrd-load reads, and running it.
#
#	my $scans = MmrdScans->new($folder);
#	$scans->png('a/rgb/0.png');
#	my ($status, $out, $err) = mmrd_load($node, '--format', 'folder', ...);
package MmrdScans;

use strict;
use warnings;
use Compress::Zlib qw(compress crc32);
use Exporter 'import';
use File::Basename qw(dirname);
use File::Path qw(make_path);
use IPC::Run;

our @EXPORT = qw(mmrd_load start_load);

use constant { WIDTH => 16, HEIGHT => 12 };

sub new
{
	my ($class, $folder) = @_;

	make_path($folder);
	return bless { folder => $folder }, $class;
}

sub path
{
	my ($self, $name) = @_;

	return "$self->{folder}/$name";
}

sub write
{
	my ($self, $name, $bytes) = @_;
	my $path = $self->path($name);

	make_path(dirname($path));
	open(my $file, '>:raw', $path) or die "$path: $!";
	print $file $bytes;
	close($file) or die "$path: $!";
	return;
}

sub chunk
{
	my ($type, $data) = @_;

	return pack('N', length $data) . $type . $data
	  . pack('N', crc32($type . $data));
}

# A PNG whose samples are all $value: 8 bits RGB, or grey of 8 or 16 bits.
sub png_bytes
{
	my ($kind, $value) = @_;
	my ($bits, $color, $sample) =
	  $kind eq 'rgb' ? (8, 2, pack('C3', ($value) x 3))
	  : $kind eq 'grey16' ? (16, 0, pack('n', $value))
	  :                     (8, 0, pack('C', $value));
	my $row = "\0" . $sample x WIDTH;

	return "\x89PNG\r\n\x1a\n"
	  . chunk('IHDR', pack('NNCCCCC', WIDTH, HEIGHT, $bits, $color, 0, 0, 0))
	  . chunk('IDAT', compress($row x HEIGHT))
	  . chunk('IEND', '');
}

sub png
{
	my ($self, $name, $kind, $value) = @_;

	$self->write($name, png_bytes($kind || 'rgb', defined $value ? $value : 90));
	return;
}

# Organised points, (x, y, z) of one value each, uncompressed, little endian.
sub tiff
{
	my ($self, $name, $z) = @_;
	my $data = '';
	my @entries = (
		[256, 4, 1, WIDTH], [257, 4, 1, HEIGHT],
		[258, 3, 3, 8],     # bits per sample, at 8
		[259, 3, 1, 1], [262, 3, 1, 2],
		[273, 4, 1, 20],    # pixels, at 20
		[277, 3, 1, 3], [278, 4, 1, HEIGHT],
		[279, 4, 1, WIDTH * HEIGHT * 12],
		[339, 3, 3, 14]);   # sample format, at 14

	for my $y (0 .. HEIGHT - 1)
	{
		$data .= pack('f<3', $_ / 1000, $y / 1000, $z) for 0 .. WIDTH - 1;
	}
	$self->write($name,
		'II' . pack('vV', 42, 20 + length $data)
		  . pack('v3', (32) x 3) . pack('v3', (3) x 3) . $data
		  . pack('v', scalar @entries)
		  . join('', map { pack('vvVV', @$_) } @entries) . pack('V', 0));
	return;
}

# One scan of Eyecandies, nearest depth 1 and farthest 3 metres.
sub eyecandy
{
	my ($self, $scan, $bumps) = @_;

	$self->png("${scan}_image_4.png");
	$self->png("${scan}_normals.png", 'rgb', 128);
	$self->png("${scan}_depth.png", 'grey16', 32768);
	$self->png("${scan}_mask.png", 'grey8', $bumps ? 1 : 0);
	$self->write("${scan}_info_depth.yaml",
		"normalization:\n  max: 3.0\n  min: 1.0\n");
	$self->write("${scan}_metadata.yaml",
		"anomalous: $bumps\nanomalous_bumps: $bumps\nanomalous_dents: 0\n"
		  . "anomalous_colors: 0\nanomalous_normals: 0\n");
	return;
}

# Start mmrd-load against a node's database; it and its output.
sub start_load
{
	my ($node, @arguments) = @_;
	my $self = { out => '', err => '' };

	local $ENV{PGHOST} = $node->host;
	local $ENV{PGPORT} = $node->port;
	local $ENV{PGDATABASE} = 'postgres';
	$self->{run} = IPC::Run::start([ 'mmrd-load', @arguments ], '<',
		\undef, '>', \$self->{out}, '2>', \$self->{err}, IPC::Run::timer(300));
	return $self;
}

# Its exit status (or "signal N") and what it wrote.
sub mmrd_load
{
	my $load = start_load(@_);

	return finish($load);
}

sub finish
{
	my ($load) = @_;

	$load->{run}->finish;
	my $status = $load->{run}->full_result(0);
	$status = $status & 127 ? 'signal ' . ($status & 127) : $status >> 8;
	return ($status, $load->{out}, $load->{err});
}

1;
