/*
 * model/kernel/upsample.c
 *	  align_corners: the corner pixels of both maps coincide.
 */
#include "model/kernel/upsample.h"

#include <stddef.h>

#include "model/base/threads.h"

/* Where output i falls: first of two neighbours, and the second's share. */
static int
source(int h, int S, int i, float *share)
{
	const double at = (double) i * (h - 1) / (S - 1);
	int first = (int) at;

	if (first > h - 2)
		first = h > 1 ? h - 2 : 0;
	*share = (float) (at - first);
	return first;
}

void
mmrd_upsample(int h, const float *x, int S, bool add, float *y)
{
	const int next = h > 1 ? 1 : 0;

#pragma omp parallel for num_threads(mmrd_threads()) schedule(static)
	for (int i = 0; i < S; i++)
	{
		float down;
		const float *upper = x + (size_t) source(h, S, i, &down) * h;
		const float *lower = upper + next * h;
		float *out = y + (size_t) i * S;

		for (int j = 0; j < S; j++)
		{
			float right;
			const int k = source(h, S, j, &right);
			const float a = upper[k] + right * (upper[k + next] - upper[k]);
			const float b = lower[k] + right * (lower[k + next] - lower[k]);
			const float v = a + down * (b - a);

			out[j] = add ? out[j] + v : v;
		}
	}
}
