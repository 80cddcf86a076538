/*
 * model/synth/formula_scene.h
 *	  Pictures that nobody took: scenes drawn from formulas, with everything
 *	  known about them, to pre-train a teacher on.
 *
 *	  mmrd_formula_scene *scene;
 *	  mmrd_formula_view view;
 *	  mmrd_formula_picture picture = {...};      -- the caller's arrays
 *
 *	  MMRD_TRY(mmrd_formula_scene_create(seed, index, &scene, err));
 *	  view = mmrd_formula_view_draw(&random, MMRD_FORMULA_SHADED);
 *	  MMRD_TRY(mmrd_formula_render(scene, &view, size, &picture, err));
 *	  mmrd_formula_scene_free(scene);
 *
 * A scene is a ground and a few shapes upon it or cut into it: contours of
 * noise, lobed and angular outlines, bars, rings, fractals.  Each has a
 * height, an edge and a material (formula_material.h).  A view looks at it
 * from straight above: scaled, turned and shifted, under a lamp of its own,
 * through a lens and a sensor of its own.  Two views of one scene therefore
 * show the same places in different light.
 */
#ifndef MMRD_FORMULA_SCENE_H
#define MMRD_FORMULA_SCENE_H

#include <stdint.h>

#include "model/base/random.h"
#include "model/base/status.h"

enum
{
	MMRD_FORMULA_LAYERS = 8 /* shapes of a scene at most, ground included */
};

typedef struct mmrd_formula_scene mmrd_formula_scene;

/* What the sensor of a view measures. */
typedef enum mmrd_formula_sensor
{
	MMRD_FORMULA_SHADED,  /* colour, lit */
	MMRD_FORMULA_NORMALS, /* unit normals, (n + 1) / 2; z to the camera */
	MMRD_FORMULA_DEPTH    /* height, scaled to [0.1, 0.9], three times */
} mmrd_formula_sensor;

typedef struct mmrd_formula_view
{
	mmrd_formula_sensor sensor;
	float scale;  /* pixels per unit of the scene */
	float cosine; /* of its rotation */
	float sine;
	float shift_x; /* scene units: where the middle of the picture is */
	float shift_y;
	float lamp[3]; /* towards it, unit length */
	float direct;  /* strength of the lamp, and of light from everywhere */
	float ambient;
	float tint[3];
	float gamma; /* exponent from light to sample */
	float blur;  /* sigma in pixels; 0: none */
	float noise; /* standard deviation, of [0, 1] */
	uint64_t noise_seed;
} mmrd_formula_view;

/* A picture of size x size; arrays are the caller's, those NULL are left out.
 */
typedef struct mmrd_formula_picture
{
	float *sensed;  /* (size, size, 3), in [0, 1] */
	float *normal;  /* (size, size, 3), of unit length, in the view's axes */
	float *albedo;  /* (size, size, 3), the square root of linear light */
	int16_t *code;  /* (size, size), code of the material */
	int16_t *layer; /* (size, size), which shape; 0 is the ground */
} mmrd_formula_picture;

/* One scene; the same arguments, the same scene.  MMRD_NO_MEMORY. */
mmrd_status mmrd_formula_scene_create(uint64_t seed, int64_t index,
                                      mmrd_formula_scene **out,
                                      mmrd_error *err);

/* Accepts NULL. */
void mmrd_formula_scene_free(mmrd_formula_scene *scene);

/* A random view. */
mmrd_formula_view mmrd_formula_view_draw(mmrd_random *r,
                                         mmrd_formula_sensor sensor);

/* Where a pixel of one view lies in another, in pixels; pixel (0, 0) has its
 * centre at (0, 0). */
void mmrd_formula_view_map(const mmrd_formula_view *from,
                           const mmrd_formula_view *to, int size, float x,
                           float y, float *to_x, float *to_y);

/*
 * Render a view of 8 to 1024 pixels each side.  MMRD_INVALID_ARGUMENT,
 * MMRD_NO_MEMORY (60 bytes a pixel).  Any number of calls at once.
 */
mmrd_status mmrd_formula_render(const mmrd_formula_scene *scene,
                                const mmrd_formula_view *view, int size,
                                mmrd_formula_picture *picture,
                                mmrd_error *err);

#endif /* MMRD_FORMULA_SCENE_H */
