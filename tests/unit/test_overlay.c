/*
 * tests/unit/test_overlay.c
 *	  Blending, the place of the map on the image, and the contour.
 */
#include "model/score/overlay.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/check.h"

static const mmrd_raster_limits LIMITS = {1 << 20, 4 << 20};

static const mmrd_overlay_style PLAIN = {
    MMRD_PALETTE_GREY, 0, 1, 0.5f, false, 0};

static bool
is_line(const uint8_t *p)
{
	return p[0] == 0 && p[1] == 255 && p[2] == 102;
}

/* The interpolated map, plainly, in double. */
static double
bilinear(const mmrd_map_view *map, int x, int y)
{
	const int w = map->info.width;
	const int h = map->info.height;
	double fx = (x + 0.5) * w / map->info.roi_width - 0.5;
	double fy = (y + 0.5) * h / map->info.roi_height - 0.5;
	double sum = 0;

	fx = fx < 0 ? 0 : fx > w - 1 ? w - 1 : fx;
	fy = fy < 0 ? 0 : fy > h - 1 ? h - 1 : fy;
	for (int j = 0; j < h; j++)
		for (int i = 0; i < w; i++)
			sum += map->values[j * w + i] * fmax(0, 1 - fabs(fx - i)) *
			       fmax(0, 1 - fabs(fy - j));
	return sum;
}

/* Every pixel against the formula; images of both depths and both kinds. */
static void
blend_case(mmrd_sample sample, int channels, float opacity)
{
	enum
	{
		W = 11,
		H = 7
	};
	static const float values[] = {0.1f, 0.9f, 0.4f, 0.0f, 1.0f, 0.7f};
	mmrd_map_view map = {mmrd_map_info_whole(2, 3, H, W), values};
	uint8_t bytes[W * H * 3];
	uint16_t words[W * H * 3];
	const mmrd_raster image = {sample, channels, H, W,
	                           sample == MMRD_SAMPLE_U8 ? (void *) bytes
	                                                    : (void *) words};
	mmrd_overlay_style style = PLAIN;
	mmrd_error err = {0};
	mmrd_raster out;

	style.opacity = opacity;
	map.info.roi_x = 2;
	map.info.roi_y = 1;
	map.info.roi_width = 8;
	map.info.roi_height = 5;
	for (int i = 0; i < W * H * 3; i++)
	{
		bytes[i] = (uint8_t) (37 * i);
		words[i] = (uint16_t) (257 * bytes[i]);
	}
	CHECK(mmrd_overlay_draw(&image, &map, &style, &LIMITS, &out, &err) ==
	          MMRD_OK,
	      "%s: %s", err.message, err.detail);
	CHECK(out.width == W && out.height == H && out.channels == 3 &&
	          out.sample == MMRD_SAMPLE_U8,
	      "shape");
	for (int y = 0; y < H; y++)
		for (int x = 0; x < W; x++)
			for (int k = 0; k < 3; k++)
			{
				const int p = y * W + x;
				const double base = bytes[channels == 1 ? p : 3 * p + k];
				const bool inside = x >= 2 && x < 10 && y >= 1 && y < 6;
				const double want =
				    inside ? (1 - opacity) * base +
				                 opacity * 255 * bilinear(&map, x - 2, y - 1)
				           : base;
				const double got = ((uint8_t *) out.data)[3 * p + k];

				/* The palette's step and the result are rounded. */
				CHECK(fabs(got - want) <= (inside ? 1.01 : 0),
				      "at (%d, %d, %d): got %g, want %g", x, y, k, got, want);
			}
	mmrd_raster_clear(&out);
}

