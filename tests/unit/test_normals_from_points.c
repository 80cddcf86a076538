/*
 * tests/unit/test_normals_from_points.c
 *	  Filling and smoothing against their definition in double; the normals
 *	  of planes, which are known exactly, and of a sphere.
 */
#include "model/input/normals_from_points.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/base/random.h"
#include "model/base/threads.h"
#include "tests/unit/check.h"

static mmrd_points
points_make(int H, int W)
{
	mmrd_points p = {H, W, {NULL, NULL, NULL}, NULL};

	for (int k = 0; k < 3; k++)
	{
		p.axis[k] = malloc((size_t) H * W * sizeof(float));
		memset(p.axis[k], 0xff, (size_t) H * W * sizeof(float));
	}
	p.valid = malloc((size_t) H * W);
	return p;
}

static void
points_free(mmrd_points *p)
{
	for (int k = 0; k < 3; k++)
		free(p->axis[k]);
	free(p->valid);
}

/* Valid in keep of ten; noise in [-1, 1], or the plane z = a x + b y. */
static void
points_noise(mmrd_points *p, int keep)
{
	const size_t n = (size_t) p->height * p->width;

	for (size_t i = 0; i < n; i++)
	{
		p->valid[i] = mmrd_mix64(i) % 10 < (uint64_t) keep;
		for (size_t k = 0; k < 3; k++)
			p->axis[k][i] =
			    p->valid[i]
			        ? (float) (mmrd_mix64(i * 3 + k) >> 40) / (1 << 23) - 1
			        : 0;
	}
}

static void
points_plane(mmrd_points *p, double a, double b, int keep)
{
	for (int y = 0; y < p->height; y++)
		for (int x = 0; x < p->width; x++)
		{
			const size_t i = (size_t) y * p->width + x;
			const double u = (x - 20) * 0.0005; /* half a millimetre */
			const double v = (y - 20) * 0.0005;

			p->valid[i] = mmrd_mix64(i) % 10 < (uint64_t) keep;
			p->axis[0][i] = p->valid[i] ? (float) u : 0;
			p->axis[1][i] = p->valid[i] ? (float) v : 0;
			p->axis[2][i] = p->valid[i] ? (float) (a * u + b * v) : 0;
		}
}

static int
points_equal(const mmrd_points *a, const mmrd_points *b)
{
	const size_t n = (size_t) a->height * a->width;

	return memcmp(a->axis[0], b->axis[0], n * sizeof(float)) == 0 &&
	       memcmp(a->axis[1], b->axis[1], n * sizeof(float)) == 0 &&
	       memcmp(a->axis[2], b->axis[2], n * sizeof(float)) == 0 &&
	       memcmp(a->valid, b->valid, n) == 0;
}

static void
test_fill(int H, int W, int radius, int keep)
{
	mmrd_points from = points_make(H, W);
	mmrd_points got = points_make(H, W);
	mmrd_points threaded = points_make(H, W);

	points_noise(&from, keep);
	mmrd_threads_set(1);
	mmrd_points_fill(radius, &from, &got);
	mmrd_threads_set(3);
	mmrd_points_fill(radius, &from, &threaded);
	mmrd_threads_set(1);
	CHECK(points_equal(&got, &threaded), "filling depends on the threads");
	for (int y = 0; y < H; y++)
		for (int x = 0; x < W; x++)
		{
			const size_t at = (size_t) y * W + x;
			double sum[3] = {0, 0, 0};
			int count = 0;

			for (int v = y - radius; v <= y + radius; v++)
				for (int u = x - radius; u <= x + radius; u++)
					if (v >= 0 && u >= 0 && v < H && u < W &&
					    from.valid[v * W + u])
					{
						for (int k = 0; k < 3; k++)
							sum[k] += from.axis[k][v * W + u];
						count++;
					}
			CHECK(got.valid[at] == (from.valid[at] || count > 0),
			      "%d x %d, radius %d: valid at (%d, %d)", H, W, radius, x, y);
			for (int k = 0; k < 3; k++)
			{
				const double want = from.valid[at] || count == 0
				                        ? from.axis[k][at]
				                        : sum[k] / count;

				CHECK(fabs(got.axis[k][at] - want) <= FLT_EPSILON,
				      "%d x %d, radius %d, (%d, %d): got %.9g, want %.9g", H,
				      W, radius, x, y, got.axis[k][at], want);
			}
		}
	points_free(&from);
	points_free(&got);
	points_free(&threaded);
}

