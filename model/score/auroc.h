/*
 * model/score/auroc.h
 *	  How well scores tell anomalous from normal: AUROC, average precision,
 *	  best F1.
 *
 *	  mmrd_scores s;
 *	  mmrd_score_metrics m;
 *
 *	  mmrd_scores_init(&s, limit_bytes);
 *	  for each scan
 *		  MMRD_TRY(mmrd_scores_add(&s, score, anomalous, err));
 *	  MMRD_TRY(mmrd_scores_measure(&s, NULL, &m, err));
 *	  mmrd_scores_clear(&s);
 *
 * The accumulator is two bags of numbers, so accumulators can be merged in any
 * order and the results do not depend on the order of the rows, to the last
 * bit.  Not for use by two threads at once.
 */
#ifndef MMRD_AUROC_H
#define MMRD_AUROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/base/status.h"
#include "model/base/threads.h"
#include "model/score/growing_array.h"

typedef struct mmrd_scores
{
	mmrd_growing keys[2]; /* uint64_t keys: [0] normal, [1] anomalous */
	size_t limit_bytes;   /* of both arrays together */
	bool sorted;
} mmrd_scores;

/*
 * All of them NaN when a class is empty (SQL: NULL); the counts always hold.
 * A scan is predicted anomalous when score >= threshold, for every distinct
 * score as threshold; equal scores are one step.
 */
typedef struct mmrd_score_metrics
{
	uint64_t n_normal;
	uint64_t n_anomalous;
	double auroc;             /* ties count half: exact Mann-Whitney U */
	double average_precision; /* sum of recall steps times precision, as in
	                           * scikit-learn: no interpolation */
	double f1_max;
	double f1_threshold;  /* the highest score that reaches f1_max */
	double f1_next_below; /* the next lower score, -inf when there is none:
	                       * any threshold in (f1_next_below, f1_threshold]
	                       * predicts the same */
} mmrd_score_metrics;

/* An empty accumulator that owns nothing yet; limit_bytes is 8 per score. */
void mmrd_scores_init(mmrd_scores *s, size_t limit_bytes);

/*
 * Add one scan.  score may be infinite.  Returns MMRD_INVALID_ARGUMENT for
 * NaN, MMRD_LIMIT_EXCEEDED, MMRD_NO_MEMORY; then s is as it was.
 */
mmrd_status mmrd_scores_add(mmrd_scores *s, double score, bool anomalous,
                            mmrd_error *err);

/* Add all that other holds; other is only read.  On failure s is as it was. */
mmrd_status mmrd_scores_merge(mmrd_scores *s, const mmrd_scores *other,
                              mmrd_error *err);

/*
 * Fill *out.  Sorts s in place: time n the first time, and again only after
 * an add.  Returns MMRD_CANCELLED when the hook (NULL: none) said so; s
 * still holds the same scores then.
 */
mmrd_status mmrd_scores_measure(mmrd_scores *s, const mmrd_stop *stop,
                                mmrd_score_metrics *out, mmrd_error *err);

/*
 * To carry an accumulator between two processes of one machine (native byte
 * order): pack writes mmrd_scores_packed_bytes() bytes; unpack initialises s
 * with them, MMRD_CORRUPT_DATA when the counts do not fit n_bytes.
 */
size_t mmrd_scores_packed_bytes(const mmrd_scores *s);
void mmrd_scores_pack(const mmrd_scores *s, uint8_t *out);
mmrd_status mmrd_scores_unpack(const uint8_t *bytes, size_t n_bytes,
                               size_t limit_bytes, mmrd_scores *s,
                               mmrd_error *err);

/* Release the memory; leaves s all zero. */
void mmrd_scores_clear(mmrd_scores *s);

#endif /* MMRD_AUROC_H */
