/*
 * tests/unit/test_map_codec.c
 *	  Maps survive as promised, and bytes that lie are refused.
 */
#include "loader/image/map_codec.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "loader/bytes/deflate.h"
#include "model/base/random.h"
#include "tests/unit/check.h"

static const mmrd_raster_limits LIMITS = {1 << 20, 4 << 20};

typedef enum kind
{
	NOISE,
	SMOOTH,
	CONSTANT,
	NARROW, /* a few units in the last place wide */
	WIDE,   /* from -FLT_MAX to FLT_MAX */
	TINY    /* subnormal */
} kind;

/* As the network's: coarse noise, interpolated, Gaussian of 4 pixels. */
static void
fill_smooth(int h, int w, mmrd_random *r, float *out)
{
	float *t = calloc((size_t) h * w, sizeof(float));
	float g[33];
	float sum = 0;

	for (int i = 0; i < 33; i++)
		sum += g[i] = expf(-(float) ((i - 16) * (i - 16)) / 32.0f);
	for (int y = 0; y < h; y++)
		for (int x = 0; x < w; x++)
			out[y * w + x] = (float) fabs(mmrd_random_normal(r));
	for (int pass = 0; pass < 2; pass++)
	{
		for (int y = 0; y < h; y++)
			for (int x = 0; x < w; x++)
			{
				float v = 0;

				for (int i = -16; i <= 16; i++)
				{
					int xx = x + i < 0 ? -x - i - 1 : x + i;

					xx = xx >= w ? 2 * w - 1 - xx : xx;
					xx = xx < 0 ? 0 : xx >= w ? w - 1 : xx;
					v += g[i + 16] / sum * out[y * w + xx];
				}
				t[y * w + x] = v;
			}
		for (int y = 0; y < h; y++) /* transposed only when square */
			for (int x = 0; x < w; x++)
				out[y * w + x] = h == w ? t[x * w + y] : t[y * w + x];
	}
	free(t);
}

static void
fill(kind k, int h, int w, mmrd_random *r, float *v)
{
	if (k == SMOOTH)
	{
		fill_smooth(h, w, r, v);
		return;
	}
	for (int p = 0; p < h * w; p++)
	{
		const float u = (float) mmrd_random_uniform(r);

		switch (k)
		{
			case NOISE:
				v[p] = 3 * u - 1;
				break;
			case CONSTANT:
				v[p] = -0.3f;
				break;
			case NARROW:
				v[p] = 1 + FLT_EPSILON * floorf(u * 3000);
				break;
			case WIDE:
				v[p] = (2 * u - 1) * FLT_MAX;
				break;
			case TINY:
				v[p] = u * FLT_MIN;
				break;
			case SMOOTH:
				break;
		}
	}
}

static int
argmax(const float *v, int n)
{
	int best = 0;

	for (int p = 1; p < n; p++)
		best = v[p] > v[best] ? p : best;
	return best;
}

