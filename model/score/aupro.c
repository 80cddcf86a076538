/*
 * model/score/aupro.c
 *	  All thresholds at once: sort every pixel, walk down, add up.
 *
 * A pixel enters the curve in one of two ways.  A normal one raises FPR by
 * 1 / (number of normal pixels), whatever map it is from: its value is all we
 * keep.  An anomalous one raises PRO by 1 / (pixels of its region) / (number
 * of regions): its value and the size of its region are all we keep, not
 * which region it was.  Value and size in one 64-bit number sort as a pair,
 * so the sum of 1 / size is always taken in the same order.
 */
#include "model/score/aupro.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/score/radix_sort.h"
#include "model/score/ranking.h"
#include "model/score/regions.h"

enum
{
	NORMAL_BYTES = 4,
	ANOMALOUS_BYTES = 8
};

void
mmrd_aupro_init(mmrd_aupro *a, size_t limit_bytes)
{
	memset(a, 0, sizeof(*a));
	a->limit_bytes = limit_bytes;
}

static mmrd_status
reserve(mmrd_aupro *a, size_t n_normal, size_t n_anomalous, mmrd_error *err)
{
	MMRD_TRY(mmrd_growing_reserve(
	    &a->normal, NORMAL_BYTES, n_normal,
	    a->limit_bytes - a->anomalous.room * ANOMALOUS_BYTES, err));
	return mmrd_growing_reserve(&a->anomalous, ANOMALOUS_BYTES, n_anomalous,
	                            a->limit_bytes - a->normal.room * NORMAL_BYTES,
	                            err);
}

static mmrd_status
check_map(const float *map, int32_t h, int32_t w, mmrd_error *err)
{
	if (h < 1 || w < 1)
	{
		mmrd_fail(err, MMRD_INVALID_ARGUMENT, "map has impossible dimensions");
		return mmrd_detail(err, "Width %d, height %d.", w, h);
	}
	if ((int64_t) h * w > INT32_MAX)
	{
		mmrd_fail(err, MMRD_LIMIT_EXCEEDED, "map is too large");
		return mmrd_detail(err, "It has %d x %d values, %d are allowed.", w, h,
		                   INT32_MAX);
	}
	for (int32_t p = 0; p < h * w; p++)
		if (isnan(map[p]))
		{
			mmrd_fail(err, MMRD_INVALID_ARGUMENT,
			          "map holds a value that is not a number");
			return mmrd_detail(err, "It is at column %d, row %d.", p % w,
			                   p / w);
		}
	return MMRD_OK;
}

/*
 * Region number of every pixel and, in sizes[number - 1], the regions'
 * pixels.  There are at most n_anomalous regions.
 */
static mmrd_status
label_regions(const uint8_t *mask, int32_t h, int32_t w, size_t n_anomalous,
              int32_t **labels, uint32_t **sizes, int32_t *n_regions,
              mmrd_error *err)
{
	const size_t n_pixels = (size_t) h * (size_t) w;

	*labels = malloc(n_pixels * sizeof(**labels));
	*sizes = calloc(n_anomalous, sizeof(**sizes));
	if (*labels == NULL || *sizes == NULL)
		return mmrd_fail_memory(err, 8.0 * (double) n_pixels);
	*n_regions = mmrd_mask_label(mask, h, w, *labels);
	for (size_t p = 0; p < n_pixels; p++)
		if ((*labels)[p] != 0)
			(*sizes)[(*labels)[p] - 1]++;
	return MMRD_OK;
}

mmrd_status
mmrd_aupro_add(mmrd_aupro *a, const float *map, const uint8_t *mask, int32_t h,
               int32_t w, mmrd_error *err)
{
	mmrd_status st = MMRD_OK;
	int32_t *labels = NULL;
	uint32_t *sizes = NULL;
	int32_t n_regions = 0;
	size_t n_anomalous = 0;
	size_t n_pixels;
	uint32_t *normal;
	uint64_t *anomalous;

	MMRD_TRY(check_map(map, h, w, err));
	n_pixels = (size_t) h * (size_t) w;
	for (size_t p = 0; mask != NULL && p < n_pixels; p++)
		n_anomalous += mask[p] != 0;
	if (n_anomalous > 0)
		st = label_regions(mask, h, w, n_anomalous, &labels, &sizes,
		                   &n_regions, err);
	if (st != MMRD_OK)
		goto done;
	st = reserve(a, n_pixels - n_anomalous, n_anomalous, err);
	if (st != MMRD_OK)
		goto done;

	normal = (uint32_t *) a->normal.items + a->normal.n;
	anomalous = (uint64_t *) a->anomalous.items + a->anomalous.n;
	for (size_t p = 0; p < n_pixels; p++)
	{
		const uint32_t key = mmrd_key_of_float(map[p]);

		if (labels == NULL || labels[p] == 0)
			*normal++ = key;
		else
			*anomalous++ = (uint64_t) key << 32 | sizes[labels[p] - 1];
	}
	a->normal.n += n_pixels - n_anomalous;
	a->anomalous.n += n_anomalous;
	a->n_regions += (uint64_t) n_regions;
	a->n_maps++;
	a->sorted = false;

done:
	free(labels);
	free(sizes);
	return st;
}

