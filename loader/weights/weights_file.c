/*
 * loader/weights/weights_file.c
 *	  Telling the formats apart, and giving out tensors.
 */
#include "loader/weights/weights_file.h"

#include <stdlib.h>
#include <string.h>

#include "loader/weights/weights_build.h"

const mmrd_weights_limits mmrd_weights_limits_default = {16384,
                                                         (size_t) 1 << 30};

enum
{
	TAR_MAGIC_AT = 257 /* bytes into a tar archive */
};

/*
 * safetensors begins with the length of its header, whose first byte, the
 * ninth, is a brace; in neither of the other two can that byte be a brace,
 * while a length can look like their beginnings.  So it is asked for first.
 */
static mmrd_status
read_any(const uint8_t *bytes, size_t len, mmrd_weights_file *file,
         mmrd_error *err)
{
	if (len >= 9 && bytes[8] == '{')
	{
		file->kind = MMRD_WEIGHTS_SAFETENSORS;
		return mmrd_safetensors_read(bytes, len, file, err);
	}
	if (len >= 4 && bytes[0] == 'P' && bytes[1] == 'K' &&
	    ((bytes[2] == 3 && bytes[3] == 4) || (bytes[2] == 5 && bytes[3] == 6)))
	{
		file->kind = MMRD_WEIGHTS_TORCH_ZIP;
		return mmrd_torch_zip_read(bytes, len, file, err);
	}
	if (len >= 2 && bytes[0] == 0x80)
	{
		file->kind = MMRD_WEIGHTS_TORCH_LEGACY;
		return mmrd_torch_legacy_read(bytes, len, file, err);
	}
	if (len >= TAR_MAGIC_AT + 5 &&
	    memcmp(bytes + TAR_MAGIC_AT, "ustar", 5) == 0)
	{
		mmrd_fail(err, MMRD_UNSUPPORTED,
		          "weights file is a tar archive, as of PyTorch 0.1");
		return mmrd_hint(err, "Load it in PyTorch once and save it again.");
	}
	mmrd_fail(err, MMRD_UNSUPPORTED, "not a weights file of a known format");
	if (len < 9)
		mmrd_detail(err, "It has only %zu bytes.", len);
	else
		mmrd_detail(err, "It begins with %02x %02x %02x %02x.", bytes[0],
		            bytes[1], bytes[2], bytes[3]);
	return mmrd_hint(err, "Weights are read from safetensors files and from "
	                      "PyTorch's .pth files.");
}

mmrd_status
mmrd_weights_file_open(const uint8_t *bytes, size_t len,
                       const mmrd_weights_limits *limits,
                       mmrd_weights_file **out, mmrd_error *err)
{
	mmrd_weights_file *file = calloc(1, sizeof(*file));
	mmrd_status st;

	*out = NULL;
	if (file == NULL)
		return mmrd_fail_memory(err, sizeof(*file));
	file->limits = limits != NULL ? *limits : mmrd_weights_limits_default;
	st = read_any(bytes, len, file, err);
	if (st == MMRD_OK)
		st = mmrd_weights_build_finish(file, err);
	if (st == MMRD_OK)
		*out = file;
	else
		mmrd_weights_file_free(file);
	return st;
}

int
mmrd_weights_file_count(const mmrd_weights_file *file)
{
	return file->n_items;
}

const char *
mmrd_weights_file_name(const mmrd_weights_file *file, int i)
{
	return file->items[i].name;
}

/*
 * Bring the elements of a window with strides into order.  Every element was
 * found to lie inside the blob when the file was opened.
 */
static void
gather(const mmrd_weights_item *item, const uint8_t *from, uint8_t *to)
{
	const size_t size = item->element_bytes;
	int64_t dims[MMRD_MAX_DIMS] = {1, 1, 1, 1};
	int64_t strides[MMRD_MAX_DIMS] = {0};
	const int skip = MMRD_MAX_DIMS - item->n_dims;

	for (int i = 0; i < item->n_dims; i++)
	{
		dims[skip + i] = item->dims[i];
		strides[skip + i] = item->strides[i];
	}
	for (int64_t a = 0; a < dims[0]; a++)
		for (int64_t b = 0; b < dims[1]; b++)
			for (int64_t c = 0; c < dims[2]; c++)
				for (int64_t d = 0; d < dims[3]; d++)
				{
					const int64_t at = a * strides[0] + b * strides[1] +
					                   c * strides[2] + d * strides[3];

					memcpy(to, from + (size_t) at * size, size);
					to += size;
				}
}

mmrd_status
mmrd_weights_file_tensor(mmrd_weights_file *file, int i, mmrd_tensor *out,
                         mmrd_error *err)
{
	mmrd_weights_item *item = &file->items[i];
	mmrd_weights_blob *blob = &file->blobs[item->blob];
	char what[MMRD_MAX_TENSOR_NAME + 16] = "tensor \"";

	memset(out, 0, sizeof(*out));
	strcat(strcat(what, item->name), "\"");
	if (item->n_dims > MMRD_MAX_DIMS)
	{
		mmrd_fail(err, MMRD_UNSUPPORTED, "%s has too many dimensions", what);
		return mmrd_detail(err, "It has %d, at most %d are read.",
		                   item->n_dims, MMRD_MAX_DIMS);
	}
	MMRD_TRY(mmrd_weights_build_ready(file, blob, what, err));
	if (!item->contiguous && item->copy == NULL)
	{
		void *room;

		MMRD_TRY(mmrd_weights_build_allocate(file, item->n_bytes, &room, err));
		gather(item, blob->ready + item->begin, room);
		item->copy = room;
	}
	out->dtype = item->dtype;
	out->n_dims = item->n_dims;
	for (int d = 0; d < item->n_dims; d++)
		out->dims[d] = item->dims[d];
	out->data = item->contiguous ? blob->ready + item->begin : item->copy;
	out->n_bytes = item->n_bytes;
	return MMRD_OK;
}

static int
compare_name(const void *name, const void *item)
{
	return strcmp(name, ((const mmrd_weights_item *) item)->name);
}

mmrd_status
mmrd_weights_file_lookup(void *context, const char *name, mmrd_tensor *out,
                         bool *found, mmrd_error *err)
{
	mmrd_weights_file *file = context;
	const mmrd_weights_item *item = NULL;

	if (file->n_items > 0)
		item = bsearch(name, file->items, (size_t) file->n_items,
		               sizeof(*item), compare_name);
	*found = item != NULL;
	if (item == NULL)
	{
		memset(out, 0, sizeof(*out));
		return MMRD_OK;
	}
	return mmrd_weights_file_tensor(file, (int) (item - file->items), out,
	                                err);
}

const char *
mmrd_weights_file_metadata(const mmrd_weights_file *file, const char *key)
{
	for (int i = 0; i < file->n_pairs; i++)
		if (strcmp(file->pairs[i].key, key) == 0)
			return file->pairs[i].value;
	return NULL;
}

mmrd_weights_kind
mmrd_weights_file_kind(const mmrd_weights_file *file)
{
	return file->kind;
}

const char *
mmrd_weights_kind_name(mmrd_weights_kind kind)
{
	switch (kind)
	{
		case MMRD_WEIGHTS_SAFETENSORS:
			return "safetensors";
		case MMRD_WEIGHTS_TORCH_ZIP:
			return "PyTorch zip archive";
		case MMRD_WEIGHTS_TORCH_LEGACY:
			break;
	}
	return "PyTorch legacy file";
}
