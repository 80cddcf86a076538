/*
 * extension/pg_store.c
 *	  Teachers, models, versions and what is deployed, in mmrd's tables.
 *
 * Versions are inserted once and never updated.  Which one scores is the
 * newest row of mmrd.deployments that a snapshot sees, so deploying obeys
 * transactions without any notice being sent.
 */
#include "postgres.h"

#include "extension/pg_store.h"

#include <math.h>

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "extension/pg_access.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"

enum
{
	MAX_NAME_BYTES = 200 /* of a model */
};

static mmrd_pg_statement find_teacher = {
    "SELECT id, arch, builtin FROM mmrd.teachers WHERE name = $1",
    true,
    1,
    {TEXTOID},
    NULL};

static mmrd_pg_statement lock_teacher = {
    "SELECT FROM mmrd.teachers WHERE id = $1 FOR KEY SHARE",
    false,
    1,
    {INT4OID},
    NULL};

static mmrd_pg_statement list_teachers = {
    "SELECT string_agg(quote_ident(name), ', ' ORDER BY name) "
    "FROM mmrd.teachers",
    true,
    0,
    {0},
    NULL};

static mmrd_pg_statement insert_teacher = {
    "INSERT INTO mmrd.teachers (name, arch, created_by) VALUES ($1, $2, $3) "
    "ON CONFLICT (name) DO NOTHING RETURNING id",
    false,
    3,
    {TEXTOID, TEXTOID, NAMEOID},
    NULL};

static mmrd_pg_statement find_teacher_user = {
    "SELECT m.name, v.version FROM mmrd.versions v JOIN mmrd.models m "
    "ON m.id = v.model WHERE v.teacher = $1 ORDER BY m.name, v.version "
    "LIMIT 1",
    false,
    1,
    {INT4OID},
    NULL};

static mmrd_pg_statement delete_teacher = {
    "DELETE FROM mmrd.teachers WHERE id = $1", false, 1, {INT4OID}, NULL};

/* What mmrd_pg_version holds; m, v and $2, the role that asks, are given. */
#define VERSION_COLUMNS                                                       \
	"SELECT v.id, v.uid, v.version, t.id, t.name, t.arch, t.builtin, "        \
	"cardinality(v.modalities), v.options, c.threshold, c.pixel_threshold, "  \
	"c.scores[1], c.scores[cardinality(c.scores)], "                          \
	"(SELECT coalesce(bool_or(pg_has_role($2, u.role, 'USAGE')), true) "      \
	"FROM mmrd.model_users u WHERE u.model = m.id), v.xmin "
#define VERSION_JOINS                                                         \
	"JOIN mmrd.teachers t ON t.id = v.teacher "                               \
	"LEFT JOIN LATERAL (SELECT * FROM mmrd.calibrations c "                   \
	"WHERE c.version = v.id ORDER BY c.id DESC LIMIT 1) c ON true "           \
	"WHERE m.name = $1"

static mmrd_pg_statement find_deployed = {
    VERSION_COLUMNS
    "FROM mmrd.models m "
    "JOIN LATERAL (SELECT d.version FROM mmrd.deployments d "
    "WHERE d.model = m.id ORDER BY d.id DESC LIMIT 1) d ON true "
    "JOIN mmrd.versions v ON v.id = d.version " VERSION_JOINS,
    true,
    2,
    {TEXTOID, OIDOID},
    NULL};

static mmrd_pg_statement find_version = {
    VERSION_COLUMNS "FROM mmrd.models m "
                    "JOIN mmrd.versions v ON v.model = m.id " VERSION_JOINS
                    " AND v.version = $3",
    true,
    3,
    {TEXTOID, OIDOID, INT4OID},
    NULL};

static mmrd_pg_statement list_models = {
    "SELECT string_agg(quote_ident(name), ', ' ORDER BY name) FROM "
    "(SELECT name FROM mmrd.models ORDER BY name LIMIT 20) m",
    true,
    0,
    {0},
    NULL};

static mmrd_pg_statement check_user = {
    "SELECT FROM mmrd.model_users WHERE model = $1 "
    "HAVING NOT coalesce(bool_or(pg_has_role($2, role, 'USAGE')), true)",
    false,
    2,
    {INT4OID, OIDOID},
    NULL};

