/*
 * model/synth/formula_scene.c
 *	  Composing scenes, and the camera that looks at them.
 *
 * A view samples the scene at one point per pixel, with edges softened over a
 * pixel, on a grid one pixel larger each way, so that normals (central
 * differences of the height) exist everywhere.  Light is matt (Lambert) plus
 * a highlight (Blinn and Phong); there are no cast shadows.
 */
#include "model/synth/formula_scene.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "model/synth/formula_shape.h"
#include "model/synth/synth_noise.h"

enum
{
	MAX_BLUR = 5, /* taps on each side */
	MIN_SIZE = 8,
	MAX_SIZE = 1024
};

/* Shapes lie within so many units of the middle. */
#define REACH 56.0f
#define TAU 6.28318531f

struct mmrd_formula_scene
{
	int n_shapes;
	float slope[2]; /* of the ground */
	mmrd_shape shapes[MMRD_FORMULA_LAYERS];
	mmrd_fractal fractals[2];
};

static float
between(mmrd_random *r, float lo, float hi)
{
	return mmrd_mix(lo, hi, (float) mmrd_random_uniform(r));
}

mmrd_status
mmrd_formula_scene_create(uint64_t seed, int64_t index,
                          mmrd_formula_scene **out, mmrd_error *err)
{
	mmrd_random r = mmrd_random_create(mmrd_mix64(seed) ^ (uint64_t) index,
	                                   "formula scene");
	mmrd_formula_scene *scene = calloc(1, sizeof(*scene));
	int n_fractals = 0;

	*out = NULL;
	if (scene == NULL)
		return mmrd_fail_memory(err, sizeof(*scene));
	scene->n_shapes = 3 + (int) mmrd_random_below(&r, MMRD_FORMULA_LAYERS - 2);
	for (int i = 0; i < scene->n_shapes; i++)
	{
		mmrd_shape_kind kind =
		    i == 0
		        ? MMRD_SHAPE_GROUND
		        : (mmrd_shape_kind) (1 +
		                             mmrd_random_below(&r, MMRD_N_SHAPES - 1));

		if (kind == MMRD_SHAPE_FRACTAL && n_fractals == 2)
			kind = MMRD_SHAPE_CONTOUR;
		scene->shapes[i] = mmrd_shape_draw(kind, REACH, &r);
		scene->shapes[i].material = mmrd_material_draw(
		    (int) mmrd_random_below(&r, MMRD_MATERIALS), &r);
		if (kind == MMRD_SHAPE_FRACTAL)
		{
			scene->shapes[i].fractal = &scene->fractals[n_fractals++];
			mmrd_fractal_draw(&r, scene->shapes[i].fractal);
		}
	}
	if (mmrd_random_uniform(&r) < 0.3)
		for (int k = 0; k < 2; k++)
			scene->slope[k] = between(&r, -0.4f, 0.4f);
	*out = scene;
	return MMRD_OK;
}

void
mmrd_formula_scene_free(mmrd_formula_scene *scene)
{
	free(scene);
}

mmrd_formula_view
mmrd_formula_view_draw(mmrd_random *r, mmrd_formula_sensor sensor)
{
	const float turn = between(r, -0.3f, 0.3f);
	const float about = between(r, 0, TAU);
	const float up = between(r, 0.35f, 1.35f);
	mmrd_formula_view v = {.sensor = sensor};

	v.scale = powf(2, between(r, -0.4f, 0.4f));
	v.cosine = cosf(turn);
	v.sine = sinf(turn);
	v.shift_x = between(r, -14, 14);
	v.shift_y = between(r, -14, 14);
	v.lamp[0] = cosf(about) * cosf(up);
	v.lamp[1] = sinf(about) * cosf(up);
	v.lamp[2] = sinf(up);
	v.direct = between(r, 0.4f, 1.1f);
	v.ambient = between(r, 0.1f, 0.6f);
	for (int k = 0; k < 3; k++)
		v.tint[k] = between(r, 0.88f, 1.12f);
	v.gamma = between(r, 0.42f, 0.6f);
	v.blur = mmrd_random_uniform(r) < 0.5 ? 0 : between(r, 0.3f, 1.3f);
	v.noise = mmrd_random_uniform(r) < 0.3 ? 0 : between(r, 0.002f, 0.03f);
	v.noise_seed = mmrd_random_bits(r);
	return v;
}

