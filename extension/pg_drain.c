/*
 * extension/pg_drain.c
 *	  One batch of the scans of a source that wait.
 *
 * In this order, and the order is what makes it safe:
 *
 *	  1. The source is locked against being changed or detached, so that
 *	     nobody who waits for that holds up what we have claimed.
 *	  2. Rows of mmrd.pending are claimed.
 *	  3. A snapshot is taken, which therefore sees what was done to the scans
 *	     when those rows were added.
 *	  4. Attempts are marked (pg_attempts.c), the scans read and scored.  An
 *	     error there is caught and becomes the scan's result, unless it is
 *	     not about the scan.  Where the session ends in an orderly way, the
 *	     marks are taken back: only a session that dies leaves them.
 *	  5. Results are written and the rows deleted, all in this transaction.
 *
 * A scan with a mark may be what killed a session, or only have been in the
 * same batch.  It is tried again alone, so that the others get rid of their
 * marks, and given up after MMRD_PG_MAX_ATTEMPTS.
 */
#include "postgres.h"

#include "extension/pg_drain.h"

#include "access/relation.h"
#include "access/xact.h"
#include "executor/spi.h"
#include "extension/pg_access.h"
#include "extension/pg_attempts.h"
#include "extension/pg_results.h"
#include "extension/pg_scan_query.h"
#include "extension/pg_score.h"
#include "extension/pg_settings.h"
#include "extension/pg_threads.h"
#include "extension/pg_timing.h"
#include "model/base/clock.h"
#include "storage/lwlock.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/rls.h"
#include "utils/snapmgr.h"

typedef enum outcome
{
	OUTCOME_RESULT, /* write it */
	OUTCOME_GONE,   /* there is no such scan: no result either */
	OUTCOME_EMPTY,  /* it has no image: no result either */
	OUTCOME_HIDDEN  /* the caller may not see it: leave it to others */
} outcome;

typedef struct batch
{
	MemoryContext memory;
	Relation source;
	mmrd_pg_attachment attachment;
	mmrd_pg_columns columns;
	mmrd_pg_versions versions;
	mmrd_pg_scan_query query;
	bool hides; /* row security: what is not seen may still be there */
	bool reads; /* the table, just now */
	int n;
	mmrd_pg_entry *entries;
	mmrd_pg_result *results;
	outcome *outcomes;
	bool keep_marks;
} batch;

/* ---- the source ---- */

static void
not_attached(const char *name)
{
	ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
	                errmsg("table \"%s\" is not attached", name),
	                errhint("Attach it with mmrd_attach; attached tables are "
	                        "in mmrd.attachments.")));
}

/* May the caller read the columns? */
static bool
may_read(const batch *b)
{
	const Oid relation = RelationGetRelid(b->source);
	const mmrd_pg_columns *c = &b->columns;
	AttrNumber needed[2 + MMRD_MAX_MODALITIES];
	int n = 0;

	if (pg_class_aclcheck(relation, GetUserId(), ACL_SELECT) == ACLCHECK_OK)
		return true;
	needed[n++] = c->key;
	if (c->model != 0)
		needed[n++] = c->model;
	for (int m = 0; m < c->n_modalities; m++)
		needed[n++] = c->modality[m];
	for (int i = 0; i < n; i++)
		if (pg_attribute_aclcheck(relation, needed[i], GetUserId(),
		                          ACL_SELECT) != ACLCHECK_OK)
			return false;
	return true;
}

/*
 * Open and look up the source.  False: there is nothing to do for it; throws
 * in place of that when the caller asked for it.
 */
