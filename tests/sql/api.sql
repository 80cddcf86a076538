-- What every object must have, and who may do what.
\pset format unaligned

-- no function without a comment (expected: no rows)
SELECT p.oid::regprocedure
FROM pg_catalog.pg_proc p
JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_proc'::regclass
	AND d.objid = p.oid AND d.deptype = 'e'
JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid AND e.extname = 'mmrd'
WHERE pg_catalog.obj_description(p.oid, 'pg_proc') IS NULL
ORDER BY 1;

-- no table without a comment (expected: no rows)
SELECT c.oid::regclass
FROM pg_catalog.pg_class c
WHERE c.relnamespace = 'mmrd'::regnamespace AND c.relkind IN ('r', 'v')
	AND pg_catalog.obj_description(c.oid, 'pg_class') IS NULL
ORDER BY 1;

-- every table and sequence is dumped (expected: checkpoints are not)
SELECT c.oid::regclass
FROM pg_catalog.pg_class c
WHERE c.relnamespace = 'mmrd'::regnamespace AND c.relkind IN ('r', 'S')
	AND NOT c.oid = ANY (SELECT unnest(extconfig) FROM pg_catalog.pg_extension
		WHERE extname = 'mmrd')
ORDER BY 1;

-- nothing is SECURITY DEFINER (expected: no rows)
SELECT p.oid::regprocedure
FROM pg_catalog.pg_proc p
JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_proc'::regclass
	AND d.objid = p.oid AND d.deptype = 'e'
JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid AND e.extname = 'mmrd'
WHERE p.prosecdef;

-- volatility (i, s, v), strictness, parallel safety (s, r, u), may PUBLIC?
SELECT p.oid::regprocedure AS function, p.provolatile AS vol,
	p.proisstrict AS strict, p.proparallel AS par, p.procost AS cost,
	p.proacl IS NULL AS public
FROM pg_catalog.pg_proc p
JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_proc'::regclass
	AND d.objid = p.oid AND d.deptype = 'e'
JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid AND e.extname = 'mmrd'
ORDER BY p.oid::regprocedure::text COLLATE "C";

-- tables that PUBLIC may read
SELECT c.relname, c.relacl::text ~ '[{,]=r/' AS public_reads
FROM pg_catalog.pg_class c
WHERE c.relnamespace = 'mmrd'::regnamespace AND c.relkind IN ('r', 'v')
ORDER BY 1;

-- the settings
LOAD 'mmrd';
SELECT name, setting, unit, min_val, max_val, enumvals, context
FROM pg_catalog.pg_settings WHERE name LIKE 'mmrd.%' ORDER BY name;
SET mmrd.nonsense = 1;
SET mmrd.threads = 257;
SET mmrd.threads = -1;
SET mmrd.precision = 'float16';
SET mmrd.on_bad_image = 'ignore';

-- the teacher that is always there
SELECT id, name, arch, builtin FROM mmrd.teachers ORDER BY name;
