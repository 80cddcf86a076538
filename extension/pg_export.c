/*
 * extension/pg_export.c
 *	  mmrd_export_model(), mmrd_export_model_file(): a version as one file.
 *
 * The file is written front to back, one tensor at a time in the order of its
 * plan, into a bytea or a file of the server.  Each tensor has the type in
 * which it is kept here, so that nothing is rounded on the way out and back.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "extension/pg_access.h"
#include "extension/pg_glue.h"
#include "extension/pg_model_file.h"
#include "extension/pg_server_file.h"
#include "extension/pg_store.h"
#include "extension/pg_tensors.h"
#include "fmgr.h"
#include "loader/weights/safetensors_write.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

PG_FUNCTION_INFO_V1(mmrd_export_model);
PG_FUNCTION_INFO_V1(mmrd_export_model_file);

static mmrd_pg_statement find_origin = {
    "SELECT jsonb_build_object('source', v.source, 'source_query', "
    "v.source_query, 'scans', v.scans, 'scans_sha256', "
    "encode(v.scans_sha256, 'hex'), 'epochs', v.epochs, 'loss', v.loss, "
    "'metrics', v.metrics, 'seconds', v.seconds, 'code_version', "
    "v.code_version)::text, "
    "(SELECT jsonb_build_object('method', c.method, 'fpr', c.fpr, "
    "'threshold', c.threshold, 'pixel_threshold', c.pixel_threshold, "
    "'scores', c.scores)::text FROM mmrd.calibrations c "
    "WHERE c.version = v.id ORDER BY c.id DESC LIMIT 1) "
    "FROM mmrd.versions v WHERE v.id = $1",
    true,
    1,
    {INT8OID},
    NULL};

enum
{
	MAX_TEXTS = 5 /* entries of __metadata__ */
};

/* A version on its way into a file. */
typedef struct export
{
	mmrd_pg_version version;
	mmrd_weights *shapes;
	mmrd_safetensors_plan *plan;
	mmrd_json_text texts[MAX_TEXTS];
	int n_texts;
}
export;

/* Where the bytes go. */
typedef struct sink
{
	void (*write)(struct sink *sink, const void *bytes, Size n_bytes);
	char *at; /* of a bytea */
	mmrd_pg_server_file *file;
} sink;

static void
free_weights(void *weights)
{
	mmrd_weights_free(weights);
}

static void
free_plan(void *plan)
{
	mmrd_safetensors_plan_free(plan);
}

/* ---- the version ---- */

/* version 0: the deployed one. */
static void
find_version(const char *model, int32 version, const mmrd_pg_access *access,
             mmrd_pg_version *out)
{
	if (version == 0)
	{
		if (!mmrd_pg_version_deployed(model, access->user, access->caller,
		                              out))
			ereport(ERROR,
			        (errcode(ERRCODE_UNDEFINED_OBJECT),
			         errmsg("model \"%s\" does not exist or is not deployed",
			                model),
			         errhint("Name the version to export one that is not "
			                 "deployed.")));
		return;
	}
	if (!mmrd_pg_version_find(model, version, access->user, access->caller,
	                          out))
		ereport(ERROR,
		        (errcode(ERRCODE_UNDEFINED_OBJECT),
		         errmsg("version %d of model \"%s\" does not exist", version,
		                model),
		         errhint("mmrd.versions lists the versions of each model.")));
}

/* ---- metadata ---- */

/* text: of the database's encoding, or NULL: nothing to say. */
static void
add_text(export *e, const char *key, const char *text)
{
	if (text == NULL)
		return;
	e->texts[e->n_texts].key = key;
	e->texts[e->n_texts++].value =
	    pg_server_to_any(text, (int) strlen(text), PG_UTF8);
}

