/*
 * loader/weights/safetensors_write.c
 *	  The layout of a safetensors file, and its numbers.
 *
 * The front is the length of the header, the header, and spaces up to a
 * multiple of 8 bytes, which count as header; so the data begins aligned for
 * every type.
 */
#include "loader/weights/safetensors_write.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "loader/bytes/printable.h"
#include "model/base/checked.h"
#include "model/base/half.h"

enum
{
	LENGTH_BYTES = 8,
	MAX_HEADER_BYTES = 16 << 20 /* what safetensors.c accepts */
};

/* One tensor of the plan; the plan's array is in the order of the file. */
typedef struct planned
{
	char name[MMRD_MAX_TENSOR_NAME];
	mmrd_dtype dtype;
	int n_dims;
	int64_t dims[MMRD_MAX_DIMS];
	int index; /* the caller's */
	size_t count;
	size_t n_bytes;
	size_t begin; /* from the end of the front */
} planned;

struct mmrd_safetensors_plan
{
	int n;
	planned *tensors;
	int *order; /* the caller's number -> place in tensors */
	uint8_t *front;
	size_t front_bytes;
	size_t data_bytes;
};

static mmrd_status
plan_tensor(const mmrd_safetensors_tensor *tensor, int index, planned *out,
            mmrd_error *err)
{
	const size_t n = strlen(tensor->name);
	char shown[64];
	bool possible = tensor->n_dims >= 0 && tensor->n_dims <= MMRD_MAX_DIMS;

	mmrd_printable(tensor->name, n, shown, sizeof(shown));
	if (n == 0 || n >= MMRD_MAX_TENSOR_NAME ||
	    !mmrd_is_printable(tensor->name, n) ||
	    strcmp(tensor->name, "__metadata__") == 0)
		return mmrd_fail(err, MMRD_INVALID_ARGUMENT,
		                 "\"%s\" cannot be the name of a tensor", shown);
	if (tensor->dtype != MMRD_DTYPE_F32 && tensor->dtype != MMRD_DTYPE_BF16)
		return mmrd_fail(err, MMRD_INVALID_ARGUMENT,
		                 "tensor \"%s\" cannot be written as %s", shown,
		                 mmrd_dtype_name(tensor->dtype));
	out->count = 1;
	for (int i = 0; possible && i < tensor->n_dims; i++)
	{
		possible =
		    tensor->dims[i] >= 0 &&
		    mmrd_size_mul(out->count, (size_t) tensor->dims[i], &out->count);
		out->dims[i] = tensor->dims[i];
	}
	if (!possible ||
	    !mmrd_size_mul(out->count, mmrd_dtype_bytes(tensor->dtype),
	                   &out->n_bytes))
		return mmrd_fail(err, MMRD_INVALID_ARGUMENT,
		                 "tensor \"%s\" has an impossible shape", shown);
	memcpy(out->name, tensor->name, n + 1);
	out->dtype = tensor->dtype;
	out->n_dims = tensor->n_dims;
	out->index = index;
	return MMRD_OK;
}

static int
by_layout(const void *a, const void *b)
{
	const planned *x = a;
	const planned *y = b;

	if (x->dtype != y->dtype)
		return x->dtype == MMRD_DTYPE_F32 ? -1 : 1;
	return strcmp(x->name, y->name);
}

/* Length, header and padding, from the tensors laid out. */
static mmrd_status
build_front(mmrd_safetensors_plan *plan, const mmrd_json_text *texts,
            int n_texts, mmrd_error *err)
{
	mmrd_json_tensor *headers = calloc((size_t) plan->n + 1, sizeof(*headers));
	mmrd_status st = MMRD_OK;
	char *json = NULL;
	size_t len;

	if (headers == NULL)
		return mmrd_fail_memory(err, (double) plan->n * sizeof(*headers));
	for (int k = 0; k < plan->n; k++)
	{
		const planned *t = &plan->tensors[k];

		headers[k].name = t->name;
		headers[k].dtype = t->dtype == MMRD_DTYPE_F32 ? "F32" : "BF16";
		headers[k].n_dims = t->n_dims;
		memcpy(headers[k].dims, t->dims, sizeof(t->dims));
		headers[k].begin = t->begin;
		headers[k].end = t->begin + t->n_bytes;
	}
	st = mmrd_json_header_build(headers, plan->n, texts, n_texts, &json, &len,
	                            err);
	if (st != MMRD_OK)
		goto done;
	if (len > MAX_HEADER_BYTES - 8)
	{
		mmrd_fail(err, MMRD_LIMIT_EXCEEDED,
		          "safetensors header becomes too large");
		st = mmrd_detail(err, "It has %zu bytes, %d are allowed.", len,
		                 MAX_HEADER_BYTES);
		goto done;
	}
	plan->front_bytes = (LENGTH_BYTES + len + 7) / 8 * 8;
	plan->front = malloc(plan->front_bytes);
	if (plan->front == NULL)
	{
		st = mmrd_fail_memory(err, (double) plan->front_bytes);
		goto done;
	}
	memset(plan->front, ' ', plan->front_bytes);
	for (int i = 0; i < LENGTH_BYTES; i++)
		plan->front[i] =
		    (uint8_t) ((uint64_t) (plan->front_bytes - LENGTH_BYTES) >>
		               (8 * i));
	memcpy(plan->front + LENGTH_BYTES, json, len);

done:
	free(json);
	free(headers);
	return st;
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(((const planned *) a)->name, ((const planned *) b)->name);
}

