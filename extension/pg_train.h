/*
 * extension/pg_train.h
 *	  The steps of a training, for mmrd_train() and for training as a job.
 */
#ifndef MMRD_PG_TRAIN_H
#define MMRD_PG_TRAIN_H

#include "extension/pg_conclude.h"
#include "extension/pg_options.h"
#include "extension/pg_scans.h"
#include "extension/pg_spool.h"
#include "extension/pg_tensors.h"
#include "extension/pg_truth.h"

/* What is to be trained: the arguments of mmrd_train(), checked. */
typedef struct mmrd_pg_request
{
	mmrd_pg_source source;
	mmrd_pg_source labelled; /* the same with label and mask */
	mmrd_pg_truth truth;     /* of labelled: a request is not to be moved */
	const char *model;
	const char *filter;     /* NULL: every row */
	const char *validation; /* NULL: hold out some of the training scans */
	mmrd_pg_options options;
	mmrd_pg_teacher teacher;
	Oid user;           /* who asked for it */
	char *search_path;  /* in force then */
	int64 warm_version; /* id of the version to start from, 0: none */
} mmrd_pg_request;

/* The eight arguments of mmrd_train(); throws what is wrong with them. */
extern void mmrd_pg_request_read(FunctionCallInfo fcinfo, mmrd_pg_request *r);

/*
 * Find the columns of labels and masks, find and lock the teacher that the
 * options name, and complete the network's configuration.  Everything else is
 * set.
 */
extern void mmrd_pg_request_complete(mmrd_pg_request *r);

/* The scans, prepared, and what is remembered of them. */
typedef struct mmrd_pg_material
{
	char *query; /* that read the training scans */
	int64 n;     /* scans read for training, the held-out ones among them */
	int64 skipped;
	bool lasting; /* as given to mmrd_pg_material_read() */
	uint8 sha256[MMRD_PG_DIGEST_BYTES];
	mmrd_pg_spool *inputs;
	int n_train;
	int32 *train;            /* numbers in inputs */
	const char *unseen_from; /* calibration's method */
	mmrd_pg_spool *unseen;   /* scans that the student does not see */
} mmrd_pg_material;

/*
 * Read and decode them with the active snapshot.  lasting: they outlive the
 * transaction (see mmrd_pg_spool_create).
 */
extern void mmrd_pg_material_read(mmrd_pg_request *r, Size memory_bytes,
                                  bool lasting, mmrd_pg_material *m);

/* SHA-256 over the digests of the training scans, without decoding them. */
extern void mmrd_pg_request_hash(const mmrd_pg_request *r, uint8 *sha256);

/* The teacher's tensors, from the core or from mmrd.tensors. */
extern void mmrd_pg_request_load_teacher(const mmrd_pg_request *r,
                                         mmrd_weights *weights);

/*
 * The version to start from, when the options say so: the deployed one of the
 * model.  Throws when there is none or its teacher is another.
 */
extern void mmrd_pg_request_find_warm(mmrd_pg_request *r);

/*
 * Put its student in place of the initial one, after mmrd_trainer_begin();
 * nothing when there is none to start from.
 */
extern void mmrd_pg_request_load_warm(const mmrd_pg_request *r,
                                      mmrd_weights *weights);

/* What pg_conclude.h needs to know, but for weights and loss. */
extern mmrd_pg_trained mmrd_pg_request_describe(const mmrd_pg_request *r,
                                                const mmrd_pg_material *m);

#endif /* MMRD_PG_TRAIN_H */
