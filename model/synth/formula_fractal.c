/*
 * model/synth/formula_fractal.c
 *	  The chaos game.
 */
#include "model/synth/formula_fractal.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "model/synth/synth_noise.h"

enum
{
	MAX_MAPS = 4,
	N_SKIP = 50,     /* points until the attractor is reached */
	N_POINTS = 8000, /* about two for every place of the square */
	MAX_TRIES = 20
};

#define TAU 6.28318531f

typedef struct contraction
{
	float a, b, c, d, e, f;
} contraction;

static float
between(mmrd_random *r, float lo, float hi)
{
	return mmrd_mix(lo, hi, (float) mmrd_random_uniform(r));
}

/* Rotation, two scales below 1, another rotation, a shift. */
static contraction
draw_contraction(mmrd_random *r)
{
	const float p = between(r, 0, TAU);
	const float q = between(r, 0, TAU);
	const float s = between(r, 0.35f, 0.85f);
	const float t = between(r, 0.25f, 0.8f) *
	                (mmrd_random_uniform(r) < 0.5 ? -1.0f : 1.0f);
	contraction m;

	m.a = s * cosf(p) * cosf(q) - t * sinf(p) * sinf(q);
	m.b = -s * cosf(p) * sinf(q) - t * sinf(p) * cosf(q);
	m.c = s * sinf(p) * cosf(q) + t * cosf(p) * sinf(q);
	m.d = -s * sinf(p) * sinf(q) + t * cosf(p) * cosf(q);
	m.e = between(r, -1, 1);
	m.f = between(r, -1, 1);
	return m;
}

static void
step(const contraction *maps, int n, mmrd_random *r, float *x, float *y)
{
	const contraction *m = &maps[mmrd_random_below(r, (uint64_t) n)];
	const float nx = m->a * *x + m->b * *y + m->e;
	const float ny = m->c * *x + m->d * *y + m->f;

	*x = nx;
	*y = ny;
}

/* Walk once; false when the attractor is too thin to be of use. */
static bool
play(mmrd_random *r, mmrd_fractal *out)
{
	const int n = 2 + (int) mmrd_random_below(r, MAX_MAPS - 1);
	contraction maps[MAX_MAPS];
	float lo[2] = {1e9f, 1e9f};
	float hi[2] = {-1e9f, -1e9f};
	mmrd_random again;
	int filled = 0;

	for (int i = 0; i < n; i++)
		maps[i] = draw_contraction(r);
	again = *r;
	for (int pass = 0; pass < 2; pass++)
	{
		float x = 0;
		float y = 0;

		*r = again; /* the same walk: first its extent, then its points */
		for (int i = 0; i < N_SKIP + N_POINTS; i++)
		{
			step(maps, n, r, &x, &y);
			if (i < N_SKIP)
				continue;
			if (pass == 0)
			{
				lo[0] = x < lo[0] ? x : lo[0];
				lo[1] = y < lo[1] ? y : lo[1];
				hi[0] = x > hi[0] ? x : hi[0];
				hi[1] = y > hi[1] ? y : hi[1];
				continue;
			}
			out->density[(int) ((y - lo[1]) / (hi[1] - lo[1] + 1e-6f) *
			                        (MMRD_FRACTAL_SIDE - 1) +
			                    0.5f) *
			                 MMRD_FRACTAL_SIDE +
			             (int) ((x - lo[0]) / (hi[0] - lo[0] + 1e-6f) *
			                        (MMRD_FRACTAL_SIDE - 1) +
			                    0.5f)] += 1;
		}
	}
	for (int i = 0; i < MMRD_FRACTAL_SIDE * MMRD_FRACTAL_SIDE; i++)
		filled += out->density[i] > 0;
	return filled > MMRD_FRACTAL_SIDE * MMRD_FRACTAL_SIDE / 8;
}

void
mmrd_fractal_draw(mmrd_random *r, mmrd_fractal *out)
{
	for (int i = 0; i < MAX_TRIES; i++)
	{
		memset(out, 0, sizeof(*out));
		if (play(r, out))
			break;
	}
	for (int i = 0; i < MMRD_FRACTAL_SIDE * MMRD_FRACTAL_SIDE; i++)
		out->density[i] = 1 - expf(-out->density[i]);
}

float
mmrd_fractal_at(const mmrd_fractal *f, float u, float v)
{
	const float x = (u + 1) * 0.5f * (MMRD_FRACTAL_SIDE - 1);
	const float y = (v + 1) * 0.5f * (MMRD_FRACTAL_SIDE - 1);
	const float *row;
	int ix;
	int iy;

	if (!(x >= 0 && y >= 0 && x < MMRD_FRACTAL_SIDE - 1 &&
	      y < MMRD_FRACTAL_SIDE - 1))
		return 0;
	ix = (int) x;
	iy = (int) y;
	row = f->density + iy * MMRD_FRACTAL_SIDE + ix;
	return mmrd_mix(mmrd_mix(row[0], row[1], x - (float) ix),
	                mmrd_mix(row[MMRD_FRACTAL_SIDE],
	                         row[MMRD_FRACTAL_SIDE + 1], x - (float) ix),
	                y - (float) iy);
}
