/*
 * extension/pg_import_model.c
 *	  mmrd_import_model(), mmrd_import_model_file(): a version out of a file.
 *
 * The bytes are a stranger's.  The reader has checked their structure; here
 * the meaning is checked: the config names only options that we know, agrees
 * with the tensors, every tensor that it asks for is there with its shape and
 * finite numbers, and there is none that it does not ask for: a file that
 * means another network than its config says would score, and wrongly.
 *
 * The file holds a teacher.  Teachers are stored once, so it is compared with
 * those that are here, and only a new one is added.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "extension/pg_access.h"
#include "extension/pg_glue.h"
#include "extension/pg_input_resolve.h"
#include "extension/pg_model_file.h"
#include "extension/pg_origin.h"
#include "extension/pg_server_file.h"
#include "extension/pg_store.h"
#include "extension/pg_teacher_match.h"
#include "extension/pg_tensors.h"
#include "fmgr.h"
#include "loader/weights/weights_file.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "tcop/utility.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"

PG_FUNCTION_INFO_V1(mmrd_import_model);
PG_FUNCTION_INFO_V1(mmrd_import_model_file);

/* A version on its way out of a file. */
typedef struct import
{
	const char *model;
	bool deploy;
	mmrd_weights_file *file;
	mmrd_pg_options options;
	mmrd_weights *weights;
	mmrd_pg_teacher teacher;
} import;

static void
free_file(void *file)
{
	mmrd_weights_file_free(file);
}

static void
free_weights(void *weights)
{
	mmrd_weights_free(weights);
}

/* ---- what kind of file ---- */

static void
not_a_model(const char *detail)
{
	ereport(ERROR, (errcode(ERRCODE_DATA_EXCEPTION),
	                errmsg("this is not a model file"),
	                errdetail_internal("%s", detail),
	                errhint("mmrd_import_teacher reads weights of a "
	                        "backbone.")));
}

static void
open_file(import *im, const uint8 *bytes, Size n_bytes)
{
	mmrd_pg_owned *owned = mmrd_pg_own(CurrentMemoryContext, free_file);
	mmrd_error err = {0};
	const char *text;
	mmrd_status st;

	st = mmrd_weights_file_open(bytes, n_bytes, NULL, &im->file, &err);
	owned->object = im->file;
	MMRD_PG_CHECK(st, &err);
	if (mmrd_weights_file_kind(im->file) != MMRD_WEIGHTS_SAFETENSORS)
		not_a_model(psprintf(
		    "It is a %s; model files are safetensors files.",
		    mmrd_weights_kind_name(mmrd_weights_file_kind(im->file))));
	text = mmrd_weights_file_metadata(im->file, MMRD_MODEL_FILE_FORMAT);
	if (text == NULL || strcmp(text, MMRD_MODEL_FILE_FORMAT_VALUE) != 0)
		not_a_model("Its metadata do not say that its format is mmrd-model.");
	text = mmrd_weights_file_metadata(im->file, MMRD_MODEL_FILE_VERSION);
	if (text == NULL || strcmp(text, MMRD_MODEL_FILE_VERSION_VALUE) != 0)
		ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
		                errmsg("this version of model files is not known"),
		                errdetail("Only format_version %s is.",
		                          MMRD_MODEL_FILE_VERSION_VALUE),
		                errhint("Export the model again with the release that "
		                        "is installed here, or update mmrd.")));
}

/* ---- config ---- */

static void
say_where(void *where)
{
	errcontext("%s of the model file", (const char *) where);
}

/* In the database's encoding; NULL when there is nothing under that key. */
static const char *
metadata_text(const import *im, const char *key)
{
	const char *text = mmrd_weights_file_metadata(im->file, key);

	return text == NULL ? NULL
	                    : pg_any_to_server(text, (int) strlen(text), PG_UTF8);
}

/* The file's own tensors under torchvision's names, for mmrd_arch_infer(). */
static mmrd_status
teacher_lookup(void *context, const char *name, mmrd_tensor *out, bool *found,
               mmrd_error *err)
{
	char full[MMRD_MAX_TENSOR_NAME];

	*found = false;
	if (snprintf(full, sizeof(full), "teacher.%s", name) >= (int) sizeof(full))
		return MMRD_OK;
	return mmrd_weights_file_lookup(context, full, out, found, err);
}

static bool
has_tensor(const import *im, const char *name)
{
	mmrd_tensor tensor;
	mmrd_error ignored;
	bool found = false;

	return mmrd_weights_file_lookup(im->file, name, &tensor, &found,
	                                &ignored) == MMRD_OK &&
	       found;
}

/* What is no option follows from the tensors ... */
static void
infer_config(import *im)
{
	mmrd_config *config = &im->options.config;
	mmrd_error err = {0};
	mmrd_arch arch;

	MMRD_PG_CHECK(mmrd_arch_infer(teacher_lookup, im->file, &arch, &err),
	              &err);
	config->arch = arch;
	config->n_aux = 0;
	while (config->n_aux < MMRD_MAX_AUX &&
	       has_tensor(im, psprintf("teacher.%s.bn1.running_mean",
	                               mmrd_modality_name(config->n_aux + 1))))
		config->n_aux++;
}