/* A pixel's place in the scene. */
static void
to_scene(const mmrd_formula_view *v, int size, float x, float y, float *u,
         float *w)
{
	const float dx = (x - 0.5f * (float) (size - 1)) / v->scale;
	const float dy = (y - 0.5f * (float) (size - 1)) / v->scale;

	*u = dx * v->cosine - dy * v->sine + v->shift_x;
	*w = dx * v->sine + dy * v->cosine + v->shift_y;
}

void
mmrd_formula_view_map(const mmrd_formula_view *from,
                      const mmrd_formula_view *to, int size, float x, float y,
                      float *to_x, float *to_y)
{
	float u;
	float w;

	to_scene(from, size, x, y, &u, &w);
	u -= to->shift_x;
	w -= to->shift_y;
	*to_x = (u * to->cosine + w * to->sine) * to->scale +
	        0.5f * (float) (size - 1);
	*to_y = (w * to->cosine - u * to->sine) * to->scale +
	        0.5f * (float) (size - 1);
}

/* What is seen at one point. */
typedef struct formula_point
{
	float height;
	float colour[3];
	float gloss;
	int16_t code;
	int16_t layer;
} formula_point;

static formula_point
look_at(const mmrd_formula_scene *scene, float pixel, float x, float y)
{
	formula_point p = {0};

	for (int i = 0; i < scene->n_shapes; i++)
	{
		const mmrd_shape *s = &scene->shapes[i];
		const mmrd_material *m = &s->material;
		const float d = mmrd_shape_distance(s, x, y);
		const float cover = mmrd_clamp01(0.5f - d / pixel);
		float rise = s->height;
		float pattern;

		if (cover <= 0)
			continue;
		if (i > 0)
		{
			const float in = d < 0 ? -d : 0;
			const float edge = mmrd_smoothstep(0, s->bevel, in);
			const float t = mmrd_clamp01(in / s->size);

			rise = s->height * edge + s->dome * s->size * t * (2 - t);
		}
		else
			rise = scene->slope[0] * x + scene->slope[1] * y;
		pattern = mmrd_material_at(m, x, y);
		rise += m->relief * m->wavelength * (pattern - 0.5f);
		p.height = i == 0 ? rise : p.height + cover * rise;
		p.gloss = mmrd_mix(p.gloss, m->gloss, cover);
		for (int c = 0; c < 3; c++)
		{
			const float own =
			    mmrd_mix(m->colour[0][c], m->colour[1][c], pattern);

			p.colour[c] = mmrd_mix(p.colour[c], own, cover);
		}
		if (cover >= 0.5f)
		{
			p.code = (int16_t) m->code;
			p.layer = (int16_t) i;
		}
	}
	return p;
}

/* Colour under the lamp, in linear light. */
static void
light_point(const mmrd_formula_view *v, const formula_point *p,
            const float normal[3], float out[3])
{
	const float half =
	    1 / sqrtf(v->lamp[0] * v->lamp[0] + v->lamp[1] * v->lamp[1] +
	              (v->lamp[2] + 1) * (v->lamp[2] + 1));
	float facing = normal[0] * v->lamp[0] + normal[1] * v->lamp[1] +
	               normal[2] * v->lamp[2];
	float shine = (normal[0] * v->lamp[0] + normal[1] * v->lamp[1] +
	               normal[2] * (v->lamp[2] + 1)) *
	              half;

	facing = facing > 0 ? facing : 0;
	shine = shine > 0 ? shine : 0;
	for (int k = 0; k < 4; k++) /* to the 16th power */
		shine *= shine;
	for (int c = 0; c < 3; c++)
		out[c] =
		    v->tint[c] * (p->colour[c] * (v->ambient + v->direct * facing) +
		                  0.5f * v->direct * p->gloss * shine);
}

/* Gaussian over (size, size, 3), in place; samples beyond the border count
 * as the ones at the border. */
static void
blur_picture(int size, float sigma, float *picture, float *row)
{
	float taps[MAX_BLUR + 1];
	float sum = 0;

	for (int k = 0; k <= MAX_BLUR; k++)
	{
		taps[k] = expf(-0.5f * (float) (k * k) / (sigma * sigma));
		sum += k == 0 ? taps[k] : 2 * taps[k];
	}
	for (int pass = 0; pass < 2; pass++)
	{
		const int along = pass == 0 ? 3 : 3 * size;
		const int across = pass == 0 ? 3 * size : 3;

		for (int line = 0; line < size; line++)
			for (int c = 0; c < 3; c++)
			{
				float *at = picture + line * across + c;

				for (int x = 0; x < size; x++)
					row[x] = at[x * along];
				for (int x = 0; x < size; x++)
				{
					float total = taps[0] * row[x];

					for (int k = 1; k <= MAX_BLUR; k++)
						total +=
						    taps[k] * (row[x >= k ? x - k : 0] +
						               row[x + k < size ? x + k : size - 1]);
					at[x * along] = total / sum;
				}
			}
	}
}

