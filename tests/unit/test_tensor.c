/*
 * tests/unit/test_tensor.c
 *	  Reading named tensors: every type, any alignment, and refusals that
 *	  name the tensor and the place.
 */
#include "model/base/tensor.h"

#include <math.h>
#include <string.h>

#include "model/base/half.h"
#include "tests/unit/check.h"

enum
{
	N = 6
};

static const float values[N] = {0, -1.5f, 0.0078125f, 3, -256, 1};

/* The values as raw bytes of a type, at an odd address; returns a view. */
static mmrd_tensor
make_tensor(mmrd_dtype dtype, unsigned char *room)
{
	mmrd_tensor t = {dtype, 2, {2, 3}, room + 1, 0};

	t.n_bytes = N * mmrd_dtype_bytes(dtype);
	for (int i = 0; i < N; i++)
	{
		const double wide = values[i];
		const uint16_t f16 = mmrd_f16_from_float(values[i]);
		const uint16_t bf16 = mmrd_bf16_from_float(values[i]);

		if (dtype == MMRD_DTYPE_F32)
			memcpy(room + 1 + 4 * i, &values[i], 4);
		else if (dtype == MMRD_DTYPE_F64)
			memcpy(room + 1 + 8 * i, &wide, 8);
		else if (dtype == MMRD_DTYPE_F16)
			memcpy(room + 1 + 2 * i, &f16, 2);
		else
			memcpy(room + 1 + 2 * i, &bf16, 2);
	}
	return t;
}

static void
test_read(void)
{
	for (int dtype = MMRD_DTYPE_F32; dtype <= MMRD_DTYPE_BF16; dtype++)
	{
		unsigned char room[1 + 8 * N];
		const mmrd_tensor t = make_tensor((mmrd_dtype) dtype, room);
		mmrd_error err = {0};
		float out[N];

		memset(out, 0xff, sizeof(out));
		CHECK(mmrd_tensor_read(&t, "x", out, &err) == MMRD_OK, "%s: %s",
		      mmrd_dtype_name((mmrd_dtype) dtype), err.message);
		for (int i = 0; i < N; i++)
			CHECK(out[i] == values[i], "%s: element %d: got %g, want %g",
			      mmrd_dtype_name((mmrd_dtype) dtype), i, (double) out[i],
			      (double) values[i]);
	}
}

static void
check_refusal(const mmrd_tensor *t, mmrd_status want, const char *detail)
{
	mmrd_error err = {0};
	float out[N];
	const mmrd_status got = mmrd_tensor_read(t, "layer1.weight", out, &err);

	CHECK(got == want && err.status == want, "status %d, want %d", got, want);
	CHECK(strstr(err.message, "\"layer1.weight\"") != NULL,
	      "the message does not name the tensor: %s", err.message);
	CHECK(strstr(err.detail, detail) != NULL, "detail \"%s\" lacks \"%s\"",
	      err.detail, detail);
}

static void
test_refusals(void)
{
	unsigned char room[1 + 8 * N];
	mmrd_tensor t = make_tensor(MMRD_DTYPE_F64, room);
	const double large = 1e39; /* finite here, not in float */
	const float not_finite[] = {NAN, INFINITY, -INFINITY};

	memcpy(room + 1 + 8 * 4, &large, 8);
	check_refusal(&t, MMRD_CORRUPT_DATA, "Element 4 of 6 is inf");
	for (int i = 0; i < 3; i++)
	{
		t = make_tensor(MMRD_DTYPE_F32, room);
		memcpy(room + 1 + 4 * (5 - i), &not_finite[i], 4);
		check_refusal(&t, MMRD_CORRUPT_DATA,
		              i == 0   ? "Element 5 of 6 is"
		              : i == 1 ? "Element 4 of 6 is inf"
		                       : "Element 3 of 6 is -inf");
	}
	t = make_tensor(MMRD_DTYPE_F16, room);
	memcpy(room + 1, "\x00\x7c", 2); /* infinity, little endian */
	check_refusal(&t, MMRD_CORRUPT_DATA, "Element 0 of 6 is inf");
	t = make_tensor(MMRD_DTYPE_F32, room);
	t.n_bytes--;
	check_refusal(&t, MMRD_CORRUPT_DATA, "Expected 24, found 23.");
	t.n_bytes += 2;
	check_refusal(&t, MMRD_CORRUPT_DATA, "Expected 24, found 25.");
	t.dtype = MMRD_DTYPE_OTHER;
	check_refusal(&t, MMRD_UNSUPPORTED, "");
}

static void
test_names(void)
{
	static const struct
	{
		mmrd_dtype dtype;
		size_t bytes;
		const char *name;
	} types[] = {{MMRD_DTYPE_F32, 4, "float32"},
	             {MMRD_DTYPE_F64, 8, "float64"},
	             {MMRD_DTYPE_F16, 2, "float16"},
	             {MMRD_DTYPE_BF16, 2, "bfloat16"},
	             {MMRD_DTYPE_OTHER, 0, "other"}};

	for (int i = 0; i < 5; i++)
		CHECK(mmrd_dtype_bytes(types[i].dtype) == types[i].bytes &&
		          strcmp(mmrd_dtype_name(types[i].dtype), types[i].name) == 0,
		      "%s", types[i].name);
}

static void
test_dims(void)
{
	const int64_t dims[4] = {64, 3, 7, 7};
	const int64_t large[4] = {INT64_MAX, INT64_MIN, INT64_MAX, INT64_MAX};
	mmrd_tensor t = {MMRD_DTYPE_F32, 4, {64, 3, 7, 7}, NULL, 0};
	char buf[100];

	CHECK(strcmp(mmrd_dims_print(4, dims, buf, sizeof(buf)),
	             "(64, 3, 7, 7)") == 0,
	      "%s", buf);
	CHECK(strcmp(mmrd_dims_print(1, dims, buf, sizeof(buf)), "(64)") == 0,
	      "%s", buf);
	CHECK(strcmp(mmrd_dims_print(0, dims, buf, sizeof(buf)), "()") == 0, "%s",
	      buf);
	CHECK(mmrd_tensor_count(&t) == 9408, "count %zu", mmrd_tensor_count(&t));
	t.n_dims = 0;
	CHECK(mmrd_tensor_count(&t) == 1, "a scalar counts %zu",
	      mmrd_tensor_count(&t));
	/* Any buffer ends in a zero, and nothing is written behind it. */
	for (size_t size = 1; size <= 90; size++)
	{
		memset(buf, 'x', sizeof(buf));
		mmrd_dims_print(4, large, buf, size);
		CHECK(memchr(buf, '\0', size) != NULL, "a buffer of %zu", size);
		for (size_t i = size; i < sizeof(buf); i++)
			CHECK(buf[i] == 'x', "a buffer of %zu: byte %zu", size, i);
	}
}

int
main(void)
{
	test_read();
	test_refusals();
	test_names();
	test_dims();
	return check_result();
}
