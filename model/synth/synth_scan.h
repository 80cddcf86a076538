/*
 * model/synth/synth_scan.h
 *	  Procedural scans of a product, for demonstrations and tests: a colour
 *	  image, registered normals or depth, and the mask of the defect.
 *
 *	  mmrd_synth scan;
 *
 *	  MMRD_TRY(mmrd_synth_scan(seed, index, anomalous, 256,
 *	                           MMRD_SYNTH_NORMALS, &scan, err));
 *	  use(&scan.rgb, &scan.aux, &scan.mask);
 *	  mmrd_synth_clear(&scan);
 *
 * All scans show the same product (synth_product.h), whatever the seed: seed
 * 0 may be trained on and seed 1 tested.  Normal scans differ in place (2.5
 * pixels of 256 each way), rotation (2 degrees each way), brightness and
 * tint of the light, its direction, the texture of the plastic, the place of
 * the label, and noise.
 */
#ifndef MMRD_SYNTH_SCAN_H
#define MMRD_SYNTH_SCAN_H

#include <stdbool.h>
#include <stdint.h>

#include "model/base/raster.h"
#include "model/base/status.h"
#include "model/synth/synth_flaw.h"

enum
{
	MMRD_SYNTH_MIN_SIZE = 32, /* pixels, each side */
	MMRD_SYNTH_DEFAULT_SIZE = 256,
	MMRD_SYNTH_MAX_SIZE = 1024
};

typedef enum mmrd_synth_aux
{
	/* Unit normals, three 8-bit channels, n = v / 127.5 - 1; x to the right,
	 * y down, z towards the camera. */
	MMRD_SYNTH_NORMALS,
	/* Distance from the camera, one 16-bit channel.  The table is at 40000;
	 * a height of one pixel of a 256 scan is 200. */
	MMRD_SYNTH_DEPTH
} mmrd_synth_aux;

typedef struct mmrd_synth
{
	mmrd_raster rgb;  /* 8 bits, 3 channels */
	mmrd_raster aux;  /* see mmrd_synth_aux */
	mmrd_raster mask; /* 8 bits, 1 channel: 255 in the defect, else 0 */
	mmrd_flaw flaw;   /* kind MMRD_FLAW_NONE when normal */
} mmrd_synth;

/*
 * Make one scan.
 *
 * seed, index	which one; the same two give the same product in the same
 *				pose, whether anomalous or not
 * anomalous	with one random defect: seen in the colour image alone, in the
 *				geometry alone (then the shading hardly changes), or in both
 * size			pixels, each side
 * scan			out: the caller releases it with mmrd_synth_clear()
 *
 * The same arguments give the same scan; on another machine a value may
 * differ by 1 where the mathematical library rounds differently.
 *
 * Returns MMRD_INVALID_ARGUMENT for a size out of range, MMRD_NO_MEMORY; then
 * scan is all zero.  Takes about a tenth of a second at 256, 150 bytes per
 * pixel meanwhile.  Any number of calls may run at once.
 */
mmrd_status mmrd_synth_scan(uint64_t seed, int32_t index, bool anomalous,
                            int32_t size, mmrd_synth_aux aux, mmrd_synth *scan,
                            mmrd_error *err);

/*
 * Which of a series are anomalous, spread evenly: of the first n, the whole
 * number below or at n * share.  share is 0 to 1, index at least 0.
 */
bool mmrd_synth_is_anomalous(int32_t index, double share);

/* Release the three rasters; leaves the scan all zero.  Accepts all zero. */
void mmrd_synth_clear(mmrd_synth *scan);

#endif /* MMRD_SYNTH_SCAN_H */
