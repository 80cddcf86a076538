/*
 * pretrain/trunk.h
 *	  The teacher's trunk in training: forward with the statistics of the
 *	  batch, and backward from gradients at its three outputs.
 *
 *	  mmrd_trunk *trunk;
 *
 *	  MMRD_TRY(mmrd_trunk_create(net, max_images, &trunk, err));
 *	  ... fill mmrd_trunk_input(trunk) ...
 *	  MMRD_TRY(mmrd_trunk_forward(trunk, weights, n, err));
 *	  ... read mmrd_trunk_map(), fill mmrd_trunk_gradient() ...
 *	  MMRD_TRY(mmrd_trunk_backward(trunk, weights, gradient, err));
 *
 * It runs the same program of units as adaptation and scoring
 * (model/net/network.h), over the same kernels.
 */
#ifndef MMRD_TRUNK_H
#define MMRD_TRUNK_H

#include <stddef.h>

#include "model/base/status.h"
#include "model/net/network.h"
#include "model/net/weights.h"

typedef struct mmrd_trunk mmrd_trunk;

/* net is kept and only read.  MMRD_NO_MEMORY; then *out is NULL. */
mmrd_status mmrd_trunk_create(const mmrd_network *net, int max_images,
                              mmrd_trunk **out, mmrd_error *err);

/* Accepts NULL. */
void mmrd_trunk_free(mmrd_trunk *trunk);

/* (max_images, S, S, 3), normalised: for the caller to fill. */
float *mmrd_trunk_input(mmrd_trunk *trunk);

/*
 * Run n images, n at least 2.  The running statistics of modality 0 in
 * weights follow those of the batch with momentum 0.1.
 */
mmrd_status mmrd_trunk_forward(mmrd_trunk *trunk, mmrd_weights *weights, int n,
                               mmrd_error *err);

/* F_1, F_2, F_3 (stage 0, 1, 2) of the last forward, and their gradients for
 * the caller to write, every element: (n, S/4, S/4, 64), ... */
const float *mmrd_trunk_map(const mmrd_trunk *trunk, int stage);
float *mmrd_trunk_gradient(mmrd_trunk *trunk, int stage);

/* Number of learned values: the tensors of role TEACHER, which lie at the
 * start of weights->values. */
size_t mmrd_trunk_parameters(const mmrd_network *net);

/*
 * gradient gets mmrd_trunk_parameters() floats, in the order of the values.
 * The maps of the last forward are used up.
 */
mmrd_status mmrd_trunk_backward(mmrd_trunk *trunk, const mmrd_weights *weights,
                                float *gradient, mmrd_error *err);

#endif /* MMRD_TRUNK_H */