mmrd_status
mmrd_aupro_merge(mmrd_aupro *a, const mmrd_aupro *other, mmrd_error *err)
{
	const size_t n_normal = other->normal.n;
	const size_t n_anomalous = other->anomalous.n;

	MMRD_TRY(reserve(a, n_normal, n_anomalous, err));
	if (n_normal > 0)
		memcpy((uint32_t *) a->normal.items + a->normal.n, other->normal.items,
		       n_normal * NORMAL_BYTES);
	if (n_anomalous > 0)
		memcpy((uint64_t *) a->anomalous.items + a->anomalous.n,
		       other->anomalous.items, n_anomalous * ANOMALOUS_BYTES);
	a->normal.n += n_normal;
	a->anomalous.n += n_anomalous;
	a->n_regions += other->n_regions;
	a->n_maps += other->n_maps;
	a->sorted = false;
	return MMRD_OK;
}

mmrd_status
mmrd_aupro_sort(mmrd_aupro *a, const mmrd_stop *stop, mmrd_error *err)
{
	if (a->sorted)
		return MMRD_OK;
	MMRD_TRY(mmrd_sort_u32(a->normal.items, a->normal.n, stop, err));
	MMRD_TRY(mmrd_sort_u64(a->anomalous.items, a->anomalous.n, stop, err));
	a->sorted = true;
	return MMRD_OK;
}

static void
sort_for_sure(mmrd_aupro *a)
{
	mmrd_error never;

	(void) mmrd_aupro_sort(a, NULL, &never); /* fails by the hook alone */
}

/* The walk from the largest value down, one distinct value at a time. */
typedef struct walk
{
	const uint32_t *normal;
	const uint64_t *anomalous;
	size_t i; /* normal pixels still below */
	size_t j; /* anomalous pixels still below */
} walk;

typedef struct group
{
	size_t n_normal;
	size_t n_anomalous;
	double overlap; /* sum of 1 / (pixels of the region) */
} group;

static walk
walk_of(const mmrd_aupro *a)
{
	const walk w = {a->normal.items, a->anomalous.items, a->normal.n,
	                a->anomalous.n};

	return w;
}

static bool
walk_next(walk *w, group *g)
{
	const size_t i_above = w->i;
	const size_t j_above = w->j;
	uint32_t key = 0;

	if (w->i == 0 && w->j == 0)
		return false;
	if (w->i > 0)
		key = w->normal[w->i - 1];
	if (w->j > 0 && (uint32_t) (w->anomalous[w->j - 1] >> 32) > key)
		key = (uint32_t) (w->anomalous[w->j - 1] >> 32);
	g->overlap = 0;
	while (w->i > 0 && w->normal[w->i - 1] == key)
		w->i--;
	while (w->j > 0 && (uint32_t) (w->anomalous[w->j - 1] >> 32) == key)
		g->overlap += 1.0 / (double) (uint32_t) w->anomalous[--w->j];
	g->n_normal = i_above - w->i;
	g->n_anomalous = j_above - w->j;
	return true;
}

mmrd_status
mmrd_aupro_measure(mmrd_aupro *a, double fpr_limit, double *aupro,
                   mmrd_error *err)
{
	const double n_normal = (double) a->normal.n;
	const double n_regions = (double) a->n_regions;
	size_t n_false = 0;
	double overlap = 0;
	double fpr = 0;
	double pro = 0;
	double area = 0;
	walk w;
	group g;

	*aupro = NAN;
	if (!(fpr_limit > 0 && fpr_limit <= 1))
	{
		mmrd_fail(err, MMRD_INVALID_ARGUMENT,
		          "limit of the false positive rate is out of range");
		return mmrd_detail(err, "It is %g; it must be above 0, and 1 at most.",
		                   fpr_limit);
	}
	if (a->normal.n == 0 || a->n_regions == 0)
		return MMRD_OK;
	sort_for_sure(a);
	w = walk_of(a);
	while (fpr < fpr_limit && walk_next(&w, &g))
	{
		double next_fpr;
		double next_pro;

		n_false += g.n_normal;
		overlap += g.overlap;
		next_fpr = (double) n_false / n_normal;
		next_pro = fmin(overlap / n_regions, 1.0); /* rounding, at the end */
		if (next_fpr > fpr_limit)
		{
			next_pro =
			    pro + (next_pro - pro) * (fpr_limit - fpr) / (next_fpr - fpr);
			next_fpr = fpr_limit;
		}
		area += 0.5 * (pro + next_pro) * (next_fpr - fpr);
		fpr = next_fpr;
		pro = next_pro;
	}
	*aupro = area / fpr_limit;
	return MMRD_OK;
}

void
mmrd_aupro_pixels(mmrd_aupro *a, double *auroc, double *average_precision)
{
	mmrd_ranking r = {.n_positive = a->anomalous.n, .n_negative = a->normal.n};
	walk w;
	group g;

	*auroc = NAN;
	*average_precision = NAN;
	if (a->normal.n == 0 || a->anomalous.n == 0)
		return;
	sort_for_sure(a);
	w = walk_of(a);
	while (walk_next(&w, &g))
		(void) mmrd_ranking_step(&r, g.n_anomalous, g.n_normal);
	*auroc = mmrd_ranking_auroc(&r);
	*average_precision = r.average_precision;
}

void
mmrd_aupro_clear(mmrd_aupro *a)
{
	mmrd_growing_clear(&a->normal);
	mmrd_growing_clear(&a->anomalous);
	memset(a, 0, sizeof(*a));
}
