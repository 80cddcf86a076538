/*
 * model/kernel/maxpool_backward.c
 *	  The gradient of the 3x3 maximum, an image a task.
 *
 * Windows overlap, so a place of dx may be the maximum of four of them; the
 * sum over those is in the order of y's places.  Only pre-training needs this
 * (the teacher is frozen otherwise), and there are many images in its batch.
 */
#include "model/kernel/maxpool.h"

#include <stddef.h>
#include <stdbool.h>
#include <string.h>

#include "model/base/threads.h"

static void
one_window(int H, int W, int C, const float *image, const float *dy, int oy,
           int ox, float *dimage)
{
	for (int c = 0; c < C; c++)
	{
		size_t best = 0;
		float most = 0;
		bool first = true;

		for (int k = 0; k < 9; k++)
		{
			const int h = 2 * oy - 1 + k / 3;
			const int w = 2 * ox - 1 + k % 3;
			size_t at;

			if (h < 0 || h >= H || w < 0 || w >= W)
				continue;
			at = ((size_t) h * W + w) * C + c;
			if (first || image[at] > most)
			{
				most = image[at];
				best = at;
			}
			first = false;
		}
		dimage[best] += dy[c];
	}
}

void
mmrd_maxpool_backward(int N, int H, int W, int C, const float *x,
                      const float *dy, float *dx)
{
	const int OH = (H - 1) / 2 + 1;
	const int OW = (W - 1) / 2 + 1;

#pragma omp parallel for num_threads(mmrd_threads()) schedule(static)
	for (int n = 0; n < N; n++)
	{
		const size_t at = (size_t) n * H * W * C;

		memset(dx + at, 0, (size_t) H * W * C * sizeof(float));
		for (int oy = 0; oy < OH; oy++)
			for (int ox = 0; ox < OW; ox++)
				one_window(H, W, C, x + at,
				           dy + (((size_t) n * OH + oy) * OW + ox) * C, oy, ox,
				           dx + at);
	}
}
