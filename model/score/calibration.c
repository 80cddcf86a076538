/*
 * model/score/calibration.c
 *	  Thresholds from the scores and maps of normal scans.
 */
#include "model/score/calibration.h"

#include <math.h>
#include <stdlib.h>

/*
 * (1 - fpr) is not exact in binary: 100 (1 - 0.01) must be 99 and not the
 * next number above, whose ceiling is 100.
 */
#define ROUNDING 1e-9

static int
compare_floats(const void *a, const void *b)
{
	const float x = *(const float *) a;
	const float y = *(const float *) b;

	return x < y ? -1 : x > y;
}

void
mmrd_floats_sort(float *x, int n)
{
	qsort(x, (size_t) n, sizeof(float), compare_floats);
}

float
mmrd_threshold(const float *ascending, int n, double fpr)
{
	const double rank = ceil((n + 1.0) * (1.0 - fpr) - ROUNDING);

	return ascending[rank < 1 ? 0 : rank > n ? n - 1 : (int) rank - 1];
}

int
mmrd_threshold_scans_needed(double fpr)
{
	return (int) ceil(1.0 / fpr - 1.0 - ROUNDING);
}

/* Hoare's selection: afterwards x[k] is where sorting would have put it. */
static float
select_kth(float *x, size_t n, size_t k)
{
	size_t left = 0;
	size_t right = n - 1;

	while (left < right)
	{
		const float pivot = x[left + (right - left) / 2];
		size_t i = left;
		size_t j = right;

		for (;;)
		{
			while (x[i] < pivot)
				i++;
			while (x[j] > pivot)
				j--;
			if (i >= j)
				break;

			const float swap = x[i];

			x[i++] = x[j];
			x[j--] = swap;
		}
		/* x[left .. j] <= pivot <= x[j + 1 .. right] */
		if (k <= j)
			right = j;
		else
			left = j + 1;
	}
	return x[k];
}

float
mmrd_map_quantile(float *values, size_t n, double share)
{
	const double rank = ceil((double) n * (1.0 - share) - ROUNDING);
	const size_t k = rank < 1 ? 0 : (size_t) rank - 1;

	return select_kth(values, n, k >= n ? n - 1 : k);
}

double
mmrd_map_share_above(const float *values, size_t n, float threshold)
{
	size_t above = 0;

	for (size_t i = 0; i < n; i++)
		above += values[i] > threshold;
	return (double) above / (double) n;
}

float
mmrd_score_normalized(float score, float threshold, float lo, float hi)
{
	double at;

	if (!(hi > lo))
		return score > threshold ? 1.0f : score < threshold ? 0.0f : 0.5f;
	at = ((double) score - threshold) / ((double) hi - lo) + 0.5;
	return at < 0 ? 0.0f : at > 1 ? 1.0f : (float) at;
}
