/*
 * loader/weights/torch_state.c
 *	  State dicts: names, shapes, and which part of which storage.
 *
 * A tensor is an offset, sizes and strides into a storage, all counted in
 * elements.  Element (i0, i1, ...) is at offset + i0*s0 + i1*s1 + ..., so the
 * last one that a tensor touches is at offset + sum (size - 1)*stride; strides
 * are never negative in PyTorch.  Rows in order (contiguous) are used where
 * they lie; anything else, such as a transposed or channels-last weight, is
 * brought into order when it is asked for.
 */
#include "loader/weights/torch_state.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "loader/bytes/printable.h"
#include "model/base/checked.h"

enum
{
	MAX_WRAPPERS = 4 /* {"state_dict": {"model": ...}} */
};

static int
by_key(const void *a, const void *b)
{
	const mmrd_torch_storage *x = a;
	const mmrd_torch_storage *y = b;
	const size_t n = x->key_bytes < y->key_bytes ? x->key_bytes : y->key_bytes;
	const int order = memcmp(x->key, y->key, n);

	if (order != 0)
		return order;
	return x->key_bytes < y->key_bytes ? -1 : x->key_bytes > y->key_bytes;
}

static mmrd_status
bad_storage(const mmrd_torch_storage *storage, const char *what,
            mmrd_error *err)
{
	char shown[64];

	mmrd_printable(storage->key, storage->key_bytes, shown, sizeof(shown));
	return mmrd_fail(err, MMRD_CORRUPT_DATA, "storage \"%s\" %s", shown, what);
}

static mmrd_status
read_storage(const mmrd_pickle *pickle, const mmrd_pickle_value *value,
             mmrd_torch_storage *storage, mmrd_error *err)
{
	const mmrd_pickle_value *type = mmrd_pickle_child(pickle, value, 1);
	const mmrd_pickle_value *key = mmrd_pickle_child(pickle, value, 2);
	const mmrd_pickle_value *numel = mmrd_pickle_child(pickle, value, 4);

	storage->key = key->u.text;
	storage->key_bytes = key->n;
	storage->type = mmrd_pickle_storage_type(type->u.integer);
	storage->n_elements = (size_t) numel->u.integer;
	storage->blob = -1;
	if (!mmrd_size_mul(storage->n_elements, storage->type.bytes,
	                   &storage->n_bytes))
	{
		bad_storage(storage, "declares an impossible size", err);
		return mmrd_detail(err, "It has %zu elements of %zu bytes.",
		                   storage->n_elements, storage->type.bytes);
	}
	return MMRD_OK;
}

/* Drop repeated keys of a sorted list. */
static mmrd_status
merge(mmrd_torch_storages *storages, mmrd_error *err)
{
	int kept = 0;

	for (int i = 0; i < storages->n; i++)
	{
		const mmrd_torch_storage *s = &storages->all[i];
		const mmrd_torch_storage *last = &storages->all[kept - (kept > 0)];

		if (kept > 0 && by_key(s, last) == 0)
		{
			if (s->type.dtype != last->type.dtype ||
			    s->type.bytes != last->type.bytes ||
			    s->n_elements != last->n_elements)
				return bad_storage(s, "has two types or sizes", err);
			continue;
		}
		storages->all[kept++] = *s;
	}
	storages->n = kept;
	return MMRD_OK;
}

