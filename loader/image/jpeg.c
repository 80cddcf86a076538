/*
 * loader/image/jpeg.c
 *	  The only file that includes libjpeg's headers.
 *
 * libjpeg's error_exit must not return.  Ours notes the message and longjmps
 * to the setjmp in read_image(), the one function that drives the library;
 * everything that must outlive the jump is in a job struct of its caller.
 *
 * Two kinds of bomb are in the format.  A progressive picture is kept as
 * coefficients until its last scan: that memory is bounded by the declared
 * size, through the library's own limit.  Each scan is work for the whole
 * picture: their number is bounded by the progress hook.
 */
#include "loader/image/jpeg.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <jpeglib.h>
#include <jerror.h>

enum
{
	ROWS = 16,             /* asked for at once: one row of blocks, 4:2:0 */
	WORK_BYTES = 16 << 20, /* that libjpeg may use whatever the size */

	/*
	 * Per pixel of a progressive file: three channels of 2-byte coefficients
	 * are 6; sides padded to whole blocks make a little more.
	 */
	WORK_BYTES_PER_PIXEL = 8
};

typedef struct job
{
	struct jpeg_error_mgr errors; /* what libjpeg points to */
	struct jpeg_progress_mgr progress;
	struct jpeg_decompress_struct jpeg;
	jmp_buf jump;
	mmrd_status status; /* of the error that jumped */
	char message[JMSG_LENGTH_MAX];
} job;

static job *
job_of(j_common_ptr jpeg)
{
	return jpeg->client_data;
}

/* Leave libjpeg with the message that it has prepared. */
static void
jump_with(j_common_ptr jpeg, mmrd_status status)
{
	job *j = job_of(jpeg);

	j->status = status;
	jpeg->err->format_message(jpeg, j->message);
	longjmp(j->jump, 1);
}

static void
on_error(j_common_ptr jpeg)
{
	switch (jpeg->err->msg_code)
	{
		case JERR_OUT_OF_MEMORY:
			jump_with(jpeg, MMRD_NO_MEMORY);
			break;
		case JERR_NO_BACKING_STORE: /* more memory than we allow it */
		case JERR_IMAGE_TOO_BIG:
		case JERR_WIDTH_OVERFLOW:
			jump_with(jpeg, MMRD_LIMIT_EXCEEDED);
			break;
		case JERR_ARITH_NOTIMPL:
		case JERR_BAD_PRECISION:
		case JERR_COMPONENT_COUNT:
		case JERR_CONVERSION_NOTIMPL:
		case JERR_SOF_UNSUPPORTED:
			jump_with(jpeg, MMRD_UNSUPPORTED);
			break;
		default:
			jump_with(jpeg, MMRD_CORRUPT_DATA);
	}
}

/* Level -1 is a warning: the data is damaged and libjpeg would go on. */
static void
on_message(j_common_ptr jpeg, int level)
{
	if (level >= 0)
		return;
	switch (jpeg->err->msg_code)
	{
		case JWRN_ADOBE_XFORM:
		case JWRN_EXTRANEOUS_DATA:
		case JWRN_JFIF_MAJOR:
			return;
		default:
			jump_with(jpeg, MMRD_CORRUPT_DATA);
	}
}

static void
on_output(j_common_ptr jpeg)
{
	(void) jpeg;
}

static void
on_progress(j_common_ptr jpeg)
{
	job *j = job_of(jpeg);

	if (j->jpeg.input_scan_number <= MMRD_JPEG_MAX_SCANS)
		return;
	j->status = MMRD_LIMIT_EXCEEDED;
	snprintf(j->message, sizeof(j->message), "more than %d scans",
	         MMRD_JPEG_MAX_SCANS);
	longjmp(j->jump, 1);
}

int
mmrd_jpeg_recognise(const uint8_t *bytes, size_t len)
{
	return len >= 3 && bytes[0] == 0xff && bytes[1] == 0xd8 &&
	       bytes[2] == 0xff;
}

