/*
 * extension/pg_slots.c
 *	  Who has which model ready: the registry's slots, one call each.
 *
 * The lock is held for a walk over the slots and never across anything that
 * can throw: segments are let go after it.
 */
#include "postgres.h"

#include "extension/pg_slots.h"

#include "access/xact.h"
#include "extension/pg_segment.h"
#include "miscadmin.h"
#include "storage/procarray.h"

enum
{
	/* How long to wait for another session's load before loading a copy of
	 * one's own.  It ends a deadlock that nobody else would see, where the
	 * loader waits for a lock that the waiting session holds. */
	LONGEST_WAIT_MS = 60 * 1000,
	LOOK_AGAIN_MS = 1000
};

static bool mine[MMRD_PG_SLOTS]; /* which this session uses */

/* ---- with the lock held ---- */

/* Segments to be forgotten once the lock is released. */
typedef struct leftover
{
	int n;
	dsm_handle handles[MMRD_PG_SLOTS];
} leftover;

static mmrd_pg_slot *
find(mmrd_pg_registry *r, const mmrd_pg_key *key)
{
	for (int i = 0; i < MMRD_PG_SLOTS; i++)
	{
		mmrd_pg_slot *s = &r->slots[i];

		if ((s->state == MMRD_PG_SLOT_LOADING ||
		     s->state == MMRD_PG_SLOT_READY) &&
		    memcmp(&s->key, key, sizeof(*key)) == 0)
			return s;
	}
	return NULL;
}

static mmrd_pg_slot *
find_free(mmrd_pg_registry *r)
{
	for (int i = 0; i < MMRD_PG_SLOTS; i++)
		if (r->slots[i].state == MMRD_PG_SLOT_FREE)
			return &r->slots[i];
	return NULL;
}

static void
let_go(mmrd_pg_slot *s, leftover *left)
{
	if (s->state == MMRD_PG_SLOT_READY)
		left->handles[left->n++] = s->handle;
	s->state = MMRD_PG_SLOT_FREE;
	s->evicted = false;
}

static void
evict(mmrd_pg_slot *s, leftover *left)
{
	s->evicted = true;
	if (s->users == 0)
		let_go(s, left);
}

static bool
evictable(const mmrd_pg_slot *s)
{
	return s->state == MMRD_PG_SLOT_READY && !s->evicted;
}

/* The least recently used, other than keep; NULL: there is none. */
static mmrd_pg_slot *
find_oldest(mmrd_pg_registry *r, const mmrd_pg_slot *keep)
{
	mmrd_pg_slot *oldest = NULL;

	for (int i = 0; i < MMRD_PG_SLOTS; i++)
	{
		mmrd_pg_slot *s = &r->slots[i];

		if (evictable(s) && s != keep &&
		    (oldest == NULL || (int64) pg_atomic_read_u64(&s->used) <
		                           (int64) pg_atomic_read_u64(&oldest->used)))
			oldest = s;
	}
	return oldest;
}

static void
make_room(mmrd_pg_registry *r, Size to_add, Size limit,
          const mmrd_pg_slot *keep, leftover *left)
{
	Size sum = to_add;

	for (int i = 0; i < MMRD_PG_SLOTS; i++)
		if (evictable(&r->slots[i]) ||
		    r->slots[i].state == MMRD_PG_SLOT_LOADING)
			sum += r->slots[i].n_bytes;
	while (sum > limit)
	{
		mmrd_pg_slot *s = find_oldest(r, keep);

		if (s == NULL)
			return; /* what is in use is kept, whatever its size */
		sum -= s->n_bytes;
		evict(s, left);
	}
}

/* Wanted again before it was gone: others make room for it now. */
static void
keep_after_all(mmrd_pg_registry *r, mmrd_pg_slot *s, Size limit,
               leftover *left)
{
	s->evicted = false;
	make_room(r, 0, limit, s, left);
}

