/*
 * loader/weights/weights_build.h
 *	  The inside of an mmrd_weights_file; for the readers of this folder.
 *
 * A reader describes where the bytes of the tensors are (blobs), then lists
 * the tensors as windows onto them (items).
 */
#ifndef MMRD_WEIGHTS_BUILD_H
#define MMRD_WEIGHTS_BUILD_H

#include "loader/weights/weights_file.h"

/* Consecutive bytes of the file that hold numbers, perhaps compressed. */
typedef struct mmrd_weights_blob
{
	const uint8_t *stored; /* in the caller's file */
	size_t stored_bytes;
	size_t n_bytes;       /* once uncompressed */
	bool deflated;        /* else n_bytes equals stored_bytes */
	bool has_crc;         /* crc is known, of the n_bytes */
	uint32_t crc;         /* CRC-32 */
	const uint8_t *ready; /* the bytes, checked; NULL until needed */
} mmrd_weights_blob;

/* A tensor: a window onto a blob. */
typedef struct mmrd_weights_item
{
	const char *name; /* owned by the file once it is listed */
	mmrd_dtype dtype;
	int n_dims; /* more than MMRD_MAX_DIMS: listed, never given out */
	int64_t dims[MMRD_MAX_DIMS];    /* the first of them */
	int64_t strides[MMRD_MAX_DIMS]; /* elements; unless contiguous */
	bool contiguous;
	size_t element_bytes; /* unless contiguous */
	int blob;
	size_t begin;        /* bytes into the blob */
	size_t n_bytes;      /* of all elements */
	const uint8_t *copy; /* when not contiguous: in order; NULL until needed */
} mmrd_weights_item;

typedef struct mmrd_weights_pair
{
	const char *key;
	const char *value;
} mmrd_weights_pair;

struct mmrd_weights_file
{
	mmrd_weights_kind kind;
	mmrd_weights_limits limits;
	size_t used_bytes; /* of limits.max_bytes */
	void *owned;       /* list of all blocks, see weights_build.c */
	mmrd_weights_item *items;
	mmrd_weights_blob *blobs;
	mmrd_weights_pair *pairs;
	int n_items;
	int n_blobs;
	int n_pairs;
	int max_items;
	int max_blobs;
	int max_pairs;
};

/*
 * Memory that lives as long as the file, aligned for any type; counted
 * against the limit.  *out is NULL on failure.
 */
mmrd_status mmrd_weights_build_allocate(mmrd_weights_file *file,
                                        size_t n_bytes, void **out,
                                        mmrd_error *err);

/* Add a blob; *index is what items refer to. */
mmrd_status mmrd_weights_build_blob(mmrd_weights_file *file,
                                    const mmrd_weights_blob *blob, int *index,
                                    mmrd_error *err);

/*
 * List a tensor under the name of name_bytes bytes at name, which is copied
 * without its "module." prefixes.  The caller has checked that the window
 * lies inside the blob.  Refuses names that are empty, too long, or not
 * printable.
 */
mmrd_status mmrd_weights_build_item(mmrd_weights_file *file,
                                    const mmrd_weights_item *item,
                                    const char *name, size_t name_bytes,
                                    mmrd_error *err);

/* Remember a key and its text; both are copied. */
mmrd_status mmrd_weights_build_metadata(mmrd_weights_file *file,
                                        const char *key, const char *value,
                                        mmrd_error *err);

/* Sort what was listed; refuses duplicate names and keys. */
mmrd_status mmrd_weights_build_finish(mmrd_weights_file *file,
                                      mmrd_error *err);

/*
 * Uncompress and check a blob if that has not been done; what names it in
 * messages, as in: tensor "x".
 */
mmrd_status mmrd_weights_build_ready(mmrd_weights_file *file,
                                     mmrd_weights_blob *blob, const char *what,
                                     mmrd_error *err);

/* The readers; each fills an empty file, which its caller frees on failure. */
mmrd_status mmrd_safetensors_read(const uint8_t *bytes, size_t len,
                                  mmrd_weights_file *file, mmrd_error *err);
mmrd_status mmrd_torch_zip_read(const uint8_t *bytes, size_t len,
                                mmrd_weights_file *file, mmrd_error *err);
mmrd_status mmrd_torch_legacy_read(const uint8_t *bytes, size_t len,
                                   mmrd_weights_file *file, mmrd_error *err);

#endif /* MMRD_WEIGHTS_BUILD_H */