static void
test_smooth(int H, int W, int keep)
{
	const size_t n = (size_t) H * W;
	mmrd_points before = points_make(H, W);
	mmrd_points got = points_make(H, W);
	mmrd_points threaded = points_make(H, W);
	float *scratch = malloc(2 * n * sizeof(float));

	points_noise(&before, keep);
	points_noise(&got, keep);
	points_noise(&threaded, keep);
	memset(scratch, 0xff, 2 * n * sizeof(float));
	mmrd_threads_set(1);
	mmrd_points_smooth(&got, scratch);
	memset(scratch, 0xff, 2 * n * sizeof(float));
	mmrd_threads_set(3);
	mmrd_points_smooth(&threaded, scratch);
	mmrd_threads_set(1);
	CHECK(points_equal(&got, &threaded), "smoothing depends on the threads");
	CHECK(memcmp(got.valid, before.valid, n) == 0, "smoothing changed valid");
	for (int y = 0; y < H; y++)
		for (int x = 0; x < W; x++)
			for (int k = 0; k < 3; k++)
			{
				double sum = 0;
				double total = 0;
				double want = 0;

				for (int v = y - 4; v <= y + 4; v++)
					for (int u = x - 4; u <= x + 4; u++)
						if (v >= 0 && u >= 0 && v < H && u < W &&
						    before.valid[v * W + u])
						{
							const double w = exp(-0.5 * ((u - x) * (u - x) +
							                             (v - y) * (v - y)));

							sum += w * before.axis[k][v * W + u];
							total += w;
						}
				if (before.valid[y * W + x])
					want = sum / total;

				/*
				 * Values below 1; 18 sums and as many weights.  A point far
				 * from most of its weight has at least its own, 1.
				 */
				CHECK(fabs(got.axis[k][y * W + x] - want) <= 40 * FLT_EPSILON,
				      "%d x %d, axis %d, (%d, %d): got %.9g, want %.9g", H, W,
				      k, x, y, got.axis[k][y * W + x], want);
			}
	points_free(&before);
	points_free(&got);
	points_free(&threaded);
	free(scratch);
}

/* Of the normal that out holds as (n + 1) / 2. */
static double
length_of(const float *out)
{
	double sum = 0;

	for (int k = 0; k < 3; k++)
		sum += (2.0 * out[k] - 1) * (2.0 * out[k] - 1);
	return sqrt(sum);
}

