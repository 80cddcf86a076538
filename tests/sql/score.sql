-- Scoring: which model, which version, what is refused, and maps.
DROP EXTENSION mmrd CASCADE;
CREATE EXTENSION mmrd;
SET mmrd.progress = off;
SET mmrd.threads = 1;
SET client_min_messages = warning;
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

CREATE TABLE scans AS SELECT * FROM mmrd_synthesize(8, 1, 0.25);
SELECT refused('SELECT mmrd_score(rgb, aux) FROM scans');
SELECT refused($$SELECT mmrd_score(rgb, aux, 'scans') FROM scans$$);

\set options '{"epochs": 2, "input_size": 64, "prototypes": [2, 2, 2]}'
SELECT version FROM mmrd_train('scans', filter => 'not anomalous', options => :'options');

-- One model is deployed: it is the one.
CREATE TABLE first AS SELECT id, mmrd_score(rgb, aux) AS score FROM scans;
SELECT count(*), count(score), min(score) > 0 AS positive, max(score) <= 6 AS bounded FROM first;
SELECT count(*) FROM scans JOIN first USING (id) WHERE score = mmrd_score(rgb, aux, 'scans');

-- NULL, and modalities.
SELECT mmrd_score(NULL), mmrd_score(NULL, NULL), mmrd_score(NULL, '') FROM scans LIMIT 1;
SELECT (mmrd_inspect(NULL, NULL)) IS NULL;
SELECT refused('SELECT mmrd_score(rgb) FROM scans');
SELECT refused('SELECT mmrd_score(rgb, NULL) FROM scans');
SELECT refused('SELECT mmrd_score(rgb, aux, NULL, aux) FROM scans');
SELECT refused($$SELECT mmrd_score(rgb, aux, 'nothing') FROM scans$$);

-- Bad images.
SELECT refused($$SELECT mmrd_score('x', aux) FROM scans$$);
SELECT refused('SELECT mmrd_score(rgb, substr(aux, 1, 900)) FROM scans');
SELECT mmrd_score(rgb, 'x') FROM scans;
SET mmrd.on_bad_image = 'null';
SELECT count(mmrd_score(CASE WHEN id < 4 THEN substr(rgb, 1, 900) ELSE rgb END, aux)) FROM scans;
SELECT count(mmrd_score(rgb, aux)) FROM scans;
SELECT i.score FROM mmrd_inspect('hello', 'world') i;
DO $$
DECLARE
	score real;
BEGIN
	score := mmrd_score('x', 'y');
	score := mmrd_score('x', 'z');
END $$;
SELECT refused($$SELECT mmrd_score(rgb) FROM scans$$);
RESET mmrd.on_bad_image;

-- What inspection says agrees with the score and the map.
CREATE TABLE seen AS SELECT s.id, i.* FROM scans s, LATERAL mmrd_inspect(s.rgb, s.aux) i;
SELECT count(*) FROM seen JOIN first USING (id) WHERE seen.score = first.score
	AND mmrd_max(map) = seen.score AND anomalous = (seen.score > threshold)
	AND (normalized > 0.5) = anomalous AND normalized BETWEEN 0 AND 1
	AND model = 'scans' AND version = 1
	AND regions = (SELECT count(*) FROM mmrd_regions(map));
SELECT mmrd_width(map), mmrd_height(map), array_dims(map::real[]),
	(SELECT max(v) FROM unnest(map::real[]) v) = score AS max,
	(SELECT count(*) FILTER (WHERE v > c.pixel_threshold) / 4096.0 FROM unnest(map::real[]) v)::real = area AS area
FROM seen, mmrd.calibrations c ORDER BY seen.id LIMIT 1;

-- Maps: lossless text, checked bytes.
SELECT count(*) FROM seen WHERE map::text::mmrd_map::text = map::text;
SELECT attstorage, atttypid::regtype FROM pg_attribute WHERE attrelid = 'seen'::regclass AND attname = 'map';
SELECT refused($$SELECT ''::mmrd_map$$);
SELECT refused($$SELECT 'x'::mmrd_map$$);
SELECT refused($$SELECT '6d4'::mmrd_map$$);
SELECT refused($$SELECT '6d4dzz'::mmrd_map$$);
SELECT regexp_replace(refused(q), '[0-9]+ (bytes|are there)', 'N \1', 'g')
FROM (VALUES ($$SELECT left(map::text, 200)::mmrd_map FROM seen$$),
	($$SELECT (map::text || '00')::mmrd_map FROM seen$$)) v (q);
SELECT refused($$SELECT overlay(map::text PLACING '02' FROM 9)::mmrd_map FROM seen$$);
SELECT refused($$SELECT overlay(map::text PLACING 'ffffffff' FROM 17)::mmrd_map FROM seen$$);
SELECT refused($$SELECT overlay(map::text PLACING '0000c07f' FROM 81)::mmrd_map FROM seen$$);
SELECT left(refused($$SELECT overlay(map::text PLACING '00' FROM 151)::mmrd_map FROM seen$$), 5);

