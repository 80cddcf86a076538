/*
 * loader/image/jpeg.h
 *	  JPEG files in memory to samples; wraps libjpeg-turbo.
 *
 * Baseline, extended and progressive Huffman coding with 8 bits per sample,
 * grey, YCbCr or RGB.  Arithmetic coding, lossless and hierarchical files, 12
 * bits and CMYK are MMRD_UNSUPPORTED and named.  Pixels are as stored: no
 * orientation from EXIF, no colour profile.
 */
#ifndef MMRD_JPEG_H
#define MMRD_JPEG_H

#include <stddef.h>
#include <stdint.h>

#include "model/base/raster.h"
#include "model/base/status.h"

enum
{
	/*
	 * A progressive file may send the whole picture again in every scan, at a
	 * few bytes each.  Encoders need about ten scans; this many are read.
	 */
	MMRD_JPEG_MAX_SCANS = 64
};

/* True when the bytes begin with a start-of-image marker and another marker.
 */
int mmrd_jpeg_recognise(const uint8_t *bytes, size_t len);

/*
 * The declared width and height in pixels, from the frame header; both 0 on
 * failure.  libjpeg is not called and nothing is allocated.  Returns
 * MMRD_CORRUPT_DATA when there is no such header, MMRD_UNSUPPORTED when it
 * announces a kind of file that is not read.
 */
mmrd_status mmrd_jpeg_size(const uint8_t *bytes, size_t len, int32_t *width,
                           int32_t *height, mmrd_error *err);

/*
 * Decode one JPEG.
 *
 * bytes, len	the whole file; only read, and not kept after the return
 * limits		checked against the header before anything of the image's
 *				size is allocated
 * image		out: MMRD_SAMPLE_U8, 1 channel for grey, else 3 (RGB)
 *
 * Where libjpeg would warn and invent pixels (a truncated file, a damaged
 * code), this is MMRD_CORRUPT_DATA.  Surplus bytes before a marker and after
 * the end of the image are tolerated: some cameras write them.
 *
 * Ownership: on MMRD_OK the caller releases image with mmrd_raster_clear().
 * On any failure image is all zero and owns nothing.
 *
 * Returns MMRD_CORRUPT_DATA, MMRD_UNSUPPORTED, MMRD_LIMIT_EXCEEDED (size, or
 * more than MMRD_JPEG_MAX_SCANS scans), MMRD_NO_MEMORY.  Any number of calls
 * may run at once, on distinct images.
 */
mmrd_status mmrd_jpeg_decode(const uint8_t *bytes, size_t len,
                             const mmrd_raster_limits *limits,
                             mmrd_raster *image, mmrd_error *err);

#endif /* MMRD_JPEG_H */
