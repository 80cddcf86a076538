/*
 * tests/unit/test_plane_fit.c
 *	  Planes that are known, with points beside them, and sets without one.
 */
#include "model/input/plane_fit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/base/random.h"
#include "model/base/threads.h"
#include "tests/unit/check.h"

enum
{
	MAX_N = 10000
};

static double x[MAX_N];
static double y[MAX_N];
static double z[MAX_N];

static double
noise(int i, int stream)
{
	const uint64_t bits = mmrd_mix64((uint64_t) stream << 32 | (uint64_t) i);

	return (double) (bits >> 11) * 0x1p-52 - 1; /* [-1, 1) */
}

/*
 * n points: of every ten, outliers_in_ten are 0.02 to 0.06 m above the plane
 * z = a x + b y + c, the others within jitter of it along z.
 */
static void
make(int n, double a, double b, double c, double jitter, int outliers_in_ten)
{
	for (int i = 0; i < n; i++)
	{
		x[i] = 0.1 * noise(i, 1);
		y[i] = 0.1 * noise(i, 2);
		z[i] = a * x[i] + b * y[i] + c + jitter * noise(i, 3);
		if (i % 10 < outliers_in_ten)
			z[i] -= 0.04 + 0.02 * noise(i, 4);
	}
}

/* Distance of the plane from the wanted one, at the corners of the points. */
static double
worst_distance(const mmrd_plane *p, double a, double b, double c)
{
	double worst = 0;

	for (int i = -1; i <= 1; i += 2)
		for (int j = -1; j <= 1; j += 2)
			worst = fmax(worst,
			             fabs(mmrd_plane_distance(p, 0.1 * i, 0.1 * j,
			                                      0.1 * (a * i + b * j) + c)));
	return worst;
}

static void
finds(int n, double a, double b, double c, double jitter, int outliers,
      double tol)
{
	mmrd_plane one;
	mmrd_plane three;
	double length;

	make(n, a, b, c, jitter, outliers);
	mmrd_threads_set(1);
	CHECK(mmrd_plane_fit(n, x, y, z, &one), "n %d, %d outliers in ten", n,
	      outliers);
	mmrd_threads_set(3);
	CHECK(mmrd_plane_fit(n, x, y, z, &three), "n %d on three threads", n);
	mmrd_threads_set(1);
	CHECK(memcmp(&one, &three, sizeof(one)) == 0,
	      "n %d: the result depends on the thread count", n);
	length =
	    sqrt(one.normal[0] * one.normal[0] + one.normal[1] * one.normal[1] +
	         one.normal[2] * one.normal[2]);
	CHECK(fabs(length - 1) < 1e-12, "the normal's length is %.15g", length);
	CHECK(one.normal[2] <= 0, "the normal points away from the camera");
	CHECK(worst_distance(&one, a, b, c) <= tol,
	      "n %d, slopes %g %g, jitter %g, %d outliers: off by %g m", n, a, b,
	      jitter, outliers, worst_distance(&one, a, b, c));
}

static void
finds_none(const char *name, int n)
{
	mmrd_plane plane;
	static const mmrd_plane zero;

	memset(&plane, 0xff, sizeof(plane));
	CHECK(!mmrd_plane_fit(n, x, y, z, &plane), "%s: found a plane", name);
	CHECK(memcmp(&plane, &zero, sizeof(plane)) == 0, "%s: not zero", name);
}

int
main(void)
{
	static const int counts[] = {100, 101, 511, 512, 513, 1025, 9840};

	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
	{
		/* Without jitter only rounding is left. */
		finds(counts[i], 0, 0, 0.5, 0, 0, 1e-12);
		finds(counts[i], 0.4, -0.3, 0.6, 0, 3, 1e-12);
		finds(counts[i], -2, 1, 0.6, 0, 4, 1e-12);

		/* The mean of n jitters of 0.5 mm; at the corners thrice that. */
		finds(counts[i], 0.1, 0.2, 0.6, 0.0005, 3,
		      3 * 4 * 0.0005 / sqrt(counts[i]));
	}

	make(99, 0, 0, 0.5, 0, 0);
	finds_none("99 points", 99);
	finds_none("no points", 0);
	for (int i = 0; i < 1000; i++) /* in a cube of 0.2 m */
	{
		x[i] = 0.1 * noise(i, 1);
		y[i] = 0.1 * noise(i, 2);
		z[i] = 0.1 * noise(i, 3);
	}
	finds_none("a cloud", 1000);
	for (int i = 0; i < 1000; i++)
	{
		x[i] = 0.001 * i;
		y[i] = 0;
		z[i] = 0.5;
	}
	finds_none("a line", 1000);
	for (int i = 0; i < 1000; i++)
		x[i] = 0.25;
	finds_none("a point", 1000);

	/* Exactly half is enough, one less is not. */
	make(200, 0, 0, 0.5, 0, 0);
	for (int i = 0; i < 100; i++)
		z[2 * i] = 1 + 0.1 * i;
	{
		mmrd_plane plane;

		CHECK(mmrd_plane_fit(200, x, y, z, &plane), "half was not enough");
		z[1] = 20;
		finds_none("just under half", 200);
	}

	/* What a hostile file can hold: the largest floats. */
	for (int i = 0; i < 1000; i++)
	{
		x[i] = 3e38 * noise(i, 1);
		y[i] = 3e38 * noise(i, 2);
		z[i] = 3e38 * noise(i, 3);
	}
	finds_none("the largest floats", 1000);
	return check_result();
}
