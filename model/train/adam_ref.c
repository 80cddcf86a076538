/*
 * model/train/adam_ref.c
 *	  The reference twin of adam.c: Algorithm 1 of the paper, in double.
 */
#include "model/train/adam.h"

#include <math.h>

void
mmrd_adam_step_ref(const mmrd_adam_options *options, size_t n, long step,
                   const float *gradient, float *m, float *v, float *theta)
{
	const double beta1 = options->beta1;
	const double beta2 = options->beta2;

	for (size_t i = 0; i < n; i++)
	{
		const double g = gradient[i];
		const double m_new = beta1 * m[i] + (1 - beta1) * g;
		const double v_new = beta2 * v[i] + (1 - beta2) * g * g;
		const double m_hat = m_new / (1 - pow(beta1, (double) step));
		const double v_hat = v_new / (1 - pow(beta2, (double) step));

		m[i] = (float) m_new;
		v[i] = (float) v_new;
		theta[i] = (float) (theta[i] - options->lr * m_hat /
		                                   (sqrt(v_hat) + options->eps));
	}
}
