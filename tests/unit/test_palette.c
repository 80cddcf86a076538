/*
 * tests/unit/test_palette.c
 *	  Ends of the palettes, the scale between lo and hi, and refusals.
 */
#include "model/score/palette.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "tests/unit/check.h"

static void
check_colour(const char *what, const uint8_t got[3], int r, int g, int b,
             int tol)
{
	const int want[3] = {r, g, b};

	for (int k = 0; k < 3; k++)
		CHECK(got[k] - want[k] <= tol && want[k] - got[k] <= tol,
		      "%s: (%d, %d, %d), want (%d, %d, %d) within %d", what, got[0],
		      got[1], got[2], r, g, b, tol);
}

/* Colours of the published tables at index 0, 77, 128, 200 and 255. */
static void
test_colours(void)
{
	uint8_t c[MMRD_PALETTE_STEPS][3];

	mmrd_palette_fill(MMRD_PALETTE_INFERNO, c);
	check_colour("inferno 0", c[0], 0, 0, 4, 0);
	check_colour("inferno 77", c[77], 108, 24, 110, 2);
	check_colour("inferno 128", c[128], 188, 55, 84, 2);
	check_colour("inferno 200", c[200], 251, 157, 7, 2);
	check_colour("inferno 255", c[255], 252, 255, 164, 0);
	mmrd_palette_fill(MMRD_PALETTE_VIRIDIS, c);
	check_colour("viridis 0", c[0], 68, 1, 84, 0);
	check_colour("viridis 77", c[77], 52, 96, 141, 2);
	check_colour("viridis 128", c[128], 33, 145, 140, 2);
	check_colour("viridis 200", c[200], 112, 207, 87, 2);
	check_colour("viridis 255", c[255], 253, 231, 37, 0);
	mmrd_palette_fill(MMRD_PALETTE_TURBO, c);
	check_colour("turbo 0", c[0], 48, 18, 59, 11);
	check_colour("turbo 77", c[77], 24, 215, 202, 11);
	check_colour("turbo 128", c[128], 164, 252, 60, 11);
	check_colour("turbo 200", c[200], 244, 102, 23, 11);
	check_colour("turbo 255", c[255], 122, 4, 3, 11);
	mmrd_palette_fill(MMRD_PALETTE_GREY, c);
	for (int i = 0; i < MMRD_PALETTE_STEPS; i++)
		check_colour("grey", c[i], i, i, i, 0);
}

static void
test_names(void)
{
	mmrd_error err = {0};
	mmrd_palette p = MMRD_PALETTE_GREY;

	CHECK(mmrd_palette_find("inferno", &p, &err) == MMRD_OK &&
	          p == MMRD_PALETTE_INFERNO,
	      "inferno");
	CHECK(mmrd_palette_find("gray", &p, &err) == MMRD_OK &&
	          p == MMRD_PALETTE_GREY,
	      "gray");
	CHECK(mmrd_palette_find("Inferno", &p, &err) == MMRD_INVALID_ARGUMENT,
	      "case is part of a name");
	CHECK(strstr(err.message, "\"Inferno\"") != NULL, "%s", err.message);
	CHECK(mmrd_palette_find("", &p, &err) == MMRD_INVALID_ARGUMENT, "empty");
}

static void
test_steps(void)
{
	CHECK(mmrd_palette_step(-1, 0, 2) == 0, "below");
	CHECK(mmrd_palette_step(0, 0, 2) == 0, "lo");
	CHECK(mmrd_palette_step(1, 0, 2) == 128, "the middle: %d",
	      mmrd_palette_step(1, 0, 2));
	CHECK(mmrd_palette_step(2, 0, 2) == 255, "hi");
	CHECK(mmrd_palette_step(3, 0, 2) == 255, "above");
	CHECK(mmrd_palette_step(1, 1, 1) == 0, "the only value");
	CHECK(mmrd_palette_step(1.5f, 1, 1) == 255, "above the only value");
	CHECK(mmrd_palette_step(0, -FLT_MAX, FLT_MAX) == 128, "the widest range");
	CHECK(mmrd_palette_step(NAN, 0, 1) == 0, "not a number");
}

static void
test_paint(void)
{
	static const float values[] = {0, 1, 2, 3, 4, 5};
	mmrd_map_view map = {mmrd_map_info_whole(2, 3, 20, 30), values};
	mmrd_error err = {0};
	mmrd_raster out;
	static const float bad[][2] = {
	    {NAN, 1}, {0, NAN}, {0, INFINITY}, {-INFINITY, 0}, {1, 0}};

	CHECK(mmrd_palette_paint(&map, MMRD_PALETTE_GREY, 1, 4, &out, &err) ==
	          MMRD_OK,
	      "%s", err.message);
	CHECK(out.width == 3 && out.height == 2 && out.channels == 3 &&
	          out.sample == MMRD_SAMPLE_U8,
	      "%d x %d x %d", out.width, out.height, out.channels);
	for (int p = 0; p < 6; p++)
	{
		static const int want[] = {0, 0, 85, 170, 255, 255};

		check_colour("painted", (uint8_t *) out.data + 3 * p, want[p], want[p],
		             want[p], 0);
	}
	mmrd_raster_clear(&out);
	for (int i = 0; i < 5; i++)
		CHECK(mmrd_palette_paint(&map, MMRD_PALETTE_GREY, bad[i][0], bad[i][1],
		                         &out, &err) == MMRD_INVALID_ARGUMENT &&
		          out.data == NULL,
		      "%g to %g passed", (double) bad[i][0], (double) bad[i][1]);
	map.info.width = 0;
	CHECK(mmrd_palette_paint(&map, MMRD_PALETTE_GREY, 0, 1, &out, &err) ==
	          MMRD_INVALID_ARGUMENT,
	      "no columns passed");
}

int
main(void)
{
	test_colours();
	test_names();
	test_steps();
	test_paint();
	return check_result();
}
