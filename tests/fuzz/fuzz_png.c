/*
 * tests/fuzz/fuzz_png.c
 *	  Any bytes to the PNG decoder: it decodes or refuses, owns nothing after
 *	  a refusal, and agrees with its own reading of the size.
 *
 * Every input is tried twice, the second time with the checksums of its
 * chunks put right: otherwise hardly a mutation gets past the first.
 *
 * Seeds: tests/hostile/png/.
 */
#include "loader/image/png.h"

#include <stdlib.h>
#include <string.h>

#include "loader/bytes/deflate.h"
#include "tests/fuzz/fuzz_replay.h"

/* Small, so that an input takes microseconds. */
static const mmrd_raster_limits limits = {1 << 18, 1 << 22};

static void
decode_one(const uint8_t *bytes, size_t len)
{
	mmrd_raster image;
	mmrd_error err = {0};
	mmrd_error size_err = {0};
	int32_t width;
	int32_t height;
	const mmrd_status size_status =
	    mmrd_png_size(bytes, len, &width, &height, &size_err);
	const mmrd_status st = mmrd_png_decode(bytes, len, &limits, &image, &err);

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
}

static size_t
be32(const uint8_t *p)
{
	return (size_t) p[0] << 24 | (size_t) p[1] << 16 | (size_t) p[2] << 8 |
	       p[3];
}

static void
repair_checksums(uint8_t *bytes, size_t len)
{
	size_t at = 8;

	while (at < len && len - at >= 12)
	{
		const size_t n = be32(bytes + at);
		uint32_t crc;

		if (n > len - at - 12)
			return;
		crc = mmrd_crc32(0, bytes + at + 4, n + 4);
		for (int i = 0; i < 4; i++)
			bytes[at + 8 + n + (size_t) i] = (uint8_t) (crc >> (24 - 8 * i));
		at += n + 12;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	uint8_t *repaired = malloc(len > 0 ? len : 1);

	decode_one(bytes, len);
	if (repaired != NULL)
	{
		memcpy(repaired, bytes, len);
		repair_checksums(repaired, len);
		decode_one(repaired, len);
	}
	free(repaired);
	return 0;
}
