/*
 * extension/pg_options.c
 *	  The options of a training: from jsonb, and complete to jsonb again.
 *
 * One table says for each option its type, place, range and names; reading,
 * writing and the messages all follow it.
 */
#include "postgres.h"

#include "extension/pg_options.h"

#include <float.h>
#include <math.h>

#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"

enum
{
	MAX_LENGTH = 4 /* of an array */
};

typedef enum kind
{
	KIND_INT,
	KIND_FLOAT,
	KIND_DOUBLE,
	KIND_SEED,  /* uint64_t, within bigint's positive half */
	KIND_BOOL,  /* int32_t, 0 or 1 */
	KIND_ENUM,  /* int, the place of the name in names */
	KIND_TEXT,  /* char * */
	KIND_INTS,  /* int32_t[length] */
	KIND_ROI,   /* int32_t[4] and has_roi; null: the whole picture */
	KIND_LIMITS /* mmrd_pg_limits; null: not given */
} kind;

typedef struct option
{
	const char *name;
	kind kind;
	size_t offset; /* in mmrd_pg_options */
	double min;
	double max;
	int length;
	const char *const *names; /* NULL at the end */
} option;

static const char *const deploy_names[] = {"if_better", "always", "never",
                                           NULL};
static const char *const method_names[] = {"mmrd", "rd", NULL};
static const char *const precision_names[] = {"float32", "bfloat16", NULL};
static const char *const prior_at_names[] = {"next", "same", NULL};
static const char *const fusion_names[] = {"modulated", "modulated_aux", "add",
                                           "none", NULL};
/* In the order of mmrd_input_kind. */
static const char *const aux_kind_names[] = {
    "auto", "image", "depth", "xyz", "height", "normals_from_xyz", NULL};
/* In the order of mmrd_sample. */
static const char *const aux_sample_names[] = {"any", "uint8", "uint16",
                                               "float32", NULL};
static const char *const aux_range_names[] = {"scan", "train", NULL};
/* In the order of the mask: MMRD_ADAPT_RGB is 1, MMRD_ADAPT_AUX is 2. */
static const char *const adapt_names[] = {"none", "rgb", "aux", "all", NULL};

#define AT(field) offsetof(mmrd_pg_options, field)

static const option options_table[] = {
    {"teacher", KIND_TEXT, AT(teacher), 0, 0, 0, NULL},
    {"epochs", KIND_INT, AT(epochs), 1, 100000, 0, NULL},
    {"batch_size", KIND_INT, AT(train.batch_size), 1, MMRD_MAX_BATCH, 0, NULL},
    {"lr", KIND_FLOAT, AT(train.lr), 1e-8, 1, 0, NULL},
    {"lambda", KIND_FLOAT, AT(train.lambda), 0, 1000, 0, NULL},
    {"prototypes", KIND_INTS, AT(config.prototypes), 0, MMRD_MAX_PROTOTYPES,
     MMRD_STAGES, NULL},
    {"seed", KIND_SEED, AT(train.seed), 0, 9.2e18, 0, NULL},
    {"input_size", KIND_INT, AT(config.input_size), MMRD_MIN_INPUT_SIZE,
     MMRD_MAX_INPUT_SIZE, 0, NULL},
    {"roi", KIND_ROI, AT(roi), 0, INT32_MAX, 4, NULL},
    {"bn_epochs", KIND_INT, AT(train.bn_epochs), 0, 1000, 0, NULL},
    {"bn_adapt", KIND_ENUM, AT(train.adapt_mask), 0, 0, 0, adapt_names},
    {"aux_kind", KIND_ENUM, AT(aux_kind[0]), 0, 0, 0, aux_kind_names},
    {"aux2_kind", KIND_ENUM, AT(aux_kind[1]), 0, 0, 0, aux_kind_names},
    {"aux_strict", KIND_BOOL, AT(aux_strict[0]), 0, 0, 0, NULL},
    {"aux2_strict", KIND_BOOL, AT(aux_strict[1]), 0, 0, 0, NULL},
    {"aux_sample", KIND_ENUM, AT(aux_sample[0]), 0, 0, 0, aux_sample_names},
    {"aux2_sample", KIND_ENUM, AT(aux_sample[1]), 0, 0, 0, aux_sample_names},
    {"aux_range", KIND_ENUM, AT(aux_range), 0, 0, 0, aux_range_names},
    {"aux_limits", KIND_LIMITS, AT(aux_limits[0]), -FLT_MAX, FLT_MAX, 2, NULL},
    {"aux2_limits", KIND_LIMITS, AT(aux_limits[1]), -FLT_MAX, FLT_MAX, 2,
     NULL},
    {"method", KIND_ENUM, AT(method), 0, 0, 0, method_names},
    {"fusion", KIND_ENUM, AT(config.fusion), 0, 0, 0, fusion_names},
    {"interaction", KIND_BOOL, AT(config.interaction), 0, 0, 0, NULL},
    {"prior_at", KIND_ENUM, AT(config.prior_at), 0, 0, 0, prior_at_names},
    {"label", KIND_TEXT, AT(label), 0, 0, 0, NULL},
    {"mask", KIND_TEXT, AT(mask), 0, 0, 0, NULL},
    {"warm_start", KIND_BOOL, AT(warm_start), 0, 0, 0, NULL},
    {"checkpoint_every", KIND_INT, AT(checkpoint_every), 0, 100000, 0, NULL},
    {"deploy", KIND_ENUM, AT(deploy), 0, 0, 0, deploy_names},
    {"threshold_fpr", KIND_DOUBLE, AT(threshold_fpr), 1e-6, 0.5, 0, NULL},
    {"keep_versions", KIND_INT, AT(keep_versions), 0, 1000000, 0, NULL},
    {"precision", KIND_ENUM, AT(precision), 0, 0, 0, precision_names},
};

