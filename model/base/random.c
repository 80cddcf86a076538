/*
 * model/base/random.c
 *	  SplitMix64 and what is drawn from it.
 */
#include "model/base/random.h"

#include <math.h>

static const uint64_t GOLDEN_GAMMA = UINT64_C(0x9e3779b97f4a7c15);

uint64_t
mmrd_mix64(uint64_t z)
{
	z += GOLDEN_GAMMA;
	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

uint64_t
mmrd_fnv1a64(const char *text)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (const unsigned char *p = (const unsigned char *) text; *p; p++)
		hash = (hash ^ *p) * UINT64_C(0x100000001b3);
	return hash;
}

mmrd_random
mmrd_random_create(uint64_t seed, const char *purpose)
{
	mmrd_random r = {mmrd_mix64(seed) ^ mmrd_fnv1a64(purpose)};

	return r;
}

uint64_t
mmrd_random_bits(mmrd_random *r)
{
	const uint64_t z = mmrd_mix64(r->state);

	r->state += GOLDEN_GAMMA;
	return z;
}

double
mmrd_random_uniform(mmrd_random *r)
{
	return (double) (mmrd_random_bits(r) >> 11) * 0x1p-53;
}

uint64_t
mmrd_random_below(mmrd_random *r, uint64_t n)
{
	const uint64_t reject = (0 - n) % n; /* 2^64 mod n values to throw away */
	uint64_t bits;

	do
		bits = mmrd_random_bits(r);
	while (bits < reject);
	return bits % n;
}

double
mmrd_random_normal(mmrd_random *r)
{
	double u;
	double v;
	double s;

	do
	{
		u = 2 * mmrd_random_uniform(r) - 1;
		v = 2 * mmrd_random_uniform(r) - 1;
		s = u * u + v * v;
	} while (s >= 1 || s == 0);
	return u * sqrt(-2 * log(s) / s);
}

void
mmrd_random_permutation(mmrd_random *r, int n, int32_t *order)
{
	for (int i = 0; i < n; i++)
	{
		const int j = (int) mmrd_random_below(r, (uint64_t) i + 1);

		order[i] = order[j];
		order[j] = i;
	}
}
