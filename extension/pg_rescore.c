/*
 * extension/pg_rescore.c
 *	  mmrd_rescore(), mmrd_prune_results(): old results made anew, or removed.
 */
#include "postgres.h"

#include "access/relation.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "extension/pg_access.h"
#include "extension/pg_attachment.h"
#include "extension/pg_pending.h"
#include "extension/pg_scans.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "tcop/utility.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(mmrd_rescore);
PG_FUNCTION_INFO_V1(mmrd_prune_results);

enum
{
	ROWS_AT_ONCE = 1000
};

/* Those that wait already are not added again. */
static mmrd_pg_statement requeue_results = {
    "INSERT INTO mmrd.pending (source, key) SELECT r.source, r.key "
    "FROM mmrd.results r WHERE r.source = $1 AND "
    "($2 IS NULL OR r.scored_at >= $2) AND ($3 IS NULL OR r.model = $3) AND "
    "NOT EXISTS (SELECT FROM mmrd.pending p WHERE p.key = r.key AND "
    "p.source IS NOT DISTINCT FROM r.source) ORDER BY r.scored_at",
    false,
    3,
    {OIDOID, TIMESTAMPTZOID, TEXTOID},
    NULL};

/* ---- mmrd_rescore ---- */

/* Every scan that the caller sees, scored before or not. */
static int64
queue_all(Relation rel, const mmrd_pg_columns *columns)
{
	const FormData_pg_attribute *key =
	    TupleDescAttr(RelationGetDescr(rel), columns->key - 1);
	const FormData_pg_attribute *rgb =
	    TupleDescAttr(RelationGetDescr(rel), columns->modality[0] - 1);
	MemoryContext one = AllocSetContextCreate(CurrentMemoryContext, "mmrd key",
	                                          ALLOCSET_SMALL_SIZES);
	const char *sql =
	    psprintf("SELECT %s FROM %s WHERE %s IS NOT NULL AND %s IS NOT NULL",
	             quote_identifier(NameStr(key->attname)),
	             quote_qualified_identifier(
	                 get_namespace_name(RelationGetNamespace(rel)),
	                 RelationGetRelationName(rel)),
	             quote_identifier(NameStr(key->attname)),
	             quote_identifier(NameStr(rgb->attname)));
	int64 queued = 0;
	SPIPlanPtr plan;
	Portal portal;
	uint64 n;

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	plan = SPI_prepare(sql, 0, NULL);
	if (plan == NULL)
		elog(ERROR, "could not prepare \"%s\": %s", sql,
		     SPI_result_code_string(SPI_result));
	portal = SPI_cursor_open(NULL, plan, NULL, NULL, true);
	while ((n = mmrd_pg_fetch(portal, ROWS_AT_ONCE)) > 0)
	{
		for (uint64 i = 0; i < n; i++)
		{
			MemoryContext before = MemoryContextSwitchTo(one);
			bool isnull;
			char *text =
			    mmrd_pg_key_text(key->atttypid, mmrd_pg_field(i, 1, &isnull));

			if (strlen(text) <= MMRD_PG_MAX_KEY)
			{
				mmrd_pg_pending_add(RelationGetRelid(rel), text);
				queued++;
			}
			MemoryContextSwitchTo(before);
			MemoryContextReset(one);
			CHECK_FOR_INTERRUPTS();
		}
		SPI_freetuptable(SPI_tuptable);
	}
	SPI_cursor_close(portal);
	SPI_finish();
	MemoryContextDelete(one);
	return queued;
}

static int64
queue_results(FunctionCallInfo fcinfo)
{
	Datum values[3] = {PG_GETARG_DATUM(0)};
	char nulls[4] = "   ";
	mmrd_pg_access access;
	uint64 n;

	for (int i = 1; i <= 2; i++)
	{
		nulls[i] = PG_ARGISNULL(i) ? 'n' : ' ';
		values[i] = PG_ARGISNULL(i) ? (Datum) 0 : PG_GETARG_DATUM(i);
	}
	mmrd_pg_access_begin(&access);
	n = mmrd_pg_run(&requeue_results, values, nulls);
	mmrd_pg_access_end(&access);
	return (int64) n;
}

