/*
 * model/base/clock.c
 *	  The monotonic clock: a read takes some 30 ns and enters no kernel.
 */
#include "model/base/clock.h"

#include <time.h>

double
mmrd_clock_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double) t.tv_sec * 1e3 + (double) t.tv_nsec * 1e-6;
}
