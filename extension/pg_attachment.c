/*
 * extension/pg_attachment.c
 *	  Attached tables: whose new scans are scored by themselves.
 */
#include "postgres.h"

#include "extension/pg_attachment.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "extension/pg_access.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"

static mmrd_pg_statement find_attachment = {
    "SELECT model, keep_map, notify::text, on_error, on_delete "
    "FROM mmrd.attachments WHERE source = $1",
    true,
    1,
    {OIDOID},
    NULL};

static mmrd_pg_statement follow_columns = {
    "UPDATE mmrd.attachments SET key = $2, rgb = $3, aux = $4, aux2 = $5, "
    "model_column = $6 WHERE source = $1 AND (key, rgb, aux, aux2, "
    "model_column) IS DISTINCT FROM ($2, $3, $4, $5, $6)",
    false,
    6,
    {OIDOID, NAMEOID, NAMEOID, NAMEOID, NAMEOID, NAMEOID},
    NULL};

/* ---- triggers ---- */

static void
not_ours(const Trigger *trigger)
{
	ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
	                errmsg("trigger \"%s\" was not made by mmrd_attach",
	                       trigger->tgname),
	                errhint("Drop it, and attach the table with "
	                        "mmrd_attach.")));
}

void
mmrd_pg_trigger_columns(const Trigger *trigger, mmrd_pg_columns *out)
{
	memset(out, 0, sizeof(*out));
	if (trigger->tgnargs != trigger->tgnattr + 1)
		not_ours(trigger);
	if (strcmp(trigger->tgargs[0], "trigger") == 0)
		out->scores = true;
	else if (strcmp(trigger->tgargs[0], "queue") != 0)
		not_ours(trigger);
	for (int i = 0; i < trigger->tgnattr; i++)
	{
		const char *role = trigger->tgargs[1 + i];
		const AttrNumber column = trigger->tgattr[i];

		if (strcmp(role, "key") == 0 && out->key == 0)
			out->key = column;
		else if (strcmp(role, "model") == 0 && out->model == 0)
			out->model = column;
		else if (out->n_modalities < MMRD_MAX_MODALITIES &&
		         strcmp(role, mmrd_modality_name(out->n_modalities)) == 0)
			out->modality[out->n_modalities++] = column;
		else
			not_ours(trigger);
	}
	if (out->key == 0 || out->n_modalities == 0)
		not_ours(trigger);
}

/* The relation and the parent of a trigger, of which it may be a copy. */
static Oid
look_up_trigger(Relation pg_trigger, Oid trigger, Oid *parent)
{
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple tuple;
	Oid relation;

	ScanKeyInit(&key, Anum_pg_trigger_oid, BTEqualStrategyNumber, F_OIDEQ,
	            ObjectIdGetDatum(trigger));
	scan =
	    systable_beginscan(pg_trigger, TriggerOidIndexId, true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "could not find tuple for trigger %u", trigger);
	relation = ((Form_pg_trigger) GETSTRUCT(tuple))->tgrelid;
	*parent = ((Form_pg_trigger) GETSTRUCT(tuple))->tgparentid;
	systable_endscan(scan);
	return relation;
}

Oid
mmrd_pg_trigger_source(Relation rel, Oid trigger)
{
	Oid source = RelationGetRelid(rel);
	Relation pg_trigger;

	if (!rel->rd_rel->relispartition)
		return source;
	pg_trigger = table_open(TriggerRelationId, AccessShareLock);
	while (OidIsValid(trigger))
		source = look_up_trigger(pg_trigger, trigger, &trigger);
	table_close(pg_trigger, AccessShareLock);
	return source;
}

bool
mmrd_pg_relation_columns(Relation rel, mmrd_pg_columns *out)
{
	const TriggerDesc *triggers = rel->trigdesc;

	for (int i = 0; triggers != NULL && i < triggers->numtriggers; i++)
		if (strcmp(triggers->triggers[i].tgname, MMRD_PG_SCAN_TRIGGER) == 0)
		{
			mmrd_pg_trigger_columns(&triggers->triggers[i], out);
			out->source =
			    mmrd_pg_trigger_source(rel, triggers->triggers[i].tgoid);
			return true;
		}
	return false;
}

/* ---- the row ---- */

static mmrd_pg_keep_map
parse_keep_map(const char *name)
{
	if (strcmp(name, "always") == 0)
		return MMRD_PG_KEEP_ALWAYS;
	return strcmp(name, "never") == 0 ? MMRD_PG_KEEP_NEVER
	                                  : MMRD_PG_KEEP_ANOMALOUS;
}

bool
mmrd_pg_attachment_read(Relation source, MemoryContext owner,
                        mmrd_pg_attachment *out)
{
	Datum values[] = {ObjectIdGetDatum(RelationGetRelid(source))};
	mmrd_pg_access access;
	bool found;

	memset(out, 0, sizeof(*out));
	out->source = RelationGetRelid(source);
	out->owner = source->rd_rel->relowner;
	out->name = MemoryContextStrdup(owner, RelationGetRelationName(source));
	mmrd_pg_access_begin(&access);
	found = mmrd_pg_run(&find_attachment, values, NULL) > 0;
	if (found)
	{
		out->model = mmrd_pg_field_text(0, 1, owner);
		out->keep_map =
		    parse_keep_map(mmrd_pg_field_text(0, 2, CurrentMemoryContext));
		out->notify = mmrd_pg_field_text(0, 3, owner);
		out->raise_errors =
		    strcmp(mmrd_pg_field_text(0, 4, CurrentMemoryContext), "raise") ==
		    0;
		out->keep_deleted =
		    strcmp(mmrd_pg_field_text(0, 5, CurrentMemoryContext), "keep") ==
		    0;
	}
	mmrd_pg_access_end(&access);
	return found;
}

