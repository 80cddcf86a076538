/*
 * loader/image/tiff_write.h
 *	  Depth maps and points to a TIFF file in memory.
 */
#ifndef MMRD_TIFF_WRITE_H
#define MMRD_TIFF_WRITE_H

#include <stddef.h>
#include <stdint.h>

#include "model/base/raster.h"
#include "model/base/status.h"

/*
 * Encode one map of floats.
 *
 * image		MMRD_SAMPLE_F32, 1 or 3 channels; only read.  Every value is
 *				kept to the bit, those that are not finite included.
 * level		zlib's compression level, 1 (fast) to 9 (smallest)
 * bytes		out: malloc'd, the caller frees it; NULL on failure.  Little
 *				endian, one strip, Deflate (8) with the floating-point
 *				predictor (3): what libtiff and mmrd_tiff_decode() read.
 * n_bytes		out: its length; 0 on failure
 *
 * Returns MMRD_INVALID_ARGUMENT for other samples, channel counts or levels,
 * MMRD_LIMIT_EXCEEDED for more than 2 GB of samples, MMRD_NO_MEMORY.
 */
mmrd_status mmrd_tiff_encode(const mmrd_raster *image, int level,
                             uint8_t **bytes, size_t *n_bytes,
                             mmrd_error *err);

#endif /* MMRD_TIFF_WRITE_H */
