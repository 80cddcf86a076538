/*
 * model/kernel/prototype.h
 *	  Priors from prototypes (Gu et al., Eqs. 4-5), forward and backward.
 *
 * P pixels, C channels, Q prototypes.  At each pixel, w = softmax over the
 * prototypes of cos(f, p_j), no temperature; the prior is sum_j w_j p_j.
 * cos(a, b) = a.b / (max(|a|, 1e-8) max(|b|, 1e-8)).
 */
#ifndef MMRD_PROTOTYPE_H
#define MMRD_PROTOTYPE_H

#include <stddef.h>

#define MMRD_COS_MIN_NORM 1e-8f

/*
 * f		(P, C)
 * protos	(Q, C)
 * weights	(P, Q) out: w, needed again by backward
 * prior	(P, C) out
 */
void mmrd_prior_forward(size_t P, int C, int Q, const float *f,
                        const float *protos, float *weights, float *prior);

/* Floats of scratch for mmrd_prior_backward(). */
size_t mmrd_prior_work(size_t P, int C, int Q);

/*
 * Gradient by the prototypes (f is frozen), written to dprotos (Q, C).
 * weights are forward's; dprior (P, C) the gradient of the prior.
 */
void mmrd_prior_backward(size_t P, int C, int Q, const float *f,
                         const float *protos, const float *weights,
                         const float *dprior, float *dprotos, float *work);

/* The same, plainly, in double. */
void mmrd_prior_forward_ref(size_t P, int C, int Q, const float *f,
                            const float *protos, float *weights, float *prior);
void mmrd_prior_backward_ref(size_t P, int C, int Q, const float *f,
                             const float *protos, const float *weights,
                             const float *dprior, float *dprotos);

#endif /* MMRD_PROTOTYPE_H */