void
mmrd_pg_attachment_follow(Relation source, const mmrd_pg_columns *columns)
{
	const AttrNumber numbers[] = {
	    columns->key, columns->modality[0],
	    columns->n_modalities > 1 ? columns->modality[1] : 0,
	    columns->n_modalities > 2 ? columns->modality[2] : 0, columns->model};
	Datum values[1 + lengthof(numbers)] = {
	    ObjectIdGetDatum(RelationGetRelid(source))};
	char nulls[1 + lengthof(numbers)] = {' '};

	for (size_t i = 0; i < lengthof(numbers); i++)
	{
		nulls[1 + i] = numbers[i] == 0 ? 'n' : ' ';
		if (numbers[i] != 0)
			values[1 + i] = NameGetDatum(
			    &TupleDescAttr(RelationGetDescr(source), numbers[i] - 1)
			         ->attname);
	}
	mmrd_pg_run(&follow_columns, values, nulls);
}

void
mmrd_pg_check_owner(Relation rel, const char *what)
{
	if (mmrd_pg_owns_relation(RelationGetRelid(rel)))
		return;
	ereport(ERROR,
	        (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
	         errmsg("must be owner of table %s", RelationGetRelationName(rel)),
	         errdetail("Only the owner of a table may %s.", what),
	         errhint("Ask its owner, or become a member of that role.")));
}

/* ---- keys ---- */

/* Is the text of this type the same in every session? */
static bool
is_plain(Oid type)
{
	switch (type)
	{
		case INT2OID:
		case INT4OID:
		case INT8OID:
		case OIDOID:
		case TEXTOID:
		case VARCHAROID:
		case BPCHAROID:
		case NAMEOID:
		case UUIDOID:
		case NUMERICOID:
		case BOOLOID:
			return true;
		default:
			return false;
	}
}

/* Settings that text may depend on; a nest level, for AtEOXact_GUC(). */
static int
settle(Oid type)
{
	static const char *const settings[][2] = {
	    {"DateStyle", "ISO, YMD"},     {"TimeZone", "UTC"},
	    {"IntervalStyle", "postgres"}, {"extra_float_digits", "3"},
	    {"bytea_output", "hex"},       {"search_path", "pg_catalog"}};
	int level;

	if (is_plain(type))
		return 0;
	level = NewGUCNestLevel();
	for (size_t i = 0; i < lengthof(settings); i++)
		(void) set_config_option(settings[i][0], settings[i][1], PGC_USERSET,
		                         PGC_S_SESSION, GUC_ACTION_SAVE, true, 0,
		                         false);
	return level;
}

static void
unsettle(int level)
{
	if (level != 0)
		AtEOXact_GUC(false, level);
}

/*
 * Never a cast, and never a domain: those may run functions that somebody
 * wrote, and here they would run as whoever scores.
 */
char *
mmrd_pg_key_text(Oid type, Datum value)
{
	const Oid base = getBaseType(type);
	const int level = settle(base);
	Oid output;
	bool is_varlena;
	char *text;

	getTypeOutputInfo(base, &output, &is_varlena);
	text = OidOutputFunctionCall(output, value);
	unsettle(level);
	if (base == BPCHAROID) /* as text, it has no padding */
		text[bpchartruelen(text, strlen(text))] = '\0';
	return text;
}

/* Is this, in its turn, made of a type that somebody wrote conditions for? */
static bool
is_open(Oid part)
{
	const char kind = get_typtype(part);

	return kind != TYPTYPE_BASE && kind != TYPTYPE_ENUM;
}

void
mmrd_pg_key_check(Oid type)
{
	const Oid base = getBaseType(type);
	const Oid element = get_element_type(base);
	const Oid bound = get_range_subtype(base);

	if (OidIsValid(bound)
	        ? !is_open(bound)
	        : !is_open(base) && !(OidIsValid(element) && is_open(element)))
		return;
	ereport(
	    ERROR,
	    (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
	     errmsg("type %s cannot be a key", format_type_be(type)),
	     errdetail("Reading values of a composite type, or of a "
	               "domain within another type, can run functions "
	               "of whoever made it."),
	     errhint(
	         "Use a column of a plain type, such as bigint, text or uuid.")));
}

Datum
mmrd_pg_key_value(Oid type, const char *text)
{
	const Oid base = getBaseType(type);
	Oid input;
	Oid parameter;
	Datum value;
	int level;

	mmrd_pg_key_check(type);
	level = settle(base);
	getTypeInputInfo(base, &input, &parameter);
	value = OidInputFunctionCall(input, pstrdup(text), parameter, -1);
	unsettle(level);
	return value;
}
