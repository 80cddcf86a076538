# tests/t/075_scale.pl
#	The recipes of docs/scale.md on servers of their own: models trained on one
#	server score on others, with the same bits.
#
#	hub			trains and publishes its models; knows the lines by postgres_fdw
#	replica		a hot standby of the hub
#	line1, 2	servers with scans of their own and models of the hub
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use MmrdJobs;
use MmrdSession;

my $conf = "mmrd.threads = 1\nmmrd.progress = off";
my $hub = PostgreSQL::Test::Cluster->new('hub');
$hub->init(allows_streaming => 'logical');
$hub->append_conf('postgresql.conf', "$conf\nwal_keep_size = 4GB");
$hub->start;
my $main = MmrdSession->new($hub);

my $small = options('"epochs": 1, "deploy": "always", "threshold_fpr": 0.5');
my $train = qq{SELECT version FROM mmrd_train('scans', 'm', options => '$small')};

# Every bit of scores, maps and thresholds of the same scans on any server.
sub scores
{
	my ($model) = @_;

	return qq{SELECT md5(string_agg(float4send(i.score)::text || i.version
			|| i.threshold || i.map::text, ',' ORDER BY t.id))
		FROM mmrd_synthesize(3, 2, 0.5) t, LATERAL mmrd_inspect(t.rgb, t.aux, '$model') i};
}

$main->query('CREATE EXTENSION mmrd');
$main->query('CREATE TABLE scans AS SELECT * FROM mmrd_synthesize(5, 1)');
is($main->query($train), '1', 'a model on the hub');
my $import = q{SELECT mmrd_import_model('imported', overlay(f PLACING '\x0000' FROM
		11 + get_byte(f, 0) + (get_byte(f, 1) << 8) + (get_byte(f, 2) << 16) +
		(convert_from(substr(f, 9, get_byte(f, 0) + (get_byte(f, 1) << 8) + (get_byte(f, 2) << 16)), 'UTF8')::jsonb
			-> 'teacher.conv1.weight' -> 'data_offsets' ->> 0)::integer))
	FROM mmrd_export_model('m', 1) f};
is($main->query($import), '1', 'and one with a teacher of its own');
my %expected = map { $_ => scalar $main->query(scores($_)) } qw(m imported);
like($expected{m}, qr/^[0-9a-f]{32}$/, 'which score');
isnt($expected{m}, $expected{imported}, 'differently');

# ---- a read replica ----

$hub->backup('backup');
my $replica = PostgreSQL::Test::Cluster->new('replica');
$replica->init_from_backup($hub, 'backup', has_streaming => 1);
$replica->append_conf('postgresql.conf', 'hot_standby_feedback = on');
$replica->start;
my $reader = MmrdSession->new($replica);
sub follow { $hub->wait_for_catchup($replica, 'replay', $hub->lsn('insert')) }

follow();
is($reader->query(scores($_)), $expected{$_}, "a replica scores with \"$_\", bit for bit") for sort keys %expected;
my $parallel = q{SELECT id, float4send(mmrd_score(rgb, aux, 'm')) FROM scans};
$main->query('ALTER TABLE scans SET (parallel_workers = 2)');
follow();
$reader->query('SET parallel_setup_cost = 0; SET min_parallel_table_scan_size = 0');
like($reader->query("EXPLAIN $parallel"), qr/Workers Planned: 2/, 'a replica scores in parallel');
my @rows = map { join "\n", sort split /\n/, $_->query($parallel) } $reader, $main;
like($rows[0], qr/^1\|\\x[0-9a-f]{8}\n2\|/, 'every scan');
is($rows[0], $rows[1], 'to the same bits');
my (undef, $errors) = $reader->query($train);
like($errors, qr/cannot execute mmrd_train\(\) during recovery/, 'and trains nothing');

# ---- models by logical replication ----

$main->query(q{CREATE PUBLICATION mmrd_models FOR TABLE
	mmrd.teachers WHERE (id > 0), mmrd.models, mmrd.versions, mmrd.tensors,
	mmrd.prototypes, mmrd.deployments, mmrd.calibrations, mmrd.model_users});

# Nothing that scoring needs is left out: every table that the extension
# dumps, but what belongs to jobs and results.
is($main->query(q{SELECT string_agg(c.oid::regclass::text, ' ' ORDER BY c.oid::regclass::text)
	FROM pg_extension, unnest(extconfig) o JOIN pg_class c ON c.oid = o AND c.relkind = 'r'
	WHERE extname = 'mmrd' AND o NOT IN (SELECT prrelid FROM pg_publication_rel)
		AND c.relname NOT IN ('attachments', 'pending', 'results')}),
	'mmrd.epochs mmrd.trainings', 'what is not published');

