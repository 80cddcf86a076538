/*
 * extension/pg_job_locks.c
 *	  Locks that say which training jobs have a worker, and how many may.
 */
#include "postgres.h"

#include "extension/pg_job_locks.h"

#include "catalog/pg_type.h"
#include "extension/pg_access.h"
#include "miscadmin.h"
#include "storage/lock.h"

/*
 * The last field of an advisory lock's tag tells its kinds apart: 1 and 2 are
 * those of pg_advisory_lock(), these are ours ("mm" and "mn").
 */
enum
{
	CLASS_JOB = 0x6d6d,
	CLASS_SLOT = 0x6d6e
};

static void
make_tag(LOCKTAG *tag, int64 number, uint16 class)
{
	SET_LOCKTAG_ADVISORY(*tag, MyDatabaseId, (uint32) ((uint64) number >> 32),
	                     (uint32) number, class);
}

static bool
take(int64 number, uint16 class)
{
	LOCKTAG tag;
	LockAcquireResult result;

	make_tag(&tag, number, class);
	result = LockAcquire(&tag, ExclusiveLock, true, true);
	if (result == LOCKACQUIRE_ALREADY_HELD)
		LockRelease(&tag, ExclusiveLock, true); /* once is enough */
	return result != LOCKACQUIRE_NOT_AVAIL;
}

static void
release(int64 number, uint16 class)
{
	LOCKTAG tag;

	make_tag(&tag, number, class);
	LockRelease(&tag, ExclusiveLock, true);
}

bool
mmrd_pg_job_lock(int64 job)
{
	return take(job, CLASS_JOB);
}

void
mmrd_pg_job_unlock(int64 job)
{
	release(job, CLASS_JOB);
}

int
mmrd_pg_slot_take(int slots)
{
	for (int slot = 0; slot < slots; slot++)
		if (take(slot, CLASS_SLOT))
			return slot;
	return -1;
}

void
mmrd_pg_slot_release(int slot)
{
	release(slot, CLASS_SLOT);
}

static mmrd_pg_statement find_holder = {
    "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted "
    "AND database = $1 AND classid = $2 AND objid = $3 AND objsubid = $4",
    true,
    4,
    {OIDOID, OIDOID, OIDOID, INT2OID},
    NULL};

static mmrd_pg_statement count_slots = {
    "SELECT count(*)::integer FROM pg_locks WHERE locktype = 'advisory' "
    "AND granted AND database = $1 AND objsubid = $2",
    true,
    2,
    {OIDOID, INT2OID},
    NULL};

int
mmrd_pg_job_pid(int64 job)
{
	Datum values[] = {ObjectIdGetDatum(MyDatabaseId),
	                  ObjectIdGetDatum((uint32) ((uint64) job >> 32)),
	                  ObjectIdGetDatum((uint32) job),
	                  Int16GetDatum(CLASS_JOB)};
	bool isnull;

	if (mmrd_pg_run(&find_holder, values, NULL) == 0)
		return 0;
	return DatumGetInt32(mmrd_pg_field(0, 1, &isnull));
}

int
mmrd_pg_slots_taken(void)
{
	Datum values[] = {ObjectIdGetDatum(MyDatabaseId),
	                  Int16GetDatum(CLASS_SLOT)};
	bool isnull;

	mmrd_pg_run(&count_slots, values, NULL);
	return DatumGetInt32(mmrd_pg_field(0, 1, &isnull));
}
