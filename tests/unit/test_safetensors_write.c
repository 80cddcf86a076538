/*
 * tests/unit/test_safetensors_write.c
 *	  What is written is what was planned, and what is read back.
 */
#include "loader/weights/safetensors_write.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "loader/weights/weights_file.h"
#include "model/base/half.h"
#include "tests/unit/check.h"

static const mmrd_safetensors_tensor tensors[] = {
    {"zeta", MMRD_DTYPE_F32, 1, {3}},
    {"narrow.odd", MMRD_DTYPE_BF16, 2, {3, 1}},
    {"alpha", MMRD_DTYPE_F32, 4, {2, 3, 1, 5}},
    {"scalar", MMRD_DTYPE_F32, 0, {0}},
    {"empty", MMRD_DTYPE_F32, 2, {0, 7}},
    {"mu", MMRD_DTYPE_BF16, 1, {65}},
};
static const char *const order[] = {"alpha", "empty", "scalar",
                                    "zeta",  "mu",    "narrow.odd"};
static const mmrd_json_text texts[] = {
    {"format", "mmrd-model"},
    {"format_version", "1"},
    {"config", "{\"label\": \"quote \\\" and \xc3\xa4\", \"n\": [1, 2]}\n"},
};

enum
{
	N = sizeof(tensors) / sizeof(tensors[0]),
	N_TEXTS = sizeof(texts) / sizeof(texts[0]),
	MOST = 65
};

static size_t
count_of(const mmrd_safetensors_tensor *t)
{
	size_t n = 1;

	for (int d = 0; d < t->n_dims; d++)
		n *= (size_t) t->dims[d];
	return n;
}

static void
fill(int tensor, float *x)
{
	for (size_t k = 0; k < count_of(&tensors[tensor]); k++)
		x[k] = (float) (tensor + 1) * 0.7f - (float) k / 3.0f;
}

static uint8_t *
write_file(size_t *len)
{
	mmrd_safetensors_plan *plan;
	mmrd_error err = {0};
	mmrd_status st =
	    mmrd_safetensors_plan_create(tensors, N, texts, N_TEXTS, &plan, &err);
	uint8_t *file;
	size_t at;

	CHECK(st == MMRD_OK, "plan: %s", err.message);
	if (st != MMRD_OK)
		return NULL;
	*len = mmrd_safetensors_plan_bytes(plan);
	file = malloc(*len);
	memset(file, 0xff, *len);
	mmrd_safetensors_write_front(plan, file);
	at = mmrd_safetensors_front_bytes(plan);
	CHECK(at % 8 == 0, "data begins at %zu", at);
	for (int k = 0; k < N; k++)
	{
		const int i = mmrd_safetensors_plan_order(plan, k);
		float x[MOST];

		CHECK(strcmp(tensors[i].name, order[k]) == 0, "%s comes as number %d",
		      tensors[i].name, k);
		CHECK(mmrd_safetensors_plan_place(plan, i) == at,
		      "%s is not where the one before it ends", tensors[i].name);
		CHECK(mmrd_safetensors_tensor_bytes(plan, i) ==
		          count_of(&tensors[i]) * mmrd_dtype_bytes(tensors[i].dtype),
		      "%s", tensors[i].name);
		fill(i, x);
		CHECK(mmrd_safetensors_write_tensor(plan, i, x, file + at, &err) ==
		          MMRD_OK,
		      "%s: %s", tensors[i].name, err.message);
		at += mmrd_safetensors_tensor_bytes(plan, i);
	}
	CHECK(at == *len, "planned %zu bytes, written %zu", *len, at);
	mmrd_safetensors_plan_free(plan);
	return file;
}