void
mmrd_pg_options_init(mmrd_pg_options *options)
{
	memset(options, 0, sizeof(*options));
	options->teacher = pstrdup("builtin");
	options->epochs = 400;
	options->deploy = MMRD_PG_DEPLOY_IF_BETTER;
	options->threshold_fpr = 0.01;
	mmrd_train_options_init(&options->train);
	mmrd_config_init(&options->config);
}

static void
wrong_type(const option *o, const char *wanted)
{
	ereport(ERROR,
	        (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
	         errmsg("option \"%s\" must be %s", o->name, wanted),
	         errhint("The manual page of mmrd_train() lists the options.")));
}

static void
out_of_range(const option *o, const char *found)
{
	ereport(ERROR,
	        (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
	         errmsg("option \"%s\" is out of range", o->name),
	         errdetail("The value is %s, it must be between %g and %g.", found,
	                   o->min, o->max),
	         errhint("The manual page of mmrd_train() lists the options.")));
}

static Numeric
read_number(const option *o, const JsonbValue *v, bool integral)
{
	const char *wanted = integral ? "an integer" : "a number";
	double number;

	if (v->type != jbvNumeric)
		wrong_type(o, wanted);
	number = DatumGetFloat8(DirectFunctionCall1(
	    numeric_float8_no_overflow, NumericGetDatum(v->val.numeric)));
	if (integral && (isinf(number) || number != floor(number)))
		wrong_type(o, wanted);
	if (!(number >= o->min && number <= o->max))
		out_of_range(o, numeric_normalize(v->val.numeric));
	return v->val.numeric;
}

static int32
read_int(const option *o, const JsonbValue *v)
{
	return DatumGetInt32(DirectFunctionCall1(
	    numeric_int4, NumericGetDatum(read_number(o, v, true))));
}

static float
read_float(const option *o, const JsonbValue *v)
{
	return DatumGetFloat4(DirectFunctionCall1(
	    numeric_float4, NumericGetDatum(read_number(o, v, false))));
}

/* The o->length numbers of an array; what: "integers", for messages. */
static void
read_array(const option *o, const JsonbValue *v, const char *what,
           JsonbValue *out)
{
	char *wanted = psprintf("an array of %d %s", o->length, what);
	JsonbContainer *array;

	if (v->type != jbvBinary || !JsonContainerIsArray(v->val.binary.data) ||
	    JsonContainerIsScalar(v->val.binary.data))
		wrong_type(o, wanted);
	array = v->val.binary.data;
	if (JsonContainerSize(array) != (uint32) o->length)
		wrong_type(o, wanted);
	for (int i = 0; i < o->length; i++)
	{
		out[i] = *getIthJsonbValueFromContainer(array, i);
		if (out[i].type != jbvNumeric)
			wrong_type(o, wanted);
	}
	pfree(wanted);
}

static void
read_ints(const option *o, const JsonbValue *v, int32 *out)
{
	JsonbValue element[MAX_LENGTH];

	read_array(o, v, "integers", element);
	for (int i = 0; i < o->length; i++)
		out[i] = read_int(o, &element[i]);
}

