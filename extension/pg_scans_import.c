/*
 * extension/pg_scans_import.c
 *	  mmrd_import_scans(): folders of scans on the server, into a table.
 *
 * What mmrd-load does from a client, with the same code for the files
 * (loader/dataset/).  The table is read and written as the caller, by plain
 * statements, so rights, triggers, constraints and row security apply.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "extension/pg_glue.h"
#include "extension/pg_input.h"
#include "extension/pg_server_file.h"
#include "lib/stringinfo.h"
#include "loader/bytes/printable.h"
#include "loader/dataset/scan_files.h"
#include "mb/pg_wchar.h"
#include "nodes/makefuncs.h"
#include "tcop/utility.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/varlena.h"

PG_FUNCTION_INFO_V1(mmrd_import_scans);

enum
{
	COLUMN_ID,
	COLUMN_CATEGORY,
	COLUMN_SPLIT,
	COLUMN_LABEL,
	COLUMN_DEFECT,
	COLUMN_RGB, /* from here in the order of the roles */
	COLUMN_AUX,
	COLUMN_AUX2,
	COLUMN_MASK,
	N_COLUMNS,

	MAX_WARNINGS = 100, /* bad files that are named one by one */
	SHOWN_BYTES = 1024  /* of a path, in a message */
};

static const struct
{
	const char *name;
	const char *definition;
	Oid type;
	bool needed;
} columns[N_COLUMNS] = {
    {"id", "text PRIMARY KEY", TEXTOID, true},
    {"category", "text NOT NULL", TEXTOID, false},
    {"split", "text", TEXTOID, false},
    {"label", "bool", BOOLOID, false},
    {"defect", "text", TEXTOID, false},
    {"rgb", "bytea NOT NULL", BYTEAOID, true},
    {"aux", "bytea", BYTEAOID, true},
    {"aux2", "bytea", BYTEAOID, true},
    {"mask", "bytea", BYTEAOID, false},
};

typedef struct import
{
	mmrd_dataset *set;
	char *table; /* for SQL: schema and name */
	bool fills[N_COLUMNS];
	SPIPlanPtr find;   /* is there a row with this id? */
	SPIPlanPtr insert; /* of the columns it fills */
	int64 n_loaded;
	int64 n_present;
	int64 n_bad;
} import;

static void
free_set(void *set)
{
	mmrd_dataset_free(set);
}

static void
clear_files(void *files)
{
	mmrd_scan_files_clear(files);
}

static void
check_rights(void)
{
	PreventCommandIfReadOnly("mmrd_import_scans()");
	if (!has_privs_of_role(GetUserId(), ROLE_PG_READ_SERVER_FILES))
		ereport(ERROR,
		        (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
		         errmsg("permission denied to read files of the server"),
		         errdetail("Only roles with privileges of role "
		                   "\"pg_read_server_files\" may import from a "
		                   "folder."),
		         errhint("The program mmrd-load does the same from a "
		                 "client.")));
}

static char *
text_argument(FunctionCallInfo fcinfo, int n, const char *what)
{
	if (PG_ARGISNULL(n))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
		                errmsg("%s must not be null", what),
		                errhint("Pass a value for it.")));
	return text_to_cstring(PG_GETARG_TEXT_PP(n));
}

static char *
path_argument(FunctionCallInfo fcinfo, int n)
{
	char *path = text_argument(fcinfo, n, "the path of the folder");

	canonicalize_path(path);
	mmrd_pg_server_file_absolute(path);
	return path;
}

/* An array of names; none for NULL. */
static void
read_categories(FunctionCallInfo fcinfo, int n, mmrd_dataset_options *options)
{
	Datum *items;
	bool *nulls;
	const char **names;
	int n_items;

	if (PG_ARGISNULL(n))
		return;
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(n), TEXTOID, -1, false,
	                  TYPALIGN_INT, &items, &nulls, &n_items);
	names = palloc(sizeof(*names) * (n_items + 1));
	for (int i = 0; i < n_items; i++)
	{
		if (nulls[i])
			ereport(ERROR,
			        (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
			         errmsg("a category must not be null"),
			         errhint("Leave the category out to load all of them.")));
		names[i] = TextDatumGetCString(items[i]);
	}
	options->categories = names;
	options->n_categories = n_items;
}

static void
read_options(FunctionCallInfo fcinfo, mmrd_dataset_options *options)
{
	char *format = text_argument(fcinfo, 2, "the format");
	mmrd_dataset_format number;

	if (!mmrd_dataset_format_parse(format, &number))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
		                errmsg("unknown format \"%s\"", format),
		                errhint("Formats are: mvtec3d, eyecandies, folder.")));
	mmrd_dataset_options_init(options, number);
	options->raster = mmrd_pg_image_limits();
	options->stop = &mmrd_pg_stop;
	read_categories(fcinfo, 3, options);
	if (!PG_ARGISNULL(4))
	{
		char *aux = text_to_cstring(PG_GETARG_TEXT_PP(4));

		if (!mmrd_dataset_aux_parse(aux, &options->aux))
			ereport(ERROR,
			        (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			         errmsg("unknown aux \"%s\"", aux),
			         errhint("There are: none, xyz, normals, depth, both.")));
	}
	if (!PG_ARGISNULL(5))
		options->light = PG_GETARG_INT32(5);
}

