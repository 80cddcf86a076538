/*
 * extension/pg_tensors.c
 *	  mmrd.tensors and mmrd.prototypes: weights in and out.
 *
 * Where a tensor of a version is kept follows from its name (network.md 6):
 *
 *	  teacher.rgb.* .aux.* .aux2.*	statistics: the version's rows
 *	  any other teacher.*			the teacher's rows, without "teacher."
 *	  prototypes.<modality>.<stage>	mmrd.prototypes, one row a vector
 *	  everything else				the version's rows
 */
#include "postgres.h"

#include "extension/pg_tensors.h"

#include <stdlib.h>

#include "catalog/pg_type.h"
#include "extension/pg_access.h"
#include "extension/pg_builtin.h"
#include "miscadmin.h"
#include "model/base/half.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

enum
{
	PART_BYTES = 4 << 20, /* so that no value in the table is large */
	ROWS_AT_ONCE = 4      /* parts fetched at a time: their headers only */
};

static mmrd_pg_statement insert_tensor = {
    "INSERT INTO mmrd.tensors (version, teacher, name, dtype, dims, part, "
    "data) VALUES ($1, $2, $3, $4, $5, $6, $7)",
    false,
    7,
    {INT8OID, INT4OID, TEXTOID, TEXTOID, INT8ARRAYOID, INT4OID, BYTEAOID},
    NULL};

static mmrd_pg_statement insert_prototype = {
    "INSERT INTO mmrd.prototypes (version, modality, stage, ordinal, vector) "
    "VALUES ($1, $2, $3, $4, $5)",
    false,
    5,
    {INT8OID, TEXTOID, INT4OID, INT4OID, FLOAT4ARRAYOID},
    NULL};

static mmrd_pg_statement find_version_tensor = {
    "SELECT dtype, dims, part, data FROM mmrd.tensors "
    "WHERE version = $1 AND name = $2 ORDER BY part",
    true,
    2,
    {INT8OID, TEXTOID},
    NULL};

static mmrd_pg_statement find_teacher_tensor = {
    "SELECT dtype, dims, part, data FROM mmrd.tensors "
    "WHERE teacher = $1 AND name = $2 ORDER BY part",
    true,
    2,
    {INT4OID, TEXTOID},
    NULL};

static mmrd_pg_statement find_prototypes = {
    "SELECT ordinal, vector FROM mmrd.prototypes "
    "WHERE version = $1 AND modality = $2 AND stage = $3 ORDER BY ordinal",
    true,
    3,
    {INT8OID, TEXTOID, INT4OID},
    NULL};

/* ---- writing ---- */

static void
insert_parts(Datum *values, const char *nulls, const char *bytes, Size n)
{
	bytea *part = palloc(VARHDRSZ + Min(n, (Size) PART_BYTES));
	int32 number = 0;
	Size at = 0;

	do
	{
		const Size here = Min(n - at, (Size) PART_BYTES);

		SET_VARSIZE(part, VARHDRSZ + here);
		memcpy(VARDATA(part), bytes + at, here);
		values[5] = Int32GetDatum(number++);
		values[6] = PointerGetDatum(part);
		mmrd_pg_run(&insert_tensor, values, nulls);
		CHECK_FOR_INTERRUPTS();
		at += here;
	} while (at < n);
	pfree(part);
}

/*
 * version 0: the teacher's row.  data are info->count numbers of that type,
 * little endian.
 */
static void
insert_numbers(int64 version, int32 teacher, const char *name,
               const mmrd_tensor_info *info, mmrd_dtype dtype,
               const void *data)
{
	Datum dims[MMRD_MAX_DIMS];
	Datum values[7];
	char nulls[7] = "       ";

	nulls[version != 0 ? 1 : 0] = 'n';
	for (int i = 0; i < info->n_dims; i++)
		dims[i] = Int64GetDatum(info->dims[i]);
	values[0] = Int64GetDatum(version);
	values[1] = Int32GetDatum(teacher);
	values[2] = CStringGetTextDatum(name);
	values[3] = CStringGetTextDatum(mmrd_dtype_name(dtype));
	values[4] = PointerGetDatum(construct_array(dims, info->n_dims, INT8OID,
	                                            sizeof(int64), FLOAT8PASSBYVAL,
	                                            TYPALIGN_DOUBLE));
	insert_parts(values, nulls, data, info->count * mmrd_dtype_bytes(dtype));
}

