-- mmrd 0.1.0 to 0.2.0.  What follows leaves a database as CREATE EXTENSION
-- would have made it: tests/t/070_upgrade.pl compares the two.
\echo Use "ALTER EXTENSION mmrd UPDATE" to load this file. \quit

-- Changes of what 0.1.0 has, by hand:

-- Teacher -1 was called builtin, which is now a better one.  Models know their
-- teacher by id; a job that is not done knows it by name.
DO $$
BEGIN
	IF EXISTS (SELECT FROM mmrd.teachers
		WHERE name OPERATOR(pg_catalog.=) 'builtin_random')
	THEN
		RAISE EXCEPTION USING ERRCODE = 'duplicate_object',
			MESSAGE = 'teacher "builtin_random" already exists',
			DETAIL = 'This version ships a teacher of that name.',
			HINT = 'Give yours another name first: UPDATE mmrd.teachers SET name = ''mine'' WHERE name = ''builtin_random''.';
	END IF;
END $$;
UPDATE mmrd.teachers SET name = 'builtin_random'
	WHERE id OPERATOR(pg_catalog.=) -1;
INSERT INTO mmrd.teachers (id, name, arch, builtin, created_by)
	VALUES (-2, 'builtin', 'resnet18', true, CURRENT_USER);
UPDATE mmrd.trainings
	SET options = pg_catalog.jsonb_set(options, '{teacher}', '"builtin_random"')
	WHERE (options OPERATOR(pg_catalog.->>) 'teacher') OPERATOR(pg_catalog.=) 'builtin'
		AND state OPERATOR(pg_catalog.<>) 'done';

-- New parts of the install script, copied by "make update-script":

-- Results: what was found in the scans of attached tables

-- Who may look at scans may not be who may look at results: nobody reads
-- these unless granted.  COLLATE "C": no index that a new libc puts in
-- another order.
CREATE TABLE mmrd.results (
	source regclass NOT NULL,
	key text COLLATE "C" NOT NULL,
	model text,
	version integer,
	score real,
	normalized real,
	anomalous boolean,
	threshold real,
	area real,
	regions integer,
	map mmrd_map,
	error text,
	scored_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
	elapsed_ms real,
	PRIMARY KEY (source, key)
);
CREATE INDEX results_scored_at_idx ON mmrd.results (scored_at);
COMMENT ON TABLE mmrd.results IS 'what was found in each scan of an attached table: its latest score, or why there is none';
COMMENT ON COLUMN mmrd.results.source IS 'the table that was attached; of a partitioned table, the whole';
COMMENT ON COLUMN mmrd.results.key IS 'of the scan in that table, as text';
COMMENT ON COLUMN mmrd.results.anomalous IS 'whether the score is over the threshold; NULL: the model has none, or there is an error';
COMMENT ON COLUMN mmrd.results.map IS 'kept as keep_map of the attachment says';
COMMENT ON COLUMN mmrd.results.error IS 'why the scan has no score';
COMMENT ON COLUMN mmrd.results.scored_at IS 'when the scan was read';
COMMENT ON COLUMN mmrd.results.elapsed_ms IS 'from reading the scan to its map';

-- A table that is dropped leaves its results until they are pruned; what
-- regclass says of it, a number, would be another table elsewhere.
SELECT pg_catalog.pg_extension_config_dump('mmrd.results',
	'WHERE EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid OPERATOR(pg_catalog.=) source)');

CREATE VIEW mmrd.scores AS
	SELECT r.source::text AS source, r.key, r.model, r.version, r.score,
		r.normalized, r.anomalous, r.threshold, r.area, r.regions, r.error,
		r.scored_at, r.elapsed_ms
	FROM mmrd.results r;
COMMENT ON VIEW mmrd.scores IS 'mmrd.results in types that every driver knows: the table as text, no map';

