/*
 * model/score/thumbnail.h
 *	  A picture small enough for a page.
 */
#ifndef MMRD_THUMBNAIL_H
#define MMRD_THUMBNAIL_H

#include "model/base/raster.h"
#include "model/base/status.h"

/*
 * Shrink a picture until its longer side has at most max_side pixels, in
 * proportion; one that is small enough keeps its size.  Bilinear with
 * anti-aliasing, rounded.
 *
 * image	of 8 or 16 bits, 1 or 3 channels; only read
 * max_side	at least 1
 * out		8 bits, 3 channels; the caller releases it with
 *			mmrd_raster_clear()
 *
 * Returns MMRD_UNSUPPORTED for float samples, MMRD_NO_MEMORY; then out is all
 * zero.  The same bits come out for any number of threads.
 */
mmrd_status mmrd_thumbnail_make(const mmrd_raster *image, int32_t max_side,
                                mmrd_raster *out, mmrd_error *err);

#endif /* MMRD_THUMBNAIL_H */