static void
read_roi(const option *o, const JsonbValue *v, int32 *out)
{
	read_ints(o, v, out);
	if (out[2] > 0 && out[3] > 0)
		return;
	ereport(ERROR,
	        (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
	         errmsg("option \"%s\" is empty", o->name),
	         errdetail("It is %d pixels wide and %d high.", out[2], out[3]),
	         errhint("It is [x, y, width, height].")));
}

static void
read_limits(const option *o, const JsonbValue *v, mmrd_pg_limits *out)
{
	JsonbValue element[MAX_LENGTH];

	read_array(o, v, "numbers", element);
	out->lo = read_float(o, &element[0]);
	out->hi = read_float(o, &element[1]);
	out->given = true;
	if (out->lo <= out->hi)
		return;
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
	                errmsg("option \"%s\" is out of order", o->name),
	                errdetail("The first number is %g, the second %g.",
	                          (double) out->lo, (double) out->hi),
	                errhint("It is [smallest, largest].")));
}

static char *
read_text(const option *o, const JsonbValue *v)
{
	if (v->type != jbvString)
		wrong_type(o, "a string");
	return pnstrdup(v->val.string.val, v->val.string.len);
}

static int
read_enum(const option *o, const JsonbValue *v)
{
	char *text = read_text(o, v);
	StringInfoData names;

	for (int i = 0; o->names[i] != NULL; i++)
		if (strcmp(text, o->names[i]) == 0)
			return i;
	initStringInfo(&names);
	for (int i = 0; o->names[i] != NULL; i++)
		appendStringInfo(&names, "%s%s", i ? ", " : "", o->names[i]);
	ereport(ERROR,
	        (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
	         errmsg("option \"%s\" does not know \"%s\"", o->name, text),
	         errhint("Known values are: %s.", names.data)));
	return 0; /* not reached */
}

static void
read_option(const option *o, const JsonbValue *v, mmrd_pg_options *options)
{
	void *at = (char *) options + o->offset;

	if (v->type == jbvNull)
		return; /* the default */
	switch (o->kind)
	{
		case KIND_INT:
			*(int32 *) at = read_int(o, v);
			break;
		case KIND_FLOAT:
			*(float *) at = read_float(o, v);
			break;
		case KIND_DOUBLE:
			*(double *) at = DatumGetFloat8(DirectFunctionCall1(
			    numeric_float8, NumericGetDatum(read_number(o, v, false))));
			break;
		case KIND_SEED:
			*(uint64_t *) at = (uint64_t) DatumGetInt64(DirectFunctionCall1(
			    numeric_int8, NumericGetDatum(read_number(o, v, true))));
			break;
		case KIND_BOOL:
			if (v->type != jbvBool)
				wrong_type(o, "true or false");
			*(int32 *) at = v->val.boolean ? 1 : 0;
			break;
		case KIND_ENUM:
			*(int32 *) at = read_enum(o, v);
			break;
		case KIND_TEXT:
			*(char **) at = read_text(o, v);
			break;
		case KIND_INTS:
			read_ints(o, v, at);
			break;
		case KIND_ROI:
			read_roi(o, v, at);
			options->has_roi = true;
			break;
		case KIND_LIMITS:
			read_limits(o, v, at);
			break;
	}
}

static const option *
find_option(const JsonbValue *key)
{
	StringInfoData names;

	for (size_t i = 0; i < lengthof(options_table); i++)
		if (strlen(options_table[i].name) == (size_t) key->val.string.len &&
		    memcmp(options_table[i].name, key->val.string.val,
		           key->val.string.len) == 0)
			return &options_table[i];

	initStringInfo(&names);
	for (size_t i = 0; i < lengthof(options_table); i++)
		appendStringInfo(&names, "%s%s", i ? ", " : "", options_table[i].name);
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
	                errmsg("unknown option \"%.*s\"", key->val.string.len,
	                       key->val.string.val),
	                errhint("Known options are: %s.", names.data)));
	return NULL; /* not reached */
}

/* The baseline is the same network with its multi-modal parts taken out. */
static void
apply_method(mmrd_pg_options *options)
{
	if (options->method != MMRD_PG_METHOD_RD)
		return;
	options->config.fusion = MMRD_FUSION_NONE;
	memset(options->config.prototypes, 0, sizeof(options->config.prototypes));
}

