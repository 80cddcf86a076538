/*
 * model/kernel/maxpool_ref.c
 *	  The reference twin of maxpool.c: one value at a time.
 */
#include "model/kernel/maxpool.h"

#include <math.h>
#include <stddef.h>

void
mmrd_maxpool_ref(int N, int H, int W, int C, const float *x, float *y)
{
	const int OH = (H - 1) / 2 + 1;
	const int OW = (W - 1) / 2 + 1;

	for (int n = 0; n < N; n++)
	{
		for (int oy = 0; oy < OH; oy++)
		{
			for (int ox = 0; ox < OW; ox++)
			{
				for (int c = 0; c < C; c++)
				{
					double max = -INFINITY;

					for (int h = 2 * oy - 1; h <= 2 * oy + 1; h++)
						for (int v = 2 * ox - 1; v <= 2 * ox + 1; v++)
							if (h >= 0 && h < H && v >= 0 && v < W)
								max = fmax(
								    max,
								    x[(((size_t) n * H + h) * W + v) * C + c]);
					y[(((size_t) n * OH + oy) * OW + ox) * C + c] =
					    (float) max;
				}
			}
		}
	}
}