/* Is this the marker of a frame header?  C4, C8 and CC are other things. */
static int
is_frame(uint8_t marker)
{
	return marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 &&
	       marker != 0xc8 && marker != 0xcc;
}

static mmrd_status
fail_frame(uint8_t marker, mmrd_error *err)
{
	mmrd_fail(err, MMRD_UNSUPPORTED,
	          "JPEG file is of a kind that is not read");
	mmrd_detail(err, "Its frame marker is 0x%02x (%s).", marker,
	            marker == 0xc3                     ? "lossless"
	            : marker >= 0xc9 && marker != 0xcb ? "arithmetic coding"
	            : marker == 0xcb                   ? "lossless, arithmetic"
	                                               : "hierarchical");
	return mmrd_hint(err, "Baseline and progressive files are read.");
}

/* The frame header at bytes[at ..], from its length field on. */
static mmrd_status
read_frame(const uint8_t *bytes, size_t left, uint8_t marker, int32_t *width,
           int32_t *height, mmrd_error *err)
{
	int32_t w;
	int32_t h;

	if (left < 8)
		return mmrd_fail(err, MMRD_CORRUPT_DATA, "JPEG file is truncated");
	if (marker > 0xc2)
		return fail_frame(marker, err);
	h = bytes[3] << 8 | bytes[4];
	w = bytes[5] << 8 | bytes[6];
	if (h == 0 && w != 0)
		return mmrd_fail(err, MMRD_UNSUPPORTED,
		                 "JPEG file does not declare its height");
	if (w == 0)
		return mmrd_fail(err, MMRD_CORRUPT_DATA,
		                 "JPEG file declares no width");
	if (bytes[2] != 8)
	{
		mmrd_fail(err, MMRD_UNSUPPORTED,
		          "JPEG file has a number of bits per sample that is not "
		          "read");
		return mmrd_detail(err, "It is %d; 8 is read.", bytes[2]);
	}
	*width = w;
	*height = h;
	return MMRD_OK;
}

mmrd_status
mmrd_jpeg_size(const uint8_t *bytes, size_t len, int32_t *width,
               int32_t *height, mmrd_error *err)
{
	size_t at = 2;

	*width = 0;
	*height = 0;
	if (!mmrd_jpeg_recognise(bytes, len))
		return mmrd_fail(err, MMRD_CORRUPT_DATA,
		                 "JPEG file has no JPEG signature");
	while (len - at >= 4)
	{
		const uint8_t marker = bytes[at + 1];
		size_t n;

		if (bytes[at] != 0xff || marker == 0xff || marker == 0)
		{
			at++; /* fill bytes, or surplus ones that libjpeg skips, too */
			continue;
		}
		at += 2;
		if (marker == 0x01 || (marker >= 0xd0 && marker <= 0xd7))
			continue; /* without a length */
		if (is_frame(marker))
			return read_frame(bytes + at, len - at, marker, width, height,
			                  err);
		if (marker == 0xd9 || marker == 0xda)
			break;
		n = (size_t) bytes[at] << 8 | bytes[at + 1];
		if (n < 2 || n > len - at)
			break;
		at += n;
	}
	return mmrd_fail(err, MMRD_CORRUPT_DATA,
	                 "JPEG file is truncated or damaged before its frame "
	                 "header");
}

static mmrd_status
fail_colour(const job *j, mmrd_error *err)
{
	const char *name = j->jpeg.jpeg_color_space == JCS_CMYK   ? "CMYK"
	                   : j->jpeg.jpeg_color_space == JCS_YCCK ? "YCCK"
	                                                          : "unknown";

	mmrd_fail(err, MMRD_UNSUPPORTED,
	          "JPEG file has colours that are not read");
	return mmrd_detail(err,
	                   "They are %s, %d components; grey and RGB are "
	                   "read.",
	                   name, j->jpeg.num_components);
}

