/*
 * model/input/plane_fit.h
 *	  The plane that most of a set of points lie on.
 *
 * Used to find the table under a scanned part.  The numbers below are those of
 * the published preprocessing of MVTec 3D-AD, whose scans are in metres.
 */
#ifndef MMRD_PLANE_FIT_H
#define MMRD_PLANE_FIT_H

#include <stdbool.h>

enum
{
	MMRD_PLANE_DRAWS = 1000,    /* sets of three points that are tried */
	MMRD_PLANE_MIN_POINTS = 100 /* fewer valid points say nothing */
};

/* A point this close to a plane lies on it; metres, the sensor's noise. */
#define MMRD_PLANE_INLIER 0.004

/* All points p with normal . p + offset = 0. */
typedef struct mmrd_plane
{
	double normal[3]; /* unit length; normal[2] <= 0, towards the camera */
	double offset;    /* metres */
} mmrd_plane;

/* Signed distance of a point in metres, positive on the camera's side. */
static inline double
mmrd_plane_distance(const mmrd_plane *plane, double x, double y, double z)
{
	return plane->normal[0] * x + plane->normal[1] * y + plane->normal[2] * z +
	       plane->offset;
}

/*
 * Fit by RANSAC, then orthogonally by least squares to the inliers.
 *
 * Of MMRD_PLANE_DRAWS draws of three points (always the same ones for the same
 * n) the plane with most points within MMRD_PLANE_INLIER wins, the first such
 * on a tie; draws of coinciding or collinear points count, but give no plane.
 * The result is the plane through the centroid of the winner's inliers with
 * the least sum of squared distances.
 *
 * x, y, z	n coordinates each, finite, metres; only read
 * plane	out: all zero when false is returned
 *
 * False when n is below MMRD_PLANE_MIN_POINTS or no plane has at least half
 * of the points.  The same bits come out for any number of threads.
 */
bool mmrd_plane_fit(int n, const double *x, const double *y, const double *z,
                    mmrd_plane *plane);

#endif /* MMRD_PLANE_FIT_H */