static void
occupy(mmrd_pg_registry *r, mmrd_pg_slot *s, const mmrd_pg_key *key,
       Size n_bytes, mmrd_pg_slot_state state)
{
	s->key = *key;
	s->state = state;
	s->users = 1;
	s->pid = MyProcPid;
	s->evicted = false;
	s->n_bytes = n_bytes;
	s->loaded_at = GetCurrentTimestamp();
	pg_atomic_write_u64(&s->hits, 0);
	pg_atomic_write_u64(&s->used,
	                    (uint64) GetCurrentStatementStartTimestamp());
	mine[s - r->slots] = true;
}

/* ---- for the session ---- */

static void
forget_all(const leftover *left)
{
	for (int i = 0; i < left->n; i++)
		mmrd_pg_segment_forget(left->handles[i]);
}

static void
release_all(int code, Datum registry)
{
	mmrd_pg_registry *r = (mmrd_pg_registry *) DatumGetPointer(registry);

	(void) code;
	for (int i = 0; i < MMRD_PG_SLOTS; i++)
		if (mine[i])
			mmrd_pg_slots_release(r, i);
}

static void
release_at_exit(void)
{
	static bool registered = false;

	if (registered)
		return;
	mmrd_pg_registry_at_exit(release_all);
	registered = true;
}

/*
 * One look.  False: another session loads it; after a wait, look again.  A
 * loader that is gone without a word is not waited for.
 */
static bool
claim_once(mmrd_pg_registry *r, const mmrd_pg_key *key, Size n_bytes,
           Size limit_bytes, int *number, mmrd_pg_claim *claim)
{
	leftover left = {0};
	mmrd_pg_slot *s;
	bool decided = true;

	LWLockAcquire(&r->lock, LW_EXCLUSIVE);
	s = find(r, key);
	if (s != NULL && s->state == MMRD_PG_SLOT_READY)
	{
		s->users++;
		mine[s - r->slots] = true;
		if (s->evicted)
			keep_after_all(r, s, limit_bytes, &left);
		*claim = MMRD_PG_CLAIM_READY;
	}
	else if (s != NULL && BackendPidGetProc(s->pid) != NULL)
		decided = false;
	else
	{
		if (s == NULL)
		{
			make_room(r, n_bytes, limit_bytes, NULL, &left);
			s = find_free(r);
		}
		if (s == NULL && (s = find_oldest(r, NULL)) != NULL)
		{
			evict(s, &left);
			s = find_free(r);
		}
		*claim = s == NULL ? MMRD_PG_CLAIM_NONE : MMRD_PG_CLAIM_LOAD;
		if (s != NULL)
			occupy(r, s, key, n_bytes, MMRD_PG_SLOT_LOADING);
	}
	*number = s == NULL ? -1 : (int) (s - r->slots);
	LWLockRelease(&r->lock);
	forget_all(&left);
	return decided;
}

mmrd_pg_claim
mmrd_pg_slots_claim(mmrd_pg_registry *r, const mmrd_pg_key *key, Size n_bytes,
                    Size limit_bytes, int *number)
{
	static uint32 wait_event = 0;
	const TimestampTz start = GetCurrentTimestamp();
	mmrd_pg_claim claim = MMRD_PG_CLAIM_NONE;

	if (wait_event == 0)
		wait_event = mmrd_pg_wait_event("MmrdModelLoad");
	release_at_exit();
	while (!claim_once(r, key, n_bytes, limit_bytes, number, &claim))
	{
		if (TimestampDifferenceExceeds(start, GetCurrentTimestamp(),
		                               LONGEST_WAIT_MS))
		{
			*number = -1;
			claim = MMRD_PG_CLAIM_NONE;
			break;
		}
		(void) ConditionVariableTimedSleep(&r->loaded, LOOK_AGAIN_MS,
		                                   wait_event);
	}
	ConditionVariableCancelSleep();
	return claim;
}

bool
mmrd_pg_slots_ready(mmrd_pg_registry *r, const mmrd_pg_key *key)
{
	const mmrd_pg_slot *s;
	bool ready;

	LWLockAcquire(&r->lock, LW_SHARED);
	s = find(r, key);
	ready = s != NULL && s->state == MMRD_PG_SLOT_READY;
	LWLockRelease(&r->lock);
	return ready;
}

