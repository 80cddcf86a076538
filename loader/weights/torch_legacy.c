/*
 * loader/weights/torch_legacy.c
 *	  Reading what torch.save() wrote before PyTorch 1.6, and still writes on
 *	  request.
 *
 * Five pickles, one after the other: a magic number; the protocol version,
 * 1001; a dictionary about the machine, of which only little_endian matters;
 * the saved object; the list of storage keys.  Then, for each key in the
 * order of that list, the number of elements (8 bytes, little endian) and the
 * elements.
 */
#include "loader/weights/weights_build.h"

#include <inttypes.h>
#include <string.h>

#include "loader/bytes/printable.h"
#include "loader/weights/torch_state.h"

enum
{
	PROTOCOL_VERSION = 1001
};

/* 0x1950a86a20f9469cfc6c, little endian, as a LONG1 holds it. */
static const uint8_t magic[] = {0x6c, 0xfc, 0x9c, 0x46, 0xf9,
                                0x20, 0x6a, 0xa8, 0x50, 0x19};

/* The file while it is being read, from the front. */
typedef struct reading
{
	const uint8_t *bytes;
	size_t len;
	size_t at;
	mmrd_weights_file *file;
} reading;

static mmrd_status
next_pickle(reading *r, mmrd_pickle *pickle, mmrd_error *err)
{
	size_t used = 0;

	MMRD_TRY(mmrd_pickle_parse(pickle, r->bytes + r->at, r->len - r->at, &used,
	                           err));
	r->at += used;
	return MMRD_OK;
}

static mmrd_status
check_magic(const mmrd_pickle *pickle, mmrd_error *err)
{
	const mmrd_pickle_value *value = mmrd_pickle_at(pickle, pickle->root);

	if (value->kind == MMRD_PICKLE_BIG && value->n == sizeof(magic) &&
	    memcmp(value->u.text, magic, sizeof(magic)) == 0)
		return MMRD_OK;
	mmrd_fail(err, MMRD_UNSUPPORTED, "pickle was not written by PyTorch");
	return mmrd_hint(err, "Weights are read from safetensors files and from "
	                      "PyTorch's .pth files.");
}

static mmrd_status
check_protocol(const mmrd_pickle *pickle, mmrd_error *err)
{
	const mmrd_pickle_value *value = mmrd_pickle_at(pickle, pickle->root);

	if (value->kind == MMRD_PICKLE_INT && value->u.integer == PROTOCOL_VERSION)
		return MMRD_OK;
	mmrd_fail(err, MMRD_UNSUPPORTED,
	          "PyTorch file is of an unknown protocol version");
	if (value->kind == MMRD_PICKLE_INT)
		mmrd_detail(err, "It is %" PRId64 ", %d is read.", value->u.integer,
		            PROTOCOL_VERSION);
	return err->status;
}

static mmrd_status
check_machine(const mmrd_pickle *pickle, mmrd_error *err)
{
	const mmrd_pickle_value *value = mmrd_pickle_at(pickle, pickle->root);
	const mmrd_pickle_value *little = NULL;

	if (value->kind == MMRD_PICKLE_DICT)
		little = mmrd_pickle_get(pickle, value, "little_endian");
	if (little == NULL || little->kind != MMRD_PICKLE_BOOL)
		return mmrd_fail(err, MMRD_CORRUPT_DATA,
		                 "PyTorch file does not state its byte order");
	if (little->u.integer == 0)
		return mmrd_fail(err, MMRD_UNSUPPORTED,
		                 "weights file is not little endian");
	return MMRD_OK;
}

/* One small pickle that is only looked at. */
static mmrd_status
check_pickle(reading *r,
             mmrd_status (*check)(const mmrd_pickle *pickle, mmrd_error *err),
             mmrd_error *err)
{
	mmrd_pickle pickle;
	mmrd_status st;

	MMRD_TRY(next_pickle(r, &pickle, err));
	st = check(&pickle, err);
	mmrd_pickle_clear(&pickle);
	return st;
}

