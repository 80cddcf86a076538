-- Results as rows: attached tables, the queue, triggers, what becomes of
-- results.  (Concurrency, crashes, dumps and standbys are in tests/t.)
DROP EXTENSION mmrd CASCADE;
CREATE EXTENSION mmrd;
SET mmrd.progress = off;
SET mmrd.threads = 1;
SET client_min_messages = warning;
\pset format unaligned
\set SHOW_CONTEXT never

CREATE TABLE train AS SELECT * FROM mmrd_synthesize(8, 1);
\set options '{"epochs": 2, "input_size": 64, "prototypes": [1, 1, 1]}'
SELECT version FROM mmrd_train('train', 'both', options => :'options');

-- attaching: what is refused
CREATE TABLE scans (id integer, rgb bytea, aux bytea, line text);
SELECT mmrd_attach(NULL, 'id');
SELECT mmrd_attach('scans', NULL);
SELECT mmrd_attach('scans', 'id');
ALTER TABLE scans ADD PRIMARY KEY (id);
SELECT mmrd_attach('scans', 'number');
SELECT mmrd_attach('scans', 'id', rgb => 'line');
SELECT mmrd_attach('scans', 'id', aux => 'rgb');
SELECT mmrd_attach('scans', 'id', mode => 'always');
SELECT mmrd_attach('scans', 'id', mode => NULL);
SELECT mmrd_attach('scans', 'id', keep_map => 'some');
SELECT mmrd_attach('scans', 'id', model_column => 'product');
SELECT mmrd_attach('scans', 'id', model => 'nothing');
SELECT mmrd_attach('scans', 'id', notify => '');
SELECT mmrd_attach('scans', 'id', aux => NULL);
CREATE VIEW seen AS SELECT * FROM scans;
SELECT mmrd_attach('seen', 'id');
CREATE TEMP TABLE temporary (id integer PRIMARY KEY, rgb bytea, aux bytea);
SELECT mmrd_attach('temporary', 'id');
CREATE TABLE partly (id integer, rgb bytea, aux bytea);
CREATE UNIQUE INDEX ON partly (id) WHERE id > 0;
SELECT mmrd_attach('partly', 'id');
SELECT mmrd_detach('scans');
SELECT mmrd_attach_options('scans', on_error => 'raise');
SELECT mmrd_score_pending('scans');
SELECT mmrd_score_pending(max_rows => 0);
SELECT mmrd_rescore('scans');
CALL mmrd_drain('scans');
CALL mmrd_drain(batch => 0);
SELECT count(*) FROM mmrd.attachments;

-- the queue
SELECT mmrd_attach('scans', 'id');
SELECT source, key, rgb, aux, model, mode, keep_map, on_error, on_delete FROM mmrd.attachments;
SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE tgrelid = 'scans'::regclass ORDER BY 1;
CREATE TABLE made AS SELECT * FROM mmrd_synthesize(12, 2, 0.5);
INSERT INTO scans SELECT id, rgb, aux FROM made WHERE id <= 10;
BEGIN;
INSERT INTO scans SELECT id, rgb, aux FROM made WHERE id = 11;
ROLLBACK;
SELECT count(*), count(DISTINCT key), max(attempts) FROM mmrd.pending;
SELECT count(*) FROM mmrd.results;
SELECT mmrd_score_pending('scans', 3);
SELECT mmrd_score_pending('scans');
SELECT mmrd_score_pending();
SELECT count(*) FROM mmrd.pending;
-- they are what mmrd_inspect says
SELECT count(*) FROM mmrd.results r JOIN scans s ON r.key = s.id::text,
	LATERAL mmrd_inspect(s.rgb, s.aux) i
WHERE r.source = 'scans'::regclass AND r.score = i.score AND r.normalized = i.normalized
	AND r.anomalous = i.anomalous AND r.threshold = i.threshold AND r.area = i.area
	AND r.regions = i.regions AND r.model = i.model AND r.version = i.version
	AND (r.map::text = i.map::text OR NOT i.anomalous AND r.map IS NULL)
	AND r.error IS NULL AND r.scored_at <= clock_timestamp() AND r.elapsed_ms > 0;
SELECT count(map) > 0 AND count(map) = count(*) FILTER (WHERE anomalous) AS maps_of_anomalous FROM mmrd.results;

