-- Whose rights count: for attaching, inserting, scoring what waits, looking.
DROP EXTENSION mmrd CASCADE;
CREATE EXTENSION mmrd;
SET mmrd.progress = off;
SET mmrd.threads = 1;
SET client_min_messages = warning;
\pset format unaligned
\set SHOW_CONTEXT never
\set VERBOSITY terse

CREATE ROLE mmrd_test_owner;
CREATE ROLE mmrd_test_writer;
CREATE ROLE mmrd_test_worker;
CREATE ROLE mmrd_test_nobody;
GRANT CREATE ON SCHEMA public TO mmrd_test_owner, mmrd_test_nobody;
GRANT EXECUTE ON FUNCTION mmrd_attach, mmrd_attach_options, mmrd_detach, mmrd_rescore, mmrd_prune_results TO mmrd_test_owner;
CREATE TABLE made AS SELECT * FROM mmrd_synthesize(6, 1);
GRANT SELECT ON made TO PUBLIC;
SELECT version FROM mmrd_train('made', options => '{"epochs": 1, "input_size": 64, "prototypes": [1, 1, 1]}');

-- nobody attaches, least of all somebody else's table
SET ROLE mmrd_test_nobody;
CREATE TABLE mine (id integer PRIMARY KEY, rgb bytea, aux bytea);
SELECT mmrd_attach('mine', 'id');
SELECT mmrd_attach_options('mine', 'raise');
SELECT mmrd_detach('mine');
SELECT mmrd_rescore('mine');
SELECT mmrd_prune_results();
SET ROLE mmrd_test_owner;
SELECT mmrd_attach('mine', 'id');
SELECT mmrd_attach('mmrd.results', 'key');

-- the owner does, and needs no right on mmrd's tables
CREATE TABLE scans (id integer PRIMARY KEY, rgb bytea, aux bytea, secret text);
GRANT INSERT, UPDATE, DELETE, TRUNCATE ON scans TO mmrd_test_writer;
GRANT SELECT (id, rgb, aux) ON scans TO mmrd_test_worker;
SELECT mmrd_attach('scans', 'id');
SELECT count(*) FROM mmrd.attachments;
SELECT count(*) FROM mmrd.results;
SELECT count(*) FROM mmrd.scores;
SELECT count(*) FROM mmrd.daily;
SELECT count(*) FROM mmrd.drift;
SELECT count(*) FROM mmrd.pending;
DELETE FROM mmrd.attachments;

-- who inserts need not even see the table
SET ROLE mmrd_test_writer;
SELECT count(*) FROM scans;
INSERT INTO scans SELECT id, rgb, aux FROM made WHERE id <= 3;
INSERT INTO mmrd.pending (source, key) VALUES ('scans', 'x');
SELECT mmrd_score_pending('scans');
SELECT mmrd_score_pending();
CALL mmrd_drain('scans');
CALL mmrd_drain();
SET ROLE mmrd_test_nobody;
SELECT mmrd_score_pending('scans');
CALL mmrd_drain();
RESET ROLE;
SELECT count(*) FROM mmrd.pending;

-- who scores needs SELECT on the columns; the model is the attachment's
SET ROLE mmrd_test_worker;
SET mmrd.model = 'no such model';
SELECT mmrd_score_pending();
RESET mmrd.model;
CALL mmrd_drain('scans');
SELECT count(*) FROM mmrd.results;
RESET ROLE;
SELECT key, model, error FROM mmrd.results ORDER BY key;

