-- Models as rows: deploying, rolling back, dropping, pruning, and who may.
DROP EXTENSION mmrd CASCADE;
CREATE EXTENSION mmrd;
SET mmrd.progress = off;
SET mmrd.threads = 1;
\pset format unaligned
\pset tuples_only on
\set SHOW_CONTEXT never
\set VERBOSITY terse

CREATE TABLE scans AS SELECT * FROM mmrd_synthesize(4, 1);
\set options '{"epochs": 1, "input_size": 64, "prototypes": [0, 0, 0], "deploy": "never", "threshold_fpr": 0.5, "seed": '

-- Two that score; the others are rows without weights.
SELECT version, deployed FROM mmrd_train('scans', 'm', aux => NULL, options => :'options'
	'1}');
SELECT version, deployed FROM mmrd_train('scans', 'm', aux => NULL, options => :'options'
	'2}');
CREATE FUNCTION add_version(model_name text) RETURNS integer LANGUAGE sql AS $$
	UPDATE mmrd.models SET last_version = last_version + 1 WHERE name = model_name;
	INSERT INTO mmrd.versions (model, version, teacher, modalities, options, source,
		source_query, scans, scans_sha256, seed, epochs, seconds, code_version, created_by)
	SELECT model, m.last_version, teacher,
		modalities, options, source, source_query, scans, scans_sha256, seed, epochs,
		v.seconds, code_version, v.created_by
	FROM mmrd.versions v JOIN mmrd.models m ON m.id = v.model
	WHERE m.name = model_name AND v.version = 1
	RETURNING version
$$;
CREATE FUNCTION deployed(model_name text) RETURNS integer LANGUAGE sql AS $$
	SELECT v.version FROM mmrd.deployments d JOIN mmrd.models m ON m.id = d.model
		JOIN mmrd.versions v ON v.id = d.version
	WHERE m.name = model_name ORDER BY d.id DESC LIMIT 1
$$;
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

-- Nothing is deployed yet.
SELECT refused($$SELECT mmrd_score(rgb) FROM scans$$);
SELECT refused($$SELECT mmrd_rollback('m')$$);
SELECT refused($$SELECT mmrd_deploy('m', 3)$$);
SELECT refused($$SELECT mmrd_deploy('n', 1)$$);
SELECT refused($$SELECT mmrd_deploy(NULL, 1)$$);
SELECT refused($$SELECT mmrd_deploy('m', NULL)$$);
SELECT refused($$SELECT mmrd_rollback(NULL)$$);
SELECT refused($$SELECT mmrd_rollback('n')$$);
SELECT refused($$SELECT mmrd_drop_version('m', 3)$$);
SELECT refused($$SELECT mmrd_drop_model('n')$$);
SELECT refused($$SELECT mmrd_prune('m', -1)$$);
SELECT refused($$SELECT mmrd_prune('m', NULL)$$);
SELECT refused($$SELECT mmrd_prune('n')$$);

-- Scores follow what is deployed, also in a statement that was prepared, and
-- within one transaction; rolled back, it never happened.
SELECT mmrd_deploy('m', 1);
PREPARE scored AS SELECT (mmrd_inspect(rgb)).version FROM scans WHERE id = 1;
EXECUTE scored;
SELECT mmrd_score(rgb) AS one FROM scans WHERE id = 1 \gset
BEGIN;
SELECT mmrd_deploy('m', 2);
EXECUTE scored;
SELECT mmrd_score(rgb) <> :'one'::real FROM scans WHERE id = 1;
SAVEPOINT s;
SELECT mmrd_rollback('m');
EXECUTE scored;
ROLLBACK TO s;
EXECUTE scored;
ROLLBACK;
EXECUTE scored;
SELECT mmrd_score(rgb) = :'one'::real FROM scans WHERE id = 1;
SELECT mmrd_deploy('m', 2);
EXECUTE scored;
SELECT mmrd_deploy('m', 2);
SELECT count(*) FROM mmrd.deployments;
SELECT mmrd_rollback('m');
EXECUTE scored;
SELECT mmrd_score(rgb) = :'one'::real FROM scans WHERE id = 1;