/* A square of 4 x 4 map pixels in the middle of an image 16 times as large. */
static void
test_contour(void)
{
	enum
	{
		N = 16,
		SIDE = 256
	};
	float values[N * N] = {0};
	mmrd_map_view map = {mmrd_map_info_whole(N, N, SIDE, SIDE), values};
	uint8_t *grey = calloc(SIDE * SIDE, 1);
	const mmrd_raster image = {MMRD_SAMPLE_U8, 1, SIDE, SIDE, grey};
	mmrd_overlay_style style = PLAIN;
	mmrd_error err = {0};
	mmrd_raster out;
	int n_line = 0;
	int n_wrong = 0;

	for (int p = 0; p < N * N; p++)
		values[p] = p / N >= 6 && p / N < 10 && p % N >= 6 && p % N < 10;
	style.has_contour = true;
	style.contour = 0.5f;
	CHECK(mmrd_overlay_draw(&image, &map, &style, &LIMITS, &out, &err) ==
	          MMRD_OK,
	      "%s", err.message);
	for (int y = 0; y < SIDE; y++)
		for (int x = 0; x < SIDE; x++)
		{
			const uint8_t *p = (uint8_t *) out.data + 3 * (y * SIDE + x);
			bool border = false;

			if (bilinear(&map, x, y) > 0.5)
				for (int d = 0; d < 9; d++)
				{
					const int nx = x + d % 3 - 1;
					const int ny = y + d / 3 - 1;

					border = border || !(bilinear(&map, nx, ny) > 0.5);
				}
			n_line += is_line(p);
			n_wrong += is_line(p) != border;
		}
	CHECK(n_wrong == 0, "%d pixels", n_wrong);
	CHECK(n_line > 4 * 56 && n_line < 4 * 64, "%d pixels of line", n_line);
	mmrd_raster_clear(&out);

	/* All of the map above: its region has no border to draw. */
	style.contour = -1;
	CHECK(mmrd_overlay_draw(&image, &map, &style, &LIMITS, &out, &err) ==
	          MMRD_OK,
	      "%s", err.message);
	for (int p = 0; p < SIDE * SIDE; p++)
		n_wrong += is_line((uint8_t *) out.data + 3 * p);
	CHECK(n_wrong == 0, "%d pixels of line around everything", n_wrong);
	mmrd_raster_clear(&out);
	free(grey);
}

static void
must_fail(const char *what, const mmrd_raster *image, const mmrd_map_view *map,
          const mmrd_overlay_style *style, const mmrd_raster_limits *limits,
          mmrd_status want)
{
	mmrd_error err = {0};
	mmrd_raster out;
	mmrd_status got;

	memset(&out, 0xff, sizeof(out));
	got = mmrd_overlay_draw(image, map, style, limits, &out, &err);
	CHECK(got == want, "%s: got %d \"%s\"", what, got, err.message);
	CHECK(out.data == NULL, "%s: something was returned", what);
}

static void
test_refusals(void)
{
	static const float values[] = {0, 1};
	static const float bad[] = {-0.01f, 1.01f, NAN};
	const mmrd_raster_limits few = {2, 100};
	mmrd_map_view map = {mmrd_map_info_whole(1, 2, 1, 3), values};
	float samples[9] = {0};
	mmrd_raster image = {MMRD_SAMPLE_U8, 3, 1, 3, samples};
	mmrd_overlay_style style = PLAIN;

	for (int i = 0; i < 3; i++)
	{
		style.opacity = bad[i];
		must_fail("opacity", &image, &map, &style, &LIMITS,
		          MMRD_INVALID_ARGUMENT);
	}
	style = PLAIN;
	style.has_contour = true;
	style.contour = NAN;
	must_fail("contour", &image, &map, &style, &LIMITS, MMRD_INVALID_ARGUMENT);
	style = PLAIN;
	style.lo = 2;
	must_fail("range", &image, &map, &style, &LIMITS, MMRD_INVALID_ARGUMENT);
	must_fail("limit", &image, &map, &PLAIN, &few, MMRD_LIMIT_EXCEEDED);
	image.sample = MMRD_SAMPLE_F32;
	must_fail("float samples", &image, &map, &PLAIN, &LIMITS,
	          MMRD_UNSUPPORTED);
	image.sample = MMRD_SAMPLE_U8;
	image.width = 2;
	must_fail("another image", &image, &map, &PLAIN, &LIMITS,
	          MMRD_INVALID_ARGUMENT);
	image.width = 3;
	map.info.roi_width = 4;
	must_fail("rectangle beyond the image", &image, &map, &PLAIN, &LIMITS,
	          MMRD_INVALID_ARGUMENT);
}

int
main(void)
{
	static const float opacities[] = {0, 0.3f, 1};

	for (int i = 0; i < 3; i++)
		for (int channels = 1; channels <= 3; channels += 2)
		{
			blend_case(MMRD_SAMPLE_U8, channels, opacities[i]);
			blend_case(MMRD_SAMPLE_U16, channels, opacities[i]);
		}
	test_contour();
	test_refusals();
	return check_result();
}
