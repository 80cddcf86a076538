/*
 * tests/unit/test_tiff.c
 *	  Every layout that is read, from files made by tiff_maker.h, and the
 *	  refusals by name.  Damage is in tests/hostile/.
 */
#include "loader/image/tiff.h"

#include <stdio.h>

#include "loader/image/format.h"
#include "tests/unit/check.h"
#include "tests/unit/tiff_maker.h"

static const mmrd_raster_limits wide = {1 << 24, 1 << 28};
static uint8_t bytes[TIFF_MAX_BYTES];

/* The wanted sample of channel c as a number. */
static double
wanted(const tiff_spec *s, int y, int x, int c)
{
	const uint64_t bits = tiff_sample_bits(s, y, x, c);

	if (s->format == 3 && s->bits == 64)
	{
		double d;

		memcpy(&d, &bits, 8);
		return d;
	}
	if (s->format == 3)
	{
		const uint32_t u = (uint32_t) bits;
		float f;

		memcpy(&f, &u, 4);
		return f;
	}
	if (s->photometric == 3)
		return tiff_palette(c, (int) tiff_sample_bits(s, y, x, 0)) >> 8;
	return (double) bits;
}

static double
sample_of(const mmrd_raster *r, size_t i)
{
	return r->sample == MMRD_SAMPLE_U8    ? ((uint8_t *) r->data)[i]
	       : r->sample == MMRD_SAMPLE_U16 ? ((uint16_t *) r->data)[i]
	                                      : ((float *) r->data)[i];
}

static void
one(const tiff_spec *s)
{
	const size_t n = tiff_make(s, bytes);
	const int channels =
	    s->photometric == 3 ? 3 : s->samples - (s->samples % 2 == 0);
	const mmrd_sample sample = s->format == 3 ? MMRD_SAMPLE_F32
	                           : s->bits == 8 ? MMRD_SAMPLE_U8
	                                          : MMRD_SAMPLE_U16;
	char name[200];
	mmrd_raster r;
	mmrd_error err = {0};
	int32_t width;
	int32_t height;
	size_t bad = 0;

	snprintf(name, sizeof(name),
	         "%dx%dx%d bits %d format %d photometric %d compression %d "
	         "predictor %d planar %d block %dx%d endian %d big %d",
	         s->width, s->height, s->samples, s->bits, s->format,
	         s->photometric, s->compression, s->predictor, s->planar,
	         s->block_width, s->block_height, s->big_endian, s->big_tiff);
	CHECK(mmrd_image_size(bytes, n, &width, &height, &err) == MMRD_OK &&
	          width == s->width && height == s->height,
	      "%s: size %d x %d", name, width, height);
	CHECK(mmrd_image_decode(bytes, n, &wide, &r, &err) == MMRD_OK, "%s: %s %s",
	      name, err.message, err.detail);
	if (r.data == NULL)
		return;
	CHECK(r.sample == sample && r.channels == channels &&
	          r.width == s->width && r.height == s->height,
	      "%s: got sample %d, %d channels, %d x %d", name, r.sample,
	      r.channels, r.width, r.height);
	for (int y = 0; y < r.height; y++)
		for (int x = 0; x < r.width; x++)
			for (int c = 0; c < channels; c++)
				bad += sample_of(&r, ((size_t) y * r.width + x) * channels +
				                         c) != wanted(s, y, x, c);
	CHECK(bad == 0, "%s: %zu samples differ", name, bad);
	mmrd_raster_clear(&r);
}

/* All compressions and predictors of one layout. */
static void
compressions(tiff_spec s)
{
	static const int codes[] = {1, 5, 8, 32946, 32773};

	for (int i = 0; i < 5; i++)
	{
		s.compression = codes[i];
		s.predictor = 1;
		one(&s);
		if (s.compression == 1 || s.compression == 32773)
			continue;
		s.predictor = 2;
		one(&s);
		s.predictor = 3;
		if (s.format == 3)
			one(&s);
	}
}

