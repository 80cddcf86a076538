/*
 * model/base/tensor.c
 *	  Reading the numbers of a named tensor.
 */
#include "model/base/tensor.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "model/base/half.h"

size_t
mmrd_dtype_bytes(mmrd_dtype dtype)
{
	switch (dtype)
	{
		case MMRD_DTYPE_F32:
			return 4;
		case MMRD_DTYPE_F64:
			return 8;
		case MMRD_DTYPE_F16:
		case MMRD_DTYPE_BF16:
			return 2;
		case MMRD_DTYPE_OTHER:
			break;
	}
	return 0;
}

const char *
mmrd_dtype_name(mmrd_dtype dtype)
{
	switch (dtype)
	{
		case MMRD_DTYPE_F32:
			return "float32";
		case MMRD_DTYPE_F64:
			return "float64";
		case MMRD_DTYPE_F16:
			return "float16";
		case MMRD_DTYPE_BF16:
			return "bfloat16";
		case MMRD_DTYPE_OTHER:
			break;
	}
	return "other";
}

const char *
mmrd_dims_print(int n_dims, const int64_t *dims, char *buf, size_t buf_bytes)
{
	size_t at = 0;

	if (buf_bytes == 0)
		return buf;
	buf[0] = '\0';
	for (int i = 0; i <= n_dims; i++)
	{
		int n;

		if (i == n_dims)
			n = snprintf(buf + at, buf_bytes - at, i == 0 ? "()" : ")");
		else
			n = snprintf(buf + at, buf_bytes - at, "%s%" PRId64,
			             i == 0 ? "(" : ", ", dims[i]);
		if (n < 0 || (size_t) n >= buf_bytes - at)
			break;
		at += (size_t) n;
	}
	return buf;
}

size_t
mmrd_tensor_count(const mmrd_tensor *tensor)
{
	size_t count = 1;

	for (int i = 0; i < tensor->n_dims; i++)
		count *= (size_t) tensor->dims[i];
	return count;
}

static float
element(const mmrd_tensor *tensor, size_t i)
{
	const unsigned char *p = tensor->data;
	uint16_t narrow;
	float single;
	double wide;

	switch (tensor->dtype)
	{
		case MMRD_DTYPE_F32:
			memcpy(&single, p + 4 * i, sizeof(single));
			return single;
		case MMRD_DTYPE_F64:
			memcpy(&wide, p + 8 * i, sizeof(wide));
			return (float) wide;
		case MMRD_DTYPE_F16:
			memcpy(&narrow, p + 2 * i, sizeof(narrow));
			return mmrd_f16_to_float(narrow);
		case MMRD_DTYPE_BF16:
			memcpy(&narrow, p + 2 * i, sizeof(narrow));
			return mmrd_bf16_to_float(narrow);
		case MMRD_DTYPE_OTHER:
			break;
	}
	return NAN;
}

/* The common case, float32 without a bad value, in one go; else false. */
static bool
copy_finite(const mmrd_tensor *tensor, size_t count, float *out)
{
	int bad = 0;

	if (tensor->dtype != MMRD_DTYPE_F32 || sizeof(float) != 4)
		return false;
	memcpy(out, tensor->data, tensor->n_bytes);
	for (size_t i = 0; i < count; i++)
		bad |= !(fabsf(out[i]) <= FLT_MAX);
	return !bad;
}

mmrd_status
mmrd_tensor_read(const mmrd_tensor *tensor, const char *name, float *out,
                 mmrd_error *err)
{
	const size_t count = mmrd_tensor_count(tensor);

	if (tensor->dtype == MMRD_DTYPE_OTHER)
	{
		mmrd_fail(err, MMRD_UNSUPPORTED,
		          "tensor \"%s\" does not hold floating-point numbers", name);
		return mmrd_hint(err, "Weights are float32, float64, float16 or "
		                      "bfloat16.");
	}
	if (tensor->n_bytes != count * mmrd_dtype_bytes(tensor->dtype))
	{
		mmrd_fail(err, MMRD_CORRUPT_DATA,
		          "tensor \"%s\" has the wrong number of bytes", name);
		return mmrd_detail(err, "Expected %zu, found %zu.",
		                   count * mmrd_dtype_bytes(tensor->dtype),
		                   tensor->n_bytes);
	}
	if (copy_finite(tensor, count, out))
		return MMRD_OK;
	for (size_t i = 0; i < count; i++)
	{
		out[i] = element(tensor, i);
		if (!isfinite(out[i]))
		{
			mmrd_fail(err, MMRD_CORRUPT_DATA,
			          "tensor \"%s\" holds a value that is not finite", name);
			return mmrd_detail(err, "Element %zu of %zu is %g.", i, count,
			                   (double) out[i]);
		}
	}
	return MMRD_OK;
}
