/*
 * tests/unit/test_synth_scan.c
 *	  Generated scans: repeatable, normal ones alike, defects only in the
 *	  mask and only where their kind says they can be seen.
 */
#include "model/synth/synth_scan.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/check.h"

enum
{
	SIZE = 128,
	N_PIXELS = SIZE * SIZE
};

static mmrd_synth
make(uint64_t seed, int32_t index, bool anomalous, mmrd_synth_aux aux)
{
	mmrd_synth scan;
	mmrd_error err = {0};

	CHECK(mmrd_synth_scan(seed, index, anomalous, SIZE, aux, &scan, &err) ==
	          MMRD_OK,
	      "%s", err.message);
	return scan;
}

/* Mean difference over the pixels that are (not) in the mask. */
static double
difference(const mmrd_raster *a, const mmrd_raster *b, const uint8_t *mask,
           bool in_mask)
{
	double sum = 0;
	double n = 0;

	for (size_t i = 0; i < (size_t) N_PIXELS * (size_t) a->channels; i++)
	{
		if ((mask[i / (size_t) a->channels] != 0) != in_mask)
			continue;
		n++;
		if (a->sample == MMRD_SAMPLE_U8)
			sum += abs(((uint8_t *) a->data)[i] - ((uint8_t *) b->data)[i]);
		else
			sum += abs(((uint16_t *) a->data)[i] - ((uint16_t *) b->data)[i]);
	}
	return n > 0 ? sum / n : 0;
}

static void
test_shapes(void)
{
	mmrd_synth scan = make(1, 2, true, MMRD_SYNTH_NORMALS);

	CHECK(scan.rgb.sample == MMRD_SAMPLE_U8 && scan.rgb.channels == 3 &&
	          scan.rgb.width == SIZE && scan.rgb.height == SIZE,
	      "rgb");
	CHECK(scan.mask.sample == MMRD_SAMPLE_U8 && scan.mask.channels == 1 &&
	          scan.mask.width == SIZE && scan.mask.height == SIZE,
	      "mask");
	CHECK(scan.aux.sample == MMRD_SAMPLE_U8 && scan.aux.channels == 3,
	      "normals");
	for (int p = 0; p < N_PIXELS; p++)
	{
		const uint8_t *v = (uint8_t *) scan.aux.data + 3 * p;
		const double x = v[0] / 127.5 - 1;
		const double y = v[1] / 127.5 - 1;
		const double z = v[2] / 127.5 - 1;

		CHECK(fabs(sqrt(x * x + y * y + z * z) - 1) < 0.01 && z > 0,
		      "normal (%g, %g, %g) at %d", x, y, z, p);
	}
	mmrd_synth_clear(&scan);
	mmrd_synth_clear(&scan);
	scan = make(1, 2, true, MMRD_SYNTH_DEPTH);
	CHECK(scan.aux.sample == MMRD_SAMPLE_U16 && scan.aux.channels == 1,
	      "depth");
	CHECK(abs(((uint16_t *) scan.aux.data)[0] - 40000) < 40,
	      "the table is at %d", ((uint16_t *) scan.aux.data)[0]);
	mmrd_synth_clear(&scan);
}

static void
test_repeatable(void)
{
	mmrd_synth a = make(3, 4, true, MMRD_SYNTH_DEPTH);
	mmrd_synth b = make(3, 4, true, MMRD_SYNTH_DEPTH);
	mmrd_synth c = make(3, 5, true, MMRD_SYNTH_DEPTH);
	mmrd_synth d = make(4, 4, true, MMRD_SYNTH_DEPTH);

	CHECK(memcmp(a.rgb.data, b.rgb.data, 3 * N_PIXELS) == 0 &&
	          memcmp(a.aux.data, b.aux.data, 2 * N_PIXELS) == 0 &&
	          memcmp(a.mask.data, b.mask.data, N_PIXELS) == 0,
	      "not the same twice");
	CHECK(memcmp(a.rgb.data, c.rgb.data, 3 * N_PIXELS) != 0, "index ignored");
	CHECK(memcmp(a.rgb.data, d.rgb.data, 3 * N_PIXELS) != 0, "seed ignored");
	mmrd_synth_clear(&a);
	mmrd_synth_clear(&b);
	mmrd_synth_clear(&c);
	mmrd_synth_clear(&d);
}

static void
test_normal_scans(void)
{
	mmrd_synth first = make(9, 0, false, MMRD_SYNTH_DEPTH);

	for (int i = 1; i < 8; i++)
	{
		mmrd_synth scan = make(9, i, false, MMRD_SYNTH_DEPTH);
		const double by =
		    difference(&first.rgb, &scan.rgb, first.mask.data, false);

		CHECK(scan.flaw.kind == MMRD_FLAW_NONE &&
		          scan.flaw.seen == MMRD_FLAW_NOWHERE,
		      "scan %d has a defect", i);
		for (int p = 0; p < N_PIXELS; p++)
			CHECK(((uint8_t *) scan.mask.data)[p] == 0, "scan %d at %d", i, p);
		CHECK(by > 1 && by < 20, "scan %d differs by %g of 255", i, by);
		mmrd_synth_clear(&scan);
	}
	mmrd_synth_clear(&first);
}

