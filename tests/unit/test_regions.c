/*
 * tests/unit/test_regions.c
 *	  Labels against flood fill; regions of small maps, by hand.
 */
#include "model/score/regions.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/base/random.h"
#include "tests/unit/check.h"

static void
flood(const uint8_t *mask, int h, int w, int y, int x, int32_t label,
      int32_t *labels)
{
	if (y < 0 || x < 0 || y >= h || x >= w || !mask[y * w + x] ||
	    labels[y * w + x] != 0)
		return;
	labels[y * w + x] = label;
	for (int d = 0; d < 9; d++)
		flood(mask, h, w, y + d / 3 - 1, x + d % 3 - 1, label, labels);
}

static void
label_case(int h, int w, double share, mmrd_random *r)
{
	const size_t n = (size_t) h * (size_t) w;
	uint8_t *mask = malloc(n);
	int32_t *want = calloc(n, sizeof(*want));
	int32_t *got = malloc(n * sizeof(*got));
	int32_t n_want = 0;
	int32_t n_got;

	for (size_t p = 0; p < n; p++)
		mask[p] = mmrd_random_uniform(r) < share ? (uint8_t) (1 + p % 255) : 0;
	for (int y = 0; y < h; y++)
		for (int x = 0; x < w; x++)
			if (mask[y * w + x] && want[y * w + x] == 0)
				flood(mask, h, w, y, x, ++n_want, want);
	memset(got, 0xff, n * sizeof(*got));
	n_got = mmrd_mask_label(mask, h, w, got);
	CHECK(n_got == n_want, "%d x %d, %g: %d regions, want %d", h, w, share,
	      n_got, n_want);
	CHECK(memcmp(got, want, n * sizeof(*got)) == 0, "%d x %d, %g: labels", h,
	      w, share);
	free(mask);
	free(want);
	free(got);
}

static void
test_labels(void)
{
	static const int sizes[][2] = {{1, 1},  {1, 40},  {40, 1}, {2, 2},
	                               {3, 17}, {31, 33}, {64, 64}};
	mmrd_random r = mmrd_random_create(1, "regions");

	for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++)
		for (int share = 0; share <= 10; share++)
			for (int k = 0; k < 5; k++)
				label_case(sizes[s][0], sizes[s][1], share / 10.0, &r);
}

static const float MAP[] = {
    0, 0, 0, 0, 0, 9, /* */
    0, 3, 0, 0, 0, 0, /* */
    0, 0, 5, 0, 0, 0, /* */
    0, 0, 5, 0, 2, 2, /* */
};

static void
expect(const mmrd_regions *r, int i, mmrd_region want)
{
	const mmrd_region got = i < r->n ? r->items[i] : (mmrd_region){0};

	CHECK(got.x == want.x && got.y == want.y && got.width == want.width &&
	          got.height == want.height,
	      "region %d: %d x %d at (%d, %d), want %d x %d at (%d, %d)", i,
	      got.width, got.height, got.x, got.y, want.width, want.height, want.x,
	      want.y);
	CHECK(got.area == want.area, "region %d: area %d, want %d", i,
	      (int) got.area, (int) want.area);
	CHECK(got.peak == want.peak && got.peak_x == want.peak_x &&
	          got.peak_y == want.peak_y,
	      "region %d: peak %g at (%d, %d), want %g at (%d, %d)", i,
	      (double) got.peak, got.peak_x, got.peak_y, (double) want.peak,
	      want.peak_x, want.peak_y);
}

