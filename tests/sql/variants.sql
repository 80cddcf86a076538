-- The parts of the paper, as options: each trains, is what it says, and
-- makes a difference.
DROP EXTENSION mmrd CASCADE;
CREATE EXTENSION mmrd;
SET mmrd.progress = off;
SET mmrd.threads = 1;
SET client_min_messages = error;
\pset format unaligned
\pset tuples_only on
\set SHOW_CONTEXT never

CREATE TABLE scans AS SELECT id, rgb, aux FROM mmrd_synthesize(4, 1);
CREATE TABLE variants (place serial, name text, options jsonb);
INSERT INTO variants (name, options) VALUES
	('mmrd', '{}'), ('again', '{"method": "mmrd"}'),
	('modulated_aux', '{"fusion": "modulated_aux"}'), ('add', '{"fusion": "add"}'), ('none', '{"fusion": "none"}'),
	('no priors', '{"prototypes": [0, 0, 0]}'), ('prototypes', '{"prototypes": [4, 3, 2]}'),
	('sum', '{"interaction": false}'), ('same', '{"prior_at": "same"}'),
	('adapt none', '{"bn_adapt": "none"}'), ('adapt rgb', '{"bn_adapt": "rgb"}'), ('adapt aux', '{"bn_adapt": "aux"}'),
	('rd', '{"method": "rd"}');
SELECT v.name, t.scans, t.loss BETWEEN 0.1 AND 4 AS loss FROM (SELECT * FROM variants ORDER BY place) v, LATERAL mmrd_train('scans', v.name,
	options => '{"epochs": 1, "input_size": 64, "prototypes": [2, 3, 4], "batch_size": 4}' || v.options) t ORDER BY place;
CREATE TABLE scored AS SELECT v.name, s.id, mmrd_score(rgb, CASE WHEN v.name <> 'rd' THEN aux END, v.name) AS score
	FROM variants v, scans s;

-- Only the one that says the same is the same.
SELECT string_agg(name, ', ' ORDER BY place) FROM (SELECT name, place, array_agg(score ORDER BY id) AS scores
	FROM scored JOIN variants USING (name) GROUP BY name, place) s
WHERE scores = (SELECT array_agg(score ORDER BY id) FROM scored WHERE name = 'mmrd');
SELECT count(DISTINCT scores) FROM (SELECT array_agg(score ORDER BY id) AS scores FROM scored GROUP BY name) s;

-- What each is made of.
CREATE VIEW parts AS SELECT m.name, t.name AS tensor, t.dims, t.data, v.modalities, v.options
	FROM mmrd.models m JOIN mmrd.versions v ON v.model = m.id JOIN mmrd.tensors t ON t.version = v.id;
SELECT name, count(*) FILTER (WHERE tensor LIKE 'interaction.%') AS interaction,
	count(*) FILTER (WHERE tensor LIKE '%.join.%') AS joins,
	(SELECT string_agg(DISTINCT modality || stage || ': ' || n, ', ') FROM (SELECT modality, stage, count(*) AS n
		FROM mmrd.prototypes p JOIN mmrd.versions v ON v.id = p.version JOIN mmrd.models m ON m.id = v.model
		WHERE m.name = parts.name GROUP BY 1, 2) p) AS prototypes,
	modalities
FROM parts JOIN variants USING (name) GROUP BY name, modalities, place ORDER BY place;
SELECT options - '{epochs,input_size,batch_size}'::text[] AS rd FROM mmrd.versions ORDER BY id DESC LIMIT 1;

-- Statistics that were not adapted are the teacher's own.
SELECT name, string_agg(split_part(tensor, '.', 2) || CASE WHEN data =
		(SELECT data FROM parts WHERE name = 'adapt none' AND tensor = 'teacher.rgb.bn1.running_mean')
	THEN ' kept' ELSE ' adapted' END, ', ' ORDER BY tensor DESC)
FROM parts JOIN variants USING (name) WHERE tensor LIKE 'teacher.%.bn1.running_mean' AND tensor NOT LIKE '%layer%'
GROUP BY name, place ORDER BY place;

-- RGB alone takes no auxiliary picture, whatever column is named.
SELECT mmrd_score(rgb, aux, 'rd') FROM scans LIMIT 1;
SELECT scans FROM mmrd_train('scans', 'rd', aux => 'no such column', options => '{"method": "rd", "epochs": 1, "input_size": 64}');
SELECT scans FROM mmrd_train('scans', 'rd', options => '{"method": "patchcore"}');
SELECT scans FROM mmrd_evaluate('scans', 'rd', aux => NULL);

DROP VIEW parts;
DROP TABLE scans, variants, scored;
