/*
 * extension/pg_queue.c
 *	  Starting what is queued.
 *
 * There is no process that watches over the queue: whoever ends a job, and
 * whoever calls a function about one, looks whether another can start.  That
 * two of them start the same job is no harm, since only one worker gets its
 * lock.  That both think there is room is none either: a worker without a
 * place leaves its job in the queue, and it does so before the one that has
 * the place, having released it, looks at the queue.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "extension/pg_access.h"
#include "extension/pg_job_locks.h"
#include "extension/pg_job_rows.h"
#include "extension/pg_settings.h"
#include "extension/pg_worker.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/syscache.h"

enum
{
	MAX_AT_ONCE = 64
};

/* Why a worker could not even say that it failed; NULL: it can run. */
static char *
obstacle(const char *owner, Oid *role)
{
	HeapTuple tuple = SearchSysCache1(AUTHNAME, CStringGetDatum(owner));
	bool may_log_in;

	if (!HeapTupleIsValid(tuple))
		return psprintf("role \"%s\" does not exist", owner);
	*role = ((Form_pg_authid) GETSTRUCT(tuple))->oid;
	may_log_in = ((Form_pg_authid) GETSTRUCT(tuple))->rolcanlogin;
	ReleaseSysCache(tuple);
	return may_log_in
	           ? NULL
	           : psprintf("role \"%s\" is not permitted to log in", owner);
}

int64
mmrd_pg_workers_start_queued(Oid self)
{
	int64 left = 0;
	int64 ids[MAX_AT_ONCE];
	char *owners[MAX_AT_ONCE];
	mmrd_pg_access access;
	int room;
	int n;

	mmrd_pg_access_begin(&access);
	room = mmrd_pg_setting_max_training_jobs - mmrd_pg_slots_taken();
	n = room > 0 ? mmrd_pg_jobs_queued(Min(room, MAX_AT_ONCE), ids, owners,
	                                   access.caller)
	             : 0;
	for (int i = 0; i < n; i++)
	{
		Oid role = InvalidOid;
		char *why = obstacle(owners[i], &role);

		if (why != NULL)
			mmrd_pg_job_finish(ids[i], MMRD_PG_JOB_FAILED, 0, why);
		else if (!mmrd_pg_worker_start(ids[i], role, InvalidTransactionId))
		{
			/* No background worker is free. */
			if (role == self)
				left = ids[i];
			break;
		}
	}
	mmrd_pg_access_end(&access);
	return left;
}
