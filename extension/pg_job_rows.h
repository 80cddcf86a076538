/*
 * extension/pg_job_rows.h
 *	  Training jobs in mmrd's tables: the jobs, their epochs, their
 *	  checkpoints.
 *
 * Everything here runs between mmrd_pg_access_begin() and _end(), and throws
 * on failure.
 */
#ifndef MMRD_PG_JOB_ROWS_H
#define MMRD_PG_JOB_ROWS_H

#include "extension/pg_train.h"
#include "model/mmrd.h"

typedef enum mmrd_pg_job_state
{
	MMRD_PG_JOB_QUEUED,
	MMRD_PG_JOB_RUNNING,
	MMRD_PG_JOB_DONE,
	MMRD_PG_JOB_FAILED,
	MMRD_PG_JOB_CANCELLED,
	MMRD_PG_JOB_INTERRUPTED /* its worker is gone; never stored */
} mmrd_pg_job_state;

extern const char *mmrd_pg_job_state_name(mmrd_pg_job_state state);

typedef struct mmrd_pg_job
{
	int64 id;
	mmrd_pg_job_state state; /* as stored */
	bool changed_here;       /* by this very transaction */
	char *model;
	char *source; /* schema and name, quoted */
	int n_columns;
	char *column[MMRD_MAX_MODALITIES];
	char *filter;     /* or NULL */
	char *validation; /* or NULL */
	Jsonb *options;
	char *owner;
	char *search_path;
	char *time_zone;
	char *date_style;
	int threads;
	bool at_home;    /* else this row is a copy from elsewhere */
	bool has_sha256; /* its scans were read before */
	uint8 sha256[MMRD_PG_DIGEST_BYTES];
	int64 warm_version; /* 0: none */
} mmrd_pg_job;

/* Whose transaction it is sees it when this one commits; its number. */
extern int64 mmrd_pg_job_insert(const mmrd_pg_request *r, int threads);

/* As of now, not of the statement's snapshot.  False: there is none. */
extern bool mmrd_pg_job_read(int64 id, MemoryContext owner, mmrd_pg_job *out);

/*
 * The state as of now, from the row and from the worker's lock, and the
 * worker's process id (0: none).  False: there is no such job.
 */
extern bool mmrd_pg_job_look(int64 id, mmrd_pg_job_state *state, int *pid);

/* Queued jobs, oldest first, at most n; how many. */
extern int mmrd_pg_jobs_queued(int n, int64 *ids, char **owners,
                               MemoryContext memory);

/* From one stored state to another; false when it was not in the first. */
extern bool mmrd_pg_job_move(int64 id, mmrd_pg_job_state from,
                             mmrd_pg_job_state to);

/* Queue it again; by_itself counts how often that was. */
extern bool mmrd_pg_job_requeue(int64 id, bool by_itself);

/* "running" but without a worker, and resumed by itself less than `times`. */
extern int mmrd_pg_jobs_interrupted(int times, int n, int64 *ids);

extern void mmrd_pg_job_set_scans(int64 id, int64 n, const uint8 *sha256);

/* The end; version 0: none, error NULL: none.  A done job's checkpoint goes.
 */
extern void mmrd_pg_job_finish(int64 id, mmrd_pg_job_state state,
                               int32 version, const char *error);

/* ---- epochs ---- */

extern void mmrd_pg_epoch_insert(int64 job, int epoch, const mmrd_losses *mean,
                                 float seconds);

/* Forget those after `epoch`; the seconds that the others took. */
extern double mmrd_pg_epochs_trim(int64 job, int epoch);

/* ---- checkpoints ---- */

/* Put this state in place of the job's earlier one; its size in bytes. */
extern Size mmrd_pg_checkpoint_save(int64 job, int epoch,
                                    const mmrd_trainer *trainer);

/* How many epochs it holds, 0 when there is none. */
extern int mmrd_pg_checkpoint_epoch(int64 job);

extern void mmrd_pg_checkpoint_load(int64 job, int epoch,
                                    mmrd_trainer *trainer);

#endif /* MMRD_PG_JOB_ROWS_H */
