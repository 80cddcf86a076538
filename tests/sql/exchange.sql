-- Model files: out and back bit by bit, and what is refused.
DROP EXTENSION mmrd CASCADE;
CREATE EXTENSION mmrd;
SET mmrd.progress = off;
SET mmrd.threads = 1;
SET client_min_messages = warning;
\pset format unaligned
\pset tuples_only on
\set SHOW_CONTEXT never

CREATE TABLE scans AS SELECT id, rgb, aux, id > 3 AS val FROM mmrd_synthesize(6, 1);
CREATE FUNCTION scores(model text, has_aux boolean DEFAULT true, has_aux2 boolean DEFAULT false) RETURNS text LANGUAGE sql AS $$
	SELECT md5(string_agg(float4send(i.score)::text || i.threshold || i.normalized || i.area || i.map::text, ',' ORDER BY id))
	FROM scans, mmrd_inspect(rgb, CASE WHEN has_aux THEN aux END, scores.model, CASE WHEN has_aux2 THEN rgb END) i
$$;

-- Every kind of network comes back as it went.
CREATE TABLE kinds (name text, aux name, aux2 name, options jsonb);
INSERT INTO kinds VALUES
	('next', 'aux', NULL, '{"prototypes": [2, 3, 4]}'),
	('same two', 'aux', 'rgb', '{"prototypes": [1, 2, 1], "prior_at": "same", "lr": 0.0007, "seed": 9000000000000000000}'),
	('rgb', NULL, NULL, '{"prototypes": [1, 1, 1], "roi": [10, 20, 200, 100]}'),
	('plain', 'aux', NULL, '{"interaction": false, "prototypes": [1, 1, 1], "fusion": "modulated_aux", "bn_adapt": "none"}'),
	('rd', 'aux', NULL, '{"method": "rd"}'),
	('half', 'aux', NULL, '{"prototypes": [2, 3, 4], "precision": "bfloat16"}');
SELECT version FROM kinds, mmrd_train('scans', name, aux => aux, aux2 => aux2, filter => 'not val', validation => 'val',
	options => '{"epochs": 1, "input_size": 64, "threshold_fpr": 0.3}' || options);
CREATE TABLE files (name text, file bytea);
ALTER TABLE files ALTER file SET STORAGE EXTERNAL;
INSERT INTO files SELECT name, mmrd_export_model(name) FROM kinds;
SELECT name, mmrd_import_model('copy of ' || name, file) FROM files;
SELECT name, scores(name, aux IS NOT NULL AND name <> 'rd', aux2 IS NOT NULL) =
	scores('copy of ' || name, aux IS NOT NULL AND name <> 'rd', aux2 IS NOT NULL) AS scores,
	mmrd_export_model('copy of ' || name) = file AS file
FROM kinds JOIN files USING (name);
SELECT m.name, a.source = b.source AND a.source_query = b.source_query AND a.scans = b.scans AND
	a.scans_sha256 = b.scans_sha256 AND a.seed = b.seed AND a.epochs = b.epochs AND a.loss = b.loss AND
	a.metrics = b.metrics AND a.seconds = b.seconds AND a.code_version = b.code_version AND
	a.options = b.options AND a.modalities = b.modalities AND a.teacher = b.teacher AND a.uid <> b.uid AS same
FROM kinds JOIN mmrd.models m USING (name) JOIN mmrd.versions a ON a.model = m.id
	JOIN mmrd.models n ON n.name = 'copy of ' || m.name JOIN mmrd.versions b ON b.model = n.id ORDER BY m.id;
SELECT count(DISTINCT (method, fpr, threshold, pixel_threshold, scores)) FROM mmrd.calibrations;
SELECT name, round(100.0 * length(file) / max(length(file)) OVER ()) AS size FROM files WHERE name IN ('next', 'half');
SELECT dtype, count(*) FROM mmrd.tensors WHERE version = (SELECT id FROM mmrd.versions WHERE options ->> 'precision' = 'bfloat16' LIMIT 1) GROUP BY 1 ORDER BY 1;
SELECT count(*) FROM mmrd.teachers WHERE NOT builtin;

-- What the file says.
CREATE FUNCTION header_bytes(file bytea) RETURNS integer LANGUAGE sql AS $$
	SELECT get_byte(start, 0) + (get_byte(start, 1) << 8) + (get_byte(start, 2) << 16) FROM substr(file, 1, 8) start
$$;
CREATE FUNCTION header(file bytea) RETURNS jsonb LANGUAGE sql AS $$
	SELECT convert_from(substr(file, 9, header_bytes(file)), 'UTF8')::jsonb
