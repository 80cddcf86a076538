-- scripts/try-deb.sql
--	What one does with a package that was just installed.
CREATE EXTENSION mmrd;
SELECT extversion FROM pg_extension WHERE extname = 'mmrd';
SET mmrd.progress = off;
CREATE TABLE scans AS SELECT * FROM mmrd_synthesize(8, 1, 0.25);
SELECT model, version, scans, deployed
FROM mmrd_train('scans', filter => 'NOT anomalous', options => '{"epochs": 2, "input_size": 64}');
SELECT count(mmrd_score(rgb, aux)) AS scored, count(DISTINCT mmrd_score(rgb, aux)) AS different FROM scans;
SELECT count(*) AS pictures FROM scans, LATERAL mmrd_inspect(rgb, aux) i
WHERE substr(mmrd_png(i.map), 2, 3) = 'PNG';
SELECT mmrd_train_start('scans', 'job', options => '{"epochs": 1, "input_size": 64}') AS job \gset
SELECT mmrd_wait(:job, '5 min');