static mmrd_pg_statement list_deployed = {
    "SELECT m.name FROM mmrd.models m WHERE EXISTS (SELECT FROM "
    "mmrd.deployments d WHERE d.model = m.id) ORDER BY m.name LIMIT $1",
    true,
    1,
    {INT4OID},
    NULL};

static mmrd_pg_statement insert_model = {
    "INSERT INTO mmrd.models (name, created_by) VALUES ($1, $2) "
    "ON CONFLICT (name) DO NOTHING",
    false,
    2,
    {TEXTOID, NAMEOID},
    NULL};

static mmrd_pg_statement find_model = {
    "SELECT id FROM mmrd.models WHERE name = $1", true, 1, {TEXTOID}, NULL};

static mmrd_pg_statement lock_model = {
    "SELECT id FROM mmrd.models WHERE name = $1 FOR UPDATE",
    false,
    1,
    {TEXTOID},
    NULL};

static mmrd_pg_statement next_version = {
    "UPDATE mmrd.models SET last_version = last_version + 1 WHERE id = $1 "
    "RETURNING last_version",
    false,
    1,
    {INT4OID},
    NULL};

static mmrd_pg_statement insert_version = {
    "INSERT INTO mmrd.versions (model, version, teacher, modalities, options, "
    "source, source_query, scans, scans_sha256, seed, epochs, loss, seconds, "
    "code_version, created_by, metrics) VALUES ($1, $2, $3, $4, $5, $6, $7, "
    "$8, $9, $10, $11, $12, $13, $14, $15, coalesce($16, '{}')) RETURNING id",
    false,
    16,
    {INT4OID, INT4OID, INT4OID, TEXTARRAYOID, JSONBOID, TEXTOID, TEXTOID,
     INT4OID, BYTEAOID, INT8OID, INT4OID, FLOAT4OID, FLOAT4OID, TEXTOID,
     NAMEOID, JSONBOID},
    NULL};

static mmrd_pg_statement insert_calibration = {
    "INSERT INTO mmrd.calibrations (version, method, fpr, threshold, "
    "pixel_threshold, scores, created_by) "
    "SELECT id, $2, $3, $4, $5, $6, $7 FROM mmrd.versions WHERE id = $1",
    false,
    7,
    {INT8OID, TEXTOID, FLOAT4OID, FLOAT4OID, FLOAT4OID, FLOAT4ARRAYOID,
     NAMEOID},
    NULL};

static mmrd_pg_statement insert_deployment = {
    "INSERT INTO mmrd.deployments (model, version, deployed_by, restores) "
    "VALUES ($1, $2, $3, nullif($4, 0))",
    false,
    4,
    {INT4OID, INT8OID, NAMEOID, INT8OID},
    NULL};

static Datum
role_name(Oid role)
{
	return DirectFunctionCall1(
	    namein, CStringGetDatum(GetUserNameFromId(role, false)));
}

static mmrd_arch
parse_arch(const char *name)
{
	mmrd_arch arch = MMRD_ARCH_RESNET18;

	if (!mmrd_arch_parse(name, &arch))
		elog(ERROR, "unknown architecture \"%s\" in mmrd.teachers", name);
	return arch;
}

/* ---- teachers ---- */

bool
mmrd_pg_teacher_find(const char *name, MemoryContext owner,
                     mmrd_pg_teacher *out)
{
	Datum values[] = {CStringGetTextDatum(name)};
	bool isnull;

	if (mmrd_pg_run(&find_teacher, values, NULL) == 0)
		return false;
	out->id = DatumGetInt32(mmrd_pg_field(0, 1, &isnull));
	out->name = MemoryContextStrdup(owner, name);
	out->arch = parse_arch(mmrd_pg_field_text(0, 2, CurrentMemoryContext));
	out->builtin = DatumGetBool(mmrd_pg_field(0, 3, &isnull));
	return true;
}

char *
mmrd_pg_teacher_names(MemoryContext owner)
{
	mmrd_pg_run(&list_teachers, NULL, NULL);
	return mmrd_pg_field_text(0, 1, owner);
}

