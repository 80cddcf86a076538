/*
 * extension/pg_models.c
 *	  mmrd_deploy(), mmrd_rollback(), mmrd_drop_version(), mmrd_drop_model(),
 *	  mmrd_prune().
 *
 * Deployments are only ever added; the newest row is the one in force.  A
 * rollback adds a row too, which names the deployment that it restores:
 *
 *	  id	version		restores
 *	  1		1						mmrd_deploy('m', 1)
 *	  2		2						mmrd_deploy('m', 2)
 *	  3		1			1			mmrd_rollback('m')
 *	  4		3						mmrd_deploy('m', 3)
 *	  5		1			1			mmrd_rollback('m')
 *
 * Let the row in force stand for the deployment o: itself, or the one that it
 * restores.  What was in force before o is the newest row with a smaller id
 * than o, and that is what a rollback returns to.  So rollbacks walk back
 * through history and do not swing between two versions; in the table a
 * further one finds nothing older than 1.  Rows of dropped versions are gone,
 * which breaks no chain, because nothing follows a pointer.
 *
 * Whoever changes what is in force holds the lock on the model's row until
 * commit: so the order of the ids is the order of the commits.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "extension/pg_access.h"
#include "extension/pg_store.h"
#include "fmgr.h"
#include "tcop/utility.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(mmrd_deploy);
PG_FUNCTION_INFO_V1(mmrd_rollback);
PG_FUNCTION_INFO_V1(mmrd_drop_version);
PG_FUNCTION_INFO_V1(mmrd_drop_model);
PG_FUNCTION_INFO_V1(mmrd_prune);

static mmrd_pg_statement find_version = {
    "SELECT id FROM mmrd.versions WHERE model = $1 AND version = $2",
    false,
    2,
    {INT4OID, INT4OID},
    NULL};

static mmrd_pg_statement list_versions = {
    "SELECT string_agg(version::text, ', ' ORDER BY version) FROM (SELECT "
    "version FROM mmrd.versions WHERE model = $1 ORDER BY version DESC LIMIT "
    "20) v",
    false,
    1,
    {INT4OID},
    NULL};

static mmrd_pg_statement find_in_force = {
    "SELECT v.id, v.version, coalesce(d.restores, d.id) "
    "FROM mmrd.deployments d JOIN mmrd.versions v ON v.id = d.version "
    "WHERE d.model = $1 ORDER BY d.id DESC LIMIT 1",
    false,
    1,
    {INT4OID},
    NULL};

static mmrd_pg_statement find_before = {
    "SELECT v.id, v.version, coalesce(d.restores, d.id) "
    "FROM mmrd.deployments d JOIN mmrd.versions v ON v.id = d.version "
    "WHERE d.model = $1 AND d.id < $2 AND d.version <> $3 "
    "ORDER BY d.id DESC LIMIT 1",
    false,
    3,
    {INT4OID, INT8OID, INT8OID},
    NULL};

static mmrd_pg_statement delete_version = {
    "DELETE FROM mmrd.versions WHERE id = $1", false, 1, {INT8OID}, NULL};

static mmrd_pg_statement delete_old_versions = {
    "DELETE FROM mmrd.versions WHERE model = $1 AND version <= ("
    "SELECT version FROM mmrd.versions WHERE model = $1 "
    "ORDER BY version DESC OFFSET $2 LIMIT 1) "
    "AND id IS DISTINCT FROM (SELECT version FROM mmrd.deployments "
    "WHERE model = $1 ORDER BY id DESC LIMIT 1)",
    false,
    2,
    {INT4OID, INT4OID},
    NULL};

static mmrd_pg_statement delete_all_versions = {
    "DELETE FROM mmrd.versions WHERE model = $1", false, 1, {INT4OID}, NULL};

static mmrd_pg_statement delete_model = {
    "DELETE FROM mmrd.models WHERE id = $1", false, 1, {INT4OID}, NULL};

/* ---- arguments ---- */

