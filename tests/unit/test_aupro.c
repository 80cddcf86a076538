/*
 * tests/unit/test_aupro.c
 *	  AUPRO, pixel AUROC and pixel average precision against numbers made
 *	  independently, in any order of the maps.
 */
#include "model/score/aupro.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/base/random.h"
#include "tests/unit/check.h"

enum
{
	MAX_MAPS = 8,
	MAX_PIXELS = 128,
	N_LIMITS = 5
};

/* Sums of at most a few hundred terms below 1. */
static const double TOL = 1e-12;

typedef struct golden
{
	char name[64];
	int n;
	int h;
	int w;
	float map[MAX_MAPS][MAX_PIXELS];
	uint8_t mask[MAX_MAPS][MAX_PIXELS];
	bool has_mask[MAX_MAPS];
	int n_regions;
	double auroc;
	double ap;
	double limit[N_LIMITS];
	double aupro[N_LIMITS];
} golden;

static bool
read_golden(FILE *file, golden *g)
{
	char digits[256];

	if (fscanf(file, "%63s %d %d %d", g->name, &g->n, &g->h, &g->w) != 4 ||
	    g->n > MAX_MAPS || g->h * g->w > MAX_PIXELS)
		return false;
	for (int k = 0; k < g->n; k++)
	{
		for (int p = 0; p < g->h * g->w; p++)
			if (fscanf(file, "%f", &g->map[k][p]) != 1)
				return false;
		if (fscanf(file, "%255s", digits) != 1)
			return false;
		g->has_mask[k] = digits[0] != '-';
		if (g->has_mask[k] && strlen(digits) != (size_t) (g->h * g->w))
			return false;
		for (int p = 0; g->has_mask[k] && p < g->h * g->w; p++)
			g->mask[k][p] = digits[p] == '1' ? 255 : 0;
	}
	if (fscanf(file, "%d %lf %lf", &g->n_regions, &g->auroc, &g->ap) != 3)
		return false;
	for (int i = 0; i < N_LIMITS; i++)
		if (fscanf(file, "%lf %lf", &g->limit[i], &g->aupro[i]) != 2)
			return false;
	return true;
}

static bool
close_to(double got, double want)
{
	return isnan(want) ? isnan(got) : fabs(got - want) <= TOL;
}

static void
check_against(const golden *g, mmrd_aupro *a, const char *how)
{
	mmrd_error err = {0};
	double auroc;
	double ap;

	CHECK(a->n_regions == (uint64_t) g->n_regions &&
	          a->n_maps == (uint64_t) g->n,
	      "%s, %s: %d regions", g->name, how, (int) a->n_regions);
	for (int i = 0; i < N_LIMITS; i++)
	{
		double got;

		CHECK(mmrd_aupro_measure(a, g->limit[i], &got, &err) == MMRD_OK,
		      "%s: %s", g->name, err.message);
		CHECK(close_to(got, g->aupro[i]),
		      "%s, %s, to %g: aupro %.17g, want %.17g", g->name, how,
		      g->limit[i], got, g->aupro[i]);
	}
	mmrd_aupro_pixels(a, &auroc, &ap);
	CHECK(close_to(auroc, g->auroc), "%s, %s: auroc %.17g, want %.17g",
	      g->name, how, auroc, g->auroc);
	CHECK(close_to(ap, g->ap), "%s, %s: ap %.17g, want %.17g", g->name, how,
	      ap, g->ap);
}

static void
add_golden(const golden *g, int k, mmrd_aupro *a)
{
	mmrd_error err = {0};

	CHECK(mmrd_aupro_add(a, g->map[k], g->has_mask[k] ? g->mask[k] : NULL,
	                     g->h, g->w, &err) == MMRD_OK,
	      "%s: %s", g->name, err.message);
}

static void
golden_case(const golden *g)
{
	mmrd_aupro all;
	mmrd_aupro part;
	mmrd_error err = {0};
	double forward[2];
	double backward[2];

	mmrd_aupro_init(&all, 1 << 20);
	mmrd_aupro_init(&part, 1 << 20);
	for (int k = 0; k < g->n; k++)
		add_golden(g, k, &all);
	check_against(g, &all, "in order");
	for (int k = g->n - 1; k >= 0; k--)
		if (k % 2 == 0)
			add_golden(g, k, &part);
	(void) mmrd_aupro_measure(&part, 0.3, &backward[0], &err);
	mmrd_aupro_clear(&all);
	mmrd_aupro_init(&all, 1 << 20);
	for (int k = 1; k < g->n; k += 2)
		add_golden(g, k, &all);
	CHECK(mmrd_aupro_merge(&part, &all, &err) == MMRD_OK, "%s", err.message);
	check_against(g, &part, "merged");

	/* The order of the maps changes no bit. */
	(void) mmrd_aupro_measure(&part, 0.3, &backward[0], &err);
	mmrd_aupro_pixels(&part, &backward[1], &backward[1]);
	mmrd_aupro_clear(&all);
	mmrd_aupro_init(&all, 1 << 20);
	for (int k = 0; k < g->n; k++)
		add_golden(g, k, &all);
	(void) mmrd_aupro_measure(&all, 0.3, &forward[0], &err);
	mmrd_aupro_pixels(&all, &forward[1], &forward[1]);
	CHECK(memcmp(forward, backward, sizeof(forward)) == 0,
	      "%s: %.17g and %.17g", g->name, forward[0], backward[0]);
	mmrd_aupro_clear(&all);
	mmrd_aupro_clear(&part);
}

