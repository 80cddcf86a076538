/*
 * model/base/checked.h
 *	  Size arithmetic that says when it would wrap.
 *
 *	  size_t n;
 *
 *	  if (!mmrd_size_mul(height, width, &n) || !mmrd_size_mul(n, 4, &n))
 *		  return mmrd_fail(err, MMRD_LIMIT_EXCEEDED, "image is too large");
 */
#ifndef MMRD_CHECKED_H
#define MMRD_CHECKED_H

#include <stdbool.h>
#include <stddef.h>

/* *out = a * b, or false (and *out unspecified) when that wraps. */
static inline bool
mmrd_size_mul(size_t a, size_t b, size_t *out)
{
	return !__builtin_mul_overflow(a, b, out);
}

/* *out = a + b, or false (and *out unspecified) when that wraps. */
static inline bool
mmrd_size_add(size_t a, size_t b, size_t *out)
{
	return !__builtin_add_overflow(a, b, out);
}

#endif /* MMRD_CHECKED_H */
