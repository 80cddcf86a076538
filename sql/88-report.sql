-- A page to look at

-- PUBLIC may call it: what it shows is for those who may see the results,
-- which it checks itself.
CREATE FUNCTION mmrd_report(source regclass, model text DEFAULT NULL,
							since interval DEFAULT '7 days',
							title text DEFAULT NULL)
	RETURNS text
	AS 'MODULE_PATHNAME', 'mmrd_report_page'
	LANGUAGE C STABLE PARALLEL RESTRICTED COST 1000000;
COMMENT ON FUNCTION mmrd_report(regclass, text, interval, text) IS
	'what was found in the scans of a table lately, as one HTML page with charts and the worst scans; for who may see the results';
