-- Anomaly maps

CREATE TYPE mmrd_map;

CREATE FUNCTION mmrd_map_in(cstring) RETURNS mmrd_map
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION mmrd_map_in(cstring) IS 'I/O';
CREATE FUNCTION mmrd_map_out(mmrd_map) RETURNS cstring
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION mmrd_map_out(mmrd_map) IS 'I/O';
CREATE FUNCTION mmrd_map_recv(internal) RETURNS mmrd_map
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION mmrd_map_recv(internal) IS 'I/O';
CREATE FUNCTION mmrd_map_send(mmrd_map) RETURNS bytea
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION mmrd_map_send(mmrd_map) IS 'I/O';

-- EXTERNAL: the bytes are compressed already.
CREATE TYPE mmrd_map (
	INPUT = mmrd_map_in,
	OUTPUT = mmrd_map_out,
	RECEIVE = mmrd_map_recv,
	SEND = mmrd_map_send,
	INTERNALLENGTH = VARIABLE,
	STORAGE = external
);
COMMENT ON TYPE mmrd_map IS 'how anomalous each pixel of a scan is';

CREATE FUNCTION mmrd_map_array(map mmrd_map) RETURNS real[]
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION mmrd_map_array(mmrd_map) IS
	'the values of a map as an array, [row][column]';
CREATE CAST (mmrd_map AS real[]) WITH FUNCTION mmrd_map_array(mmrd_map);

CREATE FUNCTION mmrd_max(map mmrd_map) RETURNS real
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION mmrd_max(mmrd_map) IS
	'largest value of a map: the anomaly score of its scan';

CREATE FUNCTION mmrd_width(map mmrd_map) RETURNS integer
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION mmrd_width(mmrd_map) IS 'columns of a map';

CREATE FUNCTION mmrd_height(map mmrd_map) RETURNS integer
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION mmrd_height(mmrd_map) IS 'rows of a map';

CREATE FUNCTION mmrd_png(map mmrd_map, palette text DEFAULT 'inferno',
						 lo real DEFAULT NULL, hi real DEFAULT NULL)
	RETURNS bytea
	AS 'MODULE_PATHNAME', 'mmrd_png'
	LANGUAGE C IMMUTABLE PARALLEL SAFE COST 10000;
COMMENT ON FUNCTION mmrd_png(mmrd_map, text, real, real) IS
	'a map as a picture (PNG) in the colours of inferno, viridis, turbo or grey; NULL for a NULL map';

-- STABLE: what it may decode depends on mmrd.max_pixels.
CREATE FUNCTION mmrd_overlay(rgb bytea, map mmrd_map,
							 threshold real DEFAULT NULL,
							 opacity real DEFAULT 0.5)
	RETURNS bytea
	AS 'MODULE_PATHNAME', 'mmrd_overlay'
	LANGUAGE C STABLE PARALLEL SAFE COST 20000;
COMMENT ON FUNCTION mmrd_overlay(bytea, mmrd_map, real, real) IS
	'a map laid over its image (PNG), with a line around what is above the threshold; NULL for a NULL image or map';

CREATE FUNCTION mmrd_regions(map mmrd_map, threshold real DEFAULT NULL,
							 OUT region integer, OUT x integer, OUT y integer,
							 OUT width integer, OUT height integer,
							 OUT area bigint, OUT peak real,
							 OUT peak_x integer, OUT peak_y integer)
	RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'mmrd_pg_regions'
	LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000 ROWS 5;
COMMENT ON FUNCTION mmrd_regions(mmrd_map, real) IS
	'connected regions of a map above the threshold, in pixels of the source image, highest peak first; none for a NULL map';