static size_t
round_trip(kind k, int h, int w, bool has_threshold)
{
	const int n = h * w;
	float *v = malloc((size_t) n * sizeof(float));
	mmrd_random r = mmrd_random_create((uint64_t) n * 7 + k, "map codec");
	mmrd_map_view view = {mmrd_map_info_whole(h, w, 2 * h + 1, 3 * w), v};
	mmrd_map_view again;
	mmrd_error err = {0};
	mmrd_map_info info;
	mmrd_map map;
	uint8_t *bytes;
	uint8_t *bytes2;
	size_t n_bytes;
	size_t n_bytes2;
	double range;
	double worst = 0;
	int changed_side = 0;

	fill(k, h, w, &r, v);
	view.info.has_threshold = has_threshold;
	view.info.threshold = has_threshold ? v[n / 2] : 0;
	view.info.roi_x = h > 1 ? 1 : 0;
	view.info.roi_width -= view.info.roi_x;
	CHECK(mmrd_map_encode(&view, &bytes, &n_bytes, &err) == MMRD_OK, "%s",
	      err.message);
	CHECK(mmrd_map_header(bytes, MMRD_MAP_HEADER_BYTES, &info, &err) ==
	          MMRD_OK,
	      "%s: %s", err.message, err.detail);
	CHECK(mmrd_map_decode(bytes, n_bytes, &LIMITS, &map, &err) == MMRD_OK,
	      "%s: %s", err.message, err.detail);
	CHECK(memcmp(&info, &map.info, sizeof(info)) == 0, "headers differ");
	CHECK(info.height == h && info.width == w &&
	          info.source_height == 2 * h + 1,
	      "%d x %d", info.height, info.width);
	CHECK(info.source_width == 3 * w && info.roi_x == view.info.roi_x &&
	          info.roi_width == view.info.roi_width && info.roi_y == 0 &&
	          info.roi_height == 2 * h + 1,
	      "roi %d %d", info.roi_x, info.roi_width);
	CHECK(info.has_threshold == has_threshold &&
	          memcmp(&info.threshold, &view.info.threshold, 4) == 0,
	      "threshold %g", (double) info.threshold);

	range = (double) info.hi - info.lo;
	for (int p = 0; p < n; p++)
	{
		const double e = fabs((double) map.values[p] - v[p]);

		worst = e > worst ? e : worst;
		changed_side += (map.values[p] > view.info.threshold) !=
		                (v[p] > view.info.threshold);
	}
	CHECK(worst <= range / MMRD_MAP_LEVELS +
	                   0.5 * FLT_EPSILON * fmax(fabs(info.hi), fabs(info.lo)),
	      "kind %d, %d x %d: off by %g of %g", k, h, w, worst, range);
	CHECK(worst <= range * 1e-3, "kind %d: off by %g of %g", k, worst, range);
	CHECK(!has_threshold || changed_side == 0,
	      "kind %d: %d pixels changed sides", k, changed_side);
	CHECK(memcmp(&info.hi, &v[argmax(v, n)], 4) == 0, "the maximum changed");
	CHECK(memcmp(&info.hi, &map.values[argmax(v, n)], 4) == 0,
	      "the maximum is not where it was");
	CHECK(has_threshold || argmax(map.values, n) == argmax(v, n),
	      "kind %d: the maximum moved", k);

	again = mmrd_map_as_view(&map);
	CHECK(mmrd_map_encode(&again, &bytes2, &n_bytes2, &err) == MMRD_OK, "%s",
	      err.message);
	CHECK(n_bytes2 == n_bytes && memcmp(bytes, bytes2, n_bytes) == 0,
	      "kind %d, %d x %d: not the same bytes again", k, h, w);
	free(bytes);
	free(bytes2);
	free(v);
	mmrd_map_clear(&map);
	mmrd_map_clear(&map);
	return n_bytes;
}

static void
test_round_trips(void)
{
	static const int sizes[][2] = {{1, 1}, {1, 7}, {9, 1}, {2, 2}, {33, 31}};

	for (int k = NOISE; k <= TINY; k++)
		for (int threshold = 0; threshold < 2; threshold++)
			for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++)
				round_trip(k, sizes[s][0], sizes[s][1], threshold == 1);
}

static void
test_size(void)
{
	const size_t n_bytes = round_trip(SMOOTH, 256, 256, true);

	CHECK(n_bytes <= 256 * 256 * 4 / 4, "a smooth map takes %zu bytes",
	      n_bytes);
	printf("a smooth map takes 1/%.1f of its floats\n",
	       256.0 * 256 * 4 / (double) n_bytes);
}

