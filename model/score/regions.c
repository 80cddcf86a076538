/*
 * model/score/regions.c
 *	  Labelling by union-find inside the array of labels itself.
 *
 * First pass: labels[p] - 1 is a pixel at or before p in the same region, its
 * parent; a pixel that is its own parent is a root.  Unions always hang the
 * later root under the earlier one, so the root is the region's first pixel.
 * Second pass, in the same order: a root takes the next number; any other
 * pixel takes what now stands at its parent, which comes before it and so
 * already holds its final number.  No table of equivalences is needed.
 */
#include "model/score/regions.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int32_t
find_root(int32_t *labels, int32_t p)
{
	while (labels[p] - 1 != p)
	{
		labels[p] = labels[labels[p] - 1]; /* halve the path */
		p = labels[p] - 1;
	}
	return p;
}

/* Join the regions of p and q; p's pixel is known to be in one. */
static void
join(int32_t *labels, int32_t p, int32_t q)
{
	const int32_t a = find_root(labels, p);
	const int32_t b = find_root(labels, q);

	if (a < b)
		labels[b] = a + 1;
	else
		labels[a] = b + 1;
}

int32_t
mmrd_mask_label(const uint8_t *mask, int32_t h, int32_t w, int32_t *labels)
{
	const int32_t n_pixels = h * w;
	int32_t n = 0;

	for (int32_t y = 0; y < h; y++)
		for (int32_t x = 0; x < w; x++)
		{
			const int32_t p = y * w + x;

			labels[p] = mask[p] ? p + 1 : 0;
			if (!mask[p])
				continue;

			/* The four neighbours that come before p.  The upper one touches
			 * the three others: when it is in, they are joined already. */
			if (y > 0 && mask[p - w])
			{
				join(labels, p, p - w);
				continue;
			}
			if (x > 0 && mask[p - 1])
				join(labels, p, p - 1);
			else if (y > 0 && x > 0 && mask[p - w - 1])
				join(labels, p, p - w - 1);
			if (y > 0 && x + 1 < w && mask[p - w + 1])
				join(labels, p, p - w + 1);
		}
	for (int32_t p = 0; p < n_pixels; p++)
		if (labels[p] == p + 1)
			labels[p] = ++n;
		else if (labels[p] != 0)
			labels[p] = labels[labels[p] - 1];
	return n;
}

/* A region while it is being measured, in pixels of the map. */
typedef struct measured
{
	int32_t label;
	int32_t left;
	int32_t right; /* the last column, not one beyond */
	int32_t top;
	int32_t bottom;
	int32_t n_pixels;
	int32_t peak_at; /* index of the pixel */
	float peak;
} measured;

static void
measure(const float *values, const int32_t *labels, int32_t h, int32_t w,
        measured *regions)
{
	for (int32_t y = 0; y < h; y++)
		for (int32_t x = 0; x < w; x++)
		{
			const int32_t p = y * w + x;
			measured *r;

			if (labels[p] == 0)
				continue;
			r = &regions[labels[p] - 1];
			if (r->n_pixels == 0)
			{
				r->label = labels[p];
				r->left = x;
				r->right = x;
				r->top = y;
				r->peak = values[p];
				r->peak_at = p;
			}
			r->n_pixels++;
			r->left = x < r->left ? x : r->left;
			r->right = x > r->right ? x : r->right;
			r->bottom = y;
			if (values[p] > r->peak)
			{
				r->peak = values[p];
				r->peak_at = p;
			}
		}
}

static int
higher_peak_first(const void *a, const void *b)
{
	const measured *r = a;
	const measured *s = b;

	if (r->peak != s->peak)
		return r->peak > s->peak ? -1 : 1;
	return r->label < s->label ? -1 : r->label > s->label;
}

/*
 * Map pixels from .. to (inclusive) of n cover this stretch of a side of
 * source pixels; any source pixel that is touched counts.
 */
