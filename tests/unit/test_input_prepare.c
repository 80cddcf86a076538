/*
 * tests/unit/test_input_prepare.c
 *	  Whole preparations against tests/golden/geometry.bin, against what must
 *	  come out of scans that are simple, and against themselves on more
 *	  threads; kinds, ranges and refusals.
 */
#include "model/input/input_prepare.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/base/random.h"
#include "model/base/threads.h"
#include "model/input/input_depth.h"
#include "model/input/input_image.h"
#include "tests/unit/check.h"

enum
{
	GH = 61, /* the scans of make_geometry.py */
	GW = 70,
	GS = 40
};

static float scan[GH * GW * 3];
static uint16_t depth_scan[GH * GW];

/* In [0,1), exact in binary; as unit() of make_geometry.py. */
static double
unit(uint64_t k)
{
	return (double) (mmrd_mix64(k) >> 40) / (1 << 24);
}

/* As scan_points() there, operation for operation. */
static mmrd_raster
scan_points(int number)
{
	memset(scan, 0, sizeof(scan));
	for (int y = 0; y < GH; y++)
		for (int x = 0; x < GW; x++)
		{
			const uint64_t k = (uint64_t) (number * 1000000 + y * GW + x);
			const double u = (x - 35) * 0.001;
			const double v = (y - 30) * 0.001;
			const double r2 = (x - 36) * (x - 36) + (y - 31) * (y - 31);
			const double dome = fmax(0.0, 0.03 - 0.00015 * r2);
			const double hole = unit(k + 500000);
			double z = 0.5 + 0.2 * u - 0.15 * v - dome;
			float *p = scan + 3 * (y * GW + x);

			z += (unit(k) - 0.5) * (number == 0 ? 0.0006 : 0.06);
			if (x < 8 && y < 12)
				z -= 0.02;
			if (hole < 0.33 || (x >= 30 && x < 46 && y >= 23 && y < 38))
				continue;
			p[0] = (float) u;
			p[1] = (float) v;
			p[2] = (float) z;
			if (hole < 0.34)
				p[2] = NAN;
			else if (hole < 0.35)
				p[0] = INFINITY;
		}
	return (mmrd_raster){MMRD_SAMPLE_F32, 3, GH, GW, scan};
}

static mmrd_raster
scan_depth(void)
{
	for (int y = 0; y < GH; y++)
		for (int x = 0; x < GW; x++)
		{
			const uint64_t k = (uint64_t) (2000000 + y * GW + x);
			const int hole = unit(k + 500000) < 0.4 || x < 5 ||
			                 (y >= 20 && y < 31 && x >= 31 && x < 39);

			depth_scan[y * GW + x] =
			    hole ? 0
			         : (uint16_t) (20000 + 100 * y + 37 * x +
			                       (int) (unit(k) * 50));
		}
	return (mmrd_raster){MMRD_SAMPLE_U16, 1, GH, GW, depth_scan};
}

/* The value in [0,1] that an output of channel c stands for. */
static double
unnormalised(float v, int c)
{
	return (double) v * mmrd_input_std[c] + mmrd_input_mean[c];
}

