-- mmrd_report: what is on the page, for whom, and what is refused.  How it
-- looks is in tests/t/044_report_browser.pl.
DROP EXTENSION mmrd CASCADE;
CREATE EXTENSION mmrd;
SET mmrd.progress = off;
SET mmrd.threads = 1;
SET client_min_messages = warning;
SET timezone = 'UTC';
\pset format unaligned
\set SHOW_CONTEXT never

CREATE TABLE scans AS SELECT id, rgb, aux FROM mmrd_synthesize(8, 1);
ALTER TABLE scans ADD PRIMARY KEY (id);
\set options '{"epochs": 2, "input_size": 64, "prototypes": [1, 1, 1]}'
SELECT version FROM mmrd_train('scans', 'line', options => :'options');

-- refused
SELECT mmrd_report('scans');
SELECT mmrd_report(NULL);
SELECT mmrd_report(0);
SELECT mmrd_report('scans', since => NULL);
SELECT mmrd_report('scans', since => '0');
SELECT mmrd_report('scans', since => '-1 day');
SELECT mmrd_report('scans', since => '1000000 years');
SELECT mmrd_attach('scans', 'id', 'line');
SELECT mmrd_report('scans', 'nothing');

-- the pages of this test, and what they hold
CREATE TABLE pages (name text, page text);
CREATE FUNCTION holds(page text, what text) RETURNS boolean
	LANGUAGE sql AS 'SELECT position(what IN page) > 0';
CREATE FUNCTION pictures(page text) RETURNS bigint
	LANGUAGE sql AS $$SELECT count(*) FROM regexp_matches(page, 'src="data:image/png;base64,iVBORw0KGgo', 'g')$$;

-- attached, and nothing happened yet
INSERT INTO pages SELECT 'empty', mmrd_report('scans');
SELECT holds(page, 'No scan was scored in this time.') AS says_so,
	holds(page, '<h2>Model <bdi>line</bdi></h2>') AS model,
	holds(page, 'known to be good') AS validation, pictures(page)
FROM pages WHERE name = 'empty';

-- something waits, then is scored: six of today, two of last week, one
-- unreadable
INSERT INTO scans SELECT 100 + id, rgb, aux FROM mmrd_synthesize(8, 2, 0.5);
INSERT INTO scans VALUES (200, '<script>', '&');
SELECT holds(mmrd_report('scans'), '9 wait.') AS waits;
CALL mmrd_drain('scans');
UPDATE mmrd.results SET scored_at = scored_at - interval '6 days' WHERE key IN ('101', '102');
UPDATE mmrd.results SET anomalous = key IN ('101', '103', '104'), threshold = 0.1,
	score = 0.2 + key::real / 1e4 WHERE score IS NOT NULL;
UPDATE mmrd.results SET map = NULL WHERE key = '108';
UPDATE mmrd.results SET error = error || ' </td>"' WHERE key = '200';
INSERT INTO pages SELECT 'full', mmrd_report('scans', title => 'Line 7 <b>"&''');
SELECT holds(page, '<title>Line 7 &#60;b&#62;&#34;&#38;&#39;</title>') AS title,
	holds(page, 'Of 8 scans, 3 are anomalous (38&#8239;%).') AS summary,
	holds(page, '<dt>Not scored</dt><dd class="alert">1</dd>') AS failed,
	holds(page, '&#60;/td&#62;&#34;') AS error_escaped,
	(SELECT count(*) FROM regexp_matches(page, '<article', 'g')) AS worst,
	holds(page, 'threshold 0.100') AS threshold, holds(page, '<h2>Each day</h2>') AS day
FROM pages WHERE name = 'full';

-- in itself: ASCII, no address, no script, the photos and the maps kept
SELECT octet_length(page) = length(page) AND page !~ '[^\x01-\x7f]' AS ascii,
	page ~ 'https?:|<script|url\(|@import' AS asks, pictures(page) BETWEEN 8 AND 16 AS pictures,
	holds(page, 'No map of this scan was kept.') AS says_so
FROM pages WHERE name = 'full';

-- a shorter time, by the hour; a longer one; the window's other end
SELECT holds(page, 'Of 6 scans') AS today, holds(page, '<h2>Each hour</h2>') AS hour
FROM mmrd_report('scans', since => '2 hours') page;
SELECT holds(page, 'Of 8 scans') AS all_of_them, holds(page, '<h2>Each week</h2>') AS week
FROM mmrd_report('scans', since => '1 year') page;
SELECT holds(page, 'Of 8 scans') AS all_of_them, holds(page, '<h2>Each day</h2>') AS from_the_first
FROM mmrd_report('scans', since => '1000 years') page;
SELECT holds(page, '2 in as much time before') AS before
FROM mmrd_report('scans', since => '3 days 12 hours') page;

