/*
 * model/kernel/maxpool.c
 *	  3x3 maximum along channels, a row of the output a task.
 */
#include "model/kernel/maxpool.h"

#include <stddef.h>
#include <string.h>

#include "model/base/threads.h"

static void
one_row(int H, int W, int C, const float *image, int oy, float *out)
{
	const int OW = (W - 1) / 2 + 1;

	for (int ox = 0; ox < OW; ox++)
	{
		float *y = out + (size_t) ox * C;
		int first = 1;

		for (int k = 0; k < 9; k++)
		{
			const int h = 2 * oy - 1 + k / 3;
			const int w = 2 * ox - 1 + k % 3;
			const float *x;

			if (h < 0 || h >= H || w < 0 || w >= W)
				continue;
			x = image + ((size_t) h * W + w) * C;
			if (first)
				memcpy(y, x, (size_t) C * sizeof(float));
			else
				for (int c = 0; c < C; c++)
					y[c] = x[c] > y[c] ? x[c] : y[c];
			first = 0;
		}
	}
}

void
mmrd_maxpool(int N, int H, int W, int C, const float *x, float *y)
{
	const int OH = (H - 1) / 2 + 1;
	const int OW = (W - 1) / 2 + 1;

#pragma omp parallel for num_threads(mmrd_threads()) schedule(static)
	for (int task = 0; task < N * OH; task++)
		one_row(H, W, C, x + (size_t) (task / OH) * H * W * C, task % OH,
		        y + (size_t) task * OW * C);
}
