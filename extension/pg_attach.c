/*
 * extension/pg_attach.c
 *	  mmrd_attach(), mmrd_attach_options(), mmrd_detach().
 *
 * The triggers are made as the caller, who must own the table: nobody puts
 * work on somebody else's inserts.  They are ordinary triggers, so they are
 * dumped with the table, copied to its partitions, and gone when it is.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "catalog/pg_class.h"
#include "catalog/pg_index.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "extension/pg_access.h"
#include "extension/pg_attachment.h"
#include "extension/pg_pending.h"
#include "extension/pg_scans.h"
#include "extension/pg_score.h"
#include "extension/pg_settings.h"
#include "lib/stringinfo.h"
#include "tcop/utility.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

PG_FUNCTION_INFO_V1(mmrd_attach);
PG_FUNCTION_INFO_V1(mmrd_attach_options);
PG_FUNCTION_INFO_V1(mmrd_detach);

static mmrd_pg_statement insert_attachment = {
    "INSERT INTO mmrd.attachments (source, key, rgb, aux, aux2, "
    "model_column, model, mode, keep_map, notify, attached_by) VALUES "
    "($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    false,
    11,
    {OIDOID, NAMEOID, NAMEOID, NAMEOID, NAMEOID, NAMEOID, TEXTOID, TEXTOID,
     TEXTOID, NAMEOID, NAMEOID},
    NULL};

static mmrd_pg_statement delete_attachment = {
    "DELETE FROM mmrd.attachments WHERE source = $1",
    false,
    1,
    {OIDOID},
    NULL};

static mmrd_pg_statement set_options = {
    "UPDATE mmrd.attachments SET on_error = coalesce($2, on_error), "
    "on_delete = coalesce($3, on_delete) WHERE source = $1",
    false,
    3,
    {OIDOID, TEXTOID, TEXTOID},
    NULL};

typedef struct request
{
	mmrd_pg_source source;
	Relation rel;
	char *key;
	char *model;
	char *mode;
	char *keep_map;
	char *model_column;
	char *notify;
} request;

/* A text argument that has to be one of these; n of them. */
static char *
choice(FunctionCallInfo fcinfo, int argument, const char *name,
       const char *const *choices, int n)
{
	StringInfoData list;
	char *given;

	if (PG_ARGISNULL(argument))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
		                errmsg("%s must not be null", name),
		                errhint("Leave %s out for its default.", name)));
	given = text_to_cstring(PG_GETARG_TEXT_PP(argument));
	initStringInfo(&list);
	for (int i = 0; i < n; i++)
	{
		if (strcmp(given, choices[i]) == 0)
			return given;
		appendStringInfo(&list, "%s\"%s\"", i ? ", " : "", choices[i]);
	}
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
	                errmsg("unknown %s \"%s\"", name, given),
	                errhint("Possible are %s.", list.data)));
	return NULL; /* not reached */
}

/* Arguments as declared: see sql/86-attach.sql. */
static void
read_arguments(FunctionCallInfo fcinfo, request *r)
{
	static const char *const modes[] = {"queue", "trigger"};
	static const char *const maps[] = {"anomalous", "always", "never"};

	mmrd_pg_need_source(fcinfo, 0, "table");
	r->key = mmrd_pg_name_argument(fcinfo, 1);
	if (r->key == NULL)
		ereport(ERROR,
		        (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
		         errmsg("the key column must be named"),
		         errhint("Pass the name of a column with a unique index.")));
	if (!PG_ARGISNULL(2))
		r->model = text_to_cstring(PG_GETARG_TEXT_PP(2));
	else if (mmrd_pg_setting_model[0] != '\0')
		r->model = pstrdup(mmrd_pg_setting_model);
	mmrd_pg_source_init(
	    &r->source, PG_GETARG_OID(0), mmrd_pg_name_argument(fcinfo, 3),
	    mmrd_pg_name_argument(fcinfo, 4), mmrd_pg_name_argument(fcinfo, 5));
	r->mode = choice(fcinfo, 6, "mode", modes, lengthof(modes));
	r->keep_map = choice(fcinfo, 7, "keep_map", maps, lengthof(maps));
	r->model_column = mmrd_pg_name_argument(fcinfo, 8);
	r->notify = mmrd_pg_name_argument(fcinfo, 9);
	if (r->notify != NULL && r->notify[0] == '\0')
		ereport(ERROR,
		        (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
		         errmsg("the channel to notify must have a name"),
		         errhint("Leave notify out where nobody is to be told.")));
}

