/*
 * model/kernel/modulation_ref.c
 *	  The reference twin of modulation.c: Eqs. 2-3, one channel at a time.
 */
#include "model/kernel/modulation.h"

#include <math.h>
#include <stddef.h>

/* What alpha is taken of, at element i: F, or F^A of modality m. */
static double
argument(size_t i, int n_aux, const float *rgb, const float *const *aux,
         mmrd_modulation_source by, int m)
{
	double sum = rgb[i];

	if (by == MMRD_MODULATE_BY_AUX)
		return aux[m][i];
	for (int k = 0; k < n_aux; k++)
		sum += aux[k][i];
	return sum;
}

void
mmrd_modulate_ref(int P, int C, int n_aux, const float *rgb,
                  const float *const *aux, mmrd_modulation_source by, float *t,
                  int t_ld)
{
	for (int c = 0; c < C; c++)
	{
		double mean[2] = {0};
		double var[2] = {0};

		for (int m = 0; m < n_aux; m++)
		{
			for (int p = 0; p < P; p++)
				mean[m] +=
				    argument((size_t) p * C + c, n_aux, rgb, aux, by, m) / P;
			for (int p = 0; p < P; p++)
				var[m] +=
				    pow(argument((size_t) p * C + c, n_aux, rgb, aux, by, m) -
				            mean[m],
				        2) /
				    P;
		}
		for (int p = 0; p < P; p++)
		{
			const size_t i = (size_t) p * C + c;
			double sum = rgb[i];

			for (int m = 0; m < n_aux; m++)
			{
				const double d = argument(i, n_aux, rgb, aux, by, m) - mean[m];
				const double alpha =
				    1 / (1 + exp(-d * d / (var[m] + MMRD_MODULATION_EPS)));

				sum += (by == MMRD_MODULATE_NOT ? 1 : alpha) * aux[m][i];
			}
			t[(size_t) p * t_ld + c] = (float) sum;
		}
	}
}