mmrd_status
mmrd_torch_storages_collect(const mmrd_pickle *pickle, int max_storages,
                            mmrd_torch_storages *storages, mmrd_error *err)
{
	mmrd_status st = MMRD_OK;
	size_t n = 0;

	memset(storages, 0, sizeof(*storages));
	for (uint32_t v = 1; v < pickle->n_values; v++)
		n += mmrd_pickle_at(pickle, v)->kind == MMRD_PICKLE_STORAGE;
	if (n == 0)
		return MMRD_OK;
	storages->all = calloc(n, sizeof(*storages->all));
	if (storages->all == NULL)
		return mmrd_fail_memory(err, (double) n * sizeof(*storages->all));
	for (uint32_t v = 1; v < pickle->n_values && st == MMRD_OK; v++)
		if (mmrd_pickle_at(pickle, v)->kind == MMRD_PICKLE_STORAGE)
			st = read_storage(pickle, mmrd_pickle_at(pickle, v),
			                  &storages->all[storages->n++], err);
	if (st == MMRD_OK)
	{
		qsort(storages->all, n, sizeof(*storages->all), by_key);
		st = merge(storages, err);
	}
	if (st == MMRD_OK && storages->n > max_storages)
	{
		mmrd_fail(err, MMRD_LIMIT_EXCEEDED,
		          "weights file holds too many tensors");
		st = mmrd_detail(err, "It has %d storages, %d are allowed.",
		                 storages->n, max_storages);
	}
	if (st != MMRD_OK)
		mmrd_torch_storages_clear(storages);
	return st;
}

void
mmrd_torch_storages_clear(mmrd_torch_storages *storages)
{
	free(storages->all);
	memset(storages, 0, sizeof(*storages));
}

mmrd_torch_storage *
mmrd_torch_storages_find(mmrd_torch_storages *storages, const uint8_t *key,
                         size_t key_bytes)
{
	mmrd_torch_storage wanted = {0};

	wanted.key = key;
	wanted.key_bytes = key_bytes;
	if (storages->n == 0)
		return NULL;
	return bsearch(&wanted, storages->all, (size_t) storages->n,
	               sizeof(*storages->all), by_key);
}

/* What a tensor's sizes and strides come to, in elements. */
typedef struct extent
{
	size_t count;    /* elements of the tensor */
	size_t span;     /* from its first to behind its last; 0 if it is empty */
	bool contiguous; /* in order, without gaps */
} extent;

/* False when a number is negative or too large. */
static bool
measure(const mmrd_pickle *pickle, const mmrd_pickle_value *sizes,
        const mmrd_pickle_value *strides, mmrd_weights_item *item,
        extent *extent)
{
	uint32_t size_cell = sizes->u.children.first;
	uint32_t stride_cell = strides->u.children.first;
	int64_t size[MMRD_TORCH_MAX_DIMS] = {0};
	int64_t stride[MMRD_TORCH_MAX_DIMS] = {0};
	size_t expected = 1;
	size_t last = 0;

	item->n_dims = (int) sizes->n;
	for (uint32_t i = 0; i < sizes->n; i++)
	{
		size_t reach;

		size[i] = mmrd_pickle_next(pickle, &size_cell)->u.integer;
		stride[i] = mmrd_pickle_next(pickle, &stride_cell)->u.integer;
		if (size[i] < 0 || stride[i] < 0)
			return false;
		if (i < MMRD_MAX_DIMS)
		{
			item->dims[i] = size[i];
			item->strides[i] = stride[i];
		}
		if (size[i] > 0 && (!mmrd_size_mul((size_t) size[i] - 1,
		                                   (size_t) stride[i], &reach) ||
		                    !mmrd_size_add(last, reach, &last)))
			return false;
	}
	extent->contiguous = true;
	extent->count = 1;
	for (uint32_t i = sizes->n; i-- > 0;)
	{
		if (size[i] != 1 && (size_t) stride[i] != expected)
			extent->contiguous = false;
		if (!mmrd_size_mul(extent->count, (size_t) size[i], &extent->count))
			return false;
		expected = extent->count;
	}
	if (extent->count == 0)
		extent->contiguous = true;
	extent->span = extent->count == 0 ? 0 : last + 1;
	return true;
}