static void
scale_span(int32_t from, int32_t to, int32_t n, int32_t side, int32_t *start,
           int32_t *length)
{
	const int64_t first = (int64_t) from * side / n;
	const int64_t end = (((int64_t) to + 1) * side + n - 1) / n;

	*start = (int32_t) first;
	*length = (int32_t) (end - first);
}

static mmrd_region
in_source(const mmrd_map_info *info, const measured *m)
{
	mmrd_region r;
	const int64_t px = m->peak_at % info->width;
	const int64_t py = m->peak_at / info->width;
	const double scale = (double) info->roi_width / info->width *
	                     ((double) info->roi_height / info->height);

	scale_span(m->left, m->right, info->width, info->roi_width, &r.x,
	           &r.width);
	scale_span(m->top, m->bottom, info->height, info->roi_height, &r.y,
	           &r.height);
	r.x += info->roi_x;
	r.y += info->roi_y;
	r.area = llround(m->n_pixels * scale);
	if (r.area < 1)
		r.area = 1;
	r.peak = m->peak;
	r.peak_x = info->roi_x +
	           (int32_t) ((2 * px + 1) * info->roi_width / (2 * info->width));
	r.peak_y = info->roi_y + (int32_t) ((2 * py + 1) * info->roi_height /
	                                    (2 * (int64_t) info->height));
	return r;
}

static mmrd_status
check_map(const mmrd_map_info *info, float threshold, mmrd_error *err)
{
	if (!mmrd_map_info_fits(info))
	{
		mmrd_fail(err, MMRD_INVALID_ARGUMENT, "map has impossible dimensions");
		return mmrd_detail(err,
		                   "%d x %d values for %d x %d pixels at (%d, %d) of "
		                   "an image of %d x %d.",
		                   info->width, info->height, info->roi_width,
		                   info->roi_height, info->roi_x, info->roi_y,
		                   info->source_width, info->source_height);
	}
	if ((int64_t) info->height * info->width > INT32_MAX)
	{
		mmrd_fail(err, MMRD_LIMIT_EXCEEDED, "map is too large");
		return mmrd_detail(err, "It has %d x %d values, %d are allowed.",
		                   info->width, info->height, INT32_MAX);
	}
	if (isnan(threshold))
		return mmrd_fail(err, MMRD_INVALID_ARGUMENT,
		                 "threshold is not a number");
	return MMRD_OK;
}

mmrd_status
mmrd_regions_find(const mmrd_map_view *map, float threshold, mmrd_regions *out,
                  mmrd_error *err)
{
	const mmrd_map_info *info = &map->info;
	mmrd_status st = MMRD_OK;
	uint8_t *mask = NULL;
	int32_t *labels = NULL;
	measured *found = NULL;
	size_t n_pixels;
	int32_t n;

	memset(out, 0, sizeof(*out));
	MMRD_TRY(check_map(info, threshold, err));
	n_pixels = (size_t) info->height * (size_t) info->width;
	mask = malloc(n_pixels);
	labels = malloc(n_pixels * sizeof(*labels));
	if (mask == NULL || labels == NULL)
	{
		st = mmrd_fail_memory(err, 5.0 * (double) n_pixels);
		goto done;
	}
	for (size_t p = 0; p < n_pixels; p++)
		mask[p] = map->values[p] > threshold;
	n = mmrd_mask_label(mask, info->height, info->width, labels);
	if (n == 0)
		goto done;
	found = calloc((size_t) n, sizeof(*found));
	out->items = malloc((size_t) n * sizeof(*out->items));
	if (found == NULL || out->items == NULL)
	{
		mmrd_regions_clear(out);
		st = mmrd_fail_memory(err, (double) n * (double) sizeof(*found));
		goto done;
	}
	measure(map->values, labels, info->height, info->width, found);
	qsort(found, (size_t) n, sizeof(*found), higher_peak_first);
	for (int32_t i = 0; i < n; i++)
		out->items[i] = in_source(info, &found[i]);
	out->n = n;

done:
	free(mask);
	free(labels);
	free(found);
	return st;
}

void
mmrd_regions_clear(mmrd_regions *regions)
{
	free(regions->items);
	memset(regions, 0, sizeof(*regions));
}
