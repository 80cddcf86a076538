/*
 * extension/pg_pending.c
 *	  What waits to be scored: the rows of mmrd.pending.
 *
 * Adding a row is what every insert of a scan pays for.  So it is done by
 * hand: no SPI, no user id to be switched, only a heap tuple and its index
 * entries, as PostgreSQL itself adds rows to its catalogs.
 */
#include "postgres.h"

#include "extension/pg_pending.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/pg_type.h"
#include "commands/sequence.h"
#include "extension/pg_access.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

/* Columns of mmrd.pending. */
enum
{
	PENDING_ID,
	PENDING_SOURCE,
	PENDING_ATTEMPTS,
	PENDING_QUEUED_AT,
	PENDING_KEY,
	N_PENDING
};

Relation
mmrd_pg_pending_open(LOCKMODE mode)
{
	return table_open(mmrd_pg_own_relation("pending"), mode);
}

void
mmrd_pg_pending_add(Oid source, const char *key)
{
	Relation rel = mmrd_pg_pending_open(RowExclusiveLock);
	Datum values[N_PENDING];
	bool nulls[N_PENDING] = {false};
	HeapTuple tuple;

	values[PENDING_ID] = Int64GetDatum(
	    nextval_internal(mmrd_pg_own_relation("pending_id_seq"), false));
	values[PENDING_SOURCE] = ObjectIdGetDatum(source);
	values[PENDING_ATTEMPTS] = Int32GetDatum(0);
	values[PENDING_QUEUED_AT] = TimestampTzGetDatum(GetCurrentTimestamp());
	values[PENDING_KEY] = CStringGetTextDatum(key);
	tuple = heap_form_tuple(RelationGetDescr(rel), values, nulls);
	CatalogTupleInsert(rel, tuple);
	heap_freetuple(tuple);
	table_close(rel, NoLock); /* the lock stays, as after any INSERT */
}

/* ---- claiming ---- */

/*
 * A queue is short when its statistics are made and long when they are used,
 * or the reverse, so these statements leave the planner one way each: rows of
 * a source, in order, by the primary key; rows of a scan by the index of keys
 * (IS NOT DISTINCT FROM is no condition for an index); rows to be deleted by
 * where they are.  min() and LATERAL are one descent for each scan, where a
 * join might become a hash of everything.
 */
static mmrd_pg_statement claim_rows = {
    "SELECT p.id, p.key, p.attempts, p.ctid FROM mmrd.pending p "
    "WHERE p.source = $1 AND p.id > $2 AND p.id = (SELECT min(o.id) FROM "
    "mmrd.pending o WHERE o.key = p.key AND o.source IS NOT DISTINCT FROM "
    "p.source) ORDER BY p.id LIMIT $3 FOR UPDATE OF p SKIP LOCKED",
    false,
    3,
    {OIDOID, INT8OID, INT4OID},
    NULL};

static mmrd_pg_statement list_rows = {
    "SELECT coalesce(array_agg(p.ctid), '{}') FROM unnest($2) k (key), "
    "LATERAL (SELECT o.ctid FROM mmrd.pending o WHERE o.key = k.key "
    "AND o.source IS NOT DISTINCT FROM $1 OFFSET 0) p",
    true,
    2,
    {OIDOID, TEXTARRAYOID},
    NULL};

/* None of them moves: rows of this table are never updated. */
static mmrd_pg_statement delete_rows = {
    "DELETE FROM mmrd.pending WHERE ctid = ANY ($2) "
    "AND source IS NOT DISTINCT FROM $1",
    false,
    2,
    {OIDOID, TIDARRAYOID},
    NULL};

static mmrd_pg_statement forget_source = {
    "DELETE FROM mmrd.pending WHERE source = $1", false, 1, {OIDOID}, NULL};

int
mmrd_pg_pending_claim(Oid source, int64 after, int n, mmrd_pg_entry *out,
                      MemoryContext owner)
{
	Datum values[] = {ObjectIdGetDatum(source), Int64GetDatum(after),
	                  Int32GetDatum(n)};
	bool isnull;
	int found;

	found = (int) mmrd_pg_run(&claim_rows, values, NULL);
	for (int i = 0; i < found; i++)
	{
		out[i].id = DatumGetInt64(mmrd_pg_field(i, 1, &isnull));
		out[i].key = mmrd_pg_field_text(i, 2, owner);
		out[i].has_result = false;
		out[i].attempts = DatumGetInt32(mmrd_pg_field(i, 3, &isnull));
		out[i].at =
		    *(ItemPointer) DatumGetPointer(mmrd_pg_field(i, 4, &isnull));
	}
	return found;
}

Datum
mmrd_pg_pending_keys(const mmrd_pg_entry *entries, int n)
{
	Datum *keys = palloc(sizeof(Datum) * Max(n, 1));

	for (int i = 0; i < n; i++)
		keys[i] = CStringGetTextDatum(entries[i].key);
	return PointerGetDatum(
	    construct_array(keys, n, TEXTOID, -1, false, TYPALIGN_INT));
}

Datum
mmrd_pg_pending_rows(Oid source, const mmrd_pg_entry *entries, int n,
                     MemoryContext owner)
{
	Datum values[] = {ObjectIdGetDatum(source),
	                  mmrd_pg_pending_keys(entries, n)};
	MemoryContext before;
	bool isnull;
	Datum rows;

	mmrd_pg_run(&list_rows, values, NULL);
	before = MemoryContextSwitchTo(owner);
	rows =
	    PointerGetDatum(DatumGetArrayTypePCopy(mmrd_pg_field(0, 1, &isnull)));
	MemoryContextSwitchTo(before);
	return rows;
}

void
mmrd_pg_pending_delete(Oid source, Datum rows)
{
	Datum values[] = {ObjectIdGetDatum(source), rows};

	mmrd_pg_run(&delete_rows, values, NULL);
}

void
mmrd_pg_pending_forget(Oid source)
{
	Datum values[] = {ObjectIdGetDatum(source)};

	mmrd_pg_run(&forget_source, values, NULL);
}
