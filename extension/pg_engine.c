/*
 * extension/pg_engine.c
 *	  A model ready to score, with the memory that one call needs.
 */
#include "postgres.h"

#include "extension/pg_engine.h"

#include "extension/pg_input.h"
#include "extension/pg_settings.h"

static void
free_scorer(void *scorer)
{
	mmrd_scorer_free(scorer);
}

static Size
buffer_bytes(const mmrd_pg_options *options)
{
	const Size inputs =
	    (1 + options->config.n_aux) * mmrd_pg_input_count(options);
	const Size map =
	    (Size) options->config.input_size * options->config.input_size;

	return (inputs + map) * sizeof(float);
}

int
mmrd_pg_precision_now(const mmrd_pg_options *options)
{
	return options->precision == MMRD_PG_BFLOAT16 ||
	               mmrd_pg_setting_precision == MMRD_BFLOAT16
	           ? MMRD_BFLOAT16
	           : MMRD_FLOAT32;
}

mmrd_config
mmrd_pg_scoring_config(const mmrd_pg_options *options, int precision)
{
	mmrd_config config = options->config;

	config.precision = precision;
	return config;
}

mmrd_pg_engine *
mmrd_pg_engine_create(const mmrd_pg_options *options, int precision,
                      MemoryContext owner)
{
	mmrd_pg_engine *engine =
	    MemoryContextAllocZero(owner, sizeof(mmrd_pg_engine));
	mmrd_pg_owned *owned = mmrd_pg_own(owner, free_scorer);
	const Size count = mmrd_pg_input_count(options);
	mmrd_error err = {0};
	mmrd_status st;
	float *buffers;

	engine->config = mmrd_pg_scoring_config(options, precision);
	st = mmrd_scorer_create(&engine->config, &mmrd_pg_stop, &engine->scorer,
	                        &err);
	owned->object = engine->scorer;
	MMRD_PG_CHECK(st, &err);
	buffers = mmrd_pg_allocate(owner, buffer_bytes(options), NULL);
	for (int m = 0; m <= options->config.n_aux; m++)
		engine->input[m] = buffers + m * count;
	engine->map = buffers + (1 + options->config.n_aux) * count;
	engine->map_count =
	    (size_t) options->config.input_size * options->config.input_size;
	return engine;
}

mmrd_status
mmrd_pg_engine_run(mmrd_pg_engine *engine, float *score, mmrd_error *err)
{
	return mmrd_scorer_run(engine->scorer, engine->packed,
	                       (const float *const *) engine->input, engine->map,
	                       score, err);
}
