/*
 * model/score/radix_sort.c
 *	  American flag sort (McIlroy, Bostic and McIlroy, Computing Systems
 *	  1993): most significant byte first, keys permuted in place into 256
 *	  buckets, then each bucket by its next byte.
 *
 * In place because an accumulator of pixels may fill the memory it was
 * allowed: a sort that needs a second copy would halve the data set.
 */
#include "model/score/radix_sort.h"

#include <stdbool.h>

enum
{
	BUCKETS = 256,
	SMALL = 48,         /* keys */
	ASK_EVERY = 1 << 20 /* keys: one pass over them takes about 10 ms */
};

static bool
stop_asked(const mmrd_stop *stop)
{
	return stop != NULL && stop->asked != NULL && stop->asked(stop->context);
}

#define KEY uint32_t
#define NAME(x) x##_u32
#include "model/score/radix_sort_body.h"
#undef KEY
#undef NAME

#define KEY uint64_t
#define NAME(x) x##_u64
#include "model/score/radix_sort_body.h"
#undef KEY
#undef NAME

static mmrd_status
cancelled(mmrd_error *err)
{
	return mmrd_fail(err, MMRD_CANCELLED, "sorting was cancelled");
}

mmrd_status
mmrd_sort_u32(uint32_t *keys, size_t n, const mmrd_stop *stop, mmrd_error *err)
{
	return flag_u32(keys, n, 24, stop) ? MMRD_OK : cancelled(err);
}

mmrd_status
mmrd_sort_u64(uint64_t *keys, size_t n, const mmrd_stop *stop, mmrd_error *err)
{
	return flag_u64(keys, n, 56, stop) ? MMRD_OK : cancelled(err);
}
