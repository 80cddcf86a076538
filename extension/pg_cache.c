/*
 * extension/pg_cache.c
 *	  Models ready to score: one copy for the whole server, and this session's
 *	  working memory.
 *
 * Nothing tells a session that a model which it has mapped was evicted: it
 * notices at its next call, and unmaps what it does not need just then.
 */
#include "postgres.h"

#include "extension/pg_cache.h"

#include "access/parallel.h"
#include "access/xact.h"
#include "extension/pg_access.h"
#include "extension/pg_cache_purge.h"
#include "extension/pg_segment.h"
#include "extension/pg_settings.h"
#include "extension/pg_slots.h"
#include "lib/ilist.h"
#include "miscadmin.h"
#include "utils/memutils.h"

enum
{
	MAX_ENGINES = 4 /* working memory of so many configurations is kept */
};

/* Weights that this session can read. */
typedef struct model
{
	dlist_node node;
	mmrd_pg_key key;
	int slot;             /* of the registry; -1: not listed there */
	dsm_segment *segment; /* NULL: private */
	MemoryContext memory; /* private: holds the weights */
	const void *packed;
	Size n_bytes;
	bool provisional; /* of a version that this transaction has made */
} model;

typedef struct working
{
	dlist_node node;
	MemoryContext memory; /* holds this and the engine */
	mmrd_config config;
	mmrd_pg_engine *engine;
} working;

/* What a call asks for. */
typedef struct wish
{
	const mmrd_pg_version *version;
	mmrd_pg_key key;
	mmrd_config config;
	Size n_bytes;
} wish;

static MemoryContext cache_memory = NULL;
static dlist_head models = DLIST_STATIC_INIT(models); /* latest use first */
static dlist_head workings = DLIST_STATIC_INIT(workings);

/* uids of versions that this transaction has deleted */
static List *forgotten = NIL;

static Size
limit_bytes(void)
{
	return (Size) mmrd_pg_setting_cache_size << 10;
}

/* ---- weights ---- */

static void
drop(model *m)
{
	dlist_delete(&m->node);
	if (m->segment != NULL)
		mmrd_pg_segment_detach(m->segment);
	if (m->memory != NULL)
		MemoryContextDelete(m->memory);
	if (m->slot >= 0)
		mmrd_pg_slots_release(mmrd_pg_registry_get(NULL), m->slot);
	pfree(m);
}

/* Unmap what was evicted, and the oldest private copies above the limit. */
static void
drop_unneeded(const model *needed, Size to_add)
{
	const mmrd_pg_registry *r = mmrd_pg_registry_get(NULL);
	Size kept = to_add;
	dlist_mutable_iter it;

	dlist_foreach_modify(it, &models)
	{
		model *m = dlist_container(model, node, it.cur);

		if (m->segment == NULL)
			kept += m->n_bytes;
		if (m == needed)
			continue;
		if (m->segment != NULL ? r->slots[m->slot].evicted
		                       : kept > limit_bytes())
		{
			kept -= m->segment == NULL ? m->n_bytes : 0;
			drop(m);
		}
	}
}

static void
build(const wish *w, void *block)
{
	const mmrd_pg_version *version = w->version;
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
	                      mmrd_packed_build(&w->config, mmrd_pg_tensors_lookup,
	                                        tensors, block, &err),
	                      &err);
	mmrd_pg_access_end(&access);
	MemoryContextDelete(loading);
}

static model *
remember(const wish *w)
{
	model *m = MemoryContextAllocZero(cache_memory, sizeof(model));

	m->key = w->key;
	m->slot = -1;
	m->n_bytes = w->n_bytes;
	dlist_push_head(&models, &m->node);
	return m;
}

/* Until it is complete it belongs to the caller's context. */
static model *
load_private(const wish *w)
{
	MemoryContext memory = AllocSetContextCreate(
	    CurrentMemoryContext, "mmrd model", ALLOCSET_SMALL_SIZES);
	mmrd_pg_registry *r = mmrd_pg_registry_get(NULL);
	void *packed;
	model *m;

	MemoryContextCopyAndSetIdentifier(memory, w->version->model);
	drop_unneeded(NULL, w->n_bytes);
	packed = mmrd_pg_allocate(memory, w->n_bytes, NULL);
	build(w, packed);
	m = remember(w);
	m->memory = memory;
	m->packed = packed;
	m->provisional = w->version->provisional;
	MemoryContextSetParent(memory, cache_memory);
	if (r != NULL && !m->provisional)
		m->slot = mmrd_pg_slots_list_private(r, &w->key, w->n_bytes);
	return m;
}

