/*
 * extension/pg_compat.h
 *	  Where PostgreSQL 13 to 18 differ, said once.
 *
 * Include it after postgres.h, instead of the headers it includes itself.
 * No other file asks for PG_VERSION_NUM ("make layers").
 */
#ifndef MMRD_PG_COMPAT_H
#define MMRD_PG_COMPAT_H

#include "postgres.h"

#include "catalog/pg_authid.h"
#include "catalog/pg_class.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "utils/acl.h"
#include "utils/guc.h"
#include "utils/snapshot.h"

#if PG_VERSION_NUM >= 140000
#include "utils/wait_event.h"
#else
#include "pgstat.h"
#endif
#if PG_VERSION_NUM >= 160000
#include "varatt.h" /* split out of postgres.h */
#endif

#if PG_VERSION_NUM < 130000
#error "mmrd needs PostgreSQL 13 or later"
#endif

/* The module's name and version are shown by pg_get_loaded_modules() in 18. */
#if PG_VERSION_NUM >= 180000
#define MMRD_PG_MODULE_MAGIC(name_, version_)                                 \
	PG_MODULE_MAGIC_EXT(.name = (name_), .version = (version_))
#else
#define MMRD_PG_MODULE_MAGIC(name_, version_) PG_MODULE_MAGIC
#endif

/* Goes in front of the declaration; 18 has it under this very name. */
#if PG_VERSION_NUM < 180000
#define pg_noreturn __attribute__((noreturn))
#endif

#if PG_VERSION_NUM < 140000
#define ROLE_PG_READ_SERVER_FILES DEFAULT_ROLE_READ_SERVER_FILES
#define ROLE_PG_WRITE_SERVER_FILES DEFAULT_ROLE_WRITE_SERVER_FILES
#define ROLE_PG_READ_ALL_STATS DEFAULT_ROLE_READ_ALL_STATS
#endif

/* After the last setting is defined: the prefix admits no other names. */
static inline void
mmrd_pg_reserve_settings(const char *prefix)
{
#if PG_VERSION_NUM >= 150000
	MarkGUCPrefixReserved(prefix);
#else
	EmitWarningsOnPlaceholders(prefix);
#endif
}

/*
 * Call *request* when shared memory may be asked for: at once before 15,
 * from shmem_request_hook since.  To be called once, from _PG_init, while
 * process_shared_preload_libraries_in_progress.
 */
#if PG_VERSION_NUM >= 150000
static shmem_request_hook_type mmrd_pg_earlier_request pg_attribute_unused();
static void (*mmrd_pg_own_request)(void) pg_attribute_unused();

static inline void
mmrd_pg_request_in_turn(void)
{
	if (mmrd_pg_earlier_request != NULL)
		mmrd_pg_earlier_request();
	mmrd_pg_own_request();
}
#endif

static inline void
mmrd_pg_on_shmem_request(void (*request)(void))
{
#if PG_VERSION_NUM >= 150000
	mmrd_pg_earlier_request = shmem_request_hook;
	mmrd_pg_own_request = request;
	shmem_request_hook = mmrd_pg_request_in_turn;
#else
	request();
#endif
}

/* A tranche of locks, and what pg_stat_activity calls it in this process. */
static inline int
mmrd_pg_new_tranche(const char *name)
{
	(void) name; /* 19 wants it here */
	return LWLockNewTrancheId();
}

static inline void
mmrd_pg_name_tranche(int tranche, const char *name)
{
	LWLockRegisterTranche(tranche, name);
}

/* What pg_stat_activity shows while we wait; a name of our own since 17. */
static inline uint32
mmrd_pg_wait_event(const char *name)
{
#if PG_VERSION_NUM >= 170000
	return WaitEventExtensionNew(name);
#else
	(void) name;
	return PG_WAIT_EXTENSION;
#endif
}

/* Is the current user an owner of this relation? */
static inline bool
mmrd_pg_owns_relation(Oid relation)
{
#if PG_VERSION_NUM >= 160000
	return object_ownercheck(RelationRelationId, relation, GetUserId());
#else
	return pg_class_ownercheck(relation, GetUserId());
#endif
}

/*
 * A number that grows whenever a transaction with changes ends: two snapshots
 * with the same one were taken while nothing ended.  13 does not count, so
 * there no two are the same.
 */
static inline uint64
mmrd_pg_snapshot_completed(Snapshot snapshot)
{
#if PG_VERSION_NUM >= 140000
	return snapshot->snapXactCompletionCount;
#else
	static uint64 calls = 0;

	(void) snapshot;
	return ++calls;
#endif
}

/*
 * A set-returning function that fills a tuplestore.  15 brought this
 * function; the older servers need its body, for row types only.
 */
#if PG_VERSION_NUM < 150000
static inline void
InitMaterializedSRF(FunctionCallInfo fcinfo, bits32 flags)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	MemoryContext old;

	Assert(flags == 0);
	if (rsinfo == NULL || !IsA(rsinfo, ReturnSetInfo) ||
	    (rsinfo->allowedModes & SFRM_Materialize) == 0)
		ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
		                errmsg("set-valued function called in context that "
		                       "cannot accept a set")));

	old = MemoryContextSwitchTo(rsinfo->econtext->ecxt_per_query_memory);
	if (get_call_result_type(fcinfo, NULL, &rsinfo->setDesc) !=
	    TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	rsinfo->returnMode = SFRM_Materialize;
	rsinfo->setResult = tuplestore_begin_heap(
	    (rsinfo->allowedModes & SFRM_Materialize_Random) != 0, false,
	    work_mem);
	MemoryContextSwitchTo(old);
}
#endif

#endif /* MMRD_PG_COMPAT_H */
