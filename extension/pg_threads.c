/*
 * extension/pg_threads.c
 *	  How many threads a call may use, and for how long they exist.
 */
#include "postgres.h"

#include "extension/pg_threads.h"

#include "access/parallel.h"
#include "access/xact.h"
#include "extension/pg_budget.h"
#include "model/kernel/gemm.h"
#include "utils/memutils.h"

/*
 * The context that ends the pool.  Another statement may use the pool in the
 * meantime (a function called by a statement that scores, too); the pool then
 * ends with whichever of the two comes first and the other starts it again.
 */
static MemoryContext pool_owner = NULL;

static void
end_pool(void *owner)
{
	if (pool_owner != owner)
		return;
	pool_owner = NULL;
	mmrd_threads_stop();
	mmrd_pg_budget_give_back();
}

/* Whatever happens, a transaction does not leave threads behind. */
static void
at_transaction_end(XactEvent event, void *unused)
{
	(void) unused;
	switch (event)
	{
		case XACT_EVENT_COMMIT:
		case XACT_EVENT_ABORT:
		case XACT_EVENT_PREPARE:
		case XACT_EVENT_PARALLEL_COMMIT:
		case XACT_EVENT_PARALLEL_ABORT:
			if (pool_owner != NULL)
				end_pool(pool_owner);
			break;
		default:
			break;
	}
}

/*
 * Places for threads may be few, and all processes of the server's user share
 * them.  One session at a time makes threads, so that what it has found free
 * is not taken by another session before it takes it itself.  Where there are
 * no threads, or no memory for their matrix products, there are fewer.
 */
static void
size_pool(int wanted)
{
	mmrd_pg_registry *r = mmrd_pg_registry_get(NULL);
	mmrd_error err = {0};
	int n = wanted;

	if (mmrd_threads() == n)
		return;
	if (n > 1)
		n = mmrd_gemm_start(&err) == MMRD_OK ? mmrd_gemm_reserve(n) : 1;
	if (n > 1)
	{
		if (r != NULL)
			LWLockAcquire(&r->growing, LW_EXCLUSIVE);
		(void) mmrd_threads_start(n);
		if (r != NULL)
			LWLockRelease(&r->growing);
	}
	else
		mmrd_threads_stop(); /* those that others may have now */
}

void
mmrd_pg_threads_begin(int wanted, MemoryContext statement)
{
	static bool registered = false;
	MemoryContextCallback *callback;

	if (IsParallelWorker())
		wanted = 1;
	if (wanted == 0)
		wanted = mmrd_threads_available();
	if (!registered)
	{
		RegisterXactCallback(at_transaction_end, NULL);
		registered = true;
	}
	if (pool_owner == NULL)
	{
		callback = MemoryContextAllocZero(statement, sizeof(*callback));
		callback->func = end_pool;
		callback->arg = statement;
		MemoryContextRegisterResetCallback(statement, callback);
		pool_owner = statement;
	}
	wanted = mmrd_pg_budget_take(wanted);
	size_pool(wanted);
}
