/*
 * extension/pg_on_scan.c
 *	  The triggers of attached tables.
 *
 * Whoever changes a scan needs no right on anything of mmrd's, and the change
 * never fails for what mmrd thinks of it, unless the attachment's on_error
 * asks for that.  In mode queue a change adds a row to mmrd.pending, and that
 * is all; in mode trigger the scan is scored here.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/relation.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "extension/pg_access.h"
#include "extension/pg_attachment.h"
#include "extension/pg_pending.h"
#include "extension/pg_results.h"
#include "extension/pg_settings.h"
#include "extension/pg_threads.h"
#include "fmgr.h"
#include "utils/datum.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

PG_FUNCTION_INFO_V1(mmrd_on_scan);
PG_FUNCTION_INFO_V1(mmrd_on_truncate);

typedef struct change
{
	TriggerData *data;
	Oid source; /* what was attached */
	mmrd_pg_columns columns;
	HeapTuple before; /* NULL: a new scan */
	HeapTuple after;  /* NULL: a deleted one */
} change;

static Datum
column(const change *c, HeapTuple tuple, AttrNumber number, bool *isnull)
{
	return heap_getattr(tuple, number, RelationGetDescr(c->data->tg_relation),
	                    isnull);
}

/*
 * The same bytes?  Large values are compared by where they are stored, which
 * an update of other columns leaves as it is.
 */
static bool
is_same(const change *c, AttrNumber number)
{
	const FormData_pg_attribute *att =
	    TupleDescAttr(RelationGetDescr(c->data->tg_relation), number - 1);
	bool null_before;
	bool null_after;
	Datum before = column(c, c->before, number, &null_before);
	Datum after = column(c, c->after, number, &null_after);

	if (null_before || null_after)
		return null_before && null_after;
	return datumIsEqual(before, after, att->attbyval, att->attlen);
}

static bool
is_unchanged(const change *c)
{
	const Trigger *trigger = c->data->tg_trigger;

	for (int i = 0; i < trigger->tgnattr; i++)
		if (!is_same(c, trigger->tgattr[i]))
			return false;
	return true;
}

/* The text of a key; NULL where a scan cannot be told from others by it. */
static char *
key_of(const change *c, HeapTuple tuple)
{
	const Relation rel = c->data->tg_relation;
	const FormData_pg_attribute *att =
	    TupleDescAttr(RelationGetDescr(rel), c->columns.key - 1);
	bool isnull;
	Datum value = column(c, tuple, c->columns.key, &isnull);
	char *key = isnull ? NULL : mmrd_pg_key_text(att->atttypid, value);

	if (key != NULL && strlen(key) <= MMRD_PG_MAX_KEY)
		return key;
	ereport(
	    WARNING,
	    (errmsg("scan in \"%s\" is not scored", RelationGetRelationName(rel)),
	     key == NULL
	         ? errdetail("Its key, column \"%s\", is null.",
	                     NameStr(att->attname))
	         : errdetail("Its key, column \"%s\", has %zu bytes as text, "
	                     "and %d are allowed.",
	                     NameStr(att->attname), strlen(key), MMRD_PG_MAX_KEY),
	     errhint("Give it another key.")));
	return NULL;
}

static bool
has_image(const change *c, HeapTuple tuple)
{
	bool isnull;

	(void) column(c, tuple, c->columns.modality[0], &isnull);
	return !isnull;
}

/* ---- a scan that is no more ---- */

static bool
keeps_deleted(Oid source)
{
	static mmrd_pg_statement find_option = {
	    "SELECT FROM mmrd.attachments WHERE source = $1 "
	    "AND on_delete = 'keep'",
	    false,
	    1,
	    {OIDOID},
	    NULL};
	Datum values[] = {ObjectIdGetDatum(source)};

	return mmrd_pg_run(&find_option, values, NULL) > 0;
}

/*
 * Its result goes at once, if nobody is writing it just now: nobody waits
 * here for those who score.  In mode queue the row added says so to them.
 */
static void
remove_result(const change *c, const char *key)
{
	mmrd_pg_access access;

	mmrd_pg_access_begin(&access);
	mmrd_pg_access_by_index();
	if (!keeps_deleted(c->source))
		mmrd_pg_result_remove(c->source, key, c->columns.scores);
	mmrd_pg_access_end(&access);
	if (!c->columns.scores)
		mmrd_pg_pending_add(c->source, key);
}

/* ---- mode trigger ---- */

static void
write_result(const mmrd_pg_attachment *attachment,
             const mmrd_pg_result *result)
{
	mmrd_pg_access access;

	mmrd_pg_access_begin(&access);
	mmrd_pg_result_write(attachment->source, result, true);
	mmrd_pg_access_end(&access);
	mmrd_pg_result_notify(attachment, result);
}

static void
score(const change *c, mmrd_pg_versions *versions, mmrd_pg_result *result)
{
	const TupleDesc desc = RelationGetDescr(c->data->tg_relation);
	const mmrd_pg_columns *columns = &c->columns;
	const struct varlena *bytes[MMRD_MAX_MODALITIES] = {NULL};
	char *model = NULL;
	bool isnull;
	Datum value;

	for (int m = 0; m < columns->n_modalities; m++)
	{
		value = column(c, c->after, columns->modality[m], &isnull);
		if (!isnull)
			bytes[m] = PG_DETOAST_DATUM_PACKED(value);
	}
	if (columns->model != 0)
	{
		value = column(c, c->after, columns->model, &isnull);
		if (!isnull)
			model = mmrd_pg_key_text(
			    TupleDescAttr(desc, columns->model - 1)->atttypid, value);
	}
	mmrd_pg_result_score(versions, bytes, columns->n_modalities, model,
	                     result);
}

