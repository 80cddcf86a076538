/*
 * tests/unit/test_png.c
 *	  Round trips, every colour type by hand-made files, and the damage that
 *	  must be noticed.  More damage is in tests/hostile/.
 */
#include "loader/image/png.h"

#include <stdlib.h>
#include <string.h>

#include "loader/bytes/deflate.h"
#include "loader/image/format.h"
#include "tests/unit/check.h"

static const mmrd_raster_limits wide = {1 << 24, 1 << 28};

/* A PNG under construction. */
typedef struct maker
{
	uint8_t bytes[1 << 16];
	size_t n;
} maker;

static void
put_be32(maker *m, uint32_t v)
{
	for (int shift = 24; shift >= 0; shift -= 8)
		m->bytes[m->n++] = (uint8_t) (v >> shift);
}

static void
put_chunk(maker *m, const char *type, const uint8_t *data, size_t n)
{
	const size_t start = m->n + 4;

	put_be32(m, (uint32_t) n);
	memcpy(m->bytes + m->n, type, 4);
	if (n > 0)
		memcpy(m->bytes + m->n + 4, data, n);
	m->n += 4 + n;
	put_be32(m, mmrd_crc32(0, m->bytes + start, n + 4));
}

static void
put_start(maker *m, uint32_t width, uint32_t height, int depth, int colour)
{
	uint8_t header[13] = {0};

	memcpy(m->bytes, "\x89PNG\r\n\x1a\n", 8);
	m->n = 8;
	for (int i = 0; i < 4; i++)
	{
		header[i] = (uint8_t) (width >> (24 - 8 * i));
		header[4 + i] = (uint8_t) (height >> (24 - 8 * i));
	}
	header[8] = (uint8_t) depth;
	header[9] = (uint8_t) colour;
	put_chunk(m, "IHDR", header, 13);
}

static void
put_pixels(maker *m, const uint8_t *rows, size_t n)
{
	uint8_t packed[4096];
	size_t packed_bytes;
	mmrd_error err = {0};

	if (mmrd_deflate(6, rows, n, packed, &packed_bytes, &err) != MMRD_OK)
		abort();
	put_chunk(m, "IDAT", packed, packed_bytes);
	put_chunk(m, "IEND", NULL, 0);
}

/* Decode what m holds; compare the samples (u8, or u16 as numbers). */
static void
expect(const char *name, const maker *m, mmrd_sample sample, int channels,
       const uint16_t *want, size_t n)
{
	mmrd_raster r;
	mmrd_error err = {0};
	int32_t w;
	int32_t h;

	CHECK(mmrd_image_decode(m->bytes, m->n, &wide, &r, &err) == MMRD_OK,
	      "%s: %s %s", name, err.message, err.detail);
	if (r.data == NULL)
		return;
	CHECK(mmrd_image_size(m->bytes, m->n, &w, &h, &err) == MMRD_OK &&
	          w == r.width && h == r.height,
	      "%s: size %d x %d", name, w, h);
	CHECK(r.sample == sample && r.channels == channels &&
	          (size_t) r.height * r.width * r.channels == n,
	      "%s: sample %d, %d channels, %d x %d", name, r.sample, r.channels,
	      r.width, r.height);
	for (size_t i = 0; i < n; i++)
	{
		const int got = sample == MMRD_SAMPLE_U8 ? ((uint8_t *) r.data)[i]
		                                         : ((uint16_t *) r.data)[i];

		CHECK(got == want[i], "%s at %zu: got %d, want %d", name, i, got,
		      want[i]);
	}
	mmrd_raster_clear(&r);
}