static bool
open_source(batch *b, Oid source, bool asked)
{
	bool attached;

	b->source = try_relation_open(source, AccessShareLock);
	if (b->source == NULL)
	{
		if (asked)
			ereport(ERROR,
			        (errcode(ERRCODE_UNDEFINED_TABLE),
			         errmsg("relation with OID %u does not exist", source),
			         errhint("It may have been dropped meanwhile.")));
		return false;
	}
	PushActiveSnapshot(GetTransactionSnapshot());
	attached = mmrd_pg_attachment_read(b->source, b->memory, &b->attachment) &&
	           mmrd_pg_relation_columns(b->source, &b->columns);
	if (!attached && asked)
		not_attached(RelationGetRelationName(b->source));
	if (attached && !may_read(b))
	{
		if (asked)
			aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_TABLE,
			               RelationGetRelationName(b->source));
		attached = false;
	}
	b->versions.attachment = &b->attachment;
	b->versions.memory = b->memory;
	PopActiveSnapshot();
	return attached;
}

/* ---- claiming ---- */

static const mmrd_pg_earlier *
find_earlier(const char *key, const mmrd_pg_earlier *earlier, int n)
{
	for (int i = 0; i < n; i++)
		if (strcmp(key, earlier[i].key) == 0)
			return &earlier[i];
	return NULL;
}

/*
 * Fills in entries and n, and moves *after past those that are dealt with or
 * left to others.  False when there is nothing to claim.
 */
static bool
claim(batch *b, int n, int64 *after)
{
	const Oid source = b->attachment.source;
	mmrd_pg_access access;
	int claimed;
	mmrd_pg_earlier *earlier;
	int n_earlier;
	b->entries = MemoryContextAlloc(b->memory, sizeof(mmrd_pg_entry) * n);
	mmrd_pg_access_begin(&access);
	mmrd_pg_access_by_index();
	claimed = mmrd_pg_pending_claim(source, *after, n, b->entries, b->memory);
	if (claimed == 0)
	{
		mmrd_pg_access_end(&access);
		return false;
	}
	earlier =
	    mmrd_pg_results_lock(source, mmrd_pg_pending_keys(b->entries, claimed),
	                         &n_earlier, b->memory);
	mmrd_pg_attachment_follow(b->source, &b->columns);
	mmrd_pg_access_end(&access);

	for (int i = 0; i < claimed; i++)
	{
		mmrd_pg_entry entry = b->entries[i];
		const mmrd_pg_earlier *result =
		    find_earlier(entry.key, earlier, n_earlier);

		entry.has_result = result != NULL;
		if (result == NULL || result->locked)
		{
			/* One with a mark is scored alone. */
			if (b->n > 0 && (entry.attempts > 0 || b->entries[0].attempts > 0))
				break;
			b->entries[b->n++] = entry;
		}
		*after = entry.id;
	}
	return true;
}

/* ---- reading and scoring one scan ---- */

/* In a memory context that is reset afterwards. */
static outcome
score_scan(batch *b, const char *key, mmrd_pg_result *result)
{
	mmrd_pg_scan_row row;
	const double begun = mmrd_clock_ms();

	b->reads = true;
	if (!mmrd_pg_scan_query_read(&b->query, key, &row))
		return b->hides ? OUTCOME_HIDDEN : OUTCOME_GONE;
	b->reads = false;
	mmrd_pg_timing_add(MMRD_PG_PART_READ, mmrd_clock_ms() - begun);
	if (row.bytes[0] == NULL)
		return OUTCOME_EMPTY;
	mmrd_pg_result_score(&b->versions, row.bytes, b->columns.n_modalities,
	                     row.model, result);
	return OUTCOME_RESULT;
}

/*
 * Is an error about the scan, so that it becomes its result?  Not one that
 * would hit the next scan as well, or not this one tomorrow.  Memory that
 * does not suffice is the scan's own fault when it is tried for itself.
 */
static bool
is_about_scan(batch *b, int sqlstate, const mmrd_pg_entry *entry)
{
	switch (ERRCODE_TO_CATEGORY(sqlstate))
	{
		case MAKE_SQLSTATE('4', '0', '0', '0', '0'): /* serialization */
		case MAKE_SQLSTATE('5', '5', '0', '0', '0'): /* not available */
		case MAKE_SQLSTATE('5', '7', '0', '0', '0'): /* cancelled */
		case MAKE_SQLSTATE('5', '8', '0', '0', '0'): /* I/O */
			return false;
		case MAKE_SQLSTATE('5', '3', '0', '0', '0'): /* resources */
			if (sqlstate != ERRCODE_OUT_OF_MEMORY)
				return false;
			b->keep_marks = true;
			return entry->attempts > 0;
		default:
			return !(b->hides && b->reads); /* else a policy may have failed */
	}
}