/* ---- what can be attached ---- */

static void
check_table(const request *r)
{
	const Form_pg_class form = r->rel->rd_rel;
	const char *schema = get_namespace_name(form->relnamespace);

	if (form->relkind != RELKIND_RELATION &&
	    form->relkind != RELKIND_PARTITIONED_TABLE)
		ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE),
		                errmsg("\"%s\" is not a table", r->source.name),
		                errhint("Attach the table below it.")));
	mmrd_pg_check_owner(r->rel, "attach it");
	if (form->relpersistence == RELPERSISTENCE_TEMP ||
	    strcmp(schema, "mmrd") == 0)
		ereport(
		    ERROR,
		    (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
		     errmsg("table \"%s\" cannot be attached", r->source.name),
		     errdetail("It is %s.", strcmp(schema, "mmrd") == 0
		                                ? "one of mmrd's own"
		                                : "temporary: no other session could "
		                                  "score its scans"),
		     errhint("Keep the scans in a table of your own that lasts.")));
}

static AttrNumber
find_column(const request *r, const char *name)
{
	const AttrNumber number = get_attnum(RelationGetRelid(r->rel), name);

	if (number <= 0)
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_COLUMN),
		                errmsg("column \"%s\" of \"%s\" does not exist", name,
		                       r->source.name),
		                errhint("Pass the name of one of its columns.")));
	return number;
}

/* Has a relation an index that makes this column unique by itself? */
static bool
has_unique_index(Oid relation, const char *column)
{
	Relation rel = relation_open(relation, AccessShareLock);
	const AttrNumber number = get_attnum(relation, column);
	List *indexes = RelationGetIndexList(rel);
	bool found = false;
	ListCell *cell;

	foreach (cell, indexes)
	{
		HeapTuple tuple =
		    SearchSysCache1(INDEXRELID, ObjectIdGetDatum(lfirst_oid(cell)));
		Form_pg_index index;

		if (!HeapTupleIsValid(tuple))
			continue;
		index = (Form_pg_index) GETSTRUCT(tuple);
		found |= index->indisunique && index->indisvalid &&
		         index->indnkeyatts == 1 &&
		         index->indkey.values[0] == number &&
		         heap_attisnull(tuple, Anum_pg_index_indpred, NULL);
		ReleaseSysCache(tuple);
	}
	list_free(indexes);
	relation_close(rel, AccessShareLock);
	return found;
}

/*
 * A partitioned table can have no unique index without its partition key;
 * then each partition must have one of its own.
 */
static bool
is_unique(const request *r)
{
	const Oid relation = RelationGetRelid(r->rel);
	int n_leaves = 0;
	ListCell *cell;

	if (has_unique_index(relation, r->key))
		return true;
	if (r->rel->rd_rel->relkind != RELKIND_PARTITIONED_TABLE)
		return false;
	foreach (cell, find_all_inheritors(relation, AccessShareLock, NULL))
	{
		if (get_rel_relkind(lfirst_oid(cell)) == RELKIND_PARTITIONED_TABLE)
			continue;
		n_leaves++;
		if (!has_unique_index(lfirst_oid(cell), r->key))
			return false;
	}
	return n_leaves > 0;
}

