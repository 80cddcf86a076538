-- tests/real/candycane.sql
--	The part of tests/real/candycane that runs in the database.

\pset footer off
SELECT split, count(*) AS scans, count(*) FILTER (WHERE anomalous) AS anomalous
FROM scans GROUP BY split ORDER BY split;

SELECT mmrd_import_teacher('imagenet', file) FROM weights;

\echo training, :epochs epochs
SELECT * FROM mmrd_train('scans', 'candycane',
	filter => $$split = 'train'$$, validation => $$split = 'val'$$,
	options => jsonb_build_object('epochs', :epochs, 'teacher', 'imagenet')
		|| :'options'::jsonb) \gset train_
SELECT :train_scans AS scans, :train_epochs AS epochs, :train_loss AS loss,
	:train_threshold AS threshold,
	round(:train_seconds::numeric / :train_epochs, 2) AS "seconds per epoch, all in";

\echo on test_public: the same model, scored in both precisions
CREATE TABLE judged (place serial, "scored in" text, scans integer, image real, pixel real, aupro real);
CREATE TABLE scored (id integer, "precision" text, score real);
SET mmrd.precision = 'float32';
INSERT INTO judged ("scored in", scans, image, pixel, aupro)
SELECT 'float32', scans, image_auroc, pixel_auroc, aupro_30
FROM mmrd_evaluate('scans', 'candycane', label => 'anomalous', mask => 'mask',
	filter => $$split = 'test_public'$$);
INSERT INTO scored SELECT id, 'float32', mmrd_score(rgb, aux, 'candycane')
FROM scans WHERE split = 'test_public';
SET mmrd.precision = 'bfloat16';
INSERT INTO judged ("scored in", scans, image, pixel, aupro)
SELECT 'bfloat16', scans, image_auroc, pixel_auroc, aupro_30
FROM mmrd_evaluate('scans', 'candycane', label => 'anomalous', mask => 'mask',
	filter => $$split = 'test_public'$$);
INSERT INTO scored SELECT id, 'bfloat16', mmrd_score(rgb, aux, 'candycane')
FROM scans WHERE split = 'test_public';
RESET mmrd.precision;
SELECT "scored in", scans, round(pixel::numeric, 4) AS "pixel AUROC", round(aupro::numeric, 4) AS "AUPRO",
	round(image::numeric, 4) AS "image AUROC" FROM judged ORDER BY place;
SELECT round(100 * avg(abs(b.score - a.score) / a.score)::numeric, 2) AS "scores differ by %, mean",
	round(100 * max(abs(b.score - a.score) / a.score)::numeric, 2) AS most
FROM scored a JOIN scored b USING (id) WHERE a.precision = 'float32' AND b.precision = 'bfloat16';

-- What bfloat16 may cost: 0.002, and 1 % of a score.  One pair of a normal and
-- a defective scan in another order is 0.0016 of the image AUROC.
SELECT what, round(abs(b - f)::numeric, 4) AS differs, abs(b - f) <= 0.002 AS "within 0.002"
FROM (SELECT 1 AS place, 'pixel AUROC' AS what, f.pixel AS f, b.pixel AS b FROM judged f, judged b
		WHERE f."scored in" = 'float32' AND b."scored in" = 'bfloat16'
	UNION ALL SELECT 2, 'AUPRO', f.aupro, b.aupro FROM judged f, judged b
		WHERE f."scored in" = 'float32' AND b."scored in" = 'bfloat16'
	UNION ALL SELECT 3, 'image AUROC', f.image, b.image FROM judged f, judged b
		WHERE f."scored in" = 'float32' AND b."scored in" = 'bfloat16') d ORDER BY place;

SELECT mmrd_score(rgb, aux, 'candycane') AS warm FROM scans LIMIT 1 \gset
SELECT clock_timestamp() AS started \gset
SELECT count(mmrd_score(rgb, aux, 'candycane')) AS n
FROM scans WHERE split = 'test_public' \gset
SELECT round(extract(epoch FROM clock_timestamp() - :'started'::timestamptz) / :n,
	4) AS "seconds per score";
