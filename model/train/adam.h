/*
 * model/train/adam.h
 *	  The optimiser (Kingma and Ba, 2015), without weight decay.
 */
#ifndef MMRD_ADAM_H
#define MMRD_ADAM_H

#include <stddef.h>

typedef struct mmrd_adam_options
{
	float lr;
	float beta1, beta2;
	float eps;
} mmrd_adam_options;

/*
 * One step, theta -= lr * m_hat / (sqrt(v_hat) + eps).
 *
 * n		numbers in each array
 * step		1 for the first step
 * m, v		moments, 0 before the first step
 */
void mmrd_adam_step(const mmrd_adam_options *options, size_t n, long step,
                    const float *gradient, float *m, float *v, float *theta);

/* The same, plainly, in double. */
void mmrd_adam_step_ref(const mmrd_adam_options *options, size_t n, long step,
                        const float *gradient, float *m, float *v,
                        float *theta);

#endif /* MMRD_ADAM_H */
