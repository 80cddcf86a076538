/*
 * model/score/radix_sort.h
 *	  Sorting numbers in place, without extra memory, and the order-keeping
 *	  maps between floating-point numbers and unsigned integers.
 */
#ifndef MMRD_RADIX_SORT_H
#define MMRD_RADIX_SORT_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "model/base/status.h"
#include "model/base/threads.h"

/*
 * Sort keys[0 .. n) ascending.  Linear in n.  The hook is asked every few
 * hundredths of a second (NULL: never); when it says stop, MMRD_CANCELLED
 * comes back and keys hold the same values in some other order.  No other
 * failure.
 */
mmrd_status mmrd_sort_u32(uint32_t *keys, size_t n, const mmrd_stop *stop,
                          mmrd_error *err);
mmrd_status mmrd_sort_u64(uint64_t *keys, size_t n, const mmrd_stop *stop,
                          mmrd_error *err);

/*
 * An unsigned integer that compares as the number does: a < b exactly when
 * key(a) < key(b).  Both zeros have one key.  Not for NaN.
 */
static inline uint32_t
mmrd_key_of_float(float x)
{
	uint32_t u;

	x += 0.0f; /* -0 becomes +0 */
	memcpy(&u, &x, sizeof(u));
	return u & UINT32_C(0x80000000) ? ~u : u | UINT32_C(0x80000000);
}

static inline uint64_t
mmrd_key_of_double(double x)
{
	uint64_t u;

	x += 0.0;
	memcpy(&u, &x, sizeof(u));
	return u >> 63 ? ~u : u | UINT64_C(1) << 63;
}

static inline double
mmrd_double_of_key(uint64_t key)
{
	const uint64_t u = key >> 63 ? key ^ UINT64_C(1) << 63 : ~key;
	double x;

	memcpy(&x, &u, sizeof(x));
	return x;
}

#endif /* MMRD_RADIX_SORT_H */
