/*
 * model/synth/formula_material.h
 *	  Surfaces drawn from formulas: what a part of a formula picture is made
 *	  of.
 *
 * A material is a code: a small number that stands for a pattern (stripes,
 * cells, grain, ...) with its wavelength, direction and sharpness, how far
 * the pattern stands out of the surface, and how glossy it is.  The code is
 * what pre-training asks for, so it fixes what can be seen; the colours, the
 * place of the pattern and a little of its scale are drawn for each piece of
 * material and have nothing to do with the code.
 */
#ifndef MMRD_FORMULA_MATERIAL_H
#define MMRD_FORMULA_MATERIAL_H

#include <stdint.h>

#include "model/base/random.h"

enum
{
	MMRD_MATERIALS = 192 /* codes, 0 .. MMRD_MATERIALS - 1 */
};

typedef enum mmrd_pattern
{
	MMRD_PATTERN_PLAIN,
	MMRD_PATTERN_GRAIN, /* noise of several octaves */
	MMRD_PATTERN_STRIPES,
	MMRD_PATTERN_CHECKER,
	MMRD_PATTERN_DOTS,    /* on a hexagonal lattice */
	MMRD_PATTERN_CELLS,   /* distance to scattered points */
	MMRD_PATTERN_MARBLE,  /* stripes bent by noise */
	MMRD_PATTERN_BRUSHED, /* noise drawn out in one direction */
	MMRD_PATTERN_VEINS,   /* where noise changes its sign */
	MMRD_N_PATTERNS
} mmrd_pattern;

/* One piece of material. */
typedef struct mmrd_material
{
	int code;
	mmrd_pattern pattern;
	float wavelength; /* pixels of a view of scale 1 */
	float cosine;     /* of the pattern's direction */
	float sine;
	float sharpness; /* 0: a wave, 1: steps */
	float relief;    /* height of the pattern, as a share of wavelength */
	float gloss;     /* 0 to 1 */
	float shift_x;   /* of this piece */
	float shift_y;
	uint64_t seed;
	float colour[2][3]; /* at pattern 0 and 1, in linear light */
} mmrd_material;

/* A piece of material `code`. */
mmrd_material mmrd_material_draw(int code, mmrd_random *r);

/* The pattern at a point, 0 to 1. */
float mmrd_material_at(const mmrd_material *m, float x, float y);

#endif /* MMRD_FORMULA_MATERIAL_H */