static void
test_layouts(void)
{
	static const int types[][2] = {{8, 1}, {16, 1}, {32, 3}, {64, 3}};
	static const int samples[][3] = {/* samples, extra, photometric */
	                                 {1, 0, 1},
	                                 {3, 0, 2},
	                                 {3, 2, 1},
	                                 {2, 1, 1},
	                                 {4, 1, 2}};
	static const int blocks[][2] = {{0, 1},   {0, 4},   {0, 11},
	                                {0, 100}, {16, 16}, {32, 16}};

	for (int t = 0; t < 4; t++)
		for (int c = 0; c < 5; c++)
			for (int b = 0; b < 6; b++)
				for (int k = 0; k < 8; k++)
				{
					tiff_spec s = TIFF_SPEC;

					s.bits = types[t][0];
					s.format = types[t][1];
					s.samples = samples[c][0];
					s.extra = samples[c][1];
					s.photometric = samples[c][2];
					s.block_width = blocks[b][0];
					s.block_height = blocks[b][1];
					s.planar = 1 + (k & 1);
					s.big_endian = k >> 1 & 1;
					s.big_tiff = k >> 2 & 1;
					compressions(s);
				}
}

static void
test_sizes(void)
{
	static const int sizes[][2] = {{1, 1},   {1, 33},  {33, 1},  {15, 16},
	                               {16, 16}, {17, 17}, {32, 31}, {49, 48}};

	for (int i = 0; i < 8; i++)
		for (int tiled = 0; tiled < 2; tiled++)
		{
			tiff_spec s = TIFF_SPEC;

			s.width = sizes[i][0];
			s.height = sizes[i][1];
			s.block_width = tiled ? 16 : 0;
			s.block_height = tiled ? 16 : 5;
			s.samples = 3;
			s.photometric = 2;
			s.bits = 32;
			s.format = 3;
			one(&s);
			s.planar = 2;
			one(&s);
			s.planar = 1;
			s.samples = 1;
			s.bits = 8;
			s.format = 1;
			s.photometric = 3;
			one(&s);
		}
}

static void
refused(const char *name, const tiff_spec *s, mmrd_status want,
        const char *word)
{
	const size_t n = tiff_make(s, bytes);
	mmrd_raster r;
	mmrd_error err = {0};
	const mmrd_status got = mmrd_image_decode(bytes, n, &wide, &r, &err);

	CHECK(got == want, "%s: got %d \"%s\" \"%s\"", name, got, err.message,
	      err.detail);
	CHECK(strstr(err.message, word) != NULL ||
	          strstr(err.detail, word) != NULL,
	      "%s: \"%s\" \"%s\" does not say \"%s\"", name, err.message,
	      err.detail, word);
	CHECK(r.data == NULL && r.width == 0, "%s: not empty", name);
}

