/*
 * model/synth/formula_shape.c
 *	  Drawing shapes, and how far a point is from one.
 */
#include "model/synth/formula_shape.h"

#include <math.h>

#include "model/synth/synth_noise.h"

#define TAU 6.28318531f

static float
between(mmrd_random *r, float lo, float hi)
{
	return mmrd_mix(lo, hi, (float) mmrd_random_uniform(r));
}

mmrd_shape
mmrd_shape_draw(mmrd_shape_kind kind, float reach, mmrd_random *r)
{
	const float angle = between(r, 0, TAU);
	mmrd_shape s = {.kind = kind};

	s.x = between(r, -reach, reach);
	s.y = between(r, -reach, reach);
	s.cosine = cosf(angle);
	s.sine = sinf(angle);
	s.size = reach * 0.12f * powf(7, (float) mmrd_random_uniform(r));
	s.aspect = between(r, 0.4f, 1);
	s.detail = floorf(between(r, 3, 8.99f));
	s.depth = between(r, 0.05f, 0.45f);
	s.seed = mmrd_random_bits(r);
	s.bevel = between(r, 0.7f, 1) * between(r, 1, 6);
	s.height = mmrd_random_uniform(r) < 0.25 ? 0 : between(r, -5, 8);
	if (mmrd_random_uniform(r) < 0.45)
		s.dome = between(r, -0.25f, 0.45f);
	if (kind == MMRD_SHAPE_BARS)
	{
		s.size = reach * between(r, 0.3f, 2);
		s.depth = between(r, 0.8f, 7);       /* half width */
		s.aspect = between(r, 2.5f, 7);      /* pitch in half widths */
		s.detail = floorf(between(r, 0, 4)); /* further bars on each side */
		s.dome = mmrd_random_uniform(r) < 0.5 ? 0.5f : 0;
		s.bevel = s.depth;
	}
	if (kind == MMRD_SHAPE_CONTOUR)
		s.depth = between(r, -0.15f, 0.4f);
	if (kind == MMRD_SHAPE_FRACTAL)
	{
		s.size = reach * between(r, 0.4f, 1.1f);
		s.depth = between(r, 0.25f, 0.7f);
		s.dome = 0;
	}
	return s;
}

static float
lobes(const mmrd_shape *s, float u, float v)
{
	const float radius = sqrtf(u * u + v * v);
	const float edge =
	    1 + s->depth * sinf(s->detail * atan2f(v, u) + s->depth * 20);

	return (radius - s->size * edge) * 0.8f;
}

static float
polygon(const mmrd_shape *s, float u, float v)
{
	const float sector = TAU / s->detail;
	const float angle = atan2f(v, u);
	const float radius = sqrtf(u * u + v * v);
	const float off = angle - sector * rintf(angle / sector);
	const float corner = 0.25f * s->size * s->depth;
	const float along = radius * cosf(off) - s->size + corner;

	return along - corner;
}

static float
bars(const mmrd_shape *s, float u, float v)
{
	const float bend = s->size * 0.06f * mmrd_noise(s->seed, u / s->size, 0);
	const float pitch = s->aspect * s->depth;
	const float across = v + bend;
	float k = rintf(across / pitch);
	float end = fabsf(u) - s->size;
	float side;

	k = k > s->detail ? s->detail : k < -s->detail ? -s->detail : k;
	side = fabsf(across - k * pitch) - s->depth;
	return end > side ? end : side;
}

float
mmrd_shape_distance(const mmrd_shape *s, float x, float y)
{
	const float dx = x - s->x;
	const float dy = y - s->y;
	const float u = dx * s->cosine + dy * s->sine;
	const float v = (dy * s->cosine - dx * s->sine);

	switch (s->kind)
	{
		case MMRD_SHAPE_CONTOUR:
			return (s->depth - mmrd_noise3(s->seed, u / s->size,
			                               v / (s->size * s->aspect))) *
			       s->size * s->aspect * 0.5f;
		case MMRD_SHAPE_LOBES:
			return lobes(s, u, v / s->aspect) * s->aspect;
		case MMRD_SHAPE_POLYGON:
			return polygon(s, u, v / s->aspect) * s->aspect;
		case MMRD_SHAPE_RING:
		{
			const float w = v / s->aspect;

			return (fabsf(sqrtf(u * u + w * w) - s->size) -
			        s->size * s->depth * 0.6f) *
			       s->aspect;
		}
		case MMRD_SHAPE_BARS:
			return bars(s, u, v);
		case MMRD_SHAPE_FRACTAL:
			return (s->depth -
			        mmrd_fractal_at(s->fractal, u / s->size, v / s->size)) *
			       4;
		case MMRD_SHAPE_GROUND:
		case MMRD_N_SHAPES:
			break;
	}
	return -1e6f;
}
