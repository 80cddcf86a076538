/*
 * tests/unit/test_auroc.c
 *	  AUROC, average precision and F1 against numbers made independently, and
 *	  the accumulator against its limits.
 */
#include "model/score/auroc.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/base/random.h"
#include "model/score/radix_sort.h"
#include "tests/unit/check.h"

/* Sums of at most a hundred terms below 1. */
static const double TOL = 1e-13;

static bool
close_to(double got, double want, double tol)
{
	if (isnan(want))
		return isnan(got);
	return got == want || fabs(got - want) <= tol;
}

static void
check_metrics(const char *name, mmrd_scores *s, const double want[4])
{
	mmrd_score_metrics m;
	mmrd_error err = {0};

	memset(&m, 0xff, sizeof(m));
	CHECK(mmrd_scores_measure(s, NULL, &m, &err) == MMRD_OK, "%s", name);
	CHECK(close_to(m.auroc, want[0], TOL), "%s: auroc %.17g, want %.17g", name,
	      m.auroc, want[0]);
	CHECK(close_to(m.average_precision, want[1], TOL),
	      "%s: ap %.17g, want %.17g", name, m.average_precision, want[1]);
	CHECK(close_to(m.f1_max, want[2], TOL), "%s: f1 %.17g, want %.17g", name,
	      m.f1_max, want[2]);
	CHECK(close_to(m.f1_threshold, want[3], 0), "%s: at %.17g, want %.17g",
	      name, m.f1_threshold, want[3]);
	CHECK(isnan(want[3]) || m.f1_next_below < m.f1_threshold, "%s: %g", name,
	      m.f1_next_below);
}

/* One case of the golden file: whole, and in two parts carried and merged. */
static void
golden_case(FILE *file)
{
	char name[64];
	int n;
	mmrd_error err = {0};
	mmrd_scores whole;
	mmrd_scores part[2];
	mmrd_scores carried;
	uint8_t *packed;
	double want[4];

	if (fscanf(file, "%63s %d", name, &n) != 2)
	{
		CHECK(false, "golden file is damaged");
		return;
	}
	mmrd_scores_init(&whole, 1 << 20);
	for (int k = 0; k < 2; k++)
		mmrd_scores_init(&part[k], 1 << 20);
	for (int i = 0; i < n; i++)
	{
		double score;
		int label;

		CHECK(fscanf(file, "%lf %d", &score, &label) == 2, "%s", name);
		CHECK(mmrd_scores_add(&whole, score, label == 1, &err) == MMRD_OK,
		      "%s: %s", name, err.message);
		CHECK(mmrd_scores_add(&part[i % 3 == 0], score, label == 1, &err) ==
		          MMRD_OK,
		      "%s: %s", name, err.message);
	}
	for (int i = 0; i < 4; i++)
		CHECK(fscanf(file, "%lf", &want[i]) == 1, "%s", name);
	check_metrics(name, &whole, want);
	check_metrics(name, &whole, want); /* now sorted */

	packed = malloc(mmrd_scores_packed_bytes(&part[0]));
	mmrd_scores_pack(&part[0], packed);
	CHECK(mmrd_scores_unpack(packed, mmrd_scores_packed_bytes(&part[0]),
	                         1 << 20, &carried, &err) == MMRD_OK,
	      "%s: %s", name, err.message);
	CHECK(mmrd_scores_merge(&part[1], &carried, &err) == MMRD_OK, "%s", name);
	check_metrics(name, &part[1], want);
	free(packed);
	mmrd_scores_clear(&carried);
	mmrd_scores_clear(&whole);
	for (int k = 0; k < 2; k++)
		mmrd_scores_clear(&part[k]);
}

static void
test_golden(void)
{
	FILE *file = fopen("tests/golden/metrics.txt", "r");
	char line[4096];
	int n_cases = 0;

	CHECK(file != NULL, "tests/golden/metrics.txt is missing");
	if (file == NULL)
		return;
	while (fscanf(file, "%4095s", line) == 1)
		if (strcmp(line, "scores") == 0)
		{
			golden_case(file);
			n_cases++;
		}
	fclose(file);
	CHECK(n_cases == 13, "%d cases", n_cases);
}

