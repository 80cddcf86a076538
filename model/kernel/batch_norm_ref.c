/*
 * model/kernel/batch_norm_ref.c
 *	  The reference twins of batch_norm.c: one channel at a time, two passes.
 */
#include "model/kernel/batch_norm.h"

#include <math.h>

void
mmrd_batch_stats_ref(size_t P, int C, const float *z, int z_ld, float *mean,
                     float *var)
{
	for (int c = 0; c < C; c++)
	{
		double sum = 0;
		double square = 0;

		for (size_t p = 0; p < P; p++)
			sum += z[p * z_ld + c];
		for (size_t p = 0; p < P; p++)
		{
			const double d = z[p * z_ld + c] - sum / (double) P;

			square += d * d;
		}
		mean[c] = (float) (sum / (double) P);
		var[c] = (float) (square / (double) P);
	}
}

void
mmrd_batch_norm_backward_ref(size_t P, int C, float *dy, int dy_ld,
                             const float *y, int y_ld, float *z,
                             const float *gamma, const float *mean,
                             const float *var, float *dgamma, float *dbeta)
{
	for (int c = 0; c < C; c++)
	{
		const double std = sqrt((double) var[c] + MMRD_BN_EPS);
		double sum = 0;
		double dot = 0;

		for (size_t p = 0; p < P; p++)
		{
			const double z_hat = ((double) z[p * C + c] - mean[c]) / std;

			if (y != NULL && y[p * y_ld + c] <= 0)
				dy[p * dy_ld + c] = 0;
			sum += dy[p * dy_ld + c];
			dot += dy[p * dy_ld + c] * z_hat;
		}
		dbeta[c] = (float) sum;
		dgamma[c] = (float) dot;
		for (size_t p = 0; p < P; p++)
		{
			const double z_hat = ((double) z[p * C + c] - mean[c]) / std;

			z[p * C + c] = (float) (gamma[c] / std *
			                        (dy[p * dy_ld + c] - sum / (double) P -
			                         z_hat * dot / (double) P));
		}
	}
}
