/*
 * extension/pg_cache_view.c
 *	  What the views mmrd.cache and mmrd.threads show, and clearing the cache.
 */
#include "postgres.h"

#include "catalog/pg_authid.h"
#include "extension/pg_access.h"
#include "extension/pg_budget.h"
#include "extension/pg_cache_purge.h"
#include "extension/pg_slots.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(mmrd_cached);
PG_FUNCTION_INFO_V1(mmrd_cache_clear);
PG_FUNCTION_INFO_V1(mmrd_threads_taken);

static const char *const precisions[] = {"float32", "bfloat16"};

static const char *
state_name(const mmrd_pg_slot *s)
{
	if (s->state == MMRD_PG_SLOT_LOADING)
		return "loading";
	return s->evicted ? "evicted" : "ready";
}

static void
put_row(ReturnSetInfo *rsinfo, mmrd_pg_slot *s)
{
	Datum values[11];
	bool nulls[11] = {false};

	values[0] = ObjectIdGetDatum(s->key.database);
	values[1] = UUIDPGetDatum(&s->key.uid);
	values[2] = CStringGetTextDatum(precisions[s->key.precision]);
	values[3] = BoolGetDatum(s->state != MMRD_PG_SLOT_PRIVATE);
	values[4] = CStringGetTextDatum(state_name(s));
	values[5] = Int64GetDatum((int64) s->n_bytes);
	values[6] = Int32GetDatum(s->users);
	values[7] = Int64GetDatum((int64) pg_atomic_read_u64(&s->hits));
	values[8] = TimestampTzGetDatum(s->loaded_at);
	nulls[8] = s->state == MMRD_PG_SLOT_LOADING;
	values[9] =
	    TimestampTzGetDatum((TimestampTz) pg_atomic_read_u64(&s->used));
	values[10] = Int32GetDatum(s->pid);
	nulls[10] = s->state == MMRD_PG_SLOT_READY;
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

Datum
mmrd_cached(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	const bool sees_all =
	    has_privs_of_role(GetUserId(), ROLE_PG_READ_ALL_STATS);
	mmrd_pg_registry *r = mmrd_pg_registry_get(NULL);
	mmrd_pg_slot *slots = palloc(MMRD_PG_SLOTS * sizeof(mmrd_pg_slot));
	int n = 0;

	InitMaterializedSRF(fcinfo, 0);
	if (r != NULL)
	{
		mmrd_pg_cache_purge(r);
		n = mmrd_pg_slots_list(r, slots);
	}
	for (int i = 0; i < n; i++)
		if (sees_all || slots[i].key.database == MyDatabaseId)
			put_row(rsinfo, &slots[i]);
	pfree(slots);
	return (Datum) 0;
}

Datum
mmrd_cache_clear(PG_FUNCTION_ARGS)
{
	mmrd_pg_registry *r = mmrd_pg_registry_get(NULL);
	const Size n_bytes =
	    r == NULL ? 0 : mmrd_pg_slots_evict_unused(r, MyDatabaseId);

	PG_RETURN_INT64((int64) n_bytes);
}

Datum
mmrd_threads_taken(PG_FUNCTION_ARGS)
{
	mmrd_pg_registry *r = mmrd_pg_registry_get(NULL);
	TupleDesc desc;
	Datum values[3];
	bool nulls[3] = {false};

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	desc = BlessTupleDesc(desc);
	values[0] = Int32GetDatum(mmrd_pg_budget_total());
	nulls[1] = nulls[2] = r == NULL;
	if (r != NULL)
	{
		LWLockAcquire(&r->lock, LW_SHARED);
		values[1] = Int32GetDatum(r->threads_taken);
		values[2] = Int32GetDatum(r->threads_sessions);
		LWLockRelease(&r->lock);
	}
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(desc, values, nulls)));
}
