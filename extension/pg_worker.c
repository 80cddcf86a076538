/*
 * extension/pg_worker.c
 *	  Background workers for training jobs.
 *
 * A worker is a process like a session of the job's owner, without a client.
 * What it does, in transactions as short as they can be:
 *
 *	  wait until the transaction that asked for it has ended
 *	  take a place among mmrd.max_training_jobs, and the job's lock
 *	  one transaction: the job is "running" (or there is nothing to do)
 *	  one transaction: read and decode the scans, load the teacher
 *	  train; after each epoch one transaction: its row, maybe a checkpoint
 *	  one transaction: store the version, the job is "done"
 *
 * In between it has no transaction, no snapshot and no lock on any table.
 * The two locks last as long as the process; whoever sees "running" without
 * the job's lock knows that its worker is gone, whatever became of it.
 *
 * An error becomes the job's error, and a cancel (SIGINT) its end; both are
 * caught here.  SIGTERM ends the process as it ends a session: the job is
 * "interrupted".
 */
#include "postgres.h"

#include "extension/pg_worker.h"

#include "access/xact.h"
#include "extension/pg_access.h"
#include "extension/pg_job_conclude.h"
#include "extension/pg_job_locks.h"
#include "extension/pg_job_request.h"
#include "extension/pg_settings.h"
#include "extension/pg_store.h"
#include "extension/pg_threads.h"
#include "extension/pg_training.h"
#include "libpq/pqsignal.h"
#include "pgstat.h"
#include "portability/instr_time.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/latch.h"
#include "storage/procarray.h"
#include "tcop/tcopprot.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

enum
{
	CHECKPOINT_SECONDS = 300, /* at least between two, by the clock */
	CHECKPOINT_COST = 20,     /* and so many times what one takes */
	CHECKPOINT_BYTES_A_SECOND = 2 << 20, /* of WAL, on average, at most */
	LOCK_TRIES = 100,                    /* for a worker that is just ending */
	LOCK_NAP_MS = 100
};

/* What a worker is told, in bgw_extra. */
typedef struct order
{
	int64 job;
	Oid database;
	Oid role;
	TransactionId after;
} order;

StaticAssertDecl(sizeof(order) <= BGW_EXTRALEN, "an order must fit");

/* This worker. */
typedef struct worker
{
	MemoryContext memory;  /* as long as the job */
	MemoryContext threads; /* that the thread pool belongs to */
	int64 id;
	TransactionId after; /* to wait for, or none */
	int slot;
	mmrd_pg_job job; /* as it was when we took it */
	mmrd_pg_request request;
	mmrd_pg_material material;
	mmrd_trainer *trainer;
	mmrd_pg_trained trained;
	mmrd_pg_conclusion conclusion;
	double seconds_before; /* of the epochs before this worker's */
	instr_time start;
	instr_time epoch_start;
	instr_time last_checkpoint;
	double checkpoint_seconds; /* that the last one took */
} worker;

/* ---- asking for workers ---- */

bool
mmrd_pg_worker_start(int64 job, Oid role, TransactionId after)
{
	const order what = {job, MyDatabaseId, role, after};
	BackgroundWorker bgw;

	memset(&bgw, 0, sizeof(bgw));
	bgw.bgw_flags =
	    BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	bgw.bgw_start_time = BgWorkerStart_RecoveryFinished;
	bgw.bgw_restart_time = BGW_NEVER_RESTART;
	strlcpy(bgw.bgw_library_name, "$libdir/mmrd", BGW_MAXLEN);
	strlcpy(bgw.bgw_function_name, "mmrd_pg_worker_main", BGW_MAXLEN);
	snprintf(bgw.bgw_name, BGW_MAXLEN, "mmrd training job %lld",
	         (long long) job);
	strlcpy(bgw.bgw_type, "mmrd training", BGW_MAXLEN);
	memcpy(bgw.bgw_extra, &what, sizeof(what));
	return RegisterDynamicBackgroundWorker(&bgw, NULL);
}

/* ---- small things ---- */

static double
seconds_since(instr_time start)
{
	instr_time now;

	INSTR_TIME_SET_CURRENT(now);
	INSTR_TIME_SUBTRACT(now, start);
	return INSTR_TIME_GET_DOUBLE(now);
}

static void
begin(worker *w)
{
	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	MemoryContextSwitchTo(w->memory);
}

static void
commit(worker *w)
{
	PopActiveSnapshot();
	CommitTransactionCommand();
	MemoryContextSwitchTo(w->memory);
	pgstat_report_stat(true); /* so that vacuum hears of dead rows */
}

