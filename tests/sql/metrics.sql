-- Aggregates and evaluation: known numbers, ties, empty classes, masks.
DROP EXTENSION mmrd CASCADE;
CREATE EXTENSION mmrd;
SET mmrd.progress = off;
SET mmrd.threads = 1;
\pset format unaligned
\set SHOW_CONTEXT never

CREATE FUNCTION refused(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	detail text;
	hint text;
BEGIN
	EXECUTE query;
	RETURN 'accepted';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL,
		hint = PG_EXCEPTION_HINT;
	RETURN concat_ws(E'\n', SQLSTATE || ': ' || SQLERRM,
		'  ' || nullif(detail, ''), '  ' || nullif(hint, ''));
END $$;

-- By hand: of 2 x 3 pairs 4 are in order and 1 ties: (4 + 1/2) / 6.
SELECT mmrd_auroc(s, l), mmrd_average_precision(s, l), mmrd_f1_max(s, l)
FROM (VALUES (0.9, true), (0.8, false), (0.7, true), (0.7, false), (0.1, false)) v (s, l);
SELECT mmrd_auroc(s, l), mmrd_average_precision(s, l), mmrd_f1_max(s, l)
FROM (VALUES (1.0, false), (2.0, true)) v (s, l);
SELECT mmrd_auroc(s, l), mmrd_average_precision(s, l), mmrd_f1_max(s, l)
FROM (VALUES (1.0, true), (2.0, false)) v (s, l);
SELECT mmrd_auroc(1, i % 2 = 0) FROM generate_series(1, 10) i;
SELECT mmrd_auroc(s, l) FROM (VALUES ('-inf'::float8, false), ('inf', true), (NULL, true), (0, NULL)) v (s, l);

-- No answer.
SELECT mmrd_auroc(i, true), mmrd_average_precision(i, false), mmrd_f1_max(i, NULL) FROM generate_series(1, 3) i;
SELECT mmrd_auroc(1, true), mmrd_average_precision(1, true), mmrd_f1_max(1, true) WHERE false;
SELECT refused($$SELECT mmrd_auroc('NaN', true)$$);

-- The same in one piece and in parts by parallel workers.
CREATE TABLE scored AS SELECT i AS id, (i * 7919 % 1009)::float8 AS score,
	i * 31 % 97 < 20 + (i * 7919 % 1009) / 30 AS label FROM generate_series(1, 20000) i;
CREATE TABLE whole AS SELECT mmrd_auroc(score, label) AS a, mmrd_average_precision(score, label) AS p,
	mmrd_f1_max(score, label) AS f FROM scored;
SELECT a BETWEEN 0.5 AND 1 AS a, p BETWEEN 0 AND 1 AS p, f BETWEEN 0 AND 1 AS f FROM whole;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
EXPLAIN (COSTS OFF) SELECT mmrd_auroc(score, label) FROM scored;
SELECT a = mmrd_auroc(score, label) AS a, p = mmrd_average_precision(score, label) AS p,
	f = mmrd_f1_max(score, label) AS f FROM scored, whole GROUP BY a, p, f;
SELECT (SELECT mmrd_auroc(score, label) FROM scored) = a AS same FROM whole;
-- By definition: all pairs counted.
SELECT abs(a - (SELECT avg(CASE WHEN p.score > n.score THEN 1.0 WHEN p.score = n.score THEN 0.5 ELSE 0 END)
	FROM (SELECT * FROM scored WHERE label LIMIT 300) p, (SELECT * FROM scored WHERE NOT label LIMIT 300) n)) < 1e-12 AS pairs
FROM (SELECT mmrd_auroc(score, label) AS a FROM
	((SELECT * FROM scored WHERE label LIMIT 300) UNION ALL (SELECT * FROM scored WHERE NOT label LIMIT 300)) s) m;
-- As a window, which keeps its state.
SELECT i, l, mmrd_auroc(i, l) OVER (ORDER BY i) FROM (VALUES (1, false), (2, true), (3, false), (4, true)) v (i, l);

-- Synthetic scans.
SELECT id, anomalous, mask IS NOT NULL AS mask, substr(rgb, 1, 4) AS rgb, substr(aux, 2, 3) AS aux
FROM mmrd_synthesize(4, 3, 0.5);
SELECT count(*) FROM mmrd_synthesize(0);
SELECT (SELECT md5(string_agg(rgb, '' ORDER BY id)) FROM mmrd_synthesize(2, 7))
	= (SELECT md5(string_agg(rgb, '' ORDER BY id)) FROM mmrd_synthesize(2, 7)) AS same,
	(SELECT md5(string_agg(rgb, '' ORDER BY id)) FROM mmrd_synthesize(2, 8))
	= (SELECT md5(string_agg(rgb, '' ORDER BY id)) FROM mmrd_synthesize(2, 7)) AS other;
SELECT refused('SELECT mmrd_synthesize(-1)');
SELECT refused('SELECT mmrd_synthesize(1, 1, 1.5)');
SELECT refused($$SELECT mmrd_synthesize(1, 1, 'NaN')$$);

-- Evaluation in one pass equals the aggregates over inspections.
CREATE TABLE scans AS SELECT * FROM mmrd_synthesize(6, 1);
CREATE TABLE test AS SELECT *, CASE WHEN anomalous THEN mask END AS truth FROM mmrd_synthesize(8, 2, 0.5);
SELECT version FROM mmrd_train('scans', options => '{"epochs": 2, "input_size": 64, "prototypes": [2, 2, 2]}');
CREATE TABLE evaluated AS SELECT * FROM mmrd_evaluate('test', label => 'anomalous', mask => 'mask');
CREATE TABLE seen AS SELECT t.id, t.anomalous, t.mask, i.score, i.map FROM test t, LATERAL mmrd_inspect(t.rgb, t.aux) i;
SELECT scans, image_auroc = mmrd_auroc(s.score, s.anomalous) AS image_auroc,
	image_ap = mmrd_average_precision(s.score, s.anomalous) AS image_ap,
	f1_max = mmrd_f1_max(s.score, s.anomalous) AS f1_max,
	abs(aupro_30 - mmrd_aupro(s.map, s.mask)) < 0.01 AS aupro_30,
	abs(aupro_01 - mmrd_aupro(s.map, s.mask, 0.01)) < 0.05 AS aupro_01,
	pixel_auroc BETWEEN 0 AND 1 AS pixel_auroc, pixel_ap BETWEEN 0 AND 1 AS pixel_ap, seconds > 0 AS seconds
FROM evaluated, seen s GROUP BY evaluated.*, scans, image_auroc, image_ap, f1_max, aupro_30, aupro_01, pixel_auroc, pixel_ap, seconds;
-- The mask alone says which scans are anomalous.
SELECT (e.image_auroc, e.aupro_30, e.pixel_auroc) = (f.image_auroc, f.aupro_30, f.pixel_auroc) AS same
FROM mmrd_evaluate('test', mask => 'mask') e, evaluated f;
-- Nothing to compare with; one class; a filter; missing masks.
SELECT scans, image_auroc, pixel_auroc, aupro_30, f1_threshold FROM mmrd_evaluate('test');
SELECT scans, image_auroc, pixel_auroc, aupro_30 FROM mmrd_evaluate('test', label => 'anomalous', mask => 'mask', filter => 'not anomalous');
UPDATE test SET truth = NULL WHERE id = 2;
SELECT scans, aupro_30 IS NULL AS no_aupro FROM mmrd_evaluate('test', label => 'anomalous', mask => 'truth');
SELECT scans FROM mmrd_evaluate('test', filter => 'id > 100');
SELECT refused($$SELECT mmrd_evaluate('test', label => 'id')$$);
SELECT refused($$SELECT mmrd_evaluate('test', mask => 'masks')$$);
SELECT refused($$SELECT mmrd_evaluate('test', 'nobody')$$);
SELECT refused($$SELECT mmrd_evaluate('test', aux => NULL)$$);
SELECT refused($$SELECT mmrd_evaluate(NULL)$$);
UPDATE test SET truth = 'x' WHERE id = 2;
SELECT refused($$SELECT mmrd_evaluate('test', mask => 'truth')$$);
SELECT refused($$SELECT mmrd_aupro(map, 'x') FROM seen$$);
SELECT refused($$SELECT mmrd_aupro(map, mask, 0) FROM seen$$);
SELECT refused($$SELECT mmrd_aupro(map, mask, 2) FROM seen$$);
SELECT refused($$SELECT mmrd_aupro(map, mask, id / 10.0) FROM seen$$);
SELECT mmrd_aupro(map, NULL), mmrd_aupro(NULL, mask) FROM seen;
SELECT mmrd_aupro(map, mask) FROM seen WHERE false;

DROP FUNCTION refused;
DROP TABLE scored, whole, scans, test, evaluated, seen;