/* The elements of one storage, at r->at. */
static mmrd_status
read_storage(reading *r, mmrd_torch_storage *storage, mmrd_error *err)
{
	mmrd_weights_blob blob = {0};
	uint64_t n = 0;
	char shown[64];

	mmrd_printable(storage->key, storage->key_bytes, shown, sizeof(shown));
	if (r->len - r->at < 8)
		return mmrd_fail(err, MMRD_CORRUPT_DATA,
		                 "PyTorch file ends before storage \"%s\"", shown);
	for (int i = 7; i >= 0; i--)
		n = n << 8 | r->bytes[r->at + (size_t) i];
	r->at += 8;
	if (n != storage->n_elements)
	{
		mmrd_fail(err, MMRD_CORRUPT_DATA, "storage \"%s\" has the wrong size",
		          shown);
		return mmrd_detail(err, "Expected %zu elements, found %" PRIu64 ".",
		                   storage->n_elements, n);
	}
	if (storage->n_bytes > r->len - r->at)
	{
		mmrd_fail(err, MMRD_CORRUPT_DATA, "storage \"%s\" is truncated",
		          shown);
		return mmrd_detail(err, "It declares %zu bytes, %zu remain.",
		                   storage->n_bytes, r->len - r->at);
	}
	blob.stored = r->bytes + r->at;
	blob.stored_bytes = storage->n_bytes;
	blob.n_bytes = storage->n_bytes;
	r->at += storage->n_bytes;
	return mmrd_weights_build_blob(r->file, &blob, &storage->blob, err);
}

/* The list of keys, and behind it the storages in that order. */
static mmrd_status
read_storages(reading *r, const mmrd_pickle *keys,
              mmrd_torch_storages *storages, mmrd_error *err)
{
	const mmrd_pickle_value *list = mmrd_pickle_at(keys, keys->root);
	const mmrd_pickle_value *key;
	uint32_t cell = list->u.children.first;

	if (list->kind != MMRD_PICKLE_LIST)
		return mmrd_fail(err, MMRD_CORRUPT_DATA,
		                 "PyTorch file has no list of storages");
	if (list->n != (uint32_t) storages->n)
	{
		mmrd_fail(err, MMRD_CORRUPT_DATA,
		          "PyTorch file lists the wrong number of storages");
		return mmrd_detail(err, "Expected %d, found %" PRIu32 ".", storages->n,
		                   list->n);
	}
	while ((key = mmrd_pickle_next(keys, &cell)) != NULL)
	{
		mmrd_torch_storage *storage = NULL;

		if (key->kind == MMRD_PICKLE_TEXT)
			storage = mmrd_torch_storages_find(storages, key->u.text, key->n);
		if (storage == NULL || storage->blob >= 0)
			return mmrd_fail(err, MMRD_CORRUPT_DATA,
			                 "PyTorch file lists a storage that is %s",
			                 storage == NULL ? "not used" : "listed already");
		MMRD_TRY(read_storage(r, storage, err));
	}
	if (r->at != r->len)
	{
		mmrd_fail(err, MMRD_CORRUPT_DATA,
		          "PyTorch file goes on after its last storage");
		return mmrd_detail(err, "%zu bytes remain.", r->len - r->at);
	}
	return MMRD_OK;
}

mmrd_status
mmrd_torch_legacy_read(const uint8_t *bytes, size_t len,
                       mmrd_weights_file *file, mmrd_error *err)
{
	reading r = {bytes, len, 0, file};
	mmrd_torch_storages storages = {0};
	mmrd_pickle object = {0};
	mmrd_pickle keys = {0};
	mmrd_status st;

	MMRD_TRY(check_pickle(&r, check_magic, err));
	MMRD_TRY(check_pickle(&r, check_protocol, err));
	MMRD_TRY(check_pickle(&r, check_machine, err));
	st = next_pickle(&r, &object, err);
	if (st == MMRD_OK)
		st = next_pickle(&r, &keys, err);
	if (st == MMRD_OK)
		st = mmrd_torch_storages_collect(&object, file->limits.max_tensors,
		                                 &storages, err);
	if (st == MMRD_OK)
		st = read_storages(&r, &keys, &storages, err);
	if (st == MMRD_OK)
		st = mmrd_torch_state_list(&object, &storages, file, err);
	mmrd_torch_storages_clear(&storages);
	mmrd_pickle_clear(&keys);
	mmrd_pickle_clear(&object);
	return st;
}
