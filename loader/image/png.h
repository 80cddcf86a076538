/*
 * loader/image/png.h
 *	  PNG files in memory to samples and back; wraps libpng.
 *
 *	  mmrd_raster_limits limits = {64 << 20, 1 << 30};
 *	  mmrd_raster image;
 *	  mmrd_error err = {0};
 *
 *	  if (mmrd_png_decode(bytes, len, &limits, &image, &err) != MMRD_OK)
 *		  return report(&err);
 *	  use(&image);
 *	  mmrd_raster_clear(&image);
 */
#ifndef MMRD_PNG_H
#define MMRD_PNG_H

#include <stddef.h>
#include <stdint.h>

#include "model/base/raster.h"
#include "model/base/status.h"

/* True when the bytes begin with the eight of a PNG file's signature. */
int mmrd_png_recognise(const uint8_t *bytes, size_t len);

/*
 * The declared width and height in pixels, each 1 to 2^31 - 1, from the first
 * 33 bytes; nothing is allocated and libpng is not called.  Returns
 * MMRD_CORRUPT_DATA when the header is cut short or contradicts itself; then
 * both are 0.
 */
mmrd_status mmrd_png_size(const uint8_t *bytes, size_t len, int32_t *width,
                          int32_t *height, mmrd_error *err);

/*
 * Decode one PNG.
 *
 * bytes, len	the whole file; only read, and not kept after the return
 * limits		checked against the header, before anything of the image's
 *				size is allocated
 * image		out: MMRD_SAMPLE_U8, or U16 where the file has 16 bits; 1 or 3
 *				channels.  Palettes become three channels, grey of 1, 2 and 4
 *				bits is scaled to 8, alpha and transparent colours are
 *				dropped, both kinds of interlacing are read.  Values are as
 *				stored: no gamma, no colour profile.
 *
 * Tolerated, since the pixels are whole: damaged or unknown ancillary chunks,
 * bytes after the end marker, surplus compressed data, a palette index beyond
 * the palette (black).  Of an animation the first picture is read.
 *
 * Ownership: on MMRD_OK the caller releases image with mmrd_raster_clear().
 * On any failure image is all zero and owns nothing.
 *
 * Returns MMRD_CORRUPT_DATA for a bad signature, header or checksum and for a
 * truncated file; MMRD_LIMIT_EXCEEDED when the header declares more than
 * limits allow; MMRD_NO_MEMORY.
 *
 * Any number of calls may run at once, on distinct images.
 */
mmrd_status mmrd_png_decode(const uint8_t *bytes, size_t len,
                            const mmrd_raster_limits *limits,
                            mmrd_raster *image, mmrd_error *err);

/*
 * Encode one PNG, grey or RGB, of 8 or 16 bits.
 *
 * image		MMRD_SAMPLE_U8 or U16, 1 or 3 channels; only read
 * level		zlib's compression level, 0 (stored) to 9 (smallest)
 * bytes		out: malloc'd, the caller frees it; NULL on failure
 * n_bytes		out: its length; 0 on failure
 *
 * Returns MMRD_INVALID_ARGUMENT for float samples, other channel counts or
 * another level; MMRD_NO_MEMORY.
 */
mmrd_status mmrd_png_encode(const mmrd_raster *image, int level,
                            uint8_t **bytes, size_t *n_bytes, mmrd_error *err);

#endif /* MMRD_PNG_H */
