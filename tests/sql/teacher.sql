-- Teachers: what is imported, and what is refused.
DROP EXTENSION mmrd CASCADE;
CREATE EXTENSION mmrd;
\set VERBOSITY terse
\pset tuples_only on
\pset format unaligned

-- The tensors of a resnet18 trunk, named and shaped as torchvision's.
CREATE TABLE trunk (at serial, name text, dims integer[]);
INSERT INTO trunk (name, dims) VALUES ('conv1.weight', '{64,3,7,7}');
INSERT INTO trunk (name, dims)
	SELECT 'bn1.' || part, '{64}' FROM unnest(
		'{weight,bias,running_mean,running_var}'::text[]) part;
INSERT INTO trunk (name, dims)
	SELECT format('layer%s.%s.conv%s.weight', layer, block, conv),
		CASE WHEN layer > 1 AND block = 0 AND conv = 1
			THEN array[32 << layer, 16 << layer, 3, 3]
			ELSE array[32 << layer, 32 << layer, 3, 3] END
	FROM generate_series(1, 3) layer, generate_series(0, 1) block,
		generate_series(1, 2) conv;
INSERT INTO trunk (name, dims)
	SELECT format('layer%s.%s.bn%s.%s', layer, block, conv, part),
		array[32 << layer]
	FROM generate_series(1, 3) layer, generate_series(0, 1) block,
		generate_series(1, 2) conv,
		unnest('{weight,bias,running_mean,running_var}'::text[]) part;
INSERT INTO trunk (name, dims)
	SELECT format('layer%s.0.downsample.0.weight', layer),
		array[32 << layer, 16 << layer, 1, 1]
	FROM generate_series(2, 3) layer;
INSERT INTO trunk (name, dims)
	SELECT format('layer%s.0.downsample.1.%s', layer, part), array[32 << layer]
	FROM generate_series(2, 3) layer,
		unnest('{weight,bias,running_mean,running_var}'::text[]) part;

CREATE FUNCTION numbers(dims integer[]) RETURNS integer
	LANGUAGE sql IMMUTABLE AS
	'SELECT exp(sum(ln(n)))::integer FROM unnest(dims) n';

CREATE FUNCTION little_endian(n bigint) RETURNS bytea LANGUAGE sql AS $$
	SELECT string_agg(set_byte('\x00', 0, ((n >> 8 * b) & 255)::integer),
		''::bytea ORDER BY b) FROM generate_series(0, 7) b
$$;

-- Numbers to fill a tensor with, little-endian: 97 of them again and again,
-- the same for a name every time.  Variances are 1.
CREATE FUNCTION filling(name text, n integer) RETURNS bytea LANGUAGE sql AS $$
	SELECT substr(decode(repeat(string_agg(
			CASE WHEN name LIKE '%running_var' THEN '0000803f'
				ELSE regexp_replace(encode(float4send((hashtext(name || i) % 1000 / 20000.0)::real), 'hex'),
					'(..)(..)(..)(..)', '\4\3\2\1') END, '' ORDER BY i),
		n / 97 + 1), 'hex'), 1, 4 * n) FROM generate_series(1, 97) i
$$;

-- A safetensors file of them.  `without` is left out, `reshaped` gets one
-- more row, in `poisoned` every number is `poison` (little-endian
-- hexadecimal), `moved` lies where its neighbour begins.
CREATE FUNCTION safetensors(without text DEFAULT '', reshaped text DEFAULT '',
	poisoned text DEFAULT '', poison text DEFAULT '0000c07f',
	moved text DEFAULT '') RETURNS bytea LANGUAGE plpgsql AS $$
DECLARE
	t record;
	header text := '';
	data bytea[];
	n integer;
	place bigint := 0;