static void
one_golden(const int32_t h[7], const float range[2], const float *want)
{
	const mmrd_raster r = h[0] == 2 ? scan_depth() : scan_points(h[0]);
	mmrd_input_spec spec = {.kind = h[1], .range_given = h[2]};
	static float got[GS * GS * 3];
	static float threaded[GS * GS * 3];
	mmrd_input_note note;
	mmrd_error err = {0};
	double worst = 0;

	/* Values: scaling is a handful of roundings.  Normals: see the test of
	 * normals_from_points; differences of 0.0017 m, coordinates of 0.04. */
	const double tol = h[1] == MMRD_INPUT_NORMALS_FROM_XYZ ? 1e-4 : 2e-6;

	spec.lo = range[0];
	spec.hi = range[1];
	memset(got, 0xff, sizeof(got));
	memset(threaded, 0xff, sizeof(threaded));
	mmrd_threads_set(1);
	CHECK(mmrd_input_prepare(&r, &spec, GS, got, &note, &err) == MMRD_OK, "%s",
	      err.message);
	mmrd_threads_set(3);
	CHECK(mmrd_input_prepare(&r, &spec, GS, threaded, &note, &err) == MMRD_OK,
	      "%s", err.message);
	mmrd_threads_set(1);
	CHECK(memcmp(got, threaded, sizeof(got)) == 0,
	      "scan %d, kind %d depends on the thread count", h[0], h[1]);
	CHECK(note.plane_found == h[4] && note.n_valid == h[5] &&
	          note.n_part == h[6],
	      "scan %d, kind %d: plane %d, %d valid, %d in the part; want %d, %d, "
	      "%d",
	      h[0], h[1], note.plane_found, note.n_valid, note.n_part, h[4], h[5],
	      h[6]);
	for (int i = 0; i < GS * GS * 3; i++)
	{
		const double v = unnormalised(got[i], i % 3);
		const double off = fabs(v - want[h[3] == 3 ? i : i / 3]);

		worst = off <= worst ? worst : off; /* a NaN stays */
	}
	CHECK(worst <= tol, "scan %d, kind %d: off by %g, tol %g", h[0], h[1],
	      worst, tol);
}

static void
test_golden(void)
{
	FILE *file = fopen("tests/golden/geometry.bin", "rb");
	static float want[GS * GS * 3];
	int32_t h[7];
	float range[2];
	int cases = 0;

	CHECK(file != NULL, "tests/golden/geometry.bin is missing");
	while (file != NULL && fread(h, sizeof(h), 1, file) == 1)
	{
		const size_t n = GS * GS * (size_t) h[3];

		CHECK(fread(range, sizeof(range), 1, file) == 1 &&
		          fread(want, sizeof(float), n, file) == n,
		      "case %d is cut short", cases);
		one_golden(h, range, want);
		cases++;
	}
	CHECK(cases == 9, "%d cases", cases);
	if (file != NULL)
		fclose(file);
}

enum
{
	N = 96 /* side of the simple scans */
};

static float simple[N * N * 3];

/*
 * A block of the given height on a table tilted by a and b, without noise,
 * with single holes in two of ten pixels.  The block's top is parallel to the
 * table.
 */
static mmrd_raster
block_scan(double a, double b, double height)
{
	const double length = sqrt(a * a + b * b + 1);

	memset(simple, 0, sizeof(simple));
	for (int y = 0; y < N; y++)
		for (int x = 0; x < N; x++)
		{
			const double u = (x - N / 2) * 0.0005;
			const double v = (y - N / 2) * 0.0005;
			const int on_block = x >= 32 && x < 64 && y >= 32 && y < 64;
			float *p = simple + 3 * (y * N + x);

			if ((x + 2 * y) % 5 == 0 || (x % 2 == 1 && y % 9 == 4))
				continue;
			p[0] = (float) u;
			p[1] = (float) v;
			p[2] = (float) (0.6 + a * u + b * v -
			                (on_block ? height * length : 0));
		}
	return (mmrd_raster){MMRD_SAMPLE_F32, 3, N, N, simple};
}

