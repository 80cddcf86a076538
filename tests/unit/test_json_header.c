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
parse(const char *json, size_t len, int max_tensors, seen *s, mmrd_error *err)
{
	const mmrd_json_visitor visitor = {s, see_tensor, see_metadata};

	memset(err, 0, sizeof(*err));
	s->text[0] = '\0';
	return mmrd_json_header_parse(json, len, max_tensors, &visitor, err);
}

static void
parses(const char *json, const char *want)
{
	seen s = {{0}, MMRD_OK};
	mmrd_error err;

	CHECK(parse(json, strlen(json), 10, &s, &err) == MMRD_OK, "%s: %s %s",
	      json, err.message, err.detail);
	CHECK(strcmp(s.text, want) == 0, "got %s, want %s", s.text, want);
}

/* A header of commas may not make the parser build a huge tree. */
static void
many_values(void)
{
	const size_t n = 200000;
	char *json = malloc(n);
	seen s = {{0}, MMRD_OK};
	mmrd_error err;

	memset(json, ',', n);
	memcpy(json, "{\"a\":[", 6);
	CHECK(parse(json, n, 1, &s, &err) == MMRD_LIMIT_EXCEEDED, "%s",
	      err.message);
	CHECK(parse(json, n, 16384, &s, &err) == MMRD_CORRUPT_DATA, "%s",
	      err.message);
	free(json);
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
	seen s = {{0}, MMRD_OK};
	mmrd_error err = {0};
	char *json = NULL;
	size_t len = 0;

	CHECK(mmrd_json_header_build(tensors, 3, texts, 2, &json, &len, &err) ==
	          MMRD_OK,
	      "%s", err.message);
	for (size_t i = 0; i < len; i++)
		CHECK(json[i] >= ' ' && json[i] <= '~', "byte %d at %zu", json[i], i);
	CHECK(parse(json, len, 10, &s, &err) == MMRD_OK, "%s %s", err.message,
	      err.detail);
	CHECK(strcmp(s.text, want) == 0, "got %s", s.text);
	free(json);

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
	CHECK(parse(stop, strlen(stop), 10, &s, &err) == MMRD_IO_ERROR,
	      "the visitor's status: %d %s", err.status, err.detail);
	CHECK(strcmp(err.message, "stopped") == 0, "%s", err.message);
	many_values();
	round_trip();
	return check_result();
}
