/*
 * pretrain/objective.h
 *	  What pre-training asks of the features at sampled places of one stage.
 *
 * M places were seen twice, in two views of their scene; a and b are the
 * trunk's features there.  After a linear projection to E numbers of unit
 * length, each place must be closer to itself in the other view than to other
 * places of the batch (InfoNCE: van den Oord et al., 2018; over places, as in
 * DenseCL: Wang et al., CVPR 2021, but with exact correspondences).  Without
 * a projection (E = 0) that is asked of the features themselves.
 *
 * Places of one group (one piece of one material) need not be told apart:
 * they may look alike.
 */
#ifndef MMRD_OBJECTIVE_H
#define MMRD_OBJECTIVE_H

#include <stddef.h>
#include <stdint.h>

typedef struct mmrd_objective
{
	int M; /* places */
	int C; /* channels of the stage */
	int E; /* numbers of the projection, or 0 */
	float temperature;
} mmrd_objective;

/* Weights of the projection, (C, E), and floats of scratch memory. */
size_t mmrd_objective_parameters(const mmrd_objective *o);
size_t mmrd_objective_work(const mmrd_objective *o);

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
 * w, dw		the projection and its gradient, which is written
 * da, db		(M, C), written
 */
mmrd_objective_result
mmrd_objective_gradients(const mmrd_objective *o, const float *a,
                         const float *b, const int32_t *group, const float *w,
                         float *dw, float *da, float *db, float *work);

#endif /* MMRD_OBJECTIVE_H */
