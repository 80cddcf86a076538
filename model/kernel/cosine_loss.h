/*
 * model/kernel/cosine_loss.h
 *	  The two losses of training, with their gradients.
 */
#ifndef MMRD_COSINE_LOSS_H
#define MMRD_COSINE_LOSS_H

#include <stddef.h>

/*
 * Distillation of one stage (Gu et al., Eq. 1): the mean over N images of
 * 1 - cos(flat t, flat s), one cosine over all P * C values of an image.
 *
 * t		(N, P, t_ld), C floats a pixel: the target
 * s		(N, P, s_ld): the student's
 * ds		(N, P, ds_ld): out, the gradient by s
 *
 * Returns the loss.  cos(a, b) = a.b / (max(|a|, 1e-8) max(|b|, 1e-8)).
 */
double mmrd_cosine_loss(int N, int P, int C, const float *t, int t_ld,
                        const float *s, int s_ld, float *ds, int ds_ld);

/*
 * Returns mean((x - y)^2) over n values (Eq. 6); dx = weight * its gradient by
 * x, written.
 */
double mmrd_square_loss(size_t n, const float *x, const float *y, float weight,
                        float *dx);

/* The same, plainly, in double. */
double mmrd_cosine_loss_ref(int N, int P, int C, const float *t, int t_ld,
                            const float *s, int s_ld, float *ds, int ds_ld);
double mmrd_square_loss_ref(size_t n, const float *x, const float *y,
                            float weight, float *dx);

#endif /* MMRD_COSINE_LOSS_H */
