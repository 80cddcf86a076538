/*
 * model/input/input_image.h
 *	  A picture, or a map that looks like one, to what the network reads.
 */
#ifndef MMRD_INPUT_IMAGE_H
#define MMRD_INPUT_IMAGE_H

#include "model/base/raster.h"
#include "model/base/status.h"
#include "model/input/resize.h"

/*
 * Mean and standard deviation of the pictures that the teachers were trained
 * on (ImageNet; the constants of torchvision's models), in [0,1], by channel
 * R, G, B.
 */
extern const float mmrd_input_mean[3];
extern const float mmrd_input_std[3];

enum
{
	MMRD_INPUT_MAX_SIDE = 8192 /* pixels: bound of S, 32 times the default */
};

/*
 * Resize to S x S with anti-aliasing, scale to [0,1] (8 bits by 255, 16 bits
 * by 65535), subtract the mean, divide by the standard deviation.
 *
 * raster	the decoded picture; grey is repeated to three channels; only read
 * roi		the part of it to use, in its pixels, or NULL for all of it; its
 *			aspect ratio is not kept
 * S		pixels, 1 to MMRD_INPUT_MAX_SIDE
 * out		(S, S, 3), every element written on MMRD_OK
 *
 * The same bits come out for any number of threads.  Returns
 * MMRD_INVALID_ARGUMENT for a roi outside the picture or another S,
 * MMRD_UNSUPPORTED for float samples (they have no known range, so they are
 * depth or points, see input_depth.h), MMRD_NO_MEMORY.
 */
mmrd_status mmrd_input_image(const mmrd_raster *raster, const mmrd_roi *roi,
                             int S, float *out, mmrd_error *err);

#endif /* MMRD_INPUT_IMAGE_H */