void
mmrd_pg_teacher_lock(const mmrd_pg_teacher *teacher)
{
	Datum values[] = {Int32GetDatum(teacher->id)};

	if (mmrd_pg_run(&lock_teacher, values, NULL) == 0)
		ereport(ERROR,
		        (errcode(ERRCODE_UNDEFINED_OBJECT),
		         errmsg("teacher \"%s\" was dropped by another session",
		                teacher->name),
		         errhint("mmrd.teachers lists the teachers that are there.")));
}

int32
mmrd_pg_teacher_insert(const char *name, mmrd_arch arch, Oid by)
{
	Datum values[] = {CStringGetTextDatum(name),
	                  CStringGetTextDatum(mmrd_arch_name(arch)),
	                  role_name(by)};
	bool isnull;

	if (mmrd_pg_run(&insert_teacher, values, NULL) == 0)
		ereport(ERROR, (errcode(ERRCODE_DUPLICATE_OBJECT),
		                errmsg("teacher \"%s\" already exists", name),
		                errhint("Choose another name, or drop it first with "
		                        "mmrd_drop_teacher.")));
	return DatumGetInt32(mmrd_pg_field(0, 1, &isnull));
}

bool
mmrd_pg_teacher_drop(const char *name)
{
	mmrd_pg_teacher teacher;
	Datum values[1];

	if (!mmrd_pg_teacher_find(name, CurrentMemoryContext, &teacher))
		return false;
	if (teacher.builtin)
		ereport(ERROR, (errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
		                errmsg("teacher \"%s\" cannot be dropped", name),
		                errdetail("It ships with the extension."),
		                errhint("It takes no place in the tables of mmrd.")));
	values[0] = Int32GetDatum(teacher.id);
	if (mmrd_pg_run(&find_teacher_user, values, NULL) > 0)
	{
		char *model = mmrd_pg_field_text(0, 1, CurrentMemoryContext);
		bool isnull;

		ereport(ERROR,
		        (errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
		         errmsg("teacher \"%s\" cannot be dropped while a model uses "
		                "it",
		                name),
		         errdetail("Model \"%s\" version %d was trained with it.",
		                   model, DatumGetInt32(mmrd_pg_field(0, 2, &isnull))),
		         errhint("Drop the versions that use it first, with "
		                 "mmrd_drop_version() or mmrd_drop_model().")));
	}
	mmrd_pg_run(&delete_teacher, values, NULL);
	return true;
}

/* ---- reading versions ---- */

static float
field_float(int number, bool *isnull)
{
	Datum value = mmrd_pg_field(0, number, isnull);

	return *isnull ? 0 : DatumGetFloat4(value);
}

static void
not_allowed(const char *model)
{
	ereport(ERROR,
	        (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
	         errmsg("permission denied for model \"%s\"", model),
	         errdetail("It may be used by the roles in mmrd.model_users "
	                   "only."),
	         errhint("mmrd_allow adds a role.")));
}

/* Row 0 of what VERSION_COLUMNS selected. */
static void
read_version(const char *model, MemoryContext owner, mmrd_pg_version *out)
{
	MemoryContext before;
	bool isnull;

	if (!DatumGetBool(mmrd_pg_field(0, 14, &isnull)))
		not_allowed(model);
	before = MemoryContextSwitchTo(owner);
	memset(out, 0, sizeof(*out));
	out->model = pstrdup(model);
	out->id = DatumGetInt64(mmrd_pg_field(0, 1, &isnull));
	out->uid = *DatumGetUUIDP(mmrd_pg_field(0, 2, &isnull));
	out->version = DatumGetInt32(mmrd_pg_field(0, 3, &isnull));
	out->teacher.id = DatumGetInt32(mmrd_pg_field(0, 4, &isnull));
	out->teacher.name = mmrd_pg_field_text(0, 5, owner);
	out->teacher.arch = parse_arch(mmrd_pg_field_text(0, 6, owner));
	out->teacher.builtin = DatumGetBool(mmrd_pg_field(0, 7, &isnull));

	mmrd_pg_options_init(&out->options);
	mmrd_pg_options_parse(DatumGetJsonbP(mmrd_pg_field(0, 9, &isnull)),
	                      &out->options);
	out->options.config.arch = out->teacher.arch;
	out->options.config.n_aux =
	    DatumGetInt32(mmrd_pg_field(0, 8, &isnull)) - 1;

	out->threshold = field_float(10, &isnull);
	out->calibrated = !isnull;
	out->pixel_threshold = field_float(11, &isnull);
	out->score_min = field_float(12, &isnull);
	out->score_max = field_float(13, &isnull);
	out->provisional = TransactionIdIsCurrentTransactionId(
	    DatumGetTransactionId(mmrd_pg_field(0, 15, &isnull)));
	MemoryContextSwitchTo(before);
}

