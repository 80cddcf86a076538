-- Training: what it refuses, what it skips, what it leaves behind.
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
	context text;
BEGIN
	EXECUTE query;
	RETURN 'accepted';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL,
		hint = PG_EXCEPTION_HINT, context = PG_EXCEPTION_CONTEXT;
	RETURN concat_ws(E'\n', SQLSTATE || ': ' || SQLERRM,
		'  ' || nullif(detail, ''), '  ' || nullif(hint, ''),
		'  ' || regexp_replace(substring(context FROM 'row of [^\n]*'),
			'[0-9a-f]{64}', '...'));
END $$;

CREATE TABLE scans AS SELECT * FROM mmrd_synthesize(6, seed => 1);
CREATE TABLE named AS SELECT id, rgb AS picture, aux AS "Surface" FROM scans;
CREATE TABLE wrong (rgb text, aux bytea);
CREATE TABLE empty (rgb bytea, aux bytea);
CREATE TABLE nulls AS SELECT id, rgb, NULL::bytea AS aux FROM scans;
CREATE INDEX scans_idx ON scans (id);

-- The source and its columns.
SELECT refused($$SELECT mmrd_train(NULL)$$);
SELECT refused($$SELECT mmrd_train('no_such_table')$$);
SELECT refused($$SELECT mmrd_train('scans_idx')$$);
SELECT refused($$SELECT mmrd_train('named')$$);
SELECT refused($$SELECT mmrd_train('named', rgb => 'picture')$$);
SELECT refused($$SELECT mmrd_train('named', rgb => 'picture', aux => 'surface')$$);
SELECT refused($$SELECT mmrd_train('named', rgb => 'id')$$);
SELECT refused($$SELECT mmrd_train('named', rgb => 'ctid')$$);
SELECT refused($$SELECT mmrd_train('wrong')$$);
SELECT refused($$SELECT mmrd_train('scans', rgb => NULL)$$);
SELECT refused($$SELECT mmrd_train('scans', aux => NULL, aux2 => 'aux')$$);
SELECT refused($$SELECT mmrd_train('scans', model => '')$$);
SELECT refused($$SELECT mmrd_train('scans', model => repeat('m', 201))$$);
SELECT refused($$SELECT mmrd_train('scans', aux => NULL, options => '{"teacher": "nobody"}')$$);

-- Conditions.
SELECT refused($$SELECT mmrd_train('scans', filter => 'id <')$$);
SELECT refused($$SELECT mmrd_train('scans', filter => 'id')$$);
SELECT refused($$SELECT mmrd_train('scans', filter => 'weight > 3')$$);
SELECT refused($$SELECT mmrd_train('scans', filter => 'true); DROP TABLE scans; SELECT (true')$$);
SELECT refused($$SELECT mmrd_train('scans', filter => 'true) ORDER BY 3, 4; SELECT 1, 2, 3, 4 WHERE (true')$$);
SELECT refused($$SELECT mmrd_train('scans', filter => 'id > 100 -- none')$$);
SELECT refused($$SELECT mmrd_train('scans', validation => 'id > 100')$$);
SELECT refused($$SELECT mmrd_train('empty')$$);
SELECT refused($$SELECT mmrd_train('nulls')$$);

-- Images.
CREATE TABLE broken AS SELECT id, rgb, aux FROM scans;
UPDATE broken SET rgb = substr(rgb, 1, 1000) WHERE id = 3;
SELECT refused($$SELECT mmrd_train('broken')$$);
SELECT refused($$SELECT mmrd_train('broken', filter => 'id <> 3', validation => 'id = 3')$$);
UPDATE broken SET rgb = 'hello' WHERE id = 3;
SELECT refused($$SELECT mmrd_train('broken')$$);
UPDATE broken SET rgb = '' WHERE id = 3;
SELECT refused($$SELECT mmrd_train('broken')$$);
-- declares 65536 x 32768, 2^31 pixels
UPDATE broken b SET rgb = overlay(s.rgb PLACING '\x0001000000008000' FROM 17)
	FROM scans s WHERE b.id = 3 AND s.id = 3;