/* Every option, and the two properties of a network that are none. */
static char *
config_text(const mmrd_pg_version *version)
{
	const mmrd_config *config = &version->options.config;
	Jsonb *options = mmrd_pg_options_complete(&version->options);
	char *text = JsonbToCString(NULL, &options->root, VARSIZE(options));

	/* {"x": 1} becomes {"arch": "resnet18", "n_aux": 1, "x": 1} */
	return psprintf("{\"arch\": \"%s\", \"n_aux\": %d, %s",
	                mmrd_arch_name((mmrd_arch) config->arch), config->n_aux,
	                text + 1);
}

static void
collect_texts(export *e, const mmrd_pg_access *access)
{
	Datum values[] = {Int64GetDatum(e->version.id)};
	char *training;
	char *calibration;

	if (mmrd_pg_run(&find_origin, values, NULL) != 1)
		elog(ERROR, "version %d of model \"%s\" is gone", e->version.version,
		     e->version.model);
	training = mmrd_pg_field_text(0, 1, access->caller);
	calibration = mmrd_pg_field_text(0, 2, access->caller);
	add_text(e, MMRD_MODEL_FILE_FORMAT, MMRD_MODEL_FILE_FORMAT_VALUE);
	add_text(e, MMRD_MODEL_FILE_VERSION, MMRD_MODEL_FILE_VERSION_VALUE);
	add_text(e, MMRD_MODEL_FILE_CONFIG, config_text(&e->version));
	add_text(e, MMRD_MODEL_FILE_TRAINING, training);
	add_text(e, MMRD_MODEL_FILE_CALIBRATION, calibration);
}

/* ---- layout ---- */

static void
make_plan(export *e)
{
	mmrd_pg_owned *shapes = mmrd_pg_own(CurrentMemoryContext, free_weights);
	mmrd_pg_owned *plan = mmrd_pg_own(CurrentMemoryContext, free_plan);
	const bool rounded = e->version.options.precision == MMRD_PG_BFLOAT16;
	mmrd_safetensors_tensor *tensors;
	mmrd_error err = {0};
	mmrd_status st;

	st = mmrd_weights_describe(&e->version.options.config, &e->shapes, &err);
	shapes->object = e->shapes;
	MMRD_PG_CHECK(st, &err);
	tensors = palloc(e->shapes->n_tensors * sizeof(*tensors));
	for (int i = 0; i < e->shapes->n_tensors; i++)
	{
		const mmrd_tensor_info *info = &e->shapes->tensors[i];

		tensors[i].name = info->name;
		tensors[i].dtype = rounded && mmrd_tensor_may_round(info)
		                       ? MMRD_DTYPE_BF16
		                       : MMRD_DTYPE_F32;
		tensors[i].n_dims = info->n_dims;
		memcpy(tensors[i].dims, info->dims, sizeof(info->dims));
	}
	st = mmrd_safetensors_plan_create(tensors, e->shapes->n_tensors, e->texts,
	                                  e->n_texts, &e->plan, &err);
	plan->object = e->plan;
	MMRD_PG_CHECK(st, &err);
	pfree(tensors);
}

static void
begin(const char *model, int32 version, export *e)
{
	mmrd_pg_access access;

	memset(e, 0, sizeof(*e));
	mmrd_pg_access_begin(&access);
	find_version(model, version, &access, &e->version);
	MemoryContextSwitchTo(access.caller);
	collect_texts(e, &access);
	mmrd_pg_access_end(&access);
	make_plan(e);
}

/* ---- the bytes ---- */

static void
write_to_memory(sink *sink, const void *bytes, Size n_bytes)
{
	memcpy(sink->at, bytes, n_bytes);
	sink->at += n_bytes;
}

static void
write_to_file(sink *sink, const void *bytes, Size n_bytes)
{
	mmrd_pg_server_file_write(sink->file, bytes, n_bytes);
}

