/*
 * loader/weights/pickle_torch.h
 *	  The names a weights pickle may mention, and what calling them means.
 *
 * For pickle.c and torch_state.c.
 */
#ifndef MMRD_PICKLE_TORCH_H
#define MMRD_PICKLE_TORCH_H

#include "loader/weights/pickle.h"

enum
{
	MMRD_TORCH_MAX_DIMS = 64 /* PyTorch's own limit; also bounds our loops */
};

/* The element type behind a storage class. */
typedef struct mmrd_torch_type
{
	mmrd_dtype dtype;
	size_t bytes; /* of one element */
} mmrd_torch_type;

/*
 * The number of a name "module.attribute", for MMRD_PICKLE_GLOBAL.  Returns
 * MMRD_UNSUPPORTED, naming it, when it is none of ours.
 */
mmrd_status mmrd_pickle_global(const uint8_t *module, size_t module_bytes,
                               const uint8_t *name, size_t name_bytes,
                               int64_t *global, mmrd_error *err);

/* The element type when global is a storage class; otherwise bytes is 0. */
mmrd_torch_type mmrd_pickle_storage_type(int64_t global);

/*
 * What calling function with the tuple arguments would make, as a value:
 * *out is it, or, where *same is not 0, the value with that number stands for
 * the result.  values and cells of the pickle do not move.
 */
mmrd_status mmrd_pickle_call(const mmrd_pickle *pickle,
                             const mmrd_pickle_value *function,
                             const mmrd_pickle_value *arguments,
                             mmrd_pickle_value *out, uint32_t *same,
                             mmrd_error *err);

/*
 * May an object be given these attributes?  Only where they do not change
 * what it means to us.
 */
mmrd_status mmrd_pickle_attributes(const mmrd_pickle *pickle,
                                   const mmrd_pickle_value *object,
                                   const mmrd_pickle_value *attributes,
                                   mmrd_error *err);

/* Check the tuple of a persistent id and make it a STORAGE. */
mmrd_status mmrd_pickle_persistent(const mmrd_pickle *pickle,
                                   const mmrd_pickle_value *id,
                                   mmrd_pickle_value *out, mmrd_error *err);

#endif /* MMRD_PICKLE_TORCH_H */
