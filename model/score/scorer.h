/*
 * model/score/scorer.h
 *	  From inputs to an anomaly map and a score (Eq. 10).
 *
 * Two things are needed: a packed model (model/net/packed.h), read-only and
 * free of pointers, which any number of scorers may share; and a scorer, which
 * owns the working memory of one call at a time.
 */
#ifndef MMRD_SCORER_H
#define MMRD_SCORER_H

#include <stddef.h>

#include "model/base/status.h"
#include "model/base/threads.h"
#include "model/net/packed.h"

typedef struct mmrd_scorer mmrd_scorer;

/* Working memory in bytes of one scorer for this configuration. */
size_t mmrd_scorer_bytes(const mmrd_config *config);

/* stop is copied.  The caller releases with mmrd_scorer_free(). */
mmrd_status mmrd_scorer_create(const mmrd_config *config,
                               const mmrd_stop *stop, mmrd_scorer **out,
                               mmrd_error *err);

/* Accepts NULL. */
void mmrd_scorer_free(mmrd_scorer *scorer);

/*
 * Score one scan.
 *
 * packed	a model whose configuration equals the scorer's
 * inputs	one (S, S, 3) float array a modality, normalised (model/input/)
 * map		out: (S, S), the blurred anomaly map; each value 0 to 6
 * score	out: the map's largest value
 *
 * MMRD_CANCELLED when the stop hook said so.  Same bits for any number of
 * threads.
 */
mmrd_status mmrd_scorer_run(mmrd_scorer *scorer, const void *packed,
                            const float *const *inputs, float *map,
                            float *score, mmrd_error *err);

/*
 * What the last successful run left behind, for tests and for looking: maps
 * (P, C), ld floats a pixel where that differs from C.  Valid until the next
 * run.  prior is NULL where scoring needs none.
 */
typedef struct mmrd_scorer_view
{
	int pixels[MMRD_STAGES];
	int channels[MMRD_STAGES];
	const float *teacher[MMRD_MAX_MODALITIES][MMRD_STAGES]; /* F_i^M */
	const float *prior[MMRD_MAX_MODALITIES][MMRD_STAGES];   /* F-hat_i^M */
	const float *target[MMRD_STAGES];                       /* F_i^T */
	int target_ld[MMRD_STAGES];
	const float *restored[MMRD_STAGES]; /* F_i^S */
	int restored_ld[MMRD_STAGES];
	const float *raw_map; /* (S, S), before the blur */
} mmrd_scorer_view;

/* How much of the last run's time its map took, from the cosines to the blur.
 */
double mmrd_scorer_map_ms(const mmrd_scorer *scorer);

void mmrd_scorer_look(const mmrd_scorer *scorer, mmrd_scorer_view *view);

#endif /* MMRD_SCORER_H */