-- in mode trigger, the one who inserts scores
SET ROLE mmrd_test_owner;
SELECT mmrd_attach('scans', 'id', mode => 'trigger');
SET ROLE mmrd_test_writer;
INSERT INTO scans SELECT id, rgb, aux FROM made WHERE id = 4;
RESET ROLE;
SELECT key, score IS NOT NULL AS scored FROM mmrd.results ORDER BY key;
-- a model for some roles is for the scans of their tables
CREATE ROLE mmrd_test_chosen;
SELECT mmrd_allow('made', 'mmrd_test_chosen');
SET ROLE mmrd_test_writer;
INSERT INTO scans SELECT id, rgb, aux FROM made WHERE id = 5;
SET ROLE mmrd_test_owner;
SELECT mmrd_attach('scans', 'id');
RESET ROLE;
SELECT error FROM mmrd.results WHERE key = '5';
GRANT mmrd_test_chosen TO mmrd_test_owner;
SET ROLE mmrd_test_owner;
SELECT mmrd_attach('scans', 'id');
SET ROLE mmrd_test_writer;
INSERT INTO scans SELECT id, rgb, aux FROM made WHERE id = 6;
SET ROLE mmrd_test_worker;
SELECT count(mmrd_score(rgb, aux, 'made')) FROM made;
SELECT mmrd_score_pending('scans');
RESET ROLE;
SELECT error FROM mmrd.results WHERE key = '6';
-- trouble with one table is a warning where another was not asked for
REVOKE mmrd_test_chosen FROM mmrd_test_owner;
INSERT INTO scans SELECT 7, rgb, aux FROM made WHERE id = 6;
SELECT mmrd_score_pending('scans');
SELECT mmrd_score_pending();
SELECT key, attempts FROM mmrd.pending;
SELECT mmrd_disallow('made', 'mmrd_test_chosen');
SELECT mmrd_score_pending();

-- row security: what a role may not see stays for one that may
ALTER TABLE scans ENABLE ROW LEVEL SECURITY;
CREATE POLICY even ON scans FOR SELECT TO mmrd_test_worker USING (id % 2 = 0);
CREATE POLICY write ON scans FOR INSERT TO mmrd_test_writer WITH CHECK (true);
SET ROLE mmrd_test_writer;
INSERT INTO scans SELECT 10 + id, rgb, aux FROM made WHERE id <= 4;
SET ROLE mmrd_test_worker;
SELECT mmrd_score_pending('scans');
SELECT mmrd_score_pending('scans');
CALL mmrd_drain();
RESET ROLE;
SELECT key FROM mmrd.results WHERE key >= '11' ORDER BY key;
SELECT key, attempts FROM mmrd.pending ORDER BY id;
-- gone or not, they cannot tell
DELETE FROM scans WHERE id = 11;
SET ROLE mmrd_test_worker;
CALL mmrd_drain();
SET ROLE mmrd_test_owner;
CALL mmrd_drain();
RESET ROLE;
SELECT key FROM mmrd.results WHERE key >= '11' ORDER BY key;
SELECT count(*) FROM mmrd.pending;
-- a policy runs with the rights of the worker
CREATE FUNCTION who() RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	RAISE WARNING 'as %', current_user;
	RETURN true;
END $$;
CREATE POLICY who ON scans FOR SELECT TO mmrd_test_worker USING (who());
SET ROLE mmrd_test_writer;
INSERT INTO scans SELECT 23, rgb, aux FROM made WHERE id = 1;
SET ROLE mmrd_test_worker;
SELECT mmrd_score_pending();

