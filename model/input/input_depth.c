/*
 * model/input/input_depth.c
 *	  The order of the steps, and their memory.
 *
 * One arena holds every intermediate map.  The points are kept as three planes
 * (x, y, z), relative to a reference point near all of them: differences of
 * neighbours are a ten thousandth of the distance from the camera, which
 * would cost the normals four of a float's seven digits.
 */
#include "model/input/input_depth.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "model/base/arena.h"
#include "model/base/threads.h"
#include "model/input/depth_scale.h"
#include "model/input/foreground.h"
#include "model/input/input_image.h"
#include "model/input/normals_from_points.h"

/* All maps of one call, (S, S) each, as slices of one arena. */
typedef struct maps
{
	int S;
	size_t n;       /* S * S */
	size_t n_frame; /* of them, pixels of the frame */
	mmrd_points points;
	mmrd_points filled; /* the other half of the passes of filling */
	uint8_t *mask;      /* foreground, then the part */
	uint8_t *scratch_mask;
	float *value;  /* two maps: value and scratch of the smoothing */
	double *frame; /* x, y, z of the frame's valid points */
	mmrd_arena arena;
} maps;

static mmrd_status
maps_init(int S, maps *m, mmrd_error *err)
{
	const size_t n = (size_t) S * S;
	const size_t rim = 2 * MMRD_INPUT_FRAME;
	const size_t inner = (size_t) S > rim ? (size_t) S - rim : 0;
	const size_t n_frame = n - inner * inner;
	size_t axis[6];
	size_t byte[4];
	size_t value;
	size_t frame;

	memset(m, 0, sizeof(*m));
	for (int k = 0; k < 6; k++)
		axis[k] = mmrd_arena_plan(&m->arena, n * sizeof(float));
	for (int k = 0; k < 4; k++)
		byte[k] = mmrd_arena_plan(&m->arena, n);
	value = mmrd_arena_plan(&m->arena, 2 * n * sizeof(float));
	frame = mmrd_arena_plan(&m->arena, 3 * n_frame * sizeof(double));
	MMRD_TRY(mmrd_arena_allocate(&m->arena, 0, err));

	m->S = S;
	m->n = n;
	m->n_frame = n_frame;
	m->points.height = m->points.width = S;
	m->filled.height = m->filled.width = S;
	for (int k = 0; k < 3; k++)
	{
		m->points.axis[k] = mmrd_arena_at(&m->arena, axis[k]);
		m->filled.axis[k] = mmrd_arena_at(&m->arena, axis[3 + k]);
	}
	m->points.valid = mmrd_arena_at(&m->arena, byte[0]);
	m->filled.valid = mmrd_arena_at(&m->arena, byte[1]);
	m->mask = mmrd_arena_at(&m->arena, byte[2]);
	m->scratch_mask = mmrd_arena_at(&m->arena, byte[3]);
	m->value = mmrd_arena_at(&m->arena, value);
	m->frame = mmrd_arena_at(&m->arena, frame);
	return MMRD_OK;
}

static mmrd_status
check_samples(const mmrd_raster *raster, const mmrd_input_spec *spec,
              mmrd_error *err)
{
	const bool wants_points = spec->kind != MMRD_INPUT_DEPTH;

	if (wants_points
	        ? raster->channels == 3 && raster->sample == MMRD_SAMPLE_F32
	        : raster->channels == 1)
		return MMRD_OK;
	mmrd_fail(err, MMRD_UNSUPPORTED, "this file cannot be taken as \"%s\"",
	          mmrd_input_kind_name(spec->kind));
	mmrd_detail(
	    err, "It needs %s; this one has %d channel(s) of %d-bit %s.",
	    wants_points ? "three channels of float, the points" : "one channel",
	    raster->channels, 8 * (int) mmrd_sample_bytes(raster->sample),
	    raster->sample == MMRD_SAMPLE_F32 ? "float" : "unsigned integers");
	return mmrd_hint(err, "This file would be \"%s\".",
	                 mmrd_input_kind_name(mmrd_input_kind_guess(raster)));
}

/* One channel at S x S: values where valid, else 0.  How many are valid. */
static int32_t
load_depth(const float *resized, maps *m)
{
	int32_t count = 0;

	for (size_t i = 0; i < m->n; i++)
	{
		m->points.valid[i] = isfinite(resized[i]) && resized[i] != 0;
		m->value[i] = m->points.valid[i] ? resized[i] : 0;
		count += m->points.valid[i];
	}
	return count;
}

/* Interleaved points at S x S: planes where valid, else 0; how many. */
static int32_t
load_points(const float *resized, maps *m)
{
	int32_t count = 0;

	for (size_t i = 0; i < m->n; i++)
	{
		const float *p = resized + 3 * i;

		m->points.valid[i] = isfinite(p[0]) && isfinite(p[1]) &&
		                     isfinite(p[2]) &&
		                     (p[0] != 0 || p[1] != 0 || p[2] != 0);
		for (int k = 0; k < 3; k++)
			m->points.axis[k][i] = m->points.valid[i] ? p[k] : 0;
		count += m->points.valid[i];
	}
	return count;
}

static bool
in_frame(int S, int x, int y)
{
	return x < MMRD_INPUT_FRAME || y < MMRD_INPUT_FRAME ||
	       x >= S - MMRD_INPUT_FRAME || y >= S - MMRD_INPUT_FRAME;
}

