/*
 * model/base/arena.c
 *	  One allocation, many slices.
 *
 * A large one asks for huge pages: what a scorer works in is touched all over
 * by the first scan, and thousands of page faults would cost that scan a
 * tenth of its time.
 */
#define _GNU_SOURCE /* MADV_HUGEPAGE */
#include "model/base/arena.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "model/base/checked.h"
#include "model/base/threads.h"

size_t
mmrd_arena_plan(mmrd_arena *arena, size_t n_bytes)
{
	const size_t offset = arena->n_bytes;
	size_t end;

	if (!mmrd_size_add(offset, n_bytes, &end) ||
	    !mmrd_size_add(end, MMRD_ALIGNMENT - 1, &end))
		arena->overflowed = true;
	else
		arena->n_bytes = end & ~(size_t) (MMRD_ALIGNMENT - 1);
	return offset;
}

enum
{
	HUGE_PAGE = 2 << 20, /* x86 and arm64 with pages of 4 kB */
	LARGE = 4 << 20
};

static char *
allocate(size_t n_bytes)
{
	char *block;

	if (n_bytes < LARGE || n_bytes > SIZE_MAX - HUGE_PAGE)
		return aligned_alloc(MMRD_ALIGNMENT, n_bytes);
	n_bytes = (n_bytes + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
	block = aligned_alloc(HUGE_PAGE, n_bytes);
#ifdef MADV_HUGEPAGE
	if (block != NULL)
		(void) madvise(block, n_bytes, MADV_HUGEPAGE);
#endif
	return block;
}

void
mmrd_pages_map(void *start, size_t n_bytes)
{
#ifdef MADV_POPULATE_READ
	const int n_parts = (int) ((n_bytes + LARGE - 1) / LARGE);

#pragma omp parallel for num_threads(mmrd_threads()) schedule(dynamic)
	for (int i = 0; i < n_parts; i++)
	{
		const size_t at = (size_t) i * LARGE;
		const size_t n = n_bytes - at < LARGE ? n_bytes - at : LARGE;

		(void) madvise((char *) start + at, n, MADV_POPULATE_READ);
	}
#endif
}

mmrd_status
mmrd_arena_allocate(mmrd_arena *arena, size_t limit_bytes, mmrd_error *err)
{
	if (arena->overflowed ||
	    (limit_bytes != 0 && arena->n_bytes > limit_bytes))
	{
		mmrd_fail(err, MMRD_LIMIT_EXCEEDED, "not enough memory allowed");
		return mmrd_detail(err, "%.0f MB are needed, %.0f MB are allowed.",
		                   (double) arena->n_bytes / 1e6,
		                   (double) limit_bytes / 1e6);
	}
	if (arena->n_bytes > 0)
	{
		arena->block = allocate(arena->n_bytes);
		if (arena->block == NULL)
			return mmrd_fail_memory(err, (double) arena->n_bytes);
	}
	return MMRD_OK;
}

void *
mmrd_arena_at(const mmrd_arena *arena, size_t offset)
{
	return arena->block + offset;
}

void
mmrd_arena_clear(mmrd_arena *arena)
{
	free(arena->block);
	memset(arena, 0, sizeof(*arena));
}