# Roles go by name: with another number there.
$main->query('CREATE ROLE inspector');
$main->query(q{SELECT mmrd_allow('imported', 'inspector')});

my %line;
for my $n (1, 2)
{
	my $node = PostgreSQL::Test::Cluster->new("line$n");

	$node->init;
	$node->append_conf('postgresql.conf', "$conf\nlog_statement = all");
	$node->start;
	my $from = $hub->connstr('postgres') =~ s/'/''/gr;
	$node->safe_psql('postgres', qq{
		CREATE ROLE visitor;
		CREATE ROLE inspector;
		CREATE EXTENSION mmrd;
		CREATE SUBSCRIPTION line$n CONNECTION '$from' PUBLICATION mmrd_models;
		CREATE TABLE scans AS SELECT id, $n AS line, rgb, aux FROM mmrd_synthesize(4, 10 * $n, 0.5);
		CREATE VIEW scored AS
			SELECT s.id, s.line, i.score, i.anomalous, i.version
			FROM scans s, LATERAL mmrd_inspect(s.rgb, s.aux, 'm') i});
	$line{$n} = { node => $node, session => MmrdSession->new($node) };
}

# Until a subscriber has everything that is committed here.
sub arrive
{
	for my $n (sort keys %line)
	{
		$hub->wait_for_catchup("line$n", 'replay', $hub->lsn('write'));
	}
}
for my $n (sort keys %line)
{
	ok($line{$n}{session}->poll(q{SELECT bool_and(srsubstate = 'r') FROM pg_subscription_rel}, 't'),
		"line $n has copied the models");
}
arrive();

sub same_everywhere
{
	my ($what) = @_;

	for my $model (qw(m imported))
	{
		my $here = $main->query(scores($model));

		like($here, qr/^[0-9a-f]{32}$/, "$what: the hub scores with \"$model\"");
		is($line{$_}{session}->query(scores($model)), $here, "$what: line $_ does, bit for bit")
		  for sort keys %line;
	}
}
same_everywhere('copied');

$line{1}{session}->query('SET ROLE visitor');
my $look = q{SELECT mmrd_score(rgb, aux, 'imported') > 0 FROM mmrd_synthesize(1, 1)};
(undef, $errors) = $line{1}{session}->query($look);
like($errors, qr/permission denied for model "imported"/, 'who may not use a model there, may not here');
$line{1}{session}->query('SET ROLE inspector');
is($line{1}{session}->query($look), 't', 'who may, may');
$line{1}{session}->query('RESET ROLE');

# What happens to a model there happens here, in sessions that are there.
my $deployed = q{SELECT version FROM mmrd_inspect((SELECT rgb FROM scans LIMIT 1), (SELECT aux FROM scans LIMIT 1), 'm')};
is($main->query($train), '2', 'a second version');
arrive();
is($line{1}{session}->query($deployed), '2', 'is deployed on the lines');
same_everywhere('deployed');
$main->query(q{SELECT mmrd_calibrate('m', 'scans', fpr => 0.25)});
arrive();
same_everywhere('calibrated');
is($main->query(q{SELECT mmrd_rollback('m')}), '1', 'rolled back');
arrive();
is($line{2}{session}->query($deployed), '1', 'also on the lines');
same_everywhere('rolled back');
is($main->query(q{SELECT mmrd_drop_version('m', 2)}), '', 'dropped');
arrive();
my $left = 'SELECT (SELECT count(*) FROM mmrd.versions), (SELECT count(*) FROM mmrd.tensors),
	(SELECT count(*) FROM mmrd.prototypes), (SELECT count(*) FROM mmrd.deployments),
	(SELECT count(*) FROM mmrd.calibrations), (SELECT count(*) FROM mmrd.teachers)';
is($line{1}{session}->query($left), $main->query($left), 'with all that belongs to it');
same_everywhere('dropped');

# ---- partitions on several servers ----

$main->query('CREATE EXTENSION postgres_fdw');
$main->query(q{CREATE TABLE scored (id integer, line integer, score real, anomalous boolean, version integer)
	PARTITION BY LIST (line)});