void
mmrd_pg_slots_publish(mmrd_pg_registry *r, int number, dsm_handle handle)
{
	mmrd_pg_slot *s = &r->slots[number];

	LWLockAcquire(&r->lock, LW_EXCLUSIVE);
	s->handle = handle;
	s->loaded_at = GetCurrentTimestamp();
	s->state = MMRD_PG_SLOT_READY;
	LWLockRelease(&r->lock);
	ConditionVariableBroadcast(&r->loaded);
}

int
mmrd_pg_slots_list_private(mmrd_pg_registry *r, const mmrd_pg_key *key,
                           Size n_bytes)
{
	mmrd_pg_slot *s;

	release_at_exit();
	LWLockAcquire(&r->lock, LW_EXCLUSIVE);
	s = find_free(r);
	if (s != NULL)
		occupy(r, s, key, n_bytes, MMRD_PG_SLOT_PRIVATE);
	LWLockRelease(&r->lock);
	return s == NULL ? -1 : (int) (s - r->slots);
}

void
mmrd_pg_slots_hit(mmrd_pg_registry *r, int number, Size limit_bytes)
{
	mmrd_pg_slot *s = &r->slots[number];
	leftover left = {0};

	pg_atomic_fetch_add_u64(&s->hits, 1);
	pg_atomic_write_u64(&s->used,
	                    (uint64) GetCurrentStatementStartTimestamp());
	if (s->evicted)
	{
		LWLockAcquire(&r->lock, LW_EXCLUSIVE);
		keep_after_all(r, s, limit_bytes, &left);
		LWLockRelease(&r->lock);
		forget_all(&left);
	}
}

void
mmrd_pg_slots_release(mmrd_pg_registry *r, int number)
{
	mmrd_pg_slot *s = &r->slots[number];
	leftover left = {0};
	bool abandoned;

	LWLockAcquire(&r->lock, LW_EXCLUSIVE);
	mine[number] = false;
	abandoned = s->state == MMRD_PG_SLOT_LOADING;
	s->users--;
	if (s->users == 0 && (s->state != MMRD_PG_SLOT_READY || s->evicted))
		let_go(s, &left);
	LWLockRelease(&r->lock);
	if (abandoned)
		ConditionVariableBroadcast(&r->loaded);
	forget_all(&left);
}

void
mmrd_pg_slots_trim(mmrd_pg_registry *r, Size limit_bytes)
{
	leftover left = {0};

	LWLockAcquire(&r->lock, LW_EXCLUSIVE);
	make_room(r, 0, limit_bytes, NULL, &left);
	LWLockRelease(&r->lock);
	forget_all(&left);
}

void
mmrd_pg_slots_evict(mmrd_pg_registry *r, Oid database, const pg_uuid_t *uid)
{
	leftover left = {0};

	LWLockAcquire(&r->lock, LW_EXCLUSIVE);
	for (int i = 0; i < MMRD_PG_SLOTS; i++)
	{
		mmrd_pg_slot *s = &r->slots[i];

		if (evictable(s) && s->key.database == database &&
		    memcmp(&s->key.uid, uid, sizeof(*uid)) == 0)
			evict(s, &left);
	}
	LWLockRelease(&r->lock);
	forget_all(&left);
}

Size
mmrd_pg_slots_evict_unused(mmrd_pg_registry *r, Oid database)
{
	leftover left = {0};
	Size sum = 0;

	LWLockAcquire(&r->lock, LW_EXCLUSIVE);
	for (int i = 0; i < MMRD_PG_SLOTS; i++)
	{
		mmrd_pg_slot *s = &r->slots[i];

		if (s->state == MMRD_PG_SLOT_READY && s->users == 0 &&
		    (!OidIsValid(database) || s->key.database == database))
		{
			sum += s->n_bytes;
			let_go(s, &left);
		}
	}
	LWLockRelease(&r->lock);
	forget_all(&left);
	return sum;
}

int
mmrd_pg_slots_list(mmrd_pg_registry *r, mmrd_pg_slot *out)
{
	int n = 0;

	LWLockAcquire(&r->lock, LW_SHARED);
	for (int i = 0; i < MMRD_PG_SLOTS; i++)
		if (r->slots[i].state != MMRD_PG_SLOT_FREE)
			out[n++] = r->slots[i];
	LWLockRelease(&r->lock);
	return n;
}
