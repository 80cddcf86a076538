/*
 * model/net/packed.h
 *	  A trained model ready for scoring: one read-only block of memory.
 *
 * Offsets only, no pointers inside, aligned to 64 bytes: it can be built in
 * private or in shared memory and used wherever it is mapped.  Batch-norm is
 * folded into one scale and shift per channel (and modality), weights are in
 * the order in which the kernels read them.
 */
#ifndef MMRD_PACKED_H
#define MMRD_PACKED_H

#include <stddef.h>

#include "model/base/status.h"
#include "model/base/tensor.h"
#include "model/net/config.h"
#include "model/net/weights.h"

/* Bytes of the block for a configuration; 0 when it is invalid. */
size_t mmrd_packed_bytes(const mmrd_config *config);

/*
 * Build the block at `block` (mmrd_packed_bytes() bytes, 64-byte aligned) from
 * named tensors in file order, one at a time, so that memory for one tensor is
 * all that is needed beside it.  Failures as mmrd_weights_load().
 */
mmrd_status mmrd_packed_build(const mmrd_config *config,
                              mmrd_tensor_lookup lookup, void *context,
                              void *block, mmrd_error *err);

/* The configuration the block was built for. */
const mmrd_config *mmrd_packed_config(const void *block);

#endif /* MMRD_PACKED_H */