/* Arguments: source, since, model. */
Datum
mmrd_rescore(PG_FUNCTION_ARGS)
{
	mmrd_pg_attachment attachment;
	mmrd_pg_columns columns;
	Relation rel;
	int64 queued;

	PreventCommandDuringRecovery("mmrd_rescore()");
	PreventCommandIfReadOnly("mmrd_rescore()");
	mmrd_pg_need_source(fcinfo, 0, "table");
	rel = relation_open(PG_GETARG_OID(0), AccessShareLock);
	mmrd_pg_check_owner(rel, "have it scored again");
	if (!mmrd_pg_attachment_read(rel, CurrentMemoryContext, &attachment) ||
	    !mmrd_pg_relation_columns(rel, &columns))
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
		                errmsg("table \"%s\" is not attached",
		                       RelationGetRelationName(rel)),
		                errhint("Attached tables are in mmrd.attachments.")));
	if (PG_ARGISNULL(1) && PG_ARGISNULL(2))
		queued = queue_all(rel, &columns);
	else
		queued = queue_results(fcinfo);
	relation_close(rel, NoLock);
	PG_RETURN_INT64(queued);
}

/* ---- mmrd_prune_results ---- */

/* $1: the source, or NULL for all; $3: the caller's tables alone. */
#define OLD_RESULTS                                                           \
	"WHERE ($1 IS NULL OR r.source = $1) AND r.scored_at < $2 AND "           \
	"($3 IS NULL OR EXISTS (SELECT FROM pg_class c WHERE c.oid = r.source "   \
	"AND pg_has_role($3, c.relowner, 'USAGE')))"

static mmrd_pg_statement delete_results = {
    "DELETE FROM mmrd.results r " OLD_RESULTS,
    false,
    3,
    {OIDOID, TIMESTAMPTZOID, OIDOID},
    NULL};

static mmrd_pg_statement delete_maps = {
    "UPDATE mmrd.results r SET map = NULL " OLD_RESULTS
    " AND r.map IS NOT NULL",
    false,
    3,
    {OIDOID, TIMESTAMPTZOID, OIDOID},
    NULL};

/* What tables that are gone have left behind. */
static mmrd_pg_statement orphans[] = {
    {"DELETE FROM mmrd.attachments WHERE NOT EXISTS (SELECT FROM pg_class c "
     "WHERE c.oid = source)",
     false,
     0,
     {0},
     NULL},
    {"DELETE FROM mmrd.pending p WHERE NOT EXISTS (SELECT FROM "
     "mmrd.attachments a WHERE a.source = p.source) AND NOT EXISTS (SELECT "
     "FROM pg_class c WHERE c.oid = p.source)",
     false,
     0,
     {0},
     NULL},
};

/* An end of the world ago is refused by timestamptz_mi_interval itself. */
static Datum
time_before(Interval *age)
{
	return DirectFunctionCall2(
	    timestamptz_mi_interval,
	    TimestampTzGetDatum(GetCurrentTransactionStartTimestamp()),
	    IntervalPGetDatum(age));
}

/* Arguments: source, older_than, maps_only. */
Datum
mmrd_prune_results(PG_FUNCTION_ARGS)
{
	Datum values[3] = {0};
	char nulls[4] = "   ";
	mmrd_pg_access access;
	uint64 n;

	PreventCommandDuringRecovery("mmrd_prune_results()");
	PreventCommandIfReadOnly("mmrd_prune_results()");
	if (PG_ARGISNULL(1) || PG_ARGISNULL(2))
		ereport(
		    ERROR,
		    (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
		     errmsg("older_than and maps_only must not be null"),
		     errhint("Leave them out for 90 days, and for whole results.")));
	nulls[0] = PG_ARGISNULL(0) ? 'n' : ' ';
	if (!PG_ARGISNULL(0))
	{
		Relation rel = relation_open(PG_GETARG_OID(0), AccessShareLock);

		mmrd_pg_check_owner(rel, "prune its results");
		relation_close(rel, NoLock);
		values[0] = PG_GETARG_DATUM(0);
	}
	values[1] = time_before(PG_GETARG_INTERVAL_P(1));
	mmrd_pg_access_begin(&access);
	/* Results of tables that are gone are the extension's owner's. */
	nulls[2] = has_privs_of_role(access.user, GetUserId()) ? 'n' : ' ';
	values[2] = ObjectIdGetDatum(access.user);
	n = mmrd_pg_run(PG_GETARG_BOOL(2) ? &delete_maps : &delete_results, values,
	                nulls);
	for (size_t i = 0; i < lengthof(orphans); i++)
		mmrd_pg_run(&orphans[i], NULL, NULL);
	mmrd_pg_access_end(&access);
	PG_RETURN_INT64((int64) n);
}
