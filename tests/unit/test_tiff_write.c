/*
 * tests/unit/test_tiff_write.c
 *	  What mmrd_tiff_encode() writes, mmrd_tiff_decode() (libtiff) reads back
 *	  to the bit.
 */
#include "loader/image/tiff_write.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "loader/image/format.h"
#include "loader/image/tiff.h"
#include "tests/unit/check.h"

static const mmrd_raster_limits limits = {1 << 22, 1 << 28};

static void
fill(float *x, size_t n)
{
	uint32_t seed = 7;

	for (size_t i = 0; i < n; i++)
	{
		seed = seed * 1664525u + 1013904223u;
		x[i] = 2.5f + (float) (seed >> 8) / (1 << 26);
	}
	/* Any bits are kept, those of no number, too. */
	x[0] = NAN;
	x[n / 2] = -INFINITY;
	x[n - 1] = n > 1 ? -0.0f : x[0];
}

static void
round_trip(int32_t channels, int32_t height, int32_t width, int level)
{
	mmrd_raster image = {MMRD_SAMPLE_F32, channels, height, width, NULL};
	mmrd_raster back;
	mmrd_error err = {0};
	const size_t n = (size_t) channels * (size_t) height * (size_t) width;
	uint8_t *bytes;
	size_t n_bytes;

	image.data = malloc(n * sizeof(float));
	fill(image.data, n);
	CHECK(mmrd_tiff_encode(&image, level, &bytes, &n_bytes, &err) == MMRD_OK,
	      "%dx%dx%d: %s", channels, height, width, err.message);
	CHECK(mmrd_image_decode(bytes, n_bytes, &limits, &back, &err) == MMRD_OK,
	      "%dx%dx%d: %s %s", channels, height, width, err.message, err.detail);
	CHECK(back.sample == MMRD_SAMPLE_F32 && back.channels == channels &&
	          back.height == height && back.width == width,
	      "%dx%dx%d came back as %dx%dx%d", channels, height, width,
	      back.channels, back.height, back.width);
	CHECK(back.data != NULL &&
	          memcmp(back.data, image.data, n * sizeof(float)) == 0,
	      "%dx%dx%d: values changed", channels, height, width);
	mmrd_raster_clear(&back);
	free(bytes);
	free(image.data);
}

/* A smooth depth map, as sensors make them, must become smaller. */
static void
is_compressed(void)
{
	enum
	{
		SIDE = 128
	};
	static float depth[SIDE * SIDE];
	const mmrd_raster image = {MMRD_SAMPLE_F32, 1, SIDE, SIDE, depth};
	mmrd_error err = {0};
	uint8_t *bytes;
	size_t n_bytes;

	for (int i = 0; i < SIDE * SIDE; i++)
		depth[i] =
		    2.3f + 1e-4f * (float) (i % SIDE) + 3e-4f * (float) (i / SIDE);
	CHECK(mmrd_tiff_encode(&image, 6, &bytes, &n_bytes, &err) == MMRD_OK, "%s",
	      err.message);
	CHECK(n_bytes < sizeof(depth) * 6 / 10, "%zu bytes of %zu", n_bytes,
	      sizeof(depth));
	free(bytes);
}

static void
refuses(const char *what, mmrd_raster image, int level, mmrd_status want)
{
	mmrd_error err = {0};
	uint8_t *bytes = (uint8_t *) &err;
	size_t n_bytes = 1;
	const mmrd_status st =
	    mmrd_tiff_encode(&image, level, &bytes, &n_bytes, &err);

	CHECK(st == want, "%s: got %d \"%s\"", what, st, err.message);
	CHECK(bytes == NULL && n_bytes == 0, "%s", what);
	CHECK(err.message[0] != '\0', "%s", what);
}

int
main(void)
{
	float one = 1;

	round_trip(1, 1, 1, 6);
	round_trip(3, 1, 1, 6);
	round_trip(1, 1, 17, 1);
	round_trip(1, 17, 1, 9);
	round_trip(3, 5, 7, 6);
	round_trip(1, 63, 65, 6);
	round_trip(3, 64, 64, 6);
	is_compressed();
	refuses("8 bits", (mmrd_raster){MMRD_SAMPLE_U8, 1, 1, 1, &one}, 6,
	        MMRD_INVALID_ARGUMENT);
	refuses("2 channels", (mmrd_raster){MMRD_SAMPLE_F32, 2, 1, 1, &one}, 6,
	        MMRD_INVALID_ARGUMENT);
	refuses("level 0", (mmrd_raster){MMRD_SAMPLE_F32, 1, 1, 1, &one}, 0,
	        MMRD_INVALID_ARGUMENT);
	refuses("level 10", (mmrd_raster){MMRD_SAMPLE_F32, 1, 1, 1, &one}, 10,
	        MMRD_INVALID_ARGUMENT);
	refuses("2 GB", (mmrd_raster){MMRD_SAMPLE_F32, 1, 1 << 15, 1 << 14, &one},
	        6, MMRD_LIMIT_EXCEEDED);
	return check_result();
}
