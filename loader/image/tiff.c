/*
 * loader/image/tiff.c
 *	  The only file that includes libtiff's header.
 *
 * Our own reading of the directory (tiff_header.c) decides first what the file
 * is; libtiff is opened only on what passed, and must agree.  It reads the
 * file through a memory map, that is, in place.
 *
 * Strips and tiles are both blocks.  Interleaved strips whose samples are
 * exactly those of the raster are decoded straight into it; anything else
 * goes through a buffer of one block, from which the wanted channels of the
 * part inside the image are copied.
 */
#include "loader/image/tiff.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tiffio.h>

#include "loader/image/tiff_header.h"
#include "loader/image/tiff_kind.h"
#include "model/base/checked.h"

/* One file in memory, and what libtiff says about it. */
typedef struct job
{
	const uint8_t *bytes;
	size_t len;
	size_t at;
	TIFF *tif;
	char message[160]; /* the first error */
} job;

/* How the file's samples are cut into blocks. */
typedef struct blocks
{
	uint32_t width; /* of one block, pixels */
	uint32_t height;
	uint32_t across; /* blocks per row of blocks */
	uint32_t down;
	uint32_t samples;    /* interleaved in one block */
	size_t sample_bytes; /* in the file */
	size_t row_bytes;    /* of one block */
	size_t n_bytes;      /* of one whole block */
} blocks;

static tmsize_t
on_read(thandle_t handle, void *to, tmsize_t n)
{
	job *j = handle;
	size_t give = n < 0 ? 0 : (size_t) n;

	if (give > j->len - j->at)
		give = j->len - j->at;
	memcpy(to, j->bytes + j->at, give);
	j->at += give;
	return (tmsize_t) give;
}

static tmsize_t
on_write(thandle_t handle, void *from, tmsize_t n)
{
	(void) handle;
	(void) from;
	(void) n;
	return -1;
}

static toff_t
on_seek(thandle_t handle, toff_t to, int whence)
{
	job *j = handle;
	const toff_t from = whence == SEEK_CUR   ? (toff_t) j->at
	                    : whence == SEEK_END ? (toff_t) j->len
	                                         : 0;

	if (to > (toff_t) j->len - from && whence != SEEK_SET)
		return (toff_t) -1;
	if (from + to > (toff_t) j->len)
		return (toff_t) -1;
	j->at = (size_t) (from + to);
	return (toff_t) j->at;
}

static int
on_close(thandle_t handle)
{
	(void) handle;
	return 0;
}

static toff_t
on_size(thandle_t handle)
{
	return (toff_t) ((job *) handle)->len;
}

static int
on_map(thandle_t handle, void **base, toff_t *size)
{
	job *j = handle;

	*base = (void *) (uintptr_t) j->bytes; /* opened for reading: unchanged */
	*size = (toff_t) j->len;
	return 1;
}

static void
on_unmap(thandle_t handle, void *base, toff_t size)
{
	(void) handle;
	(void) base;
	(void) size;
}

static void
note(job *j, const char *fmt, va_list args)
{
	if (j->message[0] == '\0')
		vsnprintf(j->message, sizeof(j->message), fmt, args);
}

#if TIFFLIB_VERSION >= 20221213 /* 4.5.0: handlers belong to the file */

static int
on_error(TIFF *tif, void *user, const char *module, const char *fmt,
         va_list args)
{
	(void) tif;
	(void) module;
	note(user, fmt, args);
	return 1; /* do not call the process's handler */
}

static int
on_warning(TIFF *tif, void *user, const char *module, const char *fmt,
           va_list args)
{
	(void) tif;
	(void) user;
	(void) module;
	(void) fmt;
	(void) args;
	return 1;
}

/* Open j->bytes with libtiff; j->tif is NULL when it cannot. */
static void
open_tiff(job *j, size_t max_alloc)
{
	TIFFOpenOptions *options = TIFFOpenOptionsAlloc();

	if (options == NULL)
		return;
	if (max_alloc > INT64_MAX)
		max_alloc = INT64_MAX;
	TIFFOpenOptionsSetMaxSingleMemAlloc(options, (tmsize_t) max_alloc);
	TIFFOpenOptionsSetErrorHandlerExtR(options, on_error, j);
	TIFFOpenOptionsSetWarningHandlerExtR(options, on_warning, j);
	j->tif = TIFFClientOpenExt("memory", "r", j, on_read, on_write, on_seek,
	                           on_close, on_size, on_map, on_unmap, options);
	TIFFOpenOptionsFree(options);
}

static void
close_tiff(job *j)
{
	if (j->tif != NULL)
		TIFFClose(j->tif);
	j->tif = NULL;
}

#else /* handlers are the process's: one call at a time, put back after it */

#include <pthread.h>

