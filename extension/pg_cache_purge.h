/*
 * extension/pg_cache_purge.h
 *	  Letting go of shared models that nobody can ask for any more.
 *
 * Uids are never given twice, so such models are never wrong, only in the
 * way: of databases that were dropped, and of versions that are gone, with
 * their rows or with the whole extension.
 */
#ifndef MMRD_PG_CACHE_PURGE_H
#define MMRD_PG_CACHE_PURGE_H

#include "extension/pg_registry.h"

/* Looked up with the active snapshot; runs between no access_begin/_end. */
extern void mmrd_pg_cache_purge(mmrd_pg_registry *r);

#endif /* MMRD_PG_CACHE_PURGE_H */
