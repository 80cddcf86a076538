/*
 * extension/pg_engine.h
 *	  A model ready to score, with the memory that one call needs.
 *
 * Models of one configuration can take turns in one engine.
 */
#ifndef MMRD_PG_ENGINE_H
#define MMRD_PG_ENGINE_H

#include "extension/pg_glue.h"
#include "extension/pg_options.h"

typedef struct mmrd_pg_engine
{
	mmrd_config config; /* the options', with the precision of scoring */
	size_t map_count;
	const void *packed; /* NULL at first: the caller's, of this config */
	mmrd_scorer *scorer;
	float *input[MMRD_MAX_MODALITIES]; /* the caller fills them */
	float *map;                        /* of the last run, (S, S) */
} mmrd_pg_engine;

/* mmrd_precision: bfloat16 when the model's option or the setting says so. */
extern int mmrd_pg_precision_now(const mmrd_pg_options *options);

/* A model's configuration, for scoring in a precision. */
extern mmrd_config mmrd_pg_scoring_config(const mmrd_pg_options *options,
                                          int precision);

/* The working memory of one call at a time; it lives until owner is reset. */
extern mmrd_pg_engine *mmrd_pg_engine_create(const mmrd_pg_options *options,
                                             int precision,
                                             MemoryContext owner);

/* Score what is in input; map and *score are set.  As mmrd_scorer_run(). */
extern mmrd_status mmrd_pg_engine_run(mmrd_pg_engine *engine, float *score,
                                      mmrd_error *err);

#endif /* MMRD_PG_ENGINE_H */
