/*
 * model/score/ranking.h
 *	  AUROC, average precision and best F1 from groups of equal scores.
 *
 *	  mmrd_ranking r = {.n_positive = P, .n_negative = N};
 *
 *	  for each distinct score, highest first
 *		  mmrd_ranking_step(&r, positives with it, negatives with it);
 *	  use(mmrd_ranking_auroc(&r), r.average_precision, r.f1_max);
 *
 * Taking equal scores as one step is what makes ties exact: the curve goes
 * straight across a group, and no order of its members is invented.
 */
#ifndef MMRD_RANKING_H
#define MMRD_RANKING_H

#include <stdbool.h>
#include <stdint.h>

typedef struct mmrd_ranking
{
	uint64_t n_positive; /* totals, set by the caller */
	uint64_t n_negative;
	uint64_t tp; /* at or above the last step's score */
	uint64_t fp;
	uint64_t twice_wins;      /* 2 (pairs in order) + (pairs that tie) */
	double average_precision; /* sum of (recall step) x precision */
	double f1_max;
} mmrd_ranking;

/*
 * The next group.  True when predicting positive down to this score gives a
 * better F1 than any higher score did.  Counts are exact while n_positive
 * times n_negative stays below 2^63.
 */
static inline bool
mmrd_ranking_step(mmrd_ranking *r, uint64_t positives, uint64_t negatives)
{
	double f1;

	r->twice_wins += negatives * (2 * r->tp + positives);
	r->tp += positives;
	r->fp += negatives;
	if (positives == 0)
		return false; /* recall stands still: neither sum nor F1 can gain */
	r->average_precision += (double) positives / (double) r->n_positive *
	                        ((double) r->tp / (double) (r->tp + r->fp));
	f1 = 2.0 * (double) r->tp / (double) (r->tp + r->fp + r->n_positive);
	if (f1 <= r->f1_max)
		return false;
	r->f1_max = f1;
	return true;
}

/* After the last group.  NaN when a class is empty. */
static inline double
mmrd_ranking_auroc(const mmrd_ranking *r)
{
	return (double) r->twice_wins /
	       (2.0 * (double) r->n_positive * (double) r->n_negative);
}

#endif /* MMRD_RANKING_H */