static void
test_refusals(void)
{
	static const struct
	{
		int code;
		const char *name;
	} compression[] = {{4, "CCITT group 4"},  {7, "JPEG"},
	                   {34925, "LZMA"},       {50000, "Zstandard"},
	                   {6, "old-style JPEG"}, {50001, "WebP"},
	                   {9999, "9999"}};
	tiff_spec s = TIFF_SPEC;

	for (size_t i = 0; i < sizeof(compression) / sizeof(compression[0]); i++)
	{
		s.compression = compression[i].code;
		refused("compression", &s, MMRD_UNSUPPORTED, compression[i].name);
	}
	s = TIFF_SPEC;
	s.format = 2;
	refused("signed", &s, MMRD_UNSUPPORTED, "signed");
	s = TIFF_SPEC;
	s.bits = 32;
	refused("32 bit integers", &s, MMRD_UNSUPPORTED, "bits");
	s = TIFF_SPEC;
	s.bits = 16;
	s.format = 3;
	refused("half floats", &s, MMRD_UNSUPPORTED, "bits");
	s = TIFF_SPEC;
	s.photometric = 0;
	refused("white is zero", &s, MMRD_UNSUPPORTED, "white is zero");
	s = TIFF_SPEC;
	s.samples = 4;
	s.photometric = 5;
	refused("CMYK", &s, MMRD_UNSUPPORTED, "CMYK");
	s.photometric = 2;
	refused("four channels", &s, MMRD_UNSUPPORTED, "samples per pixel");
	s = TIFF_SPEC;
	s.samples = 5;
	s.extra = 2;
	s.photometric = 2;
	refused("five channels", &s, MMRD_UNSUPPORTED, "samples per pixel");
	s = TIFF_SPEC;
	s.predictor = 4;
	refused("predictor", &s, MMRD_UNSUPPORTED, "predictor");
	s.predictor = 3;
	refused("float predictor of integers", &s, MMRD_UNSUPPORTED, "predictor");
	s = TIFF_SPEC;
	s.planar = 3;
	refused("planar", &s, MMRD_UNSUPPORTED, "planar");
	s = TIFF_SPEC;
	s.bits = 16;
	s.photometric = 3;
	refused("16 bit palette", &s, MMRD_UNSUPPORTED, "palette");
}

static void
test_limits(void)
{
	const mmrd_raster_limits tight = {13 * 11, 13 * 11};
	tiff_spec s = TIFF_SPEC;
	size_t n = tiff_make(&s, bytes);
	mmrd_raster r;
	mmrd_error err = {0};

	CHECK(mmrd_image_decode(bytes, n, &tight, &r, &err) == MMRD_OK, "%s %s",
	      err.message, err.detail);
	mmrd_raster_clear(&r);
	s.bits = 16;
	n = tiff_make(&s, bytes);
	CHECK(mmrd_image_decode(bytes, n, &tight, &r, &err) == MMRD_LIMIT_EXCEEDED,
	      "too many bytes passed");
	s = TIFF_SPEC;
	s.height++;
	n = tiff_make(&s, bytes);
	CHECK(mmrd_image_decode(bytes, n, &tight, &r, &err) == MMRD_LIMIT_EXCEEDED,
	      "too many pixels passed");
	s = TIFF_SPEC;
	s.block_width = 16;
	s.block_height = 16;
	n = tiff_make(&s, bytes);
	CHECK(mmrd_image_decode(bytes, n, &tight, &r, &err) == MMRD_LIMIT_EXCEEDED,
	      "a tile above the limit passed");
}

/* Cut anywhere, or with any byte changed: never a crash, and never a success
 * that owns nothing.  The sanitizers do the rest. */
static void
test_damage(void)
{
	for (int k = 0; k < 4; k++)
	{
		tiff_spec s = TIFF_SPEC;
		size_t n;

		s.compression = k & 1 ? 5 : 8;
		s.predictor = 2;
		s.block_width = k & 2 ? 16 : 0;
		s.block_height = k & 2 ? 16 : 4;
		n = tiff_make(&s, bytes);
		for (size_t i = 0; i < n; i++)
		{
			static uint8_t copy[TIFF_MAX_BYTES];
			mmrd_raster r;
			mmrd_error err = {0};

			CHECK(mmrd_image_decode(bytes, i, &wide, &r, &err) ==
			          MMRD_CORRUPT_DATA,
			      "%zu of %zu bytes passed", i, n);
			memcpy(copy, bytes, n);
			copy[i] ^= (uint8_t) (1 + i * 37);
			CHECK((mmrd_image_decode(copy, n, &wide, &r, &err) == MMRD_OK) ==
			          (r.data != NULL),
			      "byte %zu", i);
			mmrd_raster_clear(&r);
		}
	}
}

int
main(void)
{
	test_layouts();
	test_sizes();
	test_refusals();
	test_limits();
	test_damage();
	return check_result();
}
