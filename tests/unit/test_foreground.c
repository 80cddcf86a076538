/*
 * tests/unit/test_foreground.c
 *	  Dilation, erosion and closing against their definition.
 */
#include "model/input/foreground.h"

#include <stdlib.h>
#include <string.h>

#include "model/base/random.h"
#include "tests/unit/check.h"

/* The definition: any, or all, of the nine; outside is 0, or 1. */
static void
box_ref(int H, int W, int dilate, const uint8_t *in, uint8_t *out)
{
	for (int y = 0; y < H; y++)
		for (int x = 0; x < W; x++)
		{
			int any = 0;
			int all = 1;

			for (int v = y - 1; v <= y + 1; v++)
				for (int u = x - 1; u <= x + 1; u++)
				{
					if (v < 0 || u < 0 || v >= H || u >= W)
						continue;
					any |= in[v * W + u];
					all &= in[v * W + u];
				}
			out[y * W + x] = (uint8_t) (dilate ? any : all);
		}
}

static void
one_shape(int H, int W, int share)
{
	const size_t n = (size_t) H * W;
	uint8_t *start = malloc(n);
	uint8_t *mask = malloc(n);
	uint8_t *scratch = malloc(n);
	uint8_t *want = malloc(n);
	uint8_t *next = malloc(n);

	for (size_t i = 0; i < n; i++)
		start[i] = mmrd_mix64(i) % 100 < (uint64_t) share;

	memcpy(mask, start, n);
	memset(scratch, 0xff, n);
	mmrd_mask_dilate(H, W, mask, scratch);
	box_ref(H, W, 1, start, want);
	CHECK(memcmp(mask, want, n) == 0, "dilate %d x %d, %d%%", H, W, share);

	memcpy(mask, start, n);
	memset(scratch, 0xff, n);
	mmrd_mask_erode(H, W, mask, scratch);
	box_ref(H, W, 0, start, want);
	CHECK(memcmp(mask, want, n) == 0, "erode %d x %d, %d%%", H, W, share);

	memcpy(mask, start, n);
	mmrd_foreground_close(H, W, mask, scratch);
	memcpy(want, start, n);
	for (int i = 0; i < 6; i++)
	{
		box_ref(H, W, i < 3, want, next);
		memcpy(want, next, n);
	}
	CHECK(memcmp(mask, want, n) == 0, "close %d x %d, %d%%", H, W, share);
	for (size_t i = 0; i < n; i++)
		CHECK(mask[i] >= start[i], "closing removed %zu", i);
	free(start);
	free(mask);
	free(scratch);
	free(want);
	free(next);
}

static void
test_mark(void)
{
	static const float x[] = {0, 1, 2, 3, 4, 5};
	static const float y[] = {0, 0, 0, 0, 0, 0};
	static const float z[] = {0.5f, 0.4951f, 0.4949f, 0.506f, 0.1f, 0.5f};
	const uint8_t valid[] = {1, 1, 1, 1, 0, 1};
	const uint8_t want[] = {0, 0, 1, 1, 0, 0};
	const mmrd_plane plane = {{0, 0, -1}, 0.5};
	uint8_t mask[6];

	memset(mask, 0xff, sizeof(mask));
	mmrd_foreground_mark(6, x, y, z, valid, &plane, mask);
	CHECK(memcmp(mask, want, 6) == 0, "marked %d%d%d%d%d%d", mask[0], mask[1],
	      mask[2], mask[3], mask[4], mask[5]);
	memset(mask, 0xff, sizeof(mask));
	mmrd_foreground_mark(6, x, y, z, valid, NULL, mask);
	CHECK(memcmp(mask, valid, 6) == 0, "without a plane not all valid ones");
}

int
main(void)
{
	static const int sides[] = {1, 2, 3, 7, 31, 64};

	for (int i = 0; i < 6; i++)
		for (int j = 0; j < 6; j++)
			for (int share = 0; share <= 100; share += 10)
				one_shape(sides[i], sides[j], share);
	test_mark();
	return check_result();
}
