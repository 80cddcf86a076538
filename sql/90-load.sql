-- Scans from files of the server

CREATE FUNCTION mmrd_import_scans(source text, path text, format text,
								  category text[] DEFAULT NULL,
								  aux text DEFAULT NULL,
								  light integer DEFAULT 4)
	RETURNS bigint
	AS 'MODULE_PATHNAME', 'mmrd_import_scans'
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000000;
COMMENT ON FUNCTION mmrd_import_scans(text, text, text, text[], text, integer) IS
	'load a folder of scans on the server into a table, which is created if it does not exist; the number of rows added';
REVOKE ALL ON FUNCTION mmrd_import_scans(text, text, text, text[], text, integer) FROM PUBLIC;
