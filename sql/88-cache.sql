-- Models that are ready to score, one copy for all sessions

CREATE FUNCTION mmrd_cached(OUT database oid, OUT uid uuid, OUT "precision" text,
							OUT shared boolean, OUT state text, OUT bytes bigint,
							OUT users integer, OUT hits bigint,
							OUT loaded_at timestamptz, OUT used_at timestamptz,
							OUT pid integer)
	RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'mmrd_cached'
	LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED COST 1000 ROWS 10;
COMMENT ON FUNCTION mmrd_cached() IS
	'models in memory, as the server counts them; for the view mmrd.cache';

CREATE VIEW mmrd.cache AS
	SELECT d.datname AS database, m.name AS model, v.version, c.precision,
		c.bytes, c.users, c.hits, c.loaded_at, c.used_at, c.shared, c.state,
		c.pid
	FROM @extschema@.mmrd_cached() c
		JOIN pg_catalog.pg_database d ON d.oid OPERATOR(pg_catalog.=) c.database
		LEFT JOIN mmrd.versions v ON v.uid OPERATOR(pg_catalog.=) c.uid
			AND d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database()
		LEFT JOIN mmrd.models m ON m.id OPERATOR(pg_catalog.=) v.model;
COMMENT ON VIEW mmrd.cache IS 'models that are ready to score; those of other databases for pg_read_all_stats only';
COMMENT ON COLUMN mmrd.cache.model IS 'NULL for a model of another database';
COMMENT ON COLUMN mmrd.cache.users IS 'sessions that have it mapped';
COMMENT ON COLUMN mmrd.cache.hits IS 'scans scored with it since it was loaded';
COMMENT ON COLUMN mmrd.cache.shared IS 'false: a copy in the memory of the one session pid';
COMMENT ON COLUMN mmrd.cache.state IS 'loading, ready, or evicted: it goes when its sessions need it no more';
COMMENT ON COLUMN mmrd.cache.pid IS 'who loads it, or whose private copy it is';
GRANT SELECT ON mmrd.cache TO PUBLIC;

CREATE FUNCTION mmrd_cache_clear()
	RETURNS bigint
	AS 'MODULE_PATHNAME', 'mmrd_cache_clear'
	LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED COST 1000;
COMMENT ON FUNCTION mmrd_cache_clear() IS
	'let go of the models of this database that no session uses now; the bytes';
REVOKE ALL ON FUNCTION mmrd_cache_clear() FROM PUBLIC;

CREATE FUNCTION mmrd_threads_taken(OUT total integer, OUT taken integer,
								   OUT sessions integer)
	AS 'MODULE_PATHNAME', 'mmrd_threads_taken'
	LANGUAGE C VOLATILE STRICT PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION mmrd_threads_taken() IS
	'threads that all sessions may use, that are in use now, and by how many sessions';
