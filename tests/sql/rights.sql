-- Who may do what, and with whose rights it runs.
DROP EXTENSION mmrd CASCADE;
CREATE EXTENSION mmrd;
SET mmrd.progress = off;
SET mmrd.threads = 1;
SET client_min_messages = warning;
\pset format unaligned
\set SHOW_CONTEXT never
\set VERBOSITY terse

CREATE ROLE mmrd_test_nobody;
CREATE ROLE mmrd_test_trainer;
GRANT CREATE ON SCHEMA public TO mmrd_test_nobody, mmrd_test_trainer;
GRANT EXECUTE ON FUNCTION mmrd_train, mmrd_import_teacher(text, bytea, text), mmrd_import_teacher_file, mmrd_drop_teacher
	TO mmrd_test_trainer;

CREATE TABLE scans AS SELECT 'ours' AS owner, * FROM mmrd_synthesize(6, 1);
\set options '{"epochs": 1, "input_size": 64, "prototypes": [1, 1, 1]}'
SELECT version FROM mmrd_train('scans', options => :'options');

-- PUBLIC scores, looks and measures; and does nothing else.
SET ROLE mmrd_test_nobody;
CREATE TABLE mine AS SELECT * FROM mmrd_synthesize(2, 2, 0.5);
SELECT count(mmrd_score(rgb, aux)), count(mmrd_png((SELECT map FROM mmrd_inspect(rgb, aux)))) FROM mine;
SELECT scans FROM mmrd_evaluate('mine', label => 'anomalous');
SELECT mmrd_train('mine', options => :'options');
SELECT mmrd_import_teacher('t', 'x');
SELECT mmrd_import_teacher_file('t', '/etc/passwd');
SELECT mmrd_drop_teacher('builtin');
SELECT count(*) FROM scans;
SELECT scans FROM mmrd_evaluate('scans', label => 'anomalous');
SELECT count(*) FROM mmrd.tensors;
SELECT count(*) FROM mmrd.prototypes;
SELECT count(*) FROM mmrd.models;
INSERT INTO mmrd.deployments (model, version, deployed_by) VALUES (1, 1, 'me');
UPDATE mmrd.calibrations SET threshold = 0;
DELETE FROM mmrd.versions;
SET mmrd.max_pixels = 1000;
SET mmrd.train_memory = '1TB';
SET mmrd.cache_size = 0;

-- Who may train needs no right on mmrd's tables, and gets none.
SET ROLE mmrd_test_trainer;
SELECT mmrd_train('scans', options => :'options');
CREATE TABLE theirs AS SELECT * FROM mmrd_synthesize(3, 3);
SELECT model, version FROM mmrd_train('theirs', options => :'options');
SELECT model, version FROM mmrd_inspect((SELECT rgb FROM theirs LIMIT 1), (SELECT aux FROM theirs LIMIT 1), 'theirs');
SELECT m.name, m.created_by, v.created_by, d.deployed_by, c.created_by FROM mmrd.models m
	JOIN mmrd.versions v ON v.model = m.id JOIN mmrd.deployments d ON d.version = v.id
	JOIN mmrd.calibrations c ON c.version = v.id ORDER BY m.id;
SELECT count(*) FROM mmrd.tensors;
-- The server's files are another matter.
SELECT mmrd_import_teacher_file('t', '/etc/passwd');
SELECT mmrd_import_teacher_file('t', '/no/such/file');
RESET ROLE;
GRANT pg_read_server_files TO mmrd_test_trainer;
SET ROLE mmrd_test_trainer;
SELECT mmrd_import_teacher_file('t', '/no/such/file');

-- A condition runs with the caller's rights, and the caller's alone.
CREATE FUNCTION whoami() RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	RAISE WARNING 'condition runs as %', current_user;
	RETURN true;
END $$;
SELECT version FROM mmrd_train('theirs', filter => 'id > 1 OR whoami()', options => :'options');
SELECT mmrd_train('theirs', filter => 'EXISTS (SELECT FROM mmrd.tensors)', options => :'options');
SELECT mmrd_train('theirs', filter => 'EXISTS (SELECT FROM scans)', options => :'options');
RESET ROLE;
SELECT current_user = session_user AS restored;

-- Row security: trained on what the caller sees.
ALTER TABLE scans ENABLE ROW LEVEL SECURITY;
CREATE POLICY mine ON scans TO mmrd_test_trainer USING (id <= 4);
GRANT SELECT ON scans TO mmrd_test_trainer;
SET ROLE mmrd_test_trainer;
SELECT scans FROM mmrd_train('scans', 'seen by trainer', options => :'options');
SELECT scans FROM mmrd_evaluate('scans', 'scans');
SET row_security = off;
SELECT mmrd_train('scans', 'seen by trainer', options => :'options');
RESET row_security;
RESET ROLE;
SELECT scans FROM mmrd_train('scans', 'seen by owner', options => :'options');

-- An operator or function that the caller's search path finds first is not
-- what our own statements use.
CREATE SCHEMA trap AUTHORIZATION mmrd_test_nobody;
SET ROLE mmrd_test_nobody;
CREATE FUNCTION trap.spring() RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	RAISE EXCEPTION 'ran as %', current_user;
END $$;
CREATE FUNCTION trap.eq(text, text) RETURNS boolean LANGUAGE sql AS 'SELECT trap.spring()';
CREATE FUNCTION trap.eq(integer, integer) RETURNS boolean LANGUAGE sql AS 'SELECT trap.spring()';
CREATE FUNCTION trap.eq(bigint, bigint) RETURNS boolean LANGUAGE sql AS 'SELECT trap.spring()';
CREATE OPERATOR trap.= (FUNCTION = trap.eq, LEFTARG = text, RIGHTARG = text);
CREATE OPERATOR trap.= (FUNCTION = trap.eq, LEFTARG = integer, RIGHTARG = integer);
CREATE OPERATOR trap.= (FUNCTION = trap.eq, LEFTARG = bigint, RIGHTARG = bigint);
CREATE FUNCTION trap.cardinality(anyarray) RETURNS integer LANGUAGE sql AS 'SELECT trap.spring()::integer';
CREATE FUNCTION trap.sha256(bytea) RETURNS bytea LANGUAGE sql AS 'SELECT trap.spring()::text::bytea';
CREATE FUNCTION trap.quote_ident(text) RETURNS text LANGUAGE sql AS 'SELECT trap.spring()::text';
CREATE TEMP TABLE models (id integer, name text);
RESET ROLE;
GRANT EXECUTE ON FUNCTION mmrd_train, mmrd_drop_teacher TO mmrd_test_nobody;
-- a new session, which has planned nothing yet
\c -
SET mmrd.progress = off;
SET mmrd.threads = 1;
SET client_min_messages = warning;
SET ROLE mmrd_test_nobody;
CREATE TEMP TABLE teachers (id integer, name text);
SET search_path = trap, pg_temp, public, pg_catalog;
SELECT 'a'::text = 'b'::text;
SELECT pg_catalog.count(mmrd_score(rgb, aux, 'scans')) FROM mine;
SELECT scans FROM mmrd_evaluate('mine', 'scans', label => 'anomalous');
SELECT version FROM mmrd_train('mine', 'trapped', options => :'options');
SELECT mmrd_drop_teacher('nobody');
SHOW search_path;
RESET search_path;
RESET ROLE;

DROP OWNED BY mmrd_test_nobody, mmrd_test_trainer;
DROP ROLE mmrd_test_nobody, mmrd_test_trainer;
DROP TABLE scans;
