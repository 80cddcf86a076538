/*
 * model/input/foreground.h
 *	  Which pixels of a scan show the part, not the table.
 */
#ifndef MMRD_FOREGROUND_H
#define MMRD_FOREGROUND_H

#include <stddef.h>
#include <stdint.h>

#include "model/input/plane_fit.h"

/* Further than this from the table belongs to the part; metres. */
#define MMRD_FOREGROUND_HEIGHT 0.005

enum
{
	MMRD_FOREGROUND_CLOSING = 3 /* dilations, then as many erosions */
};

/*
 * mask[i] = 1 where valid[i] and point i is further than
 * MMRD_FOREGROUND_HEIGHT from the plane, on either side; else 0.  With plane
 * NULL mask is a copy of valid.
 *
 * x, y, z	n coordinates each, metres; only read where valid
 * valid	n times 0 or 1
 * mask		n, every element written; may be valid itself
 */
void mmrd_foreground_mark(size_t n, const float *x, const float *y,
                          const float *z, const uint8_t *valid,
                          const mmrd_plane *plane, uint8_t *mask);

/*
 * One step with a box of 3 x 3: a pixel becomes 1 when any (dilate), or stays
 * 1 only when all (erode) of the nine are.  Pixels outside the image count as
 * 0 for dilate and as 1 for erode.
 *
 * mask		(H, W) of 0 and 1, changed in place
 * scratch	(H, W), overwritten
 */
void mmrd_mask_dilate(int H, int W, uint8_t *mask, uint8_t *scratch);
void mmrd_mask_erode(int H, int W, uint8_t *mask, uint8_t *scratch);

/*
 * Close gaps up to MMRD_FOREGROUND_CLOSING pixels from either side: that many
 * dilations, then as many erosions.  Arguments as above.
 */
void mmrd_foreground_close(int H, int W, uint8_t *mask, uint8_t *scratch);

#endif /* MMRD_FOREGROUND_H */
