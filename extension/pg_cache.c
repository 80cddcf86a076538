/*
 * extension/pg_cache.c
 *	  The models that this session has made ready to score.
 *
 * Each entry is a memory context of its own, made below the caller's while it
 * is loaded, so that an error half way leaves nothing, and moved below the
 * cache's when it is complete.
 */
#include "postgres.h"

#include "extension/pg_cache.h"

#include "extension/pg_access.h"
#include "extension/pg_settings.h"
#include "lib/ilist.h"
#include "utils/memutils.h"

typedef struct entry
{
	dlist_node node;
	pg_uuid_t uid;
	int precision;
	MemoryContext memory; /* holds the entry itself and its engine */
	mmrd_pg_engine *engine;
} entry;

static MemoryContext cache_memory = NULL;
static dlist_head entries = DLIST_STATIC_INIT(entries); /* latest use first */

static entry *
find(const pg_uuid_t *uid, int precision)
{
	dlist_iter it;

	dlist_foreach(it, &entries)
	{
		entry *e = dlist_container(entry, node, it.cur);

		if (memcmp(&e->uid, uid, sizeof(*uid)) == 0 &&
		    e->precision == precision)
			return e;
	}
	return NULL;
}

static void
evict(Size to_add)
{
	const Size limit = (Size) mmrd_pg_setting_cache_size << 10;
	const Size room = limit > to_add ? limit - to_add : 0;
	Size kept = 0;
	dlist_mutable_iter it;

	dlist_foreach_modify(it, &entries)
	{
		entry *e = dlist_container(entry, node, it.cur);

		if (kept + e->engine->n_bytes <= room)
		{
			kept += e->engine->n_bytes;
			continue;
		}
		dlist_delete(&e->node);
		MemoryContextDelete(e->memory);
	}
}

static void
build(const mmrd_pg_version *version, mmrd_pg_engine *engine)
{
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext loading = AllocSetContextCreate(caller, "mmrd model loading",
	                                              ALLOCSET_DEFAULT_SIZES);
	mmrd_pg_access access;
	mmrd_pg_tensors *tensors;
	mmrd_error err = {0};

	mmrd_pg_access_begin(&access);
	tensors = mmrd_pg_tensors_open(version->id, &version->teacher,
	                               &version->options.config, loading);
	mmrd_pg_tensors_check(tensors,
	                      mmrd_packed_build(&engine->config,
	                                        mmrd_pg_tensors_lookup, tensors,
	                                        engine->packed, &err),
	                      &err);
	mmrd_pg_access_end(&access);
	MemoryContextDelete(loading);
}

static entry *
load(const mmrd_pg_version *version, int precision)
{
	MemoryContext memory = AllocSetContextCreate(
	    CurrentMemoryContext, "mmrd model", ALLOCSET_SMALL_SIZES);
	entry *e = MemoryContextAllocZero(memory, sizeof(entry));

	if (cache_memory == NULL)
		cache_memory = AllocSetContextCreate(TopMemoryContext, "mmrd cache",
		                                     ALLOCSET_SMALL_SIZES);
	MemoryContextCopyAndSetIdentifier(memory, version->model);
	evict(mmrd_pg_engine_bytes(&version->options, precision));
	e->uid = version->uid;
	e->precision = precision;
	e->memory = memory;
	e->engine = mmrd_pg_engine_create(&version->options, precision, memory);
	build(version, e->engine);
	MemoryContextSetParent(memory, cache_memory);
	dlist_push_head(&entries, &e->node);
	return e;
}

mmrd_pg_engine *
mmrd_pg_cache_get(const mmrd_pg_version *version, int precision)
{
	entry *e = find(&version->uid, precision);

	if (e == NULL)
		e = load(version, precision);
	else
		dlist_move_head(&entries, &e->node);
	return e->engine;
}
