/*
 * tests/unit/test_json_header.c
 *	  Parsing and building the JSON of a safetensors file.
 */
#include "loader/weights/json_header.h"

#include <stdlib.h>
#include <string.h>

#include "tests/unit/check.h"

/* What a visitor saw. */
typedef struct seen
{
	char text[512];
	mmrd_status fail; /* returned for a tensor named "stop" */
} seen;

static mmrd_status
see_tensor(void *context, const mmrd_json_tensor *t, mmrd_error *err)
{
	seen *s = context;
	char dims[64];
	const size_t n = strlen(s->text);

	if (strcmp(t->name, "stop") == 0)
		return mmrd_fail(err, s->fail, "stopped");
	snprintf(
	    s->text + n, sizeof(s->text) - n, "%s:%s%s=%zu[%d,%d) ", t->name,
	    t->dtype,
	    mmrd_dims_print(t->n_dims < MMRD_MAX_DIMS ? t->n_dims : MMRD_MAX_DIMS,
	                    t->dims, dims, sizeof(dims)),
	    t->count, (int) t->begin, (int) t->end);
	return MMRD_OK;
}

static mmrd_status
see_metadata(void *context, const char *key, const char *value,
             mmrd_error *err)
{
	seen *s = context;
	const size_t n = strlen(s->text);

	(void) err;
	snprintf(s->text + n, sizeof(s->text) - n, "%s->%s ", key, value);
	return MMRD_OK;
}

static mmrd_status
parse(const char *json, size_t len, seen *s, mmrd_error *err)
{
	const mmrd_json_visitor visitor = {s, see_tensor, see_metadata};

	memset(err, 0, sizeof(*err));
	s->text[0] = '\0';
	return mmrd_json_header_parse(json, len, &visitor, err);
}

static void
parses(const char *json, const char *want)
{
	seen s = {{0}, MMRD_OK};
	mmrd_error err;

	CHECK(parse(json, strlen(json), &s, &err) == MMRD_OK, "%s: %s %s", json,
	      err.message, err.detail);
	CHECK(strcmp(s.text, want) == 0, "got %s, want %s", s.text, want);
}

static void
refuses(const char *json, const char *message, const char *detail)
{
	const size_t n = strlen(json);
	char *copy = malloc(n + 1); /* of its own size, for the sanitizer */
	seen s = {{0}, MMRD_OK};
	mmrd_error err;

	memcpy(copy, json, n);
	CHECK(parse(copy, n, &s, &err) != MMRD_OK, "%s", json);
	CHECK(strstr(err.message, message) != NULL &&
	          strstr(err.detail, detail) != NULL,
	      "%s: \"%s\" \"%s\"", json, err.message, err.detail);
	free(copy);
}

static void
strings(void)
{
	static const struct
	{
		const char *json;
		const char *want; /* NULL: refused */
	} cases[] = {
	    {"", ""},
	    {"a", "a"},
	    {"\\\"\\\\\\/\\b\\f\\n\\r\\t", "\"\\/\b\f\n\r\t"},
	    {"\\u0041\\u00e4\\u20AC\\ud83d\\ude00",
	     "A\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"},
	    {"\\u007f\\u0080\\u07ff\\u0800\\uffff\\udbff\\udfff",
	     "\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf\xf4\x8f\xbf\xbf"},
	    {"\x7f\xc2\x80\xe0\xa0\x80\xf4\x8f\xbf\xbf",
	     "\x7f\xc2\x80\xe0\xa0\x80\xf4\x8f\xbf\xbf"},
	    {"\\u0000", NULL},
	    {"\\u12", NULL},
	    {"\\u12g4", NULL},
	    {"\\ud800", NULL},
	    {"\\ud800\\u0041", NULL},
	    {"\\ud800x", NULL},
	    {"\\udc00\\ud800", NULL},
	    {"\\x41", NULL},
	    {"\\", NULL},
	    {"\n", NULL},
	    {"\x1f", NULL},
	    {"\x80", NULL},
	    {"\xc3", NULL},
	    {"\xc0\x80", NULL},
	    {"\xe0\x9f\xbf", NULL},
	    {"\xed\xa0\x80", NULL},
	    {"\xf4\x90\x80\x80", NULL},
	    {"\xf8\x88\x80\x80\x80", NULL},
	    {"\xff", NULL},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		char json[128];
		char want[128];

		snprintf(json, sizeof(json), "{\"__metadata__\":{\"k\":\"%s\"}}",
		         cases[i].json);
		if (cases[i].want == NULL)
			refuses(json, "not valid JSON", "At byte ");
		else
		{
			snprintf(want, sizeof(want), "k->%s ", cases[i].want);
			parses(json, want);
		}
	}
}

#define TENSOR(shape, offsets)                                                \
	"{\"t\":{\"dtype\":\"F32\",\"shape\":" shape ",\"data_offsets\":" offsets \
	"}}"