/* The pool ends with every transaction; have one again. */
static void
start_threads(worker *w)
{
	MemoryContextReset(w->threads);
	mmrd_pg_threads_begin(mmrd_pg_setting_train_threads != 0
	                          ? mmrd_pg_setting_train_threads
	                          : w->job.threads,
	                      w->threads);
}

/* What pg_stat_activity shows. */
static void
show(const worker *w, const char *what)
{
	char *text = psprintf("training job %lld of model \"%s\": %s",
	                      (long long) w->id, w->job.model, what);

	pgstat_report_activity(STATE_RUNNING, text);
	pfree(text);
}

static void
read_settings_again(void)
{
	if (!ConfigReloadPending)
		return;
	ConfigReloadPending = false;
	ProcessConfigFile(PGC_SIGHUP);
}

static void
nap(long ms)
{
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
	                 ms, mmrd_pg_wait_event("MmrdTrainingStart"));
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
}

/* ---- before the job ---- */

/* In a transaction each time, so that no snapshot is held while waiting. */
static void
wait_for_transaction(worker *w, TransactionId xid)
{
	long ms = 5;

	while (TransactionIdIsValid(xid))
	{
		bool in_progress;

		begin(w);
		in_progress = TransactionIdIsInProgress(xid);
		commit(w);
		if (!in_progress)
			break;
		nap(ms);
		ms = Min(2 * ms, 500);
	}
}

/* Is the job still to be had?  As read, it is in w->job. */
static bool
is_queued(worker *w)
{
	mmrd_pg_access access;
	bool queued;

	begin(w);
	mmrd_pg_access_begin(&access);
	queued = mmrd_pg_job_read(w->id, w->memory, &w->job) && w->job.at_home &&
	         w->job.state == MMRD_PG_JOB_QUEUED;
	mmrd_pg_access_end(&access);
	commit(w);
	return queued;
}

/* The worker that had the job before it was resumed may be ending still. */
static bool
lock_job(worker *w)
{
	for (int i = 0; i < LOCK_TRIES && is_queued(w); i++)
	{
		if (mmrd_pg_job_lock(w->id))
			return true;
		nap(LOCK_NAP_MS);
	}
	return false;
}

/* True when the job is ours now. */
static bool
take_job(worker *w)
{
	mmrd_pg_access access;
	bool taken;

	begin(w);
	mmrd_pg_access_begin(&access);
	taken = mmrd_pg_job_move(w->id, MMRD_PG_JOB_QUEUED, MMRD_PG_JOB_RUNNING) &&
	        mmrd_pg_job_read(w->id, w->memory, &w->job);
	mmrd_pg_access_end(&access);
	commit(w);
	return taken;
}

/* ---- the job ---- */

/*
 * Everything that is read from the user's tables, in one transaction.  The
 * user's conditions may have done what sessions can do, such as releasing
 * every advisory lock, so make sure that the job's lock is still ours.
 */
static void
read_everything(worker *w)
{
	const Size memory_bytes = (Size) mmrd_pg_setting_train_memory << 10;
	mmrd_pg_access access;

	show(w, "reading scans");
	begin(w);
	mmrd_pg_job_settings(&w->job, GUC_ACTION_SET);
	mmrd_pg_job_request(&w->job, &w->request);
	start_threads(w);
	mmrd_pg_material_read(&w->request, memory_bytes, true, &w->material);
	mmrd_pg_job_check_scans(&w->job, w->material.sha256);
	w->trainer = mmrd_pg_training_create(&w->request.options,
	                                     w->material.n_train, w->memory);
	mmrd_pg_request_load_teacher(&w->request,
	                             mmrd_trainer_weights(w->trainer));
	mmrd_pg_access_begin(&access);
	mmrd_pg_job_set_scans(w->id, w->material.n, w->material.sha256);
	mmrd_pg_access_end(&access);
	commit(w);
	if (!mmrd_pg_job_lock(w->id))
		elog(ERROR, "another worker took training job %lld",
		     (long long) w->id);
	start_threads(w);
	show(w, "computing the teacher's features");
}

/* From the checkpoint, if there is one; else from the version to start from.
 */
static int
begin_student(void *context, mmrd_trainer *trainer)
{
	worker *w = context;
	mmrd_pg_access access;
	int epoch;

	begin(w);
	mmrd_pg_access_begin(&access);
	epoch = mmrd_pg_checkpoint_epoch(w->id);
	w->seconds_before = mmrd_pg_epochs_trim(w->id, epoch);
	if (epoch > 0)
		mmrd_pg_checkpoint_load(w->id, epoch, trainer);
	mmrd_pg_access_end(&access);
	if (epoch == 0)
		mmrd_pg_request_load_warm(&w->request, mmrd_trainer_weights(trainer));
	commit(w);
	if (epoch > 0)
		ereport(LOG, (errmsg("training job %lld of model \"%s\" goes on after "
		                     "epoch %d of %d",
		                     (long long) w->id, w->job.model, epoch,
		                     w->request.options.epochs)));
	start_threads(w);
	show(w, "first epoch");
	INSTR_TIME_SET_CURRENT(w->epoch_start);
	w->last_checkpoint = w->epoch_start;
	return epoch;
}