static void
insert_prototypes(int64 version, const mmrd_tensor_info *info,
                  const float *floats)
{
	const int n = (int) info->dims[0];
	const int C = (int) info->dims[1];
	char modality[MMRD_MAX_TENSOR_NAME];
	int stage;
	Datum *vector = palloc(C * sizeof(Datum));

	if (sscanf(info->name, "prototypes.%127[^.].%d", modality, &stage) != 2)
		elog(ERROR, "unexpected tensor name \"%s\"", info->name);
	for (int i = 0; i < n; i++)
	{
		Datum values[5];

		for (int c = 0; c < C; c++)
			vector[c] = Float4GetDatum(floats[(size_t) i * C + c]);
		values[0] = Int64GetDatum(version);
		values[1] = CStringGetTextDatum(modality);
		values[2] = Int32GetDatum(stage);
		values[3] = Int32GetDatum(i + 1);
		values[4] = PointerGetDatum(construct_array(
		    vector, C, FLOAT4OID, sizeof(float4), true, TYPALIGN_INT));
		mmrd_pg_run(&insert_prototype, values, NULL);
	}
}

static bool
is_prototypes(const char *name)
{
	return strncmp(name, "prototypes.", 11) == 0;
}

/* Each tensor in a context of its own: the largest is all that is needed. */
static MemoryContext
one_tensor_context(void)
{
	return AllocSetContextCreate(CurrentMemoryContext, "mmrd tensor",
	                             ALLOCSET_DEFAULT_SIZES);
}

void
mmrd_pg_tensors_store_teacher(int32 teacher, const mmrd_weights *shapes,
                              mmrd_tensor_lookup lookup, void *context)
{
	MemoryContext one = one_tensor_context();
	mmrd_error err = {0};

	for (int i = 0; i < shapes->n_tensors; i++)
	{
		const mmrd_tensor_info *info = &shapes->tensors[i];
		const char *name = mmrd_teacher_tensor_name(shapes, i);
		MemoryContext before;
		float *floats;

		if (name == NULL)
			continue;
		before = MemoryContextSwitchTo(one);
		floats = MemoryContextAllocHuge(one, info->count * sizeof(float));
		if (mmrd_tensor_fetch(info, name, lookup, context, floats, &err) !=
		    MMRD_OK)
		{
			if (err.hint[0] == '\0')
				mmrd_hint(&err,
				          "This was read as a %s; another architecture "
				          "can be named in the argument arch.",
				          mmrd_arch_name((mmrd_arch) shapes->config.arch));
			mmrd_pg_throw(&err);
		}
		insert_numbers(0, teacher, name, info, MMRD_DTYPE_F32, floats);
		MemoryContextSwitchTo(before);
		MemoryContextReset(one);
	}
	MemoryContextDelete(one);
}

static uint16 *
to_bf16(const float *floats, Size n)
{
	uint16 *narrow =
	    MemoryContextAllocHuge(CurrentMemoryContext, n * sizeof(uint16));

	for (Size i = 0; i < n; i++)
		narrow[i] = mmrd_bf16_from_float(floats[i]);
	return narrow;
}

void
mmrd_pg_tensors_store_version(int64 version, const mmrd_weights *weights,
                              bool rounded)
{
	MemoryContext one = one_tensor_context();

	for (int i = 0; i < weights->n_tensors; i++)
	{
		const mmrd_tensor_info *info = &weights->tensors[i];
		MemoryContext before;
		float *floats;

		if (info->role == MMRD_ROLE_TEACHER)
			continue;
		before = MemoryContextSwitchTo(one);
		floats = MemoryContextAllocHuge(one, info->count * sizeof(float));
		mmrd_weights_get(weights, i, floats);
		if (is_prototypes(info->name))
			insert_prototypes(version, info, floats);
		else if (rounded && mmrd_tensor_may_round(info))
			insert_numbers(version, 0, info->name, info, MMRD_DTYPE_BF16,
			               to_bf16(floats, info->count));
		else
			insert_numbers(version, 0, info->name, info, MMRD_DTYPE_F32,
			               floats);
		MemoryContextSwitchTo(before);
		MemoryContextReset(one);
	}
	MemoryContextDelete(one);
}

/* ---- reading ---- */

static void
free_weights(void *weights)
{
	mmrd_weights_free(weights);
}

