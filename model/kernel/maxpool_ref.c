/*
 * model/kernel/maxpool_ref.c
 *	  The reference twin of maxpool.c: one value at a time.
 */
#include "model/kernel/maxpool.h"

#include <math.h>
#include <stdbool.h>
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

/* Is x[at] the maximum of the window of (oy, ox), and the first such? */
static bool
wins(int H, int W, int C, const float *x, int oy, int ox, int h, int w, int c)
{
	const float here = x[((size_t) h * W + w) * C + c];

	for (int i = 2 * oy - 1; i <= 2 * oy + 1; i++)
		for (int j = 2 * ox - 1; j <= 2 * ox + 1; j++)
			if (i >= 0 && i < H && j >= 0 && j < W)
			{
				const float other = x[((size_t) i * W + j) * C + c];
				const bool before = i < h || (i == h && j < w);

				if (other > here || (before && other == here))
					return false;
			}
	return true;
}

void
mmrd_maxpool_backward_ref(int N, int H, int W, int C, const float *x,
                          const float *dy, float *dx)
{
	const int OH = (H - 1) / 2 + 1;
	const int OW = (W - 1) / 2 + 1;

	for (size_t at = 0; at < (size_t) N * H * W * C; at++)
	{
		const int c = (int) (at % C);
		const int w = (int) (at / C % W);
		const int h = (int) (at / C / W % H);
		const size_t n = at / C / W / H;
		const float *image = x + n * H * W * C;
		double sum = 0;

		for (int oy = h / 2; oy <= (h + 1) / 2 && oy < OH; oy++)
			for (int ox = w / 2; ox <= (w + 1) / 2 && ox < OW; ox++)
				if (wins(H, W, C, image, oy, ox, h, w, c))
					sum += dy[((n * OH + oy) * OW + ox) * C + c];
		dx[at] = (float) sum;
	}
}