static void
test_block(double a, double b)
{
	const mmrd_raster r = block_scan(a, b, 0.02);
	const double length = sqrt(a * a + b * b + 1);
	const double normal[3] = {a / length, b / length, -1 / length};
	static float out[N * N * 3];
	mmrd_input_spec spec = {.kind = MMRD_INPUT_HEIGHT};
	mmrd_input_note note;
	mmrd_error err = {0};

	/* Height: all of the block is 0.02 m up; with one value, 0.5. */
	memset(out, 0xff, sizeof(out));
	spec.range_given = 1;
	spec.lo = 0.01f;
	spec.hi = 0.03f;
	CHECK(mmrd_input_prepare(&r, &spec, N, out, &note, &err) == MMRD_OK, "%s",
	      err.message);
	CHECK(note.plane_wanted && note.plane_found, "no table found");
	for (int k = 0; k < 3; k++)
		CHECK(fabs(note.plane.normal[k] - normal[k]) < 1e-6,
		      "normal[%d] is %.9g, want %.9g", k, note.plane.normal[k],
		      normal[k]);
	CHECK(note.n_part == 32 * 32, "the part has %d pixels", note.n_part);
	CHECK(fabs(note.lo - 0.02) < 1e-6 && fabs(note.hi - 0.02) < 1e-6,
	      "heights are [%g, %g]", (double) note.lo, (double) note.hi);
	for (int i = 0; i < N * N * 3; i++)
	{
		const int x = i / 3 % N;
		const int y = i / 3 / N;
		const int on_block = x >= 32 && x < 64 && y >= 32 && y < 64;
		const double want = on_block ? 0.5 : 0;

		/* 0.8 of a range of 0.02 m, heights known to a few 1e-8 m. */
		CHECK(fabs(unnormalised(out[i], i % 3) - want) < 1e-5,
		      "height at (%d, %d): %.9g, want %g", x, y,
		      unnormalised(out[i], i % 3), want);
	}

	/* Normals: the top's, away from its rim (3 fills and 4 of smoothing). */
	spec = (mmrd_input_spec){.kind = MMRD_INPUT_NORMALS_FROM_XYZ};
	memset(out, 0xff, sizeof(out));
	CHECK(mmrd_input_prepare(&r, &spec, N, out, &note, &err) == MMRD_OK, "%s",
	      err.message);
	for (int i = 0; i < N * N * 3; i++)
	{
		const int x = i / 3 % N;
		const int y = i / 3 / N;
		const int on_block = x >= 32 && x < 64 && y >= 32 && y < 64;
		const int inside = x >= 40 && x < 56 && y >= 40 && y < 56;
		const double v = unnormalised(out[i], i % 3);

		if (!on_block)
			CHECK(fabs(v) < 1e-6, "normal of the table at (%d, %d)", x, y);
		else if (inside)
			CHECK(fabs(v - (normal[i % 3] + 1) / 2) < 4e-4,
			      "normal at (%d, %d): %.9g, want %.9g", x, y, v,
			      (normal[i % 3] + 1) / 2);
		else
			CHECK(v > -1e-6 && v < 1 + 1e-6, "normal at (%d, %d): %g", x, y,
			      v);
	}
}

/* Without a table every valid pixel is the part, and the note says so. */
static void
test_no_table(void)
{
	static float out[N * N * 3];
	mmrd_input_spec spec = {.kind = MMRD_INPUT_XYZ};
	mmrd_raster r = block_scan(0, 0, 0.02);
	mmrd_input_note note;
	mmrd_error err = {0};

	for (int y = 0; y < N; y++) /* leave 96 valid points in the frame */
		for (int x = 0; x < N; x++)
			if ((x < 10 || y < 10 || x >= N - 10 || y >= N - 10) &&
			    !(y == 0 && x < 95))
				memset(simple + 3 * (y * N + x), 0, 12);
	CHECK(mmrd_input_prepare(&r, &spec, N, out, &note, &err) == MMRD_OK, "%s",
	      err.message);
	CHECK(note.plane_wanted && !note.plane_found, "found a table");
	CHECK(note.n_part > 70 * 70, "the part has %d pixels", note.n_part);
	CHECK(fabs(note.lo - 0.58) < 1e-6 && fabs(note.hi - 0.6) < 1e-6,
	      "z is [%g, %g]", (double) note.lo, (double) note.hi);

	memset(simple, 0, sizeof(simple));
	for (int kind = MMRD_INPUT_XYZ; kind <= MMRD_INPUT_NORMALS_FROM_XYZ;
	     kind++)
	{
		spec.kind = kind;
		memset(out, 0xff, sizeof(out));
		CHECK(mmrd_input_prepare(&r, &spec, N, out, &note, &err) == MMRD_OK,
		      "%s", err.message);
		CHECK(note.n_valid == 0 && note.n_part == 0 && note.lo == 0 &&
		          note.hi == 0,
		      "an empty scan has %d valid pixels", note.n_valid);
		for (int i = 0; i < N * N * 3; i++)
			CHECK(fabs(unnormalised(out[i], i % 3)) < 1e-6,
			      "an empty scan has a value at %d", i);
	}
}