/* Fit the table to the valid points of the frame; false when there is none. */
static bool
find_table(const maps *m, mmrd_plane *plane)
{
	double *x = m->frame;
	double *y = x + m->n_frame;
	double *z = y + m->n_frame;
	int n = 0;

	for (size_t i = 0; i < m->n; i++)
		if (m->points.valid[i] &&
		    in_frame(m->S, (int) (i % m->S), (int) (i / m->S)))
		{
			x[n] = m->points.axis[0][i];
			y[n] = m->points.axis[1][i];
			z[n] = m->points.axis[2][i];
			n++;
		}
	return mmrd_plane_fit(n, x, y, z, plane);
}

static int32_t
count_of(size_t n, const uint8_t *mask)
{
	int32_t count = 0;

	for (size_t i = 0; i < n; i++)
		count += mask[i];
	return count;
}

/* The part: foreground, closed, in m->mask. */
static void
find_part(maps *m, mmrd_input_note *note)
{
	const mmrd_points *p = &m->points;

	if (note->plane_wanted)
		note->plane_found = find_table(m, &note->plane);
	mmrd_foreground_mark(m->n, p->axis[0], p->axis[1], p->axis[2], p->valid,
	                     note->plane_found ? &note->plane : NULL, m->mask);
	mmrd_foreground_close(m->S, m->S, m->mask, m->scratch_mask);
	note->n_part = count_of(m->n, m->mask);
}

/* m->value for the kinds made of points: z, or the height over the table. */
static void
values_of_points(maps *m, const mmrd_input_spec *spec,
                 const mmrd_input_note *note)
{
	const mmrd_points *p = &m->points;
	float nearest;
	float farthest;

	memcpy(m->value, p->axis[2], m->n * sizeof(float));
	if (spec->kind != MMRD_INPUT_HEIGHT)
		return;
	mmrd_depth_range(m->n, p->axis[2], p->valid, &nearest, &farthest);
	for (size_t i = 0; i < m->n; i++)
	{
		const double height =
		    note->plane_found
		        ? fabs(mmrd_plane_distance(&note->plane, p->axis[0][i],
		                                   p->axis[1][i], p->axis[2][i]))
		        : (double) farthest - p->axis[2][i];

		m->value[i] = p->valid[i] ? (float) fmin(height, FLT_MAX) : 0;
	}
}

/* Values to one channel of [0,1] in the first third of out, then filled. */
static void
scale_and_fill(maps *m, const mmrd_input_spec *spec, float *out,
               mmrd_input_note *note)
{
	float *scaled = m->value;
	float *filled = m->value + m->n;

	for (size_t i = 0; i < m->n; i++) /* the valid pixels of the part */
		m->scratch_mask[i] = m->mask[i] & m->points.valid[i];
	mmrd_depth_range(m->n, m->value, m->scratch_mask, &note->lo, &note->hi);
	mmrd_depth_scale(m->n, m->value, m->scratch_mask,
	                 spec->range_given ? spec->lo : note->lo,
	                 spec->range_given ? spec->hi : note->hi, scaled);
	for (int pass = 0; pass < MMRD_DEPTH_FILLS; pass++)
	{
		float *swap = scaled;

		mmrd_depth_fill(m->S, m->S, m->mask, scaled, filled);
		scaled = filled;
		filled = swap;
	}
	for (size_t i = 0; i < m->n; i++)
		for (int c = 0; c < 3; c++)
			out[3 * i + (size_t) c] = scaled[i];
}

/* Move the valid points so that their middle is near the origin. */
static void
centre_points(maps *m, int32_t n_valid)
{
	for (int k = 0; k < 3; k++)
	{
		float *axis = m->points.axis[k];
		double sum = 0;
		float middle;

		for (size_t i = 0; i < m->n; i++) /* 0 where not valid */
			sum += axis[i];
		middle = n_valid > 0 ? (float) (sum / n_valid) : 0;
		for (size_t i = 0; i < m->n; i++)
			axis[i] = m->points.valid[i] ? axis[i] - middle : 0;
	}
}

static void
make_normals(maps *m, const mmrd_input_note *note, float *out)
{
	mmrd_points *from = &m->points;
	mmrd_points *to = &m->filled;

	centre_points(m, note->n_valid);
	for (int radius = 1; radius <= MMRD_POINTS_FILLS; radius++)
	{
		mmrd_points *swap = from;

		mmrd_points_fill(radius, from, to);
		from = to;
		to = swap;
	}
	mmrd_points_smooth(from, m->value);
	mmrd_normals_from_points(from, m->mask, out);
}

mmrd_status
mmrd_input_depth(const mmrd_raster *raster, const mmrd_input_spec *spec,
                 const mmrd_roi *roi, int S, float *out, mmrd_input_note *note,
                 mmrd_error *err)
{
	mmrd_view view;
	maps m;

	MMRD_TRY(check_samples(raster, spec, err));
	MMRD_TRY(mmrd_view_of(raster, roi, &view, err));
	MMRD_TRY(maps_init(S, &m, err));

	mmrd_resize_nearest(&view, S, S, out); /* out is large enough for points */
	note->plane_wanted = spec->kind != MMRD_INPUT_DEPTH;
	note->n_valid =
	    note->plane_wanted ? load_points(out, &m) : load_depth(out, &m);
	find_part(&m, note);
	if (spec->kind == MMRD_INPUT_NORMALS_FROM_XYZ)
		make_normals(&m, note, out);
	else
	{
		if (note->plane_wanted)
			values_of_points(&m, spec, note);
		scale_and_fill(&m, spec, out, note);
	}
	for (size_t i = 0; i < m.n; i++)
		for (int c = 0; c < 3; c++)
			out[3 * i + (size_t) c] =
			    (out[3 * i + (size_t) c] - mmrd_input_mean[c]) /
			    mmrd_input_std[c];
	mmrd_arena_clear(&m.arena);
	return MMRD_OK;
}
