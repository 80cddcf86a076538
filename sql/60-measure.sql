-- Measuring

CREATE FUNCTION mmrd_scores_accum(internal, float8, boolean) RETURNS internal
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION mmrd_scores_accum(internal, float8, boolean) IS
	'aggregate transition function';
CREATE FUNCTION mmrd_scores_combine(internal, internal) RETURNS internal
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION mmrd_scores_combine(internal, internal) IS
	'aggregate combine function';
CREATE FUNCTION mmrd_scores_serialize(internal) RETURNS bytea
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION mmrd_scores_serialize(internal) IS
	'aggregate serial function';
CREATE FUNCTION mmrd_scores_deserialize(bytea, internal) RETURNS internal
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION mmrd_scores_deserialize(bytea, internal) IS
	'aggregate deserial function';

CREATE FUNCTION mmrd_auroc_final(internal) RETURNS float8
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION mmrd_auroc_final(internal) IS 'aggregate final function';
CREATE AGGREGATE mmrd_auroc(score float8, label boolean) (
	SFUNC = mmrd_scores_accum, STYPE = internal, SSPACE = 65536,
	FINALFUNC = mmrd_auroc_final,
	COMBINEFUNC = mmrd_scores_combine,
	SERIALFUNC = mmrd_scores_serialize, DESERIALFUNC = mmrd_scores_deserialize,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE mmrd_auroc(float8, boolean) IS
	'how well scores tell anomalous from normal: area under the ROC curve, ties count half; NULL when a class is empty';

CREATE FUNCTION mmrd_average_precision_final(internal) RETURNS float8
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION mmrd_average_precision_final(internal) IS
	'aggregate final function';
CREATE AGGREGATE mmrd_average_precision(score float8, label boolean) (
	SFUNC = mmrd_scores_accum, STYPE = internal, SSPACE = 65536,
	FINALFUNC = mmrd_average_precision_final,
	COMBINEFUNC = mmrd_scores_combine,
	SERIALFUNC = mmrd_scores_serialize, DESERIALFUNC = mmrd_scores_deserialize,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE mmrd_average_precision(float8, boolean) IS
	'mean precision over the recall steps, without interpolation; NULL when a class is empty';

CREATE FUNCTION mmrd_f1_max_final(internal) RETURNS float8
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION mmrd_f1_max_final(internal) IS 'aggregate final function';
CREATE AGGREGATE mmrd_f1_max(score float8, label boolean) (
	SFUNC = mmrd_scores_accum, STYPE = internal, SSPACE = 65536,
	FINALFUNC = mmrd_f1_max_final,
	COMBINEFUNC = mmrd_scores_combine,
	SERIALFUNC = mmrd_scores_serialize, DESERIALFUNC = mmrd_scores_deserialize,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE mmrd_f1_max(float8, boolean) IS
	'best F1 that any threshold reaches; NULL when a class is empty';

-- STABLE: what they may decode depends on mmrd.max_pixels.
CREATE FUNCTION mmrd_aupro_accum(internal, mmrd_map, bytea) RETURNS internal
	AS 'MODULE_PATHNAME' LANGUAGE C STABLE PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION mmrd_aupro_accum(internal, mmrd_map, bytea) IS
	'aggregate transition function';
CREATE FUNCTION mmrd_aupro_accum(internal, mmrd_map, bytea, float8)
	RETURNS internal
	AS 'MODULE_PATHNAME' LANGUAGE C STABLE PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION mmrd_aupro_accum(internal, mmrd_map, bytea, float8) IS
	'aggregate transition function';
CREATE FUNCTION mmrd_aupro_final(internal) RETURNS float8
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION mmrd_aupro_final(internal) IS 'aggregate final function';
CREATE AGGREGATE mmrd_aupro(map mmrd_map, mask bytea) (
	SFUNC = mmrd_aupro_accum, STYPE = internal, SSPACE = 16777216,
	FINALFUNC = mmrd_aupro_final,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE mmrd_aupro(mmrd_map, bytea) IS
	'how well maps find defects: area under the per-region overlap curve up to a false positive rate of 0.3; a NULL mask is a good scan';
CREATE AGGREGATE mmrd_aupro(map mmrd_map, mask bytea, fpr_limit float8) (
	SFUNC = mmrd_aupro_accum, STYPE = internal, SSPACE = 16777216,
	FINALFUNC = mmrd_aupro_final,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE mmrd_aupro(mmrd_map, bytea, float8) IS
	'the same up to another false positive rate';

CREATE TYPE mmrd_evaluation AS (
	scans bigint,
	image_auroc float8,
	image_ap float8,
	pixel_auroc float8,
	pixel_ap float8,
	aupro_30 float8,
	aupro_01 float8,
	f1_max float8,
	f1_threshold float8,
	seconds float8
);
COMMENT ON TYPE mmrd_evaluation IS 'how good a model is on labelled scans';

CREATE FUNCTION mmrd_evaluate(source regclass, model text DEFAULT NULL,
							  rgb name DEFAULT 'rgb', aux name DEFAULT 'aux',
							  aux2 name DEFAULT NULL, label name DEFAULT NULL,
							  mask name DEFAULT NULL, filter text DEFAULT NULL)
	RETURNS mmrd_evaluation
	AS 'MODULE_PATHNAME', 'mmrd_evaluate'
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 100000000;
COMMENT ON FUNCTION mmrd_evaluate(regclass, text, name, name, name, name, name, text) IS
	'score every scan of a table and compare with its label and mask';

CREATE FUNCTION mmrd_synthesize(n integer, seed integer DEFAULT 0,
								anomalous_share real DEFAULT 0,
								OUT id integer, OUT rgb bytea, OUT aux bytea,
								OUT mask bytea, OUT anomalous boolean)
	RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'mmrd_synthesize'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100000 ROWS 100;
COMMENT ON FUNCTION mmrd_synthesize(integer, integer, real) IS
	'made-up scans of a product: colour image, normals, and where the defect is; for demonstrations and tests';