$$;
SELECT jsonb_object_keys(header(file) -> '__metadata__') FROM files WHERE name = 'next';
SELECT jsonb_pretty((header(file) -> '__metadata__' ->> 'config')::jsonb) FROM files WHERE name = 'same two';
SELECT jsonb_pretty((header(file) -> '__metadata__' ->> 'training')::jsonb - '{loss,scans_sha256,seconds}'::text[]) FROM files WHERE name = 'rgb';

-- Which version is exported, and where imported ones go.
SELECT mmrd_import_model('next', file, deploy => false) FROM files WHERE name = 'half';
SELECT mmrd_export_model('next') = file FROM files WHERE name = 'next';
SELECT mmrd_export_model('next', 1) = file FROM files WHERE name = 'next';
SELECT mmrd_export_model('next', 2) = file FROM files WHERE name = 'half';
SELECT mmrd_import_model('next', file) FROM files WHERE name = 'half';
SELECT mmrd_export_model('next') = file FROM files WHERE name = 'half';

-- A file that says only what it must, as other programs write it: with a
-- teacher that is not ours.
CREATE FUNCTION remade(header jsonb, file bytea) RETURNS bytea LANGUAGE plpgsql AS $$
DECLARE
	text bytea := convert_to(header::text, 'UTF8');
	n integer := length(text);
BEGIN
	RETURN set_byte(set_byte(set_byte('\x0000000000000000', 0, n & 255), 1, n >> 8 & 255), 2, n >> 16 & 255)
		|| text || substr(file, 9 + header_bytes(file));
END $$;
-- where the numbers of a tensor begin
CREATE FUNCTION place(file bytea, tensor text) RETURNS integer LANGUAGE sql AS $$
	SELECT 9 + header_bytes(file) + (header(file) -> tensor -> 'data_offsets' ->> 0)::integer
$$;
CREATE FUNCTION poisoned(file bytea, tensor text, number bytea) RETURNS bytea LANGUAGE sql AS $$
	SELECT overlay(file PLACING number FROM place(file, tensor))
$$;
INSERT INTO files SELECT 'foreign', poisoned(remade(jsonb_set(header(file), '{__metadata__}',
	'{"format": "mmrd-model", "format_version": "1", "config": "{\"input_size\": 64, \"prototypes\": [2, 3, 4], \"teacher\": \"theirs\"}"}'), file),
	'teacher.conv1.weight', '\x00000000')
FROM files WHERE name = 'next';
RESET client_min_messages;
SELECT mmrd_import_model('foreign', file) FROM files WHERE name = 'foreign';
SELECT mmrd_import_model('foreign', file) FROM files WHERE name = 'foreign';
SELECT mmrd_import_model('foreign', poisoned(file, 'teacher.bn1.weight', '\x00000000')) FROM files WHERE name = 'foreign';
SELECT mmrd_import_model('builtin models', poisoned(file, 'teacher.bn1.bias', '\x00000040')) FROM files WHERE name = 'foreign';
SET client_min_messages = warning;
SELECT m.name, v.version, t.name, v.options ->> 'teacher' AS teacher, v.source, v.source_query, v.scans, v.scans_sha256,
	v.seed, v.epochs, v.loss, v.metrics, v.seconds, v.code_version
FROM mmrd.versions v JOIN mmrd.models m ON m.id = v.model JOIN mmrd.teachers t ON t.id = v.teacher
WHERE t.id > 0 ORDER BY v.id;
SELECT score > 0, normalized, anomalous, threshold, area, regions FROM scans, mmrd_inspect(rgb, aux, 'foreign') WHERE id = 1;
SELECT mmrd_calibrate('foreign', 'scans', fpr => 0.3) > 0;
SELECT threshold > 0 FROM scans, mmrd_inspect(rgb, aux, 'foreign') WHERE id = 1;
SELECT mmrd_import_model('foreign again', mmrd_export_model('foreign'));
SELECT scores('foreign') = scores('foreign again');
SELECT version FROM mmrd_train('scans', 'taught', options => '{"teacher": "theirs", "epochs": 1, "input_size": 64, "prototypes": [1, 1, 1]}');