static bool
checkpoint_is_due(const worker *w, int epoch, int epochs)
{
	const int every = w->request.options.checkpoint_every;
	double seconds = CHECKPOINT_SECONDS;

	if (epoch == epochs)
		return false; /* the version is next */
	if (every > 0)
		return epoch % every == 0;
	seconds = Max(seconds, CHECKPOINT_COST * w->checkpoint_seconds);
	seconds = Max(seconds, (double) mmrd_trainer_state_bytes(w->trainer) /
	                           CHECKPOINT_BYTES_A_SECOND);
	return seconds_since(w->last_checkpoint) >= seconds;
}

static void
save_checkpoint(worker *w, int epoch)
{
	show(w, "saving a checkpoint");
	mmrd_pg_checkpoint_save(w->id, epoch, w->trainer);
}

/* It is on disk: what it took, its commit included. */
static void
checkpoint_saved(worker *w, int epoch, instr_time start)
{
	w->checkpoint_seconds = seconds_since(start);
	INSTR_TIME_SET_CURRENT(w->last_checkpoint);
	ereport(LOG, (errmsg("training job %lld saved %zu MB after epoch %d, "
	                     "in %.1f s",
	                     (long long) w->id,
	                     mmrd_trainer_state_bytes(w->trainer) >> 20, epoch,
	                     w->checkpoint_seconds)));
}

static void
epoch_done(void *context, int epoch, int epochs, const mmrd_losses *mean,
           double seconds_left)
{
	worker *w = context;
	const float seconds = (float) seconds_since(w->epoch_start);
	const bool checkpoint = checkpoint_is_due(w, epoch, epochs);
	MemoryContext caller = CurrentMemoryContext;
	mmrd_pg_access access;
	instr_time start;
	char *text;

	INSTR_TIME_SET_CURRENT(start);
	begin(w);
	mmrd_pg_access_begin(&access);
	mmrd_pg_epoch_insert(w->id, epoch, mean, seconds);
	if (checkpoint)
		save_checkpoint(w, epoch);
	mmrd_pg_access_end(&access);
	commit(w);
	if (checkpoint)
		checkpoint_saved(w, epoch, start);
	read_settings_again();
	start_threads(w);
	text = psprintf("epoch %d of %d done, loss %.4f, %.0f s left", epoch,
	                epochs, mean->loss, seconds_left);
	show(w, text);
	pfree(text);
	MemoryContextSwitchTo(caller);
	INSTR_TIME_SET_CURRENT(w->epoch_start);
}

static void
train(worker *w)
{
	mmrd_pg_training training = {
	    .options = &w->request.options,
	    .inputs = w->material.inputs,
	    .n_scans = w->material.n_train,
	    .scans = w->material.train,
	    .memory_bytes = (Size) mmrd_pg_setting_train_memory << 10,
	    .lasting = true,
	    .student_begun = begin_student,
	    .epoch_done = epoch_done,
	    .context = w,
	};

	w->trained = mmrd_pg_request_describe(&w->request, &w->material);
	w->trained.weights = mmrd_trainer_weights(w->trainer);
	mmrd_pg_training_run(w->trainer, &training, &w->trained.loss);
	w->material.inputs = NULL;
	show(w, "setting the threshold");
	mmrd_pg_conclude_judge(&w->trained, &w->conclusion);
	mmrd_pg_spool_free(w->material.unseen);
	w->material.unseen = NULL;
}

static void
store(worker *w)
{
	const double seconds = w->seconds_before + seconds_since(w->start);
	mmrd_pg_access access;
	int32 version;
	bool deployed;

	show(w, "storing the version");
	begin(w);
	start_threads(w);
	mmrd_pg_access_begin(&access);
	mmrd_pg_teacher_lock(&w->request.teacher);
	mmrd_pg_access_end(&access);
	mmrd_pg_job_conclude(&w->trained, &w->conclusion, &w->request, seconds,
	                     &version, &deployed);
	mmrd_pg_access_begin(&access);
	mmrd_pg_job_finish(w->id, MMRD_PG_JOB_DONE, version, NULL);
	mmrd_pg_access_end(&access);
	commit(w);
	ereport(LOG, (errmsg("training job %lld made version %d of model \"%s\", "
	                     "%s, in %.0f s",
	                     (long long) w->id, version, w->job.model,
	                     deployed ? "deployed" : "not deployed", seconds)));
}

