/*
 * model/kernel/batch_norm.h
 *	  Batch normalisation in training: statistics of a batch, and backward.
 *
 * P pixels (all of a batch: N * H * W), C channels; maps (P, C) with ld floats
 * from one pixel to the next.  Inference needs none of this: there batch-norm
 * is an epilogue (affine.h).  Threads share out channels; same bits for any
 * number of them.
 */
#ifndef MMRD_BATCH_NORM_H
#define MMRD_BATCH_NORM_H

#include <stddef.h>

/* torchvision's and PyTorch's default */
#define MMRD_BN_EPS 1e-5f

/* Mean and biased variance of each channel of z (P, C). */
void mmrd_batch_stats(size_t P, int C, const float *z, int z_ld, float *mean,
                      float *var);

/*
 * running = (1 - momentum) * running + momentum * batch, the variance made
 * unbiased first (times P / (P - 1); P is at least 2).
 */
void mmrd_batch_running(size_t P, int C, float momentum, const float *mean,
                        const float *var, float *running_mean,
                        float *running_var);

/* scale = gamma / sqrt(var + eps), shift = beta - mean * scale. */
void mmrd_batch_fold(int C, const float *gamma, const float *beta,
                     const float *mean, const float *var, float *scale,
                     float *shift);

/*
 * Backward of y = relu(bn(z) + res) in training mode.
 *
 * dy		(P, C), dy_ld; on return it holds the gradient behind the ReLU,
 *			which is also the gradient of res
 * y		(P, C), y_ld: the forward result, or NULL without a ReLU
 * z		(P, C) without gaps; replaced by its gradient dz
 * mean, var	the batch's, from mmrd_batch_stats()
 * dgamma, dbeta	out
 */
void mmrd_batch_norm_backward(size_t P, int C, float *dy, int dy_ld,
                              const float *y, int y_ld, float *z,
                              const float *gamma, const float *mean,
                              const float *var, float *dgamma, float *dbeta);

/* The same, plainly, with sums in double. */
void mmrd_batch_stats_ref(size_t P, int C, const float *z, int z_ld,
                          float *mean, float *var);
void mmrd_batch_norm_backward_ref(size_t P, int C, float *dy, int dy_ld,
                                  const float *y, int y_ld, float *z,
                                  const float *gamma, const float *mean,
                                  const float *var, float *dgamma,
                                  float *dbeta);

#endif /* MMRD_BATCH_NORM_H */