CREATE VIEW mmrd.daily AS
	SELECT r.source::text AS source, r.model,
		pg_catalog.date_trunc('day', r.scored_at)::date AS day,
		pg_catalog.count(r.score) AS scans,
		pg_catalog.count(*) FILTER (WHERE r.anomalous) AS anomalous,
		pg_catalog.count(*) FILTER (WHERE r.anomalous)::float8
			OPERATOR(pg_catalog./)
			nullif(pg_catalog.count(r.score), 0)::float8 AS rate,
		pg_catalog.avg(r.score) AS mean,
		pg_catalog.percentile_cont(0.95) WITHIN GROUP (ORDER BY r.score::float8) AS p95
	FROM mmrd.results r
	GROUP BY r.source, r.model, pg_catalog.date_trunc('day', r.scored_at);
COMMENT ON VIEW mmrd.daily IS 'scans of each day, in the time zone of the session: how many, how many anomalous, and their scores';
COMMENT ON COLUMN mmrd.daily.scans IS 'with a score';
COMMENT ON COLUMN mmrd.daily.rate IS 'anomalous / scans';
COMMENT ON COLUMN mmrd.daily.p95 IS '95 % of the scores are below it';

-- The Kolmogorov-Smirnov distance: how far apart the two distribution
-- functions are where they are farthest apart, 0 to 1.  It is beyond ks_limit
-- in one case of a hundred where nothing has changed: 1.63 is that quantile
-- of the distribution of Kolmogorov.
CREATE VIEW mmrd.drift AS
	WITH recent AS (
		SELECT r.source, r.model, r.version,
			pg_catalog.array_agg(r.score) AS scores
		FROM mmrd.results r
		WHERE r.score IS NOT NULL
			AND r.scored_at OPERATOR(pg_catalog.>=)
				(pg_catalog.now() OPERATOR(pg_catalog.-) '7 days'::interval)
		GROUP BY r.source, r.model, r.version
	), known AS (
		SELECT m.name AS model, v.version, c.scores
		FROM mmrd.models m
			CROSS JOIN LATERAL (
				SELECT d.version FROM mmrd.deployments d
				WHERE d.model OPERATOR(pg_catalog.=) m.id
				ORDER BY d.id DESC LIMIT 1) d
			JOIN mmrd.versions v ON v.id OPERATOR(pg_catalog.=) d.version
			CROSS JOIN LATERAL (
				SELECT c.scores FROM mmrd.calibrations c
				WHERE c.version OPERATOR(pg_catalog.=) v.id
				ORDER BY c.id DESC LIMIT 1) c
	)
	SELECT r.source::text AS source, r.model, r.version,
		a.n AS scans, b.n AS calibration_scans,
		a.mean, b.mean AS calibration_mean,
		a.p50, b.p50 AS calibration_p50,
		a.p95, b.p95 AS calibration_p95,
		k.ks, l.ks_limit, k.ks OPERATOR(pg_catalog.>) l.ks_limit AS drifted
	FROM recent r
		JOIN known c ON c.model OPERATOR(pg_catalog.=) r.model
			AND c.version OPERATOR(pg_catalog.=) r.version
		CROSS JOIN LATERAL (
			SELECT pg_catalog.count(*) AS n, pg_catalog.avg(s) AS mean,
				pg_catalog.percentile_cont(0.5) WITHIN GROUP (ORDER BY s::float8) AS p50,
				pg_catalog.percentile_cont(0.95) WITHIN GROUP (ORDER BY s::float8) AS p95
			FROM pg_catalog.unnest(r.scores) s) a
		CROSS JOIN LATERAL (
			SELECT pg_catalog.count(*) AS n, pg_catalog.avg(s) AS mean,
				pg_catalog.percentile_cont(0.5) WITHIN GROUP (ORDER BY s::float8) AS p50,
				pg_catalog.percentile_cont(0.95) WITHIN GROUP (ORDER BY s::float8) AS p95
			FROM pg_catalog.unnest(c.scores) s) b
		CROSS JOIN LATERAL (
			SELECT pg_catalog.max(pg_catalog.abs(
				(p.recent OPERATOR(pg_catalog./) a.n::float8)
				OPERATOR(pg_catalog.-)
				(p.known OPERATOR(pg_catalog./) nullif(b.n, 0)::float8))) AS ks
			FROM (
				SELECT pg_catalog.sum(x.recent) OVER w AS recent,
					pg_catalog.sum(x.known) OVER w AS known
				FROM (
					SELECT s, 1::float8 AS recent, 0::float8 AS known
					FROM pg_catalog.unnest(r.scores) s
					UNION ALL
					SELECT s, 0::float8, 1::float8
					FROM pg_catalog.unnest(c.scores) s) x
				WINDOW w AS (ORDER BY x.s)) p) k
		CROSS JOIN LATERAL (
			SELECT 1.63::float8 OPERATOR(pg_catalog.*) pg_catalog.sqrt(
				(a.n OPERATOR(pg_catalog.+) b.n)::float8
				OPERATOR(pg_catalog./)
				nullif(a.n::float8 OPERATOR(pg_catalog.*) b.n::float8, 0))
				AS ks_limit) l;
