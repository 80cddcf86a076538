/*
 * loader/weights/torch_state.h
 *	  From a matched pickle to tensors: what both PyTorch formats share.
 *
 *	  1. mmrd_torch_storages_collect()	which storages does the pickle need?
 *	  2. the reader finds the bytes of each and sets its blob
 *	  3. mmrd_torch_state_list()		list the tensors of the state dict
 */
#ifndef MMRD_TORCH_STATE_H
#define MMRD_TORCH_STATE_H

#include "loader/weights/pickle.h"
#include "loader/weights/pickle_torch.h"
#include "loader/weights/weights_build.h"

typedef struct mmrd_torch_storage
{
	const uint8_t *key; /* in the pickle */
	size_t key_bytes;
	mmrd_torch_type type;
	size_t n_elements;
	size_t n_bytes; /* n_elements times the element size */
	int blob;       /* -1 until the reader has found it */
} mmrd_torch_storage;

typedef struct mmrd_torch_storages
{
	mmrd_torch_storage *all; /* sorted by key; each key once */
	int n;
} mmrd_torch_storages;

/*
 * List the storages that the pickle refers to.  The caller releases with
 * mmrd_torch_storages_clear(); all zero on failure.
 *
 * Returns MMRD_CORRUPT_DATA when a key is used with two types or sizes, or a
 * size exceeds an address; MMRD_LIMIT_EXCEEDED; MMRD_NO_MEMORY.
 */
mmrd_status mmrd_torch_storages_collect(const mmrd_pickle *pickle,
                                        int max_storages,
                                        mmrd_torch_storages *storages,
                                        mmrd_error *err);

void mmrd_torch_storages_clear(mmrd_torch_storages *storages);

/* The storage of that key, or NULL. */
mmrd_torch_storage *mmrd_torch_storages_find(mmrd_torch_storages *storages,
                                             const uint8_t *key,
                                             size_t key_bytes);

/*
 * List the tensors of the pickle's state dict in file, every storage having
 * its blob.  Unwraps dictionaries under "state_dict" and "model".
 *
 * Returns MMRD_UNSUPPORTED when there is no dictionary with tensors in it,
 * MMRD_CORRUPT_DATA when a tensor reaches outside of its storage.
 */
mmrd_status mmrd_torch_state_list(const mmrd_pickle *pickle,
                                  mmrd_torch_storages *storages,
                                  mmrd_weights_file *file, mmrd_error *err);

#endif /* MMRD_TORCH_STATE_H */