/* A shipped teacher is loaded once for all its tensors. */
static void
open_builtin(mmrd_pg_tensors *tensors, const mmrd_pg_teacher *teacher,
             const mmrd_config *config, MemoryContext owner)
{
	mmrd_error err = {0};
	mmrd_pg_owned *owned = mmrd_pg_own(owner, free_weights);
	mmrd_weights *weights = NULL;
	mmrd_status st = mmrd_weights_create(config, &weights, &err);

	owned->object = weights;
	MMRD_PG_CHECK(st, &err);
	mmrd_pg_builtin_load(teacher, weights);
	tensors->builtin.weights = weights;
	tensors->builtin.buffer = MemoryContextAllocHuge(
	    owner, mmrd_weights_largest(weights) * sizeof(float));
}

mmrd_pg_tensors *
mmrd_pg_tensors_open(int64 version, const mmrd_pg_teacher *teacher,
                     const mmrd_config *config, MemoryContext owner)
{
	mmrd_pg_tensors *tensors =
	    MemoryContextAllocZero(owner, sizeof(mmrd_pg_tensors));

	tensors->version = version;
	tensors->teacher = *teacher;
	tensors->memory =
	    AllocSetContextCreate(owner, "mmrd tensor", ALLOCSET_DEFAULT_SIZES);
	if (teacher->builtin)
		open_builtin(tensors, teacher, config, owner);
	return tensors;
}

static bool
parse_dtype(const char *name, mmrd_dtype *dtype)
{
	for (int i = 0; i < MMRD_DTYPE_OTHER; i++)
		if (strcmp(name, mmrd_dtype_name((mmrd_dtype) i)) == 0)
		{
			*dtype = (mmrd_dtype) i;
			return true;
		}
	return false;
}

static void
damaged(const char *name, const char *why)
{
	ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
	                errmsg("tensor \"%s\" is damaged in mmrd.tensors", name),
	                errdetail("%s", why),
	                errhint("Restore the table from a backup, or import the "
	                        "model or teacher again.")));
}

/* The first part's row says what the whole tensor is. */
static void
read_shape(const char *name, mmrd_tensor *out)
{
	char *dtype = mmrd_pg_field_text(0, 1, CurrentMemoryContext);
	bool isnull;
	ArrayType *dims = DatumGetArrayTypeP(mmrd_pg_field(0, 2, &isnull));
	Datum *values;
	bool *nulls;
	int n;
	Size n_bytes;

	if (!parse_dtype(dtype, &out->dtype))
		damaged(name, "The type of its numbers is not known.");
	deconstruct_array(dims, INT8OID, sizeof(int64), FLOAT8PASSBYVAL,
	                  TYPALIGN_DOUBLE, &values, &nulls, &n);
	if (n > MMRD_MAX_DIMS)
		damaged(name, "It has more than four dimensions.");
	n_bytes = mmrd_dtype_bytes(out->dtype);
	out->n_dims = n;
	for (int i = 0; i < n; i++)
	{
		out->dims[i] = nulls[i] ? 0 : DatumGetInt64(values[i]);
		if (out->dims[i] < 1 ||
		    (Size) out->dims[i] > MaxAllocHugeSize / n_bytes)
			damaged(name, "A dimension is out of range.");
		n_bytes *= (Size) out->dims[i];
	}
	out->n_bytes = n_bytes;
}

/* Read the parts that the open portal gives into one piece. */
static bool
read_parts(Portal portal, const char *name, mmrd_tensor *out)
{
	char *whole = NULL;
	Size at = 0;
	int32 expected = 0;

	for (;;)
	{
		const uint64 n = mmrd_pg_fetch(portal, ROWS_AT_ONCE);

		if (n == 0)
			break;
		if (whole == NULL)
		{
			read_shape(name, out);
			whole = MemoryContextAllocHuge(CurrentMemoryContext, out->n_bytes);
		}
		for (uint64 i = 0; i < n; i++)
		{
			bool isnull;
			Datum stored;
			bytea *data;

			if (DatumGetInt32(mmrd_pg_field(i, 3, &isnull)) != expected++)
				damaged(name, "A part is missing.");
			stored = mmrd_pg_field(i, 4, &isnull);
			data = DatumGetByteaPP(stored);
			if (VARSIZE_ANY_EXHDR(data) > out->n_bytes - at)
				damaged(name, "Its parts are longer than its dimensions.");
			memcpy(whole + at, VARDATA_ANY(data), VARSIZE_ANY_EXHDR(data));
			at += VARSIZE_ANY_EXHDR(data);
			if (data != (bytea *) DatumGetPointer(stored))
				pfree(data);
		}
		SPI_freetuptable(SPI_tuptable);
	}
	SPI_cursor_close(portal);
	if (whole == NULL)
		return false;
	if (at != out->n_bytes)
		damaged(name, "Its parts are shorter than its dimensions.");
	out->data = whole;
	return true;
}