static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;
static TIFFErrorHandler errors_before;
static TIFFErrorHandler warnings_before;
static TIFFErrorHandlerExt errors_ext_before;
static TIFFErrorHandlerExt warnings_ext_before;

static void
on_error(thandle_t handle, const char *module, const char *fmt, va_list args)
{
	(void) module;
	note(handle, fmt, args);
}

static void
open_tiff(job *j, size_t max_alloc)
{
	(void) max_alloc;
	pthread_mutex_lock(&turn);
	errors_before = TIFFSetErrorHandler(NULL);
	warnings_before = TIFFSetWarningHandler(NULL);
	errors_ext_before = TIFFSetErrorHandlerExt(on_error);
	warnings_ext_before = TIFFSetWarningHandlerExt(NULL);
	j->tif = TIFFClientOpen("memory", "r", j, on_read, on_write, on_seek,
	                        on_close, on_size, on_map, on_unmap);
}

static void
close_tiff(job *j)
{
	if (j->tif != NULL)
		TIFFClose(j->tif);
	j->tif = NULL;
	TIFFSetErrorHandler(errors_before);
	TIFFSetWarningHandler(warnings_before);
	TIFFSetErrorHandlerExt(errors_ext_before);
	TIFFSetWarningHandlerExt(warnings_ext_before);
	pthread_mutex_unlock(&turn);
}

#endif

static mmrd_status
fail_libtiff(const job *j, mmrd_error *err)
{
	mmrd_fail(err, MMRD_CORRUPT_DATA, "TIFF file is damaged");
	return mmrd_detail(err, "libtiff reports: %s.",
	                   j->message[0] ? j->message : "nothing");
}

/* libtiff must have read the same directory that we have checked. */
static int
agrees(TIFF *tif, const mmrd_tiff_header *h)
{
	uint32_t width = 0;
	uint32_t height = 0;
	uint16_t bits = 0;
	uint16_t samples = 0;
	uint16_t compression = 0;
	uint16_t planar = 0;
	uint16_t format = 0;

	TIFFGetField(tif, TIFFTAG_IMAGEWIDTH, &width);
	TIFFGetField(tif, TIFFTAG_IMAGELENGTH, &height);
	TIFFGetFieldDefaulted(tif, TIFFTAG_BITSPERSAMPLE, &bits);
	TIFFGetFieldDefaulted(tif, TIFFTAG_SAMPLESPERPIXEL, &samples);
	TIFFGetFieldDefaulted(tif, TIFFTAG_COMPRESSION, &compression);
	TIFFGetFieldDefaulted(tif, TIFFTAG_PLANARCONFIG, &planar);
	TIFFGetFieldDefaulted(tif, TIFFTAG_SAMPLEFORMAT, &format);
	return width == (uint32_t) h->width && height == (uint32_t) h->height &&
	       bits == h->bits && samples == h->samples &&
	       compression == h->compression && planar == h->planar &&
	       format == h->format &&
	       (TIFFIsTiled(tif) != 0) == (h->tile_width != 0);
}

/* How the file is cut; checked against limits and libtiff's own count. */
static mmrd_status
find_blocks(const job *j, const mmrd_tiff_header *h,
            const mmrd_raster_limits *limits, blocks *b, mmrd_error *err)
{
	const uint64_t planes =
	    h->planar == PLANARCONFIG_SEPARATE ? h->samples : 1;
	uint64_t found;

	b->width = (uint32_t) h->width;
	b->height = (uint32_t) h->height;
	if (h->tile_width != 0)
	{
		b->width = h->tile_width;
		b->height = h->tile_height;
		if ((uint64_t) b->width * b->height > (uint64_t) limits->max_pixels)
		{
			mmrd_fail(err, MMRD_LIMIT_EXCEEDED, "TIFF tiles are too large");
			return mmrd_detail(err, "A tile has %u x %u pixels.", b->width,
			                   b->height);
		}
		found = TIFFNumberOfTiles(j->tif);
	}
	else
	{
		uint32_t rows = 0;

		TIFFGetFieldDefaulted(j->tif, TIFFTAG_ROWSPERSTRIP, &rows);
		if (rows > 0 && rows < b->height)
			b->height = rows;
		found = TIFFNumberOfStrips(j->tif);
	}
	b->across = ((uint32_t) h->width - 1) / b->width + 1;
	b->down = ((uint32_t) h->height - 1) / b->height + 1;
	b->samples = planes == 1 ? h->samples : 1;
	b->sample_bytes = h->bits / 8;
	if (!mmrd_size_mul(b->width, b->samples * b->sample_bytes,
	                   &b->row_bytes) ||
	    !mmrd_size_mul(b->row_bytes, b->height, &b->n_bytes) ||
	    b->n_bytes > PTRDIFF_MAX)
		return mmrd_fail(err, MMRD_LIMIT_EXCEEDED, "TIFF image is too large");
	if (found != planes * b->across * b->down)
	{
		mmrd_fail(err, MMRD_CORRUPT_DATA, "TIFF directory contradicts itself");
		return mmrd_detail(err,
		                   "%llu strips or tiles were expected, found %llu.",
		                   (unsigned long long) planes * b->across * b->down,
		                   (unsigned long long) found);
	}
	return MMRD_OK;
}