/* Copies of what the batch keeps. */
static void
keep(batch *b, const mmrd_pg_result *made, mmrd_pg_result *out)
{
	MemoryContext before = MemoryContextSwitchTo(b->memory);

	*out = *made;
	out->key = pstrdup(made->key);
	out->model = made->model != NULL ? pstrdup(made->model) : NULL;
	out->error = made->error != NULL ? pstrdup(made->error) : NULL;
	if (made->map != NULL)
	{
		out->map = palloc(VARSIZE(made->map));
		memcpy(out->map, made->map, VARSIZE(made->map));
	}
	MemoryContextSwitchTo(before);
}

static outcome
try_scan(batch *b, int i, MemoryContext one)
{
	const mmrd_pg_entry *entry = &b->entries[i];
	MemoryContext before = MemoryContextSwitchTo(one);
	ResourceOwner owner = CurrentResourceOwner;
	mmrd_pg_result *result = palloc0(sizeof(mmrd_pg_result));
	volatile outcome what = OUTCOME_RESULT;

	mmrd_pg_result_begin(result, entry->key);
	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(one);
	PG_TRY();
	{
		what = score_scan(b, entry->key, result);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		ErrorData *error;

		MemoryContextSwitchTo(one);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(one);
		CurrentResourceOwner = owner;
		if (!is_about_scan(b, error->sqlerrcode, entry))
			ReThrowError(error);
		mmrd_pg_result_fail(result, error->message);
	}
	PG_END_TRY();
	CurrentResourceOwner = owner;
	if (what == OUTCOME_RESULT)
		keep(b, result, &b->results[i]);
	MemoryContextSwitchTo(before);
	MemoryContextReset(one);
	return what;
}

/* ---- the batch ---- */

static void
give_up(batch *b, int i)
{
	mmrd_pg_result_begin(&b->results[i], b->entries[i].key);
	mmrd_pg_result_fail(
	    &b->results[i],
	    psprintf("given up: scoring was begun %d times, and each time the "
	             "server process died",
	             b->entries[i].attempts));
	b->outcomes[i] = OUTCOME_RESULT;
}

/* The session did not die: what comes is an error, or an orderly end. */
static void
take_marks_back(int code, Datum arg)
{
	const batch *b = (const batch *) DatumGetPointer(arg);

	(void) code;
	LWLockReleaseAll(); /* as the abort that follows would */
	if (!b->keep_marks)
		mmrd_pg_attempts_add(b->entries, b->n, -1, false);
}

static void
score_all(batch *b)
{
	MemoryContext one =
	    AllocSetContextCreate(b->memory, "mmrd scan", ALLOCSET_DEFAULT_SIZES);

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	MemoryContextSwitchTo(b->memory);
	mmrd_pg_scan_query_prepare(b->source, &b->columns, &b->query);
	mmrd_pg_threads_begin(mmrd_pg_setting_threads, b->memory);
	mmrd_pg_attempts_add(b->entries, b->n, 1, true);
	PG_ENSURE_ERROR_CLEANUP(take_marks_back, PointerGetDatum(b));
	{
		for (int i = 0; i < b->n; i++)
		{
			CHECK_FOR_INTERRUPTS();
			b->outcomes[i] = try_scan(b, i, one);
		}
	}
	PG_END_ENSURE_ERROR_CLEANUP(take_marks_back, PointerGetDatum(b));
	mmrd_pg_attempts_add(b->entries, b->n, -1, false);
	SPI_finish();
	MemoryContextSwitchTo(b->memory);
}

