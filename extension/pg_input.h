/*
 * extension/pg_input.h
 *	  From the bytes of a scan to what the network reads.
 */
#ifndef MMRD_PG_INPUT_H
#define MMRD_PG_INPUT_H

#include "extension/pg_compat.h"
#include "extension/pg_options.h"
#include "model/base/raster.h"

/* What image decoders may produce: mmrd.max_pixels. */
extern mmrd_raster_limits mmrd_pg_image_limits(void);

/* Floats of one modality's input, (S, S, 3). */
extern size_t mmrd_pg_input_count(const mmrd_pg_options *options);

/*
 * Decode and prepare one modality (0 rgb, 1 aux, 2 aux2) of a scan.
 *
 * bytes	detoasted
 * out		mmrd_pg_input_count() floats
 * width, height	out: of the source image, pixels; may be NULL
 *
 * Throws nothing; failures are those of the decoders and of model/input/.
 */
extern mmrd_status mmrd_pg_input_prepare(const mmrd_pg_options *options,
                                         int modality,
                                         const struct varlena *bytes,
                                         float *out, int32 *width,
                                         int32 *height, mmrd_error *err);

/*
 * Decode a mask: a pixel is in when any channel is not 0.  Cropped to roi
 * (x, y, width, height) unless that is NULL, resized to height x width
 * (bilinear, then > 0.5); out gets 0 and 1.
 */
extern mmrd_status mmrd_pg_mask_prepare(const struct varlena *bytes,
                                        const int32 *roi, int32 height,
                                        int32 width, uint8 *out,
                                        mmrd_error *err);

#endif /* MMRD_PG_INPUT_H */
