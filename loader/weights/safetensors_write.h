/*
 * loader/weights/safetensors_write.h
 *	  Writing a safetensors file piece by piece.
 *
 *	  MMRD_TRY(mmrd_safetensors_plan_create(tensors, n, texts, n_texts, &plan,
 *	                                        err));
 *	  uint8_t *file = allocate(mmrd_safetensors_plan_bytes(plan));
 *
 *	  mmrd_safetensors_write_front(plan, file);
 *	  for (int i = 0; i < n; i++)
 *		  MMRD_TRY(mmrd_safetensors_write_tensor(
 *		      plan, i, values[i], file + mmrd_safetensors_plan_place(plan, i),
 *		      err));
 *	  mmrd_safetensors_plan_free(plan);
 *
 * The plan knows the exact size of the file before a number is converted, so
 * that the caller allocates once.  To write a stream instead, write the front
 * and then the tensors in the order of mmrd_safetensors_plan_order(): each
 * begins where the one before it ends.
 */
#ifndef MMRD_SAFETENSORS_WRITE_H
#define MMRD_SAFETENSORS_WRITE_H

#include <stddef.h>
#include <stdint.h>

#include "loader/weights/json_header.h"
#include "model/base/status.h"
#include "model/base/tensor.h"

typedef struct mmrd_safetensors_plan mmrd_safetensors_plan;

/* A tensor to be written. */
typedef struct mmrd_safetensors_tensor
{
	const char *name; /* printable ASCII, shorter than MMRD_MAX_TENSOR_NAME */
	mmrd_dtype dtype; /* as it is to be stored: F32 or BF16 */
	int n_dims;
	int64_t dims[MMRD_MAX_DIMS];
} mmrd_safetensors_tensor;

/*
 * Lay out a file: float32 tensors before bfloat16 ones, so that every one is
 * aligned to its elements; among equals by name.
 *
 * tensors		n of them, copied
 * texts		n_texts entries of __metadata__, in this order
 *
 * The caller releases *out with mmrd_safetensors_plan_free(); NULL on failure.
 * Returns MMRD_INVALID_ARGUMENT for a name that is not allowed or occurs
 * twice, another type, or an impossible shape; MMRD_LIMIT_EXCEEDED when the
 * header becomes larger than readers accept; MMRD_NO_MEMORY.
 */
mmrd_status
mmrd_safetensors_plan_create(const mmrd_safetensors_tensor *tensors, int n,
                             const mmrd_json_text *texts, int n_texts,
                             mmrd_safetensors_plan **out, mmrd_error *err);

/* Accepts NULL. */
void mmrd_safetensors_plan_free(mmrd_safetensors_plan *plan);

/* Bytes of the whole file, and of its front, where the tensors begin. */
size_t mmrd_safetensors_plan_bytes(const mmrd_safetensors_plan *plan);
size_t mmrd_safetensors_front_bytes(const mmrd_safetensors_plan *plan);

/* Which of the caller's tensors is the k-th in the file; k from 0. */
int mmrd_safetensors_plan_order(const mmrd_safetensors_plan *plan, int k);

/* Where the caller's tensor i begins, in bytes from the start of the file,
 * and how many bytes it has there. */
size_t mmrd_safetensors_plan_place(const mmrd_safetensors_plan *plan, int i);
size_t mmrd_safetensors_tensor_bytes(const mmrd_safetensors_plan *plan, int i);

/* Write the front to out, which has room for its bytes. */
void mmrd_safetensors_write_front(const mmrd_safetensors_plan *plan,
                                  uint8_t *out);

/*
 * Convert the caller's tensor i.
 *
 * values	as many floats as its shape says
 * out		room for mmrd_safetensors_tensor_bytes(); any alignment
 *
 * Returns MMRD_INVALID_ARGUMENT, naming the tensor and the place, when a
 * value is not finite, also after rounding: the file could not be read again.
 */
mmrd_status mmrd_safetensors_write_tensor(const mmrd_safetensors_plan *plan,
                                          int i, const float *values,
                                          uint8_t *out, mmrd_error *err);

#endif /* MMRD_SAFETENSORS_WRITE_H */
