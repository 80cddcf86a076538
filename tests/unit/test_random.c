/*
 * tests/unit/test_random.c
 *	  The generator against published values, and what is drawn from it
 *	  against what its distribution says (fixed seeds, five deviations).
 */
#include "model/base/random.h"

#include <math.h>

#include "tests/unit/check.h"

/* SplitMix64 from the state 1234567, and FNV-1a's published test vectors. */
static void
test_published(void)
{
	static const uint64_t want[] = {
	    UINT64_C(6457827717110365317), UINT64_C(3203168211198807973),
	    UINT64_C(9817491932198370423), UINT64_C(4593380528125082431),
	    UINT64_C(16408922859458223821)};
	mmrd_random r = {1234567};

	for (int i = 0; i < 5; i++)
	{
		const uint64_t got = mmrd_random_bits(&r);

		CHECK(got == want[i], "number %d is %llu", i,
		      (unsigned long long) got);
	}
	CHECK(mmrd_fnv1a64("") == UINT64_C(0xcbf29ce484222325), "hash of \"\"");
	CHECK(mmrd_fnv1a64("a") == UINT64_C(0xaf63dc4c8601ec8c), "hash of \"a\"");
	CHECK(mmrd_fnv1a64("foobar") == UINT64_C(0x85944171f73967e8),
	      "hash of \"foobar\"");
}

static void
test_purposes(void)
{
	mmrd_random a = mmrd_random_create(1, "shuffle");
	mmrd_random again = mmrd_random_create(1, "shuffle");
	mmrd_random other_purpose = mmrd_random_create(1, "init");
	mmrd_random other_seed = mmrd_random_create(2, "shuffle");

	for (int i = 0; i < 8; i++)
	{
		const uint64_t bits = mmrd_random_bits(&a);

		CHECK(bits == mmrd_random_bits(&again), "not repeatable");
		CHECK(bits != mmrd_random_bits(&other_purpose), "purpose ignored");
		CHECK(bits != mmrd_random_bits(&other_seed), "seed ignored");
	}
}

/* Mean and variance of n draws against theirs; kurtosis is the fourth moment
 * over the squared variance. */
static void
check_moments(const char *what, double (*draw)(mmrd_random *), double mean,
              double var, double kurtosis)
{
	enum
	{
		N = 40000
	};
	mmrd_random r = mmrd_random_create(5, what);
	double sum = 0;
	double square = 0;

	for (int i = 0; i < N; i++)
	{
		const double x = draw(&r) - mean;

		sum += x;
		square += x * x;
	}
	CHECK(fabs(sum / N) <= 5 * sqrt(var / N), "%s: mean off by %g", what,
	      sum / N);
	CHECK(fabs(square / N - var) <= 5 * var * sqrt((kurtosis - 1) / N),
	      "%s: variance %g, want %g", what, square / N, var);
}

static void
test_uniform(void)
{
	mmrd_random r = mmrd_random_create(3, "uniform");

	for (int i = 0; i < 10000; i++)
	{
		const double u = mmrd_random_uniform(&r);

		CHECK(u >= 0 && u < 1, "%.17g", u);
	}
	check_moments("uniform", mmrd_random_uniform, 0.5, 1.0 / 12, 1.8);
}

static void
test_normal(void)
{
	mmrd_random r = mmrd_random_create(3, "normal");
	int inside = 0;

	check_moments("normal", mmrd_random_normal, 0, 1, 3);
	for (int i = 0; i < 10000; i++)
		inside += fabs(mmrd_random_normal(&r)) < 1;
	CHECK(fabs(inside - 6826.9) <= 5 * sqrt(10000 * 0.6827 * 0.3173),
	      "%d of 10000 within one deviation", inside);
}

static void
test_below(void)
{
	enum
	{
		N = 6000
	};
	const uint64_t three_quarters = UINT64_C(3) << 62;
	mmrd_random r = mmrd_random_create(3, "below");
	int counts[6] = {0};
	int low = 0;

	for (int i = 0; i < 100; i++)
		CHECK(mmrd_random_below(&r, 1) == 0, "below 1");
	for (int i = 0; i < N; i++)
	{
		const uint64_t x = mmrd_random_below(&r, 6);

		CHECK(x < 6, "%llu below 6", (unsigned long long) x);
		counts[x % 6]++;
	}
	for (int k = 0; k < 6; k++)
		CHECK(fabs(counts[k] - N / 6.0) <= 5 * sqrt(N / 6.0 * 5 / 6),
		      "%d came %d times of %d", k, counts[k], N);
	/* A plain modulo would find the lowest third half of the time. */
	for (int i = 0; i < N; i++)
	{
		const uint64_t x = mmrd_random_below(&r, three_quarters);

		CHECK(x < three_quarters, "%llu", (unsigned long long) x);
		low += x < three_quarters / 3;
	}
	CHECK(fabs(low - N / 3.0) <= 5 * sqrt(N / 3.0 * 2 / 3),
	      "%d of %d in the lowest third", low, N);
}

static void
test_permutation(void)
{
	enum
	{
		N = 6000,
		LONG = 101
	};
	mmrd_random r = mmrd_random_create(3, "permutation");
	int counts[6] = {0};
	int32_t order[LONG] = {0};
	int seen[LONG] = {0};

	mmrd_random_permutation(&r, 1, order);
	CHECK(order[0] == 0, "one element became %d", (int) order[0]);
	mmrd_random_permutation(&r, LONG, order);
	for (int i = 0; i < LONG; i++)
	{
		CHECK(order[i] >= 0 && order[i] < LONG, "element %d is %d", i,
		      (int) order[i]);
		seen[order[i] % LONG]++;
	}
	for (int i = 0; i < LONG; i++)
		CHECK(seen[i] == 1, "%d occurs %d times", i, seen[i]);
	for (int i = 0; i < N; i++)
	{
		mmrd_random_permutation(&r, 3, order);
		counts[order[0] * 2 + (order[1] > order[2])]++;
	}
	for (int k = 0; k < 6; k++)
		CHECK(fabs(counts[k] - N / 6.0) <= 5 * sqrt(N / 6.0 * 5 / 6),
		      "order %d came %d times of %d", k, counts[k], N);
}

int
main(void)
{
	test_published();
	test_purposes();
	test_uniform();
	test_normal();
	test_below();
	test_permutation();
	return check_result();
}
