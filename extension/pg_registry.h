/*
 * extension/pg_registry.h
 *	  The small table in the server's shared memory in which the sessions
 *	  agree: who has which model ready, and who runs how many threads.
 *
 * It holds no weights.  Those lie in segments of dynamic shared memory, one
 * for each model, whose handles are here.  Everything is zero after the
 * server starts, and after a crash, because the postmaster then makes shared
 * memory anew.
 *
 * A slot's life, with the number of sessions that use it in brackets:
 *
 *	  FREE [0] -> LOADING [1: its loader] -> READY [n] -> FREE [0]
 *	  FREE [0] -> PRIVATE [1: its owner] -> FREE [0]
 *
 * A slot with users is never reused, so a session that uses it may read key,
 * state, handle and n_bytes without the lock.  A READY slot outlives its last
 * user until something else needs the memory; `evicted` says that it will
 * not: who looks for the model still finds it, and clears the mark.
 */
#ifndef MMRD_PG_REGISTRY_H
#define MMRD_PG_REGISTRY_H

#include "extension/pg_compat.h"
#include "port/atomics.h"
#include "storage/condition_variable.h"
#include "storage/dsm.h"
#include "storage/lwlock.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

enum
{
	/* Models in memory at once, private copies included: 11 kB of the 100
	 * that the server leaves to libraries that are not preloaded. */
	MMRD_PG_SLOTS = 128
};

/* Which packed weights: a version never changes, its uid is never reused. */
typedef struct mmrd_pg_key
{
	Oid database;
	int32 precision;
	pg_uuid_t uid;
} mmrd_pg_key;

typedef enum mmrd_pg_slot_state
{
	MMRD_PG_SLOT_FREE,
	MMRD_PG_SLOT_LOADING,
	MMRD_PG_SLOT_READY,
	MMRD_PG_SLOT_PRIVATE /* in the memory of one session, listed only */
} mmrd_pg_slot_state;

typedef struct mmrd_pg_slot
{
	mmrd_pg_key key;
	int32 state; /* mmrd_pg_slot_state */
	int32 users; /* sessions */
	int32 pid;   /* who loads or loaded it; of PRIVATE: whose it is */
	bool evicted;
	dsm_handle handle; /* of READY */
	Size n_bytes;
	TimestampTz loaded_at; /* of READY and PRIVATE */
	pg_atomic_uint64 hits; /* scans scored without loading it */
	pg_atomic_uint64 used; /* TimestampTz of the statement that did last */
} mmrd_pg_slot;

typedef struct mmrd_pg_registry
{
	int tranche;
	LWLock lock;              /* for all below, except where said otherwise */
	LWLock growing;           /* held by who makes threads, nothing else */
	ConditionVariable loaded; /* some slot stopped being LOADING */
	int32 threads_taken;      /* by all sessions together */
	int32 threads_wanted;
	int32 threads_sessions; /* that have taken any */
	mmrd_pg_slot slots[MMRD_PG_SLOTS];
} mmrd_pg_registry;

/*
 * The registry, or NULL where the server has no memory left for it; *why,
 * unless NULL, then says so in a sentence.  Asked for once a session.
 */
extern mmrd_pg_registry *mmrd_pg_registry_get(const char **why);

/* From _PG_init in the postmaster: have it made when the server starts. */
extern void mmrd_pg_registry_preload(void);

/*
 * Have callback(code, registry) called when this session ends, after its
 * transaction and its mappings.  Not before_shmem_exit(): in the middle of a
 * statement that would break PG_ENSURE_ERROR_CLEANUP() around us, which
 * expects its own entry to be the last one.
 */
extern void mmrd_pg_registry_at_exit(void (*callback)(int code, Datum arg));

/*
 * Run action(arg), which takes memory of the server's, under a resource owner
 * of its own; on success it must have detached from that owner what it keeps.
 * When it throws, all is released and NULL is not the result but what went
 * wrong, in the current memory context; a cancellation is thrown on.  A
 * subtransaction would do the same, but not in a parallel worker.  No LWLock
 * may be held.
 */
extern ErrorData *mmrd_pg_attempt(void (*action)(void *arg), void *arg);

#endif /* MMRD_PG_REGISTRY_H */
