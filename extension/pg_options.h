/*
 * extension/pg_options.h
 *	  The options of a training: from jsonb, and complete to jsonb again.
 */
#ifndef MMRD_PG_OPTIONS_H
#define MMRD_PG_OPTIONS_H

#include "extension/pg_compat.h"
#include "model/input/input_prepare.h"
#include "model/mmrd.h"
#include "utils/jsonb.h"

typedef enum mmrd_pg_deploy
{
	MMRD_PG_DEPLOY_IF_BETTER,
	MMRD_PG_DEPLOY_ALWAYS,
	MMRD_PG_DEPLOY_NEVER
} mmrd_pg_deploy;

typedef enum mmrd_pg_method
{
	MMRD_PG_METHOD_MMRD,
	MMRD_PG_METHOD_RD /* RGB alone, without priors */
} mmrd_pg_method;

typedef enum mmrd_pg_precision
{
	MMRD_PG_FLOAT32 = MMRD_FLOAT32,
	MMRD_PG_BFLOAT16 = MMRD_BFLOAT16
} mmrd_pg_precision;

/* Of the modalities beside rgb, and as stored once a training knows. */
enum
{
	MMRD_PG_KIND_AUTO = 0,
	MMRD_PG_KIND_FIRST = 1 /* mmrd_input_kind 0; the others follow */
};

/* How the numbers of a depth map are stored, as far as that matters. */
enum
{
	MMRD_PG_SAMPLE_ANY = 0,
	MMRD_PG_SAMPLE_FIRST = 1 /* mmrd_sample 0; the others follow */
};

typedef enum mmrd_pg_range
{
	MMRD_PG_RANGE_SCAN, /* of each scan its own */
	MMRD_PG_RANGE_TRAIN /* one, of all training scans */
} mmrd_pg_range;

/* Smallest and largest depth, in the unit of the scans. */
typedef struct mmrd_pg_limits
{
	bool given;
	float lo;
	float hi;
} mmrd_pg_limits;

typedef struct mmrd_pg_options
{
	char *teacher;
	char *label; /* columns of the validation scans; NULL: none */
	char *mask;
	int epochs;
	int method;        /* mmrd_pg_method */
	int precision;     /* mmrd_pg_precision: of the weights as stored, and at
	                    * scoring */
	int deploy;        /* mmrd_pg_deploy */
	int keep_versions; /* 0: all */
	int aux_kind[MMRD_MAX_AUX]; /* MMRD_PG_KIND_FIRST + mmrd_input_kind */
	/* Refuse scans that auto would take as another kind; 0 or 1. */
	int32 aux_strict[MMRD_MAX_AUX];
	/* Refuse depth of other samples: MMRD_PG_SAMPLE_FIRST + mmrd_sample. */
	int aux_sample[MMRD_MAX_AUX];
	int aux_range; /* mmrd_pg_range */
	mmrd_pg_limits aux_limits[MMRD_MAX_AUX];
	double threshold_fpr;
	int32 warm_start;       /* bool: from the deployed version's student */
	int32 checkpoint_every; /* epochs, 0: by the clock */
	bool has_roi;
	int32 roi[4]; /* x, y, width, height in pixels of the source */
	mmrd_train_options train;
	mmrd_config config; /* arch and n_aux are not options: the caller's */
} mmrd_pg_options;

/* Network.md's defaults and teacher "builtin". */
extern void mmrd_pg_options_init(mmrd_pg_options *options);

/*
 * Read what a user wrote, on top of the defaults.  An unknown key, a value of
 * the wrong type and a value out of range are errors that name it.  What the
 * method decides (see mmrd_pg_method) overrides the options concerned.
 */
extern void mmrd_pg_options_parse(Jsonb *json, mmrd_pg_options *options);

/* Every option with its value; mmrd_pg_options_parse() reads it back. */
extern Jsonb *mmrd_pg_options_complete(const mmrd_pg_options *options);

#endif /* MMRD_PG_OPTIONS_H */
