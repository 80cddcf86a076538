/*
 * model/score/growing_array.h
 *	  An array that grows by appending, up to a limit its owner states.
 *
 * All zero is an empty array.  The elements are of one size, 4 or 8 bytes
 * here; the owner casts.
 */
#ifndef MMRD_GROWING_ARRAY_H
#define MMRD_GROWING_ARRAY_H

#include <stddef.h>

#include "model/base/status.h"

typedef struct mmrd_growing
{
	void *items; /* owned */
	size_t n;    /* elements in use */
	size_t room; /* elements allocated */
} mmrd_growing;

/*
 * Make room for n_more elements of item_bytes behind the n in use, which are
 * kept.  The memory of this array stays at or below limit_bytes.  It grows by
 * half, so that appending one by one costs little, but by a sixteenth of the
 * limit at most: two arrays under one limit fill at least 7/8 of it.
 *
 * Returns MMRD_LIMIT_EXCEEDED or MMRD_NO_MEMORY; then nothing has changed.
 */
mmrd_status mmrd_growing_reserve(mmrd_growing *array, size_t item_bytes,
                                 size_t n_more, size_t limit_bytes,
                                 mmrd_error *err);

/* Release the memory; leaves the array all zero. */
void mmrd_growing_clear(mmrd_growing *array);

#endif /* MMRD_GROWING_ARRAY_H */
