/*
 * model/kernel/blur.c
 *	  Columns first (whole rows are added up, which vectorises), then rows
 *	  from a copy with its margins filled in.
 */
#include "model/kernel/blur.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#include "model/base/threads.h"

enum
{
	MAX_SIDE = 1024, /* MMRD_MAX_INPUT_SIZE */
	TAPS = 2 * MMRD_BLUR_RADIUS + 1
};

static void
gaussian(float *weights)
{
	double w[TAPS];
	double sum = 0;

	for (int k = 0; k < TAPS; k++)
	{
		const double d = (k - MMRD_BLUR_RADIUS) / MMRD_BLUR_SIGMA;

		w[k] = exp(-0.5 * d * d);
		sum += w[k];
	}
	for (int k = 0; k < TAPS; k++)
		weights[k] = (float) (w[k] / sum);
}

static int
reflect(int i, int S)
{
	return i < 0 ? -1 - i : i >= S ? 2 * S - 1 - i : i;
}

void
mmrd_blur(int S, const float *x, float *y, float *work)
{
	float w[TAPS];

	gaussian(w);
#pragma omp parallel for num_threads(mmrd_threads()) schedule(static)
	for (int i = 0; i < S; i++)
	{
		float *out = work + (size_t) i * S;

		memset(out, 0, (size_t) S * sizeof(float));
		for (int k = 0; k < TAPS; k++)
		{
			const float *row =
			    x + (size_t) reflect(i + k - MMRD_BLUR_RADIUS, S) * S;

			for (int j = 0; j < S; j++)
				out[j] += w[k] * row[j];
		}
	}
#pragma omp parallel for num_threads(mmrd_threads()) schedule(static)
	for (int i = 0; i < S; i++)
	{
		float line[MAX_SIDE + 2 * MMRD_BLUR_RADIUS];
		float *out = y + (size_t) i * S;

		for (int j = -MMRD_BLUR_RADIUS; j < S + MMRD_BLUR_RADIUS; j++)
			line[j + MMRD_BLUR_RADIUS] = work[(size_t) i * S + reflect(j, S)];
		memset(out, 0, (size_t) S * sizeof(float));
		for (int k = 0; k < TAPS; k++)
			for (int j = 0; j < S; j++)
				out[j] += w[k] * line[j + k];
	}
}
