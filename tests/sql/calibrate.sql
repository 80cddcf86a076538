-- Thresholds: the rule, labels, what is too little; and deploying what is
-- better.
DROP EXTENSION mmrd CASCADE;
CREATE EXTENSION mmrd;
SET mmrd.progress = off;
SET mmrd.threads = 1;
\pset format unaligned
\pset tuples_only on
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

-- 4 scans to train on, 9 for the threshold.
CREATE TABLE scans AS SELECT id, rgb, aux, NULL::boolean AS bad, mask, id > 4 AS val
	FROM mmrd_synthesize(13, 1);
SELECT version, threshold > 0 FROM mmrd_train('scans', 'm', aux => NULL,
	filter => 'not val', validation => 'val',
	options => '{"epochs": 1, "input_size": 64, "prototypes": [0, 0, 0], "threshold_fpr": 0.1,
		"teacher": "builtin_random"}');
CREATE TABLE scored AS SELECT s.id, i.score, i.map FROM scans s, mmrd_inspect(s.rgb) i WHERE val;

-- The ceil((n + 1)(1 - fpr))-th smallest of n, and the largest at most: of the
-- scores, and of the value that a share fpr of each map is above (a stored map
-- is exact to a thousandth of its range).
CREATE FUNCTION nth(numbers real[], fpr float8) RETURNS real LANGUAGE sql AS $$
	SELECT (array_agg(x ORDER BY x))[least(cardinality(numbers),
		ceil((cardinality(numbers) + 1) * (1 - fpr) - 1e-9)::integer)]
	FROM unnest(numbers) x
$$;
CREATE FUNCTION quantile(map mmrd_map, fpr float8) RETURNS real LANGUAGE sql AS $$
	SELECT (array_agg(x ORDER BY x))[ceil(count(*) * (1 - fpr) - 1e-9)::integer]
	FROM unnest(map::real[]) x
$$;
SELECT c.method, c.fpr, cardinality(scores),
	scores = (SELECT array_agg(score ORDER BY score) FROM scored) AS scores,
	threshold = (SELECT nth(array_agg(score), 0.1) FROM scored) AS threshold,
	abs(pixel_threshold - (SELECT nth(array_agg(quantile(map, 0.1)), 0.1) FROM scored)) < 0.001 AS pixel
FROM mmrd.calibrations c;
CREATE TABLE anew AS SELECT fpr, mmrd_calibrate('m', 'scans', aux => NULL, filter => 'val', fpr => fpr) AS threshold
FROM unnest('{0.1, 0.2, 0.3, 0.45, 0.5, 0.05}'::real[]) fpr;
SELECT a.fpr, a.threshold = (SELECT nth(array_agg(score), a.fpr::text::float8) FROM scored) AS threshold,
	c.threshold = a.threshold AND c.method = 'calibrate' AS stored,
	abs(pixel_threshold - (SELECT nth(array_agg(quantile(map, a.fpr::text::float8)),
		a.fpr::text::float8) FROM scored)) < 0.001 AS pixel
FROM anew a JOIN mmrd.calibrations c ON c.fpr = a.fpr AND c.method = 'calibrate' ORDER BY c.id;
DROP TABLE anew;
SELECT mmrd_calibrate('m', 'scans', aux => NULL, filter => 'val') =
	(SELECT max(score) FROM scored);

-- The newest row counts, at once, and not when it is rolled back.  At the
-- threshold a score is 0.5, and not anomalous; the unit is the width of the
-- calibration scores.
CREATE VIEW looked AS SELECT s.id, i.* FROM scans s, mmrd_inspect(s.rgb) i WHERE val;
SELECT count(*) FILTER (WHERE anomalous), max(normalized) FROM looked;
BEGIN;
SELECT mmrd_calibrate('m', 'scans', aux => NULL, filter => 'val', fpr => 0.5) AS half \gset
SELECT count(*) FILTER (WHERE anomalous), count(*) FILTER (WHERE score = threshold AND normalized = 0.5),
	bool_and(threshold = :'half'::real),
	bool_and(abs(normalized - greatest(0, least(1, 0.5 + (score - threshold) / (SELECT max(score) - min(score) FROM scored)))) < 1e-5),
	bool_and(anomalous = (normalized > 0.5))
FROM looked;
SELECT bool_and(abs(area - (SELECT count(*) FILTER (WHERE x > c.pixel_threshold) / 4096.0
	FROM unnest(map::real[]) x)) < 0.01)
FROM looked, (SELECT * FROM mmrd.calibrations ORDER BY id DESC LIMIT 1) c;
ROLLBACK;
SELECT count(*) FILTER (WHERE anomalous), max(normalized) FROM looked;

-- Labels: the middle of the gap with the best F1.  Rows without one are not
-- used; the pixel threshold is that of the normal scans.
UPDATE scans s SET bad = r.rank > 6 FROM (SELECT id, rank() OVER (ORDER BY score) FROM scored) r
	WHERE r.id = s.id AND r.rank <> 9;