static mmrd_dataset *
open_set(const char *path, const mmrd_dataset_options *options)
{
	mmrd_pg_owned *owned = mmrd_pg_own(CurrentMemoryContext, free_set);
	mmrd_error err = {0};
	mmrd_dataset *set = NULL;
	mmrd_status st = mmrd_dataset_open(path, options, &set, &err);

	owned->object = set;
	if (st != MMRD_OK)
		mmrd_pg_throw_where(&err, psprintf("folder \"%s\"", path));
	return set;
}

/* Of a user's bytes: paths and names may be anything. */
static const char *
shown(const char *text)
{
	char *buf = palloc(SHOWN_BYTES);

	return mmrd_printable(text, strlen(text), buf, SHOWN_BYTES);
}

static void
warn_bad(import *in, const char *path, const char *message, const char *detail)
{
	if (in->n_bad++ < MAX_WARNINGS)
		ereport(WARNING,
		        (errmsg("not loaded: %s: %s", shown(path), shown(message)),
		         detail[0] ? errdetail_internal("%s", shown(detail)) : 0));
}

static bool
is_filled(const mmrd_dataset *set, int column)
{
	if (column == COLUMN_AUX)
		return set->has[MMRD_SCAN_AUX];
	if (column == COLUMN_AUX2)
		return set->has[MMRD_SCAN_AUX2];
	return true;
}

static void
run(const char *sql)
{
	const int result = SPI_execute(sql, false, 0);

	if (result < 0)
		elog(ERROR, "could not run \"%s\": %s", sql,
		     SPI_result_code_string(result));
}

static void
create_table(import *in)
{
	StringInfoData sql;
	const char *comma = "";

	initStringInfo(&sql);
	appendStringInfo(&sql, "CREATE TABLE %s (", in->table);
	for (int c = 0; c < N_COLUMNS; c++)
		if (is_filled(in->set, c))
		{
			appendStringInfo(&sql, "%s%s pg_catalog.%s", comma,
			                 columns[c].name, columns[c].definition);
			comma = ", ";
		}
	appendStringInfoChar(&sql, ')');
	run(sql.data);

	/* Pictures are compressed already: trying again would cost time. */
	for (int c = COLUMN_RGB; c <= COLUMN_MASK; c++)
		if (is_filled(in->set, c))
			run(psprintf("ALTER TABLE %s ALTER COLUMN %s SET STORAGE EXTERNAL",
			             in->table, columns[c].name));
	ereport(NOTICE, (errmsg("table %s created", in->table)));
}

/* The table by its name, made if it is not there; what it can take. */
static void
open_table(import *in, text *name)
{
	RangeVar *range = makeRangeVarFromNameList(textToQualifiedNameList(name));
	Oid relation = RangeVarGetRelid(range, NoLock, true);

	if (OidIsValid(relation))
		in->table = quote_qualified_identifier(
		    get_namespace_name(get_rel_namespace(relation)),
		    get_rel_name(relation));
	else
	{
		in->table = quote_qualified_identifier(
		    get_namespace_name(RangeVarGetCreationNamespace(range)),
		    range->relname);
		create_table(in);
		relation = RangeVarGetRelid(range, NoLock, false);
	}
	for (int c = 0; c < N_COLUMNS; c++)
	{
		if (!is_filled(in->set, c))
			continue;
		in->fills[c] =
		    get_attnum(relation, columns[c].name) > InvalidAttrNumber;
		if (!in->fills[c])
			ereport(columns[c].needed ? ERROR : NOTICE,
			        (errcode(ERRCODE_UNDEFINED_COLUMN),
			         errmsg("table %s has no column \"%s\"", in->table,
			                columns[c].name)));
	}
}

static SPIPlanPtr
prepare(const char *sql, int n, Oid *types)
{
	SPIPlanPtr plan = SPI_prepare(sql, n, types);

	if (plan == NULL)
		elog(ERROR, "could not prepare \"%s\": %s", sql,
		     SPI_result_code_string(SPI_result));
	return plan;
}

static void
prepare_statements(import *in)
{
	StringInfoData names;
	StringInfoData values;
	Oid types[N_COLUMNS];
	int n = 0;

	initStringInfo(&names);
	initStringInfo(&values);
	for (int c = 0; c < N_COLUMNS; c++)
		if (in->fills[c])
		{
			types[n++] = columns[c].type;
			appendStringInfo(&names, "%s%s", n > 1 ? ", " : "",
			                 columns[c].name);
			appendStringInfo(&values, "%s$%d", n > 1 ? ", " : "", n);
		}
	in->insert = prepare(psprintf("INSERT INTO %s (%s) VALUES (%s) "
	                              "ON CONFLICT (id) DO NOTHING",
	                              in->table, names.data, values.data),
	                     n, types);
	in->find =
	    prepare(psprintf("SELECT FROM %s WHERE id OPERATOR(pg_catalog.=) $1",
	                     in->table),
	            1, types);
}

