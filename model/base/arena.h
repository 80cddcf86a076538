/*
 * model/base/arena.h
 *	  Plan memory first, then allocate once and hand out slices.
 *
 *	  mmrd_arena arena = {0};
 *	  size_t x = mmrd_arena_plan(&arena, n_floats * sizeof(float));
 *	  size_t y = mmrd_arena_plan(&arena, n_floats * sizeof(float));
 *
 *	  MMRD_TRY(mmrd_arena_allocate(&arena, limit_bytes, err));
 *	  float *fx = mmrd_arena_at(&arena, x);
 *	  ...
 *	  mmrd_arena_clear(&arena);
 *
 * Slices are aligned to 64 bytes, a cache line and an AVX-512 register.
 */
#ifndef MMRD_ARENA_H
#define MMRD_ARENA_H

#include <stdbool.h>
#include <stddef.h>

#include "model/base/status.h"

enum
{
	MMRD_ALIGNMENT = 64 /* bytes */
};

typedef struct mmrd_arena
{
	size_t n_bytes;  /* planned so far */
	bool overflowed; /* a plan exceeded size_t; allocate will refuse */
	char *block;     /* NULL until allocated */
} mmrd_arena;

/* Reserve n_bytes; returns the slice's offset, for mmrd_arena_at() later. */
size_t mmrd_arena_plan(mmrd_arena *arena, size_t n_bytes);

/*
 * Allocate what was planned; the contents are unspecified.  Returns
 * MMRD_LIMIT_EXCEEDED when the plan is above limit_bytes (0: no limit),
 * MMRD_NO_MEMORY.  On failure the arena owns nothing.
 */
mmrd_status mmrd_arena_allocate(mmrd_arena *arena, size_t limit_bytes,
                                mmrd_error *err);

/* The slice at an offset that mmrd_arena_plan() returned. */
void *mmrd_arena_at(const mmrd_arena *arena, size_t offset);

/* Release the block; leaves the arena all zero.  Accepts all zero. */
void mmrd_arena_clear(mmrd_arena *arena);

/*
 * Map the pages of [start, start + n_bytes) for reading now, by all threads
 * together, in place of one fault for each few pages later.  start is the
 * first byte of a page.  Where the system cannot, nothing happens.
 */
void mmrd_pages_map(void *start, size_t n_bytes);

#endif /* MMRD_ARENA_H */