static void
test_colour_types(void)
{
	static maker m;

	/* Each row starts with its filter, 0. */
	put_start(&m, 3, 2, 1, 0);
	put_pixels(&m, (const uint8_t *) "\0\xa0\0\x40", 4);
	expect("grey 1", &m, MMRD_SAMPLE_U8, 1,
	       (const uint16_t[]){255, 0, 255, 0, 255, 0}, 6);

	put_start(&m, 3, 1, 2, 0);
	put_pixels(&m, (const uint8_t *) "\0\x1b", 2);
	expect("grey 2", &m, MMRD_SAMPLE_U8, 1, (const uint16_t[]){0, 85, 170}, 3);

	put_start(&m, 3, 1, 4, 0);
	put_pixels(&m, (const uint8_t *) "\0\x1f\x80", 3);
	expect("grey 4", &m, MMRD_SAMPLE_U8, 1, (const uint16_t[]){17, 255, 136},
	       3);

	put_start(&m, 2, 1, 16, 0);
	put_pixels(&m, (const uint8_t *) "\0\x12\x34\xfe\xdc", 5);
	expect("grey 16", &m, MMRD_SAMPLE_U16, 1,
	       (const uint16_t[]){0x1234, 0xfedc}, 2);

	put_start(&m, 2, 1, 8, 4);
	put_pixels(&m, (const uint8_t *) "\0\x07\x01\x09\x02", 5);
	expect("grey alpha 8", &m, MMRD_SAMPLE_U8, 1, (const uint16_t[]){7, 9}, 2);

	put_start(&m, 1, 1, 16, 4);
	put_pixels(&m, (const uint8_t *) "\0\x01\x02\x03\x04", 5);
	expect("grey alpha 16", &m, MMRD_SAMPLE_U16, 1, (const uint16_t[]){0x102},
	       1);

	put_start(&m, 1, 2, 8, 2);
	put_pixels(&m, (const uint8_t *) "\0\1\2\3\0\4\5\6", 8);
	expect("rgb 8", &m, MMRD_SAMPLE_U8, 3,
	       (const uint16_t[]){1, 2, 3, 4, 5, 6}, 6);

	put_start(&m, 1, 1, 16, 2);
	put_pixels(&m, (const uint8_t *) "\0\1\2\3\4\5\6", 7);
	expect("rgb 16", &m, MMRD_SAMPLE_U16, 3,
	       (const uint16_t[]){0x102, 0x304, 0x506}, 3);

	put_start(&m, 1, 1, 8, 6);
	put_pixels(&m, (const uint8_t *) "\0\1\2\3\4", 5);
	expect("rgba 8", &m, MMRD_SAMPLE_U8, 3, (const uint16_t[]){1, 2, 3}, 3);

	put_start(&m, 1, 1, 16, 6);
	put_pixels(&m, (const uint8_t *) "\0\1\2\3\4\5\6\7\10", 9);
	expect("rgba 16", &m, MMRD_SAMPLE_U16, 3,
	       (const uint16_t[]){0x102, 0x304, 0x506}, 3);

	/* The transparent colour of a palette, of grey and of RGB is dropped. */
	put_start(&m, 3, 1, 2, 3);
	put_chunk(&m, "PLTE", (const uint8_t *) "\1\2\3\4\5\6\7\10\11", 9);
	put_chunk(&m, "tRNS", (const uint8_t *) "\0\x80", 2);
	put_pixels(&m, (const uint8_t *) "\0\x18", 2);
	expect("palette 2", &m, MMRD_SAMPLE_U8, 3,
	       (const uint16_t[]){1, 2, 3, 4, 5, 6, 7, 8, 9}, 9);

	put_start(&m, 2, 1, 8, 0);
	put_chunk(&m, "tRNS", (const uint8_t *) "\0\7", 2);
	put_pixels(&m, (const uint8_t *) "\0\7\10", 3);
	expect("grey with tRNS", &m, MMRD_SAMPLE_U8, 1, (const uint16_t[]){7, 8},
	       2);

	put_start(&m, 1, 1, 8, 2);
	put_chunk(&m, "gAMA", (const uint8_t *) "\0\0\xb1\x8f", 4);
	put_chunk(&m, "tRNS", (const uint8_t *) "\0\1\0\2\0\3", 6);
	put_pixels(&m, (const uint8_t *) "\0\1\2\3", 4);
	m.bytes[m.n++] = 'x'; /* after the end marker */
	expect("rgb with tRNS and gAMA", &m, MMRD_SAMPLE_U8, 3,
	       (const uint16_t[]){1, 2, 3}, 3);
}

static void
round_trip(mmrd_sample sample, int channels, int height, int width, int level)
{
	mmrd_raster in = {sample, channels, height, width, NULL};
	mmrd_raster out;
	uint8_t *bytes;
	size_t n_bytes;
	mmrd_error err = {0};
	const size_t n = (size_t) height * width * channels;

	if (mmrd_raster_allocate(&in, &wide, &err) != MMRD_OK)
		abort();
	for (size_t i = 0; i < n; i++)
		if (sample == MMRD_SAMPLE_U8)
			((uint8_t *) in.data)[i] = (uint8_t) (i * i >> 4);
		else
			((uint16_t *) in.data)[i] = (uint16_t) (i * 2654435761u >> 7);
	CHECK(mmrd_png_encode(&in, level, &bytes, &n_bytes, &err) == MMRD_OK,
	      "%s %s", err.message, err.detail);
	CHECK(mmrd_png_decode(bytes, n_bytes, &wide, &out, &err) == MMRD_OK,
	      "%s %s", err.message, err.detail);
	CHECK(out.sample == sample && out.channels == channels &&
	          out.height == height && out.width == width &&
	          memcmp(in.data, out.data, n * mmrd_sample_bytes(sample)) == 0,
	      "sample %d, %d channels, %d x %d came back different", sample,
	      channels, width, height);
	mmrd_raster_clear(&out);

	/* Every shorter file is refused, and leaves nothing behind. */
	for (size_t cut = 0; cut < n_bytes; cut += 1 + n_bytes / 61)
	{
		CHECK(mmrd_png_decode(bytes, cut, &wide, &out, &err) ==
		          MMRD_CORRUPT_DATA,
		      "%zu of %zu bytes passed", cut, n_bytes);
		CHECK(out.data == NULL && out.width == 0, "not empty after failure");
	}
	free(bytes);
	mmrd_raster_clear(&in);
}