bool
mmrd_pg_version_deployed(const char *model, Oid user, MemoryContext owner,
                         mmrd_pg_version *out)
{
	Datum values[] = {CStringGetTextDatum(model), ObjectIdGetDatum(user)};

	if (mmrd_pg_run(&find_deployed, values, NULL) == 0)
		return false;
	read_version(model, owner, out);
	return true;
}

bool
mmrd_pg_version_find(const char *model, int32 version, Oid user,
                     MemoryContext owner, mmrd_pg_version *out)
{
	Datum values[] = {CStringGetTextDatum(model), ObjectIdGetDatum(user),
	                  Int32GetDatum(version)};

	if (mmrd_pg_run(&find_version, values, NULL) == 0)
		return false;
	read_version(model, owner, out);
	return true;
}

char **
mmrd_pg_models_deployed(int limit, int *n, MemoryContext owner)
{
	Datum values[] = {Int32GetDatum(limit)};
	char **names = MemoryContextAlloc(owner, Max(limit, 1) * sizeof(char *));

	*n = (int) mmrd_pg_run(&list_deployed, values, NULL);
	for (int i = 0; i < *n; i++)
		names[i] = mmrd_pg_field_text(i, 1, owner);
	return names;
}

/* ---- writing versions ---- */

static void
check_model_user(const char *name, int32 model_id, Oid user)
{
	Datum values[] = {Int32GetDatum(model_id), ObjectIdGetDatum(user)};

	if (mmrd_pg_run(&check_user, values, NULL) > 0)
		not_allowed(name);
}

int32
mmrd_pg_model_lock(const char *name, Oid user)
{
	Datum values[] = {CStringGetTextDatum(name)};
	char *names;
	int32 id;
	bool isnull;

	if (mmrd_pg_run(&lock_model, values, NULL) == 1)
	{
		id = DatumGetInt32(mmrd_pg_field(0, 1, &isnull));
		check_model_user(name, id, user);
		return id;
	}
	mmrd_pg_run(&list_models, NULL, NULL);
	names = mmrd_pg_field_text(0, 1, CurrentMemoryContext);
	ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
	                errmsg("model \"%s\" does not exist", name),
	                names != NULL ? errhint("Models are: %s.", names)
	                              : errhint("There is no model.")));
	return 0; /* not reached */
}

void
mmrd_pg_model_check(const char *name, Oid user)
{
	Datum values[] = {CStringGetTextDatum(name)};
	bool isnull;

	if (mmrd_pg_run(&find_model, values, NULL) == 1)
		check_model_user(name, DatumGetInt32(mmrd_pg_field(0, 1, &isnull)),
		                 user);
}

void
mmrd_pg_model_check_name(const char *name)
{
	if (name[0] == '\0')
		ereport(ERROR, (errcode(ERRCODE_INVALID_NAME),
		                errmsg("the name of a model must not be empty"),
		                errhint("Choose a name, or leave it out for the name "
		                        "of the table.")));
	if (strlen(name) > MAX_NAME_BYTES)
		ereport(ERROR, (errcode(ERRCODE_NAME_TOO_LONG),
		                errmsg("the name of the model is too long"),
		                errdetail("It has %zu bytes, %d are allowed.",
		                          strlen(name), MAX_NAME_BYTES),
		                errhint("Choose a shorter name.")));
}

int32
mmrd_pg_model_lock_or_create(const char *name, Oid by)
{
	Datum values[] = {CStringGetTextDatum(name), role_name(by)};
	int32 id;
	bool isnull;

	mmrd_pg_run(&insert_model, values, NULL);
	if (mmrd_pg_run(&lock_model, values, NULL) != 1)
		ereport(ERROR,
		        (errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
		         errmsg("model \"%s\" was changed by another session", name),
		         errhint("Try again.")));
	id = DatumGetInt32(mmrd_pg_field(0, 1, &isnull));
	check_model_user(name, id, by);
	return id;
}

