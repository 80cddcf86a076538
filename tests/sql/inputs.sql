-- Every kind of auxiliary scan, from the bytes to the score.
DROP EXTENSION mmrd CASCADE;
CREATE EXTENSION mmrd;
SET mmrd.progress = off;
SET mmrd.threads = 1;
\pset format unaligned
\pset tuples_only on
\set SHOW_CONTEXT never
\set VERBOSITY terse

-- ---- files, made here ----

CREATE FUNCTION tiff_entry(tag integer, type integer, count integer, value integer)
RETURNS bytea LANGUAGE sql AS $$
	SELECT int2send(tag::int2) || int2send(type::int2) || int4send(count)
		|| CASE WHEN type = 3 AND count = 1
			THEN int2send(value::int2) || '\x0000' ELSE int4send(value) END
$$;
-- Uncompressed, big endian, n x n pixels; format 1: unsigned, 3: float.
CREATE FUNCTION tiff(samples bytea, n integer, channels integer, bits integer, format integer)
RETURNS bytea LANGUAGE sql AS $$
	SELECT '\x4d4d002a00000008'::bytea || '\x000a'
		|| tiff_entry(256, 4, 1, n) || tiff_entry(257, 4, 1, n)
		|| CASE channels WHEN 1 THEN tiff_entry(258, 3, 1, bits)
			ELSE tiff_entry(258, 3, 3, 134) END
		|| tiff_entry(259, 3, 1, 1)
		|| tiff_entry(262, 3, 1, CASE channels WHEN 1 THEN 1 ELSE 2 END)
		|| tiff_entry(273, 4, 1, 146) || tiff_entry(277, 3, 1, channels)
		|| tiff_entry(278, 4, 1, n) || tiff_entry(279, 4, 1, length(samples))
		|| CASE channels WHEN 1 THEN tiff_entry(339, 3, 1, format)
			ELSE tiff_entry(339, 3, 3, 140) END
		|| int4send(0)
		|| int2send(bits::int2) || int2send(bits::int2) || int2send(bits::int2)
		|| int2send(format::int2) || int2send(format::int2) || int2send(format::int2)
		|| samples
$$;
CREATE FUNCTION png_chunk(type text, data bytea) RETURNS bytea LANGUAGE plpgsql AS $$
DECLARE
	body bytea := type::bytea || data;
	crc bigint := 4294967295;
	polynomial CONSTANT bigint := 3988292384;
	steps bigint[];
