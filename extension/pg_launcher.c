/*
 * extension/pg_launcher.c
 *	  Going on with training jobs when the server has started.
 *
 * Only where mmrd is in shared_preload_libraries.  A launcher without a
 * database lists the databases and sends a worker to each, one after the
 * other; that worker, which runs nothing but our own statements, queues the
 * interrupted jobs (mmrd.auto_resume) and starts what is queued.  Then the
 * launcher sleeps.  It stays, because after a crash the postmaster starts
 * again only those workers that had not ended.
 *
 * A job that brings the server down each time must not do so for ever: after
 * MAX_RESUMES without a new checkpoint it is left to mmrd_resume().
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_database.h"
#include "commands/extension.h"
#include "extension/pg_access.h"
#include "extension/pg_job_rows.h"
#include "extension/pg_settings.h"
#include "extension/pg_worker.h"
#include "libpq/pqsignal.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/latch.h"
#include "tcop/tcopprot.h"
#include "utils/snapmgr.h"

enum
{
	MAX_RESUMES = 3,
	MAX_JOBS = 64,       /* resumed in one database */
	RESTART_SECONDS = 60 /* of a launcher that failed */
};

static void
describe_worker(BackgroundWorker *bgw, const char *name, const char *function)
{
	memset(bgw, 0, sizeof(*bgw));
	bgw->bgw_flags =
	    BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	bgw->bgw_start_time = BgWorkerStart_RecoveryFinished;
	strlcpy(bgw->bgw_library_name, "$libdir/mmrd", BGW_MAXLEN);
	strlcpy(bgw->bgw_function_name, function, BGW_MAXLEN);
	strlcpy(bgw->bgw_name, name, BGW_MAXLEN);
	strlcpy(bgw->bgw_type, name, BGW_MAXLEN);
}

void
mmrd_pg_launcher_register(void)
{
	BackgroundWorker bgw;

	describe_worker(&bgw, "mmrd launcher", "mmrd_pg_launcher_main");
	bgw.bgw_restart_time = RESTART_SECONDS;
	RegisterBackgroundWorker(&bgw);
}

static void
handle_signals(void)
{
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
}

/* ---- in a database ---- */

static void
begin(void)
{
	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
}

static void
commit(void)
{
	PopActiveSnapshot();
	CommitTransactionCommand();
}

static void
requeue_interrupted(void)
{
	int64 ids[MAX_JOBS];
	mmrd_pg_access access;
	int n;

	mmrd_pg_access_begin(&access);
	n = mmrd_pg_jobs_interrupted(MAX_RESUMES, MAX_JOBS, ids);
	for (int i = 0; i < n; i++)
		if (mmrd_pg_job_requeue(ids[i], true))
			ereport(LOG, (errmsg("training job %lld was interrupted and is "
			                     "resumed",
			                     (long long) ids[i])));
	mmrd_pg_access_end(&access);
}

void
mmrd_pg_resumer_main(Datum database)
{
	handle_signals();
	BackgroundWorkerInitializeConnectionByOid(DatumGetObjectId(database),
	                                          InvalidOid, 0);
	begin();
	if (!OidIsValid(get_extension_oid("mmrd", true)))
	{
		commit();
		return;
	}
	if (mmrd_pg_setting_auto_resume)
		requeue_interrupted();
	commit();
	begin();
	(void) mmrd_pg_workers_start_queued(InvalidOid);
	commit();
}

/* ---- in none ---- */

static List *
list_databases(MemoryContext memory)
{
	List *databases = NIL;
	Relation rel;
	TableScanDesc scan;
	HeapTuple tuple;

	begin();
	rel = table_open(DatabaseRelationId, AccessShareLock);
	scan = table_beginscan_catalog(rel, 0, NULL);
	while ((tuple = heap_getnext(scan, ForwardScanDirection)) != NULL)
	{
		Form_pg_database row = (Form_pg_database) GETSTRUCT(tuple);
		MemoryContext before;

		if (!row->datallowconn || row->datistemplate)
			continue;
		before = MemoryContextSwitchTo(memory);
		databases = lappend_oid(databases, row->oid);
		MemoryContextSwitchTo(before);
	}
	table_endscan(scan);
	table_close(rel, AccessShareLock);
	commit();
	MemoryContextSwitchTo(memory);
	return databases;
}

static void
visit(Oid database)
{
	BackgroundWorker bgw;
	BackgroundWorkerHandle *handle;

	describe_worker(&bgw, "mmrd resumer", "mmrd_pg_resumer_main");
	bgw.bgw_restart_time = BGW_NEVER_RESTART;
	bgw.bgw_main_arg = ObjectIdGetDatum(database);
	bgw.bgw_notify_pid = MyProcPid;
	if (!RegisterDynamicBackgroundWorker(&bgw, &handle))
	{
		ereport(LOG, (errmsg("cannot look for training jobs in database %u: "
		                     "no background worker is free",
		                     database),
		              errhint("Raise max_worker_processes.")));
		return;
	}
	(void) WaitForBackgroundWorkerShutdown(handle);
	pfree(handle);
}

void
mmrd_pg_launcher_main(Datum unused)
{
	bool resumed_before = false;

	(void) unused;
	handle_signals();
	BackgroundWorkerInitializeConnection(NULL, NULL, 0);
	for (bool first = true;; first = false)
	{
		/* At the start, and when mmrd.auto_resume is turned on. */
		if (first || (mmrd_pg_setting_auto_resume && !resumed_before))
		{
			MemoryContext memory = AllocSetContextCreate(
			    TopMemoryContext, "mmrd databases", ALLOCSET_DEFAULT_SIZES);
			List *databases = list_databases(memory);
			ListCell *cell;

			foreach (cell, databases)
				visit(lfirst_oid(cell));
			MemoryContextSwitchTo(TopMemoryContext);
			MemoryContextDelete(memory);
		}
		resumed_before = mmrd_pg_setting_auto_resume;
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_EXIT_ON_PM_DEATH, -1,
		                 mmrd_pg_wait_event("MmrdLauncherMain"));
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
		if (ConfigReloadPending)
		{
			ConfigReloadPending = false;
			ProcessConfigFile(PGC_SIGHUP);
		}
	}
}