$main->query(q{CREATE TABLE images (id integer, line integer, rgb bytea, aux bytea) PARTITION BY LIST (line)});
for my $n (sort keys %line)
{
	my $node = $line{$n}{node};
	my ($host, $port) = ($node->host, $node->port);

	$main->query(qq{CREATE SERVER line$n FOREIGN DATA WRAPPER postgres_fdw
		OPTIONS (host '$host', port '$port', dbname 'postgres', async_capable 'true')});
	$main->query("CREATE USER MAPPING FOR CURRENT_USER SERVER line$n");
	$main->query("CREATE FOREIGN TABLE scored_$n PARTITION OF scored FOR VALUES IN ($n)
		SERVER line$n OPTIONS (table_name 'scored')");
	$main->query("CREATE FOREIGN TABLE images_$n PARTITION OF images FOR VALUES IN ($n)
		SERVER line$n OPTIONS (table_name 'scans')");
}

# The plan, and what each server was really asked.
sub explain { return scalar $main->query("EXPLAIN (VERBOSE, COSTS OFF) $_[0]") }
sub remote
{
	my ($plan) = @_;
	return join "\n", $plan =~ /Remote SQL: (.*)/g;
}

sub asked
{
	my ($n, $query) = @_;
	my $log = $line{$n}{node}->logfile;
	my $offset = -s $log;

	$main->query($query);
	return slurp_file($log, $offset);
}

my $worst = 'SELECT line, id, score, version FROM scored WHERE score > 0';
my $plan = explain($worst);
is(() = $plan =~ /Async Foreign Scan/g, 2, 'both servers are asked at once');
is(() = remote($plan) =~ /FROM public\.scored/g, 2, 'for scores');
unlike(remote($plan), qr/rgb|aux/, 'and for no images');
like(remote($plan), qr/score > /, 'the condition is for them to check');
like(asked($_, $worst), qr/SELECT id, line, score, version FROM public\.scored/, "line $_ is asked for scores")
  for 1, 2;
unlike(asked($_, $worst), qr/rgb|aux/, "line $_ sends no images") for 1, 2;

# Sorted there, they come one after the other; sorted here, at once.
unlike(explain("$worst ORDER BY score DESC"), qr/Async/, 'servers that sort are asked in turn');
$plan = explain("WITH s AS MATERIALIZED ($worst) SELECT * FROM s ORDER BY score DESC");
is(() = $plan =~ /Async Foreign Scan/g, 2, 'where the hub sorts, at once');

# The other way round, to see that this says something.
my $fetched = q{SELECT line, id, mmrd_score(rgb, aux, 'm') AS score FROM images};
like(remote(explain($fetched)), qr/rgb, aux/, 'a score computed here fetches images');
like(asked(1, $fetched), qr/rgb, aux/, 'and they do come');

my $bits = q{SELECT md5(string_agg(line || ' ' || id || float4send(score)::text, ',' ORDER BY line, id)) FROM};
my $there = $main->query("$bits scored");
like($there, qr/^[0-9a-f]{32}$/, 'scores from there');
is($there, $main->query("$bits ($fetched) f"), 'are the scores of here, bit for bit');
is($main->query('SELECT count(*), count(DISTINCT score), min(version), max(version) FROM scored'), '8|8|1|1',
	'all scans, by one version');

$plan = explain('SELECT id, score FROM scored WHERE line = 2');
is(() = $plan =~ /Foreign Scan/g, 1, 'one line is one server');
$main->query('SET enable_partitionwise_aggregate = on');
$plan = explain('SELECT line, count(*) FILTER (WHERE anomalous), max(score) FROM scored GROUP BY line');
is(() = remote($plan) =~ /max\(score\).* GROUP BY/g, 2, 'sums are made there');
is(() = $plan =~ /Async Foreign Scan/g, 2, 'at once as well');
$main->query('RESET enable_partitionwise_aggregate');

# A server that is gone is an error that names it, and the others go on.
$line{1}{session}->quit;
$line{1}{node}->stop;
(undef, $errors) = $main->query('SELECT count(score) FROM scored');
like($errors, qr/could not connect to server "line1"|terminat|connection/, 'a server that is down is an error');
is($main->query('SELECT count(score) FROM scored WHERE line = 2'), '4', 'for its own line only');

# What it missed arrives when it is back.
is($main->query($train), '3', 'trained meanwhile');
$line{1}{node}->start;
$line{1}{session} = MmrdSession->new($line{1}{node});
arrive();
same_everywhere('back again');
is($main->query('SELECT min(version), max(version) FROM scored'), '3|3', 'by its newest version');
follow();
is($reader->query(scores('m')), $main->query(scores('m')), 'and so does the replica');

# A line that goes on by itself.
my $alone = $line{2}{session};
$alone->query('DROP SUBSCRIPTION line2');
$alone->query("SELECT setval(pg_get_serial_sequence('mmrd.$_', 'id'), max(id)) FROM mmrd.$_")
  for qw(teachers models versions tensors deployments calibrations);
is($alone->query($train), '4', 'a line on its own trains');
is($alone->query($deployed), '4', 'deploys');
like($alone->query(scores('m')), qr/^[0-9a-f]{32}$/, 'and scores');

$_->quit for $main, $reader, map { $line{$_}{session} } sort keys %line;
done_testing();
