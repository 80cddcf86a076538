/*
 * tests/unit/test_weights_file.c
 *	  Small files of every format, compared value by value with what PyTorch
 *	  said is in them; see tests/golden/make_weights.py.
 */
#include "loader/weights/weights_file.h"

#include <stdlib.h>
#include <string.h>

#include "tests/unit/check.h"

enum
{
	MAX_EXPECTED = 64,
	MAX_VALUES = 64
};

/* A line "tensor" of expected.txt. */
typedef struct expected
{
	char name[MMRD_MAX_TENSOR_NAME];
	char dtype[16];
	int n_dims;
	int64_t dims[8];
	int n_values;
	double values[MAX_VALUES];
	char raw[64]; /* of a type that is not floating point, in hex */
} expected;

static expected tensors[MAX_EXPECTED];
static int n_tensors;

static const char *
golden_path(const char *name, char *buf, size_t buf_bytes)
{
	snprintf(buf, buf_bytes, "tests/golden/weights/%s", name);
	return buf;
}

static uint8_t *
read_file(const char *name, size_t *len)
{
	char path[256];
	FILE *f = fopen(golden_path(name, path, sizeof(path)), "rb");
	uint8_t *bytes;
	long n;

	CHECK(f != NULL, "%s cannot be opened; run from the repository root",
	      path);
	if (f == NULL)
		return NULL;
	fseek(f, 0, SEEK_END);
	n = ftell(f);
	rewind(f);
	bytes = malloc((size_t) n);
	*len = fread(bytes, 1, (size_t) n, f);
	fclose(f);
	return bytes;
}

static void
parse_tensor(char *line)
{
	expected *e = &tensors[n_tensors++];
	char *at = NULL;
	const char *word = strtok_r(line, " \n", &at); /* "tensor" */

	word = strtok_r(NULL, " \n", &at);
	snprintf(e->name, sizeof(e->name), "%s", word);
	word = strtok_r(NULL, " \n", &at);
	snprintf(e->dtype, sizeof(e->dtype), "%s", word);
	e->n_dims = atoi(strtok_r(NULL, " \n", &at));
	for (int i = 0; i < e->n_dims; i++)
		e->dims[i] = atoll(strtok_r(NULL, " \n", &at));
	while ((word = strtok_r(NULL, " \n", &at)) != NULL)
		if (strcmp(e->dtype, "other") == 0)
			snprintf(e->raw, sizeof(e->raw), "%s", word);
		else
			e->values[e->n_values++] = strtod(word, NULL);
}

static const expected *
find(const char *name)
{
	for (int i = 0; i < n_tensors; i++)
		if (strcmp(tensors[i].name, name) == 0)
			return &tensors[i];
	return NULL;
}

static void
check_values(const char *file, const expected *e, const mmrd_tensor *t)
{
	float got[MAX_VALUES];
	mmrd_error err = {0};

	CHECK(mmrd_tensor_count(t) == (size_t) e->n_values,
	      "%s %s has %zu values, expected %d", file, e->name,
	      mmrd_tensor_count(t), e->n_values);
	if (mmrd_tensor_count(t) != (size_t) e->n_values)
		return;
	memset(got, 0xff, sizeof(got));
	CHECK(mmrd_tensor_read(t, e->name, got, &err) == MMRD_OK, "%s: %s", file,
	      err.message);
	for (int i = 0; i < e->n_values; i++)
		CHECK(got[i] == (float) e->values[i],
		      "%s %s at %d: got %.9g, want %.9g", file, e->name, i,
		      (double) got[i], e->values[i]);
}

static void
check_raw(const char *file, const expected *e, const mmrd_tensor *t)
{
	const uint8_t *p = t->data;
	char hex[64] = "";

	for (size_t i = 0; i < t->n_bytes && i < 31; i++)
		snprintf(hex + 2 * i, 3, "%02x", p[i]);
	CHECK(strcmp(hex, e->raw) == 0, "%s %s: got %s, want %s", file, e->name,
	      hex, e->raw);
}

static void
check_tensor(const char *name, mmrd_weights_file *file, int i)
{
	const char *tensor = mmrd_weights_file_name(file, i);
	const expected *e = find(tensor);
	mmrd_error err = {0};
	mmrd_tensor t;
	mmrd_tensor again;
	bool found = false;
	mmrd_status st = mmrd_weights_file_tensor(file, i, &t, &err);

	CHECK(e != NULL, "%s: \"%s\" is not expected", name, tensor);
	if (e == NULL)
		return;
	if (e->n_dims > MMRD_MAX_DIMS)
	{
		CHECK(st == MMRD_UNSUPPORTED, "%s %s: status %d", name, tensor, st);
		return;
	}
	CHECK(st == MMRD_OK, "%s %s: %s", name, tensor, err.message);
	if (st != MMRD_OK)
		return;
	CHECK(strcmp(mmrd_dtype_name(t.dtype), e->dtype) == 0, "%s %s is %s", name,
	      tensor, mmrd_dtype_name(t.dtype));
	CHECK(t.n_dims == e->n_dims, "%s %s has %d dimensions", name, tensor,
	      t.n_dims);
	for (int d = 0; d < t.n_dims; d++)
		CHECK(t.dims[d] == e->dims[d], "%s %s dimension %d is %d", name,
		      tensor, d, (int) t.dims[d]);
	if (t.dtype == MMRD_DTYPE_OTHER)
		check_raw(name, e, &t);
	else
		check_values(name, e, &t);
	CHECK(mmrd_weights_file_lookup(file, tensor, &again, &found, &err) ==
	              MMRD_OK &&
	          found && memcmp(&t, &again, sizeof(t)) == 0,
	      "%s %s is another one by name", name, tensor);
}

