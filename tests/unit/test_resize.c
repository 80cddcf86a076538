/*
 * tests/unit/test_resize.c
 *	  The bilinear resize against its reference, against Pillow's numbers in
 *	  tests/golden/resize.bin, and against itself on one thread; the nearest
 *	  neighbour against its formula.
 */
#include "model/input/resize.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/base/random.h"
#include "model/base/threads.h"
#include "tests/unit/check.h"

static const mmrd_affine plain_1 = {1, {1, 1, 1}, {0, 0, 0}};
static const mmrd_affine plain_3 = {3, {1, 1, 1}, {0, 0, 0}};

/* Noise over the full range of the sample type; floats in [-1,1]. */
static void
fill(mmrd_raster *r, uint64_t seed)
{
	const size_t n = (size_t) r->height * r->width * r->channels;

	for (size_t k = 0; k < n; k++)
	{
		const uint64_t bits = mmrd_mix64((seed << 32) + k);

		if (r->sample == MMRD_SAMPLE_U8)
			((uint8_t *) r->data)[k] = (uint8_t) (bits >> 56);
		else if (r->sample == MMRD_SAMPLE_U16)
			((uint16_t *) r->data)[k] = (uint16_t) (bits >> 48);
		else
			((float *) r->data)[k] = (float) (bits >> 40) / (1 << 23) - 1.0f;
	}
}

static mmrd_raster
noise(mmrd_sample sample, int channels, int height, int width, uint64_t seed)
{
	const mmrd_raster_limits limits = {1 << 24, 1 << 28};
	mmrd_raster r = {sample, channels, height, width, NULL};
	mmrd_error err = {0};

	if (mmrd_raster_allocate(&r, &limits, &err) != MMRD_OK)
		abort();
	fill(&r, seed);
	return r;
}

static void
against_reference(mmrd_sample sample, int channels, int out_channels,
                  const int size[4], const mmrd_roi *roi)
{
	const int H = size[2];
	const int W = size[3];
	const size_t n = (size_t) H * W * out_channels;
	const float full = sample == MMRD_SAMPLE_U8    ? 255.0f
	                   : sample == MMRD_SAMPLE_U16 ? 65535.0f
	                                               : 1.0f;
	const mmrd_affine to = {
	    out_channels, {2 / full, 1 / full, 3 / full}, {-0.5f, 0.25f, 0}};
	mmrd_raster r = noise(sample, channels, size[0], size[1], 7);
	float *want = malloc(n * sizeof(float));
	float *got = malloc(n * sizeof(float));
	float *threaded = malloc(n * sizeof(float));
	mmrd_error err = {0};
	mmrd_view view;

	/*
	 * Weights and partial sums are off by one rounding per tap at most, the
	 * values are at most 3.
	 */
	const float taps = 4 + 2.0f * size[0] / H + 2.0f * size[1] / W;
	const float tol = 3 * taps * FLT_EPSILON;

	CHECK(mmrd_view_of(&r, roi, &view, &err) == MMRD_OK, "%s", err.message);
	mmrd_resize_bilinear_ref(&view, H, W, &to, want);
	memset(got, 0xff, n * sizeof(float));
	memset(threaded, 0xff, n * sizeof(float));
	mmrd_threads_set(1);
	CHECK(mmrd_resize_bilinear(&view, H, W, &to, got, &err) == MMRD_OK, "%s",
	      err.message);
	mmrd_threads_set(3);
	CHECK(mmrd_resize_bilinear(&view, H, W, &to, threaded, &err) == MMRD_OK,
	      "%s", err.message);
	mmrd_threads_set(1);
	for (size_t i = 0; i < n; i++)
		CHECK(fabsf(got[i] - want[i]) <= tol,
		      "sample %d, %d channels, %dx%d to %dx%d at %zu: got %.9g, want "
		      "%.9g, tol %.3g",
		      sample, channels, size[0], size[1], H, W, i, got[i], want[i],
		      tol);
	CHECK(memcmp(got, threaded, n * sizeof(float)) == 0,
	      "%dx%d to %dx%d depends on the thread count", size[0], size[1], H,
	      W);
	mmrd_raster_clear(&r);
	free(want);
	free(got);
	free(threaded);
}

static void
test_reference(void)
{
	static const int sizes[][4] = {
	    {1, 1, 1, 1},     {1, 1, 3, 5},    {2, 3, 1, 1},     {31, 33, 32, 32},
	    {32, 32, 32, 32}, {7, 90, 8, 9},   {61, 47, 32, 33}, {5, 9, 40, 31},
	    {97, 3, 10, 1},   {64, 64, 32, 32}};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		for (int s = 0; s < 3; s++)
		{
			against_reference((mmrd_sample) s, 1, 1, sizes[i], NULL);
			against_reference((mmrd_sample) s, 1, 3, sizes[i], NULL);
			against_reference((mmrd_sample) s, 3, 3, sizes[i], NULL);
		}
	for (int s = 0; s < 3; s++)
	{
		static const int size[4] = {40, 50, 16, 16};
		static const mmrd_roi inner = {3, 5, 31, 29};
		static const mmrd_roi corner = {49, 39, 1, 1};

		against_reference((mmrd_sample) s, 3, 3, size, &inner);
		against_reference((mmrd_sample) s, 1, 3, size, &inner);
		against_reference((mmrd_sample) s, 3, 3, size, &corner);
	}
}

