/*
 * model/kernel/interaction_ref.c
 *	  The reference twin of interaction.c's forward: Eq. 7, one value at a
 *	  time.
 */
#include "model/kernel/interaction.h"

#include <math.h>
#include <stdbool.h>

enum
{
	MAX_C = 1024 /* the widest stage: 256 * 4 */
};

static double
sigmoid(double x)
{
	return 1 / (1 + exp(-x));
}

/* CA of one image: C values. */
static void
attention(const mmrd_interaction_shape *s, const mmrd_interaction_weights *w,
          const float *r, double *ca)
{
	const int R = s->C / MMRD_SQUEEZE;
	const int P = s->H * s->W;
	double mean[MAX_C] = {0};
	double hidden[MAX_C / MMRD_SQUEEZE];

	for (int p = 0; p < P; p++)
		for (int c = 0; c < s->C; c++)
			mean[c] += (double) r[(size_t) p * s->C + c] / P;
	for (int j = 0; j < R; j++)
	{
		hidden[j] = w->fc1_bias[j];
		for (int c = 0; c < s->C; c++)
			hidden[j] += w->fc1_weight[(size_t) j * s->C + c] * mean[c];
		hidden[j] = fmax(hidden[j], 0);
	}
	for (int c = 0; c < s->C; c++)
	{
		double sum = w->fc2_bias[c];

		for (int j = 0; j < R; j++)
			sum += w->fc2_weight[(size_t) c * R + j] * hidden[j];
		ca[c] = sigmoid(sum);
	}
}

static double
peak(int C, const float *a)
{
	double max = a[0];

	for (int c = 1; c < C; c++)
		max = fmax(max, a[c]);
	return max;
}

/* SA of one modality at pixel (y, x) of the image a. */
static double
spatial(const mmrd_interaction_shape *s, const float *kernel, double bias,
        const float *a, int y, int x)
{
	double sum = bias;

	for (int ky = 0; ky < 3; ky++)
	{
		for (int kx = 0; kx < 3; kx++)
		{
			const int h = y + ky - 1;
			const int v = x + kx - 1;

			if (h >= 0 && h < s->H && v >= 0 && v < s->W)
				sum += kernel[ky * 3 + kx] *
				       peak(s->C, a + ((size_t) h * s->W + v) * s->C);
		}
	}
	return sigmoid(sum);
}

void
mmrd_interaction_forward_ref(const mmrd_interaction_shape *s,
                             const mmrd_interaction_weights *w, const float *r,
                             const float *const *a, float *out, int out_ld)
{
	const int P = s->H * s->W;
	const bool aux = s->n_aux > 0;

	for (int n = 0; n < s->N; n++)
	{
		const size_t image = (size_t) n * P;
		double ca[MAX_C];

		attention(s, w, r + image * s->C, ca);
		for (int p = 0; p < P; p++)
		{
			double sa = 0;

			for (int m = 0; m < s->n_aux; m++)
				sa += spatial(s, w->spatial_weight[m], w->spatial_bias[m][0],
				              a[m] + image * s->C, p / s->W, p % s->W) /
				      s->n_aux;
			for (int c = 0; c < s->C; c++)
			{
				const double x = r[(image + p) * s->C + c];
				const double inner = ca[c] * x + x;

				out[(image + p) * out_ld + c] =
				    (float) (aux ? sa * inner + x : inner);
			}
		}
	}
}
