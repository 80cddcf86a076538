/*
 * model/net/student.h
 *	  The learned part in training: losses and gradients of one batch.
 *
 * The caller fills the batch's frozen features, then asks for a step:
 *
 *	  mmrd_student_size(s, n);
 *	  ... fill mmrd_student_target() and mmrd_student_feature() ...
 *	  mmrd_student_gradients(s, weights, lambda, gradient, &losses, &err);
 *
 * Batch-norm uses batch statistics and updates the running ones in weights
 * (momentum 0.1, unbiased variance).
 */
#ifndef MMRD_STUDENT_H
#define MMRD_STUDENT_H

#include <stddef.h>

#include "model/base/status.h"
#include "model/base/threads.h"
#include "model/net/network.h"
#include "model/net/weights.h"

typedef struct mmrd_student mmrd_student;

/* See mmrd_losses in model/train/trainer.h. */
typedef struct mmrd_student_losses
{
	double distillation;
	double prototype; /* un-weighted */
} mmrd_student_losses;

/* Working memory in bytes for batches of up to max_batch scans, with as many
 * threads as there are now. */
size_t mmrd_student_bytes(const mmrd_network *net, int max_batch);

/* net stays the caller's and outlives the student. */
mmrd_status mmrd_student_create(const mmrd_network *net, int max_batch,
                                size_t limit_bytes, const mmrd_stop *stop,
                                mmrd_student **out, mmrd_error *err);

/* Accepts NULL. */
void mmrd_student_free(mmrd_student *s);

/* The batch that follows has n scans, 1 .. max_batch. */
void mmrd_student_size(mmrd_student *s, int n);

/* F_i^T of the batch, stage 0 .. 2: (n, P, *ld), to be filled. */
float *mmrd_student_target(mmrd_student *s, int stage, int *ld);

/* F_i^M of the batch: (n, P, C), to be filled; NULL without priors. */
float *mmrd_student_feature(mmrd_student *s, int modality, int stage);

/*
 * Forward and backward.
 *
 * weights	only read, but for the running statistics
 * gradient	weights->n_parameters floats, all written: by the learned values
 *			in their order
 */
mmrd_status mmrd_student_gradients(mmrd_student *s, mmrd_weights *weights,
                                   float lambda, float *gradient,
                                   mmrd_student_losses *losses,
                                   mmrd_error *err);

#endif /* MMRD_STUDENT_H */