-- Pictures.
SELECT encode(substr(mmrd_png(map), 1, 24), 'hex'), encode(substr(mmrd_overlay(rgb, map), 1, 24), 'hex'),
	mmrd_png(map, 'viridis') <> mmrd_png(map) AS palette,
	mmrd_png(map, lo => 0, hi => 6) <> mmrd_png(map) AS scale,
	mmrd_overlay(rgb, map, 0.0) <> mmrd_overlay(rgb, map) AS threshold,
	mmrd_png(NULL) IS NULL, mmrd_overlay(NULL, map) IS NULL, mmrd_overlay(rgb, NULL) IS NULL
FROM seen JOIN scans USING (id) ORDER BY id LIMIT 1;
SELECT refused($$SELECT mmrd_png(map, 'plaid') FROM seen$$);
SELECT refused($$SELECT mmrd_png(map, lo => 2, hi => 1) FROM seen$$);
SELECT refused($$SELECT mmrd_png(map, lo => 'NaN', hi => 3) FROM seen$$);
SELECT refused($$SELECT mmrd_overlay('x', map) FROM seen$$);
SELECT refused($$SELECT mmrd_overlay(rgb, map, opacity => 2) FROM seen JOIN scans USING (id)$$);
SELECT refused($$SELECT mmrd_regions(map, 'NaN') FROM seen$$);
SELECT region, x, y, width, height, r.area, peak = score AS peak
FROM seen, LATERAL mmrd_regions(map, 0.0) r ORDER BY id LIMIT 1;
SELECT count(*) FROM seen, LATERAL mmrd_regions(map, 7.0);
SELECT count(*) FROM mmrd_regions(NULL);

-- Several models; the setting; a model named by the row.
SELECT version FROM mmrd_train('scans', 'rgb alone', aux => NULL, filter => 'id = 3',
	options => '{"epochs": 1, "input_size": 64, "prototypes": [1, 1, 1]}');
SELECT refused('SELECT mmrd_score(rgb, aux) FROM scans');
SELECT count(mmrd_score(rgb, CASE WHEN m = 'scans' THEN aux END, m))
	FROM scans, unnest('{scans,rgb alone}'::text[]) m;
SET mmrd.model = 'rgb alone';
SELECT count(mmrd_score(rgb)) FROM scans;
SELECT refused('SELECT mmrd_score(rgb, aux) FROM scans');
-- One scan cannot be held out of one: no threshold.
SELECT normalized, anomalous, threshold, area, regions, model, version FROM mmrd_inspect(
	(SELECT rgb FROM scans WHERE id = 1));
SELECT refused($$SELECT mmrd_regions((mmrd_inspect(rgb)).map) FROM scans$$);
SET mmrd.model = 'no such model';
SELECT refused('SELECT mmrd_score(rgb) FROM scans');
SET mmrd.model = 'scans';
SELECT count(*) FROM scans JOIN first USING (id) WHERE score = mmrd_score(rgb, aux);

-- A new version: seen by the next statement, also by a prepared one and by an
-- expression that PL/pgSQL keeps; not after a rollback.
CREATE FUNCTION kept() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	r bytea := (SELECT rgb FROM scans WHERE id = 1);
	a bytea := (SELECT aux FROM scans WHERE id = 1);
	scores real[];
BEGIN
	FOR i IN 1..4 LOOP
		IF i = 2 THEN
			PERFORM mmrd_train('scans', filter => 'not anomalous',
				options => '{"epochs": 1, "input_size": 64, "prototypes": [2, 2, 2]}');
		END IF;
		IF i = 3 THEN
			BEGIN
				PERFORM mmrd_train('scans', filter => 'not anomalous',
					options => '{"epochs": 1, "input_size": 64, "prototypes": [2, 2, 2], "seed": 5}');
				scores[5] := mmrd_score(r, a);
				RAISE EXCEPTION 'undo';
			EXCEPTION WHEN raise_exception THEN
				NULL;
			END;
		END IF;
		scores[i] := mmrd_score(r, a);
	END LOOP;
	RETURN (SELECT string_agg((s = scores[1])::text || ' ' || (s = scores[2])::text, ', ' ORDER BY i)
		FROM unnest(scores) WITH ORDINALITY u (s, i));
END $$;
PREPARE score AS SELECT count(*) FROM scans JOIN first USING (id) WHERE score = mmrd_score(rgb, aux);
EXECUTE score;
BEGIN;
SELECT kept();
EXECUTE score;
ROLLBACK;
EXECUTE score;
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT kept();
COMMIT;
EXECUTE score;
SELECT version FROM mmrd_inspect((SELECT rgb FROM scans WHERE id = 1), (SELECT aux FROM scans WHERE id = 1));

-- In memory are versions that were committed, shared by all.
SELECT model, version, precision, bytes > 1000000 AS large, users, shared, state, pid
	FROM mmrd.cache WHERE database = current_database() ORDER BY model, version;
