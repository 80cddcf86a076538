/*
 * model/kernel/cosine_map.c
 *	  Cosine distance of pixels, 16 partial sums along the channels.
 */
#include "model/kernel/cosine_map.h"

#include <math.h>
#include <stddef.h>

#include "model/base/threads.h"

enum
{
	LANES = 16
};

static float
distance(int C, const float *t, const float *s)
{
	float ts[LANES] = {0};
	float tt[LANES] = {0};
	float ss[LANES] = {0};
	int c = 0;

	for (; c + LANES <= C; c += LANES)
	{
		for (int k = 0; k < LANES; k++)
		{
			ts[k] += t[c + k] * s[c + k];
			tt[k] += t[c + k] * t[c + k];
			ss[k] += s[c + k] * s[c + k];
		}
	}
	for (int k = 0; c < C; c++, k++)
	{
		ts[k] += t[c] * s[c];
		tt[k] += t[c] * t[c];
		ss[k] += s[c] * s[c];
	}
	for (int half = LANES / 2; half > 0; half /= 2)
	{
		for (int k = 0; k < half; k++)
		{
			ts[k] += ts[k + half];
			tt[k] += tt[k + half];
			ss[k] += ss[k + half];
		}
	}
	return 1.0f - ts[0] / (fmaxf(sqrtf(tt[0]), MMRD_COSINE_MIN_NORM) *
	                       fmaxf(sqrtf(ss[0]), MMRD_COSINE_MIN_NORM));
}

void
mmrd_cosine_map(int P, int C, const float *t, int t_ld, const float *s,
                int s_ld, float *map)
{
#pragma omp parallel for num_threads(mmrd_threads()) schedule(static)
	for (int p = 0; p < P; p++)
		map[p] = distance(C, t + (size_t) p * t_ld, s + (size_t) p * s_ld);
}
