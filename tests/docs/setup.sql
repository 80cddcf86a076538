-- tests/docs/setup.sql
--	What the examples of the documentation find: the extension, a table of
--	scans, and a model of that name.  Small and quick, the same every time.
CREATE EXTENSION mmrd;
SET client_min_messages = warning;

CREATE TABLE scans AS
	SELECT id, rgb, aux, mask, anomalous, now() AS shot_at
	FROM mmrd_synthesize(16, seed => 1, anomalous_share => 0.25);
ALTER TABLE scans ADD PRIMARY KEY (id);

SELECT mmrd_train('scans', filter => 'not anomalous and id % 5 <> 0',
	validation => 'not anomalous and id % 5 = 0',
	options => '{"epochs": 2, "input_size": 64}');
