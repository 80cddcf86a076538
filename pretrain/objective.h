/*
 * pretrain/objective.h
 *	  What pre-training asks of the features at sampled places of one stage.
 *
 * M places were seen twice, in two views of their scene.  a and b (M, C) are
 * the trunk's features there.  Both questions are put through linear heads,
 * so that it is the features themselves that have to know the answer.
 *
 * Contrast: after a projection to E numbers of unit length, each place must
 * be closer to itself in the other view than to any other place of the batch,
 * in the same scene or another (InfoNCE, van den Oord et al., 2018, over
 * places as in DenseCL, Wang et al., CVPR 2021, with exact correspondences).
 *
 * Description: D numbers known from the formula (normals, colour, pattern of
 * the material) are predicted, with the Huber loss.
 */
#ifndef MMRD_OBJECTIVE_H
#define MMRD_OBJECTIVE_H

#include <stddef.h>

typedef struct mmrd_objective_shape
{
	int M; /* places */
	int C; /* channels of the stage */
	int E; /* numbers of the projection */
	int D; /* numbers of the description */
} mmrd_objective_shape;

/* Weights of the two heads: (C, E) and (C, D), and D offsets, in a row. */
size_t mmrd_objective_parameters(const mmrd_objective_shape *s);

/* Floats of scratch memory. */
size_t mmrd_objective_work(const mmrd_objective_shape *s);

typedef struct mmrd_objective_result
{
	double contrast;    /* in nats; log(M) is guessing */
	double hits;        /* share of places closest to themselves */
	double description; /* mean Huber loss */
} mmrd_objective_result;

/*
 * Losses and gradients of w[0] * contrast + w[1] * description.
 *
 * a, b		(M, C)
 * want		(M, D), of view a; NaN where nothing is known
 * heads	mmrd_objective_parameters() floats; dheads likewise, written
 * da, db	(M, C), written
 */
mmrd_objective_result
mmrd_objective_gradients(const mmrd_objective_shape *s, const float w[2],
                         float temperature, const float *a, const float *b,
                         const float *want, const float *heads, float *dheads,
                         float *da, float *db, float *work);

#endif /* MMRD_OBJECTIVE_H */