static void
test_refused_maps(void)
{
	static const float bad[] = {NAN, INFINITY, -INFINITY};
	float v[6] = {0, 1, 2, 3, 4, 5};
	mmrd_error err = {0};
	uint8_t *bytes;
	size_t n_bytes;
	mmrd_map_view view = {mmrd_map_info_whole(2, 3, 20, 30), v};

	for (int i = 0; i < 3; i++)
		for (int at = 0; at < 6; at += 5)
		{
			v[at] = bad[i];
			CHECK(mmrd_map_encode(&view, &bytes, &n_bytes, &err) ==
			          MMRD_INVALID_ARGUMENT,
			      "%g passed", (double) bad[i]);
			CHECK(bytes == NULL && n_bytes == 0, "something was returned");
			v[at] = 0;
		}
	view.info.has_threshold = true;
	view.info.threshold = NAN;
	CHECK(mmrd_map_encode(&view, &bytes, &n_bytes, &err) ==
	          MMRD_INVALID_ARGUMENT,
	      "threshold NaN passed");
	view.info.has_threshold = false;
	view.info.roi_width = 31;
	CHECK(mmrd_map_encode(&view, &bytes, &n_bytes, &err) ==
	          MMRD_INVALID_ARGUMENT,
	      "a rectangle beyond the image passed");
	view.info = mmrd_map_info_whole(0, 3, 20, 30);
	CHECK(mmrd_map_encode(&view, &bytes, &n_bytes, &err) ==
	          MMRD_INVALID_ARGUMENT,
	      "no rows passed");
	view.info = mmrd_map_info_whole(1 << 20, 1 << 20, 20, 30);
	CHECK(mmrd_map_encode(&view, &bytes, &n_bytes, &err) ==
	          MMRD_LIMIT_EXCEEDED,
	      "2^40 values passed");
}

/* One change to a good header, and the status it must lead to. */
static const struct
{
	const char *name;
	int at;
	uint32_t value;
	mmrd_status want;
} lies[] = {
    {"signature", 0, 0x7061506d, MMRD_CORRUPT_DATA},
    {"version 0", 4, 0, MMRD_UNSUPPORTED},
    {"version 2", 4, 2, MMRD_UNSUPPORTED},
    {"flags", 4, 0x0201, MMRD_CORRUPT_DATA},
    {"reserved", 4, 0x10001, MMRD_CORRUPT_DATA},
    {"height 0", 8, 0, MMRD_CORRUPT_DATA},
    {"height 4", 8, 4, MMRD_CORRUPT_DATA},
    {"height 2", 8, 2, MMRD_CORRUPT_DATA},
    {"height negative", 8, 0xffffffff, MMRD_CORRUPT_DATA},
    {"height huge", 8, 0x7fffffff, MMRD_LIMIT_EXCEEDED},
    {"width 0", 12, 0, MMRD_CORRUPT_DATA},
    {"width huge", 12, 0x7fffffff, MMRD_LIMIT_EXCEEDED},
    {"more pixels than bytes can hold", 12, 100000, MMRD_CORRUPT_DATA},
    {"source height 0", 16, 0, MMRD_CORRUPT_DATA},
    {"source width too small", 20, 1, MMRD_CORRUPT_DATA},
    {"source width negative", 20, 0x80000000, MMRD_CORRUPT_DATA},
    {"roi x", 24, 0x7fffffff, MMRD_CORRUPT_DATA},
    {"roi y", 28, 1, MMRD_CORRUPT_DATA},
    {"roi width 0", 32, 0, MMRD_CORRUPT_DATA},
    {"roi width", 32, 0x7fffffff, MMRD_CORRUPT_DATA},
    {"roi height", 36, 0x7fffffff, MMRD_CORRUPT_DATA},
    {"lo is NaN", 40, 0x7fc00000, MMRD_CORRUPT_DATA},
    {"lo above hi", 40, 0x42c80000, MMRD_CORRUPT_DATA},
    {"lo equals hi", 40, 0x41500000, MMRD_CORRUPT_DATA},
    {"hi is infinite", 44, 0x7f800000, MMRD_CORRUPT_DATA},
    {"hi is NaN", 44, 0xffc00000, MMRD_CORRUPT_DATA},
    {"a threshold without its flag", 48, 0x3f800000, MMRD_CORRUPT_DATA},
    {"fewer bytes declared", 52, 1, MMRD_CORRUPT_DATA},
    {"more bytes declared", 52, 0xffffffff, MMRD_CORRUPT_DATA},
};

