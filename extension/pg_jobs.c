/*
 * extension/pg_jobs.c
 *	  Training jobs: start, wait, cancel, resume, and how they are.
 *
 * A job is a row of mmrd.trainings.  Its worker is asked for at once, but
 * begins when the transaction that wrote the row has ended, and only if the
 * row is there then.  Each of these functions also gives queued jobs a push,
 * in case whoever should have started them could not.
 */
#include "postgres.h"

#include <math.h>
#include <signal.h>

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "extension/pg_access.h"
#include "extension/pg_job_request.h"
#include "extension/pg_settings.h"
#include "extension/pg_worker.h"
#include "miscadmin.h"
#include "storage/latch.h"
#include "tcop/utility.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(mmrd_train_start);
PG_FUNCTION_INFO_V1(mmrd_job_state);
PG_FUNCTION_INFO_V1(mmrd_wait);
PG_FUNCTION_INFO_V1(mmrd_cancel);
PG_FUNCTION_INFO_V1(mmrd_resume);

enum
{
	POLL_MS = 100,        /* between two looks at a job */
	PUSH_MS = 5000,       /* between two pushes of the queue, while waiting */
	CANCEL_WAIT_MS = 5000 /* for the worker to end */
};

static void
no_such_job(int64 id)
{
	ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
	                errmsg("training job %lld does not exist", (long long) id),
	                errhint("The jobs are in mmrd.jobs.")));
}

static void
read_job(int64 id, mmrd_pg_job *job)
{
	MemoryContext memory = CurrentMemoryContext;
	mmrd_pg_access access;
	bool found;

	mmrd_pg_access_begin(&access);
	found = mmrd_pg_job_read(id, memory, job);
	mmrd_pg_access_end(&access);
	if (!found)
		no_such_job(id);
}

static mmrd_pg_job_state
look(int64 id, int *pid)
{
	mmrd_pg_access access;
	mmrd_pg_job_state state = MMRD_PG_JOB_QUEUED;
	bool found;

	mmrd_pg_access_begin(&access);
	found = mmrd_pg_job_look(id, &state, pid);
	mmrd_pg_access_end(&access);
	if (!found)
		no_such_job(id);
	return state;
}

static void
check_owner(const mmrd_pg_job *job)
{
	const Oid owner = get_role_oid(job->owner, true);

	if (OidIsValid(owner) ? has_privs_of_role(GetUserId(), owner)
	                      : superuser())
		return;
	ereport(ERROR,
	        (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
	         errmsg("must be owner of training job %lld", (long long) job->id),
	         errdetail("Its owner is \"%s\".", job->owner),
	         errhint("SET ROLE to the owner, if you are a member.")));
}

/* ---- start ---- */

/*
 * What would end the worker before it can say so: PostgreSQL checks a
 * worker's role as it checks that of a client.
 */
static void
check_role(Oid role)
{
	const char *name = GetUserNameFromId(role, false);
	HeapTuple tuple = SearchSysCache1(AUTHOID, ObjectIdGetDatum(role));
	bool may_log_in;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for role %u", role);
	may_log_in = ((Form_pg_authid) GETSTRUCT(tuple))->rolcanlogin;
	ReleaseSysCache(tuple);
	if (!may_log_in)
		ereport(ERROR,
		        (errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
		         errmsg("role \"%s\" is not permitted to log in", name),
		         errdetail("The job would run in a process of its own, as "
		                   "this role."),
		         errhint("Start it as a role that can log in, or ALTER ROLE "
		                 "%s LOGIN, or train in this session with "
		                 "mmrd_train.",
		                 quote_identifier(name))));
	if (!DatumGetBool(DirectFunctionCall3(
	        has_database_privilege_id_id, ObjectIdGetDatum(role),
	        ObjectIdGetDatum(MyDatabaseId), CStringGetTextDatum("CONNECT"))))
		ereport(ERROR,
		        (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
		         errmsg("role \"%s\" may not connect to this database", name),
		         errdetail("The job would run in a process of its own, as "
		                   "this role."),
		         errhint("GRANT CONNECT ON DATABASE ... TO %s.",
		                 quote_identifier(name))));
}

