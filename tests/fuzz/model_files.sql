-- tests/fuzz/model_files.sql
--	Broken model files to mmrd_import_model, made from a good one.
--
--	psql -v seconds=20 -v seed=1 -f tests/fuzz/model_files.sql
--
-- The byte level is fuzz_safetensors' business, which tries a million files
-- while this tries a hundred.  Here most stay well-formed and lie: about
-- shapes, types, places, names, options.  Each must be imported or refused
-- with an error that has a message and a hint; what is imported must score, or
-- refuse to, and be exported again.
\set ON_ERROR_STOP on
\set QUIET on
CREATE EXTENSION IF NOT EXISTS mmrd;
SET mmrd.progress = off;
SET mmrd.threads = 1;
SET client_min_messages = error;

CREATE TEMP TABLE scans AS SELECT * FROM mmrd_synthesize(2, 1);
SELECT FROM mmrd_train('scans', 'good', options => '{"epochs": 1, "input_size": 64, "prototypes": [1, 1, 1], "precision": "bfloat16", "bn_epochs": 1}');
CREATE TEMP TABLE good AS
	SELECT mmrd_export_model('good') AS file;
ALTER TABLE good ADD n integer, ADD header jsonb;
UPDATE good SET n = get_byte(file, 0) + (get_byte(file, 1) << 8) + (get_byte(file, 2) << 16);
UPDATE good SET header = convert_from(substr(file, 9, n), 'UTF8')::jsonb;

-- A safetensors file with this header in front of the good file's numbers.
CREATE FUNCTION pg_temp.with_header(header text) RETURNS bytea LANGUAGE sql AS $$
	SELECT set_byte(set_byte(set_byte('\x0000000000000000'::bytea,
			0, length(h) & 255), 1, length(h) >> 8 & 255), 2, length(h) >> 16 & 255)
		|| h || substr(file, 9 + n)
	FROM good, convert_to(with_header.header, 'UTF8') h
$$;

CREATE FUNCTION pg_temp.any_of(VARIADIC choices text[]) RETURNS text LANGUAGE sql AS
	$$SELECT choices[1 + floor(random() * cardinality(choices))::integer]$$;

-- Something to put in the place of a value.
CREATE FUNCTION pg_temp.nasty() RETURNS jsonb LANGUAGE sql AS $$
	SELECT pg_temp.any_of('null', 'true', '0', '-1', '1', '64', '65', '255', '1e308', '1e-320', '2147483648',
		'9223372036854775808', '18446744073709551615', '0.5', '""', '"x"', '"F32"', '"BF16"', '"F64"', '"I64"',
		'[]', '{}', '[0]', '[1]', '[0, 0]', '[1, 1, 1]', '[64, 3, 7, 7]', '[4294967296, 4294967296]',
		'[[1]]', '["a"]', '[1e10, 1e10, 1e10]', '{"dtype": "F32"}', '"\u00e4\ud83d\ude00"')::jsonb
$$;

