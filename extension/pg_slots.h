/*
 * extension/pg_slots.h
 *	  Who has which model ready: the registry's slots, one call each.
 *
 * A slot is known by its number.  A session uses a slot at most once, and
 * everything it uses is released when it ends, however it ends; if a loader
 * ends, another session may load.
 */
#ifndef MMRD_PG_SLOTS_H
#define MMRD_PG_SLOTS_H

#include "extension/pg_registry.h"

typedef enum mmrd_pg_claim
{
	MMRD_PG_CLAIM_READY, /* it is loaded, and we use it now */
	MMRD_PG_CLAIM_LOAD,  /* we use it, and everybody waits for us to load */
	MMRD_PG_CLAIM_NONE   /* no slot is free, or a loader took too long */
} mmrd_pg_claim;

/*
 * Use the slot of a model.  While another session loads it this waits, and
 * may be cancelled.  To make room others are evicted, the least recently used
 * first, until all fit in limit_bytes.
 */
extern mmrd_pg_claim mmrd_pg_slots_claim(mmrd_pg_registry *r,
                                         const mmrd_pg_key *key, Size n_bytes,
                                         Size limit_bytes, int *number);

/* Is it loaded?  It may be evicted a moment later. */
extern bool mmrd_pg_slots_ready(mmrd_pg_registry *r, const mmrd_pg_key *key);

/* What we were to load is there, in a published segment. */
extern void mmrd_pg_slots_publish(mmrd_pg_registry *r, int number,
                                  dsm_handle handle);

/* List a copy in this session's own memory; -1 when no slot is free. */
extern int mmrd_pg_slots_list_private(mmrd_pg_registry *r,
                                      const mmrd_pg_key *key, Size n_bytes);

/* A scan is scored with it; if it was to be evicted, others are instead. */
extern void mmrd_pg_slots_hit(mmrd_pg_registry *r, int number,
                              Size limit_bytes);

/* We do not use it any more; a load that is not published is abandoned. */
extern void mmrd_pg_slots_release(mmrd_pg_registry *r, int number);

/* Evict until all that are not evicted fit in limit_bytes. */
extern void mmrd_pg_slots_trim(mmrd_pg_registry *r, Size limit_bytes);

/* Evict a version in each precision. */
extern void mmrd_pg_slots_evict(mmrd_pg_registry *r, Oid database,
                                const pg_uuid_t *uid);

/*
 * Evict what no session uses, in one database, or in all (InvalidOid).
 * Returns the bytes.
 */
extern Size mmrd_pg_slots_evict_unused(mmrd_pg_registry *r, Oid database);

/* Copies of the slots that are not free; how many.  out has room for all. */
extern int mmrd_pg_slots_list(mmrd_pg_registry *r, mmrd_pg_slot *out);

#endif /* MMRD_PG_SLOTS_H */