static void
check_file(const char *name, int count, const char *kind)
{
	size_t len = 0;
	uint8_t *bytes = read_file(name, &len);
	mmrd_weights_file *file = NULL;
	mmrd_error err = {0};
	mmrd_tensor t;
	bool found = true;

	if (bytes == NULL)
		return;
	CHECK(mmrd_weights_file_open(bytes, len, NULL, &file, &err) == MMRD_OK,
	      "%s: %s %s", name, err.message, err.detail);
	if (file != NULL)
	{
		CHECK(strcmp(mmrd_weights_kind_name(mmrd_weights_file_kind(file)),
		             kind) == 0,
		      "%s is not a %s", name, kind);
		CHECK(mmrd_weights_file_count(file) == count,
		      "%s has %d tensors, expected %d", name,
		      mmrd_weights_file_count(file), count);
		for (int i = 0; i < mmrd_weights_file_count(file); i++)
			check_tensor(name, file, i);
		for (int i = 1; i < mmrd_weights_file_count(file); i++)
			CHECK(strcmp(mmrd_weights_file_name(file, i - 1),
			             mmrd_weights_file_name(file, i)) < 0,
			      "%s: order", name);
		CHECK(mmrd_weights_file_lookup(file, "module.conv.weight", &t, &found,
		                               &err) == MMRD_OK &&
		          !found,
		      "%s kept a prefix", name);
	}
	mmrd_weights_file_free(file);
	free(bytes);
}

static int
check_files(void)
{
	char path[256];
	FILE *f = fopen(golden_path("expected.txt", path, sizeof(path)), "r");
	char line[4096];
	int n = 0;

	CHECK(f != NULL, "%s: run from the repository root", path);
	if (f == NULL)
		return 0;
	while (fgets(line, sizeof(line), f) != NULL)
	{
		char name[64];
		char kind[64];
		int count;

		if (strncmp(line, "tensor ", 7) == 0)
			parse_tensor(line);
		else if (sscanf(line, "file %63s %d %63[^\n]", name, &count, kind) ==
		         3)
		{
			check_file(name, count, kind);
			n++;
		}
		else
			CHECK(0, "expected.txt: %s", line);
	}
	fclose(f);
	return n;
}

static void
check_limits(const char *name, mmrd_weights_limits limits,
             mmrd_status want_open, mmrd_status want_read)
{
	size_t len = 0;
	uint8_t *bytes = read_file(name, &len);
	mmrd_weights_file *file = NULL;
	mmrd_error err = {0};
	mmrd_tensor t;
	bool found = false;

	if (bytes == NULL)
		return;
	CHECK(mmrd_weights_file_open(bytes, len, &limits, &file, &err) ==
	          want_open,
	      "%s with %d tensors, %zu bytes: %s", name, limits.max_tensors,
	      limits.max_bytes, err.message);
	if (file != NULL)
		CHECK(mmrd_weights_file_lookup(file, "view.transposed", &t, &found,
		                               &err) == want_read,
		      "%s with %d tensors, %zu bytes: %s", name, limits.max_tensors,
		      limits.max_bytes, err.message);
	mmrd_weights_file_free(file);
	free(bytes);
}

static void
check_metadata(void)
{
	size_t len = 0;
	uint8_t *bytes = read_file("all.safetensors", &len);
	mmrd_weights_file *file = NULL;
	mmrd_error err = {0};
	const char *note;

	if (bytes == NULL ||
	    mmrd_weights_file_open(bytes, len, NULL, &file, &err) != MMRD_OK)
	{
		CHECK(0, "all.safetensors: %s", err.message);
		free(bytes);
		return;
	}
	note = mmrd_weights_file_metadata(file, "note");
	CHECK(note != NULL && strcmp(note, "a \"quoted\" \xc3\xa4") == 0, "%s",
	      note != NULL ? note : "missing");
	CHECK(mmrd_weights_file_metadata(file, "nothing") == NULL, "a key");
	mmrd_weights_file_free(file);
	free(bytes);
}

int
main(void)
{
	static const char *const names[] = {"all.safetensors", "zip_deflated.pth",
	                                    "legacy_protocol2.pth"};
	const int n = check_files();

	CHECK(n == 13, "%d files", n);
	for (int i = 0; i < 3; i++)
	{
		check_limits(names[i], (mmrd_weights_limits){20, 1 << 20}, MMRD_OK,
		             MMRD_OK);
		check_limits(names[i], (mmrd_weights_limits){19, 1 << 20},
		             MMRD_LIMIT_EXCEEDED, MMRD_OK);
		check_limits(names[i], (mmrd_weights_limits){0, 1 << 20},
		             MMRD_LIMIT_EXCEEDED, MMRD_OK);
		check_limits(names[i], (mmrd_weights_limits){20, 100},
		             MMRD_LIMIT_EXCEEDED, MMRD_OK);
	}
	/* Enough for the names, not for the 80 bytes of numbers. */
	check_limits("legacy_protocol2.pth", (mmrd_weights_limits){20, 600},
	             MMRD_OK, MMRD_LIMIT_EXCEEDED);
	check_metadata();
	mmrd_weights_file_free(NULL);
	return check_result();
}