SELECT mmrd_calibrate('m', 'scans', aux => NULL, filter => 'val', label => 'bad', fpr => 0.3) =
	(SELECT ((array_agg(score::float8 ORDER BY score))[6] + (array_agg(score::float8 ORDER BY score))[7])::float8 / 2
		FROM scored)::real AS middle;
SELECT method, cardinality(scores), threshold > scores[6],
	abs(pixel_threshold - (SELECT nth(array_agg(quantile(map, 0.3)), 0.3) FROM scored JOIN scans USING (id) WHERE NOT bad)) < 0.001
FROM mmrd.calibrations ORDER BY id DESC LIMIT 1;
SELECT l.id, l.anomalous, s.bad FROM looked l JOIN scans s USING (id) WHERE l.anomalous IS DISTINCT FROM s.bad;
-- The lowest score is anomalous: everything would be.
UPDATE scans s SET bad = r.rank <= 8 FROM (SELECT id, rank() OVER (ORDER BY score) FROM scored) r WHERE r.id = s.id;
SELECT mmrd_calibrate('m', 'scans', aux => NULL, filter => 'val', label => 'bad', fpr => 0.5) = (SELECT max(score) FROM scored);
SELECT method, cardinality(scores) FROM mmrd.calibrations ORDER BY id DESC LIMIT 1;
-- One class alone.
UPDATE scans SET bad = false;
SELECT mmrd_calibrate('m', 'scans', aux => NULL, filter => 'val', label => 'bad', fpr => 0.1) = (SELECT max(score) FROM scored);
UPDATE scans SET bad = true;
SELECT refused($$SELECT mmrd_calibrate('m', 'scans', aux => NULL, label => 'bad')$$);

-- Refused.
SELECT refused($$SELECT mmrd_calibrate('m', 'scans', aux => NULL, filter => 'id > 100')$$);
SELECT refused($$SELECT mmrd_calibrate('m', 'scans')$$);
SELECT refused($$SELECT mmrd_calibrate('n', 'scans', aux => NULL)$$);
SELECT refused($$SELECT mmrd_calibrate('m', NULL, aux => NULL)$$);
SELECT refused($$SELECT mmrd_calibrate('m', 'scans', aux => NULL, label => 'id')$$);
SELECT refused($$SELECT mmrd_calibrate('m', 'scans', aux => NULL, fpr => 0)$$);
SELECT refused($$SELECT mmrd_calibrate('m', 'scans', aux => NULL, fpr => 0.6)$$);
SELECT refused($$SELECT mmrd_calibrate('m', 'scans', aux => NULL, fpr => 'NaN')$$);
SELECT refused($$SELECT mmrd_calibrate('m', 'scans', aux => NULL, fpr => NULL)$$);
BEGIN READ ONLY;
SELECT refused($$SELECT mmrd_calibrate('m', 'scans', aux => NULL)$$);
COMMIT;
CREATE ROLE mmrd_test_nobody;
GRANT SELECT ON scans TO mmrd_test_nobody;
SET ROLE mmrd_test_nobody;
SELECT refused($$SELECT mmrd_calibrate('m', 'scans', aux => NULL)$$);
RESET ROLE;
DROP OWNED BY mmrd_test_nobody;
DROP ROLE mmrd_test_nobody;

-- deploy => if_better.  Labels made from the scores of a second version, so
-- that it is known which one they favour: a third one, trained as the second.
\set options '"epochs": 1, "input_size": 64, "prototypes": [0, 0, 0], "threshold_fpr": 0.1, "teacher": "builtin_random"'
SELECT version, deployed FROM mmrd_train('scans', 'm', aux => NULL, filter => 'not val', validation => 'val',
	options => ('{"seed": 1, "deploy": "never", ' || :'options' || '}')::jsonb);
SELECT mmrd_deploy('m', 2);
CREATE TABLE second AS SELECT id, mmrd_score(rgb) AS score FROM scans WHERE val;
SELECT mmrd_rollback('m');
SELECT corr(a.score, b.score) < 0.99 AS differ FROM scored a JOIN second b USING (id);
UPDATE scans s SET bad = r.rank > 5 FROM (SELECT id, rank() OVER (ORDER BY score) FROM second) r WHERE r.id = s.id;
SELECT mmrd_auroc(score, bad) < 1 AS first_errs FROM scored JOIN scans USING (id);
SET client_min_messages = warning;
SELECT version, deployed FROM mmrd_train('scans', 'm', aux => NULL, filter => 'not val', validation => 'val',
	options => ('{"seed": 1, "label": "bad", ' || :'options' || '}')::jsonb);
SELECT metrics FROM mmrd.versions ORDER BY id DESC LIMIT 1;
SELECT mmrd_rollback('m');
UPDATE scans SET bad = NOT bad;
SELECT version, deployed FROM mmrd_train('scans', 'm', aux => NULL, filter => 'not val', validation => 'val',
	options => ('{"seed": 1, "label": "bad", ' || :'options' || '}')::jsonb);
