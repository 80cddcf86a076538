/*
 * extension/pg_integrity.c
 *	  mmrd_after_delete(): what foreign keys would do, in a trigger.
 *
 * pg_restore with several jobs loads the tables of an extension in any order,
 * and so breaks foreign keys between them.  Ours have none.  Rows are added
 * by our own functions alone, under locks that keep the row they refer to
 * from vanishing; what is left to do is done here, when a row is deleted, by
 * whomever: its dependents go with it, or it may not go.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "extension/pg_access.h"
#include "extension/pg_cache.h"
#include "fmgr.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

PG_FUNCTION_INFO_V1(mmrd_after_delete);

enum
{
	MAX_DEPENDENTS = 4
};

typedef struct rule
{
	const char *table;
	Oid id_type;
	mmrd_pg_statement users; /* rows for which the deleted one was needed */
	mmrd_pg_statement dependents[MAX_DEPENDENTS]; /* go with it */
} rule;

#define STATEMENT(sql_, type_)                                                \
	{                                                                         \
		.sql = (sql_), .n_parameters = 1, .types = { type_ }                  \
	}

static rule rules[] = {
    {"teachers",
     INT4OID,
     STATEMENT("SELECT FROM mmrd.versions WHERE teacher = $1 LIMIT 1",
               INT4OID),
     {STATEMENT("DELETE FROM mmrd.tensors WHERE teacher = $1", INT4OID)}},
    {"models",
     INT4OID,
     STATEMENT("SELECT FROM mmrd.versions WHERE model = $1 LIMIT 1", INT4OID),
     {STATEMENT("DELETE FROM mmrd.deployments WHERE model = $1", INT4OID),
      STATEMENT("DELETE FROM mmrd.model_users WHERE model = $1", INT4OID)}},
    {"versions",
     INT8OID,
     {0},
     {STATEMENT("DELETE FROM mmrd.tensors WHERE version = $1", INT8OID),
      STATEMENT("DELETE FROM mmrd.prototypes WHERE version = $1", INT8OID),
      STATEMENT("DELETE FROM mmrd.deployments WHERE version = $1", INT8OID),
      STATEMENT("DELETE FROM mmrd.calibrations WHERE version = $1", INT8OID)}},
    {"trainings",
     INT8OID,
     {0},
     {STATEMENT("DELETE FROM mmrd.epochs WHERE job = $1", INT8OID),
      STATEMENT("DELETE FROM mmrd.checkpoints WHERE job = $1", INT8OID)}},
};

/*
 * What runs here runs as the extension's owner, so it must be one of our own
 * tables: a user can give a table of his the same name, and this trigger.
 */
static rule *
find_rule(Relation rel)
{
	const char *schema = get_namespace_name(RelationGetNamespace(rel));

	if (schema != NULL && strcmp(schema, "mmrd") == 0)
		for (size_t i = 0; i < lengthof(rules); i++)
			if (strcmp(RelationGetRelationName(rel), rules[i].table) == 0)
				return &rules[i];
	ereport(
	    ERROR,
	    (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
	     errmsg("\"%s\" is no table of mmrd", RelationGetRelationName(rel)),
	     errhint("Use this trigger function for no tables of your own.")));
	return NULL; /* not reached */
}

Datum
mmrd_after_delete(PG_FUNCTION_ARGS)
{
	TriggerData *data = (TriggerData *) fcinfo->context;
	mmrd_pg_access access;
	Datum values[1];
	bool isnull;
	rule *r;

	if (!CALLED_AS_TRIGGER(fcinfo) ||
	    !TRIGGER_FIRED_BY_DELETE(data->tg_event) ||
	    !TRIGGER_FIRED_AFTER(data->tg_event) ||
	    !TRIGGER_FIRED_FOR_ROW(data->tg_event))
		ereport(
		    ERROR,
		    (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
		     errmsg("mmrd_after_delete() is a trigger after "
		            "DELETE for each row"),
		     errhint("Use this trigger function for no tables of your own.")));
	r = find_rule(data->tg_relation);
	values[0] =
	    heap_getattr(data->tg_trigtuple,
	                 SPI_fnumber(RelationGetDescr(data->tg_relation), "id"),
	                 RelationGetDescr(data->tg_relation), &isnull);
	mmrd_pg_access_begin(&access);
	if (r->users.sql != NULL && mmrd_pg_run(&r->users, values, NULL) > 0)
		ereport(ERROR, (errcode(ERRCODE_FOREIGN_KEY_VIOLATION),
		                errmsg("row of mmrd.%s is still in use", r->table),
		                errdetail("There are versions that refer to it."),
		                errhint("Drop these versions first, with "
		                        "mmrd_drop_version() or mmrd_drop_model().")));
	for (int i = 0; i < MAX_DEPENDENTS && r->dependents[i].sql != NULL; i++)
		mmrd_pg_run(&r->dependents[i], values, NULL);
	mmrd_pg_access_end(&access);
	if (strcmp(r->table, "versions") == 0)
		mmrd_pg_cache_forget(DatumGetUUIDP(heap_getattr(
		    data->tg_trigtuple,
		    SPI_fnumber(RelationGetDescr(data->tg_relation), "uid"),
		    RelationGetDescr(data->tg_relation), &isnull)));
	return PointerGetDatum(NULL);
}
