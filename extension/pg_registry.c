/*
 * extension/pg_registry.c
 *	  Finding or making the table that all sessions share.
 *
 * Preloaded, the server reserves its memory at the start.  Otherwise the
 * first session that needs it makes it, in what the main segment has to
 * spare.  That may fail, and then every session keeps to itself.
 *
 * The named segments that there are since PostgreSQL 17 are no better place:
 * one that cannot be made leaves a lock and a broken entry behind, and a
 * session loses its mapping before the last moment at which it can say that
 * it has ended (see mmrd_pg_registry_at_exit).
 */
#include "postgres.h"

#include "extension/pg_registry.h"

#include "storage/shmem.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

/* Its layout's number: another version of the library must not find it. */
#define REGISTRY_NAME "mmrd registry 2"

static mmrd_pg_registry *registry = NULL; /* forked on, when preloaded */
static shmem_startup_hook_type earlier_startup = NULL;

static void
init_registry(void *memory)
{
	mmrd_pg_registry *r = memory;

	memset(r, 0, sizeof(*r));
	r->tranche = mmrd_pg_new_tranche("mmrd registry");
	LWLockInitialize(&r->lock, r->tranche);
	LWLockInitialize(&r->growing, r->tranche);
	ConditionVariableInit(&r->loaded);
	for (int i = 0; i < MMRD_PG_SLOTS; i++)
	{
		pg_atomic_init_u64(&r->slots[i].hits, 0);
		pg_atomic_init_u64(&r->slots[i].used, 0);
	}
}

static mmrd_pg_registry *
find_or_make(void)
{
	bool found;
	mmrd_pg_registry *r;

	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	r = ShmemInitStruct(REGISTRY_NAME, sizeof(mmrd_pg_registry), &found);
	if (!found)
		init_registry(r);
	LWLockRelease(AddinShmemInitLock);
	return r;
}

static void
request_memory(void)
{
	RequestAddinShmemSpace(MAXALIGN(sizeof(mmrd_pg_registry)));
}

static void
make_at_start(void)
{
	if (earlier_startup != NULL)
		earlier_startup();
	registry = find_or_make();
	mmrd_pg_name_tranche(registry->tranche, "mmrd registry");
}

void
mmrd_pg_registry_preload(void)
{
	mmrd_pg_on_shmem_request(request_memory);
	earlier_startup = shmem_startup_hook;
	shmem_startup_hook = make_at_start;
}

static void
try_to_find(void *out)
{
	*(mmrd_pg_registry **) out = find_or_make();
}

mmrd_pg_registry *
mmrd_pg_registry_get(const char **why)
{
	static const char *refused = NULL;

	if (registry == NULL && refused == NULL)
	{
		mmrd_pg_registry *found = NULL;
		ErrorData *error = mmrd_pg_attempt(try_to_find, &found);

		if (error != NULL)
		{
			refused = MemoryContextStrdup(TopMemoryContext, error->message);
			FreeErrorData(error);
		}
		else
		{
			registry = found;
			mmrd_pg_name_tranche(registry->tranche, "mmrd registry");
		}
	}
	if (why != NULL)
		*why = refused;
	return registry;
}

void
mmrd_pg_registry_at_exit(void (*callback)(int code, Datum arg))
{
	on_shmem_exit(callback, PointerGetDatum(registry));
}

ErrorData *
mmrd_pg_attempt(void (*action)(void *arg), void *arg)
{
	MemoryContext caller = CurrentMemoryContext;
	ResourceOwner before = CurrentResourceOwner;
	ResourceOwner own = ResourceOwnerCreate(before, "mmrd shared memory");
	ErrorData *volatile error = NULL;

	CurrentResourceOwner = own;
	PG_TRY();
	{
		action(arg);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(caller);
		error = CopyErrorData();
		FlushErrorState();
		/* Of those that the action took; our callers hold none. */
		LWLockReleaseAll();
	}
	PG_END_TRY();
	CurrentResourceOwner = before;
	ResourceOwnerRelease(own, RESOURCE_RELEASE_BEFORE_LOCKS, error == NULL,
	                     false);
	ResourceOwnerRelease(own, RESOURCE_RELEASE_LOCKS, error == NULL, false);
	ResourceOwnerRelease(own, RESOURCE_RELEASE_AFTER_LOCKS, error == NULL,
	                     false);
	ResourceOwnerDelete(own);
	if (error != NULL &&
	    ERRCODE_TO_CATEGORY(error->sqlerrcode) ==
	        ERRCODE_TO_CATEGORY(ERRCODE_OPERATOR_INTERVENTION))
		ReThrowError(error);
	return error;
}
