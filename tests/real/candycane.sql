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

\echo on test_public
SELECT scans, round(image_auroc::numeric, 4) AS "image AUROC",
	round(pixel_auroc::numeric, 4) AS "pixel AUROC",
	round(aupro_30::numeric, 4) AS "AUPRO"
FROM mmrd_evaluate('scans', 'candycane', label => 'anomalous', mask => 'mask',
	filter => $$split = 'test_public'$$);

SELECT mmrd_score(rgb, aux, 'candycane') AS warm FROM scans LIMIT 1 \gset
SELECT clock_timestamp() AS started \gset
SELECT count(mmrd_score(rgb, aux, 'candycane')) AS n
FROM scans WHERE split = 'test_public' \gset
SELECT round(extract(epoch FROM clock_timestamp() - :'started'::timestamptz) / :n,
	4) AS "seconds per score";