static char *
model_argument(FunctionCallInfo fcinfo)
{
	if (PG_ARGISNULL(0))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
		                errmsg("the name of the model must not be null"),
		                errhint("mmrd.models lists the names.")));
	return text_to_cstring(PG_GETARG_TEXT_PP(0));
}

static int32
version_argument(FunctionCallInfo fcinfo)
{
	if (PG_ARGISNULL(1))
		ereport(ERROR,
		        (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
		         errmsg("the version must not be null"),
		         errhint("mmrd.versions lists the versions of each model.")));
	return PG_GETARG_INT32(1);
}

/* ---- inside mmrd_pg_access_begin() ... _end() ---- */

typedef struct deployment
{
	int64 version_id;
	int32 version;
	int64 stands_for; /* o, in the words of the head of this file */
} deployment;

static bool
read_deployment(uint64 n, deployment *out)
{
	bool isnull;

	if (n == 0)
		return false;
	out->version_id = DatumGetInt64(mmrd_pg_field(0, 1, &isnull));
	out->version = DatumGetInt32(mmrd_pg_field(0, 2, &isnull));
	out->stands_for = DatumGetInt64(mmrd_pg_field(0, 3, &isnull));
	return true;
}

static bool
in_force(int32 model_id, deployment *out)
{
	Datum values[] = {Int32GetDatum(model_id)};

	return read_deployment(mmrd_pg_run(&find_in_force, values, NULL), out);
}

static bool
before(int32 model_id, const deployment *now, deployment *out)
{
	Datum values[] = {Int32GetDatum(model_id), Int64GetDatum(now->stands_for),
	                  Int64GetDatum(now->version_id)};

	return read_deployment(mmrd_pg_run(&find_before, values, NULL), out);
}

static int64
version_id(const char *model, int32 model_id, int32 version)
{
	Datum values[] = {Int32GetDatum(model_id), Int32GetDatum(version)};
	char *versions;
	bool isnull;

	if (mmrd_pg_run(&find_version, values, NULL) > 0)
		return DatumGetInt64(mmrd_pg_field(0, 1, &isnull));
	mmrd_pg_run(&list_versions, values, NULL);
	versions = mmrd_pg_field_text(0, 1, CurrentMemoryContext);
	ereport(ERROR,
	        (errcode(ERRCODE_UNDEFINED_OBJECT),
	         errmsg("model \"%s\" has no version %d", model, version),
	         versions != NULL ? errhint("Its versions are: %s.", versions)
	                          : errhint("It has no version at all.")));
	return 0; /* not reached */
}

/* ---- functions ---- */

Datum
mmrd_deploy(PG_FUNCTION_ARGS)
{
	const char *model = model_argument(fcinfo);
	const int32 version = version_argument(fcinfo);
	mmrd_pg_access access;
	deployment now;
	int32 model_id;
	int64 id;
	bool already;

	PreventCommandDuringRecovery("mmrd_deploy()");
	PreventCommandIfReadOnly("mmrd_deploy()");
	mmrd_pg_access_begin(&access);
	model_id = mmrd_pg_model_lock(model, access.user);
	id = version_id(model, model_id, version);
	already = in_force(model_id, &now) && now.version_id == id;
	if (!already)
		mmrd_pg_deployment_store(model_id, id, 0, access.user);
	mmrd_pg_access_end(&access);
	if (already)
		ereport(NOTICE,
		        (errmsg("version %d of model \"%s\" is already deployed",
		                version, model)));
	PG_RETURN_VOID();
}