static void
test_golden(void)
{
	FILE *file = fopen("tests/golden/metrics.txt", "r");
	char word[4096];
	int n_cases = 0;

	CHECK(file != NULL, "tests/golden/metrics.txt is missing");
	if (file == NULL)
		return;
	while (fscanf(file, "%4095s", word) == 1)
		if (strcmp(word, "maps") == 0)
		{
			static golden g;
			const bool read = read_golden(file, &g);

			CHECK(read, "golden file is damaged");
			if (read)
				golden_case(&g);
			n_cases++;
		}
	fclose(file);
	CHECK(n_cases == 9, "%d cases", n_cases);
}

static void
test_refusals(void)
{
	float map[6] = {0, 1, 2, 3, 4, NAN};
	mmrd_aupro a;
	mmrd_error err = {0};
	double out;
	static const double limits[] = {0, -1, 1.001, NAN, INFINITY};

	mmrd_aupro_init(&a, 1000);
	CHECK(mmrd_aupro_add(&a, map, NULL, 2, 3, &err) == MMRD_INVALID_ARGUMENT,
	      "NaN passed");
	CHECK(mmrd_aupro_add(&a, map, NULL, 0, 3, &err) == MMRD_INVALID_ARGUMENT,
	      "no rows passed");
	CHECK(mmrd_aupro_add(&a, map, NULL, 1 << 16, 1 << 15, &err) ==
	          MMRD_LIMIT_EXCEEDED,
	      "2^31 pixels passed");
	map[5] = INFINITY;
	CHECK(mmrd_aupro_add(&a, map, NULL, 2, 3, &err) == MMRD_OK, "%s",
	      err.message);
	CHECK(a.normal.n == 6 && a.n_maps == 1, "%zu pixels", a.normal.n);
	for (int i = 0; i < 5; i++)
		CHECK(mmrd_aupro_measure(&a, limits[i], &out, &err) ==
		          MMRD_INVALID_ARGUMENT,
		      "limit %g passed", limits[i]);
	mmrd_aupro_clear(&a);
	mmrd_aupro_clear(&a);
}

static void
test_limit(void)
{
	float map[100] = {0};
	uint8_t mask[100];
	mmrd_aupro a;
	mmrd_error err = {0};

	/* 50 normal and 50 anomalous pixels take 600 bytes. */
	for (int p = 0; p < 100; p++)
		mask[p] = p < 50;
	for (size_t limit = 590; limit <= 610; limit++)
	{
		mmrd_aupro_init(&a, limit);
		if (limit < 600)
		{
			CHECK(mmrd_aupro_add(&a, map, mask, 10, 10, &err) ==
			          MMRD_LIMIT_EXCEEDED,
			      "%zu bytes sufficed", limit);
			CHECK(a.n_maps == 0 && a.n_regions == 0 && a.normal.n == 0,
			      "a failed add counted");
		}
		mmrd_aupro_clear(&a);
	}
	mmrd_aupro_init(&a, 800);
	CHECK(mmrd_aupro_add(&a, map, mask, 10, 10, &err) == MMRD_OK, "%s: %s",
	      err.message, err.detail);
	CHECK(a.normal.room * 4 + a.anomalous.room * 8 <= 800, "too much memory");
	CHECK(mmrd_aupro_add(&a, map, mask, 10, 10, &err) == MMRD_LIMIT_EXCEEDED,
	      "1200 bytes fit 800");
	mmrd_aupro_clear(&a);
}

/* A map whose every pixel differs, with one square defect: known area. */
static void
test_closed_form(void)
{
	enum
	{
		SIDE = 200
	};
	float *map = malloc(SIDE * SIDE * sizeof(float));
	uint8_t *mask = calloc(SIDE * SIDE, 1);
	mmrd_random r = mmrd_random_create(3, "aupro");
	mmrd_aupro a;
	mmrd_error err = {0};
	double got;

	/* Uniform noise, the same on both sides of the mask: PRO = FPR, so the
	 * area to L is L / 2 after normalising; 10^4 pixels leave 1/sqrt of it. */
	mmrd_aupro_init(&a, 1 << 20);
	for (int p = 0; p < SIDE * SIDE; p++)
	{
		map[p] = (float) mmrd_random_uniform(&r);
		mask[p] = p / SIDE >= 50 && p / SIDE < 150 && p % SIDE >= 100;
	}
	CHECK(mmrd_aupro_add(&a, map, mask, SIDE, SIDE, &err) == MMRD_OK, "%s",
	      err.message);
	CHECK(mmrd_aupro_measure(&a, 0.3, &got, &err) == MMRD_OK, "measure");
	CHECK(fabs(got - 0.15) < 0.01, "aupro of noise is %g", got);
	CHECK(mmrd_aupro_measure(&a, 1, &got, &err) == MMRD_OK, "measure");
	CHECK(fabs(got - 0.5) < 0.01, "aupro of noise to 1 is %g", got);
	free(map);
	free(mask);
	mmrd_aupro_clear(&a);
}

int
main(void)
{
	test_golden();
	test_refusals();
	test_limit();
	test_closed_form();
	return check_result();
}
