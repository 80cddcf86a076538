/*
 * pretrain/objective.h
 *	  What pre-training asks of the features at sampled places of one stage.
 *
 * M places were seen twice, in two views of their scene; a and b are the
 * trunk's features there.  Each place must be closer to itself in the other
 * view than to other places of the batch (InfoNCE: van den Oord et al., 2018;
 * over places, as in DenseCL: Wang et al., CVPR 2021, but with exact
 * correspondences).  Closeness is the cosine of the features themselves, with
 * no projection between: the cosine is what mmrd trains on and scores with, so
 * features that spread out over its range are what a teacher is good for.
 *
 * Places of one group (one piece of one material) need not be told apart:
 * they may look alike.
 */
#ifndef MMRD_OBJECTIVE_H
#define MMRD_OBJECTIVE_H

#include <stddef.h>
#include <stdint.h>

/* Floats of scratch memory for M places of C channels. */
size_t mmrd_objective_work(int M, int C);

typedef struct mmrd_objective_result
{
	double loss; /* in nats; guessing costs log(M) */
	double hits; /* share of places closest to themselves */
} mmrd_objective_result;

/*
 * Loss and gradients.
 *
 * a, b			(M, C)
 * group		M numbers; NULL: every place is a group of its own
 * da, db		(M, C), written
 */
mmrd_objective_result mmrd_objective_gradients(int M, int C, float temperature,
                                               const float *a, const float *b,
                                               const int32_t *group, float *da,
                                               float *db, float *work);

#endif /* MMRD_OBJECTIVE_H */