SELECT count(*) FROM pg_backend_memory_contexts WHERE name = 'mmrd model';

-- bfloat16: other numbers, the same within 1 %, for any number of threads.
CREATE TABLE single AS SELECT id, score, map FROM scans, LATERAL mmrd_inspect(rgb, aux) i;
SET mmrd.precision = 'bfloat16';
CREATE TABLE half AS SELECT id, mmrd_score(rgb, aux) AS score FROM scans;
SELECT count(*) AS scans, bool_or(h.score <> s.score) AS others,
	max(abs(h.score - s.score) / s.score) < 0.01 AS near
FROM half h JOIN single s USING (id);
SELECT max(abs(x - y)) / max(x) < 0.01 AS maps_near, max(abs(x - y)) > 0 AS others
FROM scans JOIN single s USING (id), LATERAL mmrd_inspect(rgb, aux) i,
	unnest(s.map::real[], i.map::real[]) m (x, y);
SET mmrd.threads = 3;
SELECT count(*) FROM scans JOIN half USING (id) WHERE score = mmrd_score(rgb, aux);
SET mmrd.threads = 1;
SELECT precision, count(*) FROM mmrd.cache WHERE database = current_database()
	AND model = 'scans' AND version = (SELECT version FROM mmrd_inspect(
		(SELECT rgb FROM scans WHERE id = 1), (SELECT aux FROM scans WHERE id = 1)))
GROUP BY 1 ORDER BY 1;
RESET mmrd.precision;
SELECT count(*) FROM scans JOIN single USING (id) WHERE score = mmrd_score(rgb, aux);
-- A model of that precision is scored so, whatever the setting is.
SELECT version FROM mmrd_train('scans', 'half', filter => 'not anomalous',
	options => :'options'::jsonb || '{"precision": "bfloat16"}');
CREATE TABLE own AS SELECT id, mmrd_score(rgb, aux, 'half') AS score FROM scans;
SET mmrd.precision = 'bfloat16';
SELECT count(*) FROM scans JOIN own USING (id) WHERE score = mmrd_score(rgb, aux, 'half');
RESET mmrd.precision;
SELECT mmrd_drop_model('half');

-- Where the time went: of what this session scored, and was whole.
CREATE TABLE before AS SELECT *, clock_timestamp() AS at FROM mmrd_timing();
SELECT count(mmrd_score(rgb, aux)) FROM scans;
CREATE TABLE scored AS SELECT *, clock_timestamp() AS at FROM mmrd_timing();
SET mmrd.on_bad_image = 'null';
SELECT count(mmrd_score(substr(rgb, 1, 900), aux)) FROM scans;
RESET mmrd.on_bad_image;
SELECT count(i.map) FROM scans, LATERAL mmrd_inspect(rgb, aux) i;
CREATE TABLE inspected AS SELECT *, clock_timestamp() AS at FROM mmrd_timing();
CREATE FUNCTION spent(a timestamptz, b timestamptz) RETURNS float8 LANGUAGE sql AS
	'SELECT 1000 * extract(epoch FROM b - a)::float8';
SELECT s.scans - b.scans AS scans, s.read_ms > b.read_ms AS read, s.decode_ms > b.decode_ms AS decode,
	s.resize_ms > b.resize_ms AS resize, s.network_ms > b.network_ms AS network, s.map_ms > b.map_ms AS map,
	s.encode_ms = b.encode_ms AS none_encoded,
	s.read_ms + s.decode_ms + s.resize_ms + s.network_ms + s.map_ms
		- b.read_ms - b.decode_ms - b.resize_ms - b.network_ms - b.map_ms
		BETWEEN 1 AND spent(b.at, s.at) AS within
FROM before b, scored s;
SELECT i.scans - s.scans AS scans, i.encode_ms > s.encode_ms AS encode FROM scored s, inspected i;

-- Parallel workers compute the same.
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET max_parallel_workers_per_gather = 2;
ALTER TABLE scans SET (parallel_workers = 2);
EXPLAIN (COSTS OFF) SELECT id, mmrd_score(rgb, aux) FROM scans;
CREATE TABLE parallel AS SELECT id, mmrd_score(rgb, aux) AS score FROM scans;
SET max_parallel_workers_per_gather = 0;
SELECT count(*) FROM scans JOIN parallel USING (id) WHERE score = mmrd_score(rgb, aux);
SET max_parallel_workers_per_gather = 2;
SET mmrd.on_bad_image = 'null';
SELECT count(mmrd_score(substr(rgb, 1, 20), aux)) FROM scans;

-- Binary form, through a file's worth of bytes and a function call.
RESET mmrd.on_bad_image;
SELECT count(*) FROM seen WHERE mmrd_map_send(map) = decode(map::text, 'hex');

DROP FUNCTION refused, kept, spent;
DROP TABLE scans, first, seen, single, half, own, parallel, before, scored, inspected;
