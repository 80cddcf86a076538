/*
 * pretrain/samples.h
 *	  Batches of formula pictures, and the places in them that are contrasted.
 *
 * A batch is P scenes seen twice: picture 2i and 2i + 1 are two views of the
 * same scene, by the same sensor, which is one for the whole batch: batch
 * norm then sees what it sees when a trained teacher adapts to one modality.
 * A batch follows from the seed and its number alone, so that training can be
 * resumed anywhere, and looked at.
 */
#ifndef MMRD_SAMPLES_H
#define MMRD_SAMPLES_H

#include <stdint.h>

#include "model/base/status.h"
#include "model/net/config.h"

/* A place on a stage's map: picture, and where, in positions of the map. */
typedef struct mmrd_place
{
	int picture;
	float x, y;
} mmrd_place;

typedef struct mmrd_samples mmrd_samples;

/* pairs scenes of size x size pixels; per stage at most so many places of
 * each scene.  MMRD_NO_MEMORY; then *out is NULL. */
mmrd_status mmrd_samples_create(uint64_t seed, int pairs, int size,
                                const int places[MMRD_STAGES],
                                mmrd_samples **out, mmrd_error *err);

/* Accepts NULL. */
void mmrd_samples_free(mmrd_samples *s);

/*
 * Make batch number `step`.  input gets (2 pairs, size, size, 3), normalised
 * as the network wants it.
 */
mmrd_status mmrd_samples_make(mmrd_samples *s, int64_t step, float *input,
                              mmrd_error *err);

/* Of the batch made last: how many places of a stage, and the i-th one in
 * both views; a's coordinates are whole numbers. */
int mmrd_samples_count(const mmrd_samples *s, int stage);
void mmrd_samples_places(const mmrd_samples *s, int stage, int i,
                         mmrd_place *a, mmrd_place *b);

/* Of each place: equal for places on the same shape of the same scene. */
const int32_t *mmrd_samples_group(const mmrd_samples *s, int stage);

#endif /* MMRD_SAMPLES_H */