-- Rollbacks walk back, past what was rolled back before.
SELECT refused($$SELECT mmrd_rollback('m')$$);
SELECT add_version('m'), add_version('m'), add_version('m');
SELECT mmrd_deploy('m', 3), mmrd_deploy('m', 4);
SELECT mmrd_rollback('m');
SELECT mmrd_deploy('m', 5);
SELECT mmrd_rollback('m');
SELECT mmrd_rollback('m');
SELECT refused($$SELECT mmrd_rollback('m')$$);
SELECT mmrd_deploy('m', 3), mmrd_deploy('m', 5), mmrd_deploy('m', 3);
SELECT mmrd_rollback('m');
SELECT mmrd_rollback('m');
SELECT mmrd_rollback('m');
SELECT d.id - first.id AS nth, v.version, d.restores - first.id AS restores
FROM mmrd.deployments d JOIN mmrd.versions v ON v.id = d.version,
	(SELECT min(id) - 1 AS id FROM mmrd.deployments) first ORDER BY d.id;

-- ... and past versions that are gone.
SELECT mmrd_deploy('m', 4), mmrd_deploy('m', 5);
SELECT refused($$SELECT mmrd_drop_version('m', 5)$$);
SELECT mmrd_drop_version('m', 4);
SELECT mmrd_rollback('m');
SELECT version FROM mmrd.versions ORDER BY version;

-- A dropped version takes everything of its own with it.
SELECT mmrd_deploy('m', 1);
SELECT mmrd_drop_version('m', 2);
SELECT count(*) FROM mmrd.tensors t WHERE NOT EXISTS (SELECT FROM mmrd.versions v WHERE v.id = t.version);
SELECT count(DISTINCT version) FROM mmrd.tensors;
SELECT count(*) FROM mmrd.calibrations;
SELECT count(*) FROM mmrd.deployments d JOIN mmrd.versions v ON v.id = d.version WHERE v.version = 2;

-- The number of a dropped version is not used again.
SELECT mmrd_drop_version('m', 5);
SELECT version FROM mmrd_train('scans', 'm', aux => NULL, options => :'options'
	'2}');

-- Pruning keeps the newest ones and the deployed one.
SELECT mmrd_prune('m');
SELECT mmrd_prune('m', 2);
SELECT version FROM mmrd.versions ORDER BY version;
SELECT mmrd_prune('m', 2);
SELECT mmrd_deploy('m', 6);
SELECT add_version('m');
SELECT mmrd_prune('m', 1);
SELECT mmrd_prune('m', 0);
SELECT version FROM mmrd.versions ORDER BY version;
SELECT deployed('m');

-- Another model of the same version numbers is another model.
SELECT version, deployed FROM mmrd_train('scans', 'n', aux => NULL, options =>
	'{"epochs": 1, "input_size": 64, "prototypes": [0, 0, 0], "threshold_fpr": 0.5}');
SELECT refused($$SELECT mmrd_score(rgb) FROM scans$$);
SELECT mmrd_drop_model('m');
SELECT name FROM mmrd.models;
SELECT count(*) FROM mmrd.versions;
SELECT count(mmrd_score(rgb)) FROM scans;

-- Read-only transactions.
BEGIN READ ONLY;
SELECT refused($$SELECT mmrd_deploy('n', 1)$$);
SELECT refused($$SELECT mmrd_rollback('n')$$);
SELECT refused($$SELECT mmrd_drop_version('n', 1)$$);
SELECT refused($$SELECT mmrd_drop_model('n')$$);
SELECT refused($$SELECT mmrd_prune('n')$$);
SELECT refused($$SELECT mmrd_allow('n', current_user)$$);
SELECT refused($$SELECT mmrd_disallow('n', current_user)$$);
SELECT count(mmrd_score(rgb)) FROM scans;
COMMIT;

-- Who may: nobody until granted, and then without rights on the tables.
CREATE ROLE mmrd_test_operator;
CREATE ROLE mmrd_test_line;
CREATE ROLE mmrd_test_worker IN ROLE mmrd_test_line;
GRANT SELECT ON scans TO mmrd_test_operator, mmrd_test_line;
SET ROLE mmrd_test_operator;
SELECT refused($$SELECT mmrd_deploy('n', 1)$$);
SELECT refused($$SELECT mmrd_rollback('n')$$);
SELECT refused($$SELECT mmrd_drop_version('n', 1)$$);
SELECT refused($$SELECT mmrd_drop_model('n')$$);
SELECT refused($$SELECT mmrd_prune('n')$$);
SELECT refused($$SELECT mmrd_allow('n', 'mmrd_test_line')$$);
SELECT refused($$SELECT mmrd_disallow('n', 'mmrd_test_line')$$);
RESET ROLE;
GRANT EXECUTE ON FUNCTION mmrd_deploy, mmrd_rollback, mmrd_drop_version, mmrd_drop_model, mmrd_prune,
	mmrd_train TO mmrd_test_operator;
