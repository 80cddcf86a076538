/*
 * extension/pg_origin.c
 *	  Where an imported version comes from, as its file says.
 *
 * The JSON is taken apart by a statement: PostgreSQL's casts know all that
 * can be wrong with a number.
 */
#include "postgres.h"

#include "extension/pg_origin.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "extension/pg_access.h"
#include "extension/pg_model_file.h"
#include "extension/pg_scans.h"
#include "utils/array.h"
#include "utils/builtins.h"

static mmrd_pg_statement read_training = {
    "SELECT $1 ->> 'source', $1 ->> 'source_query', "
    "coalesce(($1 ->> 'scans')::integer, 0), "
    "decode($1 ->> 'scans_sha256', 'hex'), "
    "coalesce(($1 ->> 'epochs')::integer, 0), "
    "($1 ->> 'loss')::real, "
    "coalesce(($1 ->> 'seconds')::real, 0), "
    "$1 -> 'metrics', $1 ->> 'code_version' "
    "FROM (SELECT jsonb_each.key FROM jsonb_each($1) LIMIT 1) object",
    true,
    1,
    {JSONBOID},
    NULL};

static mmrd_pg_statement read_calibration = {
    "SELECT $1 ->> 'method', ($1 ->> 'fpr')::real, "
    "($1 ->> 'threshold')::real, ($1 ->> 'pixel_threshold')::real, "
    "(SELECT array_agg(x::real ORDER BY place) FROM "
    "jsonb_array_elements_text(CASE jsonb_typeof($1 -> 'scores') "
    "WHEN 'array' THEN $1 -> 'scores' END) WITH ORDINALITY s (x, place)) "
    "FROM (SELECT jsonb_each.key FROM jsonb_each($1) LIMIT 1) object",
    true,
    1,
    {JSONBOID},
    NULL};

static void
say_where(void *where)
{
	errcontext("%s of the model file", (const char *) where);
}

static void
wrong(const char *key, const char *rule)
{
	ereport(ERROR,
	        (errcode(ERRCODE_DATA_EXCEPTION), errmsg("\"%s\" is wrong", key),
	         errdetail("It must be %s.", rule),
	         errhint("Export the model again, or leave this entry out of the "
	                 "metadata of the file.")));
}

static Datum
parse(const char *key, const char *text)
{
	const Datum json = DirectFunctionCall1(jsonb_in, CStringGetDatum(text));

	if (!JB_ROOT_IS_OBJECT(DatumGetJsonbP(json)))
		wrong(key, "a JSON object");
	return json;
}

static float
field_float(int number)
{
	bool isnull;
	Datum value = mmrd_pg_field(0, number, &isnull);

	return isnull ? NAN : DatumGetFloat4(value);
}

static void
training(const char *text, MemoryContext owner, mmrd_pg_origin *out)
{
	Datum values[] = {parse(MMRD_MODEL_FILE_TRAINING, text)};
	MemoryContext before;
	Datum field;
	bool isnull;

	if (mmrd_pg_run(&read_training, values, NULL) == 0)
		return; /* {} says nothing */
	out->source = mmrd_pg_field_text(0, 1, owner);
	out->source_query = mmrd_pg_field_text(0, 2, owner);
	out->scans = DatumGetInt32(mmrd_pg_field(0, 3, &isnull));
	out->epochs = DatumGetInt32(mmrd_pg_field(0, 5, &isnull));
	out->loss = field_float(6);
	out->seconds = field_float(7);
	out->code_version = mmrd_pg_field_text(0, 9, owner);
	if (out->scans < 0)
		wrong("scans", "0 or more");
	if (out->epochs < 0)
		wrong("epochs", "0 or more");
	if (isinf(out->loss))
		wrong("loss", "finite");
	if (!(isfinite(out->seconds) && out->seconds >= 0))
		wrong("seconds", "finite and 0 or more");

	before = MemoryContextSwitchTo(owner);
	field = mmrd_pg_field(0, 4, &isnull);
	if (!isnull)
	{
		bytea *hash = DatumGetByteaPCopy(field);

		if (VARSIZE_ANY_EXHDR(hash) != MMRD_PG_DIGEST_BYTES)
			wrong("scans_sha256", "of 32 bytes");
		out->scans_sha256 = (const uint8 *) VARDATA_ANY(hash);
	}
	field = mmrd_pg_field(0, 8, &isnull);
	if (!isnull)
	{
		out->metrics = DatumGetJsonbPCopy(field);
		if (!JB_ROOT_IS_OBJECT(out->metrics))
			wrong("metrics", "an object");
	}
	MemoryContextSwitchTo(before);
}

static void
read_scores(Datum value, MemoryContext owner, mmrd_pg_origin *out)
{
	ArrayType *array = DatumGetArrayTypeP(value);
	Datum *elements;
	bool *nulls;

	deconstruct_array(array, FLOAT4OID, sizeof(float4), true, TYPALIGN_INT,
	                  &elements, &nulls, &out->n_scores);
	out->scores = MemoryContextAlloc(owner, out->n_scores * sizeof(float));
	for (int i = 0; i < out->n_scores; i++)
	{
		out->scores[i] = nulls[i] ? NAN : DatumGetFloat4(elements[i]);
		if (!isfinite(out->scores[i]) ||
		    (i > 0 && out->scores[i] < out->scores[i - 1]))
			wrong("scores", "finite numbers in ascending order");
	}
}

static void
calibration(const char *text, MemoryContext owner, mmrd_pg_origin *out)
{
	Datum values[] = {parse(MMRD_MODEL_FILE_CALIBRATION, text)};
	Datum field;
	bool isnull;

	if (mmrd_pg_run(&read_calibration, values, NULL) == 0)
		return;
	out->method = mmrd_pg_field_text(0, 1, owner);
	out->fpr = field_float(2);
	out->threshold = field_float(3);
	out->pixel_threshold = field_float(4);
	if (out->method == NULL)
		out->method = "import";
	if (!(out->fpr > 0 && out->fpr < 1))
		wrong("fpr", "above 0 and below 1");
	if (!isfinite(out->threshold))
		wrong("threshold", "a finite number");
	if (!isfinite(out->pixel_threshold))
		wrong("pixel_threshold", "a finite number");
	field = mmrd_pg_field(0, 5, &isnull);
	if (isnull)
		wrong("scores", "an array of at least one number");
	read_scores(field, owner, out);
}

void
mmrd_pg_origin_read(const char *training_text, const char *calibration_text,
                    mmrd_pg_origin *out)
{
	ErrorContextCallback callback = {
	    .callback = say_where,
	    .previous = error_context_stack,
	};
	mmrd_pg_access access;

	memset(out, 0, sizeof(*out));
	out->loss = NAN;
	mmrd_pg_access_begin(&access);
	error_context_stack = &callback;
	callback.arg = MMRD_MODEL_FILE_TRAINING;
	if (training_text != NULL)
		training(training_text, access.caller, out);
	callback.arg = MMRD_MODEL_FILE_CALIBRATION;
	if (calibration_text != NULL)
		calibration(calibration_text, access.caller, out);
	error_context_stack = callback.previous;
	mmrd_pg_access_end(&access);
}
