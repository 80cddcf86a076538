/*
 * extension/pg_origin.h
 *	  Where an imported version comes from, as its file says.
 */
#ifndef MMRD_PG_ORIGIN_H
#define MMRD_PG_ORIGIN_H

#include "extension/pg_compat.h"
#include "utils/jsonb.h"

/* What is not said is NULL or 0. */
typedef struct mmrd_pg_origin
{
	char *source;
	char *source_query;
	int32 scans;
	const uint8 *scans_sha256; /* 32 bytes */
	int32 epochs;
	float loss; /* NaN: not said */
	float seconds;
	Jsonb *metrics;
	char *code_version;

	int n_scores; /* 0: no calibration */
	const char *method;
	float fpr;
	float threshold;
	float pixel_threshold;
	float *scores;
} mmrd_pg_origin;

/*
 * Read the metadata "training" and "calibration" (pg_model_file.h), in the
 * database's encoding; either may be NULL.  Throws, with its name as context,
 * when one is no JSON object or a value in it has the wrong type or range.
 * In the current memory context.
 */
extern void mmrd_pg_origin_read(const char *training, const char *calibration,
                                mmrd_pg_origin *out);

#endif /* MMRD_PG_ORIGIN_H */