static void
refusals(void)
{
	const char *const json = "not valid JSON";
	const char *const wrong = "wrongly";

	parses(TENSOR("[ 0 , 10 ]", "[0,9223372036854775807]"),
	       "t:F32(0, 10)=0[0,-1) ");
	refuses(TENSOR("[01]", "[0,4]"), wrong, "whole");
	refuses(TENSOR("[00]", "[0,4]"), wrong, "whole");
	refuses(TENSOR("[-1]", "[0,4]"), wrong, "whole");
	refuses(TENSOR("[1.0]", "[0,4]"), wrong, "whole");
	refuses(TENSOR("[1e1]", "[0,4]"), wrong, "whole");
	refuses(TENSOR("[1,]", "[0,4]"), wrong, "whole");
	refuses(TENSOR("[1 2]", "[0,4]"), json, "comma");
	refuses(TENSOR("[1", "[0,4]"), wrong, "whole");
	refuses(TENSOR("1", "[0,4]"), wrong, "array");
	refuses(TENSOR("[]", "[0,9223372036854775808]"), wrong, "offsets");
	refuses(TENSOR("[]", "[0]"), wrong, "offsets");
	refuses(TENSOR("[]", "[0,1,2]"), wrong, "offsets");
	refuses(TENSOR("[]", "[0,1],\"shape\":[]"), wrong, "twice");
	refuses(TENSOR("[]", "[0,1],\"more\":[]"), wrong, "besides");
	refuses(TENSOR("[]", "[0,1],"), json, "string");
	refuses("{\"t\":{\"dtype\":null", wrong, "dtype");
	refuses("{\"t\":{}}", wrong, "lacks");
	refuses("{\"t\":[]}", wrong, "object");
	refuses("{\"t\"}", json, "colon");
	refuses("{t:{}}", json, "string");
	refuses("{,}", json, "string");
	refuses("{\"t", json, "quote");
	refuses("{", json, "string");
	refuses("", "not an object", "");
	refuses("[]", "not an object", "");
	refuses("{}}", json, "nothing more");
	refuses("{\"__metadata__\":1}", "not an object", "");
	refuses("{\"__metadata__\":{\"a\":1}}", "not a string", "");
	refuses("{\"__metadata__\":{\"a\" \"b\"}}", json, "colon");
	refuses("{\"__metadata__\":{\"a\":\"b\"", json, "comma");
	refuses("{\"__metadata__\":{},\"__metadata__\":{}}", "more than once", "");
}

static void
round_trip(void)
{
	const mmrd_json_tensor tensors[] = {
	    {"z", "F32", 2, {2, 3}, 6, 0, 24},
	    {"a \"b\\", "BF16", 0, {0}, 1, 24, 26},
	    {"big", "F32", 1, {INT64_MAX}, INT64_MAX, 26, 27},
	};
	const mmrd_json_text texts[] = {{"k\xc3\xa4", "\t\"\\\xe2\x82\xac"},
	                                {"", ""}};
	const char *const want =
	    "k\xc3\xa4->\t\"\\\xe2\x82\xac -> z:F32(2, 3)=6[0,24) "
	    "a \"b\\:BF16()=1[24,26) "
	    "big:F32(9223372036854775807)=9223372036854775807[26,27) ";
	const mmrd_json_text twice[] = {{"k", "1"}, {"k", "2"}};
	const mmrd_json_text broken = {"k", "\xc3"};
	seen s = {{0}, MMRD_OK};
	mmrd_error err = {0};
	char *json = NULL;
	size_t len = 0;

	CHECK(mmrd_json_header_build(tensors, 3, texts, 2, &json, &len, &err) ==
	          MMRD_OK,
	      "%s", err.message);
	CHECK(parse(json, len, &s, &err) == MMRD_OK, "%s %s", err.message,
	      err.detail);
	CHECK(strcmp(s.text, want) == 0, "got %s", s.text);
	free(json);

	/* A key twice, and a text that is not UTF-8. */
	CHECK(mmrd_json_header_build(NULL, 0, twice, 2, &json, &len, &err) ==
	              MMRD_INVALID_ARGUMENT &&
	          json == NULL,
	      "a key twice");
	CHECK(mmrd_json_header_build(NULL, 0, &broken, 1, &json, &len, &err) ==
	              MMRD_INVALID_ARGUMENT &&
	          json == NULL,
	      "a broken text");
	CHECK(mmrd_json_header_build(NULL, 0, NULL, 0, &json, &len, &err) ==
	              MMRD_OK &&
	          len == 2 && memcmp(json, "{}", 2) == 0,
	      "an empty header has %zu bytes", len);
	free(json);
}

int
main(void)
{
	static const char stop[] =
	    "{\"stop\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]}, "
	    "\"b\":1}";
	seen s = {{0}, MMRD_IO_ERROR};
	mmrd_error err;

	parses("{}  ", "");
	parses("{\"__metadata__\": {}}", "");
	parses("{\"b\": {\"shape\": [], \"dtype\": \"F32\", \"data_offsets\": "
	       "[0, 4]}, \"__metadata__\": {\"x\": \"y\"}}",
	       "b:F32()=1[0,4) x->y ");
	parses("{\"b\":{\"dtype\":\"Q\",\"shape\":[1,2,3,4,5,0],"
	       "\"data_offsets\":[7,6]}}",
	       "b:Q(1, 2, 3, 4)=0[7,6) ");
	CHECK(parse(stop, strlen(stop), &s, &err) == MMRD_IO_ERROR,
	      "the visitor's status: %d %s", err.status, err.detail);
	CHECK(strcmp(err.message, "stopped") == 0, "%s", err.message);
	strings();
	refusals();
	round_trip();
	return check_result();
}
