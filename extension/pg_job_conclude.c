/*
 * extension/pg_job_conclude.c
 *	  The end of a job: its version is stored, whatever became of the table.
 *
 * Comparing with the deployed version may read the user's table again.  It
 * may be gone by now, or other than it was: hours of training must not be
 * lost for that, so the version is kept then and not deployed.
 */
#include "postgres.h"

#include "extension/pg_job_conclude.h"

#include "access/xact.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

/* In a subtransaction; false when it failed, *error says how. */
static bool
try_store(const mmrd_pg_trained *trained, const mmrd_pg_conclusion *conclusion,
          double seconds, int32 *version, bool *deployed, ErrorData **error)
{
	const ResourceOwner owner = CurrentResourceOwner;
	MemoryContext memory = CurrentMemoryContext;
	volatile bool done = false;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(memory);
	PG_TRY();
	{
		mmrd_pg_conclude_store(trained, conclusion, seconds, version,
		                       deployed);
		ReleaseCurrentSubTransaction();
		done = true;
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(memory);
		*error = CopyErrorData();
		if ((*error)->sqlerrcode == ERRCODE_QUERY_CANCELED)
			PG_RE_THROW();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(memory);
	CurrentResourceOwner = owner;
	return done;
}

void
mmrd_pg_job_conclude(const mmrd_pg_trained *trained,
                     const mmrd_pg_conclusion *conclusion, mmrd_pg_request *r,
                     double seconds, int32 *version, bool *deployed)
{
	const bool compares = r->options.deploy == MMRD_PG_DEPLOY_IF_BETTER &&
	                      r->labelled.n_extra > 0;
	ErrorData *error = NULL;

	if (compares)
	{
		if (try_store(trained, conclusion, seconds, version, deployed, &error))
			return;
		r->options.deploy = MMRD_PG_DEPLOY_NEVER;
	}
	mmrd_pg_conclude_store(trained, conclusion, seconds, version, deployed);
	if (error != NULL)
		ereport(LOG, (errmsg("version %d of model \"%s\" is not deployed: it "
		                     "could not be compared with the deployed version",
		                     *version, r->model),
		              errdetail_internal("%s", error->message)));
}