/* Decode block number k, of which n_bytes are wanted, to where to points. */
static mmrd_status
read_block(const job *j, uint32_t k, void *to, size_t n_bytes, mmrd_error *err)
{
	const tmsize_t got =
	    TIFFIsTiled(j->tif)
	        ? TIFFReadEncodedTile(j->tif, k, to, (tmsize_t) n_bytes)
	        : TIFFReadEncodedStrip(j->tif, k, to, (tmsize_t) n_bytes);

	if (got < 0 || j->message[0] != '\0')
		return fail_libtiff(j, err);
	if ((size_t) got != n_bytes)
	{
		mmrd_fail(err, MMRD_CORRUPT_DATA, "TIFF file is damaged");
		return mmrd_detail(err,
		                   "Strip or tile %u holds %zu bytes instead of %zu.",
		                   k, (size_t) got, n_bytes);
	}
	return MMRD_OK;
}

/* n samples from every from_step-th to every to_step-th. */
static void
copy_samples(size_t sample_bytes, int narrow, const void *from,
             size_t from_step, void *to, size_t to_step, size_t n)
{
	if (narrow)
		for (size_t i = 0; i < n; i++)
			((float *) to)[i * to_step] =
			    (float) ((const double *) from)[i * from_step];
	else if (sample_bytes == 1)
		for (size_t i = 0; i < n; i++)
			((uint8_t *) to)[i * to_step] =
			    ((const uint8_t *) from)[i * from_step];
	else if (sample_bytes == 2)
		for (size_t i = 0; i < n; i++)
			((uint16_t *) to)[i * to_step] =
			    ((const uint16_t *) from)[i * from_step];
	else
		for (size_t i = 0; i < n; i++)
			((float *) to)[i * to_step] =
			    ((const float *) from)[i * from_step];
}

/*
 * Copy what block (bx, by) holds of the image.  Its samples are the channels
 * from first_channel on; those that the raster does not have are dropped.
 */
static void
scatter(const blocks *b, const uint8_t *buffer, uint32_t bx, uint32_t by,
        uint32_t first_channel, const mmrd_raster *image)
{
	const size_t out_bytes = mmrd_sample_bytes(image->sample);
	const size_t C = (size_t) image->channels;
	const size_t x0 = (size_t) bx * b->width;
	const size_t y0 = (size_t) by * b->height;
	const size_t in_width = (size_t) image->width - x0;
	const size_t in_height = (size_t) image->height - y0;
	const size_t cols = in_width < b->width ? in_width : b->width;
	const size_t rows = in_height < b->height ? in_height : b->height;

	for (size_t y = 0; y < rows; y++)
		for (size_t s = 0; s < b->samples && first_channel + s < C; s++)
		{
			const size_t at = ((y0 + y) * (size_t) image->width + x0) * C +
			                  first_channel + s;

			copy_samples(b->sample_bytes, b->sample_bytes == 8,
			             buffer + y * b->row_bytes + s * b->sample_bytes,
			             b->samples, (uint8_t *) image->data + at * out_bytes,
			             C, cols);
		}
}

/* All blocks through a buffer. */
static mmrd_status
read_through_buffer(const job *j, const mmrd_tiff_header *h, const blocks *b,
                    const mmrd_raster *image, mmrd_error *err)
{
	const uint32_t planes =
	    h->planar == PLANARCONFIG_SEPARATE ? (uint32_t) image->channels : 1;
	mmrd_status st = MMRD_OK;
	uint8_t *buffer = malloc(b->n_bytes);

	if (buffer == NULL)
		return mmrd_fail_memory(err, (double) b->n_bytes);
	for (uint32_t p = 0; p < planes && st == MMRD_OK; p++)
		for (uint32_t by = 0; by < b->down && st == MMRD_OK; by++)
			for (uint32_t bx = 0; bx < b->across && st == MMRD_OK; bx++)
			{
				const uint32_t k = (p * b->down + by) * b->across + bx;
				const uint32_t left =
				    (uint32_t) image->height - by * b->height;
				const size_t rows = /* a tile is whole, a strip is not */
				    h->tile_width == 0 && left < b->height ? left : b->height;

				st = read_block(j, k, buffer, rows * b->row_bytes, err);
				if (st == MMRD_OK)
					scatter(b, buffer, bx, by, p, image);
			}
	free(buffer);
	return st;
}

