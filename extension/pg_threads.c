/*
 * extension/pg_threads.c
 *	  How many threads a call may use, and for how long they exist.
 */
#include "postgres.h"

#include "extension/pg_threads.h"

#include "access/parallel.h"
#include "access/xact.h"
#include "extension/pg_budget.h"
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
	if (wanted > 1)
		mmrd_threads_start(wanted);
	else
		mmrd_threads_stop(); /* those that others may have now */
}
