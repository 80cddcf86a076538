/*
 * model/synth/synth_noise.h
 *	  Smooth random fields in the plane, and the few curves that shapes are
 *	  made of.
 *
 * Value noise: a random number at every lattice point, from a hash of its
 * coordinates, so that any point can be asked for in any order; between them
 * a cubic blend.  Inline because it runs several times per pixel.
 */
#ifndef MMRD_SYNTH_NOISE_H
#define MMRD_SYNTH_NOISE_H

#include <math.h>
#include <stdint.h>

#include "model/base/random.h"

static inline float
mmrd_clamp01(float x)
{
	return x < 0 ? 0 : x > 1 ? 1 : x;
}

/* 0 at a and beyond, 1 at b and beyond, smooth between; a may exceed b. */
static inline float
mmrd_smoothstep(float a, float b, float x)
{
	const float t = mmrd_clamp01((x - a) / (b - a));

	return t * t * (3 - 2 * t);
}

static inline float
mmrd_mix(float a, float b, float t)
{
	return a + (b - a) * t;
}

/* Signed distance to a box with rounded corners: negative inside. */
static inline float
mmrd_rounded_box(float x, float y, float half_w, float half_h, float corner)
{
	const float dx = fabsf(x) - half_w + corner;
	const float dy = fabsf(y) - half_h + corner;
	const float outside_x = dx > 0 ? dx : 0;
	const float outside_y = dy > 0 ? dy : 0;
	const float inside = dx > dy ? dx : dy;

	return sqrtf(outside_x * outside_x + outside_y * outside_y) +
	       (inside < 0 ? inside : 0) - corner;
}

static inline float
mmrd_lattice(uint64_t seed, int32_t x, int32_t y)
{
	const uint64_t at = (uint64_t) (uint32_t) x << 32 | (uint32_t) y;

	return (float) (mmrd_mix64(seed ^ at) >> 40) * 0x1p-23f - 1.0f;
}

/* In [-1, 1], features about one unit wide; |x| and |y| below 2^30. */
static inline float
mmrd_noise(uint64_t seed, float x, float y)
{
	const float fx = floorf(x);
	const float fy = floorf(y);
	const int32_t ix = (int32_t) fx;
	const int32_t iy = (int32_t) fy;
	const float tx = (x - fx) * (x - fx) * (3 - 2 * (x - fx));
	const float ty = (y - fy) * (y - fy) * (3 - 2 * (y - fy));
	const float top = mmrd_mix(mmrd_lattice(seed, ix, iy),
	                           mmrd_lattice(seed, ix + 1, iy), tx);
	const float bottom = mmrd_mix(mmrd_lattice(seed, ix, iy + 1),
	                              mmrd_lattice(seed, ix + 1, iy + 1), tx);

	return mmrd_mix(top, bottom, ty);
}

/* Three octaves, each half as wide and half as strong; about [-1, 1]. */
static inline float
mmrd_noise3(uint64_t seed, float x, float y)
{
	return (4 * mmrd_noise(seed, x, y) +
	        2 * mmrd_noise(seed + 1, 2 * x, 2 * y) +
	        mmrd_noise(seed + 2, 4 * x, 4 * y)) /
	       7;
}

#endif /* MMRD_SYNTH_NOISE_H */
