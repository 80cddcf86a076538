/*
 * pretrain/samples.c
 *	  Rendering a batch and choosing its places.
 *
 * Position (x, y) of a stage of stride T is centred on pixel (T x, T y): all
 * of a ResNet's strided layers are padded so.
 */
#include "pretrain/samples.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/base/random.h"
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
	int32_t *group[MMRD_STAGES];
	int32_t *order; /* scratch: positions of a map */
	float *sensed;  /* (size, size, 3), of the view being made */
	int16_t *layer; /* (size, size), of view a of the scene being made */
};

mmrd_status
mmrd_samples_create(uint64_t seed, int pairs, int size,
                    const int places[MMRD_STAGES], mmrd_samples **out,
                    mmrd_error *err)
{
	mmrd_samples *s = calloc(1, sizeof(*s));
	const size_t pixels = (size_t) size * (size_t) size;
	bool failed = false;

	*out = NULL;
	if (s == NULL)
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
		s->group[i] = malloc(n * sizeof(int32_t));
		failed = failed || s->a[i] == NULL || s->b[i] == NULL ||
		         s->group[i] == NULL;
	}
	s->order = malloc(pixels * sizeof(int32_t));
	s->sensed = malloc(3 * pixels * sizeof(float));
	s->layer = malloc(pixels * sizeof(int16_t));
	if (failed || s->order == NULL || s->sensed == NULL || s->layer == NULL)
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
		free(s->group[i]);
	}
	free(s->order);
	free(s->sensed);
	free(s->layer);
	free(s);
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
		s->group[stage][at] = pair * MMRD_FORMULA_LAYERS +
		                      s->layer[y * stride * s->size + x * stride];
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
			picture.layer = s->layer;
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

const int32_t *
mmrd_samples_group(const mmrd_samples *s, int stage)
{
	return s->group[stage];
}
