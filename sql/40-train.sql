-- Training

CREATE TYPE mmrd_training AS (
	model text,
	version integer,
	scans integer,
	epochs integer,
	loss real,
	threshold real,
	seconds real,
	deployed boolean
);
COMMENT ON TYPE mmrd_training IS 'what a training made';

CREATE FUNCTION mmrd_train(source regclass, model text DEFAULT NULL,
						   rgb name DEFAULT 'rgb', aux name DEFAULT 'aux',
						   aux2 name DEFAULT NULL, filter text DEFAULT NULL,
						   validation text DEFAULT NULL,
						   options jsonb DEFAULT '{}')
	RETURNS mmrd_training
	AS 'MODULE_PATHNAME', 'mmrd_train'
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 100000000;
COMMENT ON FUNCTION mmrd_train(regclass, text, name, name, name, text, text, jsonb) IS
	'train a model on the normal scans of a table, now and in this session';
REVOKE ALL ON FUNCTION mmrd_train(regclass, text, name, name, name, text, text, jsonb) FROM PUBLIC;