static bool
read_prototypes(int64 version, const char *name, mmrd_tensor *out)
{
	char modality[MMRD_MAX_TENSOR_NAME];
	int stage;
	Datum values[3];
	float *floats = NULL;
	uint64 n;
	int C = 0;

	if (sscanf(name, "prototypes.%127[^.].%d", modality, &stage) != 2)
		return false;
	values[0] = Int64GetDatum(version);
	values[1] = CStringGetTextDatum(modality);
	values[2] = Int32GetDatum(stage);
	n = mmrd_pg_run(&find_prototypes, values, NULL);
	for (uint64 i = 0; i < n; i++)
	{
		bool isnull;
		int ordinal = DatumGetInt32(mmrd_pg_field(i, 1, &isnull));
		ArrayType *vector = DatumGetArrayTypeP(mmrd_pg_field(i, 2, &isnull));
		int length = ARR_NDIM(vector) == 1 ? ARR_DIMS(vector)[0] : 0;

		if (i == 0)
		{
			C = length;
			floats = MemoryContextAllocHuge(CurrentMemoryContext,
			                                n * C * sizeof(float));
		}
		if (ordinal != (int) i + 1 || length != C || ARR_HASNULL(vector))
			damaged(name, "A vector is missing or has another length.");
		memcpy(floats + i * C, (char *) vector + ARR_OVERHEAD_NONULLS(1),
		       C * sizeof(float));
	}
	SPI_freetuptable(SPI_tuptable);
	out->dtype = MMRD_DTYPE_F32;
	out->n_dims = 2;
	out->dims[0] = (int64_t) n;
	out->dims[1] = C;
	out->n_bytes = n * C * sizeof(float);
	out->data = floats;
	return n > 0;
}

static bool
is_statistic(const char *name)
{
	return strncmp(name, "teacher.rgb.", 12) == 0 ||
	       strncmp(name, "teacher.aux.", 12) == 0 ||
	       strncmp(name, "teacher.aux2.", 13) == 0;
}

/* In tensors->memory, which the caller has reset and switched to. */
static bool
read_tensor(const mmrd_pg_tensors *tensors, const char *name, mmrd_tensor *out)
{
	Datum values[2];

	if (tensors->version != 0 && is_prototypes(name))
		return read_prototypes(tensors->version, name, out);
	if (tensors->version != 0 &&
	    (strncmp(name, "teacher.", 8) != 0 || is_statistic(name)))
	{
		values[0] = Int64GetDatum(tensors->version);
		values[1] = CStringGetTextDatum(name);
		return read_parts(mmrd_pg_open(&find_version_tensor, values, NULL),
		                  name, out);
	}
	values[0] = Int32GetDatum(tensors->teacher.id);
	values[1] = CStringGetTextDatum(tensors->version != 0 ? name + 8 : name);
	return read_parts(mmrd_pg_open(&find_teacher_tensor, values, NULL), name,
	                  out);
}

mmrd_status
mmrd_pg_tensors_lookup(void *context, const char *name, mmrd_tensor *out,
                       bool *found, mmrd_error *err)
{
	mmrd_pg_tensors *tensors = context;
	MemoryContext before = CurrentMemoryContext;
	volatile bool there = false;

	if (tensors->builtin.weights != NULL &&
	    strncmp(name, "teacher.", 8) == 0 && !is_statistic(name))
		return mmrd_weights_lookup(&tensors->builtin, name, out, found, err);

	*found = false;
	PG_TRY();
	{
		MemoryContextReset(tensors->memory);
		MemoryContextSwitchTo(tensors->memory);
		there = read_tensor(tensors, name, out);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(MemoryContextGetParent(tensors->memory));
		tensors->error = CopyErrorData();
		FlushErrorState();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(before);
	if (tensors->error != NULL)
		return mmrd_fail(err, MMRD_INTERNAL, "could not read tensor \"%s\"",
		                 name);
	*found = there;
	return MMRD_OK;
}

void
mmrd_pg_tensors_check(mmrd_pg_tensors *tensors, mmrd_status st,
                      const mmrd_error *err)
{
	if (tensors->error != NULL)
		ReThrowError(tensors->error);
	MMRD_PG_CHECK(st, err);
}
