/*
 * pretrain/samples.c
 *	  Rendering a batch and describing its places.
 *
 * Position (x, y) of a stage of stride T is centred on pixel (T x, T y): all
 * of a ResNet's strided layers are padded so.
 */
#include "pretrain/samples.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/base/random.h"
#include "model/synth/formula_material.h"
#include "model/synth/formula_scene.h"

/* ImageNet's statistics are part of the network's definition (network.md 1).
 */
static const float input_mean[3] = {0.485f, 0.456f, 0.406f};
static const float input_std[3] = {0.229f, 0.224f, 0.225f};

/* Shares of batches: the rest is lit colour. */
#define SHARE_NORMALS 0.25
#define SHARE_DEPTH 0.1

struct mmrd_samples
{
	uint64_t seed;
	int pairs;
	int size;
	int max_places[MMRD_STAGES]; /* of a scene */
	int count[MMRD_STAGES];
	mmrd_place *a[MMRD_STAGES];
	mmrd_place *b[MMRD_STAGES];
	float *description[MMRD_STAGES];
	int32_t *order; /* scratch: positions of a map */
	float *sensed;  /* (size, size, 3), of the view being made */
	float *normal;  /* of view a of the scene being made */
	float *albedo;
	int16_t *code;
};

mmrd_status
mmrd_samples_create(uint64_t seed, int pairs, int size,
                    const int places[MMRD_STAGES], mmrd_samples **out,
                    mmrd_error *err)
{
	mmrd_samples *s = calloc(1, sizeof(*s));
	const size_t pixels = (size_t) size * (size_t) size;
	bool failed = s == NULL;

	*out = NULL;
	if (failed)
		return mmrd_fail_memory(err, sizeof(*s));
	s->seed = seed;
	s->pairs = pairs;
	s->size = size;
	for (int i = 0; i < MMRD_STAGES; i++)
	{
		const size_t n = (size_t) pairs * (size_t) places[i];

		s->max_places[i] = places[i];
		s->a[i] = malloc(n * sizeof(mmrd_place));
		s->b[i] = malloc(n * sizeof(mmrd_place));
		s->description[i] = malloc(n * MMRD_DESCRIPTION * sizeof(float));
		failed = failed || s->a[i] == NULL || s->b[i] == NULL ||
		         s->description[i] == NULL;
	}
	s->order = malloc(pixels * sizeof(int32_t));
	s->sensed = malloc(3 * pixels * sizeof(float));
	s->normal = malloc(3 * pixels * sizeof(float));
	s->albedo = malloc(3 * pixels * sizeof(float));
	s->code = malloc(pixels * sizeof(int16_t));
	if (failed || s->order == NULL || s->sensed == NULL || s->normal == NULL ||
	    s->albedo == NULL || s->code == NULL)
	{
		mmrd_samples_free(s);
		return mmrd_fail_memory(err, 12.0 * (double) pixels);
	}
	*out = s;
	return MMRD_OK;
}

void
mmrd_samples_free(mmrd_samples *s)
{
	if (s == NULL)
		return;
	for (int i = 0; i < MMRD_STAGES; i++)
	{
		free(s->a[i]);
		free(s->b[i]);
		free(s->description[i]);
	}
	free(s->order);
	free(s->sensed);
	free(s->normal);
	free(s->albedo);
	free(s->code);
	free(s);
}

/* Means of one quarter of a position's square, of channels of a picture. */
static void
quarter_mean(const mmrd_samples *s, const float *picture, int x0, int y0,
             int side, float out[3])
{
	const int last = s->size - 1;
	float sum[3] = {0, 0, 0};

	for (int y = y0; y < y0 + side; y++)
		for (int x = x0; x < x0 + side; x++)
		{
			const int cy = y < 0 ? 0 : y > last ? last : y;
			const int cx = x < 0 ? 0 : x > last ? last : x;

			for (int c = 0; c < 3; c++)
				sum[c] += picture[3 * (cy * s->size + cx) + c];
		}
	for (int c = 0; c < 3; c++)
		out[c] = sum[c] / (float) (side * side);
}

