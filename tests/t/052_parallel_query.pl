# tests/t/052_parallel_query.pl
#	Parallel workers: planned with the documented setting alone, one thread
#	each, one copy of the model, and the bits of a serial query.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time sleep);
use MmrdCache;
use MmrdSession;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', "mmrd.threads = 4\nmmrd.total_threads = 4\nmmrd.progress = off");
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION mmrd;
	-- few rows on a page: workers take turns page by page
	CREATE TABLE scans WITH (fillfactor = 10) AS SELECT * FROM mmrd_synthesize(24, 1);
	ANALYZE scans;
});
$node->safe_psql('postgres', train(1));
my $one = MmrdSession->new($node);
my $watcher = MmrdSession->new($node);

# Every statement that a user would write.
my %statements = (
	'list' => 'SELECT id, mmrd_score(rgb, aux) FROM scans',
	'filter' => 'SELECT id FROM scans WHERE mmrd_score(rgb, aux) > 0.5',
	'inspect' => 'SELECT id, (i).score, (i).area FROM (SELECT id, mmrd_inspect(rgb, aux) AS i FROM scans OFFSET 0) s',
	'aggregate' => 'SELECT max(mmrd_score(rgb, aux)) FROM scans',
	'table' => 'CREATE TABLE t AS SELECT id, mmrd_score(rgb, aux) FROM scans',
	'gathered' => scores_gathered(),
);
$one->query('SET max_parallel_workers_per_gather = 0');
my $serial = $one->query(scores_gathered());
my $inspected = q{SELECT md5(string_agg(i::text, ',' ORDER BY id)) FROM
	(SELECT id, mmrd_inspect(rgb, aux) AS i FROM scans OFFSET 0) s};
my $serial_maps = $one->query($inspected);
is($one->query(scores()), $serial, 'two ways to ask for the same');
$one->query('RESET max_parallel_workers_per_gather');
unlike($one->query("EXPLAIN $statements{list}"), qr/Workers/, 'a small table has no workers');
$one->query('ALTER TABLE scans SET (parallel_workers = 2)');
for my $kind (sort keys %statements)
{
	like($one->query("EXPLAIN $statements{$kind}"), qr/Workers Planned: 2/, "$kind: with the setting it has");
}
like($one->query("EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) $statements{list}"), qr/Workers Launched: 2/, 'and gets them');
for my $workers (1, 2, 4)
{
	$one->query("ALTER TABLE scans SET (parallel_workers = $workers); SET max_parallel_workers_per_gather = $workers");
	for my $leader ('on', 'off')
	{
		$one->query("SET parallel_leader_participation = $leader");
		is($one->query(scores_gathered()), $serial, "$workers workers, leader $leader: the same bits");
	}
}
is($one->query($inspected), $serial_maps, 'of every map, too');
is(cached($watcher, 'count(*), min(users)'), '1|1', 'from one copy, which the workers have given back');

# While they run: what they have in common, and their threads.
my $workers = q{SELECT string_agg(pid::text, ' ') FROM pg_stat_activity WHERE backend_type = 'parallel worker'};
my $long = 'SELECT count(mmrd_score(rgb, aux)) FROM scans, generate_series(1, 1000)';
is($one->query(q{SELECT pg_relation_size('scans') / 8192 >= 3}), 't', 'three pages, for three processes');
$one->query('ALTER TABLE scans SET (parallel_workers = 2); SET max_parallel_workers_per_gather = 2');
$one->query('SET parallel_leader_participation = on');
like($one->query("EXPLAIN $long"), qr/Workers Planned: 2/, 'a long query');
$one->send($long);
my ($users, %threads) = (0);
for (1 .. 300)
{
	sleep 0.1;
	$users = cached($watcher, 'users');
	my @pids = split ' ', $watcher->query($workers);
	for my $pid (@pids)
	{
		my @tasks = glob("/proc/$pid/task/*");

		$threads{$pid} = @tasks if @tasks > ($threads{$pid} || 0);
	}
	last if $users eq '3' && @pids == 2;
}
is($users, '3', 'the leader and two workers share one copy');
is(join(' ', values %threads), '1 1', 'each worker has one thread');
like($watcher->query('SELECT taken, sessions FROM mmrd_threads_taken()'), qr/^[2-4]\|3$/, 'within the budget');
$watcher->query("SELECT pg_cancel_backend($one->{pid})");
(undef, my $errors) = $one->answer;
like($errors, qr/canceling statement due to user request/, 'cancelled');
ok($watcher->poll('SELECT taken, sessions FROM mmrd_threads_taken()', '0|0'), 'all threads are given back');
ok($watcher->poll('SELECT users FROM mmrd.cache', '1'), 'and the workers gone');

# A model that nobody has loaded: one of them does.
$one->quit;
ok($watcher->poll('SELECT users FROM mmrd.cache', '0'), 'nobody uses it');
$watcher->query('SELECT mmrd_cache_clear()');
is(cached($watcher, 'count(*)'), '0', 'no model in memory');
$one = MmrdSession->new($node);
is($one->query(scores_gathered()), $serial, 'workers load it');
is(cached($watcher, 'hits + 1'), '24', 'once');

# A model that is not committed: workers see it, and share it with nobody.
$one->query('BEGIN');
$one->query(train(2));
like($one->query('EXPLAIN ' . scores_gathered()), qr/Workers Planned: 2/, 'workers in a transaction that has trained');
my $uncommitted = $one->query(scores_gathered());
is($one->query(scores()), $uncommitted, 'score with its model');
isnt($uncommitted, $serial, 'which is another one');
is(cached($watcher, 'count(*)'), '1', 'and not for others');
$one->query('ROLLBACK');
is($one->query(scores_gathered()), $serial, 'rolled back');
is(join("\n", grep { /WARNING|terminated by signal|PANIC/ && !/rests on only/ } split /\n/, slurp_file($node->logfile)),
	'', 'no warning in the log');

done_testing();
