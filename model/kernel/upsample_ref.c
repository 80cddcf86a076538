/*
 * model/kernel/upsample_ref.c
 *	  The reference twin of upsample.c: every source pixel weighted by its
 *	  distance, 1 - |distance| within one pixel and 0 beyond.
 */
#include "model/kernel/upsample.h"

#include <math.h>
#include <stddef.h>

static double
share(int from, int h, int S, int to)
{
	const double at = (double) to * (h - 1) / (S - 1);

	return fmax(0, 1 - fabs(at - from));
}

void
mmrd_upsample_ref(int h, const float *x, int S, bool add, float *y)
{
	for (int i = 0; i < S; i++)
	{
		for (int j = 0; j < S; j++)
		{
			float *out = y + (size_t) i * S + j;
			double sum = add ? *out : 0;

			for (int k = 0; k < h; k++)
				for (int l = 0; l < h; l++)
					sum += share(k, h, S, i) * share(l, h, S, j) *
					       x[(size_t) k * h + l];
			*out = (float) sum;
		}
	}
}
