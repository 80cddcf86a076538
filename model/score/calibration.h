/*
 * model/score/calibration.h
 *	  Thresholds from the scores and maps of normal scans.
 *
 * The rule for the finite sample: of n scores of normal scans, the threshold
 * is the ceil((n + 1)(1 - fpr))-th smallest, and the largest where that would
 * be the (n + 1)-th.  A new normal scan, exchangeable with those, then lies
 * above it with a probability of at most fpr; with fewer than 1/fpr - 1 scans
 * no threshold can promise that, and the largest score is the best there is.
 */
#ifndef MMRD_CALIBRATION_H
#define MMRD_CALIBRATION_H

#include <stddef.h>

/* Sort n numbers, none of them NaN, ascending. */
void mmrd_floats_sort(float *x, int n);

/*
 * The threshold of n (at least 1) ascending scores for a share fpr, 0 to 1
 * exclusive, of false alarms.
 */
float mmrd_threshold(const float *ascending, int n, double fpr);

/* How many scans the rule needs before it can promise fpr. */
int mmrd_threshold_scans_needed(double fpr);

/*
 * The pixel value of a map that a share (0 to 1 exclusive) of its pixels is
 * above: the ceil(n (1 - share))-th smallest of n values.  Reorders them.
 */
float mmrd_map_quantile(float *values, size_t n, double share);

/* The share of n (at least 1) values that are above (>) the threshold. */
double mmrd_map_share_above(const float *values, size_t n, float threshold);

/*
 * A score on a scale where 0.5 is the threshold and the width of the range
 * [lo, hi] of the scores it was made from is 1; clamped to 0 .. 1.  A range
 * without width leaves 0, 0.5 and 1.
 */
float mmrd_score_normalized(float score, float threshold, float lo, float hi);

#endif /* MMRD_CALIBRATION_H */
