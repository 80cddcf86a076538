/*
 * model/input/resize.h
 *	  Samples of any size to floats of another size.
 *
 * Two ways: bilinear with anti-aliasing, for pictures, and nearest neighbour,
 * for depth, where a mean of a valid and an invalid sample means nothing.
 */
#ifndef MMRD_RESIZE_H
#define MMRD_RESIZE_H

#include <stddef.h>
#include <stdint.h>

#include "model/base/raster.h"
#include "model/base/status.h"

/* A rectangle in pixels of the source. */
typedef struct mmrd_roi
{
	int32_t x; /* of the left column */
	int32_t y; /* of the top row */
	int32_t width;
	int32_t height;
} mmrd_roi;

/* A rectangle of a raster, seen in place. */
typedef struct mmrd_view
{
	const void *data; /* its first sample */
	mmrd_sample sample;
	int channels; /* 1 or 3 */
	int height;   /* pixels, at least 1 */
	int width;    /* pixels, at least 1 */
	size_t pitch; /* samples from one row to the next */
} mmrd_view;

/* What becomes of a resized value v of channel c: gain[c] * v + offset[c]. */
typedef struct mmrd_affine
{
	int channels; /* of the output: as the input, or 3 for an input of 1,
	               * which is then repeated */
	float gain[3];
	float offset[3];
} mmrd_affine;

/*
 * View roi of a raster, or all of it when roi is NULL.  The view borrows the
 * raster's data.  MMRD_INVALID_ARGUMENT when roi is empty or does not lie
 * inside; then the view is all zero.
 */
mmrd_status mmrd_view_of(const mmrd_raster *raster, const mmrd_roi *roi,
                         mmrd_view *view, mmrd_error *err);

/*
 * Bilinear with anti-aliasing.  One side of n pixels becomes N: output pixel
 * I has its centre at c = (I + 1/2) n/N in source pixels, and the source pixel
 * i the weight max(0, 1 - |i + 1/2 - c| / max(1, n/N)); the weights of the
 * pixels that exist are divided by their sum.  Rows and columns one after the
 * other, in float, nothing rounded.  (What Pillow calls BILINEAR.)
 *
 * in		the source; data of the view's sample type
 * H, W		pixels of the output, each at least 1
 * to		how values become outputs
 * out		(H, W, to->channels), every element written; does not overlap in
 *
 * A NaN in the source spreads over the outputs that it has a weight in.
 * The same bits come out for any number of threads.  Returns MMRD_NO_MEMORY.
 */
mmrd_status mmrd_resize_bilinear(const mmrd_view *in, int H, int W,
                                 const mmrd_affine *to, float *out,
                                 mmrd_error *err);

/* The same thing said plainly, in double: what the tests compare against. */
void mmrd_resize_bilinear_ref(const mmrd_view *in, int H, int W,
                              const mmrd_affine *to, float *out);

/*
 * Nearest neighbour: output pixel (Y, X) is the source pixel (floor((2Y+1) h
 * / 2H), floor((2X+1) w / 2W)), computed in integers.
 *
 * out		(H, W, in->channels), the samples as stored, converted to float;
 *			every element written
 */
void mmrd_resize_nearest(const mmrd_view *in, int H, int W, float *out);

#endif /* MMRD_RESIZE_H */