-- nothing that a path finds first runs with the rights of the extension's owner
RESET ROLE;
CREATE SCHEMA trap;
GRANT ALL ON SCHEMA trap TO mmrd_test_owner;
SET ROLE mmrd_test_owner;
CREATE FUNCTION trap.spring() RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	RAISE EXCEPTION 'ran as %', current_user;
END $$;
CREATE FUNCTION trap.eq(text, text) RETURNS boolean LANGUAGE sql AS 'SELECT trap.spring()';
CREATE FUNCTION trap.eq(integer, integer) RETURNS boolean LANGUAGE sql AS 'SELECT trap.spring()';
CREATE FUNCTION trap.eq(bigint, bigint) RETURNS boolean LANGUAGE sql AS 'SELECT trap.spring()';
CREATE FUNCTION trap.eq(oid, oid) RETURNS boolean LANGUAGE sql AS 'SELECT trap.spring()';
CREATE OPERATOR trap.= (FUNCTION = trap.eq, LEFTARG = text, RIGHTARG = text);
CREATE OPERATOR trap.= (FUNCTION = trap.eq, LEFTARG = integer, RIGHTARG = integer);
CREATE OPERATOR trap.= (FUNCTION = trap.eq, LEFTARG = bigint, RIGHTARG = bigint);
CREATE OPERATOR trap.= (FUNCTION = trap.eq, LEFTARG = oid, RIGHTARG = oid);
CREATE FUNCTION trap.min(bigint) RETURNS bigint LANGUAGE sql AS 'SELECT trap.spring()::integer';
-- nor does a domain or a cast of the owner with those of the worker
CREATE FUNCTION trap.check_key(text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	IF current_user <> 'mmrd_test_owner' THEN
		RAISE EXCEPTION 'checked as %', current_user;
	END IF;
	RETURN true;
END $$;
CREATE DOMAIN trap.key AS text CHECK (trap.check_key(VALUE));
CREATE TYPE trap.pair AS (a trap.key);
CREATE TABLE trap.scans (id trap.key PRIMARY KEY, rgb bytea, aux bytea, part trap.pair UNIQUE, keys trap.key[] UNIQUE);
SELECT mmrd_attach('trap.scans', 'id');
INSERT INTO trap.scans SELECT id, rgb, aux, ROW(id)::trap.pair, ARRAY[id] FROM made WHERE id = 1;
RESET ROLE;
SELECT mmrd_score_pending('trap.scans');
SET ROLE mmrd_test_owner;
SELECT mmrd_attach('trap.scans', 'part');
SELECT mmrd_attach('trap.scans', 'keys');
-- not even by hand
DROP TRIGGER mmrd_scan ON trap.scans;
CREATE TRIGGER mmrd_scan AFTER INSERT OR UPDATE OF part, rgb, aux ON trap.scans FOR EACH ROW
	EXECUTE FUNCTION mmrd_on_scan('queue', 'key', 'rgb', 'aux');
UPDATE trap.scans SET aux = (SELECT aux FROM made WHERE id = 2);
RESET ROLE;
SELECT mmrd_score_pending('trap.scans');
SELECT key, error FROM mmrd.results WHERE source = 'trap.scans'::regclass ORDER BY key;
DELETE FROM mmrd.results WHERE source = 'trap.scans'::regclass;
DROP TABLE trap.scans;
RESET ROLE;
\c -
SET mmrd.progress = off;
SET mmrd.threads = 1;
SET client_min_messages = warning;
SET ROLE mmrd_test_owner;
CREATE TEMP TABLE pending (id bigint, source regclass, key text);
CREATE TEMP TABLE results (id bigint, source regclass, key text);
SET search_path = trap, pg_temp, public, pg_catalog;
SELECT 'a'::text = 'b'::text;
SELECT mmrd_attach('scans', 'id');
UPDATE scans SET aux = NULL WHERE true;
UPDATE scans s SET aux = m.aux FROM made m;
CALL mmrd_drain();
SELECT mmrd_rescore('scans') > 0, mmrd_rescore('scans', '-infinity') IS NOT NULL;
SELECT mmrd_score_pending() > 0;
DELETE FROM scans;
SELECT mmrd_prune_results(older_than => '-1 hour') IS NOT NULL;
TRUNCATE scans;
SELECT mmrd_detach('scans');
RESET search_path;
RESET ROLE;
SELECT count(*) FROM mmrd.results;
SELECT count(*) FROM mmrd.pending;

-- the triggers are for attached tables
SET ROLE mmrd_test_nobody;
CREATE TRIGGER forged AFTER INSERT ON mine FOR EACH ROW EXECUTE FUNCTION mmrd_on_scan();
INSERT INTO mine VALUES (1);
DROP TRIGGER forged ON mine;
CREATE TRIGGER forged BEFORE INSERT ON mine FOR EACH ROW EXECUTE FUNCTION mmrd_on_scan('queue');
INSERT INTO mine VALUES (1);
DROP TRIGGER forged ON mine;
CREATE TRIGGER forged AFTER INSERT OR UPDATE OF id, rgb ON mine FOR EACH ROW
	EXECUTE FUNCTION mmrd_on_scan('trigger', 'key', 'rgb');
INSERT INTO mine VALUES (1, 'x');
DROP TRIGGER forged ON mine;
SELECT mmrd_on_scan();
RESET ROLE;

DROP OWNED BY mmrd_test_owner, mmrd_test_writer, mmrd_test_worker, mmrd_test_nobody, mmrd_test_chosen;
DROP ROLE mmrd_test_owner, mmrd_test_writer, mmrd_test_worker, mmrd_test_nobody, mmrd_test_chosen;
DROP FUNCTION who;
DROP SCHEMA trap CASCADE;
DROP TABLE made;