COMMENT ON VIEW mmrd.drift IS 'scores of the last seven days against the calibration scores of the version in use';
COMMENT ON COLUMN mmrd.drift.ks IS 'Kolmogorov-Smirnov distance of the two, 0 (the same) to 1';
COMMENT ON COLUMN mmrd.drift.ks_limit IS 'what chance alone exceeds once in a hundred times';

-- Which tables are attached.  Their columns are named twice: here, and by the
-- trigger, which follows when a column is renamed and counts if they differ.
CREATE TABLE mmrd.attachments (
	source regclass PRIMARY KEY,
	key name NOT NULL,
	rgb name NOT NULL,
	aux name,
	aux2 name,
	model_column name,
	model text,
	mode text NOT NULL CHECK (mode OPERATOR(pg_catalog.=) ANY (ARRAY['queue', 'trigger'])),
	keep_map text NOT NULL CHECK (keep_map OPERATOR(pg_catalog.=)
		ANY (ARRAY['anomalous', 'always', 'never'])),
	notify name,
	on_error text NOT NULL DEFAULT 'record'
		CHECK (on_error OPERATOR(pg_catalog.=) ANY (ARRAY['record', 'raise'])),
	on_delete text NOT NULL DEFAULT 'remove'
		CHECK (on_delete OPERATOR(pg_catalog.=) ANY (ARRAY['remove', 'keep'])),
	attached_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
	attached_by name NOT NULL
);
COMMENT ON TABLE mmrd.attachments IS 'tables whose new scans are scored by themselves';
COMMENT ON COLUMN mmrd.attachments.model IS 'NULL: the only deployed model';
COMMENT ON COLUMN mmrd.attachments.on_error IS 'in mode trigger: record the error of a scan as its result, or raise it';
COMMENT ON COLUMN mmrd.attachments.on_delete IS 'what becomes of the result of a scan that is deleted: remove or keep';

-- One row for each change of a scan.  Rows are added, locked while their scan
-- is scored, and deleted; only `attempts` is changed, in place and outside of
-- transactions (extension/pg_attempts.c), which is why it stands where it
-- does: behind columns of fixed width that are never NULL.
CREATE TABLE mmrd.pending (
	id bigint GENERATED BY DEFAULT AS IDENTITY,
	source regclass NOT NULL,
	attempts integer NOT NULL DEFAULT 0,
	queued_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
	key text COLLATE "C" NOT NULL,
	PRIMARY KEY (source, id)
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.1);
-- Not the source: what is looked up by a key must not be able to use the
-- index above.
CREATE INDEX pending_key_idx ON mmrd.pending (key, id);
COMMENT ON TABLE mmrd.pending IS 'scans of attached tables that wait to be scored';
COMMENT ON COLUMN mmrd.pending.attempts IS 'how often a session began to score it and died';

SELECT pg_catalog.pg_extension_config_dump('mmrd.attachments',
	'WHERE EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid OPERATOR(pg_catalog.=) source)');
SELECT pg_catalog.pg_extension_config_dump('mmrd.pending',
	'WHERE EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid OPERATOR(pg_catalog.=) source)');
SELECT pg_catalog.pg_extension_config_dump('mmrd.pending_id_seq', '');

-- What is attached is no secret; what waits has keys in it.
GRANT SELECT ON mmrd.attachments TO PUBLIC;

-- Attached tables: whose new scans are scored by themselves

