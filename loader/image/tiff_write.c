/*
 * loader/image/tiff_write.c
 *	  Depth maps and points to a TIFF file in memory.
 *
 * The file is a header of 8 bytes, one directory, and one strip; by hand,
 * since that is all there is to it and libtiff would bring its global error
 * handlers along.
 *
 * The floating-point predictor (Adobe Photoshop TIFF Technical Note 3) makes
 * depth maps about half as large: each row is split into planes, the first
 * bytes (sign and exponent) of all its samples, then the second ones and so
 * on, and every byte is replaced by its difference from the one before it in
 * the same channel.  Neighbouring depths have nearly equal first bytes, and
 * runs of small differences are what Deflate is good at.
 */
#include "loader/image/tiff_write.h"

#include <stdlib.h>
#include <string.h>

#include "loader/bytes/deflate.h"

enum
{
	HEADER_BYTES = 8,
	ENTRY_BYTES = 12,
	N_ENTRIES = 12,
	DIRECTORY_BYTES = 2 + N_ENTRIES * ENTRY_BYTES + 4,
	LISTS_AT = HEADER_BYTES + DIRECTORY_BYTES, /* two lists of 3 shorts */
	LIST_BYTES = 6,
	STRIP_AT = LISTS_AT + 2 * LIST_BYTES,
	SAMPLE_BYTES = 4,

	/* Types of TIFF 6.0, and the values of its tags that we write. */
	TYPE_SHORT = 3,
	TYPE_LONG = 4,
	COMPRESSION_DEFLATE = 8,
	PHOTOMETRIC_GREY = 1,
	PHOTOMETRIC_RGB = 2,
	PREDICTOR_FLOAT = 3,
	FORMAT_FLOAT = 3
};

static void
put16(uint8_t *p, uint32_t u)
{
	p[0] = (uint8_t) u;
	p[1] = (uint8_t) (u >> 8);
}

static void
put32(uint8_t *p, uint32_t u)
{
	put16(p, u);
	put16(p + 2, u >> 16);
}

static uint8_t *
put_entry(uint8_t *p, uint32_t tag, uint32_t type, uint32_t count,
          uint32_t value)
{
	put16(p, tag);
	put16(p + 2, type);
	put32(p + 4, count);
	put32(p + 8, value); /* a short is the first two bytes */
	return p + ENTRY_BYTES;
}

/* Three equal shorts do not fit into an entry: it tells where they are. */
static uint8_t *
put_per_channel(uint8_t *p, uint32_t tag, uint32_t channels, uint32_t value,
                uint8_t *file, uint32_t list_at)
{
	for (uint32_t c = 0; c < 3; c++)
		put16(file + list_at + 2 * c, value);
	return put_entry(p, tag, TYPE_SHORT, channels,
	                 channels == 1 ? value : list_at);
}

/* Everything before the strip.  Entries must be in the order of their tags. */
static void
put_directory(const mmrd_raster *image, size_t strip_bytes, uint8_t *file)
{
	const uint32_t channels = (uint32_t) image->channels;
	const uint32_t height = (uint32_t) image->height;
	uint8_t *p = file + HEADER_BYTES;

	put16(file, 0x4949); /* "II": little endian */
	put16(file + 2, 42);
	put32(file + 4, HEADER_BYTES);
	put16(p, N_ENTRIES);
	p += 2;
	p = put_entry(p, 256, TYPE_LONG, 1, (uint32_t) image->width);
	p = put_entry(p, 257, TYPE_LONG, 1, height);
	p = put_per_channel(p, 258, channels, 8 * SAMPLE_BYTES, file, LISTS_AT);
	p = put_entry(p, 259, TYPE_SHORT, 1, COMPRESSION_DEFLATE);
	p = put_entry(p, 262, TYPE_SHORT, 1,
	              channels == 1 ? PHOTOMETRIC_GREY : PHOTOMETRIC_RGB);
	p = put_entry(p, 273, TYPE_LONG, 1, STRIP_AT);
	p = put_entry(p, 277, TYPE_SHORT, 1, channels);
	p = put_entry(p, 278, TYPE_LONG, 1, height); /* rows of a strip */
	p = put_entry(p, 279, TYPE_LONG, 1, (uint32_t) strip_bytes);
	p = put_entry(p, 284, TYPE_SHORT, 1, 1); /* channels interleaved */
	p = put_entry(p, 317, TYPE_SHORT, 1, PREDICTOR_FLOAT);
	p = put_per_channel(p, 339, channels, FORMAT_FLOAT, file,
	                    LISTS_AT + LIST_BYTES);
	put32(p, 0); /* no further directory */
}

/* One row of n samples to n * 4 bytes, as described above. */
static void
predict_row(const float *row, size_t n, size_t channels, uint8_t *out)
{
	for (size_t i = 0; i < n; i++)
	{
		uint32_t u;

		memcpy(&u, row + i, sizeof(u));
		for (int plane = 0; plane < SAMPLE_BYTES; plane++)
			out[(size_t) plane * n + i] = (uint8_t) (u >> (24 - 8 * plane));
	}
	for (size_t i = n * SAMPLE_BYTES; i-- > channels;)
		out[i] = (uint8_t) (out[i] - out[i - channels]);
}

static mmrd_status
check_image(const mmrd_raster *image, int level, size_t *row,
            size_t *samples_bytes, mmrd_error *err)
{
	if (image->sample != MMRD_SAMPLE_F32 ||
	    (image->channels != 1 && image->channels != 3))
		return mmrd_fail(err, MMRD_INVALID_ARGUMENT,
		                 "only maps of one or three floats are written");
	if (level < 1 || level > 9)
		return mmrd_fail(err, MMRD_INVALID_ARGUMENT,
		                 "compression level %d is not 1 to 9", level);
	*row = (size_t) image->width * (size_t) image->channels;
	*samples_bytes = *row * (size_t) image->height * SAMPLE_BYTES;
	if (*row > INT32_MAX / SAMPLE_BYTES / (size_t) image->height)
	{
		mmrd_fail(err, MMRD_LIMIT_EXCEEDED, "map is too large for a TIFF");
		return mmrd_detail(err, "It has %zu x %d samples.", *row,
		                   image->height);
	}
	return MMRD_OK;
}

mmrd_status
mmrd_tiff_encode(const mmrd_raster *image, int level, uint8_t **bytes,
                 size_t *n_bytes, mmrd_error *err)
{
	const float *data = image->data;
	uint8_t *planes = NULL;
	uint8_t *file = NULL;
	size_t row = 0;
	size_t planes_bytes = 0;
	size_t file_room;
	size_t strip_bytes;
	mmrd_status st;

	*bytes = NULL;
	*n_bytes = 0;
	MMRD_TRY(check_image(image, level, &row, &planes_bytes, err));
	file_room = STRIP_AT + mmrd_deflate_bound(planes_bytes);
	planes = malloc(planes_bytes);
	file = malloc(file_room);
	if (planes == NULL || file == NULL)
	{
		st = mmrd_fail_memory(err, (double) file_room);
		goto done;
	}
	for (size_t y = 0; y < (size_t) image->height; y++)
		predict_row(data + y * row, row, (size_t) image->channels,
		            planes + y * row * SAMPLE_BYTES);
	st = mmrd_deflate(level, planes, planes_bytes, file + STRIP_AT,
	                  &strip_bytes, err);
	if (st != MMRD_OK)
		goto done;
	put_directory(image, strip_bytes, file);
	*bytes = file;
	*n_bytes = STRIP_AT + strip_bytes;
	file = NULL;

done:
	free(planes);
	free(file);
	return st;
}
