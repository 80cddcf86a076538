-- Training as a job: what is refused, what a job leaves behind.
-- (Crashes, rights, queues and the like are in tests/t.)
DROP EXTENSION mmrd CASCADE;
CREATE EXTENSION mmrd;
SET mmrd.threads = 1;
\pset format unaligned
\set SHOW_CONTEXT never
CREATE TABLE scans AS SELECT * FROM mmrd_synthesize(3, seed => 1);
\set options '{"epochs": 2, "input_size": 64, "prototypes": [1, 1, 1], "checkpoint_every": 1}'

-- refused at the call
SELECT mmrd_train_start(NULL);
SELECT mmrd_train_start('scans', rgb => 'red');
SELECT mmrd_train_start('scans', options => '{"teacher": "nobody"}');
SELECT mmrd_train_start('scans', options => '{"checkpoint_every": -1}');
SELECT mmrd_train_start('scans', options => '{"warm_start": true}');
CREATE TEMP TABLE temporary AS SELECT * FROM scans;
SELECT mmrd_train_start('temporary');
BEGIN READ ONLY;
SELECT mmrd_train_start('scans');
ROLLBACK;
CREATE ROLE mmrd_test_nologin;
GRANT EXECUTE ON FUNCTION mmrd_train_start TO mmrd_test_nologin;
SET ROLE mmrd_test_nologin;
SELECT mmrd_train_start('scans');
RESET ROLE;
SELECT mmrd_wait(1), mmrd_wait(NULL);
SELECT mmrd_cancel(1);
SELECT mmrd_resume(1);
SELECT mmrd_cancel(NULL);
SELECT count(*) FROM mmrd.jobs;

-- a job
SELECT mmrd_train_start('scans', 'made', options => :'options') AS job \gset
SELECT mmrd_wait(:job, '5 min');
SELECT model, version, state, epoch, epochs, loss > 0 AS loss, scans,
	started_at <= finished_at AS finished, eta, pid, error
FROM mmrd.jobs WHERE job = :job;
SELECT epoch, loss > 0 AS loss, seconds > 0 AS seconds FROM mmrd.epochs
WHERE job = :job ORDER BY epoch;
SELECT count(*) FROM mmrd.checkpoints;
SELECT v.version, v.epochs, d.version = v.id AS deployed FROM mmrd.models m
	JOIN mmrd.versions v ON v.model = m.id
	LEFT JOIN mmrd.deployments d ON d.model = m.id WHERE m.name = 'made';
SELECT mmrd_cancel(:job);
SELECT mmrd_resume(:job);
SELECT state, pid FROM mmrd_job_state(:job);

-- one that begins where that one ended
SELECT mmrd_train_start('scans', 'made',
	options => '{"epochs": 1, "input_size": 64, "prototypes": [1, 1, 1], "warm_start": true}') AS warm \gset
SELECT mmrd_wait(:warm, '5 min');
SELECT w.loss < f.loss AS better FROM mmrd.epochs w, mmrd.epochs f
WHERE w.job = :warm AND w.epoch = 1 AND f.job = :job AND f.epoch = 2;
-- of another shape
SELECT mmrd_train_start('scans', 'made',
	options => '{"epochs": 1, "input_size": 64, "prototypes": [2, 1, 1], "warm_start": true}');
SELECT mmrd_train_start('scans', 'made',
	options => '{"epochs": 1, "input_size": 64, "prototypes": [1, 1, 1], "warm_start": true, "aux_kind": "depth"}');
SELECT mmrd_train_start('scans', 'made', aux => NULL,
	options => '{"epochs": 1, "input_size": 64, "prototypes": [1, 1, 1], "warm_start": true}');

-- one that fails, and one that is not there
SELECT mmrd_train_start('scans', filter => 'id > 3', options => :'options') AS job \gset
SELECT mmrd_wait(:job, '5 min');
SELECT model, version, state, epoch, loss, scans, error FROM mmrd.jobs WHERE job = :job;
BEGIN;
SELECT mmrd_train_start('scans', options => :'options') AS job \gset
SELECT state, pid FROM mmrd.jobs WHERE job = :job;
SELECT mmrd_cancel(:job);
SELECT state FROM mmrd.jobs WHERE job = :job;
ROLLBACK;
SELECT mmrd_wait(:job) IS NULL;

DROP TABLE scans;
DROP OWNED BY mmrd_test_nologin;
DROP ROLE mmrd_test_nologin;
