/*
 * model/synth/formula_fractal.h
 *	  Attractors of iterated function systems, as small pictures.
 */
#ifndef MMRD_FORMULA_FRACTAL_H
#define MMRD_FORMULA_FRACTAL_H

#include "model/base/random.h"

enum
{
	MMRD_FRACTAL_SIDE = 64
};

/* How densely the attractor fills each place of the square, 0 to 1. */
typedef struct mmrd_fractal
{
	float density[MMRD_FRACTAL_SIDE * MMRD_FRACTAL_SIDE];
} mmrd_fractal;

/*
 * Two to four random contractions, drawn until the attractor is neither a
 * point nor a line, and the points that the chaos game visits (Barnsley,
 * Fractals Everywhere, 1988), scaled to fill the square.
 */
void mmrd_fractal_draw(mmrd_random *r, mmrd_fractal *out);

/* Bilinear; u and v run from -1 to 1 across the square, 0 outside. */
float mmrd_fractal_at(const mmrd_fractal *f, float u, float v);

#endif /* MMRD_FORMULA_FRACTAL_H */
