-- tests/docs/dashboards.sql
--	What dashboards find: results of every kind, something that waits, a job.
SET client_min_messages = warning;
SELECT mmrd_attach('scans', key => 'id', model => 'scans');
INSERT INTO scans SELECT 100 + id, rgb, aux, mask, anomalous, now()
FROM mmrd_synthesize(8, seed => 5, anomalous_share => 0.5);
INSERT INTO scans (id, rgb, aux) VALUES (200, 'no picture', 'nor this');
CALL mmrd_drain('scans');
-- There must be an anomalous one, whatever the model thinks.
UPDATE mmrd.results SET anomalous = true WHERE key = '101';
INSERT INTO scans SELECT 300 + id, rgb, aux, mask, anomalous, now()
FROM mmrd_synthesize(1, seed => 6);
SELECT mmrd_train_start('scans', filter => 'not anomalous and id < 100',
	options => '{"epochs": 1, "input_size": 64, "deploy": "never"}') AS job \gset
SELECT mmrd_wait(:job);
