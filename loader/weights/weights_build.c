/*
 * loader/weights/weights_build.c
 *	  Collecting what a reader finds.
 */
#include "loader/weights/weights_build.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "loader/bytes/deflate.h"
#include "loader/bytes/printable.h"
#include "model/base/checked.h"

enum
{
	/* No byte of a deflate stream yields more: its longest match, 258 bytes,
	 * costs at least two bits. */
	DEFLATE_MOST = 1032
};

/* Every block of a file is in one list, so that freeing cannot miss any. */
typedef struct owned_block
{
	struct owned_block *next;
	max_align_t bytes[];
} owned_block;

mmrd_status
mmrd_weights_build_allocate(mmrd_weights_file *file, size_t n_bytes,
                            void **out, mmrd_error *err)
{
	owned_block *block;
	size_t total;

	*out = NULL;
	if (!mmrd_size_add(n_bytes, sizeof(owned_block), &total) ||
	    total > file->limits.max_bytes - file->used_bytes)
	{
		mmrd_fail(err, MMRD_LIMIT_EXCEEDED,
		          "weights file needs too much memory");
		mmrd_detail(err,
		            "%zu bytes are needed after %zu, %zu are allowed in all.",
		            n_bytes, file->used_bytes, file->limits.max_bytes);
		return MMRD_LIMIT_EXCEEDED;
	}
	block = malloc(total);
	if (block == NULL)
	{
		mmrd_fail_memory(err, (double) total);
		return MMRD_NO_MEMORY;
	}
	file->used_bytes += total;
	block->next = file->owned;
	file->owned = block;
	*out = block->bytes;
	return MMRD_OK;
}

/* Room for one more element in an array of *n, growing by doubling. */
static mmrd_status
make_room(void **array, int n, int *max, size_t element_bytes, int limit,
          mmrd_error *err)
{
	const int grown = *max < 32 ? 64 : *max > INT32_MAX / 2 ? limit : *max * 2;
	void *moved;

	if (n >= limit)
	{
		mmrd_fail(err, MMRD_LIMIT_EXCEEDED,
		          "weights file holds too many tensors");
		return mmrd_detail(err, "At most %d are allowed.", limit);
	}
	if (n < *max)
		return MMRD_OK;
	moved = realloc(*array, (size_t) grown * element_bytes);
	if (moved == NULL)
		return mmrd_fail_memory(err, (double) grown * (double) element_bytes);
	*array = moved;
	*max = grown;
	return MMRD_OK;
}

/* A copy of n bytes with a final zero. */
static mmrd_status
keep_text(mmrd_weights_file *file, const char *text, size_t n,
          const char **out, mmrd_error *err)
{
	void *copy;

	MMRD_TRY(mmrd_weights_build_allocate(file, n + 1, &copy, err));
	memcpy(copy, text, n);
	((char *) copy)[n] = '\0';
	*out = copy;
	return MMRD_OK;
}

mmrd_status
mmrd_weights_build_blob(mmrd_weights_file *file, const mmrd_weights_blob *blob,
                        int *index, mmrd_error *err)
{
	void *array = file->blobs;
	mmrd_status st = make_room(&array, file->n_blobs, &file->max_blobs,
	                           sizeof(*blob), file->limits.max_tensors, err);

	file->blobs = array;
	if (st != MMRD_OK)
		return st;
	*index = file->n_blobs;
	file->blobs[file->n_blobs] = *blob;
	file->n_blobs++;
	return MMRD_OK;
}

mmrd_status
mmrd_weights_build_item(mmrd_weights_file *file, const mmrd_weights_item *item,
                        const char *name, size_t name_bytes, mmrd_error *err)
{
	static const char prefix[] = "module."; /* of DataParallel */
	const size_t prefix_bytes = sizeof(prefix) - 1;
	void *array = file->items;
	mmrd_weights_item *slot;
	char shown[64];
	mmrd_status st;

	while (name_bytes >= prefix_bytes &&
	       memcmp(name, prefix, prefix_bytes) == 0)
	{
		name += prefix_bytes;
		name_bytes -= prefix_bytes;
	}
	mmrd_printable(name, name_bytes, shown, sizeof(shown));
	if (name_bytes == 0)
		return mmrd_fail(err, MMRD_CORRUPT_DATA, "a tensor has no name");
	if (!mmrd_is_printable(name, name_bytes))
		return mmrd_fail(err, MMRD_UNSUPPORTED,
		                 "tensor name \"%s\" is not plain ASCII", shown);
	if (name_bytes >= MMRD_MAX_TENSOR_NAME)
	{
		mmrd_fail(err, MMRD_LIMIT_EXCEEDED, "tensor name \"%s\" is too long",
		          shown);
		return mmrd_detail(err, "It has %zu bytes, at most %d are allowed.",
		                   name_bytes, MMRD_MAX_TENSOR_NAME - 1);
	}
	st = make_room(&array, file->n_items, &file->max_items, sizeof(*item),
	               file->limits.max_tensors, err);
	file->items = array;
	if (st != MMRD_OK)
		return st;
	slot = &file->items[file->n_items];
	*slot = *item;
	slot->copy = NULL;
	MMRD_TRY(keep_text(file, name, name_bytes, &slot->name, err));
	file->n_items++;
	return MMRD_OK;
}