static void
check_source(const mmrd_pg_source *source)
{
	if (isAnyTempNamespace(get_rel_namespace(source->relation)))
		ereport(ERROR,
		        (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
		         errmsg("\"%s\" is temporary", source->name),
		         errdetail("Another process cannot read it."),
		         errhint("Train in this session with mmrd_train, or keep the "
		                 "scans in a table that is not temporary.")));
}

static void
start_worker(int64 job, Oid role)
{
	if (!mmrd_pg_worker_start(job, role, GetTopTransactionId()))
		ereport(NOTICE,
		        (errmsg("training job %lld has to wait: no background worker "
		                "is free",
		                (long long) job),
		         errhint("max_worker_processes (now %d) counts them all.",
		                 max_worker_processes)));
}

Datum
mmrd_train_start(PG_FUNCTION_ARGS)
{
	mmrd_pg_access access;
	mmrd_pg_request r;
	int64 job;

	PreventCommandDuringRecovery("mmrd_train_start()");
	PreventCommandIfReadOnly("mmrd_train_start()");
	mmrd_pg_request_read(fcinfo, &r);
	check_source(&r.source);
	check_role(r.user);
	mmrd_pg_access_begin(&access);
	job = mmrd_pg_job_insert(&r, mmrd_pg_setting_threads);
	mmrd_pg_access_end(&access);
	start_worker(job, r.user);
	(void) mmrd_pg_workers_start_queued(InvalidOid);
	PG_RETURN_INT64(job);
}

/* ---- looking and waiting ---- */

