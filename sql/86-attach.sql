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
