/*
 * extension/pg_cache.h
 *	  The models that this session has made ready to score.
 *
 * Keyed by a version's uid and the precision of scoring: versions never
 * change, so an entry is never stale, and which version is wanted was decided
 * before, by a snapshot.
 */
#ifndef MMRD_PG_CACHE_H
#define MMRD_PG_CACHE_H

#include "extension/pg_engine.h"
#include "extension/pg_store.h"

/*
 * The engine of a version for scoring in a precision (mmrd_precision; see
 * mmrd_pg_precision_now()): loaded now, unless it is there.  Others are let
 * go, the least recently used first, until all fit in mmrd.cache_size.  Valid
 * until the next call.
 */
extern mmrd_pg_engine *mmrd_pg_cache_get(const mmrd_pg_version *version,
                                         int precision);

#endif /* MMRD_PG_CACHE_H */