static Datum
text_datum(const char *utf8)
{
	char *own = pg_any_to_server(utf8, strlen(utf8), PG_UTF8);

	return CStringGetTextDatum(own);
}

static Datum
bytes_datum(const uint8_t *bytes, size_t n)
{
	bytea *value = palloc(VARHDRSZ + n);

	SET_VARSIZE(value, VARHDRSZ + n);
	memcpy(VARDATA(value), bytes, n);
	return PointerGetDatum(value);
}

/* One column of one scan. */
static Datum
value_of(const mmrd_scan *scan, const mmrd_scan_files *files, int column,
         bool *isnull)
{
	const char *const texts[] = {scan->id, scan->category, scan->split, NULL,
	                             scan->defect};
	const int role = column - COLUMN_RGB;

	if (column == COLUMN_LABEL)
	{
		*isnull = scan->label == MMRD_SCAN_UNKNOWN;
		return BoolGetDatum(scan->label == MMRD_SCAN_DEFECTIVE);
	}
	if (column < COLUMN_RGB)
	{
		*isnull = texts[column] == NULL;
		return *isnull ? (Datum) 0 : text_datum(texts[column]);
	}
	*isnull = files->bytes[role] == NULL;
	return *isnull ? (Datum) 0
	               : bytes_datum(files->bytes[role], files->n_bytes[role]);
}

/* SPI's own memory is released, a little, row by row. */
static uint64
execute(SPIPlanPtr plan, Datum *values, const char *nulls)
{
	const int result = SPI_execute_plan(plan, values, nulls, false, 0);

	if (result < 0)
		elog(ERROR, "could not run a statement: %s",
		     SPI_result_code_string(result));
	SPI_freetuptable(SPI_tuptable);
	return SPI_processed;
}

static bool
is_present(import *in, const mmrd_scan *scan)
{
	Datum id = text_datum(scan->id);

	return execute(in->find, &id, NULL) > 0;
}

static void
insert_scan(import *in, const mmrd_scan *scan, const mmrd_scan_files *files)
{
	Datum values[N_COLUMNS];
	char nulls[N_COLUMNS];
	int n = 0;

	for (int c = 0; c < N_COLUMNS; c++)
		if (in->fills[c])
		{
			bool isnull;

			values[n] = value_of(scan, files, c, &isnull);
			nulls[n++] = isnull ? 'n' : ' ';
		}
	if (execute(in->insert, values, nulls) > 0)
		in->n_loaded++;
	else
		in->n_present++; /* somebody else was faster */
}

/* Read and store scan i; a file that is bad is a warning. */
static void
import_scan(import *in, size_t i, mmrd_scan_files *files)
{
	const mmrd_scan *scan = &in->set->scans[i];
	mmrd_error err = {0};

	CHECK_FOR_INTERRUPTS();
	if (is_present(in, scan))
	{
		in->n_present++;
		return;
	}
	switch (mmrd_scan_read(in->set, i, files, &err))
	{
		case MMRD_OK:
			insert_scan(in, scan, files);
			break;
		case MMRD_IO_ERROR:
		case MMRD_CORRUPT_DATA:
		case MMRD_UNSUPPORTED:
		case MMRD_LIMIT_EXCEEDED:
			warn_bad(in, files->bad, err.message, err.detail);
			break;
		default: /* cancelled, no memory */
			mmrd_pg_throw(&err);
	}
	mmrd_scan_files_clear(files);
}

static void
import_all(import *in)
{
	MemoryContext row = AllocSetContextCreate(
	    CurrentMemoryContext, "mmrd import", ALLOCSET_DEFAULT_SIZES);
	MemoryContext before = MemoryContextSwitchTo(row);
	mmrd_scan_files *files;

	/* What malloc gave for a scan is released whatever happens. */
	files = MemoryContextAllocZero(before, sizeof(*files));
	mmrd_pg_own(before, clear_files)->object = files;
	for (size_t i = 0; i < in->set->n_problems; i++)
		warn_bad(in, in->set->problems[i].path, in->set->problems[i].message,
		         "");
	for (size_t i = 0; i < in->set->n_scans; i++)
	{
		import_scan(in, i, files);
		MemoryContextReset(row);
	}
	MemoryContextSwitchTo(before);
}

/* Arguments: source, path, format, category, aux, light. */
Datum
mmrd_import_scans(PG_FUNCTION_ARGS)
{
import in = {0 };
	mmrd_dataset_options options;
	char *path;

	check_rights();
	(void) text_argument(fcinfo, 0, "the table");
	path = path_argument(fcinfo, 1);
	read_options(fcinfo, &options);
	in.set = open_set(path, &options);

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	open_table(&in, PG_GETARG_TEXT_PP(0));
	prepare_statements(&in);
	import_all(&in);
	SPI_finish();
	if (in.n_bad > 0 || in.n_present > 0)
		ereport(NOTICE,
		        (errmsg("%lld scans loaded, %lld were already there, "
		                "%lld bad",
		                (long long) in.n_loaded, (long long) in.n_present,
		                (long long) in.n_bad)));
	PG_RETURN_INT64(in.n_loaded);
}
