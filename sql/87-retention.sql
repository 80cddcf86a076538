-- Results: made anew, or removed

CREATE FUNCTION mmrd_rescore(source regclass, since timestamptz DEFAULT NULL,
							 model text DEFAULT NULL)
	RETURNS bigint
	AS 'MODULE_PATHNAME', 'mmrd_rescore'
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000000;
COMMENT ON FUNCTION mmrd_rescore(regclass, timestamptz, text) IS
	'have scans of an attached table scored again: those with a result since then, or by that model; all of the table, where neither is named; how many';
REVOKE ALL ON FUNCTION mmrd_rescore(regclass, timestamptz, text) FROM PUBLIC;

CREATE FUNCTION mmrd_prune_results(source regclass DEFAULT NULL,
								   older_than interval DEFAULT '90 days',
								   maps_only boolean DEFAULT false)
	RETURNS bigint
	AS 'MODULE_PATHNAME', 'mmrd_prune_results'
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000000;
COMMENT ON FUNCTION mmrd_prune_results(regclass, interval, boolean) IS
	'remove old results, or only their maps, of one table or of all that the caller owns; how many';
REVOKE ALL ON FUNCTION mmrd_prune_results(regclass, interval, boolean) FROM PUBLIC;