-- bad images, and none
INSERT INTO scans VALUES (20, 'x', 'y'), (21, NULL, NULL), (22, (SELECT rgb FROM made WHERE id = 1), NULL),
	(23, (SELECT rgb FROM made WHERE id = 1), (SELECT substr(aux, 1, 900) FROM made WHERE id = 1)),
	(24, (SELECT rgb FROM made WHERE id = 1), (SELECT aux FROM made WHERE id = 1));
CALL mmrd_drain('scans', 2);
SELECT key, model, version, score IS NULL AS unscored, anomalous, error FROM mmrd.results WHERE error IS NOT NULL ORDER BY key;
SELECT count(*) FROM mmrd.results WHERE key IN ('21', '24');
SET mmrd.on_bad_image = 'null';
UPDATE scans SET rgb = 'z' WHERE id = 20;
CALL mmrd_drain();
SELECT key, error FROM mmrd.results WHERE key = '20';
RESET mmrd.on_bad_image;

-- changes
UPDATE scans SET line = 'a';
SELECT count(*) FROM mmrd.pending;
UPDATE scans SET rgb = rgb, aux = (SELECT aux FROM made WHERE id = 12) WHERE id = 1;
UPDATE scans SET rgb = (SELECT rgb FROM made WHERE id = 12) WHERE id = 1;
UPDATE scans SET id = 100 WHERE id = 2;
UPDATE scans SET rgb = NULL WHERE id = 3;
DELETE FROM scans WHERE id = 4;
SELECT key, count(*) FROM mmrd.pending GROUP BY key ORDER BY key;
SELECT key FROM mmrd.results WHERE key IN ('1', '100', '2', '3', '4') ORDER BY key;
SELECT mmrd_score_pending();
SELECT count(*) FROM mmrd.pending;
SELECT r.key, r.score = mmrd_score(s.rgb, s.aux) AS right FROM mmrd.results r JOIN scans s ON r.key = s.id::text
WHERE r.key IN ('1', '100');
SELECT count(*) FROM mmrd.results WHERE key IN ('2', '3', '4');
SELECT mmrd_attach_options('scans', on_delete => 'keep');
DELETE FROM scans WHERE id = 5;
CALL mmrd_drain();
SELECT count(*) FROM mmrd.results WHERE key = '5';
SELECT mmrd_attach_options('scans', on_delete => 'forget');

-- names change
ALTER TABLE scans RENAME COLUMN aux TO depth;
ALTER TABLE scans RENAME TO parts;
INSERT INTO parts SELECT 30, rgb, aux FROM made WHERE id = 1;
CALL mmrd_drain();
SELECT source, key, score IS NOT NULL AS scored FROM mmrd.scores WHERE key = '30';
SELECT source, rgb, aux FROM mmrd.attachments;
ALTER TABLE parts DROP COLUMN depth;
ALTER TABLE parts RENAME COLUMN depth TO aux;
ALTER TABLE parts RENAME TO scans;

-- the views
SELECT count(*), count(score), pg_typeof(min(source)) FROM mmrd.scores;
SELECT source, model, scans, anomalous, rate = anomalous::float8 / scans AS rate,
	mean > 0 AS mean, p95 >= mean AS p95 FROM mmrd.daily WHERE model IS NOT NULL;
SELECT source, model, version, scans, calibration_scans, mean > 0 AS mean, p50 <= p95 AS p95,
	ks BETWEEN 0 AND 1 AS ks, drifted = (ks > ks_limit) AS drifted FROM mmrd.drift;

-- again, and no more
SELECT mmrd_rescore('scans', model => 'nothing'), mmrd_rescore('scans', now() + '1 hour');
SELECT mmrd_rescore('scans', '-infinity') = (SELECT count(*) FROM mmrd.results) AS all_results;
SELECT mmrd_rescore('scans', '-infinity', 'both');
SELECT mmrd_score_pending() = (SELECT count(*) FROM scans WHERE rgb IS NOT NULL) AS those_that_exist;
SELECT mmrd_rescore('scans') = (SELECT count(*) FROM scans WHERE rgb IS NOT NULL) AS all_scans;
CALL mmrd_drain();
SELECT mmrd_prune_results('scans', '1 day');
SELECT mmrd_prune_results('scans', NULL);
SELECT mmrd_prune_results('scans', '-1 hour', maps_only => true) > 0 AS maps;
SELECT count(map) FROM mmrd.results;
SELECT mmrd_prune_results(older_than => '-1 hour') > 0 AS results;
SELECT count(*) FROM mmrd.results;
SELECT mmrd_detach('scans');
INSERT INTO scans SELECT 40, rgb, aux FROM made WHERE id = 1;
SELECT count(*) FROM mmrd.pending;
SELECT count(*) FROM mmrd.attachments;