/* Everything that may jump; then the reason is in j. */
static mmrd_status
read_image(job *j, const uint8_t *bytes, size_t len,
           const mmrd_raster_limits *limits, mmrd_raster *image,
           mmrd_error *err)
{
	struct jpeg_decompress_struct *jpeg = &j->jpeg;

	if (setjmp(j->jump) != 0)
	{
		if (j->status == MMRD_NO_MEMORY)
			return mmrd_fail_memory(err, 0);
		mmrd_fail(err, j->status,
		          j->status == MMRD_LIMIT_EXCEEDED ? "JPEG file is too large"
		          : j->status == MMRD_UNSUPPORTED
		              ? "JPEG file is of a kind that is not read"
		              : "JPEG file is damaged");
		return mmrd_detail(err, "libjpeg reports: %s.", j->message);
	}
	jpeg_create_decompress(jpeg);
	jpeg->progress = &j->progress;
	jpeg->mem->max_memory_to_use = WORK_BYTES + (long) WORK_BYTES_PER_PIXEL *
	                                                image->width *
	                                                image->height;
	jpeg_mem_src(jpeg, bytes, (unsigned long) len);
	jpeg_read_header(jpeg, TRUE);

	/* The same as our own reading of the header, unless it has two. */
	if (jpeg->image_width != (JDIMENSION) image->width ||
	    jpeg->image_height != (JDIMENSION) image->height)
		return mmrd_fail(err, MMRD_CORRUPT_DATA,
		                 "JPEG header can be read in two ways");
	if (jpeg->arith_code)
		return fail_frame(0xc9, err);
	if (jpeg->jpeg_color_space == JCS_GRAYSCALE)
		jpeg->out_color_space = JCS_GRAYSCALE;
	else if (jpeg->jpeg_color_space == JCS_YCbCr ||
	         jpeg->jpeg_color_space == JCS_RGB)
		jpeg->out_color_space = JCS_RGB;
	else
		return fail_colour(j, err);
	image->channels = jpeg->out_color_space == JCS_RGB ? 3 : 1;
	MMRD_TRY(mmrd_raster_allocate(image, limits, err));

	jpeg_start_decompress(jpeg);
	while (jpeg->output_scanline < jpeg->output_height)
	{
		const size_t row_bytes =
		    (size_t) image->width * (size_t) image->channels;
		const JDIMENSION left = jpeg->output_height - jpeg->output_scanline;
		JSAMPROW rows[ROWS];

		for (JDIMENSION i = 0; i < ROWS && i < left; i++)
			rows[i] = (uint8_t *) image->data +
			          (jpeg->output_scanline + i) * row_bytes;
		jpeg_read_scanlines(jpeg, rows, left < ROWS ? left : ROWS);
	}
	jpeg_finish_decompress(jpeg);
	return MMRD_OK;
}

mmrd_status
mmrd_jpeg_decode(const uint8_t *bytes, size_t len,
                 const mmrd_raster_limits *limits, mmrd_raster *image,
                 mmrd_error *err)
{
	mmrd_status st;
	job j;

	memset(image, 0, sizeof(*image));
	memset(&j, 0, sizeof(j));
	image->sample = MMRD_SAMPLE_U8;
	image->channels = 1;
	st = mmrd_jpeg_size(bytes, len, &image->width, &image->height, err);
	if (st == MMRD_OK &&
	    (int64_t) image->width * image->height > limits->max_pixels)
		st = mmrd_raster_allocate(image, limits, err); /* refuses, in words */
	if (st != MMRD_OK)
		goto done;

	j.jpeg.err = jpeg_std_error(&j.errors);
	j.errors.error_exit = on_error;
	j.errors.emit_message = on_message;
	j.errors.output_message = on_output;
	j.progress.progress_monitor = on_progress;
	j.jpeg.client_data = &j;
	st = read_image(&j, bytes, len, limits, image, err);
	jpeg_destroy_decompress(&j.jpeg); /* all zero is fine, too */

done:
	if (st != MMRD_OK)
		mmrd_raster_clear(image);
	return st;
}
