/*
 * extension/pg_score_pending.c
 *	  mmrd_score_pending() and mmrd_drain(): score what waits.
 *
 * Both go round the sources, a batch each, so that a busy one does not keep
 * the others waiting; and round again while there was something to do, since
 * another session may have left behind what it had claimed.  The procedure
 * commits after each batch, the function cannot.
 */
#include "postgres.h"

#include "access/xact.h"
#include "executor/spi.h"
#include "extension/pg_access.h"
#include "extension/pg_drain.h"
#include "nodes/parsenodes.h"
#include "tcop/utility.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

PG_FUNCTION_INFO_V1(mmrd_score_pending);
PG_FUNCTION_INFO_V1(mmrd_drain);

enum
{
	DEFAULT_BATCH = 16, /* scans */
	MAX_BATCH = 10000
};

typedef struct drain
{
	int n_sources;
	Oid *sources;
	bool asked; /* the caller named the source */
	bool *failed;
	mmrd_pg_progress *progress;
	int batch;
	int64 limit; /* results; 0: none */
	int64 results;
	bool commits;
} drain;

static void
check_writable(const char *what)
{
	if (RecoveryInProgress())
		ereport(ERROR, (errcode(ERRCODE_READ_ONLY_SQL_TRANSACTION),
		                errmsg("cannot execute %s during recovery", what),
		                errdetail("It writes results, and this server is a "
		                          "standby."),
		                errhint("Run it on the primary. mmrd_score and "
		                        "mmrd_inspect work here.")));
	PreventCommandIfReadOnly(what);
}

/* Argument 0: source. */
static void
begin(FunctionCallInfo fcinfo, drain *d)
{
	if (PG_ARGISNULL(0))
		d->sources = mmrd_pg_attached(&d->n_sources);
	else
	{
		d->asked = true;
		d->n_sources = 1;
		d->sources = palloc(sizeof(Oid));
		d->sources[0] = PG_GETARG_OID(0);
	}
	d->failed = palloc0(sizeof(bool) * Max(d->n_sources, 1));
	d->progress = palloc0(sizeof(mmrd_pg_progress) * Max(d->n_sources, 1));
}

/* Errors that are about the session, not about a source. */
static bool
ends_all(int sqlstate)
{
	switch (ERRCODE_TO_CATEGORY(sqlstate))
	{
		case MAKE_SQLSTATE('5', '3', '0', '0', '0'):
		case MAKE_SQLSTATE('5', '7', '0', '0', '0'):
		case MAKE_SQLSTATE('5', '8', '0', '0', '0'):
			return true;
		default:
			return false;
	}
}

/* One source's trouble is no reason to leave the others waiting. */
static bool
try_batch(drain *d, int i, int n)
{
	MemoryContext caller = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	volatile bool found = false;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(caller);
	PG_TRY();
	{
		found = mmrd_pg_drain_batch(d->sources[i], false, n, &d->progress[i]);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		ErrorData *error;

		MemoryContextSwitchTo(caller);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(caller);
		CurrentResourceOwner = owner;
		if (ends_all(error->sqlerrcode))
			ReThrowError(error);
		d->failed[i] = true;
		ereport(WARNING,
		        (errcode(error->sqlerrcode),
		         errmsg("scans are left waiting: %s", error->message),
		         error->detail ? errdetail_internal("%s", error->detail) : 0,
		         error->hint ? errhint("%s", error->hint) : 0));
	}
	PG_END_TRY();
	MemoryContextSwitchTo(caller);
	CurrentResourceOwner = owner;
	return found;
}

static void
next_transaction(void)
{
	SPI_commit();
	SPI_start_transaction(); /* does nothing from 15 on */

	/* Claiming goes by what is there now, whatever the default is. */
	(void) set_config_option("transaction_isolation", "read committed",
	                         PGC_USERSET, PGC_S_SESSION, GUC_ACTION_LOCAL,
	                         true, 0, false);
}

/* One batch of each source; false when none had anything to claim. */
static bool
one_round(drain *d)
{
	bool found = false;

	for (int i = 0; i < d->n_sources; i++)
	{
		const int64 before = d->progress[i].results;
		int n = d->batch;

		if (d->failed[i])
			continue;
		if (d->limit > 0 && d->limit - d->results < n)
			n = (int) (d->limit - d->results);
		if (n == 0)
			return false;
		if (d->asked)
			found |=
			    mmrd_pg_drain_batch(d->sources[i], true, n, &d->progress[i]);
		else
			found |= try_batch(d, i, n);
		if (d->commits)
			next_transaction();
		d->results += d->progress[i].results - before;
		CHECK_FOR_INTERRUPTS();
	}
	return found;
}

/* All there is, from the oldest on; how many rows were settled. */
static int64
one_pass(drain *d)
{
	int64 settled = 0;

	for (int i = 0; i < d->n_sources; i++)
	{
		d->progress[i].after = 0;
		d->progress[i].settled = 0;
	}
	while (one_round(d))
		;
	for (int i = 0; i < d->n_sources; i++)
		settled += d->progress[i].settled;
	return settled;
}

static void
run(drain *d)
{
	while (one_pass(d) > 0 && (d->limit == 0 || d->results < d->limit))
		;
}

/* Arguments: source, max_rows. */
Datum
mmrd_score_pending(PG_FUNCTION_ARGS)
{
	drain d = {.batch = DEFAULT_BATCH};

	check_writable("mmrd_score_pending()");
	if (PG_ARGISNULL(1) || PG_GETARG_INT32(1) < 1)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
		                errmsg("max_rows must be a number above 0"),
		                errhint("Leave it out for 1000.")));
	d.limit = PG_GETARG_INT32(1);
	begin(fcinfo, &d);
	run(&d);
	PG_RETURN_INT64(d.results);
}

static void
refuse_in_transaction(FunctionCallInfo fcinfo)
{
	if (fcinfo->context != NULL && IsA(fcinfo->context, CallContext) &&
	    !castNode(CallContext, fcinfo->context)->atomic)
		return;
	ereport(ERROR, (errcode(ERRCODE_INVALID_TRANSACTION_TERMINATION),
	                errmsg("mmrd_drain cannot run inside a transaction block"),
	                errdetail("It commits after each batch."),
	                errhint("Use mmrd_score_pending there.")));
}

/* Arguments: source, batch. */
Datum
mmrd_drain(PG_FUNCTION_ARGS)
{
	MemoryContext memory = AllocSetContextCreate(
	    fcinfo->flinfo->fn_mcxt, "mmrd drain", ALLOCSET_DEFAULT_SIZES);
	drain d = {.commits = true};

	check_writable("mmrd_drain()");
	refuse_in_transaction(fcinfo);
	if (PG_ARGISNULL(1) || PG_GETARG_INT32(1) < 1 ||
	    PG_GETARG_INT32(1) > MAX_BATCH)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
		                errmsg("batch must be between 1 and %d", MAX_BATCH),
		                errhint("Leave it out for 16.")));
	d.batch = PG_GETARG_INT32(1);
	if (SPI_connect_ext(SPI_OPT_NONATOMIC) != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	MemoryContextSwitchTo(memory);
	next_transaction();
	begin(fcinfo, &d);
	run(&d);
	SPI_finish();
	MemoryContextDelete(memory);
	PG_RETURN_VOID();
}