static void
test_regions(void)
{
	mmrd_map_view view = {mmrd_map_info_whole(4, 6, 4, 6), MAP};
	mmrd_error err = {0};
	mmrd_regions r;

	CHECK(mmrd_regions_find(&view, 1, &r, &err) == MMRD_OK, "%s", err.message);
	CHECK(r.n == 3, "%d regions", r.n);
	expect(&r, 0, (mmrd_region){5, 0, 1, 1, 1, 9, 5, 0});
	expect(&r, 1, (mmrd_region){1, 1, 2, 3, 3, 5, 2, 2});
	expect(&r, 2, (mmrd_region){4, 3, 2, 1, 2, 2, 4, 3});
	mmrd_regions_clear(&r);

	/* Above, not at or above. */
	CHECK(mmrd_regions_find(&view, 5, &r, &err) == MMRD_OK, "%s", err.message);
	CHECK(r.n == 1, "%d regions above 5", r.n);
	mmrd_regions_clear(&r);
	CHECK(mmrd_regions_find(&view, 9, &r, &err) == MMRD_OK, "%s", err.message);
	CHECK(r.n == 0 && r.items == NULL, "%d regions above 9", r.n);
	mmrd_regions_clear(&r);
	CHECK(mmrd_regions_find(&view, -1, &r, &err) == MMRD_OK, "%s",
	      err.message);
	CHECK(r.n == 1 && r.items[0].area == 24, "all of it");
	mmrd_regions_clear(&r);

	/* A map of 6 x 4 for 9 x 8 pixels: 1.5 across, 2 down. */
	view.info = mmrd_map_info_whole(4, 6, 8, 9);
	CHECK(mmrd_regions_find(&view, 1, &r, &err) == MMRD_OK, "%s", err.message);
	expect(&r, 0, (mmrd_region){7, 0, 2, 2, 3, 9, 8, 1});
	expect(&r, 1, (mmrd_region){1, 2, 4, 6, 9, 5, 3, 5});
	expect(&r, 2, (mmrd_region){6, 6, 3, 2, 6, 2, 6, 7});
	mmrd_regions_clear(&r);

	/* The same, of the right lower part of a larger image. */
	view.info.source_height = 108;
	view.info.source_width = 209;
	view.info.roi_x = 200;
	view.info.roi_y = 100;
	CHECK(mmrd_regions_find(&view, 1, &r, &err) == MMRD_OK, "%s", err.message);
	expect(&r, 1, (mmrd_region){201, 102, 4, 6, 9, 5, 203, 105});
	mmrd_regions_clear(&r);

	/* An image smaller than its map. */
	view.info = mmrd_map_info_whole(4, 6, 1, 1);
	CHECK(mmrd_regions_find(&view, 1, &r, &err) == MMRD_OK, "%s", err.message);
	expect(&r, 2, (mmrd_region){0, 0, 1, 1, 1, 2, 0, 0});
	mmrd_regions_clear(&r);
}

static void
test_order_of_equals(void)
{
	static const float map[] = {0, 4, 0, 7, 0, 4, 0, 7};
	const mmrd_map_view view = {mmrd_map_info_whole(1, 8, 1, 8), map};
	mmrd_error err = {0};
	mmrd_regions r;

	CHECK(mmrd_regions_find(&view, 0, &r, &err) == MMRD_OK, "%s", err.message);
	CHECK(r.n == 4 && r.items[0].x == 3 && r.items[1].x == 7 &&
	          r.items[2].x == 1 && r.items[3].x == 5,
	      "equal peaks are not in the order of their pixels");
	mmrd_regions_clear(&r);
}

static void
test_refusals(void)
{
	mmrd_map_view view = {mmrd_map_info_whole(4, 6, 4, 6), MAP};
	mmrd_error err = {0};
	mmrd_regions r;

	CHECK(mmrd_regions_find(&view, NAN, &r, &err) == MMRD_INVALID_ARGUMENT,
	      "threshold NaN passed");
	view.info.roi_x = 1;
	CHECK(mmrd_regions_find(&view, 0, &r, &err) == MMRD_INVALID_ARGUMENT,
	      "a rectangle beyond the image passed");
	view.info = mmrd_map_info_whole(1 << 16, 1 << 15, 4, 6);
	CHECK(mmrd_regions_find(&view, 0, &r, &err) == MMRD_LIMIT_EXCEEDED,
	      "2^31 pixels passed");
	CHECK(r.n == 0 && r.items == NULL, "something was returned");
}

int
main(void)
{
	test_labels();
	test_regions();
	test_order_of_equals();
	test_refusals();
	return check_result();
}
