# tests/t/MmrdJobs.pm
#	Small helpers of the TAP tests of training jobs.
package MmrdJobs;

use strict;
use warnings;
use Exporter 'import';
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time sleep);

our @EXPORT = qw(options start state wait_for bits refused until_true
  epochs_done temporary_files);

# As little work as a training can be: options('"epochs": 3, ...').
sub options
{
	my ($more) = @_;

	return '{"input_size": 64, "prototypes": [1, 1, 1]'
	  . ($more ? ", $more" : '') . '}';
}

# Start a job and return its number: start($node, $arguments, %connection).
sub start
{
	my ($node, $arguments, %with) = @_;

	return $node->safe_psql('postgres',
		"SELECT mmrd_train_start($arguments)", %with);
}

sub state
{
	my ($node, $job) = @_;

	return $node->safe_psql('postgres',
		"SELECT state FROM mmrd.jobs WHERE job = $job");
}

# The state at the end of a job, after 10 minutes at most.
sub wait_for
{
	my ($node, $job) = @_;

	return $node->safe_psql('postgres', "SELECT mmrd_wait($job, '10 min')");
}

# Everything a training made, to the bit: of the version that a job made.
sub bits
{
	my ($node, $job) = @_;

	return $node->safe_psql('postgres', qq{
		SELECT v.scans, encode(v.scans_sha256, 'hex'), v.loss,
			(SELECT count(*) || md5(string_agg(
				t.name || t.part || md5(t.data), ',' ORDER BY t.name, t.part))
				FROM mmrd.tensors t WHERE t.version = v.id),
			(SELECT md5(string_agg(p::text, ',' ORDER BY modality, stage, ordinal))
				FROM (SELECT modality, stage, ordinal, vector FROM mmrd.prototypes
					WHERE version = v.id) p),
			(SELECT md5(string_agg(threshold::text || pixel_threshold
				|| scores::text, ',')) FROM mmrd.calibrations c
				WHERE c.version = v.id)
		FROM mmrd.jobs j JOIN mmrd.models m ON m.name = j.model
			JOIN mmrd.versions v ON v.model = m.id AND v.version = j.version
		WHERE j.job = $job});
}

# The error that a statement ends with; '' when it does not.
sub refused
{
	my ($node, $sql, %with) = @_;
	my ($status, $out, $err) = $node->psql('postgres', $sql, %with);

	return $status == 0 ? '' : $err;
}

# Poll a condition, each 50 ms for 3 minutes; seconds until it held, or undef.
sub until_true
{
	my ($condition) = @_;
	my $start = time;

	while (time - $start < 400)
	{
		return time - $start if $condition->();
		sleep 0.05;
	}
	return undef;
}

# Wait until a running job has done so many epochs.
sub epochs_done
{
	my ($node, $job, $epochs) = @_;

	return defined until_true(sub {
		$node->safe_psql('postgres', "SELECT coalesce(max(epoch), 0) >= $epochs
			FROM mmrd.epochs WHERE job = $job") eq 't';
	});
}

sub temporary_files
{
	my ($node) = @_;
	my @files = glob($node->data_dir . '/base/pgsql_tmp/*');

	return scalar @files;
}

1;
