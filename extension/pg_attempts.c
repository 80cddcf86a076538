/*
 * extension/pg_attempts.c
 *	  Marks on scans that are being scored, which outlast a crash.
 *
 * A scan that kills its session would be tried again by the next one, and so
 * on for ever.  So its attempts are counted, and the count has to survive the
 * transaction that dies.  A transaction of its own before each batch would
 * do, but committing ends the locks that keep other sessions off, and inside
 * a function, where mmrd_score_pending() runs, nothing can be committed.
 *
 * Hence the count is changed where it lies, as PostgreSQL changes a sequence
 * or (heap_inplace_update) a count in pg_class: four bytes of the tuple on
 * its page, under the page's exclusive lock, with a WAL record that makes a
 * crash or a standby do the same.  Why that is safe for this table:
 *
 *	  - The row is locked by this transaction, and never updated by anybody,
 *	    so it has one version and no other writer; it stays where it is, for
 *	    vacuum moves nothing that is alive and VACUUM FULL waits for us.
 *	  - The column stands behind fixed columns that are never NULL, so its
 *	    offset is known; it is aligned, so who reads it without a lock, as
 *	    executors do, sees the old count or the new one.
 *	  - No index contains it.
 *	  - Generic WAL records what changed on the page by its place.  Pages of
 *	    a heap are the same, byte by byte, on primary and standby, apart from
 *	    hint bits, which are left alone.
 *
 * The marks of a batch cost one flush of the WAL.
 */
#include "postgres.h"

#include "extension/pg_attempts.h"

#include "access/generic_xlog.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xlog.h"
#include "storage/bufmgr.h"
#include "storage/bufpage.h"
#include "utils/rel.h"

enum
{
	OFFSET_ID = 0,
	OFFSET_ATTEMPTS = 12, /* behind a bigint and an oid */
	END_ATTEMPTS = 16
};

/* The layout that sql/85-results.sql promises. */
static void
check_layout(Relation rel)
{
	static const int lengths[] = {sizeof(int64), sizeof(Oid), sizeof(int32)};
	const TupleDesc desc = RelationGetDescr(rel);

	for (int i = 0; i < (int) lengthof(lengths); i++)
		if (desc->natts <= i || TupleDescAttr(desc, i)->attisdropped ||
		    TupleDescAttr(desc, i)->attlen != lengths[i] ||
		    !TupleDescAttr(desc, i)->attnotnull)
			ereport(ERROR,
			        (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			         errmsg("table mmrd.pending is not as it was made"),
			         errdetail("Column %d should be %d bytes wide.", i + 1,
			                   lengths[i]),
			         errhint("Undo what was done to it with ALTER TABLE.")));
}

/* The row's data on a page, or NULL when there is another one, or none. */
static char *
find_row(Page page, const mmrd_pg_entry *entry)
{
	const OffsetNumber number = ItemPointerGetOffsetNumber(&entry->at);
	HeapTupleHeader header;
	ItemId item;
	char *data;
	int64 id;

	if (number > PageGetMaxOffsetNumber(page))
		return NULL;
	item = PageGetItemId(page, number);
	if (!ItemIdIsNormal(item))
		return NULL;
	header = (HeapTupleHeader) PageGetItem(page, item);
	if (ItemIdGetLength(item) < header->t_hoff + (unsigned) END_ATTEMPTS)
		return NULL;
	data = (char *) header + header->t_hoff;
	memcpy(&id, data + OFFSET_ID, sizeof(id));
	return id == entry->id ? data : NULL;
}

static void
add_to_row(Page page, const mmrd_pg_entry *entry, int by)
{
	char *data = find_row(page, entry);
	int32 attempts;

	memcpy(&attempts, data + OFFSET_ATTEMPTS, sizeof(attempts));
	attempts = Max(attempts + by, 0);
	memcpy(data + OFFSET_ATTEMPTS, &attempts, sizeof(attempts));
}

/* n entries whose rows are on the same page. */
static XLogRecPtr
add_to_page(Relation rel, const mmrd_pg_entry *entries, int n, int by)
{
	const Buffer buffer =
	    ReadBuffer(rel, ItemPointerGetBlockNumber(&entries[0].at));
	GenericXLogState *state;
	XLogRecPtr end;
	Page page;

	LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
	for (int i = 0; i < n; i++)
		if (find_row(BufferGetPage(buffer), &entries[i]) == NULL)
		{
			UnlockReleaseBuffer(buffer);
			elog(ERROR, "row %lld of mmrd.pending is not where it was locked",
			     (long long) entries[i].id);
		}
	state = GenericXLogStart(rel);
	page = GenericXLogRegisterBuffer(state, buffer, 0); /* a copy */
	for (int i = 0; i < n; i++)
		add_to_row(page, &entries[i], by);
	end = GenericXLogFinish(state);
	UnlockReleaseBuffer(buffer);
	return end;
}

void
mmrd_pg_attempts_add(const mmrd_pg_entry *entries, int n, int by, bool durable)
{
	Relation rel = mmrd_pg_pending_open(RowExclusiveLock);
	XLogRecPtr end = InvalidXLogRecPtr;

	check_layout(rel);
	for (int first = 0, after; first < n; first = after)
	{
		const BlockNumber block =
		    ItemPointerGetBlockNumber(&entries[first].at);

		for (after = first + 1; after < n; after++)
			if (ItemPointerGetBlockNumber(&entries[after].at) != block)
				break;
		end = add_to_page(rel, &entries[first], after - first, by);
	}
	if (durable && RelationNeedsWAL(rel))
		XLogFlush(end);
	table_close(rel, NoLock);
}
