/*
 * model/score/palette.h
 *	  Colours for an anomaly map.
 *
 *	  mmrd_palette palette;
 *	  mmrd_raster picture;
 *
 *	  MMRD_TRY(mmrd_palette_find("inferno", &palette, err));
 *	  MMRD_TRY(mmrd_palette_paint(&map, palette, map.info.lo, map.info.hi,
 *	                              &picture, err));
 *	  ...
 *	  mmrd_raster_clear(&picture);
 */
#ifndef MMRD_PALETTE_H
#define MMRD_PALETTE_H

#include <stdint.h>

#include "model/base/map_view.h"
#include "model/base/raster.h"
#include "model/base/status.h"

typedef enum mmrd_palette
{
	MMRD_PALETTE_INFERNO, /* the default; black, purple, orange, yellow */
	MMRD_PALETTE_VIRIDIS,
	MMRD_PALETTE_TURBO,
	MMRD_PALETTE_GREY
} mmrd_palette;

enum
{
	MMRD_PALETTE_STEPS = 256 /* colours of a palette */
};

/*
 * "inferno", "viridis", "turbo", "grey" or "gray".  Returns
 * MMRD_INVALID_ARGUMENT for any other name, which the message holds.
 */
mmrd_status mmrd_palette_find(const char *name, mmrd_palette *palette,
                              mmrd_error *err);

/* All colours, RGB of 8 bits, from the lowest value's to the highest's. */
void mmrd_palette_fill(mmrd_palette palette,
                       uint8_t colours[MMRD_PALETTE_STEPS][3]);

/*
 * Which colour a value has: 0 at lo and below, the last at hi and above,
 * evenly in between.  Where lo = hi, whatever exceeds it has the last.
 */
int mmrd_palette_step(float value, float lo, float hi);

/* MMRD_INVALID_ARGUMENT unless lo and hi are finite and lo <= hi. */
mmrd_status mmrd_palette_check_range(float lo, float hi, mmrd_error *err);

/*
 * The map as a picture, one pixel for each value: 8 bits, 3 channels.
 *
 * lo, hi	the values that have the first and the last colour; map->info.lo
 *			and hi use the whole palette, fixed ones make maps comparable
 * out		the caller releases it with mmrd_raster_clear()
 *
 * Returns MMRD_INVALID_ARGUMENT for an impossible range or map,
 * MMRD_NO_MEMORY; then out is all zero.
 */
mmrd_status mmrd_palette_paint(const mmrd_map_view *map, mmrd_palette palette,
                               float lo, float hi, mmrd_raster *out,
                               mmrd_error *err);

#endif /* MMRD_PALETTE_H */