mmrd_status
mmrd_weights_build_metadata(mmrd_weights_file *file, const char *key,
                            const char *value, mmrd_error *err)
{
	void *array = file->pairs;
	mmrd_weights_pair *slot;
	mmrd_status st = make_room(&array, file->n_pairs, &file->max_pairs,
	                           sizeof(*slot), file->limits.max_tensors, err);

	file->pairs = array;
	if (st != MMRD_OK)
		return st;
	slot = &file->pairs[file->n_pairs];
	MMRD_TRY(keep_text(file, key, strlen(key), &slot->key, err));
	MMRD_TRY(keep_text(file, value, strlen(value), &slot->value, err));
	file->n_pairs++;
	return MMRD_OK;
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(((const mmrd_weights_item *) a)->name,
	              ((const mmrd_weights_item *) b)->name);
}

static int
by_key(const void *a, const void *b)
{
	return strcmp(((const mmrd_weights_pair *) a)->key,
	              ((const mmrd_weights_pair *) b)->key);
}

mmrd_status
mmrd_weights_build_finish(mmrd_weights_file *file, mmrd_error *err)
{
	if (file->n_items > 0)
		qsort(file->items, (size_t) file->n_items, sizeof(*file->items),
		      by_name);
	for (int i = 1; i < file->n_items; i++)
		if (by_name(&file->items[i - 1], &file->items[i]) == 0)
		{
			mmrd_fail(err, MMRD_CORRUPT_DATA,
			          "tensor \"%s\" occurs more than once",
			          file->items[i].name);
			return mmrd_hint(err, "Names are compared without their "
			                      "\"module.\" prefix.");
		}
	if (file->n_pairs > 0)
		qsort(file->pairs, (size_t) file->n_pairs, sizeof(*file->pairs),
		      by_key);
	for (int i = 1; i < file->n_pairs; i++)
		if (by_key(&file->pairs[i - 1], &file->pairs[i]) == 0)
			return mmrd_fail(err, MMRD_CORRUPT_DATA,
			                 "safetensors metadata has a key twice");
	return MMRD_OK;
}

/* Uncompress a blob into memory of the file. */
static mmrd_status
uncompress(mmrd_weights_file *file, const mmrd_weights_blob *blob,
           const char *what, const uint8_t **out, mmrd_error *err)
{
	mmrd_error reason = {0};
	mmrd_status st;
	void *room;

	if (blob->n_bytes / DEFLATE_MOST > blob->stored_bytes)
	{
		mmrd_fail(err, MMRD_CORRUPT_DATA, "%s declares an impossible size",
		          what);
		return mmrd_detail(err, "%zu compressed bytes cannot hold %zu bytes.",
		                   blob->stored_bytes, blob->n_bytes);
	}
	MMRD_TRY(mmrd_weights_build_allocate(file, blob->n_bytes, &room, err));
	st = mmrd_inflate(MMRD_DEFLATE_RAW, blob->stored, blob->stored_bytes, room,
	                  blob->n_bytes, &reason);
	*out = room;
	if (st == MMRD_CORRUPT_DATA)
	{
		mmrd_fail(err, st, "%s is damaged", what);
		return mmrd_detail(err, "%s", reason.detail);
	}
	if (st != MMRD_OK)
		*err = reason;
	return st;
}

mmrd_status
mmrd_weights_build_ready(mmrd_weights_file *file, mmrd_weights_blob *blob,
                         const char *what, mmrd_error *err)
{
	const uint8_t *bytes = blob->stored;
	uint32_t crc;

	if (blob->ready != NULL)
		return MMRD_OK;
	if (blob->deflated)
		MMRD_TRY(uncompress(file, blob, what, &bytes, err));
	if (blob->has_crc)
	{
		crc = mmrd_crc32(0, bytes, blob->n_bytes);
		if (crc != blob->crc)
		{
			mmrd_fail(err, MMRD_CORRUPT_DATA, "%s is damaged", what);
			return mmrd_detail(err,
			                   "Its CRC-32 is %08x, the archive says %08x.",
			                   crc, blob->crc);
		}
	}
	blob->ready = bytes;
	return MMRD_OK;
}

void
mmrd_weights_file_free(mmrd_weights_file *file)
{
	owned_block *block;

	if (file == NULL)
		return;
	block = file->owned;
	while (block != NULL)
	{
		owned_block *next = block->next;

		free(block);
		block = next;
	}
	free(file->items);
	free(file->blobs);
	free(file->pairs);
	free(file);
}