SELECT metrics FROM mmrd.versions ORDER BY id DESC LIMIT 1;
RESET client_min_messages;
-- The same model again is as good, and newer; the notice says what was compared.
SELECT mmrd_deploy('m', 4);
SELECT version, deployed FROM mmrd_train('scans', 'm', aux => NULL, filter => 'not val', validation => 'val',
	options => ('{"seed": 1, "label": "bad", "keep_versions": 2, ' || :'options' || '}')::jsonb);
SELECT version FROM mmrd.versions ORDER BY version;
-- Masks, too: equal scores, and then the AUPRO decides.  Without a label, a
-- mask with a pixel is one.
UPDATE scans s SET bad = NULL, mask = CASE WHEN r.rank > 5 THEN defect.mask END
	FROM (SELECT id, rank() OVER (ORDER BY score) FROM looked) r,
		(SELECT mask FROM mmrd_synthesize(20, 5, 1) WHERE mask IS NOT NULL LIMIT 1) defect
	WHERE r.id = s.id;
SELECT version, deployed FROM mmrd_train('scans', 'm', aux => NULL, filter => 'not val', validation => 'val',
	options => ('{"seed": 1, "mask": "mask", "deploy": "never", ' || :'options' || '}')::jsonb);
SELECT metrics - 'aupro_30' AS metrics, (metrics ->> 'aupro_30')::float8 BETWEEN 0 AND 1 AS aupro
FROM mmrd.versions ORDER BY id DESC LIMIT 1;
SELECT (metrics ->> 'aupro_30')::float8 - aupro_30 AS difference, image_auroc
FROM mmrd.versions, mmrd_evaluate('scans', aux => NULL, mask => 'mask', filter => 'val')
ORDER BY id DESC LIMIT 1;
-- A black picture is the strangest to both, so the image AUROC is 1, twice.
INSERT INTO scans SELECT 14, mmrd_png(map, 'grey', lo => 1e6, hi => 2e6), aux, true, defect.mask, true
	FROM looked JOIN scans USING (id),
		(SELECT mask FROM mmrd_synthesize(20, 5, 1) WHERE mask IS NOT NULL LIMIT 1) defect LIMIT 1;
UPDATE scans SET bad = false, mask = NULL WHERE id < 14;
SELECT mmrd_deploy('m', 6);
SET client_min_messages = warning;
SELECT version, deployed FROM mmrd_train('scans', 'm', aux => NULL, filter => 'not val', validation => 'val',
	options => ('{"seed": 0, "label": "bad", "mask": "mask", ' || :'options' || '}')::jsonb) \gset tie_
SELECT mmrd_deploy('m', 6);
CREATE TABLE pair AS SELECT 6 AS version, * FROM mmrd_evaluate('scans', aux => NULL, label => 'bad', mask => 'mask', filter => 'val');
SELECT mmrd_deploy('m', :tie_version);
RESET client_min_messages;
INSERT INTO pair SELECT :tie_version, * FROM mmrd_evaluate('scans', aux => NULL, label => 'bad', mask => 'mask', filter => 'val');
SELECT min(image_auroc), max(image_auroc), count(DISTINCT aupro_30) AS aupros,
	:'tie_deployed'::boolean = (max(aupro_30) FILTER (WHERE version = :tie_version) > max(aupro_30) FILTER (WHERE version = 6)) AS higher_one
FROM pair;
DROP TABLE pair;
DELETE FROM scans WHERE id = 14;
UPDATE scans SET bad = NULL;

-- Without labels the newer one is taken; a label needs validation scans, and
-- scans without one are left out.
SELECT version, deployed FROM mmrd_train('scans', 'm', aux => NULL, filter => 'not val', validation => 'val',
	options => ('{"seed": 3, ' || :'options' || '}')::jsonb);
SELECT refused($$SELECT mmrd_train('scans', 'm', aux => NULL, options => '{"label": "bad"}')$$);
SELECT refused($$SELECT mmrd_train('scans', 'm', aux => NULL, options => '{"mask": "mask"}')$$);
SELECT refused($$SELECT mmrd_train('scans', 'm', aux => NULL, filter => 'not val', validation => 'val', options => '{"label": "id"}')$$);
SELECT refused($$SELECT mmrd_train('scans', 'm', aux => NULL, filter => 'not val', validation => 'val', options => '{"label": "bad"}')$$);
UPDATE scans SET bad = false WHERE id IN (5, 6);
SELECT version, deployed FROM mmrd_train('scans', 'm', aux => NULL, filter => 'not val', validation => 'val',
	options => ('{"seed": 4, "label": "bad", ' || :'options' || '}')::jsonb);
UPDATE scans SET bad = true WHERE id > 4;
SELECT version, threshold, deployed FROM mmrd_train('scans', 'm', aux => NULL, filter => 'not val', validation => 'val',
	options => ('{"seed": 4, "label": "bad", ' || :'options' || '}')::jsonb);
SELECT mmrd_deploy('m', 10);
SELECT i.threshold, i.normalized, i.anomalous FROM scans s, mmrd_inspect(s.rgb) i WHERE id = 1 AND i.version = 10;

DROP VIEW looked;
DROP FUNCTION refused, nth, quantile;
DROP TABLE scans, scored, second;