static void
check_key(const request *r)
{
	const AttrNumber number = find_column(r, r->key);
	const Oid type =
	    TupleDescAttr(RelationGetDescr(r->rel), number - 1)->atttypid;

	if (!is_unique(r))
		ereport(ERROR,
		        (errcode(ERRCODE_INVALID_COLUMN_REFERENCE),
		         errmsg("column \"%s\" of \"%s\" has no unique index", r->key,
		                r->source.name),
		         errdetail("The key tells scans apart, and finds them."),
		         r->rel->rd_rel->relkind == RELKIND_PARTITIONED_TABLE
		             ? errhint("Give each partition one: CREATE UNIQUE INDEX "
		                       "ON partition (%s).",
		                       quote_identifier(r->key))
		             : errhint("CREATE UNIQUE INDEX ON %s (%s).",
		                       r->source.quoted, quote_identifier(r->key))));
	mmrd_pg_key_check(type);
	if (!OidIsValid(
	        lookup_type_cache(getBaseType(type), TYPECACHE_EQ_OPR)->eq_opr))
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_FUNCTION),
		                errmsg("keys of type %s cannot be compared",
		                       format_type_be(type)),
		                errhint("Use a column whose type has a default btree "
		                        "operator class.")));
}

/* One trigger names each of them once. */
static void
check_distinct(const request *r)
{
	const char *names[2 + MMRD_MAX_MODALITIES];
	int n = 0;

	names[n++] = r->key;
	for (int m = 0; m < r->source.n_modalities; m++)
		names[n++] = r->source.column[m];
	if (r->model_column != NULL)
		names[n++] = r->model_column;
	for (int i = 0; i < n; i++)
		for (int j = 0; j < i; j++)
			if (strcmp(names[i], names[j]) == 0)
				ereport(
				    ERROR,
				    (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				     errmsg("column \"%s\" is named twice", names[i]),
				     errhint("Key, pictures and model each need a column of "
				             "their own; pass aux => NULL for RGB alone.")));
}

/*
 * The owner of the table must be allowed to use the model: whoever inserts a
 * scan, or works off the queue, then does so on the owner's behalf.
 */
static void
check_model(const request *r)
{
	const mmrd_pg_version *version;

	if (r->model_column != NULL)
		(void) find_column(r, r->model_column);
	if (r->model_column != NULL && r->model == NULL)
		return;
	version = mmrd_pg_version_for(r->model, r->rel->rd_rel->relowner,
	                              CurrentMemoryContext);
	mmrd_pg_check_modalities(version, r->source.n_modalities > 1,
	                         r->source.n_modalities > 2);
}

/* ---- triggers ---- */

static void
run_as_caller(const char *sql)
{
	int result;

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	result = SPI_execute(sql, false, 0);
	if (result != SPI_OK_UTILITY)
		elog(ERROR, "could not run \"%s\": %s", sql,
		     SPI_result_code_string(result));
	SPI_finish();
}

/* A partition has copies of its parent's triggers, and they stay. */
static void
check_whole(Relation rel)
{
	mmrd_pg_columns columns;

	if (!mmrd_pg_relation_columns(rel, &columns) ||
	    columns.source == RelationGetRelid(rel))
		return;
	ereport(ERROR,
	        (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
	         errmsg("table \"%s\" is a partition of an attached table",
	                RelationGetRelationName(rel)),
	         errdetail("\"%s\" is attached, and all of its partitions with "
	                   "it.",
	                   get_rel_name(columns.source)),
	         errhint("Detach \"%s\" first.", get_rel_name(columns.source))));
}

static void
drop_triggers(Relation rel, const char *quoted)
{
	static const char *const names[] = {MMRD_PG_SCAN_TRIGGER,
	                                    MMRD_PG_TRUNCATE_TRIGGER};

	for (size_t i = 0; i < lengthof(names); i++)
	{
		bool found = false;

		for (int t = 0; rel->trigdesc && t < rel->trigdesc->numtriggers; t++)
			found |= strcmp(rel->trigdesc->triggers[t].tgname, names[i]) == 0;
		if (found)
			run_as_caller(psprintf("DROP TRIGGER %s ON %s", names[i], quoted));
	}
}

