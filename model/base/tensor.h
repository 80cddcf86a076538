/*
 * model/base/tensor.h
 *	  A named array of numbers as files and tables hold it, and the callback
 *	  through which the model asks for one.
 *
 * This is where model/ and loader/ meet: the model names the tensor it wants,
 * the loader (or a table) supplies a view of the bytes.  Order is that of the
 * file, the last dimension fastest, convolution weights (O, I, KH, KW).
 */
#ifndef MMRD_TENSOR_H
#define MMRD_TENSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/base/status.h"

enum
{
	MMRD_MAX_DIMS = 4,
	MMRD_MAX_TENSOR_NAME = 128 /* bytes, with the final zero */
};

typedef enum mmrd_dtype
{
	MMRD_DTYPE_F32,
	MMRD_DTYPE_F64,
	MMRD_DTYPE_F16,
	MMRD_DTYPE_BF16,
	MMRD_DTYPE_OTHER /* integers and the like: listed, never read as weights */
} mmrd_dtype;

typedef struct mmrd_tensor
{
	mmrd_dtype dtype;
	int n_dims; /* 0 is a scalar */
	int64_t dims[MMRD_MAX_DIMS];
	const void *data; /* little endian, contiguous, any alignment */
	size_t n_bytes;   /* of data; equals product of dims times element size */
} mmrd_tensor;

/*
 * Find a tensor by name.  On MMRD_OK *out is filled and *found says whether
 * the name exists; a missing name is not a failure here (the caller knows
 * whether it needs it).  The view stays valid until the next call with the
 * same context, not longer.
 */
typedef mmrd_status (*mmrd_tensor_lookup)(void *context, const char *name,
                                          mmrd_tensor *out, bool *found,
                                          mmrd_error *err);

/* Bytes of one element, 0 for MMRD_DTYPE_OTHER. */
size_t mmrd_dtype_bytes(mmrd_dtype dtype);

/* "float32", "float64", "float16", "bfloat16", "other". */
const char *mmrd_dtype_name(mmrd_dtype dtype);

/* Write the dims as "(64, 3, 7, 7)" into buf; returns buf. */
const char *mmrd_dims_print(int n_dims, const int64_t *dims, char *buf,
                            size_t buf_bytes);

/* Number of elements; dims must have been checked (no overflow). */
size_t mmrd_tensor_count(const mmrd_tensor *tensor);

/*
 * Convert to float.
 *
 * out		mmrd_tensor_count(tensor) floats, all written on MMRD_OK
 * name		for the message only
 *
 * Returns MMRD_UNSUPPORTED for MMRD_DTYPE_OTHER, MMRD_CORRUPT_DATA when a
 * value is NaN or infinite (after the conversion to float), with its place.
 */
mmrd_status mmrd_tensor_read(const mmrd_tensor *tensor, const char *name,
                             float *out, mmrd_error *err);

#endif /* MMRD_TENSOR_H */
