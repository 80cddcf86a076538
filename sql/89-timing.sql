-- Where the time goes

CREATE FUNCTION mmrd_timing(OUT scans bigint, OUT read_ms float8,
							OUT decode_ms float8, OUT resize_ms float8,
							OUT network_ms float8, OUT map_ms float8,
							OUT encode_ms float8)
	AS 'MODULE_PATHNAME', 'mmrd_timing'
	LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED;
COMMENT ON FUNCTION mmrd_timing() IS
	'scans that this session has scored, and the milliseconds that each step took for all of them';