static void
test_f1_interval(void)
{
	mmrd_scores s;
	mmrd_score_metrics m;
	mmrd_error err = {0};

	mmrd_scores_init(&s, 1 << 20);
	for (int i = 0; i < 6; i++)
		CHECK(mmrd_scores_add(&s, i, i >= 4, &err) == MMRD_OK, "%d", i);
	CHECK(mmrd_scores_measure(&s, NULL, &m, &err) == MMRD_OK, "measure");
	CHECK(m.n_normal == 4 && m.n_anomalous == 2, "counts");
	CHECK(m.f1_threshold == 4 && m.f1_next_below == 3, "(%g, %g]",
	      m.f1_next_below, m.f1_threshold);
	mmrd_scores_clear(&s);

	mmrd_scores_init(&s, 1 << 20);
	CHECK(mmrd_scores_add(&s, 2, false, &err) == MMRD_OK, "add");
	CHECK(mmrd_scores_add(&s, 1, true, &err) == MMRD_OK, "add");
	CHECK(mmrd_scores_measure(&s, NULL, &m, &err) == MMRD_OK, "measure");
	CHECK(m.f1_threshold == 1 && m.f1_next_below == -INFINITY, "(%g, %g]",
	      m.f1_next_below, m.f1_threshold);
	mmrd_scores_clear(&s);
	mmrd_scores_clear(&s);
}

/* A limit of L bytes takes at least 7/8 L / 8 scores, and never more. */
static void
test_limit(void)
{
	static const size_t limits[] = {0, 7, 8, 80, 8000, 100000};

	for (size_t k = 0; k < sizeof(limits) / sizeof(limits[0]); k++)
		for (int uneven = 0; uneven < 3; uneven++)
		{
			mmrd_scores s;
			mmrd_error err = {0};
			size_t n = 0;

			mmrd_scores_init(&s, limits[k]);
			while (mmrd_scores_add(&s, (double) n,
			                       uneven == 0   ? n % 2 == 0
			                       : uneven == 1 ? n % 100 == 99
			                                     : true,
			                       &err) == MMRD_OK)
				n++;
			CHECK(err.status == MMRD_LIMIT_EXCEEDED, "%s", err.message);
			CHECK(n * 8 <= limits[k], "%zu scores in %zu bytes", n, limits[k]);
			CHECK(limits[k] < 100000 || n * 8 >= limits[k] * 7 / 8,
			      "%zu scores in %zu bytes", n, limits[k]);
			CHECK(s.keys[0].n + s.keys[1].n == n, "a failed add counted");
			mmrd_scores_clear(&s);
		}
}

static void
test_refusals(void)
{
	mmrd_scores s;
	mmrd_error err = {0};
	uint64_t packed[4] = {1, 1, 0, 0};

	mmrd_scores_init(&s, 1 << 20);
	CHECK(mmrd_scores_add(&s, NAN, true, &err) == MMRD_INVALID_ARGUMENT,
	      "NaN passed");
	CHECK(s.keys[1].n == 0, "NaN was kept");
	CHECK(mmrd_scores_unpack((uint8_t *) packed, 24, 100, &s, &err) ==
	          MMRD_CORRUPT_DATA,
	      "one score too few passed");
	CHECK(mmrd_scores_unpack((uint8_t *) packed, 15, 100, &s, &err) ==
	          MMRD_CORRUPT_DATA,
	      "half a header passed");
	CHECK(mmrd_scores_unpack((uint8_t *) packed, 31, 100, &s, &err) ==
	          MMRD_CORRUPT_DATA,
	      "half a score passed");
	packed[0] = UINT64_MAX;
	packed[1] = 3;
	CHECK(mmrd_scores_unpack((uint8_t *) packed, 32, 100, &s, &err) ==
	          MMRD_CORRUPT_DATA,
	      "counts that wrap passed");
	packed[0] = 1;
	packed[1] = 1;
	CHECK(mmrd_scores_unpack((uint8_t *) packed, 32, 15, &s, &err) ==
	          MMRD_LIMIT_EXCEEDED,
	      "limit ignored");
	CHECK(s.keys[0].items == NULL && s.keys[1].items == NULL,
	      "something was kept");
}

