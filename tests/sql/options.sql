-- Options of a training: everything that is refused, by name and value.
DROP EXTENSION mmrd CASCADE;
CREATE EXTENSION mmrd;
\set VERBOSITY verbose
\set SHOW_CONTEXT never
CREATE TABLE nothing (rgb bytea, aux bytea);

-- The message alone, without the place in our source.
CREATE FUNCTION refused(options jsonb) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	detail text;
	hint text;
BEGIN
	PERFORM public.mmrd_train('nothing', options => refused.options);
	RETURN 'accepted';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL,
		hint = PG_EXCEPTION_HINT;
	RETURN concat_ws(E'\n', SQLSTATE || ': ' || SQLERRM,
		'  ' || nullif(detail, ''), '  ' || nullif(hint, ''));
END $$;

\pset tuples_only on
\pset format unaligned
SELECT refused(o::jsonb) FROM (VALUES
	(1, '{"epoch": 3}'),
	(2, '[1]'),
	(3, '"epochs"'),
	(4, '{"epochs": "3"}'),
	(5, '{"epochs": 1.5}'),
	(6, '{"epochs": 0}'),
	(7, '{"epochs": 1e9}'),
	(8, '{"epochs": 1e400}'),
	(9, '{"batch_size": 65}'),
	(10, '{"lr": 0}'),
	(11, '{"lr": -1}'),
	(12, '{"lambda": []}'),
	(13, '{"lambda": {}}'),
	(14, '{"prototypes": 50}'),
	(15, '{"prototypes": [50, 50]}'),
	(16, '{"prototypes": [50, 50, 0.5]}'),
	(17, '{"prototypes": [50, 50, 5000]}'),
	(18, '{"prototypes": [50, 50, "x"]}'),
	(19, '{"prototypes": [50, 0, 50]}'),
	(20, '{"seed": -1}'),
	(21, '{"seed": 1e19}'),
	(22, '{"input_size": 100}'),
	(23, '{"input_size": 32}'),
	(24, '{"roi": [0, 0, 10]}'),
	(25, '{"roi": [-1, 0, 10, 10]}'),
	(26, '{"bn_adapt": "some"}'),
	(27, '{"fusion": true}'),
	(28, '{"interaction": 1}'),
	(29, '{"prior_at": "before"}'),
	(30, '{"deploy": "maybe"}'),
	(31, '{"threshold_fpr": 0.9}'),
	(32, '{"teacher": "nobody"}'),
	(33, '{"teacher": 1}'),
	(34, '{"aux_kind": "smell"}'),
	(37, '{"aux2_kind": 3}'),
	(38, '{"aux_range": "all"}'),
	(39, '{"aux_limits": [0.1]}'),
	(40, '{"aux_limits": [0.1, "x"]}'),
	(41, '{"aux2_limits": [0.2, 0.1]}'),
	(42, '{"aux_limits": [0, 1e39]}'),
	(43, '{"aux_strict": 1}'),
	(44, '{"roi": [0, 0, 0, 10]}'),
	-- good options, and then no scans
	(35, '{"epochs": 1, "seed": 9000000000000000000, "roi": null,
		"prototypes": [0, 0, 0], "lr": 1e-3, "bn_adapt": "none"}'),
	(36, NULL),
	(45, '{"aux_kind": "xyz", "aux2_kind": "height", "aux_range": "train",
		"aux_limits": [-1e-3, 2.5], "aux2_limits": null, "aux_strict": true}')
) v (i, o) ORDER BY i;

DROP FUNCTION refused;
DROP TABLE nothing;
