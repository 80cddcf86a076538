/*
 * model/score/overlay.h
 *	  An anomaly map laid over the image it was made from.
 */
#ifndef MMRD_OVERLAY_H
#define MMRD_OVERLAY_H

#include <stdbool.h>

#include "model/base/map_view.h"
#include "model/base/raster.h"
#include "model/base/status.h"
#include "model/score/palette.h"

typedef struct mmrd_overlay_style
{
	mmrd_palette palette;
	float lo; /* as for mmrd_palette_paint() */
	float hi;
	float opacity; /* 0: the image alone, 1: the map alone */
	bool has_contour;
	float contour; /* a line around what is above this value */
} mmrd_overlay_style;

/*
 * Draw the overlay, at the size of the image.
 *
 * image	8 or 16 bits, 1 or 3 channels, of the size that map->info gives
 *			as the source's; only read
 * map		laid over its rectangle of the image, interpolated bilinearly
 *			with half-pixel centres, as the network's input was resized;
 *			outside the rectangle the image stays as it is
 * out		8 bits, 3 channels; the caller releases it with
 *			mmrd_raster_clear()
 *
 * The line is bright green, opaque, and lies inside the region; its width is
 * 1/256 of the longer side, one pixel at least.  Where a region reaches the
 * border of the rectangle there is no line.
 *
 * Returns MMRD_INVALID_ARGUMENT when sizes differ or the style has a value
 * out of range, MMRD_UNSUPPORTED for float samples, MMRD_LIMIT_EXCEEDED above
 * limits, MMRD_NO_MEMORY; then out is all zero.
 */
mmrd_status mmrd_overlay_draw(const mmrd_raster *image,
                              const mmrd_map_view *map,
                              const mmrd_overlay_style *style,
                              const mmrd_raster_limits *limits,
                              mmrd_raster *out, mmrd_error *err);

#endif /* MMRD_OVERLAY_H */