static bool
stop_now(void *context)
{
	(*(int *) context)++;
	return true;
}

/* Many scores: sorted, stopped, and counted against the plain formula. */
static void
test_large(void)
{
	enum
	{
		N = 3 << 20
	};
	mmrd_random r = mmrd_random_create(5, "auroc");
	int asked = 0;
	const mmrd_stop stop = {stop_now, &asked};
	uint64_t *keys = malloc(N * sizeof(uint64_t));
	uint64_t sum = 0;
	uint64_t sum_after = 0;
	mmrd_error err = {0};
	size_t out_of_order = 0;

	for (size_t i = 0; i < N; i++)
	{
		/* Two thirds share their top byte, so that a bucket is large. */
		keys[i] = mmrd_random_bits(&r) >> (i % 3 == 0 ? 0 : 9);
		sum += keys[i];
	}
	CHECK(mmrd_sort_u64(keys, N, &stop, &err) == MMRD_CANCELLED,
	      "the hook was ignored");
	CHECK(asked == 1, "asked %d times", asked);
	CHECK(mmrd_sort_u64(keys, N, NULL, &err) == MMRD_OK, "sort");
	for (size_t i = 0; i < N; i++)
	{
		sum_after += keys[i];
		out_of_order += i > 0 && keys[i - 1] > keys[i];
	}
	CHECK(sum == sum_after, "keys were lost");
	CHECK(out_of_order == 0, "%zu out of order", out_of_order);
	free(keys);
}

/* Around the size where insertion takes over, every width. */
static void
test_small_sorts(void)
{
	mmrd_random r = mmrd_random_create(6, "auroc");

	for (size_t n = 0; n < 120; n++)
	{
		uint32_t keys[120];
		size_t counts[4] = {0};
		mmrd_error err = {0};

		for (size_t i = 0; i < n; i++)
		{
			const uint64_t k = mmrd_random_below(&r, 4);

			counts[k]++;
			keys[i] = (uint32_t) (k << (n % 4) * 8);
		}
		CHECK(mmrd_sort_u32(keys, n, NULL, &err) == MMRD_OK, "%zu", n);
		for (size_t i = 0; i < n; i++)
		{
			CHECK(i == 0 || keys[i - 1] <= keys[i], "n=%zu at %zu", n, i);
			counts[keys[i] >> (n % 4) * 8]--;
		}
		CHECK(counts[0] == 0 && counts[1] == 0 && counts[2] == 0, "n=%zu", n);
	}
}

static void
test_keys(void)
{
	static const double order[] = {-INFINITY, -1e308, -2, -1e-310, 0,
	                               5e-324,    1e-310, 1,  1e308,   INFINITY};

	CHECK(mmrd_key_of_double(-0.0) == mmrd_key_of_double(0.0), "two zeros");
	CHECK(mmrd_key_of_float(-0.0f) == mmrd_key_of_float(0.0f), "two zeros");
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
	{
		CHECK(mmrd_double_of_key(mmrd_key_of_double(order[i])) == order[i],
		      "%g", order[i]);
		CHECK(i == 0 || mmrd_key_of_double(order[i - 1]) <
		                    mmrd_key_of_double(order[i]),
		      "%g", order[i]);
		CHECK(i == 0 || mmrd_key_of_float((float) order[i - 1]) <=
		                    mmrd_key_of_float((float) order[i]),
		      "%g", order[i]);
	}
}

int
main(void)
{
	test_golden();
	test_f1_interval();
	test_limit();
	test_refusals();
	test_large();
	test_small_sorts();
	test_keys();
	return check_result();
}
