/*
 * model/input/normals_from_points.c
 *	  Fill, smooth, differentiate.
 */
#include "model/input/normals_from_points.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#include "model/base/threads.h"

enum
{
	R = MMRD_POINTS_RADIUS
};

/* Sum of the valid points within radius of (x, y); how many they are. */
static int
sum_around(const mmrd_points *p, int x, int y, int radius, double sum[3])
{
	const int x0 = x > radius ? x - radius : 0;
	const int y0 = y > radius ? y - radius : 0;
	const int x1 = x < p->width - radius ? x + radius : p->width - 1;
	const int y1 = y < p->height - radius ? y + radius : p->height - 1;
	int count = 0;

	for (int v = y0; v <= y1; v++)
		for (int u = x0; u <= x1; u++)
		{
			const size_t at = (size_t) v * p->width + u;

			if (!p->valid[at])
				continue;
			for (int k = 0; k < 3; k++)
				sum[k] += p->axis[k][at];
			count++;
		}
	return count;
}

void
mmrd_points_fill(int radius, const mmrd_points *from, mmrd_points *to)
{
	const int W = from->width;

#pragma omp parallel for schedule(static) num_threads(mmrd_threads())
	for (int y = 0; y < from->height; y++)
	{
		const size_t row = (size_t) y * W;

		for (int k = 0; k < 3; k++)
			memcpy(to->axis[k] + row, from->axis[k] + row,
			       (size_t) W * sizeof(float));
		memcpy(to->valid + row, from->valid + row, (size_t) W);
		for (int x = 0; x < W; x++)
		{
			double sum[3] = {0, 0, 0};
			int count;

			if (from->valid[row + x])
				continue;
			count = sum_around(from, x, y, radius, sum);
			for (int k = 0; count > 0 && k < 3; k++)
				to->axis[k][row + x] = (float) (sum[k] / count);
			to->valid[row + x] = count > 0;
		}
	}
}

static void
gaussian(float w[2 * R + 1])
{
	for (int i = -R; i <= R; i++)
		w[i + R] = (float) exp(-0.5 * i * i /
		                       (MMRD_POINTS_SIGMA * MMRD_POINTS_SIGMA));
}

/*
 * out = in convolved with w along x, then along y; what lies outside is 0.
 * Not divided by the sum of the weights: the caller divides by what this makes
 * of the mask.  In the interior all taps are there and the loops vectorize.
 */
static void
blur(int H, int W, const float w[2 * R + 1], const float *in, float *scratch,
     float *out)
{
#pragma omp parallel for schedule(static) num_threads(mmrd_threads())
	for (int y = 0; y < H; y++)
	{
		const float *from = in + (size_t) y * W;
		float *to = scratch + (size_t) y * W;

		memset(to, 0, (size_t) W * sizeof(float));
		for (int k = -R; k <= R; k++)
		{
			const int x0 = k < 0 ? -k : 0;
			const int x1 = k > 0 ? W - k : W;

			for (int x = x0; x < x1; x++)
				to[x] += w[k + R] * from[x + k];
		}
	}
#pragma omp parallel for schedule(static) num_threads(mmrd_threads())
	for (int y = 0; y < H; y++)
	{
		float *to = out + (size_t) y * W;

		memset(to, 0, (size_t) W * sizeof(float));
		for (int k = -R; k <= R; k++)
		{
			const float *from = scratch + (ptrdiff_t) (y + k) * W;

			if (y + k < 0 || y + k >= H)
				continue;
			for (int x = 0; x < W; x++)
				to[x] += w[k + R] * from[x];
		}
	}
}

void
mmrd_points_smooth(mmrd_points *points, float *scratch)
{
	const int H = points->height;
	const int W = points->width;
	const size_t n = (size_t) H * W;
	float *weight = scratch + n;
	float w[2 * R + 1];

	gaussian(w);
	for (size_t i = 0; i < n; i++)
		weight[i] = points->valid[i];
	blur(H, W, w, weight, scratch, weight);
	for (int k = 0; k < 3; k++)
	{
		float *axis = points->axis[k];

		blur(H, W, w, axis, scratch, axis);

		/* A valid point has at least its own weight. */
		for (size_t i = 0; i < n; i++)
			axis[i] = points->valid[i] ? axis[i] / weight[i] : 0;
	}
}

/*
 * The difference along one direction, of which step is the distance in memory:
 * between the neighbours that there are; false when there is none.
 */
static int
difference(const mmrd_points *p, size_t at, size_t step, int has_before,
           int has_after, double out[3])
{
	const size_t before = has_before && p->valid[at - step] ? at - step : at;
	const size_t after = has_after && p->valid[at + step] ? at + step : at;

	for (int k = 0; k < 3; k++)
		out[k] = (double) p->axis[k][after] - p->axis[k][before];
	return before != after;
}

static void
normal_at(const mmrd_points *p, int x, int y, float out[3])
{
	const size_t at = (size_t) y * p->width + x;
	double a[3];
	double b[3];
	double n[3];
	double length;
	double scale;

	out[0] = out[1] = out[2] = 0;
	if (!p->valid[at] || !difference(p, at, 1, x > 0, x < p->width - 1, a) ||
	    !difference(p, at, (size_t) p->width, y > 0, y < p->height - 1, b))
		return;
	n[0] = a[1] * b[2] - a[2] * b[1];
	n[1] = a[2] * b[0] - a[0] * b[2];
	n[2] = a[0] * b[1] - a[1] * b[0];
	length = sqrt(n[0] * n[0] + n[1] * n[1] + n[2] * n[2]);
	if (!(length > 0) || !isfinite(length))
		return;
	scale = (n[2] > 0 ? -0.5 : 0.5) / length;
	for (int k = 0; k < 3; k++)
		out[k] = (float) (scale * n[k] + 0.5);
}

void
mmrd_normals_from_points(const mmrd_points *points, const uint8_t *mask,
                         float *out)
{
#pragma omp parallel for schedule(static) num_threads(mmrd_threads())
	for (int y = 0; y < points->height; y++)
		for (int x = 0; x < points->width; x++)
		{
			const size_t at = (size_t) y * points->width + x;

			if (mask[at])
				normal_at(points, x, y, out + 3 * at);
			else
				out[3 * at] = out[3 * at + 1] = out[3 * at + 2] = 0;
		}
}
