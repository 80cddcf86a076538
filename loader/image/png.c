/*
 * loader/image/png.c
 *	  The only file that includes libpng's header.
 *
 * libpng reports an error by a function that must not return.  Ours notes the
 * message and longjmps to the setjmp in the one function of this file that
 * drives the library (read_image, write_image).  Everything that must outlive
 * the jump is in a job struct of the caller, so no local variable of the
 * jumping frames matters, and the caller releases the library's objects in
 * either case.
 *
 * Speed: rows are decoded straight into the raster; no list of row pointers,
 * no second copy.  All ancillary chunks are skipped without being stored:
 * they do not change the samples, and a chunk that inflates to gigabytes has
 * then nothing to inflate into.
 */
#include "loader/image/png.h"

#include <png.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum
{
	SIGNATURE_BYTES = 8,
	HEADER_BYTES = 33 /* signature, then IHDR: 4 + 4 + 13 + 4 */
};

static const uint8_t signature[SIGNATURE_BYTES] = {0x89, 'P',  'N',  'G',
                                                   '\r', '\n', 0x1a, '\n'};

/* One call of libpng, and what its callbacks need. */
typedef struct job
{
	jmp_buf jump;
	png_structp png;
	png_infop info;
	char message[160]; /* of the error that jumped */
	int memory_failed;

	const uint8_t *in; /* reading: what is left */
	size_t in_left;

	uint8_t *out; /* writing: grown by doubling */
	size_t out_bytes;
	size_t out_room;
} job;

static void
on_error(png_structp png, png_const_charp message)
{
	job *j = png_get_error_ptr(png);

	snprintf(j->message, sizeof(j->message), "%s", message);
	longjmp(j->jump, 1);
}

static void
on_warning(png_structp png, png_const_charp message)
{
	(void) png;
	(void) message;
}

static png_voidp
on_malloc(png_structp png, png_alloc_size_t n_bytes)
{
	void *p = malloc(n_bytes);

	if (p == NULL)
		((job *) png_get_mem_ptr(png))->memory_failed = 1;
	return p;
}

static void
on_free(png_structp png, png_voidp p)
{
	(void) png;
	free(p);
}

static void
on_read(png_structp png, png_bytep to, size_t n_bytes)
{
	job *j = png_get_io_ptr(png);

	if (n_bytes > j->in_left)
		png_error(png, "file ends early");
	memcpy(to, j->in, n_bytes);
	j->in += n_bytes;
	j->in_left -= n_bytes;
}

static void
on_write(png_structp png, png_bytep from, size_t n_bytes)
{
	job *j = png_get_io_ptr(png);

	if (n_bytes > j->out_room - j->out_bytes)
	{
		size_t room = j->out_room < 4096 ? 4096 : j->out_room;
		uint8_t *grown;

		while (n_bytes > room - j->out_bytes && room <= SIZE_MAX / 2)
			room *= 2;
		grown = n_bytes > room - j->out_bytes ? NULL : realloc(j->out, room);
		if (grown == NULL)
		{
			j->memory_failed = 1;
			png_error(png, "out of memory");
		}
		j->out = grown;
		j->out_room = room;
	}
	memcpy(j->out + j->out_bytes, from, n_bytes);
	j->out_bytes += n_bytes;
}

static void
on_flush(png_structp png)
{
	(void) png;
}

static int
is_little_endian(void)
{
	const uint16_t one = 1;
	uint8_t first;

	memcpy(&first, &one, 1);
	return first == 1;
}

static uint32_t
be32(const uint8_t *p)
{
	return (uint32_t) p[0] << 24 | (uint32_t) p[1] << 16 |
	       (uint32_t) p[2] << 8 | p[3];
}

int
mmrd_png_recognise(const uint8_t *bytes, size_t len)
{
	return len >= SIGNATURE_BYTES &&
	       memcmp(bytes, signature, SIGNATURE_BYTES) == 0;
}

mmrd_status
mmrd_png_size(const uint8_t *bytes, size_t len, int32_t *width,
              int32_t *height, mmrd_error *err)
{
	uint32_t w;
	uint32_t h;

	*width = 0;
	*height = 0;
	if (!mmrd_png_recognise(bytes, len))
		return mmrd_fail(err, MMRD_CORRUPT_DATA,
		                 "PNG file has no PNG signature");
	if (len < HEADER_BYTES)
	{
		mmrd_fail(err, MMRD_CORRUPT_DATA, "PNG header is truncated");
		return mmrd_detail(err, "It has %d bytes, the file has %zu.",
		                   HEADER_BYTES, len);
	}
	if (be32(bytes + 8) != 13 || memcmp(bytes + 12, "IHDR", 4) != 0)
		return mmrd_fail(err, MMRD_CORRUPT_DATA,
		                 "PNG file does not start with its header");
	w = be32(bytes + 16);
	h = be32(bytes + 20);
	if (w == 0 || h == 0 || w > INT32_MAX || h > INT32_MAX)
	{
		mmrd_fail(err, MMRD_CORRUPT_DATA,
		          "PNG header declares an impossible size");
		return mmrd_detail(err, "Width %u, height %u.", w, h);
	}
	*width = (int32_t) w;
	*height = (int32_t) h;
	return MMRD_OK;
}

