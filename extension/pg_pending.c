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
 * min() is one descent of an index for each row, whatever the planner
 * believes about the size of the table; an anti-join may become a hash.
 */
static mmrd_pg_statement claim_rows = {
    "SELECT p.id, p.key, p.attempts, p.ctid FROM mmrd.pending p "
    "WHERE p.source = $1 AND p.id > $2 AND p.id = (SELECT min(o.id) FROM "
    "mmrd.pending o WHERE o.source = p.source AND o.key = p.key) "
    "ORDER BY p.id LIMIT $3 FOR UPDATE OF p SKIP LOCKED",
    false,
    3,
    {OIDOID, INT8OID, INT4OID},
    NULL};

static mmrd_pg_statement list_ids = {
    "SELECT coalesce(array_agg(id), '{}') FROM mmrd.pending "
    "WHERE source = $1 AND key = ANY ($2)",
    true,
    2,
    {OIDOID, TEXTARRAYOID},
    NULL};

static mmrd_pg_statement delete_rows = {
    "DELETE FROM mmrd.pending WHERE source = $1 AND id = ANY ($2)",
    false,
    2,
    {OIDOID, INT8ARRAYOID},
    NULL};

static mmrd_pg_statement forget_source = {
    "DELETE FROM mmrd.pending WHERE source = $1", false, 1, {OIDOID}, NULL};

/*
 * The table is short when its statistics are made and long when they are
 * used, or the reverse: the index is right in either case.
 */
static void
use_index(void)
{
	static const char *const off[] = {"enable_seqscan", "enable_sort",
	                                  "enable_bitmapscan", "jit"};

	for (size_t i = 0; i < lengthof(off); i++)
		(void) set_config_option(off[i], "off", PGC_USERSET, PGC_S_SESSION,
		                         GUC_ACTION_SAVE, true, 0, false);
}

int
mmrd_pg_pending_claim(Oid source, int64 after, int n, mmrd_pg_entry *out,
                      MemoryContext owner)
{
	Datum values[] = {ObjectIdGetDatum(source), Int64GetDatum(after),
	                  Int32GetDatum(n)};
	const int level = NewGUCNestLevel();
	bool isnull;
	int found;

	use_index();
	found = (int) mmrd_pg_run(&claim_rows, values, NULL);
	AtEOXact_GUC(false, level);
	for (int i = 0; i < found; i++)
	{
		out[i].id = DatumGetInt64(mmrd_pg_field(i, 1, &isnull));
		out[i].key = mmrd_pg_field_text(i, 2, owner);
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
mmrd_pg_pending_ids(Oid source, const mmrd_pg_entry *entries, int n,
                    MemoryContext owner)
{
	Datum values[] = {ObjectIdGetDatum(source),
	                  mmrd_pg_pending_keys(entries, n)};
	const int level = NewGUCNestLevel();
	MemoryContext before;
	bool isnull;
	Datum ids;

	use_index();
	mmrd_pg_run(&list_ids, values, NULL);
	AtEOXact_GUC(false, level);
	before = MemoryContextSwitchTo(owner);
	ids =
	    PointerGetDatum(DatumGetArrayTypePCopy(mmrd_pg_field(0, 1, &isnull)));
	MemoryContextSwitchTo(before);
	return ids;
}

void
mmrd_pg_pending_delete(Oid source, Datum ids)
{
	Datum values[] = {ObjectIdGetDatum(source), ids};
	const int level = NewGUCNestLevel();

	use_index();
	mmrd_pg_run(&delete_rows, values, NULL);
	AtEOXact_GUC(false, level);
}

void
mmrd_pg_pending_forget(Oid source)
{
	Datum values[] = {ObjectIdGetDatum(source)};

	mmrd_pg_run(&forget_source, values, NULL);
}
