# tests/t/002_leaks.pl
#	A thousand failing calls do not grow the backend.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use MmrdSession;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION mmrd;
	SET mmrd.threads = 1;
	SET mmrd.progress = off;
	CREATE TABLE scans AS SELECT * FROM mmrd_synthesize(4, 1);
	SELECT mmrd_train('scans', options => '{"epochs": 1, "input_size": 64, "prototypes": [1, 1, 1]}');
	CREATE TABLE one AS SELECT s.*, i.map, substr(s.rgb, 1, 5000) AS cut FROM scans s,
		LATERAL mmrd_inspect(s.rgb, s.aux) i WHERE id = 1;
	-- the second image in the order of training is broken
	CREATE TABLE broken AS SELECT id, rgb, aux FROM scans;
	UPDATE broken SET aux = substr(aux, 1, 5000) WHERE id = (SELECT id FROM scans
		ORDER BY sha256(rgb) OFFSET 1 LIMIT 1);
	-- a safetensors file whose only tensor is large enough to see
	CREATE TABLE files AS SELECT decode('4000000000000000', 'hex')
		|| convert_to(rpad('{"x":{"dtype":"F32","shape":[250000],"data_offsets":[0,1000000]}}', 64), 'UTF8')
		|| decode(repeat('00', 1000000), 'hex') AS file;
});

my %failing = (
	'not an image' => q{SELECT mmrd_score('x', aux) FROM one},
	'cut RGB' => q{SELECT mmrd_score(cut, aux) FROM one},
	'cut aux' => q{SELECT mmrd_inspect(rgb, substr(aux, 1, 5000)) FROM one},
	'modality' => q{SELECT mmrd_score(rgb) FROM one},
	'model' => q{SELECT mmrd_score(rgb, aux, 'x') FROM one},
	'map' => q{SELECT (left(map::text, 900))::mmrd_map FROM one},
	'palette' => q{SELECT mmrd_png(map, 'x') FROM one},
	'overlay' => q{SELECT mmrd_overlay(cut, map) FROM one},
	'mask' => q{SELECT mmrd_aupro(map, cut) FROM one, generate_series(1, 2)},
	'score' => q{SELECT mmrd_auroc(CASE WHEN i < 5000 THEN i ELSE 'NaN' END, true) FROM generate_series(1, 5000) i},
	'weights' => q{SELECT mmrd_import_teacher('t', file) FROM files},
	'training' => q{SELECT mmrd_train('broken', options => '{"input_size": 64}')},
	'options' => q{SELECT mmrd_train('scans', options => '{"epoch": 1}')},
	'evaluate' => q{SELECT mmrd_evaluate('broken', 'scans', filter => 'length(aux) = 5000')},
	'condition' => q{SELECT mmrd_evaluate('scans', filter => '1 / (id - 1) > 0')},
);

# Resident memory and PostgreSQL's own count, in kB.
sub memory
{
	my ($s) = @_;

	return ($s->resident, $s->query(
		'SELECT sum(total_bytes) / 1024 FROM pg_backend_memory_contexts') + 0);
}

for my $name (sort keys %failing)
{
	my $session = MmrdSession->new($node);
	my $sql = $failing{$name};

	# Starting threads takes long on a busy machine: for one kind only.
	$session->query('SET mmrd.threads = '
		. ($name eq 'not an image' ? 2 : 1));
	my (undef, $errors) = $session->repeat($sql, 100);
	my $failed = () = $errors =~ /ERROR/g;

	is($failed, 100, "$name: fails");
	my ($resident, $contexts) = memory($session);

	(undef, $errors) = $session->repeat($sql, 1000);
	my ($resident2, $contexts2) = memory($session);

	# 1,000 leaks of the smallest of these objects, a map's 16 kB, are 16 MB.
	note("$name: resident $resident -> $resident2 kB, contexts $contexts -> $contexts2 kB");
	cmp_ok($resident2 - $resident, '<', 4096, "$name: resident memory stays");
	cmp_ok($contexts2 - $contexts, '<', 64, "$name: contexts stay");
	is($session->threads, 1, "$name: one thread");
	is($session->query(q{SELECT count(*) FROM pg_backend_memory_contexts
		WHERE name LIKE 'mmrd%' AND name NOT IN ('mmrd cache', 'mmrd working memory')}), '0',
		"$name: no memory of ours");
	$session->quit;
}

# The same inside one transaction: each failure is caught by a block.
my $session = MmrdSession->new($node);
$session->query('SET mmrd.threads = 1');
my $caught = q{DO $$
BEGIN
	FOR i IN 1..%d LOOP
		BEGIN
			PERFORM mmrd_inspect(rgb, cut) FROM one;
		EXCEPTION WHEN data_exception THEN
			NULL;
		END;
	END LOOP;
END $$};
$session->query(sprintf $caught, 100);
my ($resident, $contexts) = memory($session);
$session->query(sprintf $caught, 1000);
my ($resident2, $contexts2) = memory($session);
note("caught: resident $resident -> $resident2 kB, contexts $contexts -> $contexts2 kB");
cmp_ok($resident2 - $resident, '<', 4096, 'caught: resident memory stays');
cmp_ok($contexts2 - $contexts, '<', 64, 'caught: contexts stay');

done_testing();