static void
read_back(const uint8_t *bytes, size_t len)
{
	mmrd_weights_file *file = NULL;
	mmrd_error err = {0};

	CHECK(mmrd_weights_file_open(bytes, len, NULL, &file, &err) == MMRD_OK,
	      "%s %s", err.message, err.detail);
	if (file == NULL)
		return;
	CHECK(mmrd_weights_file_count(file) == N, "%d tensors",
	      mmrd_weights_file_count(file));
	for (int i = 0; i < N_TEXTS; i++)
	{
		const char *value = mmrd_weights_file_metadata(file, texts[i].key);

		CHECK(value != NULL && strcmp(value, texts[i].value) == 0, "%s: %s",
		      texts[i].key, value != NULL ? value : "missing");
	}
	CHECK(mmrd_weights_file_metadata(file, "nothing") == NULL, "a key");
	for (int i = 0; i < N; i++)
	{
		float want[MOST];
		float got[MOST];
		mmrd_tensor t;
		bool found = false;

		CHECK(mmrd_weights_file_lookup(file, tensors[i].name, &t, &found,
		                               &err) == MMRD_OK &&
		          found,
		      "%s: %s", tensors[i].name, err.message);
		if (!found)
			continue;
		CHECK(t.dtype == tensors[i].dtype && t.n_dims == tensors[i].n_dims &&
		          memcmp(t.dims, tensors[i].dims, sizeof(t.dims)) == 0,
		      "%s changed its type or shape", tensors[i].name);
		fill(i, want);
		memset(got, 0xff, sizeof(got));
		CHECK(mmrd_tensor_read(&t, tensors[i].name, got, &err) == MMRD_OK,
		      "%s", err.message);
		for (size_t k = 0; k < count_of(&tensors[i]); k++)
		{
			if (t.dtype == MMRD_DTYPE_BF16)
				want[k] = mmrd_bf16_to_float(mmrd_bf16_from_float(want[k]));
			CHECK(got[k] == want[k], "%s at %zu: got %.9g, want %.9g",
			      tensors[i].name, k, (double) got[k], (double) want[k]);
		}
	}
	mmrd_weights_file_free(file);
}

static void
refuse(const char *what, mmrd_safetensors_tensor a, mmrd_safetensors_tensor b,
       const char *text)
{
	const mmrd_safetensors_tensor both[] = {a, b};
	const mmrd_json_text one = {"key", text};
	mmrd_safetensors_plan *plan = NULL;
	mmrd_error err = {0};

	CHECK(mmrd_safetensors_plan_create(both, 2, &one, 1, &plan, &err) ==
	          MMRD_INVALID_ARGUMENT,
	      "%s: status %d", what, err.status);
	CHECK(plan == NULL && err.message[0] != '\0', "%s", what);
	mmrd_safetensors_plan_free(plan);
}

static void
refusals(void)
{
	const mmrd_safetensors_tensor good = {"b", MMRD_DTYPE_F32, 1, {2}};
	mmrd_safetensors_tensor t = good;
	char long_name[MMRD_MAX_TENSOR_NAME + 1];

	memset(long_name, 'x', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = '\0';
	refuse("the same name twice", good, good, "");
	t.name = "";
	refuse("no name", t, good, "");
	t.name = "__metadata__";
	refuse("a reserved name", t, good, "");
	t.name = "\xc3\xa4";
	refuse("a name beyond ASCII", t, good, "");
	t.name = long_name;
	refuse("a long name", t, good, "");
	t.name = "a";
	refuse("a text that is not UTF-8", t, good, "\xff");
	t.dtype = MMRD_DTYPE_F16;
	refuse("float16", t, good, "");
	t.dtype = MMRD_DTYPE_F32;
	t.dims[0] = -1;
	refuse("a negative dimension", t, good, "");
	t.dims[0] = INT64_MAX;
	refuse("too many bytes", t, good, "");
	t.n_dims = MMRD_MAX_DIMS + 1;
	t.dims[0] = 1;
	refuse("five dimensions", t, good, "");
}

static void
not_finite(void)
{
	mmrd_safetensors_plan *plan = NULL;
	mmrd_error err = {0};
	/* The largest float is beyond the largest bfloat16. */
	const float bad[] = {NAN, INFINITY, 3.4028235e38f};
	uint8_t out[2 * MOST];

	CHECK(mmrd_safetensors_plan_create(tensors, N, NULL, 0, &plan, &err) ==
	          MMRD_OK,
	      "%s", err.message);
	for (int b = 0; b < 3; b++)
	{
		float x[MOST] = {0};

		x[64] = bad[b];
		CHECK(mmrd_safetensors_write_tensor(plan, 5, x, out, &err) ==
		          MMRD_INVALID_ARGUMENT,
		      "%g was written", (double) bad[b]);
		CHECK(strstr(err.detail, "Element 64 ") != NULL, "%s", err.detail);
	}
	mmrd_safetensors_plan_free(plan);
}

int
main(void)
{
	size_t len = 0;
	uint8_t *bytes = write_file(&len);

	if (bytes != NULL)
		read_back(bytes, len);
	free(bytes);
	refusals();
	not_finite();
	return check_result();
}
