/*
 * model/input/input_depth.h
 *	  Depth maps and organised points to what the network reads.
 *
 * Everything happens at S x S, after a resize by nearest neighbour, so that
 * no invalid point is ever mixed into a valid one.  A point is invalid where
 * it is (0,0,0) or not finite, a depth where it is 0 or not finite.
 *
 *	foreground	xyz, height, normals: valid and away from the table, which is
 *				fitted to the valid points of the outer frame (plane_fit.h);
 *				without a table, and for depth, all that is valid.  Then closed
 *				(foreground.h): that is "the part".
 *	depth		the values, scaled from their range (depth_scale.h)
 *	xyz			z, scaled likewise
 *	height		the distance from the table, on either side, scaled likewise;
 *				without a table, how far z lies before the farthest point
 *				(z points away from the camera)
 *				For these three: where the part is valid; 0 elsewhere; then
 *				two passes that fill holes inside the part; repeated to three
 *				channels
 *	normals		of points filled and smoothed (normals_from_points.h), inside
 *				the part; 0 elsewhere
 *
 * Then mean and standard deviation as for a picture.
 */
#ifndef MMRD_INPUT_DEPTH_H
#define MMRD_INPUT_DEPTH_H

#include "model/input/input_prepare.h"

enum
{
	MMRD_INPUT_FRAME = 10 /* pixels at S x S, from each edge: the table */
};

/*
 * mmrd_input_prepare() for all kinds but MMRD_INPUT_IMAGE, whose contract
 * holds; spec and S have been checked there, roi is spec's or NULL, and note
 * is all zero.
 */
mmrd_status mmrd_input_depth(const mmrd_raster *raster,
                             const mmrd_input_spec *spec, const mmrd_roi *roi,
                             int S, float *out, mmrd_input_note *note,
                             mmrd_error *err);

#endif /* MMRD_INPUT_DEPTH_H */