/* ... and where the config says it too, the two must agree. */
static void
check_key(const Jsonb *json, const char *key, const char *text, double number)
{
	JsonbValue v;

	if (getKeyJsonValueFromContainer((JsonbContainer *) &json->root, key,
	                                 (int) strlen(key), &v) == NULL)
		return;
	if (v.type == jbvString && text != NULL &&
	    v.val.string.len == (int) strlen(text) &&
	    memcmp(v.val.string.val, text, v.val.string.len) == 0)
		return;
	if (v.type == jbvNumeric && text == NULL &&
	    DatumGetFloat8(DirectFunctionCall1(numeric_float8_no_overflow,
	                                       NumericGetDatum(v.val.numeric))) ==
	        number)
		return;
	ereport(
	    ERROR,
	    (errcode(ERRCODE_DATA_EXCEPTION),
	     errmsg("\"%s\" does not agree with the tensors", key),
	     text != NULL ? errdetail("By them it is \"%s\".", text)
	                  : errdetail("By them it is %g.", number),
	     errhint("Write a config that describes the tensors of the file.")));
}

static Jsonb *
without_key(Jsonb *json, const char *key)
{
	return DatumGetJsonbP(DirectFunctionCall2(
	    jsonb_delete, JsonbPGetDatum(json), CStringGetTextDatum(key)));
}

static void
read_config(import *im)
{
	ErrorContextCallback callback = {
	    .callback = say_where,
	    .arg = MMRD_MODEL_FILE_CONFIG,
	    .previous = error_context_stack,
	};
	mmrd_config *config = &im->options.config;
	mmrd_error err = {0};
	const char *text;
	Jsonb *json;

	error_context_stack = &callback;
	text = metadata_text(im, MMRD_MODEL_FILE_CONFIG);
	if (text == NULL)
		ereport(ERROR,
		        (errcode(ERRCODE_DATA_EXCEPTION),
		         errmsg("the model file has no config"),
		         errhint("Put the options of the training, as JSON, under "
		                 "config into the metadata of the file.")));
	json =
	    DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(text)));
	if (!JB_ROOT_IS_OBJECT(json))
		ereport(ERROR, (errcode(ERRCODE_DATA_EXCEPTION),
		                errmsg("config must be a JSON object"),
		                errhint("Write it like {\"input_size\": 256}.")));
	mmrd_pg_options_init(&im->options);
	mmrd_pg_options_parse(without_key(without_key(json, "arch"), "n_aux"),
	                      &im->options);
	infer_config(im);
	check_key(json, "arch", mmrd_arch_name((mmrd_arch) config->arch), 0);
	check_key(json, "n_aux", NULL, config->n_aux);
	MMRD_PG_CHECK(mmrd_config_check(config, &err), &err);
	mmrd_pg_resolve_unknown(&im->options);
	error_context_stack = callback.previous;
}

/* ---- tensors ---- */

/* PyTorch writes these too, and nobody needs them. */
static bool
may_ignore(const char *name)
{
	static const char suffix[] = ".num_batches_tracked";
	const Size n = strlen(name);

	return strncmp(name, "teacher.layer4.", 15) == 0 ||
	       strncmp(name, "teacher.fc.", 11) == 0 ||
	       (n > sizeof(suffix) &&
	        strcmp(name + n - (sizeof(suffix) - 1), suffix) == 0);
}

static void
check_no_surplus(const import *im)
{
	const int n = mmrd_weights_file_count(im->file);

	for (int i = 0; i < n; i++)
	{
		const char *name = mmrd_weights_file_name(im->file, i);

		if (mmrd_weights_find(im->weights, name) >= 0 || may_ignore(name))
			continue;
		ereport(ERROR,
		        (errcode(ERRCODE_DATA_EXCEPTION),
		         errmsg("tensor \"%s\" is no part of the network that the "
		                "config describes",
		                name),
		         errhint("A different config (prior_at, prototypes, "
		                 "interaction, ...) may be the right one.")));
	}
}

/* Kept in bfloat16 if that is how all that could be comes. */
static int
precision_of(const import *im)
{
	for (int i = 0; i < im->weights->n_tensors; i++)
	{
		const mmrd_tensor_info *info = &im->weights->tensors[i];
		mmrd_tensor tensor;
		mmrd_error err;
		bool found;

		if (mmrd_tensor_may_round(info) &&
		    (mmrd_weights_file_lookup(im->file, info->name, &tensor, &found,
		                              &err) != MMRD_OK ||
		     !found || tensor.dtype != MMRD_DTYPE_BF16))
			return MMRD_PG_FLOAT32;
	}
	return MMRD_PG_BFLOAT16;
}