/* From light, or whatever is sensed, to the samples of a sensor. */
static void
sense(const mmrd_formula_view *v, int size, float *sensed, float *row)
{
	const size_t n = (size_t) size * (size_t) size * 3;
	mmrd_random noise = mmrd_random_create(v->noise_seed, "formula noise");

	if (v->blur > 0)
		blur_picture(size, v->blur, sensed, row);
	for (size_t i = 0; i < n; i++)
	{
		float x = sensed[i];

		if (v->sensor == MMRD_FORMULA_SHADED)
			x = powf(mmrd_clamp01(x), v->gamma);
		if (v->noise > 0) /* near enough to normal: of standard deviation 1 */
			x += v->noise * 2.4495f *
			     (float) (mmrd_random_uniform(&noise) +
			              mmrd_random_uniform(&noise) - 1);
		sensed[i] = mmrd_clamp01(x);
	}
}

/* What the sensor gets from one point, before its lens. */
static void
sense_point(const mmrd_formula_view *v, const formula_point *p,
            const float normal[3], float lo, float hi, float out[3])
{
	if (v->sensor == MMRD_FORMULA_SHADED)
	{
		light_point(v, p, normal, out);
		return;
	}
	for (int c = 0; c < 3; c++)
		out[c] = v->sensor == MMRD_FORMULA_NORMALS
		             ? 0.5f * (normal[c] + 1)
		             : 0.1f + 0.8f * (p->height - lo) / (hi - lo + 1e-3f);
}

/* Everything but blur and noise of one view, from points with a border. */
static void
develop(const mmrd_formula_view *v, int size, const formula_point *points,
        mmrd_formula_picture *picture)
{
	const int side = size + 2;
	float lo = points[0].height;
	float hi = lo;

	for (int i = 0; i < side * side; i++)
	{
		lo = points[i].height < lo ? points[i].height : lo;
		hi = points[i].height > hi ? points[i].height : hi;
	}
	for (int y = 0; y < size; y++)
		for (int x = 0; x < size; x++)
		{
			const formula_point *p = &points[(y + 1) * side + x + 1];
			const size_t at = (size_t) y * (size_t) size + (size_t) x;
			const float dx = (p[1].height - p[-1].height) * 0.5f * v->scale;
			const float dy =
			    (p[side].height - p[-side].height) * 0.5f * v->scale;
			const float scale = 1 / sqrtf(dx * dx + dy * dy + 1);
			const float normal[3] = {-dx * scale, -dy * scale, scale};

			if (picture->sensed != NULL)
				sense_point(v, p, normal, lo, hi, picture->sensed + 3 * at);
			if (picture->normal != NULL)
				memcpy(picture->normal + 3 * at, normal, sizeof(normal));
			for (size_t c = 0; picture->albedo != NULL && c < 3; c++)
				picture->albedo[3 * at + c] = sqrtf(p->colour[c]);
			if (picture->code != NULL)
				picture->code[at] = p->code;
			if (picture->layer != NULL)
				picture->layer[at] = p->layer;
		}
}

mmrd_status
mmrd_formula_render(const mmrd_formula_scene *scene,
                    const mmrd_formula_view *view, int size,
                    mmrd_formula_picture *picture, mmrd_error *err)
{
	const int side = size + 2;
	formula_point *points;
	float *row;
	mmrd_status st = MMRD_OK;

	if (size < MIN_SIZE || size > MAX_SIZE)
		return mmrd_fail(err, MMRD_INVALID_ARGUMENT,
		                 "invalid size of a formula picture: %d", size);
	points = malloc((size_t) side * (size_t) side * sizeof(*points));
	row = malloc((size_t) size * sizeof(float));
	if (points == NULL || row == NULL)
	{
		st = mmrd_fail_memory(err, (double) side * side * sizeof(*points));
		goto done;
	}
	for (int y = 0; y < side; y++)
		for (int x = 0; x < side; x++)
		{
			float u;
			float w;

			to_scene(view, size, (float) (x - 1), (float) (y - 1), &u, &w);
			points[y * side + x] = look_at(scene, 1 / view->scale, u, w);
		}
	develop(view, size, points, picture);
	if (picture->sensed != NULL)
		sense(view, size, picture->sensed, row);

done:
	free(points);
	free(row);
	return st;
}
