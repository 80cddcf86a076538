/*
 * extension/pg_scans.c
 *	  Reading scans from a user's table, as the caller.
 *
 * A SELECT has no order, but training needs one (network.md 4).  The query
 * therefore sorts by the SHA-256 of the images; the sort moves only digests
 * and pointers to the images, which stay where they are until a row is read.
 */
#include "postgres.h"

#include "extension/pg_scans.h"

#include "access/relation.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "extension/pg_access.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "tcop/tcopprot.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

char *
mmrd_pg_name_argument(FunctionCallInfo fcinfo, int n)
{
	return PG_ARGISNULL(n) ? NULL : pstrdup(NameStr(*PG_GETARG_NAME(n)));
}

void
mmrd_pg_need_source(FunctionCallInfo fcinfo, int n, const char *what)
{
	if (PG_ARGISNULL(n))
		ereport(ERROR,
		        (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
		         errmsg("the source of the scans must be named"),
		         errhint("Pass the name of a %s, such as 'scans'.", what)));
}

enum
{
	ROWS_AT_ONCE = 16 /* fetched at a time: pointers to images, mostly */
};

static bool
can_be_read(char relkind)
{
	return relkind == RELKIND_RELATION || relkind == RELKIND_VIEW ||
	       relkind == RELKIND_MATVIEW || relkind == RELKIND_FOREIGN_TABLE ||
	       relkind == RELKIND_PARTITIONED_TABLE;
}

/* "a", "b": the columns of that type; for hints. */
static char *
columns_of_type(TupleDesc desc, Oid type)
{
	StringInfoData names;

	initStringInfo(&names);
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		if (att->attisdropped || getBaseType(att->atttypid) != type)
			continue;
		appendStringInfo(&names, "%s%s", names.len > 0 ? ", " : "",
		                 quote_identifier(NameStr(att->attname)));
	}
	if (names.len == 0)
		appendStringInfoString(&names, "none");
	return names.data;
}

static void
check_column(const mmrd_pg_source *source, TupleDesc desc, const char *column,
             Oid type)
{
	AttrNumber number = get_attnum(source->relation, column);
	Oid found;

	if (number == InvalidAttrNumber || number < 0)
		ereport(ERROR,
		        (errcode(ERRCODE_UNDEFINED_COLUMN),
		         errmsg("column \"%s\" of \"%s\" does not exist", column,
		                source->name),
		         errhint("Columns of type %s are: %s.", format_type_be(type),
		                 columns_of_type(desc, type))));
	found = getBaseType(get_atttype(source->relation, number));
	if (found != type)
		ereport(
		    ERROR,
		    (errcode(ERRCODE_DATATYPE_MISMATCH),
		     errmsg("column \"%s\" of \"%s\" has type %s, not %s", column,
		            source->name, format_type_be(found), format_type_be(type)),
		     errhint("Columns of type %s are: %s.", format_type_be(type),
		             columns_of_type(desc, type))));
}

static void
check_bytea(const mmrd_pg_source *source, Relation rel, const char *column)
{
	check_column(source, RelationGetDescr(rel), column, BYTEAOID);
}

void
mmrd_pg_source_init(mmrd_pg_source *source, Oid relation, const char *rgb,
                    const char *aux, const char *aux2)
{
	Relation rel;

	if (rgb == NULL)
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
		                errmsg("the column of the RGB images must be named"),
		                errhint("Leave rgb out for a column called rgb.")));
	if (aux == NULL && aux2 != NULL)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
		                errmsg("aux2 is named and aux is not"),
		                errhint("Name the only auxiliary column in aux.")));

	rel = try_relation_open(relation, AccessShareLock);
	if (rel == NULL)
		ereport(ERROR,
		        (errcode(ERRCODE_UNDEFINED_TABLE),
		         errmsg("relation with OID %u does not exist", relation),
		         errhint("It may have been dropped meanwhile.")));
	memset(source, 0, sizeof(*source));
	source->relation = relation;
	source->name = pstrdup(RelationGetRelationName(rel));
	source->quoted = quote_qualified_identifier(
	    get_namespace_name(RelationGetNamespace(rel)), source->name);
	if (!can_be_read(rel->rd_rel->relkind))
		ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE),
		                errmsg("\"%s\" is not a table or view", source->name),
		                errhint("Pass the name of a table, a partitioned "
		                        "table, a foreign table or a view.")));

	source->column[source->n_modalities++] = pstrdup(rgb);
	if (aux != NULL)
		source->column[source->n_modalities++] = pstrdup(aux);
	if (aux2 != NULL)
		source->column[source->n_modalities++] = pstrdup(aux2);
	for (int m = 0; m < source->n_modalities; m++)
		check_bytea(source, rel, source->column[m]);
	relation_close(rel, AccessShareLock);
}

void
mmrd_pg_source_add(mmrd_pg_source *source, const char *column, Oid type)
{
	Relation rel = relation_open(source->relation, AccessShareLock);

	check_column(source, RelationGetDescr(rel), column, type);
	source->extra[source->n_extra++] = pstrdup(column);
	relation_close(rel, AccessShareLock);
}

