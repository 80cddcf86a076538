/*
 * loader/weights/weights_file.h
 *	  A file of named tensors, whatever its format.
 *
 *	  mmrd_weights_file *file;
 *
 *	  if (mmrd_weights_file_open(bytes, len, NULL, &file, &err) != MMRD_OK)
 *		  return report(&err);
 *	  build_teacher(mmrd_weights_file_lookup, file);
 *	  mmrd_weights_file_free(file);
 *
 * Three formats are told apart by their bytes: safetensors, PyTorch's zip
 * archive (.pth since version 1.6) and PyTorch's older sequence of pickles.
 * docs/file-formats.md says what of each is read.  Nothing in a pickle is
 * ever executed.
 *
 * The structure (names, types, shapes, places) is checked completely when the
 * file is opened.  The numbers are touched when a tensor is asked for: that is
 * when a compressed one is uncompressed, a checksum compared and a transposed
 * one brought into order, once each.  Values that are not finite are found by
 * mmrd_tensor_read().
 *
 * Thread safety: any number of files at once; one call at a time per file.
 */
#ifndef MMRD_WEIGHTS_FILE_H
#define MMRD_WEIGHTS_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/base/status.h"
#include "model/base/tensor.h"

typedef struct mmrd_weights_file mmrd_weights_file;

typedef struct mmrd_weights_limits
{
	int32_t max_tensors; /* tensors listed, and entries of an archive */
	size_t max_bytes;    /* of memory beside the file itself: the list of
	                      * tensors, data uncompressed or reordered */
} mmrd_weights_limits;

/* What NULL limits mean: 16,384 tensors, 1 GB. */
extern const mmrd_weights_limits mmrd_weights_limits_default;

typedef enum mmrd_weights_kind
{
	MMRD_WEIGHTS_SAFETENSORS,
	MMRD_WEIGHTS_TORCH_ZIP,
	MMRD_WEIGHTS_TORCH_LEGACY
} mmrd_weights_kind;

/*
 * Open a file that is in memory.
 *
 * bytes, len	the whole file; kept and only read: the caller keeps it alive
 *				and unchanged until mmrd_weights_file_free()
 * limits		see above, or NULL
 * out			NULL on failure
 *
 * A checkpoint that wraps its weights in a dictionary under "state_dict" or
 * "model" is unwrapped, and prefixes "module." of names are dropped; extra
 * things in it that are plain data are ignored.  Names are printable ASCII,
 * shorter than MMRD_MAX_TENSOR_NAME, and unique.
 *
 * Returns MMRD_CORRUPT_DATA, MMRD_UNSUPPORTED (an unknown kind of file, or a
 * pickle that is more than tensors in dictionaries: the message names what it
 * asked for), MMRD_LIMIT_EXCEEDED, MMRD_NO_MEMORY.
 */
mmrd_status mmrd_weights_file_open(const uint8_t *bytes, size_t len,
                                   const mmrd_weights_limits *limits,
                                   mmrd_weights_file **out, mmrd_error *err);

/* Release it; the views it gave die with it.  Accepts NULL. */
void mmrd_weights_file_free(mmrd_weights_file *file);

/* How many tensors, and the name of one: i from 0, sorted by strcmp(). */
int mmrd_weights_file_count(const mmrd_weights_file *file);
const char *mmrd_weights_file_name(const mmrd_weights_file *file, int i);

/*
 * A view of the i-th tensor, valid until mmrd_weights_file_free().
 *
 * Returns MMRD_UNSUPPORTED for more than MMRD_MAX_DIMS dimensions,
 * MMRD_CORRUPT_DATA for data that is damaged, MMRD_LIMIT_EXCEEDED,
 * MMRD_NO_MEMORY.
 */
mmrd_status mmrd_weights_file_tensor(mmrd_weights_file *file, int i,
                                     mmrd_tensor *out, mmrd_error *err);

/*
 * The same by name: an mmrd_tensor_lookup whose context is the file.  Views
 * live longer than that contract asks for: until mmrd_weights_file_free().
 */
mmrd_status mmrd_weights_file_lookup(void *context, const char *name,
                                     mmrd_tensor *out, bool *found,
                                     mmrd_error *err);

/*
 * The text under a key of safetensors' __metadata__ (UTF-8), or NULL; the
 * other kinds have none.  Lives as long as the file.
 */
const char *mmrd_weights_file_metadata(const mmrd_weights_file *file,
                                       const char *key);

mmrd_weights_kind mmrd_weights_file_kind(const mmrd_weights_file *file);

/* "safetensors", "PyTorch zip archive", "PyTorch legacy file". */
const char *mmrd_weights_kind_name(mmrd_weights_kind kind);

#endif /* MMRD_WEIGHTS_FILE_H */