static void
test_pillow(void)
{
	FILE *file = fopen("tests/golden/resize.bin", "rb");
	int32_t h[6];
	int cases = 0;

	CHECK(file != NULL, "tests/golden/resize.bin is missing");
	while (file != NULL && fread(h, sizeof(h), 1, file) == 1)
	{
		const size_t n = (size_t) h[3] * h[4] * h[0];
		mmrd_raster r =
		    noise(MMRD_SAMPLE_U8, h[0], h[1], h[2], (uint64_t) h[5]);
		uint8_t *want = malloc(n);
		float *got = malloc(n * sizeof(float));
		float worst = 0;
		mmrd_error err = {0};
		mmrd_view view;

		CHECK(fread(want, 1, n, file) == n, "case %d is cut short", h[5]);
		CHECK(mmrd_view_of(&r, NULL, &view, &err) == MMRD_OK, "%s",
		      err.message);
		memset(got, 0xff, n * sizeof(float));
		CHECK(mmrd_resize_bilinear(&view, h[3], h[4],
		                           h[0] == 1 ? &plain_1 : &plain_3, got,
		                           &err) == MMRD_OK,
		      "%s", err.message);
		for (size_t i = 0; i < n; i++)
		{
			const float off = fabsf(got[i] - (float) want[i]);

			worst = off <= worst ? worst : off; /* a NaN stays */
		}
		/* Pillow rounds twice, by at most 1/2 each. */
		CHECK(worst <= 1.01f, "case %d: off by %.4g of 255", h[5], worst);
		free(want);
		free(got);
		mmrd_raster_clear(&r);
		cases++;
	}
	CHECK(cases == 15, "%d cases", cases);
	if (file != NULL)
		fclose(file);
}

static void
test_nearest(void)
{
	static const int sizes[][4] = {{1, 1, 3, 2},   {400, 400, 256, 256},
	                               {5, 7, 11, 13}, {33, 31, 32, 32},
	                               {9, 9, 9, 9},   {3, 100, 2, 1}};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		for (int s = 0; s < 3; s++)
			for (int C = 1; C <= 3; C += 2)
			{
				const int h = sizes[i][0];
				const int w = sizes[i][1];
				const int H = sizes[i][2];
				const int W = sizes[i][3];
				const size_t n = (size_t) H * W * C;
				mmrd_raster r = noise((mmrd_sample) s, C, h, w, i);
				float *got = malloc(n * sizeof(float));
				mmrd_error err = {0};
				mmrd_view view;
				size_t bad = 0;

				CHECK(mmrd_view_of(&r, NULL, &view, &err) == MMRD_OK, "%s",
				      err.message);
				memset(got, 0xff, n * sizeof(float));
				mmrd_resize_nearest(&view, H, W, got);
				for (size_t k = 0; k < n; k++)
				{
					const int c = (int) (k % C);
					const int x = (int) (k / C % W);
					const int y = (int) (k / C / W);
					const int fy = (2 * y + 1) * h / (2 * H);
					const int fx = (2 * x + 1) * w / (2 * W);
					const size_t at = ((size_t) fy * w + fx) * C + c;
					const float want = s == 0   ? ((uint8_t *) r.data)[at]
					                   : s == 1 ? ((uint16_t *) r.data)[at]
					                            : ((float *) r.data)[at];

					bad += got[k] != want;
				}
				CHECK(bad == 0, "%dx%d to %dx%d, sample %d: %zu differ", h, w,
				      H, W, s, bad);
				free(got);
				mmrd_raster_clear(&r);
			}
}

static void
test_roi(void)
{
	static const mmrd_roi bad[] = {
	    {-1, 0, 5, 5},        {0, -1, 5, 5},        {0, 0, 0, 5},
	    {0, 0, 5, 0},         {0, 0, 11, 5},        {0, 0, 5, 9},
	    {10, 0, 1, 1},        {0, 8, 1, 1},         {1, 0, 10, 1},
	    {INT32_MAX, 0, 5, 5}, {5, 5, INT32_MAX, 1}, {0, 0, -3, 4}};
	mmrd_raster r = noise(MMRD_SAMPLE_U8, 1, 8, 10, 1);
	mmrd_view view;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
	{
		mmrd_error err = {0};

		CHECK(mmrd_view_of(&r, &bad[i], &view, &err) == MMRD_INVALID_ARGUMENT,
		      "roi %zu passed", i);
		CHECK(view.data == NULL && err.detail[0] != '\0', "roi %zu", i);
	}
	mmrd_raster_clear(&r);
}

int
main(void)
{
	test_reference();
	test_pillow();
	test_nearest();
	test_roi();
	return check_result();
}