-- one model of several; scores in units of their thresholds
UPDATE mmrd.results SET model = 'gone', version = 3 WHERE key IN ('107', '108');
UPDATE mmrd.results SET threshold = 0.15 WHERE key = '105';
INSERT INTO pages SELECT 'models', mmrd_report('scans');
SELECT holds(page, '<h2>Model <bdi>line</bdi></h2><p class="lead">6 scans') AS line,
	holds(page, '<h2>Model <bdi>gone</bdi></h2><p class="lead">2 scans') AS gone,
	holds(page, 'in multiples of the threshold') AS relative
FROM pages WHERE name = 'models';
SELECT holds(page, 'Of 2 scans') AS two, holds(page, '<bdi>line</bdi>') AS line
FROM mmrd_report('scans', 'gone') page;

-- the epochs of a job are a curve
SELECT mmrd_train_start('scans', 'line', filter => 'id < 100', options => :'options' || '{"deploy": "never"}'::jsonb) AS job \gset
SELECT mmrd_wait(:job);
SELECT holds(page, 'version 2</span>') AS version, holds(page, 'class="line learned"') AS curve
FROM mmrd_report('scans') page;

-- for whom: nobody, until granted
CREATE ROLE mmrd_test_reader;
GRANT CREATE ON SCHEMA public TO mmrd_test_reader;
SET ROLE mmrd_test_reader;
SELECT mmrd_report('scans');
RESET ROLE;
GRANT SELECT ON mmrd.scores TO mmrd_test_reader;
SET ROLE mmrd_test_reader;
SELECT pictures(page), holds(page, 'You may not read the photos of this table.') AS no_photos,
	holds(page, 'Of 8 scans') AS numbers
FROM mmrd_report('scans') page;
RESET ROLE;
-- the photos, without the maps
GRANT SELECT (id, rgb) ON scans TO mmrd_test_reader;
SET ROLE mmrd_test_reader;
SELECT pictures(page), holds(page, 'Maps can be seen by those who may read mmrd.results.') AS no_maps
FROM mmrd_report('scans') page;
RESET ROLE;
-- the maps, and the photos that row security leaves
GRANT SELECT ON mmrd.results TO mmrd_test_reader;
ALTER TABLE scans ENABLE ROW LEVEL SECURITY;
CREATE POLICY few ON scans USING (id <= 102);
SET ROLE mmrd_test_reader;
SELECT pictures(page) FROM mmrd_report('scans') page;
SELECT count(*) FROM regexp_matches(mmrd_report('scans'), 'alt="photo of the scan"', 'g');
RESET ROLE;
-- the owner of a table needs no grant
REVOKE ALL ON mmrd.results, mmrd.scores FROM mmrd_test_reader;
ALTER TABLE scans OWNER TO mmrd_test_reader;
SET ROLE mmrd_test_reader;
SELECT pictures(page) FROM mmrd_report('scans') page;
RESET ROLE;
ALTER TABLE scans OWNER TO CURRENT_USER;
ALTER TABLE scans DISABLE ROW LEVEL SECURITY;

-- a scan that is gone, one whose photo was replaced by another size
DELETE FROM scans WHERE id = 104;
SELECT mmrd_detach('scans');
INSERT INTO pages SELECT 'detached', mmrd_report('scans');
SELECT holds(page, 'no longer attached') AS says_so FROM pages WHERE name = 'detached';

-- keys of other types, names that need quotes, a partitioned table
CREATE TABLE "Line ""7""" ("Key" uuid PRIMARY KEY, "Rgb" bytea, aux bytea);
SELECT mmrd_attach('"Line ""7"""', 'Key', 'line', rgb => 'Rgb', keep_map => 'always');
INSERT INTO "Line ""7""" SELECT ('00000000-0000-0000-0000-00000000000' || id)::uuid, rgb, aux
FROM mmrd_synthesize(2, 3);
CALL mmrd_drain('"Line ""7"""');
SELECT pictures(page), holds(page, 'table <bdi>&#34;Line &#34;&#34;7&#34;&#34;&#34;</bdi>') AS named
FROM mmrd_report('"Line ""7"""') page;
UPDATE "Line ""7""" SET "Rgb" = '\x89504e47' WHERE "Key"::text LIKE '%1';
SELECT pictures(page), holds(page, 'The photo cannot be shown: ') AS says_so
FROM mmrd_report('"Line ""7"""') page;
CREATE TABLE parted (id integer PRIMARY KEY, rgb bytea, aux bytea) PARTITION BY LIST (id);
CREATE TABLE part_1 PARTITION OF parted FOR VALUES IN (1);
SELECT mmrd_attach('parted', 'id', 'line', mode => 'trigger', keep_map => 'always');
INSERT INTO parted SELECT id, rgb, aux FROM mmrd_synthesize(1, 4);
SELECT pictures(page) FROM mmrd_report('parted') page;
SELECT mmrd_report('part_1');

-- it only reads
BEGIN READ ONLY;
SELECT length(mmrd_report('parted')) > 0 AS read_only;
COMMIT;

DROP TABLE parted, "Line ""7""", scans, pages;
DROP FUNCTION holds, pictures;
DROP OWNED BY mmrd_test_reader;
DROP ROLE mmrd_test_reader;