-- Triggers of users' tables: PUBLIC may call them, in that they write only
-- what concerns the table that they are on.
CREATE FUNCTION mmrd_on_scan()
	RETURNS trigger
	AS 'MODULE_PATHNAME', 'mmrd_on_scan'
	LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION mmrd_on_scan() IS
	'trigger of attached tables: a scan was added, changed or deleted';

CREATE FUNCTION mmrd_on_truncate()
	RETURNS trigger
	AS 'MODULE_PATHNAME', 'mmrd_on_truncate'
	LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION mmrd_on_truncate() IS
	'trigger of attached tables: all scans are gone';

CREATE FUNCTION mmrd_attach(source regclass, key name,
							model text DEFAULT NULL, rgb name DEFAULT 'rgb',
							aux name DEFAULT 'aux', aux2 name DEFAULT NULL,
							mode text DEFAULT 'queue',
							keep_map text DEFAULT 'anomalous',
							model_column name DEFAULT NULL,
							notify name DEFAULT NULL)
	RETURNS void
	AS 'MODULE_PATHNAME', 'mmrd_attach'
	LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION mmrd_attach(regclass, name, text, name, name, name, text, text, name, name) IS
	'have the new scans of a table scored: in the inserting transaction, or by mmrd_drain and mmrd_score_pending';
REVOKE ALL ON FUNCTION mmrd_attach(regclass, name, text, name, name, name, text, text, name, name) FROM PUBLIC;

CREATE FUNCTION mmrd_attach_options(source regclass,
									on_error text DEFAULT NULL,
									on_delete text DEFAULT NULL)
	RETURNS void
	AS 'MODULE_PATHNAME', 'mmrd_attach_options'
	LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION mmrd_attach_options(regclass, text, text) IS
	'what happens when a scan cannot be scored (record, raise), and when one is deleted (remove, keep); NULL leaves it as it is';
REVOKE ALL ON FUNCTION mmrd_attach_options(regclass, text, text) FROM PUBLIC;

CREATE FUNCTION mmrd_detach(source regclass)
	RETURNS void
	AS 'MODULE_PATHNAME', 'mmrd_detach'
	LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION mmrd_detach(regclass) IS
	'score the new scans of a table no more; its results stay';
REVOKE ALL ON FUNCTION mmrd_detach(regclass) FROM PUBLIC;

-- PUBLIC, as scoring is: who calls them needs SELECT on the table, and cannot
-- make them write anything but what the attachment's model finds.
CREATE FUNCTION mmrd_score_pending(source regclass DEFAULT NULL,
								   max_rows integer DEFAULT 1000)
	RETURNS bigint
	AS 'MODULE_PATHNAME', 'mmrd_score_pending'
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000000;
COMMENT ON FUNCTION mmrd_score_pending(regclass, integer) IS
	'score scans that wait, of one attached table or of all, in this transaction; how many results were written';

CREATE PROCEDURE mmrd_drain(source regclass DEFAULT NULL,
							batch integer DEFAULT 16)
	AS 'MODULE_PATHNAME', 'mmrd_drain'
	LANGUAGE C;
COMMENT ON PROCEDURE mmrd_drain(regclass, integer) IS
	'score all scans that wait, of one attached table or of all, and commit after each batch';

-- Results: made anew, or removed

CREATE FUNCTION mmrd_rescore(source regclass, since timestamptz DEFAULT NULL,
							 model text DEFAULT NULL)
	RETURNS bigint
	AS 'MODULE_PATHNAME', 'mmrd_rescore'
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000000;
COMMENT ON FUNCTION mmrd_rescore(regclass, timestamptz, text) IS
	'have scans of an attached table scored again: those with a result since then, or by that model; all of the table, where neither is named; how many';
REVOKE ALL ON FUNCTION mmrd_rescore(regclass, timestamptz, text) FROM PUBLIC;

CREATE FUNCTION mmrd_prune_results(source regclass DEFAULT NULL,
								   older_than interval DEFAULT '90 days',
								   maps_only boolean DEFAULT false)
	RETURNS bigint
	AS 'MODULE_PATHNAME', 'mmrd_prune_results'
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000000;
COMMENT ON FUNCTION mmrd_prune_results(regclass, interval, boolean) IS
	'remove old results, or only their maps, of one table or of all that the caller owns; how many';