char *
mmrd_pg_source_query(const mmrd_pg_source *source, const char *wanted,
                     const char *excluded, bool ordered)
{
	const int first_digest = source->n_modalities + source->n_extra + 1;
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "SELECT ");
	for (int m = 0; m < source->n_modalities; m++)
		appendStringInfo(&sql, "%s%s", m ? ", " : "",
		                 quote_identifier(source->column[m]));
	for (int i = 0; i < source->n_extra; i++)
		appendStringInfo(&sql, ", %s", quote_identifier(source->extra[i]));
	if (ordered)
		for (int m = 0; m < source->n_modalities; m++)
			appendStringInfo(&sql, ", pg_catalog.sha256(%s)",
			                 quote_identifier(source->column[m]));
	appendStringInfo(&sql, " FROM %s", source->quoted);

	/* A condition may end in a comment: hence the line breaks. */
	if (wanted != NULL)
		appendStringInfo(&sql, " WHERE (%s\n)", wanted);
	if (excluded != NULL)
		appendStringInfo(&sql, " %s (%s\n) IS NOT TRUE",
		                 wanted != NULL ? "AND" : "WHERE", excluded);
	if (ordered)
		for (int m = 0; m < source->n_modalities; m++)
			appendStringInfo(&sql, "%s %d", m ? "," : " ORDER BY",
			                 first_digest + m);
	return sql.data;
}

/* Detoast row `row` of SPI_tuptable; false when an image is NULL. */
static bool
read_row(const mmrd_pg_source *source, uint64 row, bool ordered,
         mmrd_pg_scan *scan)
{
	int number = 1;
	bool isnull;
	Datum values[MMRD_MAX_MODALITIES];

	memset(scan, 0, sizeof(*scan));
	for (int m = 0; m < source->n_modalities; m++)
	{
		values[m] = mmrd_pg_field(row, number++, &isnull);
		if (isnull)
			return false;
	}
	for (int m = 0; m < source->n_modalities; m++)
		scan->modality[m] = PG_DETOAST_DATUM_PACKED(values[m]);
	for (int i = 0; i < source->n_extra; i++)
		scan->extra[i] = mmrd_pg_field(row, number++, &scan->extra_null[i]);
	if (ordered)
		for (int m = 0; m < source->n_modalities; m++)
		{
			struct varlena *digest =
			    PG_DETOAST_DATUM_PACKED(mmrd_pg_field(row, number++, &isnull));

			Assert(VARSIZE_ANY_EXHDR(digest) == MMRD_PG_DIGEST_BYTES);
			scan->digest[m] = (const uint8 *) VARDATA_ANY(digest);
		}
	return true;
}

int64
mmrd_pg_scans_read(const mmrd_pg_source *source, const char *query,
                   bool ordered, mmrd_pg_scan_take take, void *context,
                   int64 *skipped)
{
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext one =
	    AllocSetContextCreate(caller, "mmrd scan", ALLOCSET_DEFAULT_SIZES);
	SPIPlanPtr plan;
	Portal portal;
	int64 taken = 0;

	*skipped = 0;
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	if (list_length(pg_parse_query(query)) != 1)
		ereport(
		    ERROR,
		    (errcode(ERRCODE_SYNTAX_ERROR),
		     errmsg("a condition is not one SQL expression"),
		     errdetail("The query was: %s", query),
		     errhint(
		         "Write what would follow WHERE, such as: split = 'train'.")));
	plan = SPI_prepare(query, 0, NULL);
	if (plan == NULL)
		elog(ERROR, "could not prepare \"%s\": %s", query,
		     SPI_result_code_string(SPI_result));
	portal = SPI_cursor_open(NULL, plan, NULL, NULL, true);
	for (;;)
	{
		SPITupleTable *rows;
		uint64 n;

		n = mmrd_pg_fetch(portal, ROWS_AT_ONCE);
		rows = SPI_tuptable;
		if (n == 0)
			break;
		for (uint64 i = 0; i < n; i++)
		{
			MemoryContext spi = MemoryContextSwitchTo(one);
			mmrd_pg_scan scan;

			SPI_tuptable = rows; /* `take` may use SPI itself */
			if (read_row(source, i, ordered, &scan))
			{
				take(context, &scan);
				taken++;
			}
			else
				(*skipped)++;
			MemoryContextSwitchTo(spi);
			MemoryContextReset(one);
			CHECK_FOR_INTERRUPTS();
		}
		SPI_freetuptable(rows);
	}
	SPI_cursor_close(portal);
	SPI_finish();
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(one);
	return taken;
}

void
mmrd_pg_scan_throw(const mmrd_pg_source *source, const mmrd_pg_scan *scan,
                   int m, const mmrd_error *err)
{
	const char *column = quote_identifier(source->column[m]);
	mmrd_error with_hint = *err;
	bytea *digest = DatumGetByteaPP(
	    DirectFunctionCall1(sha256_bytea, PointerGetDatum(scan->modality[m])));
	StringInfoData where;

	initStringInfo(&where);
	appendStringInfo(&where, "row of %s where encode(sha256(%s), 'hex') = '",
	                 source->quoted, column);
	for (int i = 0; i < MMRD_PG_DIGEST_BYTES; i++)
		appendStringInfo(&where, "%02x", (uint8) VARDATA_ANY(digest)[i]);
	appendStringInfoChar(&where, '\'');

	if (with_hint.hint[0] == '\0')
		mmrd_hint(&with_hint, "A condition, the argument filter, can leave "
		                      "the row out.");
	mmrd_pg_throw_where(&with_hint, where.data);
}

void
mmrd_pg_scans_report_skipped(const mmrd_pg_source *source, int64 skipped)
{
	if (skipped == 0)
		return;
	ereport(NOTICE, (errmsg_plural("%lld scan of \"%s\" was skipped",
	                               "%lld scans of \"%s\" were skipped",
	                               (unsigned long) skipped,
	                               (long long) skipped, source->name),
	                 errdetail("An image in it is NULL.")));
}