/* Whatever a float file holds, what comes out is finite and in range. */
static void
test_strange_values(void)
{
	static const float values[] = {FLT_MAX, -FLT_MAX, FLT_MIN,   1e-45f,
	                               NAN,     INFINITY, -INFINITY, -0.0f,
	                               1e20f,   -1e30f};
	static float out[GS * GS * 3];

	for (int round = 0; round < 20; round++)
	{
		mmrd_raster r = {MMRD_SAMPLE_F32, 3, N, N, simple};

		for (int i = 0; i < N * N * 3; i++)
		{
			const uint64_t bits = mmrd_mix64((uint64_t) (round * 100000 + i));

			simple[i] = round % 2 == 0 || bits % 7 == 0
			                ? values[(bits >> 8) % 10]
			                : (float) (bits >> 40) * 1e-8f;
		}
		for (int kind = MMRD_INPUT_DEPTH; kind <= MMRD_INPUT_NORMALS_FROM_XYZ;
		     kind++)
		{
			mmrd_input_spec spec = {.kind = kind};
			mmrd_input_note note;
			mmrd_error err = {0};

			r.channels = kind == MMRD_INPUT_DEPTH ? 1 : 3;
			memset(out, 0xff, sizeof(out));
			CHECK(mmrd_input_prepare(&r, &spec, GS, out, &note, &err) ==
			          MMRD_OK,
			      "%s", err.message);
			CHECK(isfinite(note.lo) && isfinite(note.hi), "range [%g, %g]",
			      (double) note.lo, (double) note.hi);
			for (int i = 0; i < GS * GS * 3; i++)
			{
				const double v = unnormalised(out[i], i % 3);

				CHECK(v > -1e-6 && v < 1 + 1e-6, "round %d, kind %d at %d: %g",
				      round, kind, i, v);
			}
		}
	}
}

static void
test_roi(void)
{
	static float whole[GS * GS * 3];
	static float part[GS * GS * 3];
	static uint16_t cut[40 * 50];
	const mmrd_raster r = scan_depth();
	const mmrd_raster c = {MMRD_SAMPLE_U16, 1, 40, 50, cut};
	mmrd_input_spec spec = {.kind = MMRD_INPUT_DEPTH};
	mmrd_input_note note;
	mmrd_error err = {0};

	for (int y = 0; y < 40; y++)
		memcpy(cut + y * 50, depth_scan + (y + 7) * GW + 11, 100);
	CHECK(mmrd_input_prepare(&c, &spec, GS, whole, &note, &err) == MMRD_OK,
	      "%s", err.message);
	spec.roi = (mmrd_roi){11, 7, 50, 40};
	CHECK(mmrd_input_prepare(&r, &spec, GS, part, &note, &err) == MMRD_OK,
	      "%s", err.message);
	CHECK(memcmp(whole, part, sizeof(whole)) == 0,
	      "a roi is not the same as a cropped file");
	spec.roi.width = 60;
	CHECK(mmrd_input_prepare(&r, &spec, GS, part, &note, &err) ==
	          MMRD_INVALID_ARGUMENT,
	      "a roi outside passed");
}

