/*
 * tests/unit/test_thumbnail.c
 *	  Sizes, samples of every kind, and means of areas.
 */
#include "model/score/thumbnail.h"

#include <stdlib.h>
#include <string.h>

#include "tests/unit/check.h"

static mmrd_raster
make(mmrd_sample sample, int channels, int height, int width)
{
	const mmrd_raster_limits limits = {1 << 26, (size_t) 1 << 28};
	mmrd_raster image = {sample, channels, height, width, NULL};
	mmrd_error err = {0};

	if (mmrd_raster_allocate(&image, &limits, &err) != MMRD_OK)
		exit(1);
	memset(image.data, 0,
	       (size_t) channels * (size_t) height * (size_t) width *
	           mmrd_sample_bytes(sample));
	return image;
}

static void
check_size(int height, int width, int max_side, int want_height,
           int want_width)
{
	mmrd_raster image = make(MMRD_SAMPLE_U8, 3, height, width);
	mmrd_raster small;
	mmrd_error err = {0};

	CHECK(mmrd_thumbnail_make(&image, max_side, &small, &err) == MMRD_OK, "%s",
	      err.message);
	CHECK(small.height == want_height && small.width == want_width &&
	          small.channels == 3 && small.sample == MMRD_SAMPLE_U8,
	      "%d x %d: got %d x %d, want %d x %d", height, width, small.height,
	      small.width, want_height, want_width);
	mmrd_raster_clear(&small);
	mmrd_raster_clear(&image);
}

/* One that fits is copied as it is. */
static void
test_copy(void)
{
	mmrd_raster image = make(MMRD_SAMPLE_U8, 3, 5, 7);
	mmrd_raster small;
	mmrd_error err = {0};

	for (int i = 0; i < 105; i++)
		((uint8_t *) image.data)[i] = (uint8_t) (i * 37);
	CHECK(mmrd_thumbnail_make(&image, 7, &small, &err) == MMRD_OK, "%s",
	      err.message);
	CHECK(memcmp(small.data, image.data, 105) == 0, "the same samples");
	mmrd_raster_clear(&small);
	mmrd_raster_clear(&image);
}

static void
test_samples(void)
{
	mmrd_raster grey = make(MMRD_SAMPLE_U16, 1, 64, 64);
	mmrd_raster deep = make(MMRD_SAMPLE_F32, 3, 4, 4);
	mmrd_raster small;
	mmrd_error err = {0};
	int wrong = 0;

	/* Left half black, right half white: the far ends stay so. */
	for (int p = 0; p < 64 * 64; p++)
		((uint16_t *) grey.data)[p] = p % 64 < 32 ? 0 : 65535;
	CHECK(mmrd_thumbnail_make(&grey, 8, &small, &err) == MMRD_OK, "%s",
	      err.message);
	for (int y = 0; y < 8; y++)
		for (int k = 0; k < 3; k++)
		{
			const uint8_t *row = (uint8_t *) small.data + y * 24;

			wrong += row[k] != 0 || row[21 + k] != 255;
			wrong += row[9 + k] + row[12 + k] != 255; /* symmetric */
		}
	CHECK(wrong == 0, "%d wrong samples", wrong);
	mmrd_raster_clear(&small);

	CHECK(mmrd_thumbnail_make(&deep, 2, &small, &err) == MMRD_UNSUPPORTED,
	      "float samples");
	CHECK(small.data == NULL, "and nothing is left");
	mmrd_raster_clear(&grey);
	mmrd_raster_clear(&deep);
}

int
main(void)
{
	check_size(100, 100, 100, 100, 100);
	check_size(101, 101, 100, 100, 100);
	check_size(1000, 500, 100, 100, 50);
	check_size(500, 1001, 100, 50, 100);
	check_size(1, 3000, 100, 1, 100);
	check_size(3, 2, 1, 1, 1);
	test_copy();
	test_samples();
	return check_result();
}