static void
append_role(StringInfo columns, StringInfo roles, const char *column,
            const char *role)
{
	appendStringInfo(columns, "%s%s", columns->len > 0 ? ", " : "",
	                 quote_identifier(column));
	appendStringInfo(roles, ", '%s'", role);
}

/* schema: where the trigger functions are, those of this very extension. */
static void
create_triggers(const request *r, const char *schema)
{
	StringInfoData columns;
	StringInfoData roles;

	initStringInfo(&columns);
	initStringInfo(&roles);
	append_role(&columns, &roles, r->key, "key");
	for (int m = 0; m < r->source.n_modalities; m++)
		append_role(&columns, &roles, r->source.column[m],
		            mmrd_modality_name(m));
	if (r->model_column != NULL)
		append_role(&columns, &roles, r->model_column, "model");
	run_as_caller(
	    psprintf("CREATE TRIGGER " MMRD_PG_SCAN_TRIGGER
	             " AFTER INSERT OR DELETE OR UPDATE OF %s ON %s FOR EACH ROW "
	             "EXECUTE FUNCTION %s.mmrd_on_scan('%s'%s)",
	             columns.data, r->source.quoted, schema, r->mode, roles.data));
	run_as_caller(psprintf("CREATE TRIGGER " MMRD_PG_TRUNCATE_TRIGGER
	                       " AFTER TRUNCATE ON %s FOR EACH STATEMENT "
	                       "EXECUTE FUNCTION %s.mmrd_on_truncate()",
	                       r->source.quoted, schema));
}

/* ---- the functions ---- */

static Datum
name_datum(const char *name, char *null)
{
	*null = name == NULL ? 'n' : ' ';
	return name == NULL ? (Datum) 0
	                    : DirectFunctionCall1(namein, CStringGetDatum(name));
}

static void
store(const request *r)
{
	const int n = r->source.n_modalities;
	Datum values[11] = {ObjectIdGetDatum(r->source.relation)};
	char nulls[12];
	mmrd_pg_access access;

	memset(nulls, ' ', sizeof(nulls));
	mmrd_pg_access_begin(&access);
	values[1] = name_datum(r->key, &nulls[1]);
	for (int m = 0; m < MMRD_MAX_MODALITIES; m++)
		values[2 + m] =
		    name_datum(m < n ? r->source.column[m] : NULL, &nulls[2 + m]);
	values[5] = name_datum(r->model_column, &nulls[5]);
	nulls[6] = r->model == NULL ? 'n' : ' ';
	if (r->model != NULL)
		values[6] = CStringGetTextDatum(r->model);
	values[7] = CStringGetTextDatum(r->mode);
	values[8] = CStringGetTextDatum(r->keep_map);
	values[9] = name_datum(r->notify, &nulls[9]);
	values[10] = name_datum(GetUserNameFromId(access.user, false), &nulls[10]);
	mmrd_pg_run(&delete_attachment, values, NULL);
	mmrd_pg_run(&insert_attachment, values, nulls);
	mmrd_pg_access_end(&access);
}

/*
 * With the lock that making a trigger takes, which lets others read; or that
 * of dropping one, at once, lest two lock upgrades wait for each other.
 */
static Relation
open_source(Oid relation)
{
	Relation rel = relation_open(relation, AccessShareLock);
	const bool has_triggers = rel->trigdesc != NULL;

	relation_close(rel, AccessShareLock);
	return relation_open(relation, has_triggers ? AccessExclusiveLock
	                                            : ShareRowExclusiveLock);
}

