/*
 * tests/unit/check.h
 *	  The whole test framework.  End main() with "return check_result();".
 */
#ifndef MMRD_CHECK_H
#define MMRD_CHECK_H

#include <stdio.h>

static int check_count;
static int check_failures;

#define CHECK(cond, ...)                                                      \
	do                                                                        \
	{                                                                         \
		check_count++;                                                        \
		if (!(cond))                                                          \
		{                                                                     \
			check_failures++;                                                 \
			fprintf(stderr, "%s:%d: %s: ", __FILE__, __LINE__, #cond);        \
			fprintf(stderr, __VA_ARGS__);                                     \
			fputc('\n', stderr);                                              \
		}                                                                     \
	} while (0)

/*
 * Exit status of a test that cannot run here (data of others that is absent,
 * a CPU feature): say why on stderr, then return CHECK_SKIPPED from main().
 */
#define CHECK_SKIPPED 77

/* A run that checked nothing has not passed. */
static inline int
check_result(void)
{
	printf("%d checks, %d failed\n", check_count, check_failures);
	return check_failures == 0 && check_count > 0 ? 0 : 1;
}

#endif /* MMRD_CHECK_H */
