-- The claims of docs/security.md that other tests do not make good.
DROP EXTENSION IF EXISTS mmrd CASCADE;
SET client_min_messages = warning;
\pset format unaligned
\set SHOW_CONTEXT never
\set VERBOSITY terse

-- A schema with a trap for every operator of PostgreSQL, and for every
-- function that can be written anew: of the same name and types, so that
-- whoever finds this schema first steps into it.
CREATE SCHEMA trap;
SET check_function_bodies = off;
DO $$
DECLARE
	body constant text := ' LANGUAGE plpgsql AS ''BEGIN RAISE EXCEPTION ''''trapped''''; END''';
	o record;
BEGIN
	FOR o IN
		SELECT row_number() OVER () AS n, oprname, nullif(oprleft, 0)::regtype AS l, oprright::regtype AS r, oprresult::regtype AS result
		FROM pg_operator WHERE oprnamespace = 'pg_catalog'::regnamespace
			AND NOT EXISTS (SELECT FROM pg_type t WHERE t.oid IN (oprleft, oprright, oprresult) AND t.typtype = 'p')
	LOOP
		EXECUTE format('CREATE FUNCTION trap.operator_%s(%s) RETURNS %s' || body, o.n, concat_ws(', ', o.l, o.r), o.result);
		EXECUTE format('CREATE OPERATOR trap.%s (FUNCTION = trap.operator_%s%s, RIGHTARG = %s)', o.oprname, o.n, ', LEFTARG = ' || o.l, o.r);
	END LOOP;
	FOR o IN
		SELECT proname, pg_get_function_identity_arguments(p.oid) AS arguments, pg_get_function_result(p.oid) AS result
		FROM pg_proc p WHERE pronamespace = 'pg_catalog'::regnamespace AND prokind = 'f' AND proargmodes IS NULL AND provariadic = 0
			AND NOT EXISTS (SELECT FROM pg_type t WHERE t.typtype = 'p' AND (t.oid = ANY (proargtypes)
				OR t.oid = prorettype AND t.typname <> 'void'))
	LOOP
		EXECUTE format('CREATE FUNCTION trap.%I(%s) RETURNS %s' || body, o.proname, o.arguments, o.result);
	END LOOP;
END $$;
RESET check_function_bodies;
SELECT (SELECT count(*) > 500 FROM pg_operator WHERE oprnamespace = 'trap'::regnamespace) AS operators,
	(SELECT count(*) > 1500 FROM pg_proc WHERE pronamespace = 'trap'::regnamespace) AS functions;

-- The extension is created in that very schema, and none of its objects has
-- to do with what it found there (expected: no rows).
SET search_path = trap, pg_catalog;
CREATE EXTENSION mmrd SCHEMA trap;
RESET search_path;
CREATE VIEW members AS
	SELECT d.classid, d.objid FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
	WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND e.extname = 'mmrd';
CREATE VIEW foreign_objects AS WITH own AS (
	SELECT classid, objid FROM members
	UNION SELECT 'pg_rewrite'::regclass, r.oid FROM pg_rewrite r JOIN members m ON m.objid = r.ev_class
	UNION SELECT 'pg_constraint'::regclass, c.oid FROM pg_constraint c JOIN members m ON m.objid = c.conrelid
	UNION SELECT 'pg_attrdef'::regclass, a.oid FROM pg_attrdef a JOIN members m ON m.objid = a.adrelid
	UNION SELECT 'pg_class'::regclass, i.indexrelid FROM pg_index i JOIN members m ON m.objid = i.indrelid)
SELECT pg_describe_object(d.classid, d.objid, d.objsubid) AS object, pg_describe_object(d.refclassid, d.refobjid, 0) AS trapped
FROM pg_depend d JOIN own USING (classid, objid)
WHERE d.refclassid IN ('pg_proc'::regclass, 'pg_operator'::regclass, 'pg_type'::regclass)
	AND NOT EXISTS (SELECT FROM members m WHERE m.classid = d.refclassid AND m.objid = d.refobjid)
	AND NOT EXISTS (SELECT FROM pg_type t JOIN members m ON m.objid = t.typrelid
		WHERE d.refclassid = 'pg_type'::regclass AND d.refobjid = t.oid);
SELECT * FROM foreign_objects;
-- It would be seen.
CREATE VIEW spoiled AS SELECT 1 OPERATOR(trap.+) 1 AS two;
ALTER EXTENSION mmrd ADD VIEW spoiled;
SELECT * FROM foreign_objects WHERE trapped LIKE 'operator%';
DROP VIEW foreign_objects;
DROP EXTENSION mmrd CASCADE;