BEGIN
	FOR i IN 0 .. 255 LOOP
		steps[i] := i;
		FOR k IN 1 .. 8 LOOP
			steps[i] := (steps[i] >> 1) # (CASE WHEN steps[i] & 1 = 1 THEN polynomial ELSE 0 END);
		END LOOP;
	END LOOP;
	FOR i IN 0 .. length(body) - 1 LOOP
		crc := (crc >> 8) # steps[((crc # get_byte(body, i)) & 255)::integer];
	END LOOP;
	RETURN int4send(length(data)) || body
		|| substr(int8send(crc # 4294967295), 5);
END $$;
-- Grey of 16 bits, one stored block of deflate.
CREATE FUNCTION png16(samples bytea, n integer) RETURNS bytea LANGUAGE plpgsql AS $$
DECLARE
	rows bytea := '';
	a integer := 1;
	b integer := 0;
	size bytea;
BEGIN
	FOR y IN 0 .. n - 1 LOOP
		rows := rows || '\x00' || substr(samples, 1 + y * 2 * n, 2 * n);
	END LOOP;
	FOR i IN 0 .. length(rows) - 1 LOOP
		a := (a + get_byte(rows, i)) % 65521;
		b := (b + a) % 65521;
	END LOOP;
	size := substr(int4send(length(rows)), 3);
	RETURN '\x89504e470d0a1a0a'::bytea
		|| png_chunk('IHDR', int4send(n) || int4send(n) || '\x1000000000')
		|| png_chunk('IDAT', '\x780101'::bytea || substr(size, 2, 1) || substr(size, 1, 1)
			|| substr(int4send(65535 - length(rows)), 4, 1)
			|| substr(int4send(65535 - length(rows)), 3, 1)
			|| rows || substr(int4send(b), 3) || substr(int4send(a), 3))
		|| png_chunk('IEND', '');
END $$;

-- A dome on a tilted table, 64 mm wide, 1 m away; every 11th point is missing.
CREATE FUNCTION surface(seed integer, bump real DEFAULT 0)
RETURNS TABLE (i integer, j integer, on_part boolean, missing boolean, z float8)
LANGUAGE sql AS $$
	SELECT i, j, r2 < 400, (7 * i + 13 * j + seed) % 11 = 0,
		1 + 0.0001 * i - 0.0002 * j
		- CASE WHEN r2 < 400 THEN 0.01 + 0.001 * (seed % 5) + 0.02 * (1 - r2 / 400.0) ELSE 0 END
		- CASE WHEN (i - 32) ^ 2 + (j - 30) ^ 2 < 16 THEN bump ELSE 0 END
	FROM generate_series(0, 63) i, generate_series(0, 63) j,
		LATERAL (SELECT (i - 31 - seed % 3) ^ 2 + (j - 32) ^ 2 AS r2) d
$$;
CREATE FUNCTION points(seed integer, bump real DEFAULT 0, with_table boolean DEFAULT true)
RETURNS bytea LANGUAGE sql AS $$
	SELECT tiff(string_agg(CASE WHEN missing OR NOT (on_part OR with_table)
			THEN '\x000000000000000000000000'
			ELSE float4send(((j - 32) * 0.001)::real) || float4send(((i - 32) * 0.001)::real)
				|| float4send(z::real) END, '' ORDER BY i, j), 64, 3, 32, 3)
	FROM surface(seed, bump)
$$;
-- Tenths of a millimetre; beyond: what the bump is cut off at, if not null.
CREATE FUNCTION depth(seed integer, bump real DEFAULT 0, cut integer DEFAULT 0)
RETURNS bytea LANGUAGE sql AS $$
	SELECT png16(string_agg(substr(int4send(CASE WHEN missing THEN 0
		ELSE greatest((z * 10000)::integer, cut) END), 3), '' ORDER BY i, j), 64)
	FROM surface(seed, bump)
$$;
CREATE FUNCTION metres(seed integer) RETURNS bytea LANGUAGE sql AS $$
	SELECT tiff(string_agg(float4send(CASE WHEN missing THEN 'NaN' ELSE z END::real),
		'' ORDER BY i, j), 64, 1, 32, 3)
	FROM surface(seed)
$$;
CREATE FUNCTION picture(seed integer) RETURNS bytea LANGUAGE sql AS $$
	SELECT tiff(string_agg(decode(repeat(lpad(to_hex(CASE WHEN on_part
			THEN 200 - (3 * i + seed) % 40 ELSE 60 + (i * j + seed) % 16 END), 2, '0'), 3), 'hex'),
		'' ORDER BY i, j), 64, 3, 8, 1)
	FROM surface(seed)
$$;

CREATE TABLE scans AS SELECT id, picture(id) AS rgb, depth(id) AS depth,
	points(id) AS points, metres(id) AS metres, picture(id + 100) AS image,
	points(id, with_table => false) AS part, false AS bad
FROM generate_series(1, 6) id;
INSERT INTO scans SELECT id, picture(id), depth(id, 0.01), points(id, 0.01), metres(id),
	picture(id + 100), points(id, 0.01, false), true FROM generate_series(7, 8) id;

CREATE FUNCTION quick(more jsonb DEFAULT '{}') RETURNS jsonb LANGUAGE sql AS $$
	SELECT '{"epochs": 1, "bn_epochs": 1, "input_size": 64, "prototypes": [2, 2, 2],
		"threshold_fpr": 0.5}'::jsonb || more
$$;
CREATE VIEW newest AS SELECT options ->> 'aux_kind' AS aux, options ->> 'aux2_kind' AS aux2,
	options ->> 'aux_strict' AS strict, options ->> 'aux2_strict' AS strict2,
	options ->> 'aux_range' AS range, options -> 'aux_limits' AS limits,
	options -> 'aux2_limits' AS limits2
FROM mmrd.versions ORDER BY id DESC LIMIT 1;

-- ---- auto: from the bytes, and then stored ----

SELECT model FROM mmrd_train('scans', 'floats', aux => 'image', aux2 => 'metres',
	filter => 'not bad', options => quick());
SELECT * FROM newest;
SELECT model FROM mmrd_train('scans', 'depth', aux => 'depth', filter => 'not bad', options => quick());
SELECT * FROM newest;
SELECT model FROM mmrd_train('scans', 'normals', aux => 'points', filter => 'not bad', options => quick());
SELECT * FROM newest;
SELECT model FROM mmrd_train('scans', 'image', aux => 'image', filter => 'not bad', options => quick());
SELECT * FROM newest;
SELECT model FROM mmrd_train('scans', 'xyz', aux => 'points', filter => 'not bad',
	options => quick('{"aux_kind": "xyz"}'));
SELECT * FROM newest;
SELECT model FROM mmrd_train('scans', 'height', aux => 'points', filter => 'not bad',
	options => quick('{"aux_kind": "height"}'));
SELECT * FROM newest;

-- Each kind is another input.
SELECT count(DISTINCT s) AS different FROM scans,
	unnest('{normals,xyz,height}'::text[]) m, mmrd_score(rgb, points, m) s WHERE id = 1;

-- The same bits for any number of threads.
CREATE TABLE one AS SELECT id, mmrd_score(rgb, depth, 'depth') AS d,
	mmrd_score(rgb, points, 'normals') AS n, mmrd_score(rgb, points, 'xyz') AS x FROM scans;
SET mmrd.threads = 3;
SELECT bool_and(mmrd_score(rgb, depth, 'depth') = d AND mmrd_score(rgb, points, 'normals') = n
	AND mmrd_score(rgb, points, 'xyz') = x) AS same FROM scans JOIN one USING (id);
SET mmrd.threads = 1;

-- ---- another kind than the training's ----

CREATE FUNCTION refused(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	detail text;
	context text;
BEGIN
	EXECUTE query;
	RETURN 'accepted';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, context = PG_EXCEPTION_CONTEXT;
	RETURN concat_ws(E'\n', SQLSTATE || ': ' || SQLERRM, '  ' || nullif(detail, ''),
		'  ' || regexp_replace(substring(context FROM '(?:row of|argument|column) [^\n]*'),
			'[0-9a-f]{64}', '...'));
END $$;
SELECT refused(format('SELECT mmrd_score(rgb, %I, %L) FROM scans WHERE id = 1', c, m))
FROM (VALUES ('points', 'depth'), ('image', 'depth'), ('depth', 'image'), ('metres', 'image'),
	('depth', 'normals'), ('image', 'xyz')) v (c, m);
SELECT refused($$SELECT mmrd_evaluate('scans', 'depth', aux => 'image', label => 'bad')$$);
SELECT refused($$SELECT mmrd_calibrate('depth', 'scans', aux => 'image')$$);
SELECT refused($$SELECT mmrd_train('scans', aux => 'image', options => '{"aux_kind": "xyz", "input_size": 64}')$$);
CREATE TABLE mixed AS SELECT rgb, depth AS aux FROM scans WHERE id < 4
	UNION ALL SELECT rgb, image FROM scans WHERE id >= 4;
SELECT regexp_replace(refused($$SELECT mmrd_train('mixed', options => '{"input_size": 64}')$$),
	'".*"', '"..."');
SELECT refused($$SELECT mmrd_train('scans', aux => 'depth', validation => 'bad', rgb => 'points',
	options => '{"input_size": 64}')$$);
SET mmrd.on_bad_image = 'null';
SELECT id, mmrd_score(rgb, image, 'depth') IS NULL AS nothing FROM scans WHERE id < 3;
RESET mmrd.on_bad_image;
-- Kinds that somebody chose take what they can: 16-bit grey as a picture.
SELECT model FROM mmrd_train('scans', 'grey', aux => 'depth', filter => 'not bad',
	options => quick('{"aux_kind": "image"}'));
SELECT * FROM newest;

-- ---- one range for all ----

SELECT model FROM mmrd_train('scans', 'train', aux => 'depth', filter => 'not bad',
	options => quick('{"aux_range": "train"}'));
SELECT * FROM newest;
SELECT min((z * 10000)::integer), max((z * 10000)::integer)
FROM generate_series(1, 6) seed, surface(seed) WHERE NOT missing;
-- Beyond it values are clamped; with a range of its own a scan is not.
SELECT m, mmrd_score(rgb, depth(1, 0.2), m) = mmrd_score(rgb, depth(1, 0.3), m) AS beyond,
	mmrd_score(rgb, depth(1, 0.2), m) = mmrd_score(rgb, depth(1, 0.2, lo), m) AS clamped
FROM scans, unnest('{train,depth}'::text[]) m,
	(SELECT (limits ->> 0)::integer AS lo FROM newest) l
WHERE id = 1 ORDER BY m;
-- Of points, and as given: the limits of another model make the same network.
SELECT model FROM mmrd_train('scans', 'train_xyz', aux => 'points', aux2 => 'points', filter => 'not bad',
	options => quick('{"aux_range": "train", "aux_kind": "xyz", "aux2_kind": "height"}'));
SELECT aux, aux2, range, round((limits ->> 0)::numeric, 3), round((limits ->> 1)::numeric, 3),
	round((limits2 ->> 0)::numeric, 3), round((limits2 ->> 1)::numeric, 3) FROM newest;
SELECT model FROM mmrd_train('scans', 'given', aux => 'points', aux2 => 'points', filter => 'not bad',
	options => (SELECT quick('{"aux_kind": "xyz", "aux2_kind": "height"}')
		|| jsonb_build_object('aux_limits', limits, 'aux2_limits', limits2) FROM newest));
SELECT count(*) AS scans, bool_and(mmrd_score(rgb, points, 'train_xyz', points)
	= mmrd_score(rgb, points, 'given', points)) AS same FROM scans;
-- Then integers and floats, metres most likely, do not go together.
CREATE TABLE units AS SELECT id, rgb, CASE WHEN id < 4 THEN depth ELSE metres END AS aux,
	points, bad FROM scans;
SELECT refused($$SELECT mmrd_train('units', filter => 'not bad', options => quick('{"aux_range": "train"}'))$$);
SELECT refused($$SELECT mmrd_train('units', filter => 'not bad', options => quick('{"aux_limits": [0, 2]}'))$$);
SELECT refused($$SELECT mmrd_train('units', aux => 'points', aux2 => 'aux', filter => 'not bad',
	options => quick('{"aux_range": "train", "aux2_kind": "depth"}'))$$);
SELECT refused($$SELECT mmrd_train('units', filter => 'id < 4', validation => 'id BETWEEN 4 AND 6',
	options => quick('{"aux_range": "train"}'))$$);
SELECT refused($$SELECT mmrd_train('units', filter => 'id < 4', options => quick('{"aux_sample": "float32"}'))$$);
SELECT refused($$SELECT mmrd_score(rgb, metres, 'train') FROM scans WHERE id = 1$$);
SELECT refused($$SELECT mmrd_evaluate('scans', 'train', aux => 'metres', label => 'bad')$$);
SELECT m.name, v.options ->> 'aux_sample' AS sample, v.options ->> 'aux2_sample' AS sample2
FROM mmrd.versions v JOIN mmrd.models m ON m.id = v.model
WHERE m.name IN ('train', 'depth') ORDER BY m.name;
-- With a range of its own, each scan has its own unit.
SELECT model FROM mmrd_train('units', 'units', filter => 'not bad', options => quick());
SELECT count(mmrd_score(rgb, aux, 'units')) FROM units;
-- Scans without depth are no training set.
CREATE TABLE blank AS SELECT rgb, png16(decode(repeat('0000', 4096), 'hex'), 64) AS aux FROM scans;
SELECT refused($$SELECT mmrd_train('blank', options => '{"input_size": 64, "aux_range": "train"}')$$);

-- ---- two auxiliary modalities of different kinds, and their model file ----

SELECT model, threshold IS NOT NULL AS calibrated FROM mmrd_train('scans', 'both', aux => 'depth', aux2 => 'points',
	filter => 'not bad and id > 2', validation => 'bad or id <= 2',
	options => quick('{"aux_range": "train", "label": "bad", "roi": [4, 2, 56, 60]}'));
SELECT * FROM newest;
SELECT mmrd_import_model('copy', mmrd_export_model('both'));
SELECT count(*) AS versions, count(DISTINCT options) AS options FROM mmrd.versions v
	JOIN mmrd.models m ON m.id = v.model WHERE m.name IN ('both', 'copy');
CREATE TABLE two AS SELECT id, mmrd_score(rgb, depth, 'both', points) AS score FROM scans;
SELECT count(*) AS scans, bool_and(mmrd_score(rgb, depth, 'copy', points) = score) AS same
FROM scans JOIN two USING (id);
SET mmrd.threads = 3;
SELECT count(*) AS scans, bool_and(mmrd_score(rgb, depth, 'copy', points) = score) AS same
FROM scans JOIN two USING (id);
SET mmrd.threads = 1;
SELECT scans, image_auroc = (SELECT mmrd_auroc(score, bad) FROM scans JOIN two USING (id)) AS same
FROM mmrd_evaluate('scans', 'both', aux => 'depth', aux2 => 'points', label => 'bad');
SELECT mmrd_calibrate('both', 'scans', aux => 'depth', aux2 => 'points', filter => 'id = 7',
	fpr => 0.5) = score AS same FROM two WHERE id = 7;
SELECT refused($$SELECT mmrd_score(rgb, points, 'both', depth) FROM scans WHERE id = 1$$);
SELECT refused($$SELECT mmrd_score(rgb, depth, 'both', image) FROM scans WHERE id = 1$$);
SELECT refused($$SELECT mmrd_score(rgb, depth, 'both') FROM scans WHERE id = 1$$);
-- A rectangle is the same place in all of them, or an error.
SELECT refused($$SELECT mmrd_score(s.rgb, depth, 'both', points) FROM scans, mmrd_synthesize(1) s WHERE scans.id = 1$$);

-- A model file that says nothing of kinds means images.
CREATE TABLE file AS SELECT mmrd_export_model('image') AS bytes,
	'\"aux_kind\": \"image\", '::text AS key;
SELECT mmrd_import_model('plain', overlay(bytes PLACING repeat(' ', length(key))::bytea
	FROM position(replace(key, '\', '\\')::bytea IN bytes))) FROM file;
SELECT * FROM newest;
SELECT bool_and(mmrd_score(rgb, image, 'plain') = mmrd_score(rgb, image, 'image')) AS same FROM scans;

-- ---- no table ----

SELECT model FROM mmrd_train('scans', 'part', aux => 'part', filter => 'not bad',
	options => quick('{"aux_kind": "height"}'));
SELECT count(mmrd_score(rgb, part, 'part')) FROM scans;
SELECT count(mmrd_score(rgb, CASE id WHEN 3 THEN part ELSE points END, 'part')) FROM scans;
SELECT count(mmrd_score(rgb, points, 'part')) FROM scans;
SELECT scans FROM mmrd_evaluate('scans', 'part', aux => 'part', label => 'bad');

-- ---- a new version of another kind ----

SELECT version, deployed FROM mmrd_train('scans', 'both', aux => 'points', aux2 => 'depth',
	filter => 'not bad and id > 2', validation => 'bad or id <= 2',
	options => quick('{"label": "bad"}'));
SELECT * FROM newest;

DROP TABLE scans, mixed, units, blank, one, two, file;
DROP VIEW newest;
DROP FUNCTION tiff_entry, tiff, png_chunk, png16, points, depth, metres, picture, surface, refused, quick;
