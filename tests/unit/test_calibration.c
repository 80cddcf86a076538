/*
 * tests/unit/test_calibration.c
 *	  Thresholds: the rule's ranks by hand, selection against sorting, and
 *	  what the rule promises, counted.
 */
#include "model/score/calibration.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/base/random.h"
#include "tests/unit/check.h"

static void
ranks(void)
{
	static const struct
	{
		int n;
		double fpr;
		int rank; /* 1-based, of the threshold among 1 .. n */
	} cases[] = {
	    {1, 0.01, 1},   {1, 0.5, 1},    {2, 0.5, 2},       {3, 0.5, 2},
	    {98, 0.01, 98}, {99, 0.01, 99}, {100, 0.01, 100},  {199, 0.01, 198},
	    {9, 0.1, 9},    {19, 0.1, 18},  {999, 0.001, 999}, {10, 1e-6, 10},
	};
	float x[999];

	for (int i = 0; i < 999; i++)
		x[i] = (float) (i + 1);
	for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++)
	{
		const float got = mmrd_threshold(x, cases[c].n, cases[c].fpr);

		CHECK(got == (float) cases[c].rank, "n=%d fpr=%g: got %g, want %d",
		      cases[c].n, cases[c].fpr, got, cases[c].rank);
	}
	CHECK(mmrd_threshold_scans_needed(0.01) == 99, "0.01");
	CHECK(mmrd_threshold_scans_needed(0.1) == 9, "0.1");
	CHECK(mmrd_threshold_scans_needed(0.5) == 1, "0.5");
}

/* Few distinct values, so that equal ones meet the pivot often. */
static void
fill(mmrd_random *r, float *x, size_t n, int distinct)
{
	for (size_t i = 0; i < n; i++)
		x[i] = (float) mmrd_random_below(r, (uint64_t) distinct);
}

static void
selection(void)
{
	static const size_t sizes[] = {1, 2, 3, 7, 64, 65, 1000};
	static const double shares[] = {0.001, 0.01, 0.3, 0.5, 0.999};
	mmrd_random r = mmrd_random_create(1, "selection");
	float x[1000];
	float sorted[1000];

	for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++)
		for (int distinct = 1; distinct < 100000; distinct *= 10)
			for (size_t q = 0; q < sizeof(shares) / sizeof(shares[0]); q++)
			{
				const size_t n = sizes[s];
				const double rank = ceil((double) n * (1 - shares[q]) - 1e-9);
				size_t k = rank < 1 ? 0 : (size_t) rank - 1;
				size_t above = 0;
				float got;

				fill(&r, x, n, distinct);
				memcpy(sorted, x, n * sizeof(float));
				mmrd_floats_sort(sorted, (int) n);
				got = mmrd_map_quantile(x, n, shares[q]);
				CHECK(got == sorted[k], "n=%zu share=%g: got %g, want %g", n,
				      shares[q], got, sorted[k]);
				for (size_t i = 0; i < n; i++)
					above += sorted[i] > got;
				CHECK((double) above <= shares[q] * (double) n + 1e-9,
				      "n=%zu share=%g: %zu above", n, shares[q], above);
			}
}

/* Of many draws, how often does a new score lie above the threshold? */
static void
promise(void)
{
	enum
	{
		N = 39,
		DRAWS = 20000
	};
	const double fpr = 0.05;
	/* Six standard deviations of a share of DRAWS. */
	const double tol = 6 * sqrt(fpr * (1 - fpr) / DRAWS);
	mmrd_random r = mmrd_random_create(2, "promise");
	int above = 0;
	float x[N];

	for (int d = 0; d < DRAWS; d++)
	{
		for (int i = 0; i < N; i++)
			x[i] = (float) mmrd_random_normal(&r);
		mmrd_floats_sort(x, N);
		above += (float) mmrd_random_normal(&r) > mmrd_threshold(x, N, fpr);
	}
	/* (N + 1) fpr is whole here, so the promise holds with equality. */
	CHECK(fabs((double) above / DRAWS - fpr) < tol, "share %g, want %g +- %g",
	      (double) above / DRAWS, fpr, tol);
}

static void
scales(void)
{
	const float x[] = {0, 1, 2, 2, 5};

	CHECK(mmrd_map_share_above(x, 5, 2) == 0.2, "2 is not above 2");
	CHECK(mmrd_map_share_above(x, 5, -1) == 1, "all");
	CHECK(mmrd_map_share_above(x, 1, 0) == 0, "none of one");
	CHECK(mmrd_score_normalized(3, 3, 1, 5) == 0.5f, "the threshold");
	CHECK(mmrd_score_normalized(4, 3, 1, 5) == 0.75f, "a quarter above");
	CHECK(mmrd_score_normalized(5, 3, 1, 5) == 1.0f, "the end");
	CHECK(mmrd_score_normalized(99, 3, 1, 5) == 1.0f, "clamped");
	CHECK(mmrd_score_normalized(-99, 3, 1, 5) == 0.0f, "clamped below");
	CHECK(mmrd_score_normalized(3, 3, 3, 3) == 0.5f, "no range");
	CHECK(mmrd_score_normalized(4, 3, 3, 3) == 1.0f, "no range, above");
	CHECK(mmrd_score_normalized(2, 3, 3, 3) == 0.0f, "no range, below");
}

int
main(void)
{
	scales();
	ranks();
	selection();
	promise();
	return check_result();
}