REVOKE ALL ON FUNCTION mmrd_prune_results(regclass, interval, boolean) FROM PUBLIC;

-- Models that are ready to score, one copy for all sessions

CREATE FUNCTION mmrd_cached(OUT database oid, OUT uid uuid, OUT "precision" text,
							OUT shared boolean, OUT state text, OUT bytes bigint,
							OUT users integer, OUT hits bigint,
							OUT loaded_at timestamptz, OUT used_at timestamptz,
							OUT pid integer)
	RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'mmrd_cached'
	LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED COST 1000 ROWS 10;
COMMENT ON FUNCTION mmrd_cached() IS
	'models in memory, as the server counts them; for the view mmrd.cache';

CREATE VIEW mmrd.cache AS
	SELECT d.datname AS database, m.name AS model, v.version, c.precision,
		c.bytes, c.users, c.hits, c.loaded_at, c.used_at, c.shared, c.state,
		c.pid
	FROM @extschema@.mmrd_cached() c
		JOIN pg_catalog.pg_database d ON d.oid OPERATOR(pg_catalog.=) c.database
		LEFT JOIN mmrd.versions v ON v.uid OPERATOR(pg_catalog.=) c.uid
			AND d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database()
		LEFT JOIN mmrd.models m ON m.id OPERATOR(pg_catalog.=) v.model;
COMMENT ON VIEW mmrd.cache IS 'models that are ready to score; those of other databases for pg_read_all_stats only';
COMMENT ON COLUMN mmrd.cache.model IS 'NULL for a model of another database';
COMMENT ON COLUMN mmrd.cache.users IS 'sessions that have it mapped';
COMMENT ON COLUMN mmrd.cache.hits IS 'scans scored with it since it was loaded';
COMMENT ON COLUMN mmrd.cache.shared IS 'false: a copy in the memory of the one session pid';
COMMENT ON COLUMN mmrd.cache.state IS 'loading, ready, or evicted: it goes when its sessions need it no more';
COMMENT ON COLUMN mmrd.cache.pid IS 'who loads it, or whose private copy it is';
GRANT SELECT ON mmrd.cache TO PUBLIC;

CREATE FUNCTION mmrd_cache_clear()
	RETURNS bigint
	AS 'MODULE_PATHNAME', 'mmrd_cache_clear'
	LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED COST 1000;
COMMENT ON FUNCTION mmrd_cache_clear() IS
	'let go of the models of this database that no session uses now; the bytes';
REVOKE ALL ON FUNCTION mmrd_cache_clear() FROM PUBLIC;

CREATE FUNCTION mmrd_threads_taken(OUT total integer, OUT taken integer,
								   OUT sessions integer)
	AS 'MODULE_PATHNAME', 'mmrd_threads_taken'
	LANGUAGE C VOLATILE STRICT PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION mmrd_threads_taken() IS
	'threads that all sessions may use, that are in use now, and by how many sessions';

-- A page to look at

-- PUBLIC may call it: what it shows is for those who may see the results,
-- which it checks itself.
CREATE FUNCTION mmrd_report(source regclass, model text DEFAULT NULL,
							since interval DEFAULT '7 days',
							title text DEFAULT NULL)
	RETURNS text
	AS 'MODULE_PATHNAME', 'mmrd_report_page'
	LANGUAGE C STABLE PARALLEL RESTRICTED COST 1000000;
COMMENT ON FUNCTION mmrd_report(regclass, text, interval, text) IS
	'what was found in the scans of a table lately, as one HTML page with charts and the worst scans; for who may see the results';

-- Where the time goes

CREATE FUNCTION mmrd_timing(OUT scans bigint, OUT read_ms float8,
							OUT decode_ms float8, OUT resize_ms float8,
							OUT network_ms float8, OUT map_ms float8,
							OUT encode_ms float8)
	AS 'MODULE_PATHNAME', 'mmrd_timing'
	LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED;
COMMENT ON FUNCTION mmrd_timing() IS
	'scans that this session has scored, and the milliseconds that each step took for all of them';
