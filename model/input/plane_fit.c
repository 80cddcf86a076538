/*
 * model/input/plane_fit.c
 *	  RANSAC, then an orthogonal refit.
 *
 * The draws are made first, one after the other, so that they do not depend on
 * who evaluates them.  Threads then share out the draws.  A draw is abandoned
 * as soon as even all of the remaining points could not lift it above the best
 * count its thread has seen: it cannot win then, so which draws are abandoned
 * changes the time, never the result.  With a good plane found early that
 * saves nearly all of the work.
 */
#include "model/input/plane_fit.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "model/base/random.h"
#include "model/base/threads.h"

enum
{
	CHUNK = 512, /* points counted between two looks at the best count */
	SWEEPS = 30  /* of Jacobi rotations; a 3 x 3 matrix needs about five */
};

/*
 * Two sides of a triangle whose cross product is shorter than this (square
 * metres) have no direction: a hundredth of a millimetre by a ten thousandth.
 */
static const double min_cross = 1e-12;

typedef struct cloud
{
	int n;
	const double *x;
	const double *y;
	const double *z;
} cloud;

static void
cross(const double a[3], const double b[3], double out[3])
{
	out[0] = a[1] * b[2] - a[2] * b[1];
	out[1] = a[2] * b[0] - a[0] * b[2];
	out[2] = a[0] * b[1] - a[1] * b[0];
}

/* The plane through a point, with a normal of any length, made canonical. */
static bool
plane_of(const double normal[3], const double point[3], double min_length,
         mmrd_plane *plane)
{
	const double length = sqrt(normal[0] * normal[0] + normal[1] * normal[1] +
	                           normal[2] * normal[2]);
	const double sign = normal[2] > 0 ? -1 : 1;

	if (!(length > min_length))
		return false;
	plane->offset = 0;
	for (int i = 0; i < 3; i++)
		plane->normal[i] = sign * normal[i] / length;
	for (int i = 0; i < 3; i++)
		plane->offset -= plane->normal[i] * point[i];
	return true;
}

static bool
plane_through(const cloud *c, const int32_t at[3], mmrd_plane *plane)
{
	const double p[3] = {c->x[at[0]], c->y[at[0]], c->z[at[0]]};
	const double a[3] = {c->x[at[1]] - p[0], c->y[at[1]] - p[1],
	                     c->z[at[1]] - p[2]};
	const double b[3] = {c->x[at[2]] - p[0], c->y[at[2]] - p[1],
	                     c->z[at[2]] - p[2]};
	double normal[3];

	cross(a, b, normal);
	return plane_of(normal, p, min_cross, plane);
}

/* Points on the plane; fewer once it is certain that they are at most best. */
static int
count_inliers(const cloud *c, const mmrd_plane *plane, int best)
{
	int count = 0;

	for (int at = 0; at < c->n; at += CHUNK)
	{
		const int end = c->n - at < CHUNK ? c->n : at + CHUNK;

		for (int i = at; i < end; i++)
			count += fabs(mmrd_plane_distance(plane, c->x[i], c->y[i],
			                                  c->z[i])) <= MMRD_PLANE_INLIER;
		if (count + (c->n - end) <= best)
			break;
	}
	return count;
}

/*
 * Eigenvector of the smallest eigenvalue of a symmetric matrix, by Jacobi
 * rotations; a is destroyed.
 */
static void
smallest_eigenvector(double a[3][3], double out[3])
{
	double v[3][3] = {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}};
	int least = 0;

	for (int sweep = 0; sweep < SWEEPS; sweep++)
		for (int p = 0; p < 2; p++)
			for (int q = p + 1; q < 3; q++)
			{
				double t;
				double c;
				double s;
				double theta;

				if (a[p][q] == 0)
					continue;
				theta = (a[q][q] - a[p][p]) / (2 * a[p][q]);
				t = (theta < 0 ? -1 : 1) /
				    (fabs(theta) + sqrt(theta * theta + 1));
				c = 1 / sqrt(t * t + 1);
				s = t * c;
				for (int k = 0; k < 3; k++) /* columns */
				{
					const double kp = a[k][p];

					a[k][p] = c * kp - s * a[k][q];
					a[k][q] = s * kp + c * a[k][q];
				}
				for (int k = 0; k < 3; k++) /* rows, and the vectors */
				{
					const double pk = a[p][k];
					const double kp = v[k][p];

					a[p][k] = c * pk - s * a[q][k];
					a[q][k] = s * pk + c * a[q][k];
					v[k][p] = c * kp - s * v[k][q];
					v[k][q] = s * kp + c * v[k][q];
				}
			}
	for (int i = 1; i < 3; i++)
		if (a[i][i] < a[least][least])
			least = i;
	for (int k = 0; k < 3; k++)
		out[k] = v[k][least];
}

/* Least squares, orthogonally, to the points on the plane given. */
static bool
refit(const cloud *c, mmrd_plane *plane)
{
	double centre[3] = {0, 0, 0};
	double m[3][3] = {{0}};
	double normal[3];
	int count = 0;

	/* Twice the same question: the second pass has the centre. */
	for (int pass = 0; pass < 2; pass++)
	{
		for (int i = 0; i < c->n; i++)
		{
			const double p[3] = {c->x[i], c->y[i], c->z[i]};

			if (!(fabs(mmrd_plane_distance(plane, p[0], p[1], p[2])) <=
			      MMRD_PLANE_INLIER))
				continue;
			if (pass == 0)
			{
				for (int k = 0; k < 3; k++)
					centre[k] += p[k];
				count++;
				continue;
			}
			for (int k = 0; k < 3; k++)
				for (int l = 0; l < 3; l++)
					m[k][l] += (p[k] - centre[k]) * (p[l] - centre[l]);
		}
		for (int k = 0; pass == 0 && k < 3; k++)
			centre[k] /= count;
	}
	smallest_eigenvector(m, normal);
	return plane_of(normal, centre, 0.5, plane);
}

bool
mmrd_plane_fit(int n, const double *x, const double *y, const double *z,
               mmrd_plane *plane)
{
	const cloud c = {n, x, y, z};
	mmrd_random random = mmrd_random_create(0, "plane");
	int32_t draws[MMRD_PLANE_DRAWS][3];
	int best = 0;
	int best_draw = MMRD_PLANE_DRAWS;

	memset(plane, 0, sizeof(*plane));
	if (n < MMRD_PLANE_MIN_POINTS)
		return false;
	for (int d = 0; d < MMRD_PLANE_DRAWS; d++)
		for (int k = 0; k < 3; k++)
			draws[d][k] = (int32_t) mmrd_random_below(&random, (uint64_t) n);

#pragma omp parallel num_threads(mmrd_threads())
	{
		int my_best = 0;
		int my_draw = MMRD_PLANE_DRAWS;

#pragma omp for schedule(static)
		for (int d = 0; d < MMRD_PLANE_DRAWS; d++)
		{
			mmrd_plane tried;
			int count;

			if (!plane_through(&c, draws[d], &tried))
				continue;
			count = count_inliers(&c, &tried, my_best);
			if (count > my_best)
			{
				my_best = count;
				my_draw = d;
			}
		}
#pragma omp critical
		if (my_best > best || (my_best == best && my_draw < best_draw))
		{
			best = my_best;
			best_draw = my_draw;
		}
	}

	if (best_draw == MMRD_PLANE_DRAWS || best < n - best)
		return false;
	plane_through(&c, draws[best_draw], plane);
	if (refit(&c, plane))
		return true;
	memset(plane, 0, sizeof(*plane));
	return false;
}