static Datum
modality_names(int n_aux)
{
	Datum names[MMRD_MAX_MODALITIES];

	for (int m = 0; m <= n_aux; m++)
		names[m] = CStringGetTextDatum(mmrd_modality_name(m));
	return PointerGetDatum(
	    construct_array(names, n_aux + 1, TEXTOID, -1, false, TYPALIGN_INT));
}

static Datum
bytes_datum(const void *bytes, Size n)
{
	bytea *value = palloc(VARHDRSZ + n);

	SET_VARSIZE(value, VARHDRSZ + n);
	memcpy(VARDATA(value), bytes, n);
	return PointerGetDatum(value);
}

static Datum
text_or_null(const char *text, char *null)
{
	if (text != NULL)
		return CStringGetTextDatum(text);
	*null = 'n';
	return (Datum) 0;
}

int64
mmrd_pg_version_store(const mmrd_pg_new_version *what,
                      const mmrd_weights *weights, int32 model_id,
                      int32 *version)
{
	Datum values[16] = {0};
	char nulls[] = "                ";
	bool isnull;
	int64 id;

	/* Nothing else keeps the two together (pg_integrity.c). */
	mmrd_pg_teacher_lock(what->teacher);
	values[0] = Int32GetDatum(model_id);
	mmrd_pg_run(&next_version, values, NULL);
	*version = DatumGetInt32(mmrd_pg_field(0, 1, &isnull));

	values[1] = Int32GetDatum(*version);
	values[2] = Int32GetDatum(what->teacher->id);
	values[3] = modality_names(what->options->config.n_aux);
	values[4] = JsonbPGetDatum(mmrd_pg_options_complete(what->options));
	values[5] = text_or_null(what->source, &nulls[5]);
	values[6] = text_or_null(what->source_query, &nulls[6]);
	values[7] = Int32GetDatum(what->scans);
	if (what->scans_sha256 != NULL)
		values[8] = bytes_datum(what->scans_sha256, 32);
	else
		nulls[8] = 'n';
	values[9] = Int64GetDatum((int64) what->options->train.seed);
	values[10] = Int32GetDatum(what->epochs);
	values[11] = Float4GetDatum(what->loss);
	if (isnan(what->loss))
		nulls[11] = 'n';
	values[12] = Float4GetDatum(what->seconds);
	values[13] = CStringGetTextDatum(
	    what->code_version != NULL ? what->code_version : MMRD_VERSION);
	values[14] = role_name(what->by);
	values[15] = PointerGetDatum(what->metrics);
	if (what->metrics == NULL)
		nulls[15] = 'n';
	mmrd_pg_run(&insert_version, values, nulls);
	id = DatumGetInt64(mmrd_pg_field(0, 1, &isnull));
	mmrd_pg_tensors_store_version(
	    id, weights, what->options->precision == MMRD_PG_BFLOAT16);
	return id;
}

void
mmrd_pg_calibration_store(int64 version, const char *method, float fpr,
                          float threshold, float pixel_threshold,
                          const float *scores, int n, Oid by)
{
	Datum *elements = palloc(n * sizeof(Datum));
	Datum values[7];

	for (int i = 0; i < n; i++)
		elements[i] = Float4GetDatum(scores[i]);
	values[0] = Int64GetDatum(version);
	values[1] = CStringGetTextDatum(method);
	values[2] = Float4GetDatum(fpr);
	values[3] = Float4GetDatum(threshold);
	values[4] = Float4GetDatum(pixel_threshold);
	values[5] = PointerGetDatum(construct_array(
	    elements, n, FLOAT4OID, sizeof(float4), true, TYPALIGN_INT));
	values[6] = role_name(by);
	if (mmrd_pg_run(&insert_calibration, values, NULL) != 1)
		ereport(ERROR, (errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
		                errmsg("the version was dropped by another "
		                       "session"),
		                errhint("Run the statement again.")));
}

void
mmrd_pg_deployment_store(int32 model_id, int64 version, int64 restores, Oid by)
{
	Datum values[] = {Int32GetDatum(model_id), Int64GetDatum(version),
	                  role_name(by), Int64GetDatum(restores)};

	mmrd_pg_run(&insert_deployment, values, NULL);
}
