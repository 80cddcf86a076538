/*
 * extension/pg_worker.h
 *	  Background workers for training jobs.
 */
#ifndef MMRD_PG_WORKER_H
#define MMRD_PG_WORKER_H

#include "extension/pg_compat.h"

/*
 * Ask for a worker for this job, running as `role` in this database, that
 * begins when the transaction `after` has ended (InvalidTransactionId: now).
 * False when no more workers may be started (max_worker_processes).
 */
extern bool mmrd_pg_worker_start(int64 job, Oid role, TransactionId after);

/*
 * Start workers for queued jobs, as many as may run.  A job whose role is
 * gone or may not log in fails.  In any transaction that may write.
 *
 * self: a worker's role, or InvalidOid.  Returns a job that could start if
 * there were a background worker, and runs as self: a worker that is done can
 * take it.  Else 0.
 */
extern int64 mmrd_pg_workers_start_queued(Oid self);

/*
 * Have interrupted jobs looked for whenever the server has started; from
 * _PG_init, while shared_preload_libraries are loaded.
 */
extern void mmrd_pg_launcher_register(void);

/* What the processes run. */
extern PGDLLEXPORT void mmrd_pg_worker_main(Datum unused);
extern PGDLLEXPORT void mmrd_pg_launcher_main(Datum unused);
extern PGDLLEXPORT void mmrd_pg_resumer_main(Datum database);

#endif /* MMRD_PG_WORKER_H */
