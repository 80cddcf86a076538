/*
 * model/kernel/cosine_loss_ref.c
 *	  The reference twins of cosine_loss.c: plain sums in double.
 */
#include "model/kernel/cosine_loss.h"

#include <math.h>

static const double MIN_NORM = 1e-8;

/* Sum of products over one image. */
static double
image_dot(int P, int C, const float *a, int a_ld, const float *b, int b_ld)
{
	double sum = 0;

	for (int p = 0; p < P; p++)
		for (int c = 0; c < C; c++)
			sum +=
			    (double) a[(size_t) p * a_ld + c] * b[(size_t) p * b_ld + c];
	return sum;
}

double
mmrd_cosine_loss_ref(int N, int P, int C, const float *t, int t_ld,
                     const float *s, int s_ld, float *ds, int ds_ld)
{
	double loss = 0;

	for (int n = 0; n < N; n++)
	{
		const float *ti = t + (size_t) n * P * t_ld;
		const float *si = s + (size_t) n * P * s_ld;
		float *di = ds + (size_t) n * P * ds_ld;
		const double t_norm = sqrt(image_dot(P, C, ti, t_ld, ti, t_ld));
		const double s_norm = sqrt(image_dot(P, C, si, s_ld, si, s_ld));
		const double norms = fmax(t_norm, MIN_NORM) * fmax(s_norm, MIN_NORM);
		const double cosine = image_dot(P, C, ti, t_ld, si, s_ld) / norms;
		/* Below the smallest norm the divisor does not depend on s. */
		const double pull = s_norm > MIN_NORM ? cosine / (s_norm * s_norm) : 0;

		loss += (1 - cosine) / N;
		for (int p = 0; p < P; p++)
			for (int c = 0; c < C; c++)
				di[(size_t) p * ds_ld + c] =
				    (float) ((pull * si[(size_t) p * s_ld + c] -
				              ti[(size_t) p * t_ld + c] / norms) /
				             N);
	}
	return loss;
}

double
mmrd_square_loss_ref(size_t n, const float *x, const float *y, float weight,
                     float *dx)
{
	double sum = 0;

	for (size_t i = 0; i < n; i++)
	{
		const double d = (double) x[i] - y[i];

		sum += d * d;
		dx[i] = (float) (2.0 * weight * d / (double) n);
	}
	return sum / (double) n;
}
