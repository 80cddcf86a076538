-- Teachers (frozen backbones)

CREATE FUNCTION mmrd_import_teacher(name text, weights bytea,
									arch text DEFAULT NULL)
	RETURNS void
	AS 'MODULE_PATHNAME', 'mmrd_import_teacher'
	LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION mmrd_import_teacher(text, bytea, text) IS
	'load a frozen backbone from the bytes of a safetensors or PyTorch file';
REVOKE ALL ON FUNCTION mmrd_import_teacher(text, bytea, text) FROM PUBLIC;

CREATE FUNCTION mmrd_import_teacher_file(name text, path text,
										 arch text DEFAULT NULL)
	RETURNS void
	AS 'MODULE_PATHNAME', 'mmrd_import_teacher_file'
	LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION mmrd_import_teacher_file(text, text, text) IS
	'load a frozen backbone from a safetensors or PyTorch file on the server';
REVOKE ALL ON FUNCTION mmrd_import_teacher_file(text, text, text) FROM PUBLIC;

CREATE FUNCTION mmrd_drop_teacher(name text)
	RETURNS void
	AS 'MODULE_PATHNAME', 'mmrd_drop_teacher'
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION mmrd_drop_teacher(text) IS
	'remove a backbone that no model uses';
REVOKE ALL ON FUNCTION mmrd_drop_teacher(text) FROM PUBLIC;