static mmrd_status
list_tensor(const mmrd_pickle *pickle, mmrd_torch_storages *storages,
            const mmrd_pickle_value *name, const mmrd_pickle_value *tensor,
            mmrd_weights_file *file, mmrd_error *err)
{
	const mmrd_pickle_value *key =
	    mmrd_pickle_child(pickle, mmrd_pickle_child(pickle, tensor, 0), 2);
	const int64_t offset = mmrd_pickle_child(pickle, tensor, 1)->u.integer;
	const mmrd_torch_storage *storage =
	    mmrd_torch_storages_find(storages, key->u.text, key->n);
	mmrd_weights_item item = {0};
	extent extent;
	char shown[64];

	mmrd_printable(name->u.text, name->n, shown, sizeof(shown));
	if (!measure(pickle, mmrd_pickle_child(pickle, tensor, 2),
	             mmrd_pickle_child(pickle, tensor, 3), &item, &extent) ||
	    !mmrd_size_mul(extent.count, storage->type.bytes, &item.n_bytes))
		return mmrd_fail(err, MMRD_CORRUPT_DATA,
		                 "tensor \"%s\" has an impossible shape", shown);
	if (offset < 0 || (uint64_t) offset > storage->n_elements ||
	    extent.span > storage->n_elements - (size_t) offset)
	{
		mmrd_fail(err, MMRD_CORRUPT_DATA,
		          "tensor \"%s\" reaches outside of its storage", shown);
		return mmrd_detail(err,
		                   "It spans %zu elements from %" PRId64
		                   ", the storage has %zu.",
		                   extent.span, offset, storage->n_elements);
	}
	item.dtype = storage->type.dtype;
	item.contiguous = extent.contiguous;
	item.element_bytes = storage->type.bytes;
	item.blob = storage->blob;
	item.begin = (size_t) offset * storage->type.bytes;
	return mmrd_weights_build_item(file, &item, (const char *) name->u.text,
	                               name->n, err);
}

/* The dictionary that holds the tensors, inside what was saved. */
static const mmrd_pickle_value *
unwrap(const mmrd_pickle *pickle)
{
	static const char *const wrappers[] = {"state_dict", "model"};
	const mmrd_pickle_value *dict = mmrd_pickle_at(pickle, pickle->root);

	for (int depth = 0; depth < MAX_WRAPPERS; depth++)
	{
		const mmrd_pickle_value *inner = NULL;

		if (dict->kind != MMRD_PICKLE_DICT)
			break;
		for (int i = 0; i < 2 && inner == NULL; i++)
		{
			inner = mmrd_pickle_get(pickle, dict, wrappers[i]);
			if (inner != NULL && inner->kind != MMRD_PICKLE_DICT)
				inner = NULL;
		}
		if (inner == NULL)
			break;
		dict = inner;
	}
	return dict;
}

mmrd_status
mmrd_torch_state_list(const mmrd_pickle *pickle, mmrd_torch_storages *storages,
                      mmrd_weights_file *file, mmrd_error *err)
{
	const mmrd_pickle_value *dict = unwrap(pickle);
	const mmrd_pickle_value *name;
	const mmrd_pickle_value *value;
	uint32_t cell = dict->u.children.first;

	if (dict->kind != MMRD_PICKLE_DICT)
		cell = 0;
	while ((name = mmrd_pickle_next(pickle, &cell)) != NULL)
	{
		value = mmrd_pickle_next(pickle, &cell);
		if (value->kind != MMRD_PICKLE_TENSOR)
			continue;
		if (name->kind != MMRD_PICKLE_TEXT)
			return mmrd_fail(err, MMRD_UNSUPPORTED,
			                 "a tensor's name is not a text");
		MMRD_TRY(list_tensor(pickle, storages, name, value, file, err));
	}
	if (file->n_items == 0)
	{
		mmrd_fail(err, MMRD_UNSUPPORTED,
		          "weights file holds no dictionary of tensors");
		return mmrd_hint(err, "Tensors are read from the outermost "
		                      "dictionary, or from one under \"state_dict\" "
		                      "or \"model\".");
	}
	return MMRD_OK;
}