/* Fill what the header alone decides, except data; checks it. */
static mmrd_status
read_header(const uint8_t *bytes, size_t len, mmrd_raster *image,
            mmrd_error *err)
{
	uint8_t depth;
	uint8_t colour;
	int valid;

	MMRD_TRY(mmrd_png_size(bytes, len, &image->width, &image->height, err));
	depth = bytes[24];
	colour = bytes[25];
	switch (colour)
	{
		case PNG_COLOR_TYPE_GRAY:
			valid = depth == 1 || depth == 2 || depth == 4 || depth == 8 ||
			        depth == 16;
			break;
		case PNG_COLOR_TYPE_PALETTE:
			valid = depth == 1 || depth == 2 || depth == 4 || depth == 8;
			break;
		case PNG_COLOR_TYPE_RGB:
		case PNG_COLOR_TYPE_GRAY_ALPHA:
		case PNG_COLOR_TYPE_RGB_ALPHA:
			valid = depth == 8 || depth == 16;
			break;
		default:
			valid = 0;
	}
	if (!valid || bytes[26] != 0 || bytes[27] != 0 || bytes[28] > 1)
	{
		mmrd_fail(err, MMRD_CORRUPT_DATA,
		          "PNG header declares an impossible pixel format");
		return mmrd_detail(err,
		                   "Bit depth %d, colour type %d, compression %d, "
		                   "filter %d, interlacing %d.",
		                   depth, colour, bytes[26], bytes[27], bytes[28]);
	}
	image->sample = depth == 16 ? MMRD_SAMPLE_U16 : MMRD_SAMPLE_U8;
	image->channels = colour & PNG_COLOR_MASK_COLOR ? 3 : 1;
	return MMRD_OK;
}

/* Ask for plain grey or RGB of 8 or 16 bits; returns the passes to read. */
static int
set_transforms(job *j)
{
	/*
	 * num_chunks -1 discards what is unknown and all ancillary chunks that
	 * libpng knows, except tRNS, which it counts as part of the pixels.
	 */
	png_set_keep_unknown_chunks(j->png, PNG_HANDLE_CHUNK_NEVER, NULL, -1);
	png_set_keep_unknown_chunks(j->png, PNG_HANDLE_CHUNK_NEVER,
	                            (png_const_bytep) "tRNS", 1);
	png_read_info(j->png, j->info);
	switch (png_get_color_type(j->png, j->info))
	{
		case PNG_COLOR_TYPE_PALETTE:
			png_set_palette_to_rgb(j->png);
			break;
		case PNG_COLOR_TYPE_GRAY:
			png_set_expand_gray_1_2_4_to_8(j->png);
			break;
		case PNG_COLOR_TYPE_GRAY_ALPHA:
		case PNG_COLOR_TYPE_RGB_ALPHA:
			png_set_strip_alpha(j->png);
			break;
		default:
			break;
	}
	if (png_get_bit_depth(j->png, j->info) == 16 && is_little_endian())
		png_set_swap(j->png);
	return png_set_interlace_handling(j->png);
}

/* Everything of reading that may jump.  Returns 0 when it did. */
static int
read_image(job *j, const mmrd_raster *image)
{
	const size_t row_bytes = (size_t) image->width * (size_t) image->channels *
	                         mmrd_sample_bytes(image->sample);

	if (setjmp(j->jump) != 0)
		return 0;
	j->png = png_create_read_struct_2(PNG_LIBPNG_VER_STRING, j, on_error,
	                                  on_warning, j, on_malloc, on_free);
	if (j->png != NULL)
		j->info = png_create_info_struct(j->png);
	if (j->info == NULL)
	{
		j->memory_failed = 1;
		return 0;
	}
	png_set_read_fn(j->png, j, on_read);
	png_set_benign_errors(j->png, 1);

	/* Our own limits have passed; libpng's must not be smaller.  No chunk is
	 * kept, and none can be longer than the file. */
	png_set_user_limits(j->png, (png_uint_32) image->width,
	                    (png_uint_32) image->height);
	png_set_chunk_cache_max(j->png, 1);
	png_set_chunk_malloc_max(j->png, j->in_left);

	{
		const int passes = set_transforms(j);

		png_read_update_info(j->png, j->info);
		if (png_get_rowbytes(j->png, j->info) != row_bytes)
			png_error(j->png, "rows have an unexpected size");
		for (int pass = 0; pass < passes; pass++)
		{
			uint8_t *row = image->data;

			for (int32_t y = 0; y < image->height; y++, row += row_bytes)
				png_read_row(j->png, row, NULL);
		}
	}
	png_read_end(j->png, NULL);
	return 1;
}

