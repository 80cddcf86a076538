/*
 * tests/unit/test_formula_scene.c
 *	  Formula pictures: the same every time, all different, in range, and
 *	  what is said about them is so.
 */
#include "model/synth/formula_scene.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/synth/formula_material.h"
#include "tests/unit/check.h"

enum
{
	SIZE = 64,
	PIXELS = SIZE * SIZE,
	N_SCENES = 60
};

typedef struct shown
{
	mmrd_formula_view view;
	float sensed[3 * PIXELS];
	float normal[3 * PIXELS];
	float albedo[3 * PIXELS];
	int16_t code[PIXELS];
	int16_t layer[PIXELS];
} shown;

static void
show(uint64_t seed, int64_t index, int which, mmrd_formula_sensor sensor,
     shown *out)
{
	mmrd_random r = mmrd_random_create(seed ^ (uint64_t) index, "test");
	mmrd_formula_picture picture = {out->sensed, out->normal, out->albedo,
	                                out->code, out->layer};
	mmrd_formula_scene *scene;
	mmrd_error err = {0};

	memset(out, 0xff, sizeof(*out)); /* NaN */
	for (int i = 0; i <= which; i++)
		out->view = mmrd_formula_view_draw(&r, sensor);
	CHECK(mmrd_formula_scene_create(seed, index, &scene, &err) == MMRD_OK,
	      "%s", err.message);
	CHECK(mmrd_formula_render(scene, &out->view, SIZE, &picture, &err) ==
	          MMRD_OK,
	      "%s", err.message);
	mmrd_formula_scene_free(scene);
}

static void
in_range(const shown *s, int index)
{
	int bad = 0;

	for (int i = 0; i < 3 * PIXELS; i++)
		bad += !(s->sensed[i] >= 0 && s->sensed[i] <= 1 && s->albedo[i] >= 0 &&
		         s->albedo[i] <= 1);
	CHECK(bad == 0, "scene %d: %d samples out of range", index, bad);
	for (int i = 0; i < PIXELS; i++)
	{
		const float *n = s->normal + 3 * i;
		const double length =
		    (double) n[0] * n[0] + (double) n[1] * n[1] + (double) n[2] * n[2];

		bad += !(fabs(length - 1) < 1e-5 && n[2] > 0 && s->code[i] >= 0 &&
		         s->code[i] < MMRD_MATERIALS && s->layer[i] >= 0);
	}
	CHECK(bad == 0, "scene %d: %d pixels wrongly described", index, bad);
}

/* Standard deviation of what is sensed: 0 would be an empty picture. */
static double
contrast_of(const shown *s)
{
	double sum = 0;
	double squares = 0;

	for (int i = 0; i < 3 * PIXELS; i++)
	{
		sum += (double) s->sensed[i];
		squares += (double) s->sensed[i] * (double) s->sensed[i];
	}
	sum /= 3 * PIXELS;
	return sqrt(fmax(0, squares / (3 * PIXELS) - sum * sum));
}

/* Share of the pixels of a that have the same material where b shows them. */
static double
agreement(const shown *a, const shown *b)
{
	int same = 0;
	int both = 0;

	for (int y = 0; y < SIZE; y++)
		for (int x = 0; x < SIZE; x++)
		{
			float bx;
			float by;

			mmrd_formula_view_map(&a->view, &b->view, SIZE, (float) x,
			                      (float) y, &bx, &by);
			if (!(bx >= 0 && by >= 0 && bx <= SIZE - 1 && by <= SIZE - 1))
				continue;
			both++;
			same += a->code[y * SIZE + x] ==
			        b->code[lrintf(by) * SIZE + lrintf(bx)];
		}
	return both == 0 ? 1 : (double) same / both;
}

static void
scenes(shown *a, shown *b)
{
	double agreed = 0;
	int flat = 0;

	for (int i = 0; i < N_SCENES; i++)
	{
		const mmrd_formula_sensor sensor = (mmrd_formula_sensor) (i % 3);

		show(7, i, 0, sensor, a);
		in_range(a, i);
		flat += contrast_of(a) < 0.01;
		show(7, i, 0, sensor, b);
		CHECK(memcmp(a, b, sizeof(*a)) == 0, "scene %d differs from itself",
		      i);
		show(8, i, 0, sensor, b);
		CHECK(memcmp(a->sensed, b->sensed, sizeof(a->sensed)) != 0,
		      "seed 8 gives the same scene %d", i);
		show(7, i, 1, sensor, b);
		CHECK(memcmp(a->sensed, b->sensed, sizeof(a->sensed)) != 0,
		      "scene %d looks the same from elsewhere", i);
		agreed += agreement(a, b) / N_SCENES;
	}
	/* A flat scene of one plain colour may occur, seldom. */
	CHECK(flat <= N_SCENES / 10, "%d of %d pictures are empty", flat,
	      N_SCENES);
	/* Rounding to pixels only errs along the outlines. */
	CHECK(agreed > 0.85, "views agree about %.3f of their pixels", agreed);
}

static void
materials(void)
{
	for (int code = 0; code < MMRD_MATERIALS; code++)
	{
		mmrd_random r = mmrd_random_create(1, "piece");
		const mmrd_material m = mmrd_material_draw(code, &r);
		const mmrd_material other = mmrd_material_draw(code, &r);
		float lo = 2;
		float hi = -1;

		for (int i = 0; i < 4000; i++)
		{
			const float v = mmrd_material_at(&m, (float) (i % 61) * 1.3f,
			                                 (float) (i / 61) * 1.1f - 30);

			lo = v < lo ? v : lo;
			hi = v > hi ? v : hi;
		}
		CHECK(lo >= 0 && hi <= 1, "code %d: %g to %g", code, lo, hi);
		CHECK(m.pattern == MMRD_PATTERN_PLAIN || hi - lo > 0.3f,
		      "code %d has no pattern: %g to %g", code, lo, hi);
		CHECK(m.pattern == other.pattern && m.relief == other.relief &&
		          m.sharpness == other.sharpness,
		      "code %d is not one material", code);
		CHECK(m.seed != other.seed, "code %d: two pieces are one", code);
	}
}

static void
refused(void)
{
	static const int sizes[] = {-1, 0, 7, 1025};
	mmrd_random r = mmrd_random_create(1, "test");
	const mmrd_formula_view view =
	    mmrd_formula_view_draw(&r, MMRD_FORMULA_DEPTH);
	mmrd_formula_picture nothing = {0};
	mmrd_formula_scene *scene;
	mmrd_error err = {0};

	CHECK(mmrd_formula_scene_create(1, 1, &scene, &err) == MMRD_OK, "%s",
	      err.message);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		CHECK(mmrd_formula_render(scene, &view, sizes[i], &nothing, &err) ==
		          MMRD_INVALID_ARGUMENT,
		      "size %d was accepted", sizes[i]);
	CHECK(mmrd_formula_render(scene, &view, 8, &nothing, &err) == MMRD_OK,
	      "%s", err.message);
	mmrd_formula_scene_free(scene);
	mmrd_formula_scene_free(NULL);
}

int
main(void)
{
	shown *a = malloc(sizeof(*a));
	shown *b = malloc(sizeof(*b));

	scenes(a, b);
	materials();
	refused();
	free(a);
	free(b);
	return check_result();
}
