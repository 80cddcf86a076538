/*
 * pretrain/pretraining.h
 *	  Pre-training a resnet18 trunk on formula pictures, a step at a time.
 *
 *	  mmrd_pretraining_options_init(&options);
 *	  MMRD_TRY(mmrd_pretraining_create(&options, &p, err));
 *	  while (mmrd_pretraining_steps(p) < options.steps)
 *		  MMRD_TRY(mmrd_pretraining_step(p, &report, err));
 *
 * The optimiser is Adam with decoupled weight decay (Loshchilov and Hutter,
 * 2019).  The learning rate rises over the first steps, stays, and falls in a
 * straight line over the last ones.  A run that shall go on is resumed, from
 * a checkpoint made before the fall, with more steps.
 */
#ifndef MMRD_PRETRAINING_H
#define MMRD_PRETRAINING_H

#include <stdint.h>

#include "model/base/status.h"
#include "model/net/config.h"
#include "model/net/weights.h"
#include "pretrain/objective.h"

typedef struct mmrd_pretraining_options
{
	uint64_t seed;      /* of pictures and initial weights */
	int64_t steps;      /* of the whole run */
	float falling;      /* share of them with a falling learning rate */
	int32_t pairs;      /* scenes of a batch, each in two views */
	int32_t size;       /* pixels each side, a multiple of 32 from 64 on */
	float lr;           /* at its highest */
	float decay;        /* of convolutions' weights: lr * decay a step */
	float temperature;  /* of the contrast */
	int32_t projection; /* numbers that are contrasted; 0: the features */
	int32_t apart;      /* 1: places on one shape are told apart too */
} mmrd_pretraining_options;

typedef struct mmrd_pretraining_report
{
	double loss; /* what is minimised: the sum over stages */
	double lr;
	mmrd_objective_result stage[MMRD_STAGES];
} mmrd_pretraining_report;

typedef struct mmrd_pretraining mmrd_pretraining;

void mmrd_pretraining_options_init(mmrd_pretraining_options *options);

/* MMRD_INVALID_ARGUMENT, MMRD_NO_MEMORY; then *out is NULL. */
mmrd_status mmrd_pretraining_create(const mmrd_pretraining_options *options,
                                    mmrd_pretraining **out, mmrd_error *err);

/* Accepts NULL. */
void mmrd_pretraining_free(mmrd_pretraining *p);

mmrd_status mmrd_pretraining_step(mmrd_pretraining *p,
                                  mmrd_pretraining_report *report,
                                  mmrd_error *err);

/* Steps done so far. */
int64_t mmrd_pretraining_steps(const mmrd_pretraining *p);

/* The trunk so far: the tensors of roles TEACHER and TEACHER_STAT. */
const mmrd_weights *mmrd_pretraining_weights(const mmrd_pretraining *p);

/*
 * The whole state as arrays of floats, for a checkpoint: which[] and count[]
 * get MMRD_PRETRAINING_ARRAYS entries, the state's own memory.  With the same
 * arrays and mmrd_pretraining_resume() training goes on to the same bits.
 */
enum
{
	MMRD_PRETRAINING_ARRAYS = 6
};
void mmrd_pretraining_arrays(mmrd_pretraining *p,
                             float *which[MMRD_PRETRAINING_ARRAYS],
                             size_t count[MMRD_PRETRAINING_ARRAYS]);
void mmrd_pretraining_resume(mmrd_pretraining *p, int64_t steps);

#endif /* MMRD_PRETRAINING_H */
