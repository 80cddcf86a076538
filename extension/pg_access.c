/*
 * extension/pg_access.c
 *	  mmrd's own tables, read and written as the extension's owner.
 *
 * A user may train and score without any right on mmrd's tables: the user id
 * is switched here, in C, around each access.  The owner is often a
 * superuser, hence the pinned search path: an operator or function that the
 * caller's path would find first must not run with the owner's rights.
 */
#include "postgres.h"

#include "extension/pg_access.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "catalog/pg_extension.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"

static Oid
extension_owner(void)
{
	Relation rel = table_open(ExtensionRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple tuple;
	Oid owner;

	ScanKeyInit(&key, Anum_pg_extension_extname, BTEqualStrategyNumber,
	            F_NAMEEQ, CStringGetDatum("mmrd"));
	scan = systable_beginscan(rel, ExtensionNameIndexId, true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (!HeapTupleIsValid(tuple))
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
		                errmsg("extension \"mmrd\" does not exist"),
		                errhint("Run CREATE EXTENSION mmrd.")));
	owner = ((Form_pg_extension) GETSTRUCT(tuple))->extowner;
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return owner;
}

void
mmrd_pg_access_begin(mmrd_pg_access *access)
{
	const Oid owner = extension_owner();

	access->caller = CurrentMemoryContext;
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	GetUserIdAndSecContext(&access->user, &access->security);
	SetUserIdAndSecContext(owner,
	                       access->security | SECURITY_LOCAL_USERID_CHANGE);
	access->guc_level = NewGUCNestLevel();
	(void) set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET,
	                         PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
}

void
mmrd_pg_access_end(mmrd_pg_access *access)
{
	AtEOXact_GUC(false, access->guc_level);
	SetUserIdAndSecContext(access->user, access->security);
	SPI_finish();
	MemoryContextSwitchTo(access->caller);
}

Oid
mmrd_pg_own_relation(const char *name)
{
	const Oid schema = get_namespace_oid("mmrd", true);
	const Oid relation =
	    OidIsValid(schema) ? get_relname_relid(name, schema) : InvalidOid;

	if (!OidIsValid(relation))
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE),
		                errmsg("relation \"mmrd.%s\" does not exist", name),
		                errhint("Run ALTER EXTENSION mmrd UPDATE.")));
	return relation;
}

void
mmrd_pg_access_by_index(void)
{
	static const char *const off[] = {"enable_seqscan", "enable_sort",
	                                  "enable_bitmapscan", "jit"};

	for (size_t i = 0; i < lengthof(off); i++)
		(void) set_config_option(off[i], "off", PGC_USERSET, PGC_S_SESSION,
		                         GUC_ACTION_SAVE, true, 0, false);
}

static void
prepare(mmrd_pg_statement *statement)
{
	SPIPlanPtr plan;

	if (statement->plan != NULL)
		return;
	plan =
	    SPI_prepare(statement->sql, statement->n_parameters, statement->types);
	if (plan == NULL || SPI_keepplan(plan) != 0)
		elog(ERROR, "could not prepare \"%s\": %s", statement->sql,
		     SPI_result_code_string(SPI_result));
	statement->plan = plan;
}

uint64
mmrd_pg_run(mmrd_pg_statement *statement, Datum *values, const char *nulls)
{
	MemoryContext caller = CurrentMemoryContext;
	int result;

	prepare(statement);
	result = SPI_execute_plan(statement->plan, values, nulls,
	                          statement->read_only, 0);
	MemoryContextSwitchTo(caller);
	if (result < 0)
		elog(ERROR, "could not run \"%s\": %s", statement->sql,
		     SPI_result_code_string(result));
	return SPI_processed;
}

Portal
mmrd_pg_open(mmrd_pg_statement *statement, Datum *values, const char *nulls)
{
	MemoryContext caller = CurrentMemoryContext;
	Portal portal;

	prepare(statement);
	portal = SPI_cursor_open(NULL, statement->plan, values, nulls,
	                         statement->read_only);
	MemoryContextSwitchTo(caller);
	return portal;
}

uint64
mmrd_pg_fetch(Portal portal, long n)
{
	MemoryContext caller = CurrentMemoryContext;

	SPI_cursor_fetch(portal, true, n);
	MemoryContextSwitchTo(caller);
	return SPI_processed;
}

Datum
mmrd_pg_field(uint64 row, int number, bool *isnull)
{
	return SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc,
	                     number, isnull);
}

char *
mmrd_pg_field_text(uint64 row, int number, MemoryContext owner)
{
	MemoryContext before;
	bool isnull;
	Datum value = mmrd_pg_field(row, number, &isnull);
	char *string;

	if (isnull)
		return NULL;
	before = MemoryContextSwitchTo(owner);
	string = TextDatumGetCString(value);
	MemoryContextSwitchTo(before);
	return string;
}
