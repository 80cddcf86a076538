/*
 * loader/image/tiff.h
 *	  TIFF files in memory to samples; wraps libtiff.
 *
 * The files of cameras and depth sensors, not all of TIFF:
 *
 *	samples			unsigned of 8 and 16 bits, float of 32 and 64 (narrowed
 *					to 32); a palette of 8 bits becomes three channels
 *	channels		1 or 3, with at most one more (alpha), which is dropped;
 *					interleaved, or one plane after the other
 *	layout			strips or tiles, either byte order, TIFF or BigTIFF
 *	compression		none, LZW, Deflate (8 and 32946), PackBits, each with the
 *					predictors that belong to it
 *
 * Everything else is MMRD_UNSUPPORTED and named.  Of several pages the first
 * is read; SubIFDs, masks and thumbnails are not looked at.  Values are as
 * stored: no orientation, no gamma, no colour profile.
 */
#ifndef MMRD_TIFF_H
#define MMRD_TIFF_H

#include <stddef.h>
#include <stdint.h>

#include "model/base/raster.h"
#include "model/base/status.h"

/* True when the bytes begin like a TIFF or BigTIFF of either byte order. */
int mmrd_tiff_recognise(const uint8_t *bytes, size_t len);

/*
 * The declared width and height in pixels, from the first directory; libtiff
 * is not called and nothing is allocated.  MMRD_CORRUPT_DATA, both 0, when
 * there is none.
 */
mmrd_status mmrd_tiff_size(const uint8_t *bytes, size_t len, int32_t *width,
                           int32_t *height, mmrd_error *err);

/*
 * Decode the first page of one TIFF.
 *
 * bytes, len	the whole file; only read, and not kept after the return
 * limits		checked against the directory before anything of the image's
 *				size is allocated; max_pixels holds for a tile, too
 * image		out: the samples, native byte order
 *
 * Ownership: on MMRD_OK the caller releases image with mmrd_raster_clear().
 * On any failure image is all zero and owns nothing.
 *
 * Returns MMRD_CORRUPT_DATA, MMRD_UNSUPPORTED, MMRD_LIMIT_EXCEEDED,
 * MMRD_NO_MEMORY.  Any number of calls may run at once, on distinct images;
 * before libtiff 4.5 they wait for each other, because its error handlers
 * were the process's.
 */
mmrd_status mmrd_tiff_decode(const uint8_t *bytes, size_t len,
                             const mmrd_raster_limits *limits,
                             mmrd_raster *image, mmrd_error *err);

#endif /* MMRD_TIFF_H */
