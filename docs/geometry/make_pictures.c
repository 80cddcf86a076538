/*
 * docs/geometry/make_pictures.c
 *	  The pictures of docs/geometry.md, made by the code that scores.
 *
 * "make docs-pictures" writes them beside this file.  The scan is generated:
 * the product of mmrd_synthesize() on a tilted table, as organised points
 * with holes.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loader/image/png.h"
#include "model/base/random.h"
#include "model/input/foreground.h"
#include "model/input/input_image.h"
#include "model/input/input_prepare.h"
#include "model/synth/synth_scan.h"

enum
{
	SIZE = 160, /* pixels, each side */
	N = SIZE * SIZE,
	TABLE = 40000, /* of MMRD_SYNTH_DEPTH */
	HOLES = 20     /* per cent of the points, single ones */
};

#define PIXEL 0.0006       /* metres */
#define HEIGHT_UNIT 4.5e-6 /* metres per unit of the generated depth */
#define DISTANCE 0.6       /* metres from the camera to the table */
#define TILT_X 0.10        /* of the table: metres of z per metre */
#define TILT_Y 0.06

static const char *folder;

static void
fail(const char *what, const mmrd_error *err)
{
	fprintf(stderr, "make_pictures: %s: %s\n", what,
	        err != NULL ? err->message : "failed");
	exit(1);
}

static void
write_png(const char *name, const uint8_t *pixels, int channels)
{
	const mmrd_raster image = {MMRD_SAMPLE_U8, channels, SIZE, SIZE,
	                           (void *) pixels};
	mmrd_error err = {0};
	uint8_t *bytes;
	size_t n_bytes;
	char path[1000];
	FILE *file;

	if (mmrd_png_encode(&image, 9, &bytes, &n_bytes, &err) != MMRD_OK)
		fail(name, &err);
	snprintf(path, sizeof(path), "%s/%s.png", folder, name);
	file = fopen(path, "wb");
	if (file == NULL || fwrite(bytes, 1, n_bytes, file) != n_bytes ||
	    fclose(file) != 0)
		fail(path, NULL);
	free(bytes);
}

static void
write_mask(const char *name, const uint8_t *mask)
{
	static uint8_t pixels[N];

	for (int i = 0; i < N; i++)
		pixels[i] = mask[i] ? 255 : 0;
	write_png(name, pixels, 1);
}

/* Values between lo and hi as grey, or a colour where there are none. */
static void
write_values(const char *name, const float *value, const uint8_t *valid,
             double lo, double hi)
{
	static uint8_t pixels[3 * N];

	for (int i = 0; i < N; i++)
		for (int c = 0; c < 3; c++)
			pixels[3 * i + c] =
			    valid[i]
			        ? (uint8_t) (255 *
			                     fmin(1, fmax(0, (value[i] - lo) / (hi - lo))))
			        : (c == 0 ? 120 : 0);
	write_png(name, pixels, 3);
}

/* What the network sees, back in [0,1]. */
static void
write_input(const char *name, const mmrd_raster *raster, mmrd_input_kind kind,
            mmrd_input_note *note)
{
	const mmrd_input_spec spec = {.kind = kind};
	static float input[3 * N];
	static uint8_t pixels[3 * N];
	mmrd_error err = {0};

	if (mmrd_input_prepare(raster, &spec, SIZE, input, note, &err) != MMRD_OK)
		fail(name, &err);
	for (int i = 0; i < 3 * N; i++)
		pixels[i] = (uint8_t) lrintf(
		    255 * (input[i] * mmrd_input_std[i % 3] + mmrd_input_mean[i % 3]));
	write_png(name, pixels, 3);
}

/* The generated depth as points; (0, 0, 0) where the sensor sees nothing. */
static void
make_points(const mmrd_raster *depth, float *points)
{
	const uint16_t *value = depth->data;
	mmrd_random random = mmrd_random_create(1, "holes");

	for (int i = 0; i < N; i++)
	{
		const double x = (i % SIZE - SIZE / 2) * PIXEL;
		const double y = (i / SIZE - SIZE / 2) * PIXEL;
		const double z = DISTANCE + TILT_X * x + TILT_Y * y -
		                 (TABLE - value[i]) * HEIGHT_UNIT;
		const bool hole = mmrd_random_below(&random, 100) < HOLES;

		points[3 * i] = hole ? 0 : (float) x;
		points[3 * i + 1] = hole ? 0 : (float) y;
		points[3 * i + 2] = hole ? 0 : (float) z;
	}
}

static void
split_points(const float *points, float *axis[3], uint8_t *valid)
{
	for (int i = 0; i < N; i++)
	{
		valid[i] = points[3 * i + 2] != 0;
		for (int k = 0; k < 3; k++)
			axis[k][i] = points[3 * i + k];
	}
}

/* The distance of every valid point from the table, of either sign. */
static void
make_heights(float *const axis[3], const mmrd_plane *plane, float *height)
{
	for (int i = 0; i < N; i++)
		height[i] = (float) mmrd_plane_distance(plane, axis[0][i], axis[1][i],
		                                        axis[2][i]);
}

static void
write_steps(const mmrd_raster *points)
{
	static float x[N], y[N], z[N], height[N];
	static uint8_t valid[N], part[N], scratch[N];
	float *axis[3] = {x, y, z};
	mmrd_input_note note;

	split_points(points->data, axis, valid);
	write_input("6-xyz", points, MMRD_INPUT_XYZ, &note);
	if (!note.plane_found)
		fail("the table was not found", NULL);
	write_values("2-points", z, valid, DISTANCE - 0.03, DISTANCE + 0.01);
	make_heights(axis, &note.plane, height);
	write_values("3-heights", height, valid, -0.005, 0.03);
	mmrd_foreground_mark(N, x, y, z, valid, &note.plane, part);
	write_mask("4-foreground", part);
	mmrd_foreground_close(SIZE, SIZE, part, scratch);
	write_mask("5-part", part);
	write_input("7-height", points, MMRD_INPUT_HEIGHT, &note);
	write_input("8-normals", points, MMRD_INPUT_NORMALS_FROM_XYZ, &note);
}

int
main(int argc, char **argv)
{
	static float samples[3 * N];
	const mmrd_raster points = {MMRD_SAMPLE_F32, 3, SIZE, SIZE, samples};
	mmrd_error err = {0};
	mmrd_input_note note;
	mmrd_synth scan;

	folder = argc > 1 ? argv[1] : "docs/geometry";
	if (mmrd_synth_scan(0, 0, false, SIZE, MMRD_SYNTH_DEPTH, &scan, &err) !=
	    MMRD_OK)
		fail("generating", &err);
	write_png("1-rgb", scan.rgb.data, 3);
	make_points(&scan.aux, samples);
	write_steps(&points);
	write_input("9-depth", &scan.aux, MMRD_INPUT_DEPTH, &note);
	mmrd_synth_clear(&scan);
	return 0;
}
