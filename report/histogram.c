/*
 * report/histogram.c
 *	  Scores in bins, and how far apart two sets of scores are.
 */
#include "report/histogram.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/base/checked.h"
#include "report/plot.h"

/* Few scores in many bins are a comb: about so many bins for n of them. */
static int
about_bins(size_t n)
{
	return n < 100 ? 12 : n < 500 ? 24 : 36;
}

/* Scores above this share of all are shown in the last bin, if they are far
 * away. */
#define TAIL 0.99
/* The 99 % quantile of Kolmogorov's distribution. */
#define KOLMOGOROV_99 1.63

static double
larger(double a, double b)
{
	return a > b ? a : b;
}

void
mmrd_histogram_choose(const float *a, size_t n_a, const float *b, size_t n_b,
                      double threshold, mmrd_histogram *histogram)
{
	const double none = -HUGE_VAL;
	double lo = n_a == 0 || (n_b > 0 && b[0] < a[0]) ? b[0] : a[0];
	double most =
	    larger(n_a > 0 ? a[n_a - 1] : none, n_b > 0 ? b[n_b - 1] : none);
	double hi = larger(n_a > 0 ? mmrd_scores_quantile(a, n_a, TAIL) : none,
	                   n_b > 0 ? mmrd_scores_quantile(b, n_b, TAIL) : none);

	memset(histogram, 0, sizeof(*histogram));
	if (isfinite(threshold))
	{
		lo = threshold < lo ? threshold : lo;
		hi = larger(hi, threshold + 0.25 * (threshold - lo));
	}
	if (most < hi + 0.5 * (hi - lo))
		hi = larger(hi, most); /* the tail is not far away */
	if (!(hi > lo))
		hi = lo + (lo != 0 ? 0.1 * fabs(lo) : 1); /* all are the same */

	histogram->step =
	    mmrd_ticks_choose(lo, hi, about_bins(n_a > n_b ? n_a : n_b)).step;
	if (isfinite(threshold))
		lo = threshold -
		     histogram->step * ceil((threshold - lo) / histogram->step + 1e-6);
	else
		lo = histogram->step * (ceil(lo / histogram->step) - 1);
	histogram->lo = lo;
	histogram->n = (int) ceil((hi - lo) / histogram->step - 1e-6);
	if (histogram->n > MMRD_HISTOGRAM_BINS)
		histogram->n = MMRD_HISTOGRAM_BINS; /* never, by the ticks */
	if (histogram->n < 1)
		histogram->n = 1;
}

void
mmrd_histogram_count(mmrd_histogram *histogram, const float *scores, size_t n)
{
	for (size_t i = 0; i < n; i++)
	{
		const double at = (scores[i] - histogram->lo) / histogram->step;
		/* A score that is the threshold is below it, whatever rounding the
		 * division does. */
		const double bin = ceil(at - 1e-6) - 1;

		if (bin >= histogram->n)
			histogram->beyond++;
		histogram->count[bin < 0               ? 0
		                 : bin >= histogram->n ? histogram->n - 1
		                                       : (int) bin]++;
		histogram->total++;
	}
}

static int
compare_floats(const void *a, const void *b)
{
	const float x = *(const float *) a;
	const float y = *(const float *) b;

	return (x > y) - (x < y);
}

mmrd_status
mmrd_scores_sorted(const float *scores, size_t n, float **sorted,
                   size_t *n_sorted, mmrd_error *err)
{
	size_t n_bytes;
	float *copy;
	size_t kept = 0;

	*sorted = NULL;
	*n_sorted = 0;
	if (!mmrd_size_mul(n > 0 ? n : 1, sizeof(float), &n_bytes) ||
	    (copy = malloc(n_bytes)) == NULL)
		return mmrd_fail_memory(err, (double) n * sizeof(float));
	for (size_t i = 0; i < n; i++)
		if (isfinite(scores[i]))
			copy[kept++] = scores[i];
	qsort(copy, kept, sizeof(float), compare_floats);
	*sorted = copy;
	*n_sorted = kept;
	return MMRD_OK;
}

double
mmrd_scores_quantile(const float *sorted, size_t n, double q)
{
	const double at = q * ((double) n - 1);
	size_t below;

	if (n == 0)
		return NAN;
	below = (size_t) at;
	if (below + 1 >= n)
		return sorted[n - 1];
	return sorted[below] + (at - (double) below) *
	                           ((double) sorted[below + 1] - sorted[below]);
}

double
mmrd_scores_distance(const float *a, size_t n_a, const float *b, size_t n_b)
{
	double most = 0;
	size_t i = 0;
	size_t j = 0;

	if (n_a == 0 || n_b == 0)
		return NAN;
	while (i < n_a && j < n_b)
	{
		const float at = a[i] < b[j] ? a[i] : b[j];

		while (i < n_a && a[i] <= at)
			i++;
		while (j < n_b && b[j] <= at)
			j++;
		most = larger(
		    most, fabs((double) i / (double) n_a - (double) j / (double) n_b));
	}
	return most;
}

double
mmrd_scores_distance_limit(size_t n_a, size_t n_b)
{
	const double a = (double) n_a;
	const double b = (double) n_b;

	return n_a == 0 || n_b == 0 ? NAN : KOLMOGOROV_99 * sqrt((a + b) / a / b);
}
