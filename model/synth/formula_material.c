/*
 * model/synth/formula_material.c
 *	  The codes of materials and their patterns.
 *
 * A code's parameters are drawn from a generator of its own, seeded with the
 * code, so that the book of codes is the same for every picture.
 */
#include "model/synth/formula_material.h"

#include <math.h>

#include "model/synth/synth_noise.h"

#define TAU 6.28318531f

static float
between(mmrd_random *r, float lo, float hi)
{
	return mmrd_mix(lo, hi, (float) mmrd_random_uniform(r));
}

/* Evenly spread in its logarithm. */
static float
between_log(mmrd_random *r, float lo, float hi)
{
	return lo * powf(hi / lo, (float) mmrd_random_uniform(r));
}

/*
 * Two colours.  A third of the pieces is nearly grey, and the pattern's
 * contrast goes down to none: then only its relief can be seen.
 */
static void
draw_colours(mmrd_material *m, mmrd_random *r)
{
	const float vivid =
	    mmrd_random_uniform(r) < 0.35 ? 0.12f : between(r, 0.2f, 1);
	const float contrast =
	    mmrd_random_uniform(r) < 0.2 ? 0 : between(r, 0.25f, 1);

	for (int i = 0; i < 2; i++)
	{
		const float light = between(r, 0.08f, 0.95f);

		for (int c = 0; c < 3; c++)
		{
			const float own = between(r, 0.05f, 1);
			const float colour = mmrd_mix(light, own, vivid);

			m->colour[i][c] =
			    i == 0 ? colour * colour
			           : mmrd_mix(m->colour[0][c], colour * colour, contrast);
		}
	}
}

mmrd_material
mmrd_material_draw(int code, mmrd_random *r)
{
	mmrd_random book = mmrd_random_create((uint64_t) code, "formula material");
	const float angle = between(&book, 0, TAU / 2);
	const float turn = angle + between(r, -0.12f, 0.12f);
	mmrd_material m = {.code = code};

	m.pattern = (mmrd_pattern) (code % MMRD_N_PATTERNS);
	m.wavelength = between_log(&book, 3, 26) * between_log(r, 0.87f, 1.15f);
	m.cosine = cosf(turn);
	m.sine = sinf(turn);
	m.sharpness = between(&book, 0, 1);
	m.relief = mmrd_random_uniform(&book) < 0.4 ? 0 : between(&book, 0, 0.22f);
	m.gloss = mmrd_random_uniform(&book) < 0.5 ? 0 : between(&book, 0, 1);
	m.shift_x = between(r, 0, 1000);
	m.shift_y = between(r, 0, 1000);
	m.seed = mmrd_random_bits(r);
	draw_colours(&m, r);
	return m;
}

/* A wave between 0 and 1 with flat tops as far as sharpness goes. */
static float
sharpen(float wave, float sharpness)
{
	const float gain = 1 + 7 * sharpness * sharpness;

	return mmrd_clamp01(0.5f + 0.5f * gain * wave);
}

/* Distance to the nearest of one point per cell of a unit lattice. */
static float
nearest_point(uint64_t seed, float x, float y)
{
	const int32_t ix = (int32_t) floorf(x);
	const int32_t iy = (int32_t) floorf(y);
	float least = 4;

	for (int32_t j = iy - 1; j <= iy + 1; j++)
		for (int32_t i = ix - 1; i <= ix + 1; i++)
		{
			const float dx =
			    (float) i + 0.5f + 0.5f * mmrd_lattice(seed, i, j) - x;
			const float dy =
			    (float) j + 0.5f + 0.5f * mmrd_lattice(seed + 1, i, j) - y;
			const float d = dx * dx + dy * dy;

			least = d < least ? d : least;
		}
	return sqrtf(least);
}

/* Distance to the nearest point of a hexagonal lattice of side 1. */
static float
hexagonal(float x, float y)
{
	const float row = 0.8660254f;
	const float j = floorf(y / row);
	float least = 4;

	for (int k = 0; k < 2; k++)
	{
		const float ry = (j + (float) k) * row;
		const float odd = fmodf(fabsf(j + (float) k), 2) * 0.5f;
		const float dx = x - odd - rintf(x - odd);
		const float d = dx * dx + (y - ry) * (y - ry);

		least = d < least ? d : least;
	}
	return sqrtf(least);
}

float
mmrd_material_at(const mmrd_material *m, float x, float y)
{
	const float sx = x + m->shift_x;
	const float sy = y + m->shift_y;
	const float u = (sx * m->cosine + sy * m->sine) / m->wavelength;
	const float v = (sy * m->cosine - sx * m->sine) / m->wavelength;

	switch (m->pattern)
	{
		case MMRD_PATTERN_GRAIN:
			return sharpen(1.6f * mmrd_noise3(m->seed, 2 * u, 2 * v),
			               m->sharpness);
		case MMRD_PATTERN_STRIPES:
			return sharpen(sinf(TAU * u), m->sharpness);
		case MMRD_PATTERN_CHECKER:
			return sharpen(sinf(TAU * u) * sinf(TAU * v), m->sharpness);
		case MMRD_PATTERN_DOTS:
			return sharpen(2 - 6 * hexagonal(u, v), m->sharpness);
		case MMRD_PATTERN_CELLS:
			return sharpen(2.4f * nearest_point(m->seed, u, v) - 1,
			               m->sharpness);
		case MMRD_PATTERN_MARBLE:
			return sharpen(sinf(TAU * (u + 0.6f * mmrd_noise3(m->seed, u, v))),
			               m->sharpness);
		case MMRD_PATTERN_BRUSHED:
			return sharpen(1.6f * mmrd_noise3(m->seed, 0.25f * u, 2.5f * v),
			               m->sharpness);
		case MMRD_PATTERN_VEINS:
			return sharpen(
			    1 - 7 * fabsf(mmrd_noise3(m->seed, 1.3f * u, 1.3f * v)),
			    m->sharpness);
		case MMRD_PATTERN_PLAIN:
		case MMRD_N_PATTERNS:
			break;
	}
	return 0;
}
