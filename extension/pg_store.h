/*
 * extension/pg_store.h
 *	  Teachers, models, versions and what is deployed, in mmrd's tables.
 *
 * Everything here runs between mmrd_pg_access_begin() and _end(), and throws
 * on failure.  What is returned lives in the memory of the context given.
 */
#ifndef MMRD_PG_STORE_H
#define MMRD_PG_STORE_H

#include "extension/pg_glue.h"
#include "extension/pg_options.h"
#include "extension/pg_tensors.h"
#include "model/mmrd.h"
#include "utils/uuid.h"

/* False when there is none of that name. */
extern bool mmrd_pg_teacher_find(const char *name, MemoryContext owner,
                                 mmrd_pg_teacher *out);

/* The names of all teachers: "a", "b"; for hints. */
extern char *mmrd_pg_teacher_names(MemoryContext owner);

/* Keep a teacher from being dropped until the transaction ends. */
extern void mmrd_pg_teacher_lock(const mmrd_pg_teacher *teacher);

/*
 * A new row for a teacher; its id.  An error when the name is taken.  `by` is
 * the role that asked for it.
 */
extern int32 mmrd_pg_teacher_insert(const char *name, mmrd_arch arch, Oid by);

/*
 * False when there is none of that name; an error when a version uses it or
 * it ships with the extension.
 */
extern bool mmrd_pg_teacher_drop(const char *name);

/* A version as scoring needs it. */
typedef struct mmrd_pg_version
{
	int64 id;
	pg_uuid_t uid;
	char *model;
	int32 version;
	mmrd_pg_teacher teacher;
	mmrd_pg_options options; /* its config is complete */
	bool provisional;        /* made by this transaction, not committed */
	bool calibrated;         /* else the rest is 0 */
	float threshold;
	float pixel_threshold;
	float score_min;
	float score_max;
} mmrd_pg_version;

/*
 * The deployed version of a model, as the active snapshot sees it.  False
 * when the model does not exist or has none; an error when `user`, the role
 * that asks, is not among those that may use the model.
 */
extern bool mmrd_pg_version_deployed(const char *model, Oid user,
                                     MemoryContext owner,
                                     mmrd_pg_version *out);

/* The same for a version by its number. */
extern bool mmrd_pg_version_find(const char *model, int32 version, Oid user,
                                 MemoryContext owner, mmrd_pg_version *out);

/* The names of all models with a deployed version, at most `limit`. */
extern char **mmrd_pg_models_deployed(int limit, int *n, MemoryContext owner);

/* What a training leaves behind, or a file brings along. */
typedef struct mmrd_pg_new_version
{
	const char *model;
	const mmrd_pg_teacher *teacher;
	const mmrd_pg_options *options;
	const char *source;        /* this one and the two below may be NULL: */
	const char *source_query;  /* a file that does not say it */
	const uint8 *scans_sha256; /* 32 bytes */
	int32 scans;
	int32 epochs;
	float loss; /* NaN: not known */
	float seconds;
	Jsonb *metrics;           /* NULL: none */
	const char *code_version; /* NULL: this one */
	Oid by;
} mmrd_pg_new_version;

/* Throw unless a model may be called so. */
extern void mmrd_pg_model_check_name(const char *name);

/* An error when there is such a model and `user` may not use it. */
extern void mmrd_pg_model_check(const char *name, Oid user);

/*
 * Lock a model until the transaction ends, so that nobody else deploys, drops
 * or trains versions of it; its id.  Errors: there is none of that name; it
 * may not be used by `user`.
 */
extern int32 mmrd_pg_model_lock(const char *name, Oid user);

/* The same, and the model is created when there is none of that name. */
extern int32 mmrd_pg_model_lock_or_create(const char *name, Oid by);

/*
 * Store a version with its tensors and prototypes, under the next number,
 * which *version gets; returns its id.  The caller holds the model's lock.
 */
extern int64 mmrd_pg_version_store(const mmrd_pg_new_version *what,
                                   const mmrd_weights *weights, int32 model_id,
                                   int32 *version);

/* scores ascend. */
extern void mmrd_pg_calibration_store(int64 version, const char *method,
                                      float fpr, float threshold,
                                      float pixel_threshold,
                                      const float *scores, int n, Oid by);

/* restores: the deployment that a rollback goes back to, else 0. */
extern void mmrd_pg_deployment_store(int32 model_id, int64 version,
                                     int64 restores, Oid by);

/* Drop all but the newest `keep` versions and the deployed one; how many. */
extern int32 mmrd_pg_model_prune(int32 model_id, int32 keep);

#endif /* MMRD_PG_STORE_H */
