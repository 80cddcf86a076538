-- docs/ablations.sql
--	The parts of the paper, one taken out or changed at a time, on a table of
--	scans; docs/ablations.md explains it.
--
--	psql -v table=scans -v train='not anomalous and id % 2 = 0' -v test='id % 2 = 1' \
--		-v label=anomalous -v mask=mask -v epochs=400 -f docs/ablations.sql
--
-- table		the scans, with columns rgb and aux
-- train, test	conditions on it; no scan should match both
-- label, mask	columns of it: boolean, and bytea with the defect in white
-- epochs		of each training
-- options		more options of mmrd_train, for all of them: '{"seed": 1}'
-- paper		a CSV file with the paper's figures: variant, image_auroc,
--				pixel_auroc, aupro, in per cent, with a header
--
-- Each variant is a transaction of its own, its model is dropped afterwards,
-- and what was measured stays in the table "ablations": run again, the script
-- goes on where it stopped.
\set ON_ERROR_STOP on
\if :{?options} \else \set options '{}' \endif
\if :{?paper} \else \set paper docs/ablations_paper.csv \endif

CREATE TABLE IF NOT EXISTS ablations (
	variant text PRIMARY KEY,
	options jsonb NOT NULL,
	image_auroc float8,
	pixel_auroc float8,
	aupro float8,
	scans bigint,
	epochs integer,
	loss real,
	seconds real
);

CREATE TEMP TABLE variants (
	place integer GENERATED ALWAYS AS IDENTITY,
	part text,
	variant text,
	options jsonb
);
INSERT INTO variants (part, variant, options) VALUES
	('', 'mmrd', '{}'),
	('baseline', 'rd', '{"method": "rd"}'),
	('fusion of the teachers', 'fusion none', '{"fusion": "none"}'),
	('fusion of the teachers', 'fusion add', '{"fusion": "add"}'),
	('fusion of the teachers', 'fusion modulated_aux', '{"fusion": "modulated_aux"}'),
	('statistics per modality', 'bn_adapt none', '{"bn_adapt": "none"}'),
	('statistics per modality', 'bn_adapt rgb', '{"bn_adapt": "rgb"}'),
	('statistics per modality', 'bn_adapt aux', '{"bn_adapt": "aux"}'),
	('priors', 'no priors', '{"prototypes": [0, 0, 0]}'),
	('priors', 'sum of priors', '{"interaction": false}'),
	('priors', 'prior_at same', '{"prior_at": "same"}'),
	('number of prototypes', '10 prototypes', '{"prototypes": [10, 10, 10]}'),
	('number of prototypes', '25 prototypes', '{"prototypes": [25, 25, 25]}'),
	('number of prototypes', '100 prototypes', '{"prototypes": [100, 100, 100]}'),
	('number of prototypes', '25-50-100 prototypes', '{"prototypes": [25, 50, 100]}'),
	('number of prototypes', '100-50-25 prototypes', '{"prototypes": [100, 50, 25]}');

-- RGB alone is scored on RGB alone.
SELECT format($statement$
WITH trained AS MATERIALIZED (
	SELECT * FROM mmrd_train(%1$L, 'ablation of ' || %1$L, filter => %2$L,
		options => jsonb_build_object('epochs', %3$s, 'deploy', 'always') || %4$L || %5$L)
), stored AS (
	INSERT INTO ablations (variant, options, epochs, loss, seconds)
	SELECT %6$L, %4$L, epochs, loss, seconds FROM trained
)
SELECT format('%%-24s trained in %%s s', %6$L, round(seconds)) FROM trained;
WITH e AS MATERIALIZED (
	SELECT * FROM mmrd_evaluate(%1$L, 'ablation of ' || %1$L, aux => %7$L, label => %8$L, mask => %9$L, filter => %10$L)
)
UPDATE ablations a SET image_auroc = e.image_auroc, pixel_auroc = e.pixel_auroc,
	aupro = e.aupro_30, scans = e.scans
FROM e WHERE a.variant = %6$L;
SELECT mmrd_drop_model('ablation of ' || %1$L);
$statement$, :'table', :'train', :'epochs', options, :'options', variant,
	CASE WHEN options ->> 'method' = 'rd' THEN NULL ELSE 'aux' END, :'label', :'mask', :'test')
FROM variants v
WHERE NOT EXISTS (SELECT FROM ablations a WHERE a.variant = v.variant AND a.image_auroc IS NOT NULL)
ORDER BY place
\gexec

\set figures `cat :'paper'`
CREATE TEMP TABLE paper AS
SELECT split_part(line, ',', 1) AS variant, nullif(split_part(line, ',', 2), '') AS image_auroc,
	nullif(split_part(line, ',', 3), '') AS pixel_auroc, nullif(split_part(line, ',', 4), '') AS aupro
FROM regexp_split_to_table(:'figures', '\r?\n') line WHERE line <> '' AND line NOT LIKE 'variant,%';

\echo Per cent; the paper is Gu et al., AAAI 2024, table 2
SELECT v.part, v.variant,
	round(100 * a.image_auroc::numeric, 1) AS "image AUROC", coalesce(p.image_auroc, '-') AS "(paper)",
	round(100 * a.pixel_auroc::numeric, 1) AS "pixel AUROC", coalesce(p.pixel_auroc, '-') AS "(paper)",
	round(100 * a.aupro::numeric, 1) AS "AUPRO", coalesce(p.aupro, '-') AS "(paper)"
FROM variants v JOIN ablations a USING (variant) LEFT JOIN paper p USING (variant)
ORDER BY v.place;