BEGIN
	FOR t IN SELECT * FROM trunk WHERE name <> without ORDER BY at LOOP
		IF t.name = reshaped THEN
			t.dims[1] := t.dims[1] + 1;
		END IF;
		n := 4 * numbers(t.dims);
		header := header || format(',"%s":{"dtype":"F32","shape":%s,"data_offsets":[%s,%s]}',
			t.name, to_json(t.dims),
			place - CASE WHEN t.name = moved THEN 4 ELSE 0 END,
			place - CASE WHEN t.name = moved THEN 4 ELSE 0 END + n);
		data := data || CASE WHEN t.name = poisoned
			THEN decode(repeat(poison, n / 4), 'hex')
			ELSE filling(t.name, n / 4) END;
		place := place + n;
	END LOOP;
	header := '{' || substr(header, 2) || '}';
	RETURN little_endian(length(header)) || convert_to(header, 'UTF8') ||
		(SELECT string_agg(d, ''::bytea ORDER BY i)
			FROM unnest(data) WITH ORDINALITY u (d, i));
END $$;

CREATE FUNCTION refused(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	detail text;
	hint text;
BEGIN
	EXECUTE query;
	RETURN 'accepted';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL,
		hint = PG_EXCEPTION_HINT;
	RETURN concat_ws(E'\n', SQLSTATE || ': ' || SQLERRM,
		'  ' || nullif(detail, ''), '  ' || nullif(hint, ''));
END $$;

-- A whole one: stored once, EXTERNAL.
SELECT mmrd_import_teacher('t18', safetensors());
SELECT name, arch, builtin, created_by = current_user FROM mmrd.teachers
	WHERE name = 't18';
SELECT count(DISTINCT name), count(*), sum(length(data)), max(part),
	min(dtype), bool_or(version IS NOT NULL)
FROM mmrd.tensors WHERE teacher = (SELECT id FROM mmrd.teachers
	WHERE name = 't18');
SELECT name, dims, length(data), data = filling(name, length(data) / 4) AS same FROM mmrd.tensors
	WHERE name IN ('conv1.weight', 'layer3.0.downsample.1.running_var') ORDER BY name;
SELECT attstorage FROM pg_attribute
	WHERE attrelid = 'mmrd.tensors'::regclass AND attname = 'data';

-- Prefixes and what is not needed are dropped; the architecture may be said.
UPDATE trunk SET name = 'module.' || name;
INSERT INTO trunk (name, dims) VALUES ('module.fc.weight', '{3,512}');
SELECT mmrd_import_teacher('with extras', safetensors(), 'resnet18');
DELETE FROM trunk WHERE name = 'module.fc.weight';
UPDATE trunk SET name = substr(name, 8);
SELECT name, arch FROM mmrd.teachers WHERE NOT builtin ORDER BY id;

-- Refused.
SELECT refused($$SELECT mmrd_import_teacher('t18', safetensors())$$);
SELECT refused($$SELECT mmrd_import_teacher('x', safetensors(), 'resnet19')$$);
SELECT refused($$SELECT mmrd_import_teacher('x', safetensors(), 'resnet50')$$);
SELECT refused($$SELECT mmrd_import_teacher('x', safetensors(without => 'layer3.1.bn2.running_var'))$$);
SELECT refused($$SELECT mmrd_import_teacher('x', safetensors(without => 'conv1.weight'))$$);
SELECT refused($$SELECT mmrd_import_teacher('x', safetensors(reshaped => 'layer2.0.conv2.weight'))$$);
SELECT refused($$SELECT mmrd_import_teacher('x', safetensors(poisoned => 'layer1.1.conv1.weight'))$$);
SELECT refused($$SELECT mmrd_import_teacher('x', safetensors(poisoned => 'bn1.weight', poison => '0000807f'))$$);
SELECT refused($$SELECT mmrd_import_teacher('x', safetensors(poisoned => 'bn1.running_var', poison => '000080bf'))$$);
SELECT refused($$SELECT mmrd_import_teacher('x', safetensors(moved => 'layer1.0.conv2.weight'))$$);
SELECT refused($$SELECT mmrd_import_teacher('x', substr(safetensors(), 1, 3000000))$$);
SELECT refused($$SELECT mmrd_import_teacher('x', '')$$);
SELECT refused($$SELECT mmrd_import_teacher('x', 'hello, world')$$);
SELECT refused($$SELECT mmrd_import_teacher('x', '\xffffffffffffffff7b7d')$$);
SELECT refused($$SELECT mmrd_import_teacher('x', NULL)$$);
SELECT refused($$SELECT mmrd_import_teacher(NULL, safetensors())$$);
SELECT refused($$SELECT mmrd_import_teacher('', safetensors())$$);
SELECT refused($$SELECT mmrd_import_teacher('builtin', safetensors())$$);
SELECT refused($$SELECT mmrd_import_teacher('builtin2', safetensors())$$);
SELECT refused($$SELECT mmrd_import_teacher(repeat('x', 201), safetensors())$$);
SELECT refused($$SELECT mmrd_import_teacher_file('x', '/nowhere/at/all')$$);
SELECT refused($$SELECT mmrd_import_teacher_file('x', '/')$$);
SELECT refused($$SELECT mmrd_import_teacher_file('x', '/dev/zero')$$);
SELECT refused($$SELECT mmrd_import_teacher_file('x', NULL)$$);
SELECT refused($$SELECT mmrd_drop_teacher('builtin')$$);
SELECT refused($$SELECT mmrd_drop_teacher('nobody')$$);

-- Nothing of what was refused is left, and a rollback leaves nothing either.
BEGIN;
SELECT mmrd_import_teacher('rolled back', safetensors());
ROLLBACK;
SELECT count(*) FROM mmrd.teachers WHERE NOT builtin;
SELECT count(DISTINCT teacher) FROM mmrd.tensors;

-- From a file on the server, to the same numbers.
SELECT lo_from_bytea(0, safetensors()) AS file \gset
SELECT lo_export(:file, 'mmrd_test.safetensors'), lo_unlink(:file);
SELECT mmrd_import_teacher_file('from file', './mmrd_test.safetensors');
SELECT count(*) FROM mmrd.tensors a JOIN mmrd.tensors b USING (name, part)
	JOIN mmrd.teachers t ON t.id = a.teacher AND t.name = 't18'
	JOIN mmrd.teachers u ON u.id = b.teacher AND u.name = 'from file'
	WHERE a.data = b.data;
COPY (SELECT) TO PROGRAM 'rm mmrd_test.safetensors';
SELECT mmrd_drop_teacher('from file');

-- Trained with it; another session, which loads it from the tables, scores
-- the same.  In use it cannot be dropped.
SET mmrd.threads = 1;
SET mmrd.progress = off;
CREATE TABLE scans AS SELECT * FROM mmrd_synthesize(4, 1);
SELECT model, version, deployed FROM mmrd_train('scans', validation => 'id = 4',
	options => '{"teacher": "t18", "epochs": 1, "input_size": 64, "prototypes": [1, 1, 1]}');
CREATE TABLE scored AS SELECT id, mmrd_score(rgb, aux) AS score FROM scans;
SELECT t.name, count(*) FILTER (WHERE w.version IS NOT NULL
		AND w.name ~ '^teacher\.(conv1|layer[123]\.[01]\.conv)') AS copies
FROM mmrd.versions v JOIN mmrd.teachers t ON t.id = v.teacher
	JOIN mmrd.tensors w ON w.version = v.id GROUP BY 1;
\c -
SET mmrd.threads = 1;
-- the threshold was made in the training session, before anything was stored
SELECT s.score = c.scores[1] AS calibrated FROM scored s, mmrd.calibrations c WHERE s.id = 4;
SELECT count(*) FROM scans JOIN scored USING (id) WHERE score = mmrd_score(rgb, aux);
SELECT refused($$SELECT mmrd_drop_teacher('t18')$$);
DELETE FROM mmrd.versions;
SELECT mmrd_drop_teacher('t18');
SELECT mmrd_drop_teacher('with extras');
SELECT count(*) FROM mmrd.tensors;

DROP FUNCTION refused, safetensors, filling, little_endian, numbers;
DROP TABLE trunk, scans, scored;