-- mode trigger
TRUNCATE scans;
SELECT mmrd_attach('scans', 'id', mode => 'trigger', keep_map => 'always');
INSERT INTO scans SELECT id, rgb, aux FROM made WHERE id <= 3;
INSERT INTO scans VALUES (20, 'x', 'y'), (21, NULL, NULL);
SELECT count(*) FROM mmrd.pending;
SELECT key, CASE WHEN error IS NULL THEN score = mmrd_score(s.rgb, s.aux) END AS right,
	map IS NOT NULL AS map, left(error, 12) AS error FROM mmrd.results r JOIN scans s ON r.key = s.id::text ORDER BY key;
UPDATE scans SET rgb = (SELECT rgb FROM made WHERE id = 12), aux = (SELECT aux FROM made WHERE id = 12) WHERE id IN (1, 20);
DELETE FROM scans WHERE id = 2;
UPDATE scans SET id = 33 WHERE id = 3;
SELECT key, score = mmrd_score(s.rgb, s.aux) AS right, error
FROM mmrd.results r LEFT JOIN scans s ON r.key = s.id::text ORDER BY key;
-- an error is the scan's, not the insert's, unless that is wanted
BEGIN;
SELECT mmrd_drop_model('both');
INSERT INTO scans SELECT 50, rgb, aux FROM made WHERE id = 1;
SELECT key, score, error FROM mmrd.results WHERE key = '50';
ROLLBACK;
SELECT mmrd_attach_options('scans', on_error => 'raise', on_delete => 'keep');
INSERT INTO scans VALUES (60, 'x', 'y');
SELECT count(*) FROM scans WHERE id = 60;
DELETE FROM scans WHERE id = 1;
SELECT count(*) FROM mmrd.results WHERE key = '1';
-- a statement that is cancelled is, and records nothing
BEGIN;
SET LOCAL statement_timeout = 8;
INSERT INTO scans SELECT 100 + m.id * 12 + n.id, m.rgb, m.aux FROM made m, made n;
ROLLBACK;
SELECT count(*) FROM mmrd.results WHERE error LIKE '%cancel%' OR key >= '100' AND key < '2';
-- scans of a table in this mode can be scored again, too
SELECT mmrd_attach_options('scans', on_delete => 'remove');
SELECT max(scored_at) AS latest FROM mmrd.results \gset
SELECT mmrd_rescore('scans');
CALL mmrd_drain();
SELECT count(*) FROM mmrd.results WHERE scored_at > :'latest';
TRUNCATE scans;
SELECT count(*) FROM mmrd.results;
SELECT mmrd_detach('scans');

-- many products
SELECT version FROM mmrd_train('train', 'rgb', aux => NULL, options => :'options');
SELECT mmrd_attach('scans', 'id');
SELECT mmrd_attach('scans', 'id', 'both', model_column => 'line', notify => 'Alarm');
INSERT INTO scans SELECT id, rgb, aux, CASE id WHEN 1 THEN 'both' WHEN 2 THEN 'rgb' WHEN 3 THEN 'nothing' END
FROM made WHERE id <= 4;
SELECT mmrd_score_pending();
SELECT key, model, score IS NOT NULL AS scored, error FROM mmrd.results ORDER BY key;
SELECT mmrd_detach('scans');
DELETE FROM mmrd.results;

-- keys of any type; the settings of a session do not matter
CREATE DOMAIN serial_number AS text CHECK (VALUE <> '');
CREATE TYPE place AS ENUM ('left', 'right');
CREATE FUNCTION keyed(type text, key text) RETURNS TABLE (key_text text, scored boolean) LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('CREATE TABLE keyed ("the Key" %s UNIQUE, rgb bytea, aux bytea)', type);
	PERFORM mmrd_attach('keyed', 'the Key', 'both');
	SET LOCAL TimeZone = 'America/New_York';
	SET LOCAL DateStyle = 'German';
	SET LOCAL bytea_output = 'escape';
	EXECUTE format('INSERT INTO keyed SELECT %L::%s, rgb, aux FROM made LIMIT 1', key, type);
	SET LOCAL TimeZone = 'Asia/Tokyo';
	SET LOCAL DateStyle = 'SQL';
	SET LOCAL bytea_output = 'hex';
	PERFORM mmrd_score_pending('keyed');
	RETURN QUERY SELECT r.key, r.score IS NOT NULL FROM mmrd.results r WHERE source = 'keyed'::regclass;
	DROP TABLE keyed;
	PERFORM mmrd_prune_results(older_than => '-1 hour');
