/*
 * loader/image/format.h
 *	  Any picture or depth map that we read, recognised from its bytes.
 */
#ifndef MMRD_FORMAT_H
#define MMRD_FORMAT_H

#include <stddef.h>
#include <stdint.h>

#include "model/base/raster.h"
#include "model/base/status.h"

typedef enum mmrd_format
{
	MMRD_FORMAT_UNKNOWN,
	MMRD_FORMAT_PNG,
	MMRD_FORMAT_TIFF,
	MMRD_FORMAT_JPEG
} mmrd_format;

/* By the first bytes, never by a name.  Says nothing about the rest. */
mmrd_format mmrd_format_recognise(const uint8_t *bytes, size_t len);

/* "PNG", "TIFF", "JPEG", "unknown". */
const char *mmrd_format_name(mmrd_format format);

/*
 * Decode one file; the rules of each format are in its header beside this
 * one (png.h, tiff.h, jpeg.h).
 *
 * bytes, len	the whole file; only read, and not kept after the return
 * limits		checked against the declared size before it is allocated
 * image		out: the samples as stored; 1 or 3 channels.  The caller
 *				releases it with mmrd_raster_clear().  All zero on failure.
 *
 * Returns MMRD_CORRUPT_DATA for bytes of no known format (the detail lists
 * those that are read) and for damaged files, MMRD_UNSUPPORTED for a valid
 * variant that is not read, MMRD_LIMIT_EXCEEDED, MMRD_NO_MEMORY.
 *
 * Any number of calls may run at once, on distinct images.
 */
mmrd_status mmrd_image_decode(const uint8_t *bytes, size_t len,
                              const mmrd_raster_limits *limits,
                              mmrd_raster *image, mmrd_error *err);

/*
 * The declared width and height in pixels, from the header alone; both 0 on
 * failure.  Returns as mmrd_image_decode() does, limits apart: a caller that
 * compares the numbers learns what a file would cost before decoding it.
 */
mmrd_status mmrd_image_size(const uint8_t *bytes, size_t len, int32_t *width,
                            int32_t *height, mmrd_error *err);

#endif /* MMRD_FORMAT_H */
