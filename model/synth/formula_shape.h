/*
 * model/synth/formula_shape.h
 *	  The shapes that a formula picture is composed of.
 */
#ifndef MMRD_FORMULA_SHAPE_H
#define MMRD_FORMULA_SHAPE_H

#include <stdint.h>

#include "model/base/random.h"
#include "model/synth/formula_fractal.h"
#include "model/synth/formula_material.h"

typedef enum mmrd_shape_kind
{
	MMRD_SHAPE_GROUND,  /* everywhere */
	MMRD_SHAPE_CONTOUR, /* where noise exceeds a level */
	MMRD_SHAPE_LOBES,   /* a radius that varies with the angle */
	MMRD_SHAPE_POLYGON, /* regular, rounded */
	MMRD_SHAPE_RING,
	MMRD_SHAPE_BARS, /* one or several parallel ones, maybe bent */
	MMRD_SHAPE_FRACTAL,
	MMRD_N_SHAPES
} mmrd_shape_kind;

typedef struct mmrd_shape
{
	mmrd_shape_kind kind;
	float x, y; /* centre, in units of the scene */
	float cosine, sine;
	float size;   /* radius, or half the length */
	float aspect; /* of width to length */
	float detail; /* corners, lobes, ...: by kind */
	float depth;  /* of the lobes; level of the noise; width of a bar */
	float height; /* above the ground; negative: cut into it */
	float bevel;  /* units over which the height is reached */
	float dome;   /* how much higher the middle is, as a share of size */
	uint64_t seed;
	mmrd_material material;
	mmrd_fractal *fractal; /* of MMRD_SHAPE_FRACTAL; owned by the scene */
} mmrd_shape;

/* A shape of some kind within `reach` of the centre; no fractal yet. */
mmrd_shape mmrd_shape_draw(mmrd_shape_kind kind, float reach, mmrd_random *r);

/*
 * Roughly the distance from a point to the outline, in units, negative
 * inside.  Exact nowhere but near the outline of simple shapes, which is all
 * that anti-aliasing and bevels need.
 */
float mmrd_shape_distance(const mmrd_shape *s, float x, float y);

#endif /* MMRD_FORMULA_SHAPE_H */