static void
test_kinds(void)
{
	static const struct
	{
		mmrd_sample sample;
		int channels;
		mmrd_input_kind kind;
	} cases[] = {{MMRD_SAMPLE_U8, 1, MMRD_INPUT_IMAGE},
	             {MMRD_SAMPLE_U8, 3, MMRD_INPUT_IMAGE},
	             {MMRD_SAMPLE_U16, 1, MMRD_INPUT_DEPTH},
	             {MMRD_SAMPLE_U16, 3, MMRD_INPUT_IMAGE},
	             {MMRD_SAMPLE_F32, 1, MMRD_INPUT_DEPTH},
	             {MMRD_SAMPLE_F32, 3, MMRD_INPUT_NORMALS_FROM_XYZ}};
	static float data[12 * 12 * 3];
	static float out[8 * 8 * 3];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		const mmrd_raster r = {cases[i].sample, cases[i].channels, 12, 12,
		                       data};

		CHECK(mmrd_input_kind_guess(&r) == cases[i].kind, "guess %zu", i);
		for (int kind = 0; kind < 5; kind++)
		{
			const mmrd_input_spec spec = {.kind = kind};
			mmrd_input_note note;
			mmrd_error err = {0};
			const int fits =
			    kind == MMRD_INPUT_IMAGE ? r.sample != MMRD_SAMPLE_F32
			    : kind == MMRD_INPUT_DEPTH
			        ? r.channels == 1
			        : r.channels == 3 && r.sample == MMRD_SAMPLE_F32;
			const mmrd_status got =
			    mmrd_input_prepare(&r, &spec, 8, out, &note, &err);

			CHECK(got == (fits ? MMRD_OK : MMRD_UNSUPPORTED),
			      "sample %d, %d channels as %s: %d", r.sample, r.channels,
			      mmrd_input_kind_name(kind), got);
			CHECK(fits || err.hint[0] != '\0', "no hint");
		}
	}
	for (int kind = 0; kind < 5; kind++)
	{
		mmrd_input_kind found;

		CHECK(mmrd_input_kind_find(mmrd_input_kind_name(kind), &found) &&
		          (int) found == kind,
		      "kind %d has no name", kind);
	}
	CHECK(mmrd_input_kind_name(5) == NULL && mmrd_input_kind_name(-1) == NULL,
	      "a kind too many");
	{
		mmrd_input_kind found = MMRD_INPUT_XYZ;

		CHECK(!mmrd_input_kind_find("auto", &found) && found == MMRD_INPUT_XYZ,
		      "\"auto\" is a kind");
	}
}

static void
test_refusals(void)
{
	static const mmrd_input_spec bad[] = {
	    {.kind = 5},
	    {.kind = -1},
	    {.kind = 1, .range_given = 1, .lo = 1, .hi = 0},
	    {.kind = 1, .range_given = 1, .lo = NAN, .hi = 1},
	    {.kind = 1, .range_given = 1, .lo = 0, .hi = INFINITY}};
	static const mmrd_input_spec good = {.kind = MMRD_INPUT_DEPTH};
	static uint16_t data[9] = {0};
	const mmrd_raster r = {MMRD_SAMPLE_U16, 1, 3, 3, data};
	float out[4 * 4 * 3];
	mmrd_input_note note;
	mmrd_error err = {0};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK(mmrd_input_prepare(&r, &bad[i], 4, out, &note, &err) ==
		          MMRD_INVALID_ARGUMENT,
		      "specification %zu passed", i);
	CHECK(mmrd_input_prepare(&r, &good, 0, out, &note, &err) ==
	          MMRD_INVALID_ARGUMENT,
	      "size 0 passed");
	CHECK(mmrd_input_prepare(&r, &good, MMRD_INPUT_MAX_SIDE + 1, out, &note,
	                         &err) == MMRD_INVALID_ARGUMENT,
	      "a huge size passed");
	CHECK(mmrd_input_prepare(&r, &good, 1, out, &note, &err) == MMRD_OK,
	      "size 1: %s", err.message);
}

int
main(void)
{
	test_golden();
	test_block(0, 0);
	test_block(0.3, -0.2);
	test_block(-0.1, 0.4);
	test_no_table();
	test_strange_values();
	test_roi();
	test_kinds();
	test_refusals();
	return check_result();
}
