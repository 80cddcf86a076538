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

-- Model files.  Exporting reads only, so it also works on a standby.
CREATE FUNCTION mmrd_export_model(model text, version integer DEFAULT NULL)
	RETURNS bytea
	AS 'MODULE_PATHNAME', 'mmrd_export_model'
	LANGUAGE C STABLE PARALLEL RESTRICTED COST 1000000;
COMMENT ON FUNCTION mmrd_export_model(text, integer) IS
	'a version of a model, the deployed one by default, as a safetensors file';
REVOKE ALL ON FUNCTION mmrd_export_model(text, integer) FROM PUBLIC;

CREATE FUNCTION mmrd_export_model_file(model text, path text,
									   version integer DEFAULT NULL)
	RETURNS bigint
	AS 'MODULE_PATHNAME', 'mmrd_export_model_file'
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000000;
COMMENT ON FUNCTION mmrd_export_model_file(text, text, integer) IS
	'write a version of a model into a file on the server; its size in bytes';
REVOKE ALL ON FUNCTION mmrd_export_model_file(text, text, integer) FROM PUBLIC;

CREATE FUNCTION mmrd_import_model(name text, file bytea,
								  deploy boolean DEFAULT true)
	RETURNS integer
	AS 'MODULE_PATHNAME', 'mmrd_import_model'
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000000;
COMMENT ON FUNCTION mmrd_import_model(text, bytea, boolean) IS
	'add a version to a model from the bytes of a model file; its number';
REVOKE ALL ON FUNCTION mmrd_import_model(text, bytea, boolean) FROM PUBLIC;

CREATE FUNCTION mmrd_import_model_file(name text, path text,
									   deploy boolean DEFAULT true)
	RETURNS integer
	AS 'MODULE_PATHNAME', 'mmrd_import_model_file'
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000000;
COMMENT ON FUNCTION mmrd_import_model_file(text, text, boolean) IS
	'add a version to a model from a model file on the server; its number';
REVOKE ALL ON FUNCTION mmrd_import_model_file(text, text, boolean) FROM PUBLIC;
