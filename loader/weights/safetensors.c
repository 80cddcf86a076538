/*
 * loader/weights/safetensors.c
 *	  Reading safetensors files.
 *
 * A file is an 8-byte little-endian length, a JSON object of that length, and
 * the data.  The object gives each tensor its type, its shape and a range of
 * the data.  The ranges must cover the data completely, without overlap and
 * without holes: sorted by their begin, each starts where the last one ended,
 * and the last one ends with the file.
 */
#include "loader/weights/weights_build.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "loader/bytes/printable.h"
#include "loader/weights/json_header.h"
#include "model/base/checked.h"

enum
{
	LENGTH_BYTES = 8,
	MAX_HEADER_BYTES = 16 << 20
};

static const struct
{
	const char *name;
	mmrd_dtype dtype;
	unsigned bits; /* of one element */
} dtypes[] = {
    {"F32", MMRD_DTYPE_F32, 32},      {"F64", MMRD_DTYPE_F64, 64},
    {"F16", MMRD_DTYPE_F16, 16},      {"BF16", MMRD_DTYPE_BF16, 16},
    {"I64", MMRD_DTYPE_OTHER, 64},    {"U64", MMRD_DTYPE_OTHER, 64},
    {"I32", MMRD_DTYPE_OTHER, 32},    {"U32", MMRD_DTYPE_OTHER, 32},
    {"I16", MMRD_DTYPE_OTHER, 16},    {"U16", MMRD_DTYPE_OTHER, 16},
    {"I8", MMRD_DTYPE_OTHER, 8},      {"U8", MMRD_DTYPE_OTHER, 8},
    {"BOOL", MMRD_DTYPE_OTHER, 8},    {"C64", MMRD_DTYPE_OTHER, 64},
    {"F8_E5M2", MMRD_DTYPE_OTHER, 8}, {"F8_E4M3", MMRD_DTYPE_OTHER, 8},
    {"F8_E8M0", MMRD_DTYPE_OTHER, 8}, {"F6_E2M3", MMRD_DTYPE_OTHER, 6},
    {"F6_E3M2", MMRD_DTYPE_OTHER, 6}, {"F4", MMRD_DTYPE_OTHER, 4},
};

/* What the visitor of the header needs. */
typedef struct reading
{
	mmrd_weights_file *file;
	size_t data_bytes;
	int blob; /* the whole data */
} reading;

static mmrd_status
declared_bytes(const mmrd_json_tensor *tensor, mmrd_dtype *dtype,
               size_t *n_bytes, mmrd_error *err)
{
	char shown[64];
	size_t n_bits;
	size_t i = 0;
	const size_t n = sizeof(dtypes) / sizeof(dtypes[0]);

	while (i < n && strcmp(dtypes[i].name, tensor->dtype) != 0)
		i++;
	if (i == n)
		return mmrd_fail(err, MMRD_UNSUPPORTED,
		                 "safetensors type \"%s\" is not known",
		                 mmrd_printable(tensor->dtype, strlen(tensor->dtype),
		                                shown, sizeof(shown)));
	*dtype = dtypes[i].dtype;
	if (!mmrd_size_mul(tensor->count, dtypes[i].bits, &n_bits) ||
	    n_bits % 8 != 0)
	{
		mmrd_fail(err, MMRD_CORRUPT_DATA,
		          "tensor \"%s\" has an impossible size",
		          mmrd_printable(tensor->name, strlen(tensor->name), shown,
		                         sizeof(shown)));
		return mmrd_detail(err, "It has %zu elements of %u bits.",
		                   tensor->count, dtypes[i].bits);
	}
	*n_bytes = n_bits / 8;
	return MMRD_OK;
}

static mmrd_status
list_tensor(void *context, const mmrd_json_tensor *tensor, mmrd_error *err)
{
	reading *r = context;
	mmrd_weights_item item = {0};
	char shown[64];

	mmrd_printable(tensor->name, strlen(tensor->name), shown, sizeof(shown));
	MMRD_TRY(declared_bytes(tensor, &item.dtype, &item.n_bytes, err));
	if (tensor->begin > tensor->end || tensor->end > r->data_bytes)
	{
		mmrd_fail(err, MMRD_CORRUPT_DATA,
		          "tensor \"%s\" lies outside of the file", shown);
		return mmrd_detail(
		    err, "Its data is [%" PRIu64 ", %" PRIu64 "), %zu bytes exist.",
		    tensor->begin, tensor->end, r->data_bytes);
	}
	if (tensor->end - tensor->begin != item.n_bytes)
	{
		mmrd_fail(err, MMRD_CORRUPT_DATA,
		          "tensor \"%s\" has the wrong number of bytes", shown);
		return mmrd_detail(
		    err, "Its shape and type make %zu, its offsets %" PRIu64 ".",
		    item.n_bytes, tensor->end - tensor->begin);
	}
	item.n_dims = tensor->n_dims;
	memcpy(item.dims, tensor->dims, sizeof(item.dims));
	item.contiguous = true;
	item.blob = r->blob;
	item.begin = (size_t) tensor->begin;
	return mmrd_weights_build_item(r->file, &item, tensor->name,
	                               strlen(tensor->name), err);
}