static mmrd_status
fail_read(const job *j, mmrd_error *err)
{
	if (j->memory_failed)
		return mmrd_fail_memory(err, 0);
	mmrd_fail(err, MMRD_CORRUPT_DATA, "PNG file is damaged");
	return mmrd_detail(err, "libpng reports: %s.", j->message);
}

mmrd_status
mmrd_png_decode(const uint8_t *bytes, size_t len,
                const mmrd_raster_limits *limits, mmrd_raster *image,
                mmrd_error *err)
{
	mmrd_status st;
	job j;

	memset(image, 0, sizeof(*image));
	memset(&j, 0, sizeof(j));
	j.in = bytes;
	j.in_left = len;
	st = read_header(bytes, len, image, err);
	if (st == MMRD_OK)
		st = mmrd_raster_allocate(image, limits, err);
	if (st != MMRD_OK)
		goto done;
	if (!read_image(&j, image))
		st = fail_read(&j, err);

done:
	if (j.png != NULL)
		png_destroy_read_struct(&j.png, &j.info, NULL);
	if (st != MMRD_OK)
		mmrd_raster_clear(image);
	return st;
}

/* Everything of writing that may jump.  Returns 0 when it did. */
static int
write_image(job *j, const mmrd_raster *image, int level)
{
	const size_t row_bytes = (size_t) image->width * (size_t) image->channels *
	                         mmrd_sample_bytes(image->sample);

	if (setjmp(j->jump) != 0)
		return 0;
	j->png = png_create_write_struct_2(PNG_LIBPNG_VER_STRING, j, on_error,
	                                   on_warning, j, on_malloc, on_free);
	if (j->png != NULL)
		j->info = png_create_info_struct(j->png);
	if (j->info == NULL)
	{
		j->memory_failed = 1;
		return 0;
	}
	png_set_write_fn(j->png, j, on_write, on_flush);
	png_set_user_limits(j->png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
	png_set_compression_level(j->png, level);
	png_set_IHDR(j->png, j->info, (png_uint_32) image->width,
	             (png_uint_32) image->height,
	             8 * (int) mmrd_sample_bytes(image->sample),
	             image->channels == 1 ? PNG_COLOR_TYPE_GRAY
	                                  : PNG_COLOR_TYPE_RGB,
	             PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
	             PNG_FILTER_TYPE_DEFAULT);
	png_write_info(j->png, j->info);
	if (image->sample == MMRD_SAMPLE_U16 && is_little_endian())
		png_set_swap(j->png);
	{
		const uint8_t *row = image->data;

		for (int32_t y = 0; y < image->height; y++, row += row_bytes)
			png_write_row(j->png, row);
	}
	png_write_end(j->png, NULL);
	return 1;
}

mmrd_status
mmrd_png_encode(const mmrd_raster *image, int level, uint8_t **bytes,
                size_t *n_bytes, mmrd_error *err)
{
	mmrd_status st = MMRD_OK;
	job j;

	*bytes = NULL;
	*n_bytes = 0;
	memset(&j, 0, sizeof(j));
	if ((image->sample != MMRD_SAMPLE_U8 &&
	     image->sample != MMRD_SAMPLE_U16) ||
	    (image->channels != 1 && image->channels != 3) || image->width < 1 ||
	    image->height < 1)
	{
		mmrd_fail(err, MMRD_INVALID_ARGUMENT,
		          "image cannot be written as PNG");
		return mmrd_detail(err,
		                   "Width %d, height %d, channels %d, %zu bytes per "
		                   "sample.",
		                   image->width, image->height, image->channels,
		                   mmrd_sample_bytes(image->sample));
	}
	if (level < 0 || level > 9)
	{
		mmrd_fail(err, MMRD_INVALID_ARGUMENT,
		          "invalid PNG compression level: %d", level);
		return mmrd_detail(err, "Levels are 0 to 9.");
	}

	if (!write_image(&j, image, level))
	{
		if (j.memory_failed)
			st = mmrd_fail_memory(err, (double) j.out_room);
		else
		{
			mmrd_fail(err, MMRD_INTERNAL, "could not write a PNG");
			mmrd_detail(err, "libpng reports: %s.", j.message);
			st = err->status;
		}
		goto done;
	}
	*bytes = j.out; /* ownership moves to the caller */
	*n_bytes = j.out_bytes;
	j.out = NULL;

done:
	free(j.out);
	if (j.png != NULL)
		png_destroy_write_struct(&j.png, &j.info);
	return st;
}
