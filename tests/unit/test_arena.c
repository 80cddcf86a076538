/*
 * tests/unit/test_arena.c
 *	  Slices of one allocation: aligned, apart, refused when too large.
 */
#include "model/base/arena.h"

#include <stdint.h>
#include <string.h>

#include "tests/unit/check.h"

static bool
is_zero(const mmrd_arena *arena)
{
	return arena->n_bytes == 0 && !arena->overflowed && arena->block == NULL;
}

/* Fill every slice with its own byte; none may spoil another. */
static void
test_slices(void)
{
	static const size_t sizes[] = {1, 63, 64, 65, 0, 1000, 128};
	enum
	{
		N = sizeof(sizes) / sizeof(sizes[0])
	};
	mmrd_arena arena = {0};
	mmrd_error err = {0};
	size_t offsets[N];

	for (int i = 0; i < N; i++)
		offsets[i] = mmrd_arena_plan(&arena, sizes[i]);
	CHECK(mmrd_arena_allocate(&arena, 0, &err) == MMRD_OK, "%s", err.message);
	for (int i = 0; i < N; i++)
	{
		char *p = mmrd_arena_at(&arena, offsets[i]);

		CHECK((uintptr_t) p % MMRD_ALIGNMENT == 0, "slice %d at %p", i,
		      (void *) p);
		memset(p, i + 1, sizes[i]);
	}
	for (int i = 0; i < N; i++)
	{
		const char *p = mmrd_arena_at(&arena, offsets[i]);

		for (size_t k = 0; k < sizes[i]; k++)
			CHECK(p[k] == i + 1, "slice %d, byte %zu is %d", i, k, p[k]);
	}
	mmrd_arena_clear(&arena);
	CHECK(is_zero(&arena), "not all zero after clear");
	mmrd_arena_clear(&arena);
}

static void
test_limit(void)
{
	mmrd_arena arena = {0};
	mmrd_error err = {0};

	mmrd_arena_plan(&arena, 1000000);
	mmrd_arena_plan(&arena, 1000000);
	CHECK(mmrd_arena_allocate(&arena, arena.n_bytes - 1, &err) ==
	          MMRD_LIMIT_EXCEEDED,
	      "one byte above the limit was allowed");
	CHECK(err.status == MMRD_LIMIT_EXCEEDED && strstr(err.detail, "2 MB"),
	      "detail is \"%s\"", err.detail);
	CHECK(arena.block == NULL, "a refused arena owns memory");
	CHECK(mmrd_arena_allocate(&arena, arena.n_bytes, &err) == MMRD_OK,
	      "exactly the limit was refused");
	mmrd_arena_clear(&arena);
}

static void
test_overflow(void)
{
	static const size_t sizes[] = {SIZE_MAX, SIZE_MAX - 1, SIZE_MAX - 62};
	mmrd_error err = {0};

	for (int i = 0; i < 3; i++)
	{
		mmrd_arena arena = {0};

		mmrd_arena_plan(&arena, sizes[i]);
		CHECK(mmrd_arena_allocate(&arena, 0, &err) == MMRD_LIMIT_EXCEEDED,
		      "%zu bytes were planned", sizes[i]);
		CHECK(arena.block == NULL, "a refused arena owns memory");
		mmrd_arena_clear(&arena);
	}
	{
		mmrd_arena arena = {0};

		mmrd_arena_plan(&arena, SIZE_MAX / 2 + 1);
		mmrd_arena_plan(&arena, SIZE_MAX / 2 + 1);
		mmrd_arena_plan(&arena, 8);
		CHECK(mmrd_arena_allocate(&arena, 0, &err) == MMRD_LIMIT_EXCEEDED,
		      "a sum that wraps was allocated");
		mmrd_arena_clear(&arena);
	}
}

static void
test_empty_and_exhausted(void)
{
	mmrd_arena arena = {0};
	mmrd_error err = {0};

	CHECK(mmrd_arena_allocate(&arena, 0, &err) == MMRD_OK, "empty plan");
	mmrd_arena_clear(&arena);
#ifndef __SANITIZE_ADDRESS__ /* its allocator ends the process instead */
	mmrd_arena_plan(&arena, SIZE_MAX / 4);
	CHECK(mmrd_arena_allocate(&arena, 0, &err) == MMRD_NO_MEMORY,
	      "2^62 bytes were allocated");
	CHECK(arena.block == NULL && strstr(err.detail, "4611686018427387904"),
	      "detail is \"%s\"", err.detail);
	mmrd_arena_clear(&arena);
#endif
}

int
main(void)
{
	test_slices();
	test_limit();
	test_overflow();
	test_empty_and_exhausted();
	return check_result();
}