-- Refused.
CREATE FUNCTION refused(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	detail text;
	hint text;
	context text;
BEGIN
	EXECUTE query;
	RETURN 'accepted';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL,
		hint = PG_EXCEPTION_HINT, context = PG_EXCEPTION_CONTEXT;
	RETURN concat_ws(E'\n', SQLSTATE || ': ' || SQLERRM,
		'  ' || nullif(detail, ''), '  ' || nullif(hint, ''),
		'  ' || substring(context FROM '[a-z]+ of the model file'));
END $$;
CREATE FUNCTION try(file bytea) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	detail text;
	hint text;
	context text;
BEGIN
	PERFORM mmrd_import_model('x', file);
	RETURN 'accepted';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL,
		hint = PG_EXCEPTION_HINT, context = PG_EXCEPTION_CONTEXT;
	RETURN concat_ws(E'\n', SQLSTATE || ': ' || SQLERRM,
		'  ' || nullif(detail, ''), '  ' || left(nullif(hint, ''), 60),
		'  ' || substring(context FROM '[a-z]+ of the model file'));
END $$;

-- arguments
SELECT refused($$SELECT mmrd_export_model('nobody')$$);
SELECT refused($$SELECT mmrd_export_model(NULL)$$);
SELECT refused($$SELECT mmrd_export_model('next', 9)$$);
SELECT refused($$SELECT mmrd_export_model('next', 0)$$);
SELECT refused($$SELECT mmrd_import_model(NULL, '')$$);
SELECT refused($$SELECT mmrd_import_model('', '')$$);
SELECT refused($$SELECT mmrd_import_model('x', NULL)$$);
SELECT refused($$SELECT mmrd_import_model('x', '', NULL)$$);
-- files
SELECT try('');
SELECT try('hello, world');
SELECT try(substr(file, 1, 1000)) FROM files WHERE name = 'next';
SELECT try(substr(file, 1, length(file) - 1)) FROM files WHERE name = 'next';
SELECT try(file || '\x00') FROM files WHERE name = 'next';
SELECT try('\x020000000000000080027d71002e80027d71002e');
-- metadata
CREATE FUNCTION with_metadata(file bytea, key text, value text) RETURNS bytea LANGUAGE sql AS $$
	SELECT remade(CASE WHEN value IS NULL THEN header(file) #- array['__metadata__', key]
		ELSE jsonb_set(header(file), array['__metadata__', key], to_jsonb(value)) END, file)
$$;
SELECT try(remade(header(file) - '__metadata__', file)) FROM files WHERE name = 'next';
SELECT key, try(with_metadata(file, key, value)) FROM files, (VALUES
	(1, 'format', NULL), (2, 'format', 'pt'), (3, 'format_version', NULL), (4, 'format_version', '2'),
	(5, 'config', NULL), (6, 'config', ''), (7, 'config', '[]'), (8, 'config', '"next"'),
	(9, 'config', '{"input_size": 64'), (10, 'config', repeat('[', 100000)),
	(11, 'training', '[1]'), (12, 'training', '{"scans": "many"}'), (13, 'training', '{"scans": -1}'),
	(14, 'training', '{"epochs": 1e10}'), (15, 'training', '{"scans_sha256": "00"}'),
	(16, 'training', '{"scans_sha256": "xx"}'), (17, 'training', '{"loss": "Infinity"}'),
	(18, 'training', '{"seconds": -1}'), (19, 'training', '{"metrics": 1}'),
	(20, 'calibration', '1'), (21, 'calibration', '{"fpr": 0.1}'), (22, 'calibration', '{"fpr": 2}'),
	(23, 'calibration', '{"fpr": 0.1, "threshold": "NaN", "pixel_threshold": 1, "scores": [1]}'),
	(24, 'calibration', '{"fpr": 0.1, "threshold": 1, "pixel_threshold": "Infinity", "scores": [1]}'),
	(25, 'calibration', '{"fpr": 0.1, "threshold": 1, "pixel_threshold": 1}'),
	(26, 'calibration', '{"fpr": 0.1, "threshold": 1, "pixel_threshold": 1, "scores": []}'),
	(27, 'calibration', '{"fpr": 0.1, "threshold": 1, "pixel_threshold": 1, "scores": {}}'),
	(28, 'calibration', '{"fpr": 0.1, "threshold": 1, "pixel_threshold": 1, "scores": [2, 1]}'),
	(29, 'calibration', '{"fpr": 0.1, "threshold": 1, "pixel_threshold": 1, "scores": [1, null]}'),
	(30, 'calibration', '{"fpr": 0.1, "threshold": 1, "pixel_threshold": 1, "scores": ["one"]}')
) v (n, key, value) WHERE name = 'next' ORDER BY n;
-- a config that means another network
SELECT change, try(with_metadata(file, 'config', ((header(file) -> '__metadata__' ->> 'config')::jsonb || change)::text))
FROM files, (VALUES
	(1, '{"arch": "resnet50"}'::jsonb), (2, '{"arch": 18}'), (3, '{"n_aux": 0}'), (4, '{"n_aux": "1"}'), (5, '{"n_aux": 1e400}'),
	(6, '{"layers": 3}'), (7, '{"input_size": 100}'), (8, '{"input_size": "64"}'), (9, '{"prior_at": "same"}'),
	(10, '{"interaction": false}'), (11, '{"prototypes": [2, 3, 5]}'), (12, '{"prototypes": [1024, 1024, 1024]}'),
	(13, '{"prototypes": [0, 0, 0]}'), (14, '{"method": "rd"}'), (15, '{"seed": 1e30}')
) v (n, change) WHERE name = 'next' ORDER BY n;
-- tensors
SELECT try(remade(header(file) - 'teacher.layer3.1.conv1.weight' || jsonb_build_object('x', header(file) -> 'teacher.layer3.1.conv1.weight'), file)) FROM files WHERE name = 'next';
SELECT try(remade(header(file) - 'ocbe.bn1.bias' || jsonb_build_object('ocbe.bn1.offset', header(file) -> 'ocbe.bn1.bias'), file)) FROM files WHERE name = 'next';
SELECT try(remade(header(file) || jsonb_build_object('ocbe.bn9.bias', '{"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}'::jsonb), file)) FROM files WHERE name = 'next';
SELECT try(poisoned(file, 'ocbe.conv2.weight', '\x0000c07f')) FROM files WHERE name = 'next';
SELECT try(poisoned(file, 'decoder.1.0.bn1.running_var', '\x000080bf')) FROM files WHERE name = 'next';
SELECT try(poisoned(file, 'prototypes.aux.2', '\x807f')) FROM files WHERE name = 'half';
-- and nothing of all that is left
SELECT count(*) FROM mmrd.models WHERE name = 'x';
SELECT count(*) FROM mmrd.teachers WHERE id > 0;
SELECT count(*) FROM mmrd.tensors t WHERE version IS NOT NULL AND NOT EXISTS (SELECT FROM mmrd.versions v WHERE v.id = t.version);

-- Extra tensors that everybody writes are stepped over.
SELECT mmrd_import_model('extra', remade(header(file) || '{"teacher.bn1.num_batches_tracked": {"dtype": "I64", "shape": [0], "data_offsets": [0, 0]},
	"teacher.fc.bias": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}}', file)) FROM files WHERE name = 'next';

-- Read-only transactions export.  Rights.
BEGIN READ ONLY;
SELECT mmrd_export_model('next', 1) = file FROM files WHERE name = 'next';
SELECT refused($$SELECT mmrd_import_model('x', '')$$);
SELECT refused($$SELECT mmrd_import_model_file('x', '/nowhere')$$);
COMMIT;
SELECT refused($$SELECT mmrd_export_model_file('next', 'relative')$$);
SELECT refused($$SELECT mmrd_export_model_file('next', '/nowhere/at/all')$$);
SELECT refused($$SELECT mmrd_export_model_file('next', '/')$$);
SELECT refused($$SELECT mmrd_export_model_file('next', NULL)$$);
SELECT refused($$SELECT mmrd_import_model_file('next', NULL)$$);
SELECT refused($$SELECT mmrd_import_model_file('next', '/dev/zero')$$);
SELECT refused($$SELECT mmrd_import_model_file('next', '/nowhere')$$);
CREATE ROLE mmrd_test_nobody;
GRANT SELECT ON files TO mmrd_test_nobody;
SET ROLE mmrd_test_nobody;
SELECT refused($$SELECT mmrd_export_model('next')$$);
SELECT refused($$SELECT mmrd_export_model_file('next', '/tmp/x')$$);
SELECT refused($$SELECT mmrd_import_model('x', '')$$);
SELECT refused($$SELECT mmrd_import_model_file('x', '/tmp/x')$$);
RESET ROLE;
GRANT EXECUTE ON FUNCTION mmrd_export_model, mmrd_export_model_file, mmrd_import_model, mmrd_import_model_file TO mmrd_test_nobody;
SET ROLE mmrd_test_nobody;
SELECT mmrd_export_model('next', 1) = file FROM files WHERE name = 'next';
SELECT refused($$SELECT mmrd_export_model_file('next', '/tmp/x')$$);
SELECT mmrd_import_model('theirs', file) FROM files WHERE name = 'next';
SELECT refused($$SELECT mmrd_import_model_file('x', '/tmp/x')$$);
RESET ROLE;
SELECT created_by FROM mmrd.versions ORDER BY id DESC LIMIT 1;
SELECT mmrd_allow('next', current_user);
SET ROLE mmrd_test_nobody;
SELECT refused($$SELECT mmrd_export_model('next')$$);
SELECT refused($$SELECT mmrd_export_model('next', 1)$$);
SELECT refused($$SELECT mmrd_import_model('next', file) FROM files WHERE name = 'next'$$);
RESET ROLE;
DROP OWNED BY mmrd_test_nobody;
DROP ROLE mmrd_test_nobody;

DROP FUNCTION scores, header, refused, try, with_metadata, poisoned, place, remade, header_bytes;
DROP TABLE scans, kinds, files;
