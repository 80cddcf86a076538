-- Scoring

CREATE FUNCTION mmrd_score(rgb bytea, aux bytea DEFAULT NULL,
						   model text DEFAULT NULL, aux2 bytea DEFAULT NULL)
	RETURNS real
	AS 'MODULE_PATHNAME', 'mmrd_score'
	LANGUAGE C STABLE PARALLEL SAFE COST 100000;
COMMENT ON FUNCTION mmrd_score(bytea, bytea, text, bytea) IS
	'anomaly score of one scan: 0 is normal, larger is stranger; NULL for a NULL image';

CREATE TYPE mmrd_inspection AS (
	score real,
	normalized real,
	anomalous boolean,
	threshold real,
	area real,
	regions integer,
	model text,
	version integer,
	map mmrd_map
);
COMMENT ON TYPE mmrd_inspection IS 'what was found in one scan';

CREATE FUNCTION mmrd_inspect(rgb bytea, aux bytea DEFAULT NULL,
							 model text DEFAULT NULL, aux2 bytea DEFAULT NULL)
	RETURNS mmrd_inspection
	AS 'MODULE_PATHNAME', 'mmrd_inspect'
	LANGUAGE C STABLE PARALLEL SAFE COST 100000;
COMMENT ON FUNCTION mmrd_inspect(bytea, bytea, text, bytea) IS
	'anomaly score, verdict and map of one scan; NULL for a NULL image';
