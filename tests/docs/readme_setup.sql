-- tests/docs/readme_setup.sql
--	The README starts before CREATE EXTENSION, with a table of scans.
CREATE EXTENSION mmrd;
CREATE TABLE scans AS
	SELECT id + 40 AS id, rgb, aux, now() AS shot_at
	FROM mmrd_synthesize(3, seed => 1);
DROP EXTENSION mmrd;
