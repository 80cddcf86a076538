/*
 * tests/unit/test_arena.c
 *	  Slices of one allocation: aligned, apart, refused when too large.
 */
#define _GNU_SOURCE
#include "model/base/arena.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

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

/* A large one is for huge pages: it starts where one may. */
static void
test_large(void)
{
	const size_t n = 5000001;
	mmrd_arena arena = {0};
	mmrd_error err = {0};
	char *p;

	mmrd_arena_plan(&arena, n);
	CHECK(mmrd_arena_allocate(&arena, 0, &err) == MMRD_OK, "%s", err.message);
	p = mmrd_arena_at(&arena, 0);
	CHECK((uintptr_t) p % (2 << 20) == 0, "a large arena is at %p",
	      (void *) p);
	memset(p, 7, n);
	CHECK(p[0] == 7 && p[n - 1] == 7, "its ends are %d and %d", p[0],
	      p[n - 1]);
	mmrd_arena_clear(&arena);
}

/* Once mapped, reading takes no faults; what is mapped stays as it is. */
static void
test_pages_map(void)
{
	const long page = sysconf(_SC_PAGESIZE);
	const size_t n = ((size_t) 9 << 20) + 3 * (size_t) page;
	FILE *file = tmpfile();
	struct rusage before;
	struct rusage after;
	long sum = 0;
	char *p;

	CHECK(file != NULL && ftruncate(fileno(file), (off_t) n) == 0,
	      "no file to map");
	p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED, fileno(file), 0);
	CHECK(p != MAP_FAILED, "it is not mapped");
	for (size_t at = 0; at < n; at += (size_t) page)
		p[at] = 1;
	munmap(p, n);
	p = mmap(NULL, n, PROT_READ, MAP_SHARED, fileno(file), 0);
	CHECK(p != MAP_FAILED, "it is not mapped again");
	mmrd_pages_map(p, n);
	getrusage(RUSAGE_SELF, &before);
	for (size_t at = 0; at < n; at += (size_t) page)
		sum += p[at];
	getrusage(RUSAGE_SELF, &after);
	CHECK(sum == (long) (n / (size_t) page), "%ld pages are as they were",
	      sum);
#ifdef MADV_POPULATE_READ
	if (madvise(p, (size_t) page, MADV_POPULATE_READ) == 0)
		CHECK(after.ru_minflt - before.ru_minflt < 16, "%ld faults",
		      after.ru_minflt - before.ru_minflt);
#endif
	munmap(p, n);
	fclose(file);
}

int
main(void)
{
	test_slices();
	test_large();
	test_pages_map();
	test_limit();
	test_overflow();
	test_empty_and_exhausted();
	return check_result();
}