/* What is known of view a's surface around a position. */
static void
describe_place(const mmrd_samples *s, const mmrd_formula_view *view,
               int stride, int x, int y, float *out)
{
	const int half = stride / 2;
	mmrd_random none = mmrd_random_create(0, "describe");
	const int px = x * stride;
	const int py = y * stride;
	const mmrd_material m =
	    mmrd_material_draw(s->code[py * s->size + px], &none);

	for (int q = 0; q < 4; q++)
	{
		const int x0 = px - half + (q & 1) * half;
		const int y0 = py - half + (q >> 1) * half;

		quarter_mean(s, s->normal, x0, y0, half, out + 3 * q);
		quarter_mean(s, s->albedo, x0, y0, half, out + 12 + 3 * q);
		for (int c = 0; view->sensor != MMRD_FORMULA_SHADED && c < 3; c++)
			out[12 + 3 * q + c] = NAN;
	}
	out += 24;
	for (int k = 0; k < MMRD_N_PATTERNS; k++)
		out[k] = k == (int) m.pattern;
	out += MMRD_N_PATTERNS;
	for (int k = 0; k < 5; k++)
		out[k] = NAN;
	if (m.pattern == MMRD_PATTERN_PLAIN)
		return;
	out[0] = logf(m.wavelength * view->scale / 8);
	out[1] = m.relief * 4;
	out[2] = m.sharpness;
	if (m.pattern == MMRD_PATTERN_GRAIN || m.pattern == MMRD_PATTERN_CELLS ||
	    m.pattern == MMRD_PATTERN_VEINS)
		return;
	if (m.pattern != MMRD_PATTERN_CHECKER && m.pattern != MMRD_PATTERN_DOTS)
	{
		/* Twice the angle: a direction has no sign.  Turned as the view. */
		const float c = m.cosine * view->cosine + m.sine * view->sine;
		const float d = m.sine * view->cosine - m.cosine * view->sine;

		out[3] = c * c - d * d;
		out[4] = 2 * c * d;
	}
}

/* Choose this scene's places of one stage, those that both views show. */
static void
choose_places(mmrd_samples *s, int pair, int stage, mmrd_random *r,
              const mmrd_formula_view views[2])
{
	const int stride = 4 << stage;
	const int side = s->size / stride;
	int left = s->max_places[stage];

	mmrd_random_permutation(r, side * side, s->order);
	for (int k = 0; k < side * side && left > 0; k++)
	{
		const int x = s->order[k] % side;
		const int y = s->order[k] / side;
		const int at = s->count[stage];
		const float last = (float) (side - 1);
		float bx;
		float by;

		mmrd_formula_view_map(&views[0], &views[1], s->size,
		                      (float) (x * stride), (float) (y * stride), &bx,
		                      &by);
		bx /= (float) stride;
		by /= (float) stride;
		if (!(bx >= 0 && by >= 0 && bx <= last && by <= last))
			continue;
		s->a[stage][at] = (mmrd_place){2 * pair, (float) x, (float) y};
		s->b[stage][at] = (mmrd_place){2 * pair + 1, bx, by};
		describe_place(s, &views[0], stride, x, y,
		               s->description[stage] + at * MMRD_DESCRIPTION);
		s->count[stage]++;
		left--;
	}
}

static mmrd_status
make_pair(mmrd_samples *s, int64_t scene_number, int pair,
          mmrd_formula_sensor sensor, float *input, mmrd_error *err)
{
	const size_t n = (size_t) s->size * (size_t) s->size * 3;
	mmrd_random r = mmrd_random_create(
	    mmrd_mix64(s->seed) ^ (uint64_t) scene_number, "formula views");
	mmrd_formula_view views[2];
	mmrd_formula_scene *scene;
	mmrd_status st;

	MMRD_TRY(mmrd_formula_scene_create(s->seed, scene_number, &scene, err));
	for (int k = 0; k < 2; k++)
	{
		float *to = input + (size_t) (2 * pair + k) * n;
		mmrd_formula_picture picture = {.sensed = s->sensed};

		if (k == 0)
		{
			picture.normal = s->normal;
			picture.albedo = s->albedo;
			picture.code = s->code;
		}
		views[k] = mmrd_formula_view_draw(&r, sensor);
		st = mmrd_formula_render(scene, &views[k], s->size, &picture, err);
		if (st != MMRD_OK)
			break;
		for (size_t i = 0; i < n; i++)
			to[i] = (s->sensed[i] - input_mean[i % 3]) / input_std[i % 3];
	}
	mmrd_formula_scene_free(scene);
	if (st == MMRD_OK)
		for (int stage = 0; stage < MMRD_STAGES; stage++)
			choose_places(s, pair, stage, &r, views);
	return st;
}

mmrd_status
mmrd_samples_make(mmrd_samples *s, int64_t step, float *input, mmrd_error *err)
{
	mmrd_random r =
	    mmrd_random_create(mmrd_mix64(s->seed) ^ (uint64_t) step, "sensor");
	const double u = mmrd_random_uniform(&r);
	const mmrd_formula_sensor sensor = u < SHARE_NORMALS ? MMRD_FORMULA_NORMALS
	                                   : u < SHARE_NORMALS + SHARE_DEPTH
	                                       ? MMRD_FORMULA_DEPTH
	                                       : MMRD_FORMULA_SHADED;

	memset(s->count, 0, sizeof(s->count));
	for (int pair = 0; pair < s->pairs; pair++)
		MMRD_TRY(
		    make_pair(s, step * s->pairs + pair, pair, sensor, input, err));
	return MMRD_OK;
}

int
mmrd_samples_count(const mmrd_samples *s, int stage)
{
	return s->count[stage];
}

void
mmrd_samples_places(const mmrd_samples *s, int stage, int i, mmrd_place *a,
                    mmrd_place *b)
{
	*a = s->a[stage][i];
	*b = s->b[stage][i];
}

const float *
mmrd_samples_description(const mmrd_samples *s, int stage)
{
	return s->description[stage];
}
