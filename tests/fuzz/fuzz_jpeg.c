/*
 * tests/fuzz/fuzz_jpeg.c
 *	  Any bytes to the JPEG decoder: it decodes or refuses, owns nothing after
 *	  a refusal, and agrees with its own reading of the size.
 *
 * Seeds: tests/hostile/jpeg/ and tests/golden/jpeg/.
 */
#include "loader/image/jpeg.h"

#include <stdlib.h>

#include "tests/fuzz/fuzz_replay.h"

/* Small, so that an input takes microseconds. */
static const mmrd_raster_limits limits = {1 << 18, 1 << 22};

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	mmrd_raster image;
	mmrd_error err = {0};
	mmrd_error size_err = {0};
	int32_t width;
	int32_t height;
	const mmrd_status size_status =
	    mmrd_jpeg_size(bytes, len, &width, &height, &size_err);
	const mmrd_status st = mmrd_jpeg_decode(bytes, len, &limits, &image, &err);

	FUZZ_REQUIRE((size_status == MMRD_OK) == (width > 0 && height > 0));
	FUZZ_REQUIRE((st == MMRD_OK) == (image.data != NULL));
	FUZZ_REQUIRE((st == MMRD_OK) == (err.message[0] == '\0'));
	FUZZ_REQUIRE(st != MMRD_INTERNAL && st != MMRD_INVALID_ARGUMENT);
	if (st == MMRD_OK)
	{
		const size_t n = (size_t) image.height * (size_t) image.width *
		                 (size_t) image.channels *
		                 mmrd_sample_bytes(image.sample);
		volatile uint8_t sink = 0;

		FUZZ_REQUIRE(image.width == width && image.height == height);
		for (size_t i = 0; i < n; i++) /* every byte is there */
			sink = (uint8_t) (sink + ((const uint8_t *) image.data)[i]);
	}
	mmrd_raster_clear(&image);
	return 0;
}