-- Here it is in its usual place, and who uses it finds the traps first.
CREATE EXTENSION mmrd SCHEMA public;
CREATE TABLE scans AS SELECT * FROM mmrd_synthesize(6, 1);
CREATE TABLE line (id integer PRIMARY KEY, rgb bytea, aux bytea);
\c -
SET client_min_messages = warning;
SET mmrd.progress = off;
SET mmrd.threads = 1;
\set options '{"epochs": 1, "input_size": 64, "prototypes": [1, 1, 1], "deploy": "always"}'
SET search_path = trap, pg_catalog, public;
SELECT 1 + 1;
SELECT length('trap'::text);
-- everything that reads or writes a table of ours, twice where it keeps plans
SELECT version FROM mmrd_train('scans', options => :'options');
SELECT version FROM mmrd_train('scans', options => :'options');
SELECT model, version FROM mmrd_inspect((SELECT rgb FROM scans LIMIT 1), (SELECT aux FROM scans LIMIT 1));
SELECT pg_catalog.count(mmrd_score(rgb, aux)) FROM scans;
SELECT scans FROM mmrd_evaluate('scans', label => 'anomalous', mask => 'mask');
SELECT pg_catalog.count(mmrd_calibrate('scans', 'scans'));
SELECT mmrd_deploy('scans', 1);
SELECT mmrd_rollback('scans');
SELECT mmrd_drop_version('scans', 1);
SELECT mmrd_import_model('copy', mmrd_export_model('scans'));
SELECT mmrd_prune('copy', 1);
SELECT mmrd_allow('copy', CURRENT_USER);
SELECT mmrd_disallow('copy', CURRENT_USER);
SELECT mmrd_drop_model('copy');
SELECT mmrd_drop_teacher('nobody');
SELECT mmrd_attach('line', 'id', 'scans', keep_map => 'always');
SELECT mmrd_attach_options('line', 'record', 'keep');
INSERT INTO line SELECT id, rgb, aux FROM scans;
SELECT mmrd_score_pending('line', 2);
CALL mmrd_drain('line');
SELECT mmrd_rescore('line');
CALL mmrd_drain();
SELECT mmrd_attach('line', 'id', 'scans', mode => 'trigger', keep_map => 'always');
UPDATE line SET aux = aux;
SELECT pg_catalog.count(score) FROM mmrd.scores;
SELECT pg_catalog.count(mean), pg_catalog.max(scans) FROM mmrd.daily;
SELECT pg_catalog.count(ks) FROM mmrd.drift;
SELECT pg_catalog.count(mmrd_report('line'));
SELECT model FROM mmrd.cache;
SELECT pg_catalog.count(mmrd_overlay(l.rgb, r.map)) FROM line l JOIN mmrd.results r ON r.key OPERATOR(pg_catalog.=) l.id::text;
SELECT mmrd_prune_results('line', maps_only => true, older_than => '0 s');
SELECT mmrd_detach('line');
SELECT mmrd_train_start('scans', 'job', options => :'options') AS job \gset
SELECT mmrd_wait(:job, '2 min');
SELECT state, version, error FROM mmrd.jobs;
SELECT mmrd_cancel(:job);
DELETE FROM mmrd.trainings;
-- but a condition is the caller's, and means what the caller's path says
SELECT mmrd_train('scans', filter => 'id > 1', options => :'options');
RESET search_path;

-- What would have to be checked one by one, were there any (no rows): bodies
-- in SQL or PL/pgSQL, and functions with the rights of their owner whose path
-- is not pinned.
SELECT p.oid::regprocedure, l.lanname FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
	JOIN pg_depend d ON d.objid = p.oid AND d.classid = 'pg_proc'::regclass AND d.deptype = 'e'
	JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'mmrd'
WHERE p.prokind <> 'a' AND l.lanname <> 'c' OR p.prosecdef
	AND NOT coalesce(p.proconfig::text LIKE '%search_path=pg_catalog, pg_temp%', false);

-- What the script says of each function it says itself: nothing is a default.
-- (Aggregates have no volatility, procedures no parallel safety.)
WITH script AS (
	SELECT pg_read_file(c.setting || '/extension/mmrd--' || extversion || '.sql') AS text
	FROM pg_config c, pg_extension WHERE c.name = 'SHAREDIR' AND extname = 'mmrd'
), made AS (
	SELECT m[1] AS name, m[2] AS clauses FROM script, regexp_matches(text, 'CREATE FUNCTION (\w+)([^;]*);', 'g') m
)
SELECT count(*) > 40 AS functions, count(*) FILTER (WHERE clauses ~ '\m(IMMUTABLE|STABLE|VOLATILE)\M') = count(*) AS volatility,
	count(*) FILTER (WHERE clauses ~ '\mPARALLEL (SAFE|RESTRICTED|UNSAFE)\M') = count(*) AS parallel_safety FROM made;