static model *
remember_shared(const wish *w, int slot, dsm_segment *segment)
{
	model *m = remember(w);

	m->slot = slot;
	m->segment = segment;
	m->packed = dsm_segment_address(segment);
	return m;
}

/* We have claimed the slot to load.  NULL: shared memory is short. */
static model *
load_shared(mmrd_pg_registry *r, const wish *w, int slot, char **why)
{
	dsm_segment *volatile segment = NULL;

	PG_TRY();
	{
		segment = mmrd_pg_segment_create(w->n_bytes, why);
		if (segment != NULL)
			build(w, dsm_segment_address(segment));
	}
	PG_CATCH();
	{
		/* Let somebody else try; a segment that is not published goes. */
		if (segment != NULL)
			dsm_detach(segment);
		mmrd_pg_slots_release(r, slot);
		PG_RE_THROW();
	}
	PG_END_TRY();
	if (segment == NULL)
	{
		mmrd_pg_slots_release(r, slot);
		return NULL;
	}
	mmrd_pg_segment_publish(segment);
	mmrd_pg_slots_publish(r, slot, dsm_segment_handle(segment));
	return remember_shared(w, slot, segment);
}

static model *
attach(mmrd_pg_registry *r, const wish *w, int slot, char **why)
{
	dsm_segment *segment = NULL;

	PG_TRY();
	{
		segment = mmrd_pg_segment_attach(r->slots[slot].handle, why);
	}
	PG_CATCH();
	{
		mmrd_pg_slots_release(r, slot);
		PG_RE_THROW();
	}
	PG_END_TRY();
	if (segment == NULL)
	{
		mmrd_pg_slots_release(r, slot);
		return NULL;
	}
	mmrd_pg_slots_hit(r, slot, limit_bytes());
	return remember_shared(w, slot, segment);
}

/* Once a session.  Parallel workers are new sessions, hundreds a day. */
static void
say_private(const wish *w, const char *why)
{
	static bool said = false;

	if (said || IsParallelWorker())
		return;
	said = true;
	ereport(NOTICE,
	        (errmsg("model \"%s\" is kept in this session's own memory",
	                w->version->model),
	         errdetail("Version %d takes %zu MB, and sharing it failed: %s.",
	                   w->version->version, w->n_bytes >> 20, why),
	         errhint("Give the server more dynamic shared memory: /dev/shm, "
	                 "in a container its option for the size of that.")));
}

static model *
load(wish *w)
{
	const char *refused = NULL;
	char *why = NULL;
	mmrd_pg_registry *r;
	model *m = NULL;
	int slot;

	w->n_bytes = mmrd_packed_bytes(&w->config);
	if (w->version->provisional)
		return load_private(w);
	r = mmrd_pg_registry_get(&refused);
	if (r != NULL)
	{
		if (!mmrd_pg_slots_ready(r, &w->key))
			mmrd_pg_cache_purge(r);
		switch (
		    mmrd_pg_slots_claim(r, &w->key, w->n_bytes, limit_bytes(), &slot))
		{
			case MMRD_PG_CLAIM_READY:
				m = attach(r, w, slot, &why);
				break;
			case MMRD_PG_CLAIM_LOAD:
				m = load_shared(r, w, slot, &why);
				break;
			case MMRD_PG_CLAIM_NONE:
				why = "too many models are in use, or another session takes "
				      "too long to load it";
				break;
		}
	}
	if (m == NULL)
	{
		say_private(w, why != NULL ? why : refused);
		m = load_private(w);
	}
	return m;
}

/* ---- transactions ---- */

