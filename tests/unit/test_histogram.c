/*
 * tests/unit/test_histogram.c
 *	  Bins around a threshold, quantiles, distances, round numbers.
 */
#include "report/histogram.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "model/base/random.h"
#include "report/plot.h"
#include "tests/unit/check.h"

static void
test_ticks(void)
{
	const mmrd_ticks a = mmrd_ticks_choose(0, 10, 5);
	const mmrd_ticks b = mmrd_ticks_choose(0.13, 0.47, 4);
	const mmrd_ticks c = mmrd_ticks_choose(-1, 1, 4);

	CHECK(a.first == 0 && a.step == 2 && a.n == 6, "%g %g %d", a.first, a.step,
	      a.n);
	CHECK(fabs(b.first - 0.2) < 1e-12 && fabs(b.step - 0.1) < 1e-12 &&
	          b.n == 3,
	      "%g %g %d", b.first, b.step, b.n);
	CHECK(c.first == -1 && c.step == 0.5 && c.n == 5, "%g %g %d", c.first,
	      c.step, c.n);
	CHECK(mmrd_ticks_above(0, 4) == 1, "of nothing");
	CHECK(mmrd_ticks_above(17, 4) == 20, "%g", mmrd_ticks_above(17, 4));
	CHECK(mmrd_ticks_above(20, 4) == 20, "%g", mmrd_ticks_above(20, 4));
	CHECK(mmrd_ticks_above(NAN, 4) == 1, "of no number");
}

/* Whether each score is counted on its side of the threshold. */
static void
check_sides(const float *scores, size_t n, const float *known, size_t n_known,
            float threshold)
{
	mmrd_histogram h;
	int64_t above = 0;
	int64_t want = 0;

	mmrd_histogram_choose(scores, n, known, n_known, threshold, &h);
	CHECK(h.n >= 1 && h.n <= MMRD_HISTOGRAM_BINS, "%d bins", h.n);
	CHECK(h.step > 0 && isfinite(h.lo), "%g from %g", h.step, h.lo);
	mmrd_histogram_count(&h, scores, n);
	CHECK(h.total == (int64_t) n, "%d counted", (int) h.total);
	for (int i = 0; i < h.n; i++)
		if (h.lo + (i + 0.5) * h.step > threshold)
			above += h.count[i];
	for (size_t i = 0; i < n; i++)
		want += scores[i] > threshold;
	CHECK(above == want, "threshold %g: %d above, %d are", (double) threshold,
	      (int) above, (int) want);
}

static void
test_bins(void)
{
	const float same[] = {0.5f, 0.5f, 0.5f};
	const float far[] = {0.1f, 0.2f, 0.3f, 1e6f};
	const float zero[] = {0};
	float many[1000];
	mmrd_histogram h;

	for (int i = 0; i < 1000; i++)
		many[i] = (float) (0.2 + i * 0.001);
	for (int i = 1; i < 1000; i += 37) /* at a score, and just off one */
	{
		check_sides(many, 1000, many, 500, many[i]);
		check_sides(many, 1000, many, 500, nextafterf(many[i], 0) - 1e-5f);
	}
	check_sides(same, 3, same, 3, 0.5f);
	check_sides(same, 3, NULL, 0, 0.4f);
	check_sides(far, 4, far, 3, 0.3f);
	check_sides(zero, 1, zero, 1, 0);
	check_sides(many, 1000, far, 4, 5);

	mmrd_histogram_choose(NULL, 0, same, 3, (double) NAN, &h);
	mmrd_histogram_count(&h, same, 3);
	CHECK(h.total == 3 && h.beyond == 0, "no threshold, one value");
	mmrd_histogram_choose(many, 1000, far, 4, 0.9, &h);
	mmrd_histogram_count(&h, many, 1000);
	CHECK(h.beyond == 0, "all in their bins");
}