SELECT refused($$SELECT mmrd_train('broken')$$);
-- declares 2^31 - 1 x 2^31 - 1
UPDATE broken b SET rgb = overlay(s.rgb PLACING '\x7fffffff7fffffff' FROM 17)
	FROM scans s WHERE b.id = 3 AND s.id = 3;
SELECT refused($$SELECT mmrd_train('broken')$$);
-- TIFF files with two channels, and with five
UPDATE broken SET rgb = '\x49492a0008000000090000010300010000000100000001010300010000000100000002010300010000000800000003010300010000000100000006010300010000000100000011010400010000007a000000150103000100000002000000160103000100000001000000170104000100000002000000000000000001'
	WHERE id = 3;
SELECT refused($$SELECT mmrd_train('broken')$$);
UPDATE broken SET rgb = '\x49492a0008000000090000010300010000000100000001010300010000000100000002010300010000000800000003010300010000000100000006010300010000000100000011010400010000007a000000150103000100000005000000160103000100000001000000170104000100000005000000000000000001020304'
	WHERE id = 3;
SELECT refused($$SELECT mmrd_train('broken')$$);
UPDATE broken b SET rgb = s.rgb, aux = substr(s.aux, 1, length(s.aux) - 20)
	FROM scans s WHERE b.id = 3 AND s.id = 3;
SELECT refused($$SELECT mmrd_train('broken')$$);
SET mmrd.max_pixels = 65535;
SELECT refused($$SELECT mmrd_train('scans')$$);
RESET mmrd.max_pixels;
SELECT refused($$SELECT mmrd_train('scans', options => '{"roi": [200, 200, 100, 100]}')$$);

-- Memory, and transactions that may not write.
SET mmrd.train_memory = '64MB';
SELECT regexp_replace(refused($$SELECT mmrd_train('scans', options => '{"batch_size": 64}')$$),
	'[0-9]+ MB are needed', 'N MB are needed');
RESET mmrd.train_memory;
BEGIN READ ONLY;
SELECT refused($$SELECT mmrd_train('scans')$$);
ROLLBACK;

-- Nothing is left of all that.
SELECT (SELECT count(*) FROM mmrd.models), (SELECT count(*) FROM mmrd.versions),
	(SELECT count(*) FROM mmrd.tensors), (SELECT count(*) FROM mmrd.prototypes),
	(SELECT count(*) FROM mmrd.deployments);

-- Now for real, small.  One of six is held out.
\pset tuples_only off
CREATE TABLE result AS SELECT * FROM mmrd_train('scans',
	options => '{"epochs": 2, "input_size": 64, "prototypes": [3, 4, 5], "batch_size": 4}');
SELECT model, version, scans, epochs, loss BETWEEN 0.1 AND 4 AS loss,
	threshold BETWEEN 0.01 AND 6 AS threshold, seconds > 0 AS seconds, deployed
FROM result;
SELECT m.name, v.version, t.name AS teacher, v.modalities, v.options,
	v.source, v.source_query, v.scans, length(v.scans_sha256) AS sha256,
	v.seed, v.epochs, v.loss = r.loss AS loss, v.code_version,
	v.created_by = current_user AS by
FROM mmrd.versions v JOIN mmrd.models m ON m.id = v.model
	JOIN mmrd.teachers t ON t.id = v.teacher, result r;
SELECT count(DISTINCT name) AS tensors, count(*) FILTER (WHERE part > 0) > 0 AS parts,
	max(length(data)) AS largest, bool_or(teacher IS NOT NULL) AS teachers,
	bool_or(name ~ '^teacher\.(conv1|bn1|layer)') AS convolutions,
	count(*) FILTER (WHERE name = 'teacher.aux.bn1.running_var') AS statistics
FROM mmrd.tensors;
SELECT modality, stage, count(*), min(cardinality(vector)) AS channels
FROM mmrd.prototypes GROUP BY 1, 2 ORDER BY 1, 2;
SELECT method, fpr, threshold = scores[1] AS threshold, pixel_threshold > 0 AS pixel,
	cardinality(scores) AS scores FROM mmrd.calibrations;
