/*
 * extension/pg_import.c
 *	  mmrd_import_teacher(), mmrd_import_teacher_file(), mmrd_drop_teacher().
 */
#include "postgres.h"

#include "extension/pg_access.h"
#include "extension/pg_glue.h"
#include "extension/pg_server_file.h"
#include "extension/pg_store.h"
#include "fmgr.h"
#include "loader/weights/weights_file.h"
#include "miscadmin.h"
#include "tcop/utility.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

PG_FUNCTION_INFO_V1(mmrd_import_teacher);
PG_FUNCTION_INFO_V1(mmrd_import_teacher_file);
PG_FUNCTION_INFO_V1(mmrd_drop_teacher);

enum
{
	MAX_NAME_BYTES = 200 /* of a teacher */
};

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

static void
check_name(const char *name)
{
	if (name[0] == '\0')
		ereport(ERROR, (errcode(ERRCODE_INVALID_NAME),
		                errmsg("the name of a teacher must not be empty"),
		                errhint("Choose a name, such as imagenet.")));
	if (strlen(name) > MAX_NAME_BYTES)
		ereport(ERROR, (errcode(ERRCODE_NAME_TOO_LONG),
		                errmsg("the name of the teacher is too long"),
		                errdetail("It has %zu bytes, %d are allowed.",
		                          strlen(name), MAX_NAME_BYTES),
		                errhint("Choose a shorter name.")));
	if (strncmp(name, "builtin", 7) == 0)
		ereport(ERROR, (errcode(ERRCODE_RESERVED_NAME),
		                errmsg("teacher name \"%s\" is reserved", name),
		                errdetail("Names that begin with \"builtin\" are "
		                          "those of teachers that ship with the "
		                          "extension."),
		                errhint("Choose another name.")));
}

static mmrd_arch
arch_argument(const char *text)
{
	mmrd_arch arch = MMRD_ARCH_RESNET18;
	StringInfoData names;

	if (mmrd_arch_parse(text, &arch))
		return arch;
	initStringInfo(&names);
	for (int i = 0; i < MMRD_ARCH_COUNT; i++)
		appendStringInfo(&names, "%s%s", i ? ", " : "",
		                 mmrd_arch_name((mmrd_arch) i));
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
	                errmsg("unknown architecture \"%s\"", text),
	                errhint("Known architectures are: %s.", names.data)));
	return arch; /* not reached */
}

/* Names and shapes of a network with this backbone. */
static mmrd_weights *
describe(mmrd_arch arch)
{
	mmrd_pg_owned *owned = mmrd_pg_own(CurrentMemoryContext, free_weights);
	mmrd_error err = {0};
	mmrd_weights *shapes = NULL;
	mmrd_config config;
	mmrd_status st;

	mmrd_config_init(&config);
	config.arch = arch;
	st = mmrd_weights_describe(&config, &shapes, &err);
	owned->object = shapes;
	MMRD_PG_CHECK(st, &err);
	return shapes;
}

static void
check(mmrd_status st, mmrd_error *err)
{
	if (st == MMRD_OK)
		return;
	if (err->hint[0] == '\0')
		mmrd_hint(err, "A teacher is the trunk of a torchvision ResNet, as "
		               "safetensors or .pth file.");
	mmrd_pg_throw(err);
}

/* arch_text may be NULL: inferred. */
static void
import_teacher(const char *name, const uint8 *bytes, Size n_bytes,
               const char *arch_text)
{
	mmrd_pg_owned *owned = mmrd_pg_own(CurrentMemoryContext, free_file);
	mmrd_error err = {0};
	mmrd_weights_file *file = NULL;
	mmrd_weights *shapes;
	mmrd_pg_access access;
	mmrd_arch arch;
	mmrd_status st;
	const Oid user = GetUserId();

	st = mmrd_weights_file_open(bytes, n_bytes, NULL, &file, &err);
	owned->object = file;
	check(st, &err);
	if (arch_text != NULL)
		arch = arch_argument(arch_text);
	else
		check(mmrd_arch_infer(mmrd_weights_file_lookup, file, &arch, &err),
		      &err);
	shapes = describe(arch);

	mmrd_pg_access_begin(&access);
	mmrd_pg_tensors_store_teacher(mmrd_pg_teacher_insert(name, arch, user),
	                              shapes, mmrd_weights_file_lookup, file);
	mmrd_pg_access_end(&access);
	mmrd_pg_release(owned);
}

static char *
name_argument(FunctionCallInfo fcinfo)
{
	char *name;

	if (PG_ARGISNULL(0))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
		                errmsg("the name of a teacher must not be null"),
		                errhint("mmrd.teachers lists the names.")));
	name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	check_name(name);
	return name;
}

static char *
optional_text(FunctionCallInfo fcinfo, int n)
{
	return PG_ARGISNULL(n) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(n));
}

Datum
mmrd_import_teacher(PG_FUNCTION_ARGS)
{
	char *name = name_argument(fcinfo);
	bytea *weights;

	PreventCommandIfReadOnly("mmrd_import_teacher()");
	if (PG_ARGISNULL(1))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
		                errmsg("the weights of a teacher must not be null"),
		                errhint("Pass the bytes of a safetensors file or of a "
		                        "PyTorch file.")));
	weights = PG_GETARG_BYTEA_PP(1);
	import_teacher(name, (const uint8 *) VARDATA_ANY(weights),
	               VARSIZE_ANY_EXHDR(weights), optional_text(fcinfo, 2));
	PG_FREE_IF_COPY(weights, 1);
	PG_RETURN_VOID();
}

Datum
mmrd_import_teacher_file(PG_FUNCTION_ARGS)
{
	char *name = name_argument(fcinfo);
	char *path;
	uint8 *bytes;
	Size n_bytes;

	PreventCommandIfReadOnly("mmrd_import_teacher_file()");
	mmrd_pg_server_file_may_read("mmrd_import_teacher takes the weights as "
	                             "bytea, from the client.");
	path = mmrd_pg_server_file_path(fcinfo, 1);
	bytes = mmrd_pg_server_file_read(path, &n_bytes);
	import_teacher(name, bytes, n_bytes, optional_text(fcinfo, 2));
	pfree(bytes);
	PG_RETURN_VOID();
}

Datum
mmrd_drop_teacher(PG_FUNCTION_ARGS)
{
	char *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	mmrd_pg_access access;

	PreventCommandIfReadOnly("mmrd_drop_teacher()");
	mmrd_pg_access_begin(&access);
	if (!mmrd_pg_teacher_drop(name))
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
		                errmsg("teacher \"%s\" does not exist", name),
		                errhint("Teachers are: %s.",
		                        mmrd_pg_teacher_names(CurrentMemoryContext))));
	mmrd_pg_access_end(&access);
	PG_RETURN_VOID();
}
