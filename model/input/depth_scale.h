/*
 * model/input/depth_scale.h
 *	  Depth values to [0,1], and the holes between them filled.
 */
#ifndef MMRD_DEPTH_SCALE_H
#define MMRD_DEPTH_SCALE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Values become these, so that the part stands out against 0, which means
 * table or nothing.  From the published preprocessing of MVTec 3D-AD.
 */
#define MMRD_DEPTH_LOW 0.1
#define MMRD_DEPTH_HIGH 0.9

/* Where all values are the same; the middle of the two. */
#define MMRD_DEPTH_FLAT 0.5

enum
{
	MMRD_DEPTH_FILLS = 2 /* passes of mmrd_depth_fill() */
};

/*
 * Smallest and largest of the values where use[i] is not 0; they are finite.
 * False, and 0 for both, when there is none.
 */
bool mmrd_depth_range(size_t n, const float *value, const uint8_t *use,
                      float *lo, float *hi);

/*
 * out[i] = LOW + (HIGH - LOW) * (value[i] - lo) / (hi - lo) where use[i] is
 * not 0, with value[i] first clamped to [lo, hi]; FLAT there when lo = hi; 0
 * elsewhere.  value is in any unit; out may be value.
 */
void mmrd_depth_scale(size_t n, const float *value, const uint8_t *use,
                      float lo, float hi, float *out);

/*
 * One pass of filling: a pixel of 0 inside mask takes the mean of the positive
 * values among its eight neighbours that are in the image, or stays 0.
 *
 * mask		(H, W) of 0 and 1
 * in, out	(H, W), every element of out written; they do not overlap
 *
 * The same bits come out for any number of threads.
 */
void mmrd_depth_fill(int H, int W, const uint8_t *mask, const float *in,
                     float *out);

#endif /* MMRD_DEPTH_SCALE_H */