Datum
mmrd_attach(PG_FUNCTION_ARGS)
{
	const char *schema = quote_identifier(
	    get_namespace_name(get_func_namespace(fcinfo->flinfo->fn_oid)));
	request r = {0};

	PreventCommandDuringRecovery("mmrd_attach()");
	PreventCommandIfReadOnly("mmrd_attach()");
	read_arguments(fcinfo, &r);
	r.rel = open_source(r.source.relation);
	check_table(&r);
	check_whole(r.rel);
	check_key(&r);
	check_distinct(&r);
	check_model(&r);
	drop_triggers(r.rel, r.source.quoted);
	create_triggers(&r, schema);
	store(&r);
	relation_close(r.rel, NoLock);
	PG_RETURN_VOID();
}

static bool
is_attached(Relation rel)
{
	mmrd_pg_attachment attachment;

	return mmrd_pg_attachment_read(rel, CurrentMemoryContext, &attachment);
}

static void
check_attached(Relation rel, bool attached)
{
	if (!attached)
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
		                errmsg("table \"%s\" is not attached",
		                       RelationGetRelationName(rel)),
		                errhint("Attached tables are in "
		                        "mmrd.attachments.")));
}

/* Arguments: source, on_error, on_delete. */
Datum
mmrd_attach_options(PG_FUNCTION_ARGS)
{
	static const char *const on_error[] = {"record", "raise"};
	static const char *const on_delete[] = {"remove", "keep"};
	Datum values[3] = {0};
	char nulls[4] = "   ";
	mmrd_pg_access access;
	Relation rel;

	PreventCommandDuringRecovery("mmrd_attach_options()");
	PreventCommandIfReadOnly("mmrd_attach_options()");
	mmrd_pg_need_source(fcinfo, 0, "table");
	rel = relation_open(PG_GETARG_OID(0), AccessShareLock);
	mmrd_pg_check_owner(rel, "change how it is attached");
	values[0] = PG_GETARG_DATUM(0);
	nulls[1] = PG_ARGISNULL(1) ? 'n' : ' ';
	nulls[2] = PG_ARGISNULL(2) ? 'n' : ' ';
	if (!PG_ARGISNULL(1))
		values[1] = CStringGetTextDatum(
		    choice(fcinfo, 1, "on_error", on_error, lengthof(on_error)));
	if (!PG_ARGISNULL(2))
		values[2] = CStringGetTextDatum(
		    choice(fcinfo, 2, "on_delete", on_delete, lengthof(on_delete)));
	mmrd_pg_access_begin(&access);
	check_attached(rel, mmrd_pg_run(&set_options, values, nulls) > 0);
	mmrd_pg_access_end(&access);
	relation_close(rel, NoLock);
	PG_RETURN_VOID();
}

/*
 * The triggers first: dropping them waits for whoever is scoring scans of the
 * table, and only then are the rows that those have locked touched.
 */
Datum
mmrd_detach(PG_FUNCTION_ARGS)
{
	mmrd_pg_columns columns;
	mmrd_pg_access access;
	const char *quoted;
	Datum values[1];
	Relation rel;

	PreventCommandDuringRecovery("mmrd_detach()");
	PreventCommandIfReadOnly("mmrd_detach()");
	mmrd_pg_need_source(fcinfo, 0, "table");
	values[0] = PG_GETARG_DATUM(0);
	rel = relation_open(PG_GETARG_OID(0), AccessExclusiveLock);
	mmrd_pg_check_owner(rel, "detach it");
	check_whole(rel);
	check_attached(rel, is_attached(rel) ||
	                        mmrd_pg_relation_columns(rel, &columns));
	quoted = quote_qualified_identifier(
	    get_namespace_name(RelationGetNamespace(rel)),
	    RelationGetRelationName(rel));
	drop_triggers(rel, quoted);
	mmrd_pg_access_begin(&access);
	mmrd_pg_run(&delete_attachment, values, NULL);
	mmrd_pg_pending_forget(RelationGetRelid(rel));
	mmrd_pg_access_end(&access);
	relation_close(rel, NoLock);
	PG_RETURN_VOID();
}