void
mmrd_pg_options_parse(Jsonb *json, mmrd_pg_options *options)
{
	JsonbIterator *it;
	JsonbIteratorToken token;
	JsonbValue key;
	JsonbValue value;

	if (!JB_ROOT_IS_OBJECT(json))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
		                errmsg("options must be a JSON object"),
		                errhint("For example: {\"epochs\": 50}.")));

	it = JsonbIteratorInit(&json->root);
	while ((token = JsonbIteratorNext(&it, &key, true)) != WJB_DONE)
	{
		if (token != WJB_KEY)
			continue;
		(void) JsonbIteratorNext(&it, &value, true); /* arrays stay whole */
		read_option(find_option(&key), &value, options);
	}
	apply_method(options);
}

/* Shortest text that reads back as the same number. */
static JsonbValue
number_value(char *text)
{
	JsonbValue v;

	v.type = jbvNumeric;
	v.val.numeric = DatumGetNumeric(
	    DirectFunctionCall3(numeric_in, CStringGetDatum(text),
	                        ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
	return v;
}

static JsonbValue
int_value(int64 n)
{
	return number_value(psprintf(INT64_FORMAT, n));
}

static JsonbValue
float_value(float x)
{
	return number_value(
	    DatumGetCString(DirectFunctionCall1(float4out, Float4GetDatum(x))));
}

static JsonbValue
string_value(const char *text)
{
	JsonbValue v;

	v.type = jbvString;
	v.val.string.val = pstrdup(text);
	v.val.string.len = (int) strlen(text);
	return v;
}

static void
push_ints(JsonbParseState **state, const int32 *ints, int n)
{
	pushJsonbValue(state, WJB_BEGIN_ARRAY, NULL);
	for (int i = 0; i < n; i++)
	{
		JsonbValue v = int_value(ints[i]);

		pushJsonbValue(state, WJB_ELEM, &v);
	}
	pushJsonbValue(state, WJB_END_ARRAY, NULL);
}

static void
push_limits(JsonbParseState **state, const mmrd_pg_limits *limits)
{
	JsonbValue lo = float_value(limits->lo);
	JsonbValue hi = float_value(limits->hi);

	pushJsonbValue(state, WJB_BEGIN_ARRAY, NULL);
	pushJsonbValue(state, WJB_ELEM, &lo);
	pushJsonbValue(state, WJB_ELEM, &hi);
	pushJsonbValue(state, WJB_END_ARRAY, NULL);
}

static JsonbValue
scalar_value(const option *o, const void *at)
{
	JsonbValue v;

	v.type = jbvNull;
	switch (o->kind)
	{
		case KIND_INT:
			return int_value(*(const int32 *) at);
		case KIND_SEED:
			return int_value((int64) * (const uint64_t *) at);
		case KIND_FLOAT:
			return float_value(*(const float *) at);
		case KIND_DOUBLE:
			return number_value(DatumGetCString(DirectFunctionCall1(
			    float8out, Float8GetDatum(*(const double *) at))));
		case KIND_BOOL:
			v.type = jbvBool;
			v.val.boolean = *(const int32 *) at != 0;
			break;
		case KIND_ENUM:
			return string_value(o->names[*(const int32 *) at]);
		case KIND_TEXT:
			if (*(char *const *) at != NULL)
				return string_value(*(char *const *) at);
			break;
		case KIND_INTS:
		case KIND_ROI:
		case KIND_LIMITS:
			break;
	}
	return v;
}

Jsonb *
mmrd_pg_options_complete(const mmrd_pg_options *options)
{
	JsonbParseState *state = NULL;
	JsonbValue *all;

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	for (size_t i = 0; i < lengthof(options_table); i++)
	{
		const option *o = &options_table[i];
		const void *at = (const char *) options + o->offset;
		JsonbValue key = string_value(o->name);

		pushJsonbValue(&state, WJB_KEY, &key);
		if (o->kind == KIND_INTS || (o->kind == KIND_ROI && options->has_roi))
			push_ints(&state, at, o->length);
		else if (o->kind == KIND_LIMITS &&
		         ((const mmrd_pg_limits *) at)->given)
			push_limits(&state, at);
		else
		{
			JsonbValue v = scalar_value(o, at);

			pushJsonbValue(&state, WJB_VALUE, &v);
		}
	}
	all = pushJsonbValue(&state, WJB_END_OBJECT, NULL);
	return JsonbValueToJsonb(all);
}