/* Interleaved strips of exactly the raster's samples. */
static mmrd_status
read_straight(const job *j, const blocks *b, const mmrd_raster *image,
              mmrd_error *err)
{
	for (uint32_t by = 0; by < b->down; by++)
	{
		const size_t y0 = (size_t) by * b->height;
		const size_t left = (size_t) image->height - y0;
		const size_t rows = left < b->height ? left : b->height;

		MMRD_TRY(read_block(j, by, (uint8_t *) image->data + y0 * b->row_bytes,
		                    rows * b->row_bytes, err));
	}
	return MMRD_OK;
}

/*
 * The indices are in the first third of image's data; replace them by their
 * colours, from the last to the first, so that none is overwritten unread.
 */
static mmrd_status
expand_palette(const job *j, const mmrd_raster *image, mmrd_error *err)
{
	const size_t n = (size_t) image->height * (size_t) image->width;
	uint8_t *data = image->data;
	uint16_t *map[3] = {NULL, NULL, NULL};
	int shift = 0;

	if (!TIFFGetField(j->tif, TIFFTAG_COLORMAP, &map[0], &map[1], &map[2]))
		return mmrd_fail(err, MMRD_CORRUPT_DATA, "TIFF file has no palette");

	/* 16-bit values, except that some writers store 8-bit ones. */
	for (int c = 0; c < 3; c++)
		for (int i = 0; i < 256; i++)
			if (map[c][i] > 255)
				shift = 8;
	for (size_t i = n; i-- > 0;)
	{
		const uint8_t index = data[i];

		for (int c = 0; c < 3; c++)
			data[3 * i + (size_t) c] = (uint8_t) (map[c][index] >> shift);
	}
	return MMRD_OK;
}

/* With libtiff open: all samples of h into image. */
static mmrd_status
read_samples(const job *j, const mmrd_tiff_header *h,
             const mmrd_raster_limits *limits, const mmrd_raster *image,
             mmrd_error *err)
{
	const int is_palette = h->photometric == PHOTOMETRIC_PALETTE;
	mmrd_raster stored = *image; /* borrows its data */
	blocks b = {0};

	if (is_palette)
		stored.channels = 1;
	MMRD_TRY(find_blocks(j, h, limits, &b, err));
	if (h->tile_width == 0 && b.samples == (uint32_t) stored.channels &&
	    b.sample_bytes == mmrd_sample_bytes(stored.sample))
		MMRD_TRY(read_straight(j, &b, &stored, err));
	else
		MMRD_TRY(read_through_buffer(j, h, &b, &stored, err));
	return is_palette ? expand_palette(j, image, err) : MMRD_OK;
}

mmrd_status
mmrd_tiff_size(const uint8_t *bytes, size_t len, int32_t *width,
               int32_t *height, mmrd_error *err)
{
	mmrd_tiff_header h;
	const mmrd_status st = mmrd_tiff_header_read(bytes, len, &h, err);

	*width = h.width;
	*height = h.height;
	return st;
}

mmrd_status
mmrd_tiff_decode(const uint8_t *bytes, size_t len,
                 const mmrd_raster_limits *limits, mmrd_raster *image,
                 mmrd_error *err)
{
	job j = {.bytes = bytes, .len = len};
	mmrd_tiff_header h;
	mmrd_status st;
	size_t max_alloc;

	memset(image, 0, sizeof(*image));
	st = mmrd_tiff_header_read(bytes, len, &h, err);
	if (st == MMRD_OK)
		st = mmrd_tiff_kind_check(&h, image, err);
	if (st == MMRD_OK && !TIFFIsCODECConfigured((uint16_t) h.compression))
	{
		mmrd_fail(err, MMRD_UNSUPPORTED,
		          "TIFF file has a compression that is not read");
		st = mmrd_detail(err,
		                 "It is %u, which this build of libtiff leaves out.",
		                 h.compression);
	}
	if (st == MMRD_OK)
		st = mmrd_raster_allocate(image, limits, err);
	if (st != MMRD_OK)
		goto done;

	/* What libtiff keeps is a copy of what the file has, or one block. */
	if (!mmrd_size_add(len, limits->max_bytes, &max_alloc) ||
	    !mmrd_size_add(max_alloc, 1 << 20, &max_alloc))
		max_alloc = SIZE_MAX;
	open_tiff(&j, max_alloc);
	if (j.tif == NULL)
		st = fail_libtiff(&j, err);
	else if (!agrees(j.tif, &h))
		st = mmrd_fail(err, MMRD_CORRUPT_DATA,
		               "TIFF directory can be read in two ways");
	else
	{
		j.message[0] = '\0'; /* what it could do without, it has opened */
		st = read_samples(&j, &h, limits, image, err);
	}
	close_tiff(&j);

done:
	if (st != MMRD_OK)
		mmrd_raster_clear(image);
	return st;
}
