/*
 * extension/pg_model_users.c
 *	  mmrd_allow(), mmrd_disallow(): who may use a model.
 *
 * A model is everybody's until a role is named; then it is for those roles,
 * their members and superusers.  What enforces it is where a model's name
 * becomes a version or a lock (pg_store.c): scoring, measuring, calibrating,
 * exporting, training, deploying, dropping.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "extension/pg_access.h"
#include "extension/pg_store.h"
#include "fmgr.h"
#include "tcop/utility.h"
#include "utils/acl.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(mmrd_allow);
PG_FUNCTION_INFO_V1(mmrd_disallow);

static mmrd_pg_statement insert_user = {
    "INSERT INTO mmrd.model_users (model, role) VALUES ($1, $2::regrole) "
    "ON CONFLICT DO NOTHING",
    false,
    2,
    {INT4OID, OIDOID},
    NULL};

static mmrd_pg_statement find_users = {
    "SELECT FROM mmrd.model_users WHERE model = $1 LIMIT 1",
    false,
    1,
    {INT4OID},
    NULL};

static mmrd_pg_statement delete_user = {
    "DELETE FROM mmrd.model_users WHERE model = $1 AND role = $2::regrole",
    false,
    2,
    {INT4OID, OIDOID},
    NULL};

/* Arguments: model, role.  *open: no role is named now. */
static bool
change(FunctionCallInfo fcinfo, mmrd_pg_statement *statement, bool *open)
{
	mmrd_pg_access access;
	const char *model;
	Datum values[2];
	uint64 n;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
		                errmsg("model and role must not be null"),
		                errhint("mmrd.models and pg_roles list the names.")));
	model = text_to_cstring(PG_GETARG_TEXT_PP(0));
	values[1] =
	    ObjectIdGetDatum(get_role_oid(NameStr(*PG_GETARG_NAME(1)), false));
	mmrd_pg_access_begin(&access);
	values[0] = Int32GetDatum(mmrd_pg_model_lock(model, access.user));
	n = mmrd_pg_run(statement, values, NULL);
	*open = mmrd_pg_run(&find_users, values, NULL) == 0;
	mmrd_pg_access_end(&access);
	return n > 0;
}

Datum
mmrd_allow(PG_FUNCTION_ARGS)
{
	bool open;

	PreventCommandDuringRecovery("mmrd_allow()");
	PreventCommandIfReadOnly("mmrd_allow()");
	(void) change(fcinfo, &insert_user, &open);
	PG_RETURN_VOID();
}

Datum
mmrd_disallow(PG_FUNCTION_ARGS)
{
	bool open;
	bool removed;

	PreventCommandDuringRecovery("mmrd_disallow()");
	PreventCommandIfReadOnly("mmrd_disallow()");
	removed = change(fcinfo, &delete_user, &open);
	if (removed && open)
		ereport(NOTICE,
		        (errmsg("no role is named any more: everybody may use model "
		                "\"%s\"",
		                text_to_cstring(PG_GETARG_TEXT_PP(0)))));
	PG_RETURN_BOOL(removed);
}
