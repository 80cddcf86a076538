-- scripts/demo.sql
--	What "make demo" shows: scans, a training, scores.

-- Small pictures and small batches: many steps in little time.
\set epochs 20
\set options '{"input_size": 128, "batch_size": 4}'
\pset footer off

CREATE EXTENSION mmrd;

\echo
\echo == generating 40 scans of good products, and 16 to test, half of them defective
CREATE TABLE scans AS
	SELECT 'train' AS split, * FROM mmrd_synthesize(40, seed => 1)
	UNION ALL
	SELECT 'test', * FROM mmrd_synthesize(16, seed => 2, anomalous_share => 0.5);

\echo
\echo == training with the built-in teacher, :epochs epochs
SELECT model, version, scans, epochs, loss, threshold, seconds
FROM mmrd_train('scans',
	filter => $$split = 'train' and id % 5 <> 0$$,
	validation => $$split = 'train' and id % 5 = 0$$,
	options => jsonb_build_object('epochs', :epochs) || :'options'::jsonb);

-- The first score of a session loads the model; what follows is the rule.
SELECT mmrd_score(rgb, aux) AS warm FROM scans LIMIT 1 \gset
SELECT clock_timestamp() AS started \gset
CREATE TABLE inspected AS
	SELECT s.id, s.rgb, s.aux, s.anomalous AS truth, i.score, i.anomalous, i.map
	FROM scans s, LATERAL mmrd_inspect(s.rgb, s.aux) i
	WHERE s.split = 'test';
SELECT clock_timestamp() AS ended \gset

\echo
\echo == scores
SELECT id, truth, round(score::numeric, 3) AS score, anomalous
FROM inspected ORDER BY score DESC;

SELECT round(mmrd_auroc(score, truth)::numeric, 3) AS "image AUROC",
	round(extract(epoch FROM :'ended'::timestamptz - :'started'::timestamptz)
		/ count(*), 3) AS "seconds per score"
FROM inspected;