/* Tensor `i`, in a memory context of its own. */
static void
write_tensor(const export *e, mmrd_pg_tensors *tensors, int i, sink *sink)
{
	const mmrd_tensor_info *info = &e->shapes->tensors[i];
	const Size n_bytes = mmrd_safetensors_tensor_bytes(e->plan, i);
	float *floats = MemoryContextAllocHuge(CurrentMemoryContext,
	                                       info->count * sizeof(float));
	uint8 *bytes = MemoryContextAllocHuge(CurrentMemoryContext, n_bytes);
	mmrd_error err = {0};

	mmrd_pg_tensors_check(tensors,
	                      mmrd_tensor_fetch(info, info->name,
	                                        mmrd_pg_tensors_lookup, tensors,
	                                        floats, &err),
	                      &err);
	MMRD_PG_CHECK(
	    mmrd_safetensors_write_tensor(e->plan, i, floats, bytes, &err), &err);
	sink->write(sink, bytes, n_bytes);
	CHECK_FOR_INTERRUPTS();
}

static void
write_all(const export *e, sink *sink)
{
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext memory =
	    AllocSetContextCreate(caller, "mmrd export", ALLOCSET_DEFAULT_SIZES);
	MemoryContext one =
	    AllocSetContextCreate(memory, "mmrd tensor", ALLOCSET_DEFAULT_SIZES);
	uint8 *front =
	    MemoryContextAlloc(memory, mmrd_safetensors_front_bytes(e->plan));
	mmrd_pg_tensors *tensors;
	mmrd_pg_access access;

	mmrd_safetensors_write_front(e->plan, front);
	sink->write(sink, front, mmrd_safetensors_front_bytes(e->plan));
	mmrd_pg_access_begin(&access);
	tensors = mmrd_pg_tensors_open(e->version.id, &e->version.teacher,
	                               &e->version.options.config, memory);
	for (int k = 0; k < e->shapes->n_tensors; k++)
	{
		MemoryContext before = MemoryContextSwitchTo(one);

		write_tensor(e, tensors, mmrd_safetensors_plan_order(e->plan, k),
		             sink);
		MemoryContextSwitchTo(before);
		MemoryContextReset(one);
	}
	mmrd_pg_access_end(&access);
	MemoryContextDelete(memory);
}

/* ---- functions ---- */

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
version_argument(FunctionCallInfo fcinfo, int n)
{
	int32 version;

	if (PG_ARGISNULL(n))
		return 0;
	version = PG_GETARG_INT32(n);
	if (version < 1)
		ereport(ERROR,
		        (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
		         errmsg("version %d is out of range", version),
		         errdetail("Versions are numbered from 1."),
		         errhint("mmrd.versions lists the versions of each model.")));
	return version;
}

Datum
mmrd_export_model(PG_FUNCTION_ARGS)
{
	sink sink = {.write = write_to_memory};
	Size n_bytes;
	bytea *file;
	export e;

	begin(model_argument(fcinfo), version_argument(fcinfo, 1), &e);
	n_bytes = mmrd_safetensors_plan_bytes(e.plan);
	if (n_bytes > MaxAllocSize - VARHDRSZ)
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
		                errmsg("model \"%s\" is too large for a bytea",
		                       e.version.model),
		                errdetail("The file has %zu bytes, %zu are allowed.",
		                          n_bytes, (Size) MaxAllocSize - VARHDRSZ),
		                errhint("mmrd_export_model_file writes a file of the "
		                        "server.")));
	file = palloc(VARHDRSZ + n_bytes);
	SET_VARSIZE(file, VARHDRSZ + n_bytes);
	sink.at = VARDATA(file);
	write_all(&e, &sink);
	PG_RETURN_BYTEA_P(file);
}

/* Arguments: model, path, version. */
Datum
mmrd_export_model_file(PG_FUNCTION_ARGS)
{
	sink sink = {.write = write_to_file};
	char *path;
	export e;

	mmrd_pg_server_file_may_write("mmrd_export_model returns the file as "
	                              "bytea, to the client.");
	path = mmrd_pg_server_file_path(fcinfo, 1);
	begin(model_argument(fcinfo), version_argument(fcinfo, 2), &e);
	sink.file = mmrd_pg_server_file_create(path);
	write_all(&e, &sink);
	mmrd_pg_server_file_finish(sink.file);
	PG_RETURN_INT64((int64) mmrd_safetensors_plan_bytes(e.plan));
}
