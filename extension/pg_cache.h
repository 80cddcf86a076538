/*
 * extension/pg_cache.h
 *	  Models ready to score: one copy for the whole server, and this session's
 *	  working memory.
 *
 * Keyed by a version's uid and the precision of scoring: versions never
 * change, so an entry is never stale, and which version is wanted was decided
 * before, by a snapshot.
 *
 * The packed weights lie in dynamic shared memory, loaded by whichever
 * session needs them first while the others wait.  A session keeps a copy to
 * itself where shared memory is short (it says so, once), and of a version
 * that its own transaction has made: nobody else may see that one yet, and if
 * the transaction fails nobody ever will.
 */
#ifndef MMRD_PG_CACHE_H
#define MMRD_PG_CACHE_H

#include "extension/pg_engine.h"
#include "extension/pg_store.h"

/*
 * The engine of a version for scoring in a precision (mmrd_precision; see
 * mmrd_pg_precision_now()): its weights loaded now, unless they are there, and
 * working memory, which versions of one configuration have in common.  Valid
 * until the next call.
 */
extern mmrd_pg_engine *mmrd_pg_cache_get(const mmrd_pg_version *version,
                                         int precision);

/* The version is deleted: if the transaction commits, let go of it. */
extern void mmrd_pg_cache_forget(const pg_uuid_t *uid);

#endif /* MMRD_PG_CACHE_H */