/* One far away among many must not make all the others one bin. */
static void
test_tail(void)
{
	float scores[1000];
	mmrd_histogram h;

	for (int i = 0; i < 999; i++)
		scores[i] = (float) (1 + i * 0.001);
	scores[999] = 1000;
	mmrd_histogram_choose(scores, 1000, NULL, 0, 1.8, &h);
	mmrd_histogram_count(&h, scores, 1000);
	CHECK(h.step < 0.1, "step %g", h.step);
	CHECK(h.beyond >= 1 && h.count[h.n - 1] >= 1 && h.total == 1000,
	      "%d beyond", (int) h.beyond);
}

static void
test_sorted(void)
{
	const float scores[] = {3, NAN, 1, INFINITY, 2, -INFINITY};
	mmrd_error err = {0};
	float *sorted;
	size_t n;

	CHECK(mmrd_scores_sorted(scores, 6, &sorted, &n, &err) == MMRD_OK, "%s",
	      err.message);
	CHECK(n == 3 && sorted[0] == 1 && sorted[1] == 2 && sorted[2] == 3,
	      "%zu kept", n);
	CHECK(mmrd_scores_quantile(sorted, 3, 0.5) == 2, "median");
	CHECK(mmrd_scores_quantile(sorted, 3, 0.25) == 1.5, "between two");
	CHECK(mmrd_scores_quantile(sorted, 3, 1) == 3, "the last");
	CHECK(mmrd_scores_quantile(sorted, 3, 0) == 1, "the first");
	CHECK(isnan(mmrd_scores_quantile(sorted, 0, 0.5)), "of none");
	free(sorted);
	CHECK(mmrd_scores_sorted(NULL, 0, &sorted, &n, &err) == MMRD_OK && n == 0,
	      "none");
	free(sorted);
}

/* Against the definition: every value tried, shares counted one by one. */
static double
distance_plainly(const float *a, size_t n_a, const float *b, size_t n_b)
{
	double most = 0;

	for (size_t k = 0; k < n_a + n_b; k++)
	{
		const float at = k < n_a ? a[k] : b[k - n_a];
		size_t i = 0;
		size_t j = 0;

		for (size_t p = 0; p < n_a; p++)
			i += a[p] <= at;
		for (size_t p = 0; p < n_b; p++)
			j += b[p] <= at;
		most = fmax(
		    most, fabs((double) i / (double) n_a - (double) j / (double) n_b));
	}
	return most;
}

static int
compare(const void *a, const void *b)
{
	const float x = *(const float *) a;
	const float y = *(const float *) b;

	return (x > y) - (x < y);
}

static void
test_distance(void)
{
	mmrd_random random = mmrd_random_create(7, "test histogram");
	const float low[] = {1, 2};
	const float high[] = {3, 4};

	CHECK(mmrd_scores_distance(low, 2, high, 2) == 1, "apart");
	CHECK(mmrd_scores_distance(low, 2, low, 2) == 0, "the same");
	CHECK(isnan(mmrd_scores_distance(low, 2, NULL, 0)), "of none");
	CHECK(isnan(mmrd_scores_distance_limit(0, 5)), "limit of none");
	CHECK(fabs(mmrd_scores_distance_limit(100, 100) - 0.230517) < 1e-5,
	      "limit %g", mmrd_scores_distance_limit(100, 100));

	for (int round = 0; round < 50; round++)
	{
		float a[40];
		float b[23];
		const size_t n_a = 1 + (size_t) round % 40;
		const size_t n_b = 1 + (size_t) (round * 7) % 23;

		/* Few different values, so that there are ties. */
		for (size_t i = 0; i < n_a; i++)
			a[i] = (float) floor(10 * mmrd_random_uniform(&random));
		for (size_t i = 0; i < n_b; i++)
			b[i] = (float) floor(10 * mmrd_random_uniform(&random)) + 1;
		qsort(a, n_a, sizeof(float), compare);
		qsort(b, n_b, sizeof(float), compare);
		CHECK(fabs(mmrd_scores_distance(a, n_a, b, n_b) -
		           distance_plainly(a, n_a, b, n_b)) < 1e-15,
		      "round %d: %g, want %g", round,
		      mmrd_scores_distance(a, n_a, b, n_b),
		      distance_plainly(a, n_a, b, n_b));
	}
}

int
main(void)
{
	test_ticks();
	test_bins();
	test_tail();
	test_sorted();
	test_distance();
	return check_result();
}