/* Does somebody want this statement to end, rather than a result? */
static bool
is_asked_to_stop(int sqlstate)
{
	return ERRCODE_TO_CATEGORY(sqlstate) ==
	       MAKE_SQLSTATE('5', '7', '0', '0', '0');
}

/* Score within a savepoint, so that the scan is kept whatever happens. */
static void
try_to_score(const change *c, const mmrd_pg_attachment *attachment,
             mmrd_pg_result *result)
{
	MemoryContext memory = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	mmrd_pg_versions versions = {.attachment = attachment, .memory = memory};

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(memory);
	PG_TRY();
	{
		score(c, &versions, result);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		ErrorData *error;

		MemoryContextSwitchTo(memory);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(memory);
		CurrentResourceOwner = owner;
		if (is_asked_to_stop(error->sqlerrcode))
			ReThrowError(error);
		mmrd_pg_result_fail(result, error->message);
	}
	PG_END_TRY();
	MemoryContextSwitchTo(memory);
	CurrentResourceOwner = owner;
}

static void
raise_error(const change *c, const mmrd_pg_result *result)
{
	ereport(
	    ERROR,
	    (errcode(ERRCODE_DATA_EXCEPTION),
	     errmsg("scan \"%s\" of \"%s\" could not be scored: %s", result->key,
	            RelationGetRelationName(c->data->tg_relation), result->error),
	     errhint("The table is attached with on_error \"raise\".")));
}

static bool
read_attachment(const change *c, mmrd_pg_attachment *out)
{
	Relation source = relation_open(c->source, AccessShareLock);
	bool found;

	found = mmrd_pg_attachment_read(source, CurrentMemoryContext, out);
	relation_close(source, AccessShareLock);
	if (!found)
		ereport(WARNING,
		        (errmsg("scan in \"%s\" is not scored", out->name),
		         errdetail("The table has the trigger of an attachment, but "
		                   "is not in mmrd.attachments."),
		         errhint("Attach it again with mmrd_attach.")));
	return found;
}

static void
score_now(FunctionCallInfo fcinfo, const change *c, char *key)
{
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext memory =
	    AllocSetContextCreate(caller, "mmrd scan", ALLOCSET_DEFAULT_SIZES);
	mmrd_pg_attachment attachment;
	mmrd_pg_result result;

	MemoryContextSwitchTo(memory);
	if (read_attachment(c, &attachment))
	{
		mmrd_pg_threads_begin(mmrd_pg_setting_threads,
		                      fcinfo->flinfo->fn_mcxt);
		mmrd_pg_result_begin(&result, key);
		try_to_score(c, &attachment, &result);
		if (result.error != NULL && attachment.raise_errors)
			raise_error(c, &result);
		write_result(&attachment, &result);
	}
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(memory);
}

/* ---- the triggers ---- */

static void
check_call(FunctionCallInfo fcinfo, const char *name, bool for_row)
{
	const TriggerData *data = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_AFTER(data->tg_event) ||
	    for_row != (bool) TRIGGER_FIRED_FOR_ROW(data->tg_event) ||
	    for_row == (bool) TRIGGER_FIRED_BY_TRUNCATE(data->tg_event))
		ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
		                errmsg("%s is a trigger that mmrd_attach makes", name),
		                errhint("Attach a table with mmrd_attach.")));
}

static void
begin(FunctionCallInfo fcinfo, change *c)
{
	TriggerData *data = (TriggerData *) fcinfo->context;

	memset(c, 0, sizeof(*c));
	c->data = data;
	c->source =
	    mmrd_pg_trigger_source(data->tg_relation, data->tg_trigger->tgoid);
	mmrd_pg_trigger_columns(data->tg_trigger, &c->columns);
	if (!TRIGGER_FIRED_BY_INSERT(data->tg_event))
		c->before = data->tg_trigtuple;
	if (TRIGGER_FIRED_BY_INSERT(data->tg_event))
		c->after = data->tg_trigtuple;
	else if (TRIGGER_FIRED_BY_UPDATE(data->tg_event))
		c->after = data->tg_newtuple;
}

Datum
mmrd_on_scan(PG_FUNCTION_ARGS)
{
	change c;
	char *key;

	check_call(fcinfo, "mmrd_on_scan()", true);
	begin(fcinfo, &c);
	if (c.before != NULL && c.after != NULL && is_unchanged(&c))
		return PointerGetDatum(NULL);

	/* A scan without its image, or by another key, is another scan. */
	if (c.before != NULL && has_image(&c, c.before) &&
	    (c.after == NULL || !has_image(&c, c.after) ||
	     !is_same(&c, c.columns.key)))
	{
		key = key_of(&c, c.before);
		if (key != NULL)
			remove_result(&c, key);
	}
	if (c.after == NULL || !has_image(&c, c.after))
		return PointerGetDatum(NULL);
	key = key_of(&c, c.after);
	if (key == NULL)
		return PointerGetDatum(NULL);
	if (c.columns.scores)
		score_now(fcinfo, &c, key);
	else
		mmrd_pg_pending_add(c.source, key);
	return PointerGetDatum(NULL);
}

Datum
mmrd_on_truncate(PG_FUNCTION_ARGS)
{
	const TriggerData *data = (TriggerData *) fcinfo->context;
	mmrd_pg_access access;
	Oid source;

	check_call(fcinfo, "mmrd_on_truncate()", false);
	source = RelationGetRelid(data->tg_relation);
	mmrd_pg_access_begin(&access);
	mmrd_pg_pending_forget(source);
	if (!keeps_deleted(source))
		mmrd_pg_results_forget(source);
	mmrd_pg_access_end(&access);
	return PointerGetDatum(NULL);
}
