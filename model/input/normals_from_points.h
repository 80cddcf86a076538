/*
 * model/input/normals_from_points.h
 *	  Surface normals of organised points with holes.
 *
 * Real scans are full of single-pixel holes, so differences of neighbours are
 * noise.  Hence three steps: fill small holes, smooth, then differentiate.
 * The points are three planes of coordinates, (H, W) each, with a mask of
 * those that are valid; where a point is not valid its coordinates are 0.
 *
 * All results have the same bits for any number of threads.
 */
#ifndef MMRD_NORMALS_FROM_POINTS_H
#define MMRD_NORMALS_FROM_POINTS_H

#include <stdint.h>

enum
{
	MMRD_POINTS_FILLS = 3, /* neighbourhoods of 3 x 3, 5 x 5, 7 x 7 pixels */

	/* Of the smoothing kernel, pixels: four times its standard deviation,
	 * beyond which a Gaussian holds less than 1e-4 of its weight. */
	MMRD_POINTS_RADIUS = 4
};

/* Standard deviation of the smoothing kernel, pixels. */
#define MMRD_POINTS_SIGMA 1.0

typedef struct mmrd_points
{
	int height;
	int width;
	float *axis[3]; /* x, y, z: (height, width) each, metres */
	uint8_t *valid; /* (height, width) of 0 and 1 */
} mmrd_points;

/*
 * One pass of filling: a point of from that is not valid becomes the mean of
 * the valid ones at most radius pixels away in x and y, and valid, if there
 * are any; all others are copied.  from and to have the same size and do not
 * overlap.
 */
void mmrd_points_fill(int radius, const mmrd_points *from, mmrd_points *to);

/*
 * Smooth each coordinate with a Gaussian over the valid points inside the
 * image, their weights divided by their sum.  Points that are not valid stay
 * so.
 *
 * points	changed in place
 * scratch	2 * height * width floats, overwritten
 */
void mmrd_points_smooth(mmrd_points *points, float *scratch);

/*
 * Unit normals towards the camera, that is with z <= 0, as (n + 1) / 2.
 *
 * The normal is the cross product of the differences along x and y between
 * the two neighbours; where one of them is not valid or outside the image,
 * between the other and the point itself.
 *
 * points	only read
 * mask		(height, width) of 0 and 1: where normals are wanted
 * out		(height, width, 3), every element written, in [0,1]; all three are
 *			0 outside mask, where the point is not valid, where neither
 *			neighbour along x or y is, and where the product is 0 or overflows
 */
void mmrd_normals_from_points(const mmrd_points *points, const uint8_t *mask,
                              float *out);

#endif /* MMRD_NORMALS_FROM_POINTS_H */
