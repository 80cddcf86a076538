/*
 * report/histogram.h
 *	  Scores in bins, and how far apart two sets of scores are.
 */
#ifndef MMRD_HISTOGRAM_H
#define MMRD_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

#include "model/base/status.h"

enum
{
	MMRD_HISTOGRAM_BINS = 60 /* at most */
};

/* Bin i holds lo + i step < score <= lo + (i + 1) step, as an anomalous score
 * is one above the threshold; the first also what is below, the last also
 * what is above. */
typedef struct mmrd_histogram
{
	double lo;
	double step;
	int n;
	int64_t count[MMRD_HISTOGRAM_BINS];
	int64_t total;
	int64_t beyond; /* above the end of the last bin, and counted in it */
} mmrd_histogram;

/*
 * Choose bins for two sets of scores, so that the threshold, unless it is
 * NaN, lies between two of them.  A few scores that are much larger than the
 * others get no bins of their own.  The counts are 0.
 *
 * a, b		ascending, all finite; either may be empty, not both
 */
void mmrd_histogram_choose(const float *a, size_t n_a, const float *b,
                           size_t n_b, double threshold,
                           mmrd_histogram *histogram);

void mmrd_histogram_count(mmrd_histogram *histogram, const float *scores,
                          size_t n);

/* A finite copy of scores, ascending, which the caller frees; *n_sorted of
 * them, since what is not finite is left out.  MMRD_NO_MEMORY. */
mmrd_status mmrd_scores_sorted(const float *scores, size_t n, float **sorted,
                               size_t *n_sorted, mmrd_error *err);

/* The value that a share q of ascending scores is below; NaN of none.
 * Between two scores it is interpolated. */
double mmrd_scores_quantile(const float *sorted, size_t n, double q);

/*
 * The distance of Kolmogorov and Smirnov: the largest difference between the
 * shares of the two that are at or below any value.  0 the same, 1 apart;
 * NaN where one is empty.  a, b ascending.
 */
double mmrd_scores_distance(const float *a, size_t n_a, const float *b,
                            size_t n_b);

/* What two samples of one distribution exceed in one case of a hundred. */
double mmrd_scores_distance_limit(size_t n_a, size_t n_b);

#endif /* MMRD_HISTOGRAM_H */