SELECT m.name, v.version FROM mmrd.deployments d
	JOIN mmrd.models m ON m.id = d.model JOIN mmrd.versions v ON v.id = d.version;

-- The order of the rows does not matter, nor does the number of threads, nor
-- where the data of the training are kept.
CREATE FUNCTION weights(model text, version integer) RETURNS text LANGUAGE sql AS $$
	SELECT md5(string_agg(t.name || md5(data), ',' ORDER BY t.name, part)) ||
		(SELECT md5(string_agg(p::text, ',' ORDER BY modality, stage, ordinal))
			FROM (SELECT modality, stage, ordinal, vector FROM mmrd.prototypes
				WHERE version = v.id) p)
	FROM mmrd.tensors t, mmrd.versions v, mmrd.models m
	WHERE t.version = v.id AND v.version = weights.version
		AND m.id = v.model AND m.name = weights.model GROUP BY v.id
$$;
CREATE TABLE shuffled AS SELECT id, rgb, aux FROM scans ORDER BY id DESC;
SET mmrd.threads = 2;
SELECT version, deployed FROM mmrd_train('shuffled', 'scans',
	options => '{"epochs": 2, "input_size": 64, "prototypes": [3, 4, 5], "batch_size": 4, "deploy": "never"}');
SELECT weights('scans', 1) = weights('scans', 2) AS same;
SELECT count(DISTINCT scans_sha256) FROM mmrd.versions;
SET mmrd.train_threads = 1;
SELECT version FROM mmrd_train('scans', 'scans',
	options => '{"epochs": 2, "input_size": 64, "prototypes": [3, 4, 5], "batch_size": 4, "seed": 1}');
SELECT weights('scans', 1) = weights('scans', 3) AS another_seed;
RESET mmrd.train_threads;
SET mmrd.threads = 1;
SET mmrd.train_memory = '64MB';
SELECT set_config('mmrd.train_memory', substring(refused(
	$$SELECT mmrd_train('scans', options => '{"input_size": 64, "prototypes": [3, 4, 5], "batch_size": 4}')$$)
	FROM '([0-9]+) MB are needed')::integer + 1 || 'MB', false) <> '64MB' AS set;
SELECT version FROM mmrd_train('scans', 'scans',
	options => '{"epochs": 2, "input_size": 64, "prototypes": [3, 4, 5], "batch_size": 4, "deploy": "never"}');
SELECT weights('scans', 1) = weights('scans', 4) AS same;
RESET mmrd.train_memory;
SELECT v.version FROM mmrd.deployments d JOIN mmrd.versions v ON v.id = d.version
ORDER BY d.id;

-- NULL images are skipped and counted; the rows for validation are not
-- trained on; other names of columns; RGB alone; a view.
INSERT INTO nulls SELECT id + 10, rgb, aux FROM scans;
UPDATE nulls SET rgb = NULL WHERE id = 1;
SELECT model, version, scans FROM mmrd_train('nulls', validation => 'id > 14',
	options => '{"epochs": 1, "input_size": 64, "prototypes": [1, 1, 1]}');
SELECT method, cardinality(scores) FROM mmrd.calibrations ORDER BY id DESC LIMIT 1;
SELECT scans FROM mmrd_train('named', 'renamed', 'picture', 'Surface', NULL,
	'named.id <= 4 -- of six', NULL,
	'{"epochs": 1, "input_size": 64, "prototypes": [0, 0, 0], "prior_at": "same", "fusion": "add"}');
CREATE VIEW good AS SELECT rgb, aux FROM scans WHERE id <= 1;
SELECT scans, threshold, deployed FROM mmrd_train('good', aux => NULL,
	options => '{"epochs": 1, "input_size": 64, "prototypes": [1, 1, 1], "roi": [10, 20, 200, 100]}');
SELECT modalities, options -> 'roi' AS roi FROM mmrd.versions ORDER BY id DESC LIMIT 1;

DROP VIEW good;
DROP FUNCTION refused, weights;
DROP TABLE scans, named, wrong, empty, nulls, broken, shuffled, result;
