/*
 * extension/pg_job_locks.h
 *	  Locks that say which training jobs have a worker, and how many may.
 *
 * Both kinds are advisory locks of the session, in a class of their own that
 * no SQL function can reach: nobody can pretend to be a worker.  They are
 * gone when the process is, however it ended.
 */
#ifndef MMRD_PG_JOB_LOCKS_H
#define MMRD_PG_JOB_LOCKS_H

#include "extension/pg_compat.h"

/* This process works on the job from now on; false when another one does. */
extern bool mmrd_pg_job_lock(int64 job);
extern void mmrd_pg_job_unlock(int64 job);

/*
 * One of `slots` places for workers of this database, or -1 when all are
 * taken.  Released with mmrd_pg_slot_release().
 */
extern int mmrd_pg_slot_take(int slots);
extern void mmrd_pg_slot_release(int slot);

/*
 * Process id of the job's worker, 0 when there is none; how many places are
 * taken.  Between mmrd_pg_access_begin() and _end().
 */
extern int mmrd_pg_job_pid(int64 job);
extern int mmrd_pg_slots_taken(void);

#endif /* MMRD_PG_JOB_LOCKS_H */