/* Fill and smooth leave a plane a plane, so its normal is known. */
static void
test_plane(int H, int W, double a, double b, int keep)
{
	const size_t n = (size_t) H * W;
	const double length = sqrt(a * a + b * b + 1);
	const double want[3] = {(a / length + 1) / 2, (b / length + 1) / 2,
	                        (-1 / length + 1) / 2};
	mmrd_points p = points_make(H, W);
	mmrd_points q = points_make(H, W);
	float *scratch = malloc(2 * n * sizeof(float));
	float *out = malloc(3 * n * sizeof(float));
	float *threaded = malloc(3 * n * sizeof(float));
	uint8_t *mask = malloc(n);
	const int sound = keep >= 4 && H >= 8 && W >= 8;
	size_t with_normal = 0;

	points_plane(&p, a, b, keep);
	mmrd_points_fill(1, &p, &q);
	mmrd_points_fill(2, &q, &p);
	mmrd_points_fill(3, &p, &q);
	mmrd_points_smooth(&q, scratch);
	for (size_t i = 0; i < n; i++)
		mask[i] = i % 7 != 0;
	memset(out, 0xff, 3 * n * sizeof(float));
	mmrd_threads_set(1);
	mmrd_normals_from_points(&q, mask, out);
	memset(threaded, 0xff, 3 * n * sizeof(float));
	mmrd_threads_set(3);
	mmrd_normals_from_points(&q, mask, threaded);
	mmrd_threads_set(1);
	CHECK(memcmp(out, threaded, 3 * n * sizeof(float)) == 0,
	      "normals depend on the thread count");
	for (size_t i = 0; i < n; i++)
	{
		const float *got = out + 3 * i;

		if (!mask[i])
		{
			CHECK(got[0] == 0 && got[1] == 0 && got[2] == 0,
			      "outside the mask at %zu", i);
			continue;
		}
		if (got[0] == 0 && got[1] == 0 && got[2] == 0)
			continue;
		with_normal++;
		CHECK(fabs(length_of(got) - 1) <= 8 * FLT_EPSILON && got[2] <= 0.5f,
		      "at %zu: length %.9g, z %g", i, length_of(got), got[2]);

		/*
		 * Coordinates up to 0.02 m in float, differences of about 0.0005 m:
		 * 40 roundings of the one over the other.  Where hardly a point is
		 * left, neighbours are means of the same ones and differ by less.
		 */
		for (int k = 0; sound && k < 3; k++)
			CHECK(fabs(got[k] - want[k]) <= 40 * 40 * FLT_EPSILON,
			      "slopes %g %g, keep %d, at %zu: got %.9g, want %.9g", a, b,
			      keep, i, got[k], want[k]);
	}
	if (sound) /* then no 7 x 7 pixels are all holes */
		CHECK(with_normal == n - (n + 6) / 7, "%d x %d: %zu of %zu normals", H,
		      W, with_normal, n);
	if (H == 1 || W == 1)
		CHECK(with_normal == 0, "a line has %zu normals", with_normal);
	points_free(&p);
	points_free(&q);
	free(scratch);
	free(out);
	free(threaded);
	free(mask);
}

/* The front of a sphere: the normal points from its centre to the point. */
static void
test_sphere(void)
{
	enum
	{
		N = 41
	};
	mmrd_points p = points_make(N, N);
	float *out = malloc(3 * N * N * sizeof(float));
	uint8_t mask[N * N];
	const double r = 30; /* in steps */

	for (int y = 0; y < N; y++)
		for (int x = 0; x < N; x++)
		{
			const int i = y * N + x;
			const double u = x - 20;
			const double v = y - 20;

			p.valid[i] = 1;
			mask[i] = 1;
			p.axis[0][i] = (float) (u * 0.001);
			p.axis[1][i] = (float) (v * 0.001);
			p.axis[2][i] = (float) (-sqrt(r * r - u * u - v * v) * 0.001);
		}
	mmrd_normals_from_points(&p, mask, out);
	for (int y = 1; y < N - 1; y++)
		for (int x = 1; x < N - 1; x++)
		{
			const double want = ((x - 20) / r + 1) / 2;

			/* A central difference is off by a sixth of the third
			 * derivative, at most 0.02 here. */
			CHECK(fabs(out[3 * (y * N + x)] - want) <= 0.01,
			      "sphere at (%d, %d): got %g, want %g", x, y,
			      out[3 * (y * N + x)], want);
		}
	points_free(&p);
	free(out);
}

int
main(void)
{
	static const int sides[] = {1, 2, 8, 9, 10, 33};

	for (int i = 0; i < 6; i++)
		for (int j = 0; j < 6; j++)
		{
			for (int radius = 1; radius <= 3; radius++)
				for (int keep = 0; keep <= 10; keep += 5)
					test_fill(sides[i], sides[j], radius, keep);
			test_smooth(sides[i], sides[j], 10);
			test_smooth(sides[i], sides[j], 3);
			for (int keep = 1; keep <= 10; keep += 3)
			{
				test_plane(sides[i], sides[j], 0, 0, keep);
				test_plane(sides[i], sides[j], 0.5, -0.25, keep);
			}
		}
	test_sphere();
	return check_result();
}
