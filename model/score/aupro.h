/*
 * model/score/aupro.h
 *	  How well anomaly maps find the defective pixels: exact AUPRO, pixel
 *	  AUROC and pixel average precision, from one accumulation.
 *
 *	  mmrd_aupro a;
 *	  double aupro;
 *
 *	  mmrd_aupro_init(&a, limit_bytes);
 *	  for each scan
 *		  MMRD_TRY(mmrd_aupro_add(&a, map, mask, h, w, err));
 *	  MMRD_TRY(mmrd_aupro_sort(&a, &stop, err));
 *	  MMRD_TRY(mmrd_aupro_measure(&a, MMRD_AUPRO_FPR_LIMIT, &aupro, err));
 *	  mmrd_aupro_clear(&a);
 *
 * The definition is that of MVTec 3D-AD (Bergmann et al., VISAPP 2022).  With
 * t falling through all distinct values of all maps, a pixel is predicted
 * anomalous when its value >= t.  FPR(t) is the share of predicted pixels
 * among the normal ones of all maps.  A region is an 8-connected component
 * of one mask; its overlap is the share of its pixels that are predicted, and
 * PRO(t) is the mean overlap over the regions of all maps.  AUPRO is the
 * integral of PRO over FPR from 0 to the limit, by trapezoids from (0, 0) on,
 * PRO interpolated at the limit, divided by the limit.
 *
 * Memory: 4 bytes per normal pixel and 8 per anomalous one, so 108 maps of
 * 256 x 256 take 29 MB; besides, while a map is added, 8 bytes per pixel of
 * it.  Sorting is in place.  Results do not depend on the order of the maps,
 * to the last bit.  Not for use by two threads at once.
 */
#ifndef MMRD_AUPRO_H
#define MMRD_AUPRO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/base/status.h"
#include "model/base/threads.h"
#include "model/score/growing_array.h"

/* The limit that the literature uses unless it says otherwise. */
#define MMRD_AUPRO_FPR_LIMIT 0.3

typedef struct mmrd_aupro
{
	mmrd_growing normal;    /* uint32_t: the value's key (radix_sort.h) */
	mmrd_growing anomalous; /* uint64_t: key << 32 | pixels of the region */
	uint64_t n_regions;
	uint64_t n_maps;
	size_t limit_bytes; /* of both arrays together */
	bool sorted;
} mmrd_aupro;

/* An empty accumulator that owns nothing yet. */
void mmrd_aupro_init(mmrd_aupro *a, size_t limit_bytes);

/*
 * Add one scan.
 *
 * map		(h, w) row-major, finite or infinite, only read
 * mask		(h, w), not 0 where the scan is defective; NULL: nowhere
 *
 * Returns MMRD_INVALID_ARGUMENT for h or w below 1 or a NaN in the map,
 * MMRD_LIMIT_EXCEEDED for 2^31 pixels or when limit_bytes do not suffice,
 * MMRD_NO_MEMORY; then a is as it was.
 */
mmrd_status mmrd_aupro_add(mmrd_aupro *a, const float *map,
                           const uint8_t *mask, int32_t h, int32_t w,
                           mmrd_error *err);

/* Add all maps of other, which is only read.  On failure a is as it was. */
mmrd_status mmrd_aupro_merge(mmrd_aupro *a, const mmrd_aupro *other,
                             mmrd_error *err);

/*
 * Sort what was added; the functions below do it otherwise, without a hook.
 * Nothing to do when nothing was added since.  Returns MMRD_CANCELLED when
 * the hook (NULL: none) said so; a still holds the same maps then.
 */
mmrd_status mmrd_aupro_sort(mmrd_aupro *a, const mmrd_stop *stop,
                            mmrd_error *err);

/*
 * *aupro to fpr_limit, 0 to 1; NaN (SQL: NULL) when there is no region or no
 * normal pixel.  May be called again with another limit, and after more
 * maps.  Returns MMRD_INVALID_ARGUMENT unless 0 < fpr_limit <= 1.
 */
mmrd_status mmrd_aupro_measure(mmrd_aupro *a, double fpr_limit, double *aupro,
                               mmrd_error *err);

/*
 * AUROC and average precision over all pixels of all maps, as auroc.h defines
 * them; NaN when there is no anomalous or no normal pixel.
 */
void mmrd_aupro_pixels(mmrd_aupro *a, double *auroc,
                       double *average_precision);

/* Release the memory; leaves a all zero. */
void mmrd_aupro_clear(mmrd_aupro *a);

#endif /* MMRD_AUPRO_H */