static void
read_tensors(import *im)
{
	mmrd_pg_owned *owned = mmrd_pg_own(CurrentMemoryContext, free_weights);
	mmrd_error err = {0};
	mmrd_status st;

	st = mmrd_weights_create(&im->options.config, &im->weights, &err);
	owned->object = im->weights;
	MMRD_PG_CHECK(st, &err);
	MMRD_PG_CHECK(mmrd_weights_load(im->weights, ~0u, mmrd_weights_file_lookup,
	                                im->file, &err),
	              &err);
	check_no_surplus(im);
	im->options.precision = precision_of(im);
}

/* ---- the version ---- */

static int32
store(import *im, const mmrd_pg_origin *origin)
{
	mmrd_pg_new_version what = {
	    .model = im->model,
	    .teacher = &im->teacher,
	    .options = &im->options,
	    .source = origin->source,
	    .source_query = origin->source_query,
	    .scans = origin->scans,
	    .scans_sha256 = origin->scans_sha256,
	    .epochs = origin->epochs,
	    .loss = origin->loss,
	    .seconds = origin->seconds,
	    .metrics = origin->metrics,
	    .code_version = origin->code_version,
	};
	mmrd_pg_access access;
	int32 model_id;
	int32 version;
	int64 id;

	mmrd_pg_access_begin(&access);
	what.by = access.user;
	model_id = mmrd_pg_model_lock_or_create(im->model, access.user);
	mmrd_pg_teacher_find_or_add(im->options.teacher, im->model, im->weights,
	                            access.user, access.caller, &im->teacher);
	im->options.teacher = im->teacher.name;
	id = mmrd_pg_version_store(&what, im->weights, model_id, &version);
	if (origin->n_scores > 0)
		mmrd_pg_calibration_store(id, origin->method, origin->fpr,
		                          origin->threshold, origin->pixel_threshold,
		                          origin->scores, origin->n_scores,
		                          access.user);
	if (im->deploy)
		mmrd_pg_deployment_store(model_id, id, 0, access.user);
	mmrd_pg_access_end(&access);
	return version;
}

static int32
import_bytes(import *im, const uint8 *bytes, Size n_bytes)
{
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext memory =
	    AllocSetContextCreate(caller, "mmrd import", ALLOCSET_DEFAULT_SIZES);
	mmrd_pg_origin origin;
	int32 version;

	MemoryContextSwitchTo(memory);
	open_file(im, bytes, n_bytes);
	read_config(im);
	mmrd_pg_origin_read(metadata_text(im, MMRD_MODEL_FILE_TRAINING),
	                    metadata_text(im, MMRD_MODEL_FILE_CALIBRATION),
	                    &origin);
	read_tensors(im);
	version = store(im, &origin);
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(memory);
	if (origin.n_scores == 0)
		ereport(NOTICE,
		        (errmsg("version %d of model \"%s\" has no threshold", version,
		                im->model),
		         errhint("mmrd_calibrate sets one from normal scans.")));
	return version;
}

/* ---- functions ---- */

/* Arguments 0 and 2: name and deploy. */
static void
read_arguments(FunctionCallInfo fcinfo, import *im)
{
	memset(im, 0, sizeof(*im));
	if (PG_ARGISNULL(0))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
		                errmsg("the name of the model must not be null"),
		                errhint("mmrd.models lists the names.")));
	if (PG_ARGISNULL(2))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
		                errmsg("deploy must not be null"),
		                errhint("Pass true to score with the imported version "
		                        "at once, or false.")));
	im->model = text_to_cstring(PG_GETARG_TEXT_PP(0));
	mmrd_pg_model_check_name(im->model);
	im->deploy = PG_GETARG_BOOL(2);
}

Datum
mmrd_import_model(PG_FUNCTION_ARGS)
{
	const bytea *file;
import im;

	PreventCommandDuringRecovery("mmrd_import_model()");
	PreventCommandIfReadOnly("mmrd_import_model()");
	read_arguments(fcinfo, &im);
	if (PG_ARGISNULL(1))
		ereport(ERROR,
		        (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
		         errmsg("the model file must not be null"),
		         errhint("Pass the bytes that mmrd_export_model returned, or "
		                 "another safetensors file under these names.")));
	file = PG_GETARG_BYTEA_PP(1);
	PG_RETURN_INT32(import_bytes(&im, (const uint8 *) VARDATA_ANY(file),
	                             VARSIZE_ANY_EXHDR(file)));
}

Datum
mmrd_import_model_file(PG_FUNCTION_ARGS)
{
	uint8 *bytes;
	Size n_bytes;
	int32 version;
import im;

	PreventCommandDuringRecovery("mmrd_import_model_file()");
	PreventCommandIfReadOnly("mmrd_import_model_file()");
	read_arguments(fcinfo, &im);
	mmrd_pg_server_file_may_read("mmrd_import_model takes the file as bytea, "
	                             "from the client.");
	bytes = mmrd_pg_server_file_read(mmrd_pg_server_file_path(fcinfo, 1),
	                                 &n_bytes);
	version = import_bytes(&im, bytes, n_bytes);
	pfree(bytes);
	PG_RETURN_INT32(version);
}
