/*
 * tests/unit/test_depth_scale.c
 *	  Range, scaling and filling of depth, by hand and by the definition.
 */
#include "model/input/depth_scale.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/base/random.h"
#include "model/base/threads.h"
#include "tests/unit/check.h"

static void
test_range(void)
{
	static const float value[] = {NAN, 3, -2, 7, INFINITY, 5};
	static const uint8_t use[] = {0, 1, 1, 0, 0, 1};
	static const uint8_t none[6] = {0};
	float lo = NAN;
	float hi = NAN;

	CHECK(mmrd_depth_range(6, value, use, &lo, &hi) && lo == -2 && hi == 5,
	      "range is [%g, %g]", lo, hi);
	CHECK(!mmrd_depth_range(6, value, none, &lo, &hi) && lo == 0 && hi == 0,
	      "no value has the range [%g, %g]", lo, hi);
	CHECK(!mmrd_depth_range(0, value, use, &lo, &hi), "0 values have one");
}

static void
test_scale(void)
{
	static const float value[] = {NAN, 10, 20, 15, INFINITY, 5, 40};
	static const uint8_t use[] = {0, 1, 1, 1, 0, 1, 1};
	static const float want[] = {0, 0.1f, 0.9f, 0.5f, 0, 0.1f, 0.9f};
	static const float huge[] = {-FLT_MAX, FLT_MAX, 0};
	static const uint8_t all[] = {1, 1, 1, 1, 1, 1, 1};
	float out[7];

	memset(out, 0xff, sizeof(out));
	mmrd_depth_scale(7, value, use, 10, 20, out);
	for (int i = 0; i < 7; i++)
		CHECK(fabsf(out[i] - want[i]) <= 1e-7f, "at %d: got %.9g, want %.9g",
		      i, out[i], want[i]);
	mmrd_depth_scale(7, value, use, 10, 10, out);
	for (int i = 0; i < 7; i++)
		CHECK(out[i] == (use[i] ? 0.5f : 0), "flat at %d: %.9g", i, out[i]);
	mmrd_depth_scale(3, huge, all, -FLT_MAX, FLT_MAX, out);
	CHECK(fabsf(out[0] - 0.1f) <= 1e-7f && fabsf(out[1] - 0.9f) <= 1e-7f &&
	          fabsf(out[2] - 0.5f) <= 1e-7f,
	      "the largest floats became %g %g %g", out[0], out[1], out[2]);
}

static void
one_fill(int H, int W)
{
	const size_t n = (size_t) H * W;
	float *in = malloc(n * sizeof(float));
	float *got = malloc(n * sizeof(float));
	float *threaded = malloc(n * sizeof(float));
	uint8_t *mask = malloc(n);

	for (size_t i = 0; i < n; i++)
	{
		in[i] = mmrd_mix64(i) % 10 < 6
		            ? 0
		            : (float) (mmrd_mix64(i + n) >> 40) / (1 << 24);
		mask[i] = mmrd_mix64(i + 2 * n) % 10 < 8;
	}
	memset(got, 0xff, n * sizeof(float));
	memset(threaded, 0xff, n * sizeof(float));
	mmrd_threads_set(1);
	mmrd_depth_fill(H, W, mask, in, got);
	mmrd_threads_set(3);
	mmrd_depth_fill(H, W, mask, in, threaded);
	mmrd_threads_set(1);
	CHECK(memcmp(got, threaded, n * sizeof(float)) == 0,
	      "%d x %d depends on the thread count", H, W);
	for (int y = 0; y < H; y++)
		for (int x = 0; x < W; x++)
		{
			double sum = 0;
			int count = 0;
			double want = in[y * W + x];

			for (int v = y - 1; v <= y + 1; v++)
				for (int u = x - 1; u <= x + 1; u++)
					if (v >= 0 && u >= 0 && v < H && u < W &&
					    in[v * W + u] > 0)
					{
						sum += in[v * W + u];
						count++;
					}
			if (mask[y * W + x] && want == 0 && count > 0)
				want = sum / count;
			/* Eight values below 1. */
			CHECK(fabs(got[y * W + x] - want) <= 1e-6,
			      "%d x %d at (%d, %d): got %.9g, want %.9g", H, W, x, y,
			      got[y * W + x], want);
		}
	free(in);
	free(got);
	free(threaded);
	free(mask);
}

int
main(void)
{
	static const int sides[] = {1, 2, 3, 17, 64};

	test_range();
	test_scale();
	for (int i = 0; i < 5; i++)
		for (int j = 0; j < 5; j++)
			one_fill(sides[i], sides[j]);
	return check_result();
}