-- Change one thing, by path, anywhere in the header.
CREATE FUNCTION pg_temp.changed(header jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
	names text[] := ARRAY(SELECT jsonb_object_keys(header));
	name text := pg_temp.any_of(VARIADIC names);
	other text := pg_temp.any_of(VARIADIC names);
	config jsonb;
	key text;
BEGIN
	CASE floor(random() * 8)
		WHEN 0 THEN RETURN header - name;
		WHEN 1 THEN RETURN jsonb_set(header, ARRAY[name], header -> other);
		WHEN 2 THEN RETURN jsonb_set(header, ARRAY[name, pg_temp.any_of('dtype', 'shape', 'data_offsets')], pg_temp.nasty());
		WHEN 3 THEN RETURN jsonb_set(header, ARRAY[name, pg_temp.any_of('shape', 'data_offsets'), pg_temp.any_of('0', '1', '2')], pg_temp.nasty());
		WHEN 4 THEN RETURN jsonb_set(header, ARRAY[name || pg_temp.any_of('x', '.weight', '')], pg_temp.nasty());
		WHEN 5 THEN RETURN jsonb_set(header, ARRAY['__metadata__', pg_temp.any_of('format', 'format_version', 'config', 'training', 'calibration')],
			to_jsonb(pg_temp.nasty()::text));
		ELSE
			key := pg_temp.any_of('config', 'config', 'calibration', 'training');
			config := coalesce(header -> '__metadata__' ->> key, '{}')::jsonb;
			name := pg_temp.any_of(VARIADIC ARRAY(SELECT jsonb_object_keys(config)) || 'unheard_of'::text);
			RETURN jsonb_set(header, ARRAY['__metadata__', key],
				to_jsonb(jsonb_set(config, ARRAY[name], pg_temp.nasty())::text));
	END CASE;
END $$;

CREATE FUNCTION pg_temp.broken() RETURNS bytea LANGUAGE plpgsql AS $$
DECLARE
	g good;
	bytes bytea;
	header jsonb;
BEGIN
	SELECT * INTO g FROM good;
	CASE floor(random() * 10)
		WHEN 0 THEN -- cut short
			RETURN substr(g.file, 1, floor(random() * length(g.file))::integer);
		WHEN 1 THEN -- bytes of the header
			bytes := substr(g.file, 1, 8 + g.n);
			FOR i IN 1 .. 1 + floor(random() * 4)::integer LOOP
				bytes := set_byte(bytes, floor(random() * (8 + g.n))::integer, floor(random() * 256)::integer);
			END LOOP;
			RETURN bytes || substr(g.file, 9 + g.n);
		WHEN 2 THEN -- numbers: infinity, NaN, huge
			RETURN overlay(g.file PLACING decode(pg_temp.any_of('7f80', 'ff80', '7fc0', '807f', '80ff', 'c07f', 'ffff'), 'hex')
				FROM 9 + g.n + 2 * floor(random() * (length(g.file) - g.n - 10) / 2)::integer);
		ELSE
			header := g.header;
			FOR i IN 1 .. 1 + floor(random() * 3)::integer LOOP
				BEGIN
					header := pg_temp.changed(header);
				EXCEPTION WHEN data_exception OR invalid_parameter_value THEN
					NULL; -- the path leads nowhere after an earlier change
				END;
			END LOOP;
			RETURN pg_temp.with_header(header::text);
	END CASE;
END $$;

CREATE TEMP TABLE outcomes (sqlstate text, message text, n bigint DEFAULT 1, PRIMARY KEY (sqlstate, message));

-- One file, in a subtransaction; the numbers of a message do not make it new.
CREATE PROCEDURE pg_temp.try_one() LANGUAGE plpgsql AS $$
DECLARE
	bytes bytea := pg_temp.broken();
	state text := '00000';
	words text := 'imported';
	hint text;
	v integer;
BEGIN
	BEGIN
		v := mmrd_import_model('tried', bytes);
		PERFORM mmrd_score(rgb, aux, 'tried') FROM scans;
		PERFORM mmrd_export_model('tried', v);
	EXCEPTION WHEN OTHERS THEN
		GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, words = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT;
		-- what the server says about JSON, numbers and UTF-8 has no hint
		IF state LIKE 'XX%' OR words = '' OR hint = '' AND words !~
			'^(invalid (input syntax|hexadecimal|byte sequence)|unsupported Unicode|malformed array|expected JSON array|.* out of range)' THEN
			RAISE EXCEPTION 'not a proper refusal: % %', state, words USING HINT = hint;
		END IF;
	END;
	IF v IS NOT NULL THEN
		PERFORM mmrd_drop_model('tried');
	END IF;
	INSERT INTO outcomes VALUES (state, regexp_replace(regexp_replace(words, '"[^"]*"', '"..."', 'g'), '-?[0-9][0-9.e+]*', 'N', 'g'))
		ON CONFLICT ON CONSTRAINT outcomes_pkey DO UPDATE SET n = outcomes.n + 1;
	COMMIT;
END $$;

SELECT FROM setseed(1.0 / :seed);
SELECT clock_timestamp() + :'seconds' * interval '1 s' AS deadline \gset
SELECT set_config('fuzz.deadline', :'deadline', false) \g /dev/null
DO $$
BEGIN
	WHILE clock_timestamp() < current_setting('fuzz.deadline')::timestamptz LOOP
		CALL pg_temp.try_one();
	END LOOP;
END $$;
\pset footer off
SELECT sum(n) AS files, sum(n) FILTER (WHERE sqlstate = '00000') AS imported, count(*) AS outcomes FROM outcomes;
SELECT * FROM outcomes ORDER BY n DESC;