static void
run_job(worker *w)
{
	INSTR_TIME_SET_CURRENT(w->start);
	ereport(LOG, (errmsg("training job %lld of model \"%s\" starts",
	                     (long long) w->id, w->job.model)));
	read_everything(w);
	train(w);
	store(w);
}

/* ---- when it fails ---- */

static char *
error_text(const ErrorData *error)
{
	StringInfoData text;

	initStringInfo(&text);
	appendStringInfoString(&text, error->message);
	if (error->detail != NULL)
		appendStringInfo(&text, "\nDETAIL:  %s", error->detail);
	if (error->hint != NULL)
		appendStringInfo(&text, "\nHINT:  %s", error->hint);
	if (error->context != NULL)
		appendStringInfo(&text, "\nCONTEXT:  %s", error->context);
	return text.data;
}

/* The current error becomes the job's; a cancel during this waits. */
static void
fail_job(worker *w)
{
	mmrd_pg_job_state state = MMRD_PG_JOB_FAILED;
	mmrd_pg_access access;
	ErrorData *error;

	HOLD_CANCEL_INTERRUPTS();
	MemoryContextSwitchTo(w->memory);
	error = CopyErrorData();
	FlushErrorState();
	AbortOutOfAnyTransaction();
	MemoryContextSwitchTo(w->memory);
	MemoryContextDeleteChildren(w->memory); /* temporary files, too */
	if (error->sqlerrcode == ERRCODE_QUERY_CANCELED)
		state = MMRD_PG_JOB_CANCELLED;
	ereport(LOG, (errmsg("training job %lld of model \"%s\" %s",
	                     (long long) w->id, w->job.model,
	                     state == MMRD_PG_JOB_CANCELLED ? "was cancelled"
	                                                    : "failed"),
	              state == MMRD_PG_JOB_CANCELLED
	                  ? 0
	                  : errdetail_internal("%s", error_text(error))));
	begin(w);
	mmrd_pg_access_begin(&access);
	mmrd_pg_job_finish(w->id, state, 0,
	                   state == MMRD_PG_JOB_CANCELLED ? NULL
	                                                  : error_text(error));
	mmrd_pg_access_end(&access);
	commit(w);
	QueryCancelPending = false;
	RESUME_CANCEL_INTERRUPTS();
}

/* ---- the process ---- */

/* A role may have defaults for its sessions that a worker cannot use. */
static void
prepare_session(const worker *w)
{
	char *name = psprintf("mmrd training job %lld", (long long) w->id);

	SetConfigOption("application_name", name, PGC_USERSET, PGC_S_SESSION);
	SetConfigOption("default_transaction_read_only", "off", PGC_USERSET,
	                PGC_S_SESSION);
	SetConfigOption("default_transaction_isolation", "read committed",
	                PGC_USERSET, PGC_S_SESSION);
	pfree(name);
}

static void
work(worker *w)
{
	PG_TRY();
	{
		run_job(w);
	}
	PG_CATCH();
	{
		fail_job(w);
	}
	PG_END_TRY();
}

/* One job, if it is to be had. */
static void
try_job(worker *w, int64 job)
{
	w->id = job;
	w->memory = AllocSetContextCreate(TopMemoryContext, "mmrd training job",
	                                  ALLOCSET_DEFAULT_SIZES);
	w->threads = AllocSetContextCreate(
	    TopMemoryContext, "mmrd training threads", ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(w->memory);
	prepare_session(w);
	wait_for_transaction(w, w->after);

	/* Without a place the job stays queued; who has one will start it. */
	w->slot = mmrd_pg_slot_take(mmrd_pg_setting_max_training_jobs);
	if (w->slot < 0)
		return;
	if (lock_job(w))
	{
		if (take_job(w))
			work(w);
		mmrd_pg_job_unlock(w->id);
	}
	mmrd_pg_slot_release(w->slot);
}

void
mmrd_pg_worker_main(Datum unused)
{
	worker w = {0};
	order what;
	int64 job;

	(void) unused;
	memcpy(&what, MyBgworkerEntry->bgw_extra, sizeof(what));
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGINT, StatementCancelHandler);
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnectionByOid(what.database, what.role, 0);

	w.after = what.after;
	for (job = what.job; job != 0;)
	{
		try_job(&w, job);
		if (w.slot < 0)
			break;
		MemoryContextSwitchTo(TopMemoryContext);
		MemoryContextDelete(w.memory);
		MemoryContextDelete(w.threads);
		memset(&w, 0, sizeof(w));
		w.memory = TopMemoryContext;
		QueryCancelPending = false; /* meant the job that is over */
		read_settings_again();
		begin(&w);
		job = mmrd_pg_workers_start_queued(what.role);
		commit(&w);
	}
}
