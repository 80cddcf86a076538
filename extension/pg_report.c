/*
 * extension/pg_report.c
 *	  mmrd_report(): what a line did in some days, as a page.
 *
 * Who may see it.  The numbers come from mmrd.results, which nobody reads
 * unless granted, and are read here as the extension's owner; so the right is
 * checked first.  It is that of whoever may SELECT from mmrd.results or
 * mmrd.scores, and of the owner of the table, who has the scans and could
 * compute every number on the page.  Maps are in mmrd.results alone and need
 * that right, or to be the owner.  Photos are read from the table as the
 * caller: without the right to, or where row security hides a scan, the page
 * has the scan's numbers and no photo.
 */
#include "postgres.h"

#include <stdlib.h>

#include "access/relation.h"
#include "catalog/namespace.h"
#include "extension/pg_glue.h"
#include "extension/pg_report.h"
#include "extension/pg_settings.h"
#include "extension/pg_threads.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(mmrd_report_page);

static bool
may_select(const char *relation)
{
	const Oid oid =
	    get_relname_relid(relation, get_namespace_oid("mmrd", false));

	return pg_class_aclcheck(oid, GetUserId(), ACL_SELECT) == ACLCHECK_OK;
}

static void
check_rights(mmrd_pg_report *r)
{
	r->sees_maps = may_select("results") || mmrd_pg_owns_relation(r->source);
	if (!r->sees_maps && !may_select("scores"))
		ereport(ERROR,
		        (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
		         errmsg("permission denied for the results of table \"%s\"",
		                r->source_name),
		         errdetail("They are for its owner, and for who may read "
		                   "mmrd.results or mmrd.scores."),
		         errhint("GRANT SELECT ON mmrd.scores lets a role see the "
		                 "numbers of all tables, ON mmrd.results the maps "
		                 "too.")));
}

/* The table, by the name that its regclass has in this session. */
static void
set_source(mmrd_pg_report *r, Oid source)
{
	Relation rel = try_relation_open(source, AccessShareLock);

	if (rel == NULL)
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE),
		                errmsg("relation with OID %u does not exist", source),
		                errhint("It may have been dropped meanwhile.")));
	relation_close(rel, AccessShareLock);
	r->source = source;
	r->source_name = DatumGetCString(
	    DirectFunctionCall1(regclassout, ObjectIdGetDatum(source)));
}

static void
check_since(const Interval *since)
{
	Interval zero = {0};

	if (DatumGetInt32(DirectFunctionCall2(interval_cmp,
	                                      IntervalPGetDatum(since),
	                                      IntervalPGetDatum(&zero))) > 0)
		return;
	ereport(ERROR,
	        (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
	         errmsg("the time to report on must be longer than nothing"),
	         errdetail("The value of since is %s.",
	                   DatumGetCString(DirectFunctionCall1(
	                       interval_out, IntervalPGetDatum(since)))),
	         errhint("Pass an interval such as '7 days'.")));
}

static void
not_null(FunctionCallInfo fcinfo, int number, const char *name)
{
	if (PG_ARGISNULL(number))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
		                errmsg("the argument %s must not be null", name),
		                errhint("Pass a value for it.")));
}

/* malloc's memory, which is gone with the context, as a text. */
static text *
write_page(const mmrd_pg_report *r)
{
	mmrd_pg_owned *owned = mmrd_pg_own(CurrentMemoryContext, free);
	mmrd_error err = {0};
	char *html = NULL;
	size_t n;
	const mmrd_status st = mmrd_report_write(&r->page, &html, &n, &err);
	text *result;

	owned->object = html;
	MMRD_PG_CHECK(st, &err);
	if (n > MaxAllocSize - VARHDRSZ)
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
		                errmsg("the report is too large"),
		                errdetail("It has %zu bytes.", n),
		                errhint("Choose a shorter time.")));
	result = cstring_to_text_with_len(html, (int) n);
	mmrd_pg_release(owned);
	return result;
}

/* Arguments: source, model, since, title.  SQL's mmrd_report(). */
Datum
mmrd_report_page(PG_FUNCTION_ARGS)
{
	MemoryContext caller = CurrentMemoryContext;
	mmrd_pg_report r = {.memory = AllocSetContextCreate(
	                        caller, "mmrd report", ALLOCSET_DEFAULT_SIZES)};
	text *page;

	not_null(fcinfo, 0, "source");
	not_null(fcinfo, 2, "since");
	MemoryContextSwitchTo(r.memory);
	set_source(&r, PG_GETARG_OID(0));
	check_rights(&r);
	r.since = PG_GETARG_INTERVAL_P(2);
	check_since(r.since);
	if (!PG_ARGISNULL(1))
		r.model = text_to_cstring(PG_GETARG_TEXT_PP(1));
	r.to = GetCurrentTimestamp();
	r.page.source = mmrd_pg_report_text(r.source_name);
	r.page.title =
	    PG_ARGISNULL(3)
	        ? r.page.source
	        : mmrd_pg_report_text(text_to_cstring(PG_GETARG_TEXT_PP(3)));
	r.page.code_version = MMRD_VERSION;

	mmrd_pg_threads_begin(mmrd_pg_setting_threads, fcinfo->flinfo->fn_mcxt);
	mmrd_pg_report_gather(&r);
	mmrd_pg_report_pictures(&r);
	MemoryContextSwitchTo(caller);
	page = write_page(&r);
	MemoryContextDelete(r.memory);
	PG_RETURN_TEXT_P(page);
}