-- A role that was granted nothing.  Every function that PUBLIC may not call is
-- refused before it looks at its arguments; all that is left is listed.
CREATE ROLE mmrd_test_nobody;
CREATE FUNCTION pg_temp.refusal(function regprocedure) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	SET LOCAL ROLE mmrd_test_nobody;
	EXECUTE format('SELECT %s(%s)', function::regproc, (SELECT string_agg(format(CASE WHEN proisstrict THEN '''0''::%s' ELSE 'NULL::%s' END, t::regtype), ', ' ORDER BY n)
		FROM pg_proc, unnest(proargtypes) WITH ORDINALITY a(t, n) WHERE oid = function));
	RETURN 'done';
EXCEPTION WHEN OTHERS THEN
	RETURN sqlstate;
END $$;
SELECT pg_temp.refusal(p.oid) AS result, string_agg(DISTINCT p.proname, ', ' ORDER BY p.proname) AS functions
FROM pg_proc p JOIN members m ON m.objid = p.oid AND m.classid = 'pg_proc'::regclass
WHERE p.prorettype <> 'trigger'::regtype AND p.proacl IS NOT NULL GROUP BY 1;
SELECT string_agg(DISTINCT p.proname, ', ' ORDER BY p.proname) AS public
FROM pg_proc p JOIN members m ON m.objid = p.oid AND m.classid = 'pg_proc'::regclass
WHERE p.proacl IS NULL AND p.prokind <> 'a' AND NOT (p.prorettype = 'internal'::regtype OR 'internal'::regtype = ANY (p.proargtypes));
-- and of the tables
SELECT c.relname, c.relkind FROM pg_class c JOIN members m ON m.objid = c.oid AND m.classid = 'pg_class'::regclass
WHERE c.relkind IN ('r', 'v') AND has_table_privilege('mmrd_test_nobody', c.oid, 'SELECT') ORDER BY 1;
SELECT c.relname FROM pg_class c JOIN members m ON m.objid = c.oid AND m.classid = 'pg_class'::regclass
WHERE c.relkind IN ('r', 'v') AND has_table_privilege('mmrd_test_nobody', c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')
	OR c.relkind = 'S' AND has_sequence_privilege('mmrd_test_nobody', c.oid, 'USAGE, SELECT, UPDATE');

-- Somebody else's scans, by every function that takes a table.
GRANT EXECUTE ON FUNCTION mmrd_train, mmrd_calibrate, mmrd_attach, mmrd_rescore, mmrd_detach, mmrd_prune_results TO mmrd_test_nobody;
INSERT INTO line SELECT id + 10, rgb, aux FROM scans;
SELECT mmrd_attach('line', 'id', 'scans');
INSERT INTO line SELECT 20, rgb, aux FROM scans WHERE id = 1;
SET ROLE mmrd_test_nobody;
SELECT mmrd_train('scans', options => :'options');
SELECT mmrd_evaluate('scans', 'scans', label => 'anomalous');
SELECT mmrd_calibrate('scans', 'scans');
SELECT mmrd_attach('line', 'id');
SELECT mmrd_score_pending('line');
CALL mmrd_drain('line');
SELECT mmrd_rescore('line');
SELECT mmrd_detach('line');
SELECT mmrd_prune_results('line', '0 s');
SELECT mmrd_report('line');
SELECT count(*) FROM mmrd.results;
RESET ROLE;
SELECT count(*) FROM mmrd.pending;

-- Server files are for members of pg_read_server_files and
-- pg_write_server_files: EXECUTE is not enough, and neither is one for both.
GRANT EXECUTE ON FUNCTION mmrd_import_teacher_file, mmrd_import_model_file, mmrd_export_model_file, mmrd_import_scans TO mmrd_test_nobody;
SET ROLE mmrd_test_nobody;
SELECT mmrd_import_teacher_file('t', '/etc/passwd');
SELECT mmrd_import_model_file('m', '/etc/passwd');
SELECT mmrd_import_scans('s', '/etc', 'mvtec3d');
SELECT mmrd_export_model_file('scans', '/tmp/mmrd_test_security');
RESET ROLE;
GRANT pg_read_server_files TO mmrd_test_nobody;
SET ROLE mmrd_test_nobody;
SELECT mmrd_export_model_file('scans', '/tmp/mmrd_test_security');
SELECT mmrd_import_model_file('m', '/etc/passwd');
SELECT mmrd_import_teacher_file('t', '/dev/zero');
RESET ROLE;
REVOKE pg_read_server_files FROM mmrd_test_nobody;

-- Limits come before memory: a picture of 16 GB in 45 bytes, and nobody
-- raises a limit for themselves.
SET ROLE mmrd_test_nobody;
SELECT mmrd_score('\x89504e470d0a1a0a0000000d494844520000ffff0000ffff080200000039674e070000000049454e44ae426082', '', 'scans');
SET mmrd.max_pixels = 1000000000;
SET mmrd.train_memory = '1TB';
SET mmrd.train_threads = 100;
RESET ROLE;

DROP OWNED BY mmrd_test_nobody;
DROP ROLE mmrd_test_nobody;
DROP VIEW members;
DROP TABLE scans, line;
DROP SCHEMA trap CASCADE;
DROP EXTENSION mmrd CASCADE;
CREATE EXTENSION mmrd;