/*
 * The same scan with and without its defect.  Noise is the same, so outside
 * the mask only what a defect does to its surroundings remains: a soft
 * border, a shadow.
 */
static int
defect_case(int index)
{
	mmrd_synth good = make(11, index, false, MMRD_SYNTH_DEPTH);
	mmrd_synth bad = make(11, index, true, MMRD_SYNTH_DEPTH);
	mmrd_synth good_n = make(11, index, false, MMRD_SYNTH_NORMALS);
	mmrd_synth bad_n = make(11, index, true, MMRD_SYNTH_NORMALS);
	const uint8_t *mask = bad.mask.data;
	const char *name = mmrd_flaw_name(bad.flaw.kind);
	const double rgb = difference(&good.rgb, &bad.rgb, mask, true);
	const double depth = difference(&good.aux, &bad.aux, mask, true);
	const double normals = difference(&good_n.aux, &bad_n.aux, mask, true);
	const double elsewhere = difference(&good.rgb, &bad.rgb, mask, false);
	int n_mask = 0;
	const mmrd_flaw_seen seen = bad.flaw.seen;
	const int kind = (int) bad.flaw.kind;

	for (int p = 0; p < N_PIXELS; p++)
		n_mask += mask[p] == 255;
	CHECK(n_mask >= 10 && n_mask < N_PIXELS / 10, "%d, %s: %d pixels", index,
	      name, n_mask);
	CHECK(memcmp(mask, bad_n.mask.data, N_PIXELS) == 0, "%s: masks", name);
	CHECK(bad.flaw.kind != MMRD_FLAW_NONE && seen != MMRD_FLAW_NOWHERE,
	      "%d is normal", index);
	CHECK(elsewhere < 0.5, "%d, %s: %g outside its mask", index, name,
	      elsewhere);
	if (seen == MMRD_FLAW_GEOMETRY)
		CHECK(rgb < 5, "%d, %s: colour differs by %g", index, name, rgb);
	else
		CHECK(rgb > 6, "%d, %s: colour differs by %g", index, name, rgb);
	if (seen == MMRD_FLAW_COLOUR)
		CHECK(depth == 0 && normals == 0, "%d, %s: depth %g, normals %g",
		      index, name, depth, normals);
	else
		CHECK(depth > 150 && normals > 4, "%d, %s: depth %g, normals %g",
		      index, name, depth, normals);
	mmrd_synth_clear(&good);
	mmrd_synth_clear(&bad);
	mmrd_synth_clear(&good_n);
	mmrd_synth_clear(&bad_n);
	return kind;
}

static void
test_defects(void)
{
	int n_of[MMRD_FLAW_CHIPPED_EDGE + 1] = {0};

	for (int i = 0; i < 60; i++)
		n_of[defect_case(i)]++;
	for (int k = MMRD_FLAW_STAIN; k <= MMRD_FLAW_CHIPPED_EDGE; k++)
		CHECK(n_of[k] > 0, "no %s in 60", mmrd_flaw_name((mmrd_flaw_kind) k));
}

static void
test_share(void)
{
	static const double shares[] = {0, 0.1, 0.25, 1.0 / 3, 0.5, 0.9, 1};

	for (size_t s = 0; s < sizeof(shares) / sizeof(shares[0]); s++)
	{
		int n = 0;

		for (int i = 0; i < 1000; i++)
		{
			n += mmrd_synth_is_anomalous(i, shares[s]);
			CHECK(n == (int) floor((i + 1) * shares[s]),
			      "%d of the first %d at %g", n, i + 1, shares[s]);
		}
	}
}

static void
test_refusals(void)
{
	static const int sizes[] = {-1, 0, 31, 1025, INT32_MAX};
	mmrd_synth scan;
	mmrd_error err = {0};

	for (int i = 0; i < 5; i++)
	{
		memset(&scan, 0xff, sizeof(scan));
		CHECK(mmrd_synth_scan(0, 0, false, sizes[i], MMRD_SYNTH_DEPTH, &scan,
		                      &err) == MMRD_INVALID_ARGUMENT,
		      "size %d passed", sizes[i]);
		CHECK(scan.rgb.data == NULL && scan.aux.data == NULL &&
		          scan.mask.data == NULL,
		      "something was returned");
	}
	CHECK(mmrd_synth_scan(0, 0, true, 33, MMRD_SYNTH_NORMALS, &scan, &err) ==
	          MMRD_OK,
	      "%s", err.message);
	mmrd_synth_clear(&scan);
}

int
main(void)
{
	test_shapes();
	test_repeatable();
	test_normal_scans();
	test_defects();
	test_share();
	test_refusals();
	return check_result();
}