static void
decode_must_fail(const char *name, const uint8_t *bytes, size_t n_bytes,
                 mmrd_status want)
{
	mmrd_error err = {0};
	mmrd_map map;
	mmrd_status got;

	memset(&map, 0xff, sizeof(map));
	got = mmrd_map_decode(bytes, n_bytes, &LIMITS, &map, &err);
	CHECK(got == want, "%s: got %d \"%s\" %s", name, got, err.message,
	      err.detail);
	CHECK(map.values == NULL, "%s: something was returned", name);
	CHECK(err.message[0] != '\0', "%s: no message", name);
}

/* A header that tells the truth about a stream made here. */
static void
test_lying_stream(const uint8_t *good, const char *name, int stored)
{
	uint8_t planes[24] = {0};
	uint8_t bytes[MMRD_MAP_HEADER_BYTES + 200];
	size_t n_packed;
	mmrd_error err = {0};

	planes[0] = (uint8_t) (stored & 0xff);
	planes[12] = (uint8_t) (stored >> 8);
	CHECK(mmrd_deflate(6, planes, 24, bytes + MMRD_MAP_HEADER_BYTES, &n_packed,
	                   &err) == MMRD_OK,
	      "%s", err.message);
	memcpy(bytes, good, MMRD_MAP_HEADER_BYTES);
	bytes[52] = (uint8_t) n_packed;
	decode_must_fail(name, bytes, MMRD_MAP_HEADER_BYTES + n_packed,
	                 MMRD_CORRUPT_DATA);
}

static void
test_hostile(void)
{
	float v[12];
	mmrd_map_view view = {mmrd_map_info_whole(3, 4, 30, 40), v};
	const mmrd_raster_limits few_pixels = {11, 1000};
	const mmrd_raster_limits few_bytes = {1000, 47};
	mmrd_error err = {0};
	mmrd_map map;
	uint8_t *good;
	size_t n_bytes;

	for (int p = 0; p < 12; p++)
		v[p] = (float) (p + 2);
	CHECK(mmrd_map_encode(&view, &good, &n_bytes, &err) == MMRD_OK, "%s",
	      err.message);
	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++)
	{
		uint8_t *bad = malloc(n_bytes);

		memcpy(bad, good, n_bytes);
		for (int b = 0; b < 4; b++)
			bad[lies[i].at + b] = (uint8_t) (lies[i].value >> 8 * b);
		decode_must_fail(lies[i].name, bad, n_bytes, lies[i].want);
		free(bad);
	}
	for (size_t cut = 0; cut < n_bytes; cut++)
	{
		uint8_t *bad = malloc(cut + 1); /* its end is the sanitizer's end */

		memcpy(bad, good, cut);
		decode_must_fail("cut", bad, cut, MMRD_CORRUPT_DATA);
		if (cut > MMRD_MAP_HEADER_BYTES)
		{
			bad[52] = (uint8_t) (cut - MMRD_MAP_HEADER_BYTES);
			decode_must_fail("cut, and says so", bad, cut, MMRD_CORRUPT_DATA);
		}
		free(bad);
	}
	test_lying_stream(good, "all least", 0);
	test_lying_stream(good, "no least", 10);
	test_lying_stream(good, "above the top level", 2 * 4096);
	test_lying_stream(good, "below zero", 1);
	test_lying_stream(good, "largest residual", 0xffff);

	CHECK(mmrd_map_decode(good, n_bytes, &few_pixels, &map, &err) ==
	          MMRD_LIMIT_EXCEEDED,
	      "limit of pixels ignored");
	CHECK(mmrd_map_decode(good, n_bytes, &few_bytes, &map, &err) ==
	          MMRD_LIMIT_EXCEEDED,
	      "limit of bytes ignored");
	free(good);
}

int
main(void)
{
	test_round_trips();
	test_size();
	test_refused_maps();
	test_hostile();
	return check_result();
}
