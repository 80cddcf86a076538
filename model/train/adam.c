/*
 * model/train/adam.c
 *	  Adam over one run of learned values.
 */
#include "model/train/adam.h"

#include <math.h>

#include "model/base/threads.h"

void
mmrd_adam_step(const mmrd_adam_options *options, size_t n, long step,
               const float *gradient, float *m, float *v, float *theta)
{
	const float b1 = options->beta1;
	const float b2 = options->beta2;
	const double c1 = 1 - pow(b1, (double) step);
	const double c2 = 1 - pow(b2, (double) step);
	const float rate = (float) (options->lr / c1);
	const float spread = (float) (1 / sqrt(c2));
	const float eps = options->eps;

#pragma omp parallel for num_threads(mmrd_threads()) schedule(static)
	for (size_t i = 0; i < n; i++)
	{
		const float g = gradient[i];

		m[i] = b1 * m[i] + (1 - b1) * g;
		v[i] = b2 * v[i] + (1 - b2) * g * g;
		theta[i] -= rate * m[i] / (sqrtf(v[i]) * spread + eps);
	}
}