static mmrd_status
list_metadata(void *context, const char *key, const char *value,
              mmrd_error *err)
{
	reading *r = context;

	return mmrd_weights_build_metadata(r->file, key, value, err);
}

static int
by_place(const void *a, const void *b)
{
	const mmrd_weights_item *x = a;
	const mmrd_weights_item *y = b;

	if (x->begin != y->begin)
		return x->begin < y->begin ? -1 : 1;
	if (x->n_bytes != y->n_bytes) /* empty ones come before their neighbour */
		return x->n_bytes < y->n_bytes ? -1 : 1;
	return 0;
}

static mmrd_status
check_cover(mmrd_weights_file *file, size_t data_bytes, mmrd_error *err)
{
	size_t at = 0;

	if (file->n_items > 0)
		qsort(file->items, (size_t) file->n_items, sizeof(*file->items),
		      by_place);
	for (int i = 0; i < file->n_items; i++)
	{
		const mmrd_weights_item *item = &file->items[i];

		if (item->begin != at)
		{
			mmrd_fail(err, MMRD_CORRUPT_DATA, "tensor \"%s\" %s", item->name,
			          item->begin < at ? "overlaps another one"
			                           : "follows a hole in the data");
			return mmrd_detail(err, "It begins at %zu, expected %zu.",
			                   item->begin, at);
		}
		at += item->n_bytes;
	}
	if (at != data_bytes)
	{
		mmrd_fail(err, MMRD_CORRUPT_DATA,
		          "safetensors file holds bytes that belong to no tensor");
		return mmrd_detail(err, "The tensors end at %zu, the data at %zu.", at,
		                   data_bytes);
	}
	return MMRD_OK;
}

mmrd_status
mmrd_safetensors_read(const uint8_t *bytes, size_t len,
                      mmrd_weights_file *file, mmrd_error *err)
{
	reading r = {file, 0, 0};
	const mmrd_json_visitor visitor = {&r, list_tensor, list_metadata};
	mmrd_weights_blob blob = {0};
	uint64_t declared = 0;

	if (len < LENGTH_BYTES)
		return mmrd_fail(err, MMRD_CORRUPT_DATA,
		                 "safetensors file is too short for its header");
	for (int i = LENGTH_BYTES - 1; i >= 0; i--)
		declared = declared << 8 | bytes[i];
	if (declared > MAX_HEADER_BYTES)
	{
		mmrd_fail(err, MMRD_LIMIT_EXCEEDED, "safetensors header is too large");
		return mmrd_detail(err,
		                   "It declares %" PRIu64 " bytes, %d are allowed.",
		                   declared, MAX_HEADER_BYTES);
	}
	if (declared > len - LENGTH_BYTES)
	{
		mmrd_fail(err, MMRD_CORRUPT_DATA, "safetensors header is truncated");
		return mmrd_detail(err, "It declares %" PRIu64 " bytes, %zu remain.",
		                   declared, len - LENGTH_BYTES);
	}
	if (declared == 0 || bytes[LENGTH_BYTES] != '{')
		return mmrd_fail(err, MMRD_CORRUPT_DATA,
		                 "safetensors header does not start with \"{\"");
	r.data_bytes = len - LENGTH_BYTES - (size_t) declared;
	blob.stored = bytes + LENGTH_BYTES + declared;
	blob.stored_bytes = r.data_bytes;
	blob.n_bytes = r.data_bytes;
	MMRD_TRY(mmrd_weights_build_blob(file, &blob, &r.blob, err));
	MMRD_TRY(mmrd_json_header_parse((const char *) bytes + LENGTH_BYTES,
	                                (size_t) declared, &visitor, err));
	return check_cover(file, r.data_bytes, err);
}
