/*
 * model/kernel/modulation.c
 *	  Parameter-free fusion, 16 channels a task.
 *
 * A task forms its channels' v a chunk of pixels at a time, once for mean and
 * variance (two sums in double, shifted by the first pixel so that a large
 * mean does not cancel) and once for alpha.
 */
#include "model/kernel/modulation.h"

#include <math.h>
#include <stddef.h>

#include "model/base/threads.h"
#include "model/kernel/isa.h"

enum
{
	STRIP = 16 /* channels a task: a cache line of floats */
};

typedef struct strip
{
	int P, C, n; /* pixels, floats a pixel, channels here */
	int n_aux;
	const float *rgb; /* at the first channel; NULL: not part of v */
	const float *const *aux;
	int c0;
} strip;

/* The n channels of v at pixel p: rgb (if any) plus aux[from .. to-1]. */
static void
pixel(const strip *s, int p, int from, int to, float *v)
{
	const size_t at = (size_t) p * s->C;

	for (int c = 0; c < s->n; c++)
		v[c] = s->rgb != NULL ? s->rgb[at + c] : 0.0f;
	for (int m = from; m < to; m++)
		for (int c = 0; c < s->n; c++)
			v[c] += s->aux[m][at + s->c0 + c];
}

static void
moments(const strip *s, int from, int to, float *mean, float *inverse)
{
	double sum[STRIP] = {0};
	double square[STRIP] = {0};
	float origin[STRIP];
	float v[STRIP];

	pixel(s, 0, from, to, origin);
	for (int p = 0; p < s->P; p++)
	{
		pixel(s, p, from, to, v);
		for (int c = 0; c < s->n; c++)
		{
			const double d = (double) v[c] - origin[c];

			sum[c] += d;
			square[c] += d * d;
		}
	}
	for (int c = 0; c < s->n; c++)
	{
		const double m = sum[c] / s->P;
		const double var = fmax(square[c] / s->P - m * m, 0);

		mean[c] = (float) (origin[c] + m);
		inverse[c] = (float) (1.0 / (var + MMRD_MODULATION_EPS));
	}
}

static void
one_strip(int P, int C, int n_aux, const float *rgb, const float *const *aux,
          mmrd_modulation_source by, int c0, float *t, int t_ld)
{
	const int n = C - c0 < STRIP ? C - c0 : STRIP;
	const strip sum = {P, C, n, n_aux, rgb + c0, aux, c0};
	const strip own = {P, C, n, n_aux, NULL, aux, c0};
	float mean[STRIP];
	float inverse[STRIP];
	float v[STRIP];

	for (int p = 0; p < P; p++)
		for (int c = 0; c < n; c++)
			t[(size_t) p * t_ld + c0 + c] = rgb[(size_t) p * C + c0 + c];
	if (by == MMRD_MODULATE_BY_SUM && n_aux > 0)
		moments(&sum, 0, n_aux, mean, inverse);
	for (int m = 0; m < n_aux; m++)
	{
		if (by == MMRD_MODULATE_BY_AUX)
			moments(&own, m, m + 1, mean, inverse);
		for (int p = 0; p < P; p++)
		{
			const float *a = aux[m] + (size_t) p * C + c0;
			float *out = t + (size_t) p * t_ld + c0;

			if (by == MMRD_MODULATE_NOT)
			{
				for (int c = 0; c < n; c++)
					out[c] += a[c];
				continue;
			}
			if (by == MMRD_MODULATE_BY_SUM)
				pixel(&sum, p, 0, n_aux, v);
			else
				pixel(&own, p, m, m + 1, v);
			mmrd_isa_get()->gate(n, v, mean, inverse, a, out);
		}
	}
}

void
mmrd_modulate(int P, int C, int n_aux, const float *rgb,
              const float *const *aux, mmrd_modulation_source by, float *t,
              int t_ld)
{
#pragma omp parallel for num_threads(mmrd_threads()) schedule(dynamic)
	for (int c0 = 0; c0 < C; c0 += STRIP)
		one_strip(P, C, n_aux, rgb, aux, by, c0, t, t_ld);
}