/* Leave out the scans that are not for this caller to see. */
static void
drop_hidden(batch *b)
{
	int n = 0;

	for (int i = 0; i < b->n; i++)
		if (b->outcomes[i] != OUTCOME_HIDDEN)
		{
			b->entries[n] = b->entries[i];
			b->results[n] = b->results[i];
			b->outcomes[n++] = b->outcomes[i];
		}
	b->n = n;
}

static void
settle(batch *b, mmrd_pg_progress *progress)
{
	const Oid source = b->attachment.source;
	mmrd_pg_access access;

	drop_hidden(b);
	if (b->n == 0)
		return;
	mmrd_pg_access_begin(&access);
	mmrd_pg_access_by_index();
	/* Of newer changes, those that the scans were read with. */
	mmrd_pg_pending_delete(
	    source, mmrd_pg_pending_rows(source, b->entries, b->n, b->memory));
	for (int i = 0; i < b->n; i++)
	{
		if (b->outcomes[i] == OUTCOME_RESULT)
		{
			mmrd_pg_result_write(source, &b->results[i],
			                     b->entries[i].has_result);
			mmrd_pg_result_notify(&b->attachment, &b->results[i]);
			progress->results++;
		}
		else if (b->outcomes[i] == OUTCOME_EMPTY ||
		         !b->attachment.keep_deleted)
			mmrd_pg_result_remove(source, b->entries[i].key, true);
	}
	mmrd_pg_access_end(&access);
	progress->settled += b->n;
}

/* What concerns all scans of a source is not written into each result. */
static void
check_model(batch *b)
{
	if (b->columns.model == 0)
		mmrd_pg_check_modalities(mmrd_pg_versions_get(&b->versions, NULL),
		                         b->columns.n_modalities > 1,
		                         b->columns.n_modalities > 2);
}

/* What was claimed, from the snapshot to the results. */
static void
process(batch *b, mmrd_pg_progress *progress)
{
	PushActiveSnapshot(GetTransactionSnapshot());
	check_model(b);
	b->results =
	    MemoryContextAllocZero(b->memory, sizeof(mmrd_pg_result) * b->n);
	b->outcomes = MemoryContextAllocZero(b->memory, sizeof(outcome) * b->n);
	b->hides = check_enable_rls(b->attachment.source, InvalidOid, true) ==
	           RLS_ENABLED;
	if (b->entries[0].attempts >= MMRD_PG_MAX_ATTEMPTS)
		give_up(b, 0);
	else
		score_all(b);
	settle(b, progress);
	PopActiveSnapshot();
}

bool
mmrd_pg_drain_batch(Oid source, bool asked, int n, mmrd_pg_progress *progress)
{
	MemoryContext caller = CurrentMemoryContext;
	batch *b = palloc0(sizeof(batch));
	bool found = false;

	b->memory =
	    AllocSetContextCreate(caller, "mmrd batch", ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(b->memory);
	if (open_source(b, source, asked))
	{
		found = claim(b, n, &progress->after);
		if (b->n > 0)
			process(b, progress);
	}
	if (b->source != NULL)
		relation_close(b->source, NoLock);
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(b->memory);
	pfree(b);
	return found;
}

static mmrd_pg_statement list_attached = {
    "SELECT source::oid FROM mmrd.attachments ORDER BY attached_at, source",
    true,
    0,
    {0},
    NULL};

Oid *
mmrd_pg_attached(int *n)
{
	MemoryContext caller = CurrentMemoryContext;
	mmrd_pg_access access;
	bool isnull;
	Oid *list;

	PushActiveSnapshot(GetTransactionSnapshot());
	mmrd_pg_access_begin(&access);
	*n = (int) mmrd_pg_run(&list_attached, NULL, NULL);
	list = MemoryContextAlloc(caller, sizeof(Oid) * Max(*n, 1));
	for (int i = 0; i < *n; i++)
		list[i] = DatumGetObjectId(mmrd_pg_field(i, 1, &isnull));
	mmrd_pg_access_end(&access);
	PopActiveSnapshot();
	return list;
}