static void
test_limits(void)
{
	static maker m;
	mmrd_raster r;
	mmrd_error err = {0};
	const mmrd_raster_limits tight = {12, 1 << 20};
	const mmrd_raster_limits few_bytes = {1 << 20, 11};

	put_start(&m, 65536, 32768, 8, 2); /* 2^31 pixels */
	put_pixels(&m, (const uint8_t *) "", 0);
	CHECK(mmrd_image_decode(m.bytes, m.n, &wide, &r, &err) ==
	          MMRD_LIMIT_EXCEEDED,
	      "2^31 pixels passed");
	CHECK(err.detail[0] != '\0' && r.data == NULL, "2^31 pixels");

	put_start(&m, 0x7fffffff, 0x7fffffff, 16, 6);
	put_pixels(&m, (const uint8_t *) "", 0);
	CHECK(mmrd_image_decode(m.bytes, m.n,
	                        &(mmrd_raster_limits){INT64_MAX, SIZE_MAX}, &r,
	                        &err) == MMRD_LIMIT_EXCEEDED ||
	          err.status == MMRD_NO_MEMORY,
	      "2^62 pixels passed");
	CHECK(r.data == NULL, "2^62 pixels");

	put_start(&m, 4, 3, 8, 0);
	put_pixels(&m, (const uint8_t *) "\0abcd\0abcd\0abcd", 15);
	CHECK(mmrd_image_decode(m.bytes, m.n, &tight, &r, &err) == MMRD_OK,
	      "12 pixels of 12 refused: %s", err.message);
	mmrd_raster_clear(&r);
	CHECK(mmrd_image_decode(m.bytes, m.n, &few_bytes, &r, &err) ==
	          MMRD_LIMIT_EXCEEDED,
	      "12 bytes of 11 passed");
}

static void
test_refusals(void)
{
	uint8_t sample[6] = {0};
	mmrd_raster image = {MMRD_SAMPLE_U8, 3, 1, 2, sample};
	mmrd_raster r;
	uint8_t *bytes;
	size_t n_bytes;
	int32_t w;
	int32_t h;
	mmrd_error err = {0};

	CHECK(mmrd_image_decode((const uint8_t *) "GIF89a", 6, &wide, &r, &err) ==
	          MMRD_CORRUPT_DATA,
	      "a GIF passed");
	CHECK(strstr(err.hint, "PNG") != NULL, "hint is \"%s\"", err.hint);
	CHECK(mmrd_image_decode(NULL, 0, &wide, &r, &err) == MMRD_CORRUPT_DATA,
	      "an empty file passed");
	CHECK(mmrd_image_size(NULL, 0, &w, &h, &err) == MMRD_CORRUPT_DATA,
	      "an empty file has a size");

	CHECK(mmrd_png_encode(&image, 10, &bytes, &n_bytes, &err) ==
	          MMRD_INVALID_ARGUMENT,
	      "level 10 passed");
	image.sample = MMRD_SAMPLE_F32;
	CHECK(mmrd_png_encode(&image, 6, &bytes, &n_bytes, &err) ==
	          MMRD_INVALID_ARGUMENT,
	      "float passed");
	image.sample = MMRD_SAMPLE_U8;
	image.channels = 2;
	CHECK(mmrd_png_encode(&image, 6, &bytes, &n_bytes, &err) ==
	              MMRD_INVALID_ARGUMENT &&
	          bytes == NULL && n_bytes == 0,
	      "two channels passed");
}

int
main(void)
{
	test_colour_types();
	for (int level = 0; level <= 9; level += 3)
		for (int channels = 1; channels <= 3; channels += 2)
		{
			round_trip(MMRD_SAMPLE_U8, channels, 1, 1, level);
			round_trip(MMRD_SAMPLE_U8, channels, 37, 53, level);
			round_trip(MMRD_SAMPLE_U16, channels, 41, 7, level);
		}
	test_limits();
	test_refusals();
	return check_result();
}
