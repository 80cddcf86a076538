/*
 * extension/pg_scan_query.c
 *	  One scan of an attached table, by its key, read as the caller.
 */
#include "postgres.h"

#include "extension/pg_scan_query.h"

#include "access/htup_details.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_type.h"
#include "extension/pg_access.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

static void
append_column(StringInfo sql, Relation rel, AttrNumber number)
{
	const FormData_pg_attribute *att =
	    TupleDescAttr(RelationGetDescr(rel), number - 1);

	appendStringInfoString(sql, quote_identifier(NameStr(att->attname)));
}

/* " OPERATOR(pg_catalog.=)" */
static void
append_operator(StringInfo sql, Oid number)
{
	HeapTuple tuple = SearchSysCache1(OPEROID, ObjectIdGetDatum(number));
	Form_pg_operator form;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for operator %u", number);
	form = (Form_pg_operator) GETSTRUCT(tuple);
	appendStringInfo(sql, " OPERATOR(%s.%s)",
	                 quote_identifier(get_namespace_name(form->oprnamespace)),
	                 NameStr(form->oprname));
	ReleaseSysCache(tuple);
}

/* SELECT rgb, aux, model FROM scans WHERE id = $1 */
void
mmrd_pg_scan_query_prepare(Relation rel, const mmrd_pg_columns *columns,
                           mmrd_pg_scan_query *out)
{
	const Oid type =
	    TupleDescAttr(RelationGetDescr(rel), columns->key - 1)->atttypid;
	const Oid equality =
	    lookup_type_cache(getBaseType(type), TYPECACHE_EQ_OPR)->eq_opr;
	StringInfoData sql;
	Oid parameter;
	Oid left;

	if (!OidIsValid(equality))
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_FUNCTION),
		                errmsg("keys of type %s cannot be compared",
		                       format_type_be(type)),
		                errhint("Attach the table by another column.")));
	op_input_types(equality, &left, &parameter);
	if (IsPolymorphicType(parameter))
		parameter = getBaseType(type);
	initStringInfo(&sql);
	appendStringInfoString(&sql, "SELECT ");
	for (int m = 0; m < columns->n_modalities; m++)
	{
		append_column(&sql, rel, columns->modality[m]);
		appendStringInfoString(&sql, ", ");
	}
	if (columns->model != 0)
		append_column(&sql, rel, columns->model);
	else
		appendStringInfoString(&sql, "NULL");
	appendStringInfo(&sql, " FROM %s WHERE ",
	                 quote_qualified_identifier(
	                     get_namespace_name(RelationGetNamespace(rel)),
	                     RelationGetRelationName(rel)));
	append_column(&sql, rel, columns->key);
	append_operator(&sql, equality);
	appendStringInfoString(&sql, " $1");
	out->key_type = type;
	out->n_modalities = columns->n_modalities;
	out->has_model = columns->model != 0;
	out->plan = SPI_prepare(sql.data, 1, &parameter);
	if (out->plan == NULL)
		elog(ERROR, "could not prepare \"%s\": %s", sql.data,
		     SPI_result_code_string(SPI_result));
}

/* The row in SPI_tuptable, copied to the current memory context. */
static void
copy_row(const mmrd_pg_scan_query *query, mmrd_pg_scan_row *out)
{
	const int n = query->n_modalities;
	bool isnull;
	Datum value;

	for (int m = 0; m < n; m++)
	{
		value = mmrd_pg_field(0, 1 + m, &isnull);
		if (!isnull)
			out->bytes[m] = PG_DETOAST_DATUM_COPY(value);
	}
	value = mmrd_pg_field(0, 1 + n, &isnull);
	if (query->has_model && !isnull)
		out->model = mmrd_pg_key_text(
		    SPI_gettypeid(SPI_tuptable->tupdesc, 1 + n), value);
}

bool
mmrd_pg_scan_query_read(const mmrd_pg_scan_query *query, const char *key,
                        mmrd_pg_scan_row *out)
{
	Datum values[] = {mmrd_pg_key_value(query->key_type, key)};
	MemoryContext memory = CurrentMemoryContext;
	bool found;
	int status;

	memset(out, 0, sizeof(*out));
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	status = SPI_execute_plan(query->plan, values, NULL, true, 1);
	if (status != SPI_OK_SELECT)
		elog(ERROR, "could not read a scan: %s",
		     SPI_result_code_string(status));
	MemoryContextSwitchTo(memory);
	found = SPI_processed > 0;
	if (found)
		copy_row(query, out);
	SPI_finish();
	MemoryContextSwitchTo(memory);
	return found;
}