SELECT add_version('n');
SET ROLE mmrd_test_operator;
SELECT mmrd_deploy('n', 2);
SELECT deployed_by FROM mmrd.deployments ORDER BY id DESC LIMIT 1;
SELECT mmrd_rollback('n');
SELECT mmrd_drop_version('n', 2);
RESET ROLE;

-- A list of roles closes a model to all others; members are let in.
SELECT refused($$SELECT mmrd_allow('n', 'no such role')$$);
SELECT refused($$SELECT mmrd_allow('n', NULL)$$);
SELECT refused($$SELECT mmrd_allow('m', 'mmrd_test_line')$$);
SELECT mmrd_allow('n', 'mmrd_test_line'), mmrd_allow('n', 'mmrd_test_line');
SELECT u.role FROM mmrd.model_users u;
SET ROLE mmrd_test_line;
SELECT count(mmrd_score(rgb)) FROM scans;
SET ROLE mmrd_test_worker;
SELECT count(mmrd_score(rgb, model => 'n')) FROM scans;
SET ROLE mmrd_test_operator;
SELECT refused($$SELECT mmrd_score(rgb) FROM scans$$);
SELECT refused($$SELECT mmrd_inspect(rgb, model => 'n') FROM scans$$);
SELECT refused($$SELECT mmrd_evaluate('scans', 'n', aux => NULL)$$);
SELECT refused($$SELECT mmrd_deploy('n', 1)$$);
SELECT refused($$SELECT mmrd_drop_model('n')$$);
SELECT refused($$SELECT mmrd_train('scans', 'n', aux => NULL, options => '{"epochs": 1, "input_size": 64, "prototypes": [0, 0, 0]}')$$);
-- an owner's rights are not the caller's
RESET ROLE;
CREATE FUNCTION score_as_line(rgb bytea) RETURNS real LANGUAGE sql SECURITY DEFINER
	AS $$SELECT public.mmrd_score(rgb)$$;
ALTER FUNCTION score_as_line OWNER TO mmrd_test_line;
SET ROLE mmrd_test_operator;
SELECT count(score_as_line(rgb)) FROM scans;
RESET ROLE;
SELECT count(mmrd_score(rgb)) FROM scans;
SELECT mmrd_disallow('n', 'mmrd_test_operator');
SELECT mmrd_disallow('n', 'mmrd_test_line');
SET ROLE mmrd_test_operator;
SELECT count(mmrd_score(rgb)) FROM scans;
SELECT mmrd_drop_model('n');
RESET ROLE;
SELECT (SELECT count(*) FROM mmrd.models), (SELECT count(*) FROM mmrd.versions), (SELECT count(*) FROM mmrd.tensors),
	(SELECT count(*) FROM mmrd.deployments), (SELECT count(*) FROM mmrd.calibrations);

-- Rows that a superuser deletes take what belongs to them along, or stay.
SELECT version FROM mmrd_train('scans', 'm', aux => NULL, options =>
	'{"epochs": 1, "input_size": 64, "prototypes": [1, 1, 1], "threshold_fpr": 0.5}');
SELECT mmrd_allow('m', current_user);
SELECT refused($$DELETE FROM mmrd.models$$);
SELECT refused($$DELETE FROM mmrd.teachers$$);
DELETE FROM mmrd.versions;
SELECT (SELECT count(*) FROM mmrd.tensors), (SELECT count(*) FROM mmrd.prototypes),
	(SELECT count(*) FROM mmrd.deployments), (SELECT count(*) FROM mmrd.calibrations), (SELECT count(*) FROM mmrd.model_users);
DELETE FROM mmrd.models;
SELECT count(*) FROM mmrd.model_users;
-- The trigger is for these tables alone.
SELECT refused($$SELECT mmrd_after_delete()$$);
CREATE TABLE versions (id bigint);
INSERT INTO versions VALUES (1);
CREATE TRIGGER trap AFTER DELETE ON versions FOR EACH ROW EXECUTE FUNCTION mmrd_after_delete();
SELECT refused($$DELETE FROM versions$$);
SET ROLE mmrd_test_line;
CREATE TEMP TABLE versions (id bigint);
SELECT refused($$CREATE TRIGGER trap AFTER DELETE ON versions FOR EACH ROW EXECUTE FUNCTION mmrd_after_delete()$$);
RESET ROLE;
DROP TABLE pg_temp.versions, public.versions;

DROP FUNCTION score_as_line, refused, deployed, add_version;
DROP OWNED BY mmrd_test_operator, mmrd_test_line, mmrd_test_worker;
DROP ROLE mmrd_test_operator, mmrd_test_line, mmrd_test_worker;
DROP TABLE scans;
