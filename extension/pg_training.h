/*
 * extension/pg_training.h
 *	  The training loop: prepared scans in, weights out.
 *
 * Needs no transaction and touches no table but the teacher's, so that a
 * background worker can run it as well as a SQL function.
 */
#ifndef MMRD_PG_TRAINING_H
#define MMRD_PG_TRAINING_H

#include "extension/pg_compat.h"
#include "extension/pg_options.h"
#include "extension/pg_spool.h"

/*
 * Before the first epoch: a chance to load a state (mmrd_trainer_state_set)
 * or other weights of the student.  Returns how many epochs are done already.
 */
typedef int (*mmrd_pg_student_begun)(void *context, mmrd_trainer *trainer);

/* After each epoch, 1 .. epochs; may throw. */
typedef void (*mmrd_pg_epoch_done)(void *context, int epoch, int epochs,
                                   const mmrd_losses *mean,
                                   double seconds_left);

typedef struct mmrd_pg_training
{
	const mmrd_pg_options *options;
	mmrd_pg_spool *inputs; /* one record a scan: its modalities' inputs, one
	                        * after the other; freed when no longer needed */
	int n_scans;           /* as the trainer was made for */
	const int32 *scans;    /* their numbers in inputs */
	Size memory_bytes;     /* for working memory, inputs and features */
	bool lasting;          /* temporary files are not a transaction's */
	mmrd_pg_student_begun student_begun; /* may be NULL */
	mmrd_pg_epoch_done epoch_done;
	void *context; /* of the two */
} mmrd_pg_training;

/* Bytes of one scan's record of inputs, and of features. */
extern Size mmrd_pg_input_record_bytes(const mmrd_pg_options *options);
extern Size mmrd_pg_feature_record_bytes(const mmrd_pg_options *options);

/*
 * How much of memory_bytes the inputs may take, so that the features still
 * have their share.  Throws when not even the trainer fits.
 */
extern Size mmrd_pg_training_input_memory(const mmrd_pg_options *options,
                                          Size memory_bytes);

/*
 * A trainer for n_scans scans that lives until owner is reset; the caller
 * fills mmrd_trainer_weights() with the teacher.
 */
extern mmrd_trainer *mmrd_pg_training_create(const mmrd_pg_options *options,
                                             int n_scans, MemoryContext owner);

/*
 * All of adaptation, features and epochs; *loss is the last epoch's mean.
 * Interrupts are served between steps.  Everything but the trainer is
 * released on return and on error.
 */
extern void mmrd_pg_training_run(mmrd_trainer *trainer,
                                 mmrd_pg_training *training, double *loss);

#endif /* MMRD_PG_TRAINING_H */
