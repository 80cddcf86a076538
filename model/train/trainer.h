/*
 * model/train/trainer.h
 *	  Training one model, in steps that the caller drives.
 *
 * The caller keeps the scans and the teacher's features (in memory or in a
 * file) and calls one step at a time, so that it can be interrupted, report
 * progress and checkpoint between any two of them:
 *
 *	  mmrd_trainer_create(&config, &options, n_scans, limit, &stop, &t, &err);
 *	  ... fill mmrd_trainer_weights(t) with the teacher ...
 *	  while (mmrd_trainer_adapt_next(t, &batch))         -- 1. adaptation
 *		  mmrd_trainer_adapt(t, scans of batch.scan[0 .. batch.n - 1], &err);
 *	  for (scan = 0; scan < n_scans; scan++)             -- 2. features, once
 *		  mmrd_trainer_features(t, scan, inputs, record[scan], &err);
 *	  mmrd_trainer_begin(t, &err);                       -- 3. the student
 *	  for (epoch = 0; epoch < n_epochs; epoch++)
 *	  {
 *		  mmrd_trainer_epoch_begin(t, epoch);
 *		  while (mmrd_trainer_next(t, &batch))
 *			  mmrd_trainer_step(t, records of batch, &losses, &err);
 *	  }
 *
 * Scans are numbered 0 .. n_scans-1 in an order that does not depend on how a
 * SELECT returned them (network.md 4: by SHA-256).  Every draw comes from
 * options.seed.  Same scans, options and CPU features: the same bits, for any
 * number of threads.
 */
#ifndef MMRD_TRAINER_H
#define MMRD_TRAINER_H

#include <stddef.h>
#include <stdint.h>

#include "model/base/status.h"
#include "model/base/threads.h"
#include "model/net/config.h"
#include "model/net/weights.h"

enum
{
	MMRD_ADAPT_BATCH = 16, /* scans a batch during adaptation */
	MMRD_MAX_BATCH = 64
};

/* Which modalities' teacher statistics are adapted: a mask. */
enum
{
	MMRD_ADAPT_RGB = 1,
	MMRD_ADAPT_AUX = 2 /* all auxiliary ones */
};

typedef struct mmrd_train_options
{
	uint64_t seed;
	int batch_size; /* 1 .. MMRD_MAX_BATCH */
	float lr;
	float lambda;        /* weight of the prototype loss */
	int bn_epochs;       /* passes of adaptation, 0: none */
	unsigned adapt_mask; /* MMRD_ADAPT_... */
} mmrd_train_options;

/* Means over the scans of a batch; loss = distillation + lambda * prototype.
 */
typedef struct mmrd_losses
{
	double loss;
	double distillation;
	double prototype; /* un-weighted */
} mmrd_losses;

typedef struct mmrd_batch
{
	int n;
	int32_t scan[MMRD_MAX_BATCH];
} mmrd_batch;

typedef struct mmrd_trainer mmrd_trainer;

/* Network.md's defaults: seed 0, batch 16, lr 1e-3, lambda 0.1, 5 passes. */
void mmrd_train_options_init(mmrd_train_options *options);

/*
 * Working memory in bytes that a trainer of this kind allocates at most, all
 * phases; the caller's scans and features come on top.
 */
size_t mmrd_trainer_bytes(const mmrd_config *config,
                          const mmrd_train_options *options);

/*
 * stop is copied; it is asked on the calling thread between layers, and a
 * step then returns MMRD_CANCELLED (the trainer is only good for freeing).
 * limit_bytes 0: no limit.  The caller releases with mmrd_trainer_free().
 */
mmrd_status mmrd_trainer_create(const mmrd_config *config,
                                const mmrd_train_options *options, int n_scans,
                                size_t limit_bytes, const mmrd_stop *stop,
                                mmrd_trainer **out, mmrd_error *err);

/* Accepts NULL. */
void mmrd_trainer_free(mmrd_trainer *t);

/* All tensors, owned by the trainer; load or initialise the teacher here. */
mmrd_weights *mmrd_trainer_weights(mmrd_trainer *t);

/* The next batch of adaptation, false when all passes are done. */
bool mmrd_trainer_adapt_next(mmrd_trainer *t, mmrd_batch *batch);

/* How many batches adaptation has in all: for progress. */
int mmrd_trainer_adapt_count(const mmrd_trainer *t);

/*
 * One batch of adaptation.  inputs[i * (1 + n_aux) + m] is modality m of the
 * batch's i-th scan: (S, S, 3) floats, normalised (model/input/).
 */
mmrd_status mmrd_trainer_adapt(mmrd_trainer *t, const mmrd_batch *batch,
                               const float *const *inputs, mmrd_error *err);

/* binary16 numbers in one scan's record of features. */
size_t mmrd_trainer_record_count(const mmrd_config *config);

/*
 * The teacher's outputs for one scan: record gets
 * mmrd_trainer_record_count() binary16 numbers (the fused targets, then each
 * modality's maps when there are priors).  Also picks this scan's vectors
 * among the initial prototypes.  Call once per scan, any order.
 */
mmrd_status mmrd_trainer_features(mmrd_trainer *t, int scan,
                                  const float *const *inputs, uint16_t *record,
                                  mmrd_error *err);

/* Initialise student and optimiser; every scan's features are done. */
mmrd_status mmrd_trainer_begin(mmrd_trainer *t, mmrd_error *err);

/* Start epoch (0-based); its order depends on the seed and epoch only. */
void mmrd_trainer_epoch_begin(mmrd_trainer *t, int epoch);

/* The epoch's next batch, false at its end. */
bool mmrd_trainer_next(mmrd_trainer *t, mmrd_batch *batch);

/* One Adam step; records[i] belongs to the batch's i-th scan. */
mmrd_status mmrd_trainer_step(mmrd_trainer *t, const mmrd_batch *batch,
                              const uint16_t *const *records,
                              mmrd_losses *losses, mmrd_error *err);

/*
 * The whole state of training between two steps, for a checkpoint: learned
 * values, running statistics, optimiser moments and step count.  The caller
 * gives mmrd_trainer_state_bytes() bytes.  Loading it into a trainer made
 * with the same configuration, options and scans continues to the same bits.
 */
size_t mmrd_trainer_state_bytes(const mmrd_trainer *t);
void mmrd_trainer_state_save(const mmrd_trainer *t, void *out);
mmrd_status mmrd_trainer_state_load(mmrd_trainer *t, const void *in,
                                    size_t n_bytes, mmrd_error *err);

/*
 * The same in pieces: the bytes [at, at + n) of the state, which the caller
 * keeps within mmrd_trainer_state_bytes().  The first piece set must hold the
 * header, MMRD_STATE_HEADER_BYTES from 0, which is checked as above; a
 * trainer that got some of the pieces only is good for freeing.
 */
enum
{
	MMRD_STATE_HEADER_BYTES = 256
};
void mmrd_trainer_state_get(const mmrd_trainer *t, size_t at, size_t n,
                            void *out);
mmrd_status mmrd_trainer_state_set(mmrd_trainer *t, size_t at, size_t n,
                                   const void *in, mmrd_error *err);

#endif /* MMRD_TRAINER_H */
