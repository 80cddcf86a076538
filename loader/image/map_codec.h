/*
 * loader/image/map_codec.h
 *	  An anomaly map as a few bytes, and back.
 *
 *	  uint8_t *bytes;
 *	  size_t n_bytes;
 *	  mmrd_map map;
 *
 *	  MMRD_TRY(mmrd_map_encode(&view, &bytes, &n_bytes, err));
 *	  ...
 *	  MMRD_TRY(mmrd_map_decode(bytes, n_bytes, &limits, &map, err));
 *	  use(map.values, map.info.height, map.info.width);
 *	  mmrd_map_clear(&map);
 *
 * What a decoded map keeps of the original:
 *	  the largest and the least value, bit for bit, and at which pixels they
 *	  are (except that a pixel which would otherwise change sides of the
 *	  threshold may join the largest);
 *	  which pixels are above info.threshold;
 *	  every other value to within 1/4095 of (hi - lo), 2.5e-4, plus the
 *	  rounding to float.
 * Encoding a decoded map again gives the same bytes.  Maps of the network,
 * which are smooth, take about a tenth of their floats.
 *
 * The format, version 1, all little endian:
 *	   0  4 bytes   "mMap"
 *	   4  uint8     1, the version
 *	   5  uint8     1 when there is a threshold, else 0
 *	   6  uint16    0
 *	   8  uint32    height, width, source height, source width,
 *	                roi x, roi y, roi width, roi height (map_view.h)
 *	  40  float32   lo, hi, threshold (0 when there is none)
 *	  52  uint32    bytes that follow
 *	  56            a zlib stream of 2 x height x width bytes: the low bytes
 *	                of all residuals, then the high bytes
 * A value is a level q: 0 is lo, 4095 is hi, q is lo + (hi - lo) q / 4095.
 * The residual is q minus (left + above - above left), in the first row minus
 * left, in the first column minus above, minus 0 at the first pixel; r is
 * stored as 2r, or as -2r - 1 when negative.
 *
 * Any number of calls may run at once.
 */
#ifndef MMRD_MAP_CODEC_H
#define MMRD_MAP_CODEC_H

#include <stddef.h>
#include <stdint.h>

#include "model/base/map_view.h"
#include "model/base/raster.h"
#include "model/base/status.h"

enum
{
	MMRD_MAP_HEADER_BYTES = 56,
	MMRD_MAP_LEVELS = 4095,
	MMRD_MAP_MAX_PIXELS = 1 << 26 /* that are encoded; 8192 x 8192 */
};

/* A decoded map. */
typedef struct mmrd_map
{
	mmrd_map_info info;
	float *values; /* (info.height, info.width), owned */
} mmrd_map;

/*
 * Encode a map.
 *
 * map		its info.lo and info.hi are not read: they are found here
 * bytes	out: n_bytes, which the caller owns and releases with free()
 *
 * Returns MMRD_INVALID_ARGUMENT for sizes that contradict each other and for
 * a value or threshold that is not finite, MMRD_LIMIT_EXCEEDED above
 * MMRD_MAP_MAX_PIXELS, MMRD_NO_MEMORY; then *bytes is NULL, *n_bytes 0.
 */
mmrd_status mmrd_map_encode(const mmrd_map_view *map, uint8_t **bytes,
                            size_t *n_bytes, mmrd_error *err);

/*
 * Read the header alone: sizes, threshold, lo and hi.  The first
 * MMRD_MAP_HEADER_BYTES bytes suffice, and nothing is allocated.
 *
 * Returns MMRD_CORRUPT_DATA for bytes that contradict the format,
 * MMRD_UNSUPPORTED for a later version; then *info is all zero.
 */
mmrd_status mmrd_map_header(const uint8_t *bytes, size_t n_bytes,
                            mmrd_map_info *info, mmrd_error *err);

/*
 * Decode and check everything, so that a map which decodes is one that
 * mmrd_map_encode() could have made: levels in range, lo and hi present.
 *
 * bytes	exactly one encoded map; only read
 * limits	max_pixels of the map, max_bytes of its floats; half as much again
 *			is needed meanwhile
 * map		out: the caller releases it with mmrd_map_clear()
 *
 * Returns what mmrd_map_header() returns, MMRD_CORRUPT_DATA too when data
 * and header disagree, MMRD_LIMIT_EXCEEDED, MMRD_NO_MEMORY; then *map is all
 * zero.
 */
mmrd_status mmrd_map_decode(const uint8_t *bytes, size_t n_bytes,
                            const mmrd_raster_limits *limits, mmrd_map *map,
                            mmrd_error *err);

/* Release the values; leaves the map all zero.  Accepts all zero. */
void mmrd_map_clear(mmrd_map *map);

/* The same map for those who only read it; valid as long as map is. */
static inline mmrd_map_view
mmrd_map_as_view(const mmrd_map *map)
{
	const mmrd_map_view view = {map->info, map->values};

	return view;
}

#endif /* MMRD_MAP_CODEC_H */