Datum
mmrd_job_state(PG_FUNCTION_ARGS)
{
	TupleDesc desc;
	Datum values[2];
	bool nulls[2] = {false};
	int pid;
	mmrd_pg_job_state state;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	state = look(PG_GETARG_INT64(0), &pid);
	values[0] = CStringGetTextDatum(mmrd_pg_job_state_name(state));
	values[1] = Int32GetDatum(pid);
	nulls[1] = pid == 0;
	PG_RETURN_DATUM(HeapTupleGetDatum(
	    heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}

/* Sleep, or until something happens to this process. */
static void
nap(long ms)
{
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
	                 ms, mmrd_pg_wait_event("MmrdTrainingJob"));
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
}

static bool
is_over(mmrd_pg_job_state state)
{
	return state != MMRD_PG_JOB_QUEUED && state != MMRD_PG_JOB_RUNNING;
}

static void
push_queue(void)
{
	if (!RecoveryInProgress() && !XactReadOnly)
		(void) mmrd_pg_workers_start_queued(InvalidOid);
}

/* INT64_MAX without a timeout. */
static TimestampTz
deadline(FunctionCallInfo fcinfo, int argument)
{
	if (PG_ARGISNULL(argument))
		return PG_INT64_MAX;
	return DatumGetTimestampTz(DirectFunctionCall2(
	    timestamptz_pl_interval, TimestampTzGetDatum(GetCurrentTimestamp()),
	    PG_GETARG_DATUM(argument)));
}

Datum
mmrd_wait(PG_FUNCTION_ARGS)
{
	const TimestampTz until = deadline(fcinfo, 1);
	mmrd_pg_job_state state;
	mmrd_pg_job job;
	long until_push = 0;
	int pid;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	read_job(PG_GETARG_INT64(0), &job);
	if (job.changed_here && job.state == MMRD_PG_JOB_QUEUED)
		ereport(ERROR,
		        (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
		         errmsg("training job %lld has not begun", (long long) job.id),
		         errdetail("It begins when this transaction is committed."),
		         errhint("Wait for it in the next transaction.")));
	for (;;)
	{
		state = look(job.id, &pid);
		if (is_over(state) || GetCurrentTimestamp() >= until)
			break;
		if (until_push <= 0)
		{
			push_queue();
			until_push = PUSH_MS;
		}
		nap(POLL_MS);
		until_push -= POLL_MS;
	}
	PG_RETURN_TEXT_P(cstring_to_text(mmrd_pg_job_state_name(state)));
}

/* ---- cancel and resume ---- */

/* Try to move it; false when its state was another. */
static bool
move(int64 id, mmrd_pg_job_state from, mmrd_pg_job_state to)
{
	mmrd_pg_access access;
	bool moved;

	mmrd_pg_access_begin(&access);
	moved = mmrd_pg_job_move(id, from, to);
	mmrd_pg_access_end(&access);
	return moved;
}

/*
 * A queued job, and one without a worker, is cancelled with this transaction;
 * a worker is told at once.  It can begin or end while we look.
 */
Datum
mmrd_cancel(PG_FUNCTION_ARGS)
{
	mmrd_pg_job job;
	bool told = false;

	PreventCommandDuringRecovery("mmrd_cancel()");
	PreventCommandIfReadOnly("mmrd_cancel()");
	read_job(PG_GETARG_INT64(0), &job);
	check_owner(&job);
	for (int waited = 0; waited < CANCEL_WAIT_MS; waited += POLL_MS)
	{
		int pid;
		const mmrd_pg_job_state state = look(job.id, &pid);

		if (is_over(state) && state != MMRD_PG_JOB_INTERRUPTED)
			PG_RETURN_BOOL(told && state == MMRD_PG_JOB_CANCELLED);
		if (pid != 0)
		{
			/* Again and again: it may have been busy with its own start. */
			if (kill(pid, SIGINT) == 0)
				told = true;
		}
		else if (state != MMRD_PG_JOB_RUNNING &&
		         move(job.id,
		              job.state == MMRD_PG_JOB_RUNNING ? MMRD_PG_JOB_RUNNING
		                                               : MMRD_PG_JOB_QUEUED,
		              MMRD_PG_JOB_CANCELLED))
			PG_RETURN_BOOL(true);
		read_job(job.id, &job);
		nap(POLL_MS);
	}
	PG_RETURN_BOOL(told);
}

/* Refuse now what the worker would refuse later. */
static void
check_scans(const mmrd_pg_job *job)
{
	mmrd_pg_request r;
	uint8 sha256[MMRD_PG_DIGEST_BYTES];
	int level;

	if (!job->has_sha256)
		return; /* it never got as far as reading them */
	level = NewGUCNestLevel();
	mmrd_pg_job_settings(job, GUC_ACTION_SAVE);
	mmrd_pg_job_request(job, &r);
	mmrd_pg_request_hash(&r, sha256);
	AtEOXact_GUC(false, level);
	mmrd_pg_job_check_scans(job, sha256);
}

Datum
mmrd_resume(PG_FUNCTION_ARGS)
{
	mmrd_pg_access access;
	mmrd_pg_job job;
	mmrd_pg_job_state state;
	Oid owner;
	bool moved;
	int pid;

	PreventCommandDuringRecovery("mmrd_resume()");
	PreventCommandIfReadOnly("mmrd_resume()");
	read_job(PG_GETARG_INT64(0), &job);
	check_owner(&job);
	state = look(job.id, &pid);
	if (!is_over(state) || state == MMRD_PG_JOB_DONE)
		ereport(ERROR,
		        (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
		         errmsg("training job %lld is %s", (long long) job.id,
		                mmrd_pg_job_state_name(state)),
		         errhint("Jobs that were cancelled, interrupted or failed "
		                 "can be resumed.")));
	owner = get_role_oid(job.owner, false);
	check_role(owner);
	if (owner == GetUserId())
		check_scans(&job); /* else only the worker sees what the owner sees */
	mmrd_pg_access_begin(&access);
	moved = mmrd_pg_job_requeue(job.id, false);
	mmrd_pg_access_end(&access);
	if (!moved)
		ereport(ERROR, (errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
		                errmsg("training job %lld was changed by another "
		                       "session",
		                       (long long) job.id),
		                errhint("Look at mmrd.jobs and try again.")));
	start_worker(job.id, owner);
	(void) mmrd_pg_workers_start_queued(InvalidOid);
	PG_RETURN_VOID();
}
