-- tests/upgrade/catalog.sql
--	Everything that the extension is made of, one line a property, without any
--	number that differs from database to database.  Such a number is pg_attver,
--	which minor releases of late 2026 keep among the options of columns.
WITH
member AS (
	SELECT d.classid, d.objid
	FROM pg_depend d
		JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'mmrd'
	WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
),
-- What belongs to a member and is none itself: columns, indexes, toast tables,
-- row types, triggers, rules, constraints, defaults.
relation AS (
	SELECT c.* FROM pg_class c JOIN member m
		ON m.classid = 'pg_class'::regclass AND m.objid = c.oid
	UNION ALL
	SELECT c.* FROM pg_class c JOIN pg_type t ON t.typrelid = c.oid
		JOIN member m ON m.classid = 'pg_type'::regclass AND m.objid = t.oid
	WHERE c.relkind = 'c'
),
line (what, is_) AS (
	SELECT 'extension', concat_ws(' ', extname, extversion, extrelocatable,
		extnamespace::regnamespace, obj_description(oid, 'pg_extension'))
	FROM pg_extension WHERE extname = 'mmrd'
	UNION ALL
	SELECT 'member', i.type || ' ' || i.identity || ': '
		|| coalesce(obj_description(m.objid, m.classid::regclass::name), '(no comment)')
	FROM member m, pg_identify_object(m.classid, m.objid, 0) i
	UNION ALL
	SELECT 'dumped', c.oid::regclass || ' ' || c.condition
	FROM pg_extension, unnest(extconfig, extcondition) c(oid, condition)
	WHERE extname = 'mmrd'
	UNION ALL
	-- As CREATE OR REPLACE: arguments, defaults, volatility, cost, symbol, ...
	SELECT 'function', p.oid::regprocedure || ' '
		|| CASE p.prokind WHEN 'a' THEN concat_ws(' ', pg_get_function_arguments(p.oid),
			pg_get_function_result(p.oid), p.proparallel, p.procost, p.provolatile,
			p.proisstrict, (SELECT to_jsonb(a) - 'aggfnoid' FROM (SELECT aggfnoid, aggkind,
				aggnumdirectargs, aggtransfn, aggfinalfn, aggcombinefn, aggserialfn,
				aggdeserialfn, aggmtransfn, aggfinalextra, aggfinalmodify, aggtranstype::regtype,
				aggtransspace, agginitval, aggsortop FROM pg_aggregate WHERE aggfnoid = p.oid) a))
		ELSE pg_get_functiondef(p.oid) END
	FROM pg_proc p JOIN member m ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid
	UNION ALL
	SELECT 'relation', concat_ws(' ', oid::regclass, relkind, relpersistence,
		relreplident, relrowsecurity, relforcerowsecurity, relispartition,
		reloptions, am.amname, reltoastrelid <> 0)
	FROM relation LEFT JOIN (SELECT oid AS am, amname FROM pg_am) am ON am = relam
	UNION ALL
	SELECT 'column', concat_ws(' ', a.attrelid::regclass, a.attnum, a.attname,
		format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity,
		a.attgenerated, a.attstorage, a.attcompression, a.attislocal,
		(SELECT string_agg(o, ',' ORDER BY o) FROM unnest(a.attoptions) o WHERE o !~ '^pg_attver='),
		a.attstattarget, c.collname, pg_get_expr(f.adbin, f.adrelid),
		col_description(a.attrelid, a.attnum))
	FROM pg_attribute a JOIN relation r ON r.oid = a.attrelid
		LEFT JOIN pg_collation c ON c.oid = a.attcollation
		LEFT JOIN pg_attrdef f ON f.adrelid = a.attrelid AND f.adnum = a.attnum
	WHERE a.attnum > 0
	UNION ALL
	SELECT 'sequence', concat_ws(' ', q.seqrelid::regclass, q.seqtypid::regtype,
		q.seqstart, q.seqincrement, q.seqmax, q.seqmin, q.seqcache, q.seqcycle)
	FROM pg_sequence q JOIN relation r ON r.oid = q.seqrelid
	UNION ALL
	SELECT 'constraint', concat_ws(' ', k.conrelid::regclass, k.conname,
		pg_get_constraintdef(k.oid), k.convalidated, obj_description(k.oid, 'pg_constraint'))
	FROM pg_constraint k JOIN relation r ON r.oid = k.conrelid
	UNION ALL
	SELECT 'index', concat_ws(' ', pg_get_indexdef(i.indexrelid), i.indisvalid,
		i.indisclustered, i.indisreplident, c.reloptions,
		obj_description(i.indexrelid, 'pg_class'))
	FROM pg_index i JOIN relation r ON r.oid = i.indrelid
		JOIN pg_class c ON c.oid = i.indexrelid
	UNION ALL
	SELECT 'trigger', concat_ws(' ', pg_get_triggerdef(t.oid), t.tgenabled,
		obj_description(t.oid, 'pg_trigger'))
	FROM pg_trigger t JOIN relation r ON r.oid = t.tgrelid WHERE NOT t.tgisinternal
	UNION ALL
	SELECT 'rule', concat_ws(' ', pg_get_ruledef(w.oid), w.ev_enabled)
	FROM pg_rewrite w JOIN relation r ON r.oid = w.ev_class
	UNION ALL
	SELECT 'policy', to_jsonb(p)::text FROM pg_policies p
	WHERE (quote_ident(schemaname) || '.' || quote_ident(tablename)) IN
		(SELECT i.identity FROM relation r, pg_identify_object('pg_class'::regclass, r.oid, 0) i)
	UNION ALL
	SELECT 'type', concat_ws(' ', t.oid::regtype, t.typtype, t.typcategory,
		t.typispreferred, t.typlen, t.typbyval, t.typalign, t.typstorage,
		t.typdelim, t.typinput, t.typoutput, t.typreceive, t.typsend,
		t.typmodin, t.typmodout, t.typanalyze, t.typnotnull,
		t.typbasetype::regtype, t.typdefault,
		(SELECT string_agg(enumlabel, ',' ORDER BY enumsortorder) FROM pg_enum WHERE enumtypid = t.oid))
	FROM pg_type t JOIN member m ON m.classid = 'pg_type'::regclass AND m.objid = t.oid
	UNION ALL
	SELECT 'cast', concat_ws(' ', c.castsource::regtype, c.casttarget::regtype,
		c.castfunc::regprocedure, c.castcontext, c.castmethod)
	FROM pg_cast c JOIN member m ON m.classid = 'pg_cast'::regclass AND m.objid = c.oid
	UNION ALL
	-- Owners and rights: those that are in force, and those that pg_dump takes
	-- for the extension's own.
	SELECT 'owner', i.type || ' ' || i.identity || ' ' || o.owner
	FROM (
		SELECT 'pg_proc'::regclass AS class, p.oid, proowner::regrole AS owner FROM pg_proc p
		UNION ALL SELECT 'pg_class'::regclass, c.oid, relowner::regrole FROM pg_class c
		UNION ALL SELECT 'pg_type'::regclass, t.oid, typowner::regrole FROM pg_type t
		UNION ALL SELECT 'pg_namespace'::regclass, n.oid, nspowner::regrole FROM pg_namespace n
	) o JOIN member m ON m.classid = o.class AND m.objid = o.oid,
		pg_identify_object(o.class, o.oid, 0) i
	UNION ALL
	SELECT a.what, concat_ws(' ', i.type, i.identity, x.privilege_type,
		CASE x.grantee WHEN 0 THEN 'PUBLIC' ELSE x.grantee::regrole::text END,
		x.grantor::regrole, x.is_grantable)
	FROM (
		SELECT 'right' AS what, 'pg_proc'::regclass AS class, p.oid, 0 AS sub, proacl AS acl FROM pg_proc p
		UNION ALL SELECT 'right', 'pg_class'::regclass, c.oid, 0, relacl FROM pg_class c
		UNION ALL SELECT 'right', 'pg_class'::regclass, attrelid, attnum, attacl FROM pg_attribute
		UNION ALL SELECT 'right', 'pg_type'::regclass, t.oid, 0, typacl FROM pg_type t
		UNION ALL SELECT 'right', 'pg_namespace'::regclass, n.oid, 0, nspacl FROM pg_namespace n
		UNION ALL SELECT 'initial right', classoid::regclass, objoid, objsubid, initprivs
			FROM pg_init_privs WHERE privtype = 'e'
	) a JOIN member m ON m.classid = a.class AND m.objid = a.oid,
		aclexplode(a.acl) x, pg_identify_object(a.class, a.oid, a.sub) i
	UNION ALL
	-- Rows that CREATE EXTENSION makes and pg_dump leaves out.
	SELECT 'teacher', concat_ws(' ', id, name, arch, created_by)
	FROM mmrd.teachers WHERE builtin
)
SELECT what || ' ' || regexp_replace(is_, '\s+', ' ', 'g') FROM line ORDER BY 1;
