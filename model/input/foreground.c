/*
 * model/input/foreground.c
 *	  Marking and closing the foreground.
 *
 * A 3 x 3 box is a row of three after a column of three; the masks are bytes
 * of 0 and 1, so "any" is | and "all" is &, which vectorize.
 */
#include "model/input/foreground.h"

#include <math.h>
#include <string.h>

#include "model/base/threads.h"

void
mmrd_foreground_mark(size_t n, const float *x, const float *y, const float *z,
                     const uint8_t *valid, const mmrd_plane *plane,
                     uint8_t *mask)
{
	if (plane == NULL)
	{
		memmove(mask, valid, n);
		return;
	}
#pragma omp parallel for schedule(static) num_threads(mmrd_threads())
	for (size_t i = 0; i < n; i++)
		mask[i] =
		    valid[i] && fabs(mmrd_plane_distance(plane, x[i], y[i], z[i])) >
		                    MMRD_FOREGROUND_HEIGHT;
}

static uint8_t
three(int dilate, uint8_t a, uint8_t b, uint8_t c)
{
	return dilate ? a | b | c : a & b & c;
}

/* Along y from mask to scratch, along x back. */
static void
box(int H, int W, int dilate, uint8_t *mask, uint8_t *scratch)
{
	for (int y = 0; y < H; y++)
	{
		const uint8_t *here = mask + (size_t) y * W;
		const uint8_t *above = y > 0 ? here - W : here;
		const uint8_t *below = y < H - 1 ? here + W : here;
		uint8_t *to = scratch + (size_t) y * W;

		/* What is outside does not count either way: the row itself. */
		for (int x = 0; x < W; x++)
			to[x] = three(dilate, above[x], here[x], below[x]);
	}
	for (int y = 0; y < H; y++)
	{
		const uint8_t *from = scratch + (size_t) y * W;
		uint8_t *to = mask + (size_t) y * W;

		for (int x = 1; x < W - 1; x++)
			to[x] = three(dilate, from[x - 1], from[x], from[x + 1]);
		to[0] = three(dilate, from[0], from[0], from[W > 1]);
		to[W - 1] =
		    three(dilate, from[W - 1 - (W > 1)], from[W - 1], from[W - 1]);
	}
}

void
mmrd_mask_dilate(int H, int W, uint8_t *mask, uint8_t *scratch)
{
	box(H, W, 1, mask, scratch);
}

void
mmrd_mask_erode(int H, int W, uint8_t *mask, uint8_t *scratch)
{
	box(H, W, 0, mask, scratch);
}

void
mmrd_foreground_close(int H, int W, uint8_t *mask, uint8_t *scratch)
{
	for (int i = 0; i < MMRD_FOREGROUND_CLOSING; i++)
		mmrd_mask_dilate(H, W, mask, scratch);
	for (int i = 0; i < MMRD_FOREGROUND_CLOSING; i++)
		mmrd_mask_erode(H, W, mask, scratch);
}