static void
at_transaction_end(XactEvent event, void *unused)
{
	mmrd_pg_registry *r = mmrd_pg_registry_get(NULL);
	dlist_mutable_iter it;
	ListCell *cell;

	(void) unused;
	switch (event)
	{
		case XACT_EVENT_COMMIT:
			if (r == NULL)
				break;
			foreach (cell, forgotten)
				mmrd_pg_slots_evict(r, MyDatabaseId, lfirst(cell));
			break;
		case XACT_EVENT_ABORT:
		case XACT_EVENT_PREPARE:
		case XACT_EVENT_PARALLEL_COMMIT:
		case XACT_EVENT_PARALLEL_ABORT:
			break;
		default:
			return;
	}
	forgotten = NIL; /* its memory goes with the transaction */
	dlist_foreach_modify(it, &models)
	{
		model *m = dlist_container(model, node, it.cur);

		if (m->provisional)
			drop(m);
	}
}

static void
begin(void)
{
	if (cache_memory != NULL)
		return;
	/* Tried here and now: a transaction's end is no time to try. */
	(void) mmrd_pg_registry_get(NULL);
	RegisterXactCallback(at_transaction_end, NULL);
	cache_memory = AllocSetContextCreate(TopMemoryContext, "mmrd cache",
	                                     ALLOCSET_SMALL_SIZES);
}

void
mmrd_pg_cache_forget(const pg_uuid_t *uid)
{
	MemoryContext before = MemoryContextSwitchTo(TopTransactionContext);
	pg_uuid_t *copy = palloc(sizeof(*copy));

	begin();
	*copy = *uid;
	forgotten = lappend(forgotten, copy);
	MemoryContextSwitchTo(before);
}

/* ---- working memory ---- */

static mmrd_pg_engine *
engine_for(const wish *wanted)
{
	const mmrd_config *config = &wanted->config;
	MemoryContext memory;
	working *w;
	dlist_mutable_iter it;
	int n = 0;

	dlist_foreach_modify(it, &workings)
	{
		w = dlist_container(working, node, it.cur);
		if (memcmp(&w->config, config, sizeof(*config)) == 0)
		{
			dlist_move_head(&workings, &w->node);
			return w->engine;
		}
		if (++n == MAX_ENGINES)
		{
			dlist_delete(&w->node);
			MemoryContextDelete(w->memory);
		}
	}
	memory = AllocSetContextCreate(CurrentMemoryContext, "mmrd working memory",
	                               ALLOCSET_SMALL_SIZES);
	w = MemoryContextAllocZero(memory, sizeof(working));
	w->memory = memory;
	w->config = *config;
	w->engine = mmrd_pg_engine_create(&wanted->version->options,
	                                  config->precision, memory);
	MemoryContextSetParent(memory, cache_memory);
	dlist_push_head(&workings, &w->node);
	return w->engine;
}

/* ---- all together ---- */

static model *
find(const mmrd_pg_key *key)
{
	dlist_iter it;

	dlist_foreach(it, &models)
	{
		model *m = dlist_container(model, node, it.cur);

		if (memcmp(&m->key, key, sizeof(*key)) == 0)
			return m;
	}
	return NULL;
}

/* A smaller limit is heeded by the first session that notices. */
static void
heed_limit(mmrd_pg_registry *r)
{
	static int seen = -1;

	if (seen == mmrd_pg_setting_cache_size)
		return;
	seen = mmrd_pg_setting_cache_size;
	mmrd_pg_slots_trim(r, limit_bytes());
}

mmrd_pg_engine *
mmrd_pg_cache_get(const mmrd_pg_version *version, int precision)
{
	wish w = {version,
	          {MyDatabaseId, precision, version->uid},
	          mmrd_pg_scoring_config(&version->options, precision),
	          0};
	mmrd_pg_registry *r;
	mmrd_pg_engine *engine;
	model *m;

	begin();
	r = mmrd_pg_registry_get(NULL);
	if (r != NULL)
		heed_limit(r);
	m = find(&w.key);
	if (m == NULL)
		m = load(&w);
	else
	{
		dlist_move_head(&models, &m->node);
		if (m->slot >= 0)
			mmrd_pg_slots_hit(r, m->slot, limit_bytes());
	}
	drop_unneeded(m, 0);
	engine = engine_for(&w);
	engine->packed = m->packed;
	return engine;
}