/* Sort the tensors and give each its place. */
static mmrd_status
lay_out(mmrd_safetensors_plan *plan, mmrd_error *err)
{
	if (plan->n > 0)
		qsort(plan->tensors, (size_t) plan->n, sizeof(planned), by_name);
	for (int k = 1; k < plan->n; k++)
		if (by_name(&plan->tensors[k - 1], &plan->tensors[k]) == 0)
			return mmrd_fail(err, MMRD_INVALID_ARGUMENT,
			                 "tensor \"%s\" is to be written twice",
			                 plan->tensors[k].name);
	if (plan->n > 0)
		qsort(plan->tensors, (size_t) plan->n, sizeof(planned), by_layout);
	for (int k = 0; k < plan->n; k++)
	{
		planned *t = &plan->tensors[k];

		t->begin = plan->data_bytes;
		plan->order[t->index] = k;
		if (!mmrd_size_add(plan->data_bytes, t->n_bytes, &plan->data_bytes) ||
		    plan->data_bytes > SIZE_MAX / 4)
			return mmrd_fail(err, MMRD_INVALID_ARGUMENT,
			                 "safetensors file becomes too large");
	}
	return MMRD_OK;
}

mmrd_status
mmrd_safetensors_plan_create(const mmrd_safetensors_tensor *tensors, int n,
                             const mmrd_json_text *texts, int n_texts,
                             mmrd_safetensors_plan **out, mmrd_error *err)
{
	mmrd_safetensors_plan *plan = calloc(1, sizeof(*plan));
	mmrd_status st = MMRD_OK;

	*out = NULL;
	if (plan == NULL)
		return mmrd_fail_memory(err, sizeof(*plan));
	plan->n = n;
	plan->tensors = calloc((size_t) n + 1, sizeof(planned));
	plan->order = calloc((size_t) n + 1, sizeof(int));
	if (plan->tensors == NULL || plan->order == NULL)
	{
		mmrd_fail_memory(err, ((double) n + 1) * sizeof(planned));
		st = MMRD_NO_MEMORY;
	}
	for (int i = 0; i < n && st == MMRD_OK; i++)
		st = plan_tensor(&tensors[i], i, &plan->tensors[i], err);
	if (st == MMRD_OK)
		st = lay_out(plan, err);
	if (st == MMRD_OK)
		st = build_front(plan, texts, n_texts, err);
	if (st == MMRD_OK)
		*out = plan;
	else
		mmrd_safetensors_plan_free(plan);
	return st;
}

void
mmrd_safetensors_plan_free(mmrd_safetensors_plan *plan)
{
	if (plan == NULL)
		return;
	free(plan->tensors);
	free(plan->order);
	free(plan->front);
	free(plan);
}

size_t
mmrd_safetensors_plan_bytes(const mmrd_safetensors_plan *plan)
{
	return plan->front_bytes + plan->data_bytes;
}

size_t
mmrd_safetensors_front_bytes(const mmrd_safetensors_plan *plan)
{
	return plan->front_bytes;
}

int
mmrd_safetensors_plan_order(const mmrd_safetensors_plan *plan, int k)
{
	return plan->tensors[k].index;
}

size_t
mmrd_safetensors_plan_place(const mmrd_safetensors_plan *plan, int i)
{
	return plan->front_bytes + plan->tensors[plan->order[i]].begin;
}

size_t
mmrd_safetensors_tensor_bytes(const mmrd_safetensors_plan *plan, int i)
{
	return plan->tensors[plan->order[i]].n_bytes;
}

void
mmrd_safetensors_write_front(const mmrd_safetensors_plan *plan, uint8_t *out)
{
	memcpy(out, plan->front, plan->front_bytes);
}

mmrd_status
mmrd_safetensors_write_tensor(const mmrd_safetensors_plan *plan, int i,
                              const float *values, uint8_t *out,
                              mmrd_error *err)
{
	const planned *t = &plan->tensors[plan->order[i]];

	for (size_t k = 0; k < t->count; k++)
	{
		float value = values[k];

		if (t->dtype == MMRD_DTYPE_BF16)
		{
			const uint16_t narrow = mmrd_bf16_from_float(value);

			value = mmrd_bf16_to_float(narrow);
			memcpy(out + 2 * k, &narrow, sizeof(narrow));
		}
		else
			memcpy(out + 4 * k, &value, sizeof(value));
		if (!isfinite(value))
		{
			mmrd_fail(err, MMRD_INVALID_ARGUMENT,
			          "tensor \"%s\" holds a value that is not finite",
			          t->name);
			return mmrd_detail(err, "Element %zu of %zu is %g.", k, t->count,
			                   (double) values[k]);
		}
	}
	return MMRD_OK;
}