END $$;
SELECT t, k.* FROM (VALUES ('bigint', '-9'), ('text', ' a"''b '), ('varchar(9)', 'é'), ('char(5)', 'ab'), ('name', 'n'),
	('uuid', 'd3b07384-d9a0-4c9b-8f3e-1f0a5b1c2d3e'), ('timestamptz', '2026-01-02 03:04:05.678+00'),
	('date', '2026-01-02'), ('numeric', '1.50'), ('float8', '0.1'), ('bytea', '\x00ff'), ('inet', '10.0.0.1'),
	('serial_number', 'S1'), ('place', 'right'), ('integer[]', '{1,2}'), ('interval', '1 day')) v (t, k0),
	LATERAL keyed(t, k0) k;
CREATE TABLE strange (id text UNIQUE, rgb bytea, aux bytea);
SELECT mmrd_attach('strange', 'id', 'both');
INSERT INTO strange SELECT NULL, rgb, aux FROM made WHERE id = 1;
INSERT INTO strange SELECT repeat('x', 1025), rgb, aux FROM made WHERE id = 1;
SELECT count(*) FROM strange;
SELECT count(*) FROM mmrd.pending;
DROP TABLE strange;

-- partitions
CREATE TABLE log (id bigint, day date, rgb bytea, aux bytea) PARTITION BY RANGE (day);
CREATE TABLE log_1 PARTITION OF log FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
CREATE TABLE log_2 PARTITION OF log FOR VALUES FROM ('2026-02-01') TO ('2026-03-01') PARTITION BY LIST (day);
-- other column numbers than the whole
CREATE TABLE log_2a (aux bytea, gone text, rgb bytea, id bigint PRIMARY KEY, day date);
ALTER TABLE log_2a DROP COLUMN gone;
ALTER TABLE log_2 ATTACH PARTITION log_2a FOR VALUES IN ('2026-02-01');
SELECT mmrd_attach('log', 'id', 'both');
ALTER TABLE log_1 ADD UNIQUE (id);
SELECT mmrd_attach('log', 'id', 'both');
SELECT mmrd_attach('log_1', 'id', 'both');
INSERT INTO log SELECT id, '2026-01-05', rgb, aux FROM made WHERE id = 1;
INSERT INTO log SELECT id, '2026-02-01', rgb, aux FROM made WHERE id = 2;
INSERT INTO log_2a (id, day, rgb, aux) SELECT id, '2026-02-01', rgb, aux FROM made WHERE id = 3;
UPDATE log SET day = '2026-02-01' WHERE id = 1;
SELECT source, key, count(*) FROM mmrd.pending GROUP BY 1, 2 ORDER BY 2;
CALL mmrd_drain('log');
CREATE TABLE log_3 PARTITION OF log FOR VALUES FROM ('2026-03-01') TO ('2026-04-01');
INSERT INTO log SELECT id, '2026-03-05', rgb, aux FROM made WHERE id = 4;
CALL mmrd_drain('log');
SELECT source, key, score = mmrd_score(l.rgb, l.aux, 'both') AS right FROM mmrd.results r JOIN log l ON r.key = l.id::text ORDER BY key;
CALL mmrd_drain('log_1');
SELECT mmrd_detach('log_1');
SELECT mmrd_detach('log');
INSERT INTO log SELECT id, '2026-03-05', rgb, aux FROM made WHERE id = 5;
SELECT count(*) FROM mmrd.pending;
SELECT mmrd_attach('log_1', 'id', 'both', mode => 'trigger');
INSERT INTO log SELECT id, '2026-01-05', rgb, aux FROM made WHERE id = 6;
SELECT source, key FROM mmrd.results WHERE key = '6';

-- a table that is gone
DROP TABLE log;
CALL mmrd_drain();
SELECT count(*), count(*) FILTER (WHERE source::text ~ '^[0-9]+$') AS numbers FROM mmrd.results WHERE error IS NULL;
SELECT mmrd_prune_results(older_than => '-1 hour') > 0 AS pruned;
SELECT count(*) FROM mmrd.attachments;

DROP FUNCTION keyed;
DROP TYPE place;
DROP DOMAIN serial_number;
DROP VIEW seen;
DROP TABLE scans, train, made, temporary, partly;
