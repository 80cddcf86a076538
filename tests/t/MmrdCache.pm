# tests/t/MmrdCache.pm
#	Looking at the models that a server has in memory.
package MmrdCache;

use strict;
use warnings;
use Exporter 'import';

our @EXPORT = qw(train scores scores_gathered cached mapped);

# A version of a model that trains within a second; its weights take 77 MB.
sub train
{
	my ($seed, $more) = @_;

	$more = '' if !defined $more;
	return qq{SELECT version FROM mmrd_train('scans', options => '{"epochs": 1, "bn_epochs": 1,
		"input_size": 64, "prototypes": [1, 1, 1], "deploy": "always", "seed": $seed$more}')};
}

# Every bit of every score.
sub scores
{
	return q{SELECT md5(string_agg(float4send(mmrd_score(rgb, aux))::text, ',' ORDER BY id)) FROM scans};
}

# The same, below a Gather where the planner wants one: workers do not
# aggregate in order.
sub scores_gathered
{
	return q{SELECT md5(string_agg(float4send(score)::text, ',' ORDER BY id))
		FROM (SELECT id, mmrd_score(rgb, aux) AS score FROM scans OFFSET 0) s};
}

# Columns of mmrd.cache, by default of this database.
sub cached
{
	my ($session, $columns, $where) = @_;

	$where = 'database = current_database()' if !defined $where;
	return scalar $session->query(
		"SELECT $columns FROM (SELECT * FROM mmrd.cache WHERE $where ORDER BY version, shared) c");
}

# Large pieces of dynamic shared memory that a session has mapped, as
# "permissions path": weights, for nothing else here is as large.
sub mapped
{
	my ($session) = @_;
	my @found;

	open my $maps, '<', "/proc/$session->{pid}/maps" or die "maps: $!";
	while (<$maps>)
	{
		my ($from, $to, $permissions, $path) =
		  m{^(\w+)-(\w+) (\S+) .*(/dev/shm/PostgreSQL\.\d+)} or next;
		push @found, "$permissions $path" if hex($to) - hex($from) > 50 << 20;
	}
	@found = sort @found;
	return @found;
}

1;