Datum
mmrd_rollback(PG_FUNCTION_ARGS)
{
	const char *model = model_argument(fcinfo);
	mmrd_pg_access access;
	deployment now;
	deployment then;
	int32 model_id;

	PreventCommandDuringRecovery("mmrd_rollback()");
	PreventCommandIfReadOnly("mmrd_rollback()");
	mmrd_pg_access_begin(&access);
	model_id = mmrd_pg_model_lock(model, access.user);
	if (!in_force(model_id, &now))
		ereport(ERROR,
		        (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
		         errmsg("no version of model \"%s\" is deployed", model),
		         errhint("Deploy one with mmrd_deploy().")));
	if (!before(model_id, &now, &then))
		ereport(
		    ERROR,
		    (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
		     errmsg("there is nothing to roll model \"%s\" back to", model),
		     errdetail("Version %d is deployed, and no other version that "
		               "still exists was deployed before it.",
		               now.version),
		     errhint("mmrd_deploy deploys any version.")));
	mmrd_pg_deployment_store(model_id, then.version_id, then.stands_for,
	                         access.user);
	mmrd_pg_access_end(&access);
	PG_RETURN_INT32(then.version);
}

Datum
mmrd_drop_version(PG_FUNCTION_ARGS)
{
	const char *model = model_argument(fcinfo);
	const int32 version = version_argument(fcinfo);
	mmrd_pg_access access;
	deployment now;
	int32 model_id;
	Datum values[1];
	int64 id;

	PreventCommandDuringRecovery("mmrd_drop_version()");
	PreventCommandIfReadOnly("mmrd_drop_version()");
	mmrd_pg_access_begin(&access);
	model_id = mmrd_pg_model_lock(model, access.user);
	id = version_id(model, model_id, version);
	if (in_force(model_id, &now) && now.version_id == id)
		ereport(
		    ERROR,
		    (errcode(ERRCODE_OBJECT_IN_USE),
		     errmsg("version %d of model \"%s\" is deployed", version, model),
		     errhint("Deploy another version first, or drop the whole "
		             "model with mmrd_drop_model.")));
	values[0] = Int64GetDatum(id);
	mmrd_pg_run(&delete_version, values, NULL);
	mmrd_pg_access_end(&access);
	PG_RETURN_VOID();
}

Datum
mmrd_drop_model(PG_FUNCTION_ARGS)
{
	const char *model = model_argument(fcinfo);
	mmrd_pg_access access;
	Datum values[1];

	PreventCommandDuringRecovery("mmrd_drop_model()");
	PreventCommandIfReadOnly("mmrd_drop_model()");
	mmrd_pg_access_begin(&access);
	values[0] = Int32GetDatum(mmrd_pg_model_lock(model, access.user));
	mmrd_pg_run(&delete_all_versions, values, NULL);
	mmrd_pg_run(&delete_model, values, NULL);
	mmrd_pg_access_end(&access);
	PG_RETURN_VOID();
}

int32
mmrd_pg_model_prune(int32 model_id, int32 keep)
{
	Datum values[] = {Int32GetDatum(model_id), Int32GetDatum(keep)};

	return (int32) mmrd_pg_run(&delete_old_versions, values, NULL);
}

Datum
mmrd_prune(PG_FUNCTION_ARGS)
{
	const char *model = model_argument(fcinfo);
	mmrd_pg_access access;
	int32 dropped;
	int32 keep;

	PreventCommandDuringRecovery("mmrd_prune()");
	PreventCommandIfReadOnly("mmrd_prune()");
	if (PG_ARGISNULL(1))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
		                errmsg("the number of versions to keep must not be "
		                       "null"),
		                errhint("Leave it out to keep 5.")));
	keep = PG_GETARG_INT32(1);
	if (keep < 0)
		ereport(ERROR,
		        (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
		         errmsg("the number of versions to keep must not be negative"),
		         errdetail("The value is %d.", keep),
		         errhint("Leave it out to keep 5.")));
	mmrd_pg_access_begin(&access);
	dropped =
	    mmrd_pg_model_prune(mmrd_pg_model_lock(model, access.user), keep);
	mmrd_pg_access_end(&access);
	PG_RETURN_INT32(dropped);
}
