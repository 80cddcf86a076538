/*
 * model/score/regions.h
 *	  Connected regions: of a mask, and of a map above a threshold.
 *
 * Two pixels are connected when they touch by a side or a corner
 * (8-connected).
 */
#ifndef MMRD_REGIONS_H
#define MMRD_REGIONS_H

#include <stddef.h>
#include <stdint.h>

#include "model/base/map_view.h"
#include "model/base/status.h"

/*
 * Number the regions of a mask.
 *
 * mask		(h, w) row-major, only read; a pixel is in when it is not 0
 * labels	(h, w), every element written: 0 outside, else 1 .. the number of
 *			regions, in the order of each region's first pixel, row by row
 *
 * Returns the number of regions.  h and w are at least 1, h * w below 2^31.
 * No memory is allocated.
 */
int32_t mmrd_mask_label(const uint8_t *mask, int32_t h, int32_t w,
                        int32_t *labels);

/* One region, in pixels of the source image (map_view.h). */
typedef struct mmrd_region
{
	int32_t x; /* the least rectangle that holds the region */
	int32_t y;
	int32_t width;
	int32_t height;
	int64_t area;   /* pixels, rounded, at least 1 */
	float peak;     /* largest value of the map in the region */
	int32_t peak_x; /* source pixel under the centre of the map's pixel */
	int32_t peak_y;
} mmrd_region;

typedef struct mmrd_regions
{
	mmrd_region *items; /* owned; NULL when n is 0 */
	int32_t n;
} mmrd_regions;

/*
 * The regions where map > threshold, highest peak first (equal peaks: the one
 * whose first pixel comes first).  Of equal values the first one is the peak.
 *
 * out		overwritten; the caller releases it with mmrd_regions_clear()
 *
 * Returns MMRD_INVALID_ARGUMENT when the sizes contradict each other or
 * threshold is NaN, MMRD_LIMIT_EXCEEDED for a map of 2^31 pixels and more,
 * MMRD_NO_MEMORY (5 bytes per map pixel are needed meanwhile, and 44 per
 * region); then out is all zero.
 */
mmrd_status mmrd_regions_find(const mmrd_map_view *map, float threshold,
                              mmrd_regions *out, mmrd_error *err);

/* Release the memory; leaves it all zero. */
void mmrd_regions_clear(mmrd_regions *regions);

#endif /* MMRD_REGIONS_H */
