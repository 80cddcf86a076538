-- Models: which version is deployed, and which ones are kept

CREATE FUNCTION mmrd_deploy(model text, version integer)
	RETURNS void
	AS 'MODULE_PATHNAME', 'mmrd_deploy'
	LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION mmrd_deploy(text, integer) IS
	'score with this version of a model from now on';
REVOKE ALL ON FUNCTION mmrd_deploy(text, integer) FROM PUBLIC;

CREATE FUNCTION mmrd_rollback(model text)
	RETURNS integer
	AS 'MODULE_PATHNAME', 'mmrd_rollback'
	LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION mmrd_rollback(text) IS
	'undo the last deployment of a model; the version now deployed';
REVOKE ALL ON FUNCTION mmrd_rollback(text) FROM PUBLIC;

CREATE FUNCTION mmrd_drop_version(model text, version integer)
	RETURNS void
	AS 'MODULE_PATHNAME', 'mmrd_drop_version'
	LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION mmrd_drop_version(text, integer) IS
	'remove a version of a model that is not deployed';
REVOKE ALL ON FUNCTION mmrd_drop_version(text, integer) FROM PUBLIC;

CREATE FUNCTION mmrd_drop_model(model text)
	RETURNS void
	AS 'MODULE_PATHNAME', 'mmrd_drop_model'
	LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION mmrd_drop_model(text) IS
	'remove a model and all its versions';
REVOKE ALL ON FUNCTION mmrd_drop_model(text) FROM PUBLIC;

CREATE FUNCTION mmrd_prune(model text, keep integer DEFAULT 5)
	RETURNS integer
	AS 'MODULE_PATHNAME', 'mmrd_prune'
	LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION mmrd_prune(text, integer) IS
	'remove old versions of a model but the deployed one; how many were removed';
REVOKE ALL ON FUNCTION mmrd_prune(text, integer) FROM PUBLIC;

CREATE FUNCTION mmrd_allow(model text, role name)
	RETURNS void
	AS 'MODULE_PATHNAME', 'mmrd_allow'
	LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION mmrd_allow(text, name) IS
	'let a role use a model; as soon as one is named, others may not';
REVOKE ALL ON FUNCTION mmrd_allow(text, name) FROM PUBLIC;

CREATE FUNCTION mmrd_disallow(model text, role name)
	RETURNS boolean
	AS 'MODULE_PATHNAME', 'mmrd_disallow'
	LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION mmrd_disallow(text, name) IS
	'take a role off the list of those who may use a model; false where it was not on it';
REVOKE ALL ON FUNCTION mmrd_disallow(text, name) FROM PUBLIC;

CREATE FUNCTION mmrd_calibrate(model text, source regclass,
							   rgb name DEFAULT 'rgb', aux name DEFAULT 'aux',
							   aux2 name DEFAULT NULL, filter text DEFAULT NULL,
							   label name DEFAULT NULL, fpr real DEFAULT 0.01)
	RETURNS real
	AS 'MODULE_PATHNAME', 'mmrd_calibrate'
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 100000000;
COMMENT ON FUNCTION mmrd_calibrate(text, regclass, name, name, name, text, name, real) IS
	'set the thresholds of a deployed version anew, from normal or labelled scans; the new threshold';
REVOKE ALL ON FUNCTION mmrd_calibrate(text, regclass, name, name, name, text, name, real) FROM PUBLIC;
