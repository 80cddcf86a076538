/*
 * model/kernel/blur_ref.c
 *	  The reference twin of blur.c: the two-dimensional sum at every pixel.
 */
#include "model/kernel/blur.h"

#include <math.h>
#include <stddef.h>

/* Not yet divided by the sum over the whole window. */
static double
gaussian(int distance)
{
	return exp(-distance * distance / (2 * MMRD_BLUR_SIGMA * MMRD_BLUR_SIGMA));
}

/* Half-sample reflection: -1 is 0, -2 is 1, S is S - 1. */
static int
reflect(int i, int S)
{
	if (i < 0)
		return -i - 1;
	return i < S ? i : 2 * S - i - 1;
}

void
mmrd_blur_ref(int S, const float *x, float *y)
{
	const int R = MMRD_BLUR_RADIUS;

	for (int i = 0; i < S; i++)
	{
		for (int j = 0; j < S; j++)
		{
			double sum = 0;
			double weights = 0;

			for (int di = -R; di <= R; di++)
			{
				for (int dj = -R; dj <= R; dj++)
				{
					const double w = gaussian(di) * gaussian(dj);

					sum += w * x[(size_t) reflect(i + di, S) * S +
					             reflect(j + dj, S)];
					weights += w;
				}
			}
			y[(size_t) i * S + j] = (float) (sum / weights);
		}
	}
}
