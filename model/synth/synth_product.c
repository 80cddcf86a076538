/*
 * model/synth/synth_product.c
 *	  Shape and colour of the product, as functions of the place.
 *
 * Everything is a distance to some outline, turned into a height or a colour
 * by a smooth step about one unit wide: that is the antialiasing too, so the
 * same functions serve scans of any size.
 */
#include "model/synth/synth_product.h"

#include "model/synth/synth_noise.h"

/* Units of the product, see the header. */
#define BODY_HALF_W 98.0f
#define BODY_HALF_H 74.0f
#define BODY_CORNER 24.0f
#define BODY_HEIGHT 15.0f
#define EDGE_ROUND 9.0f
#define HOLE_X 80.0f
#define HOLE_Y 56.0f
#define HOLE_RADIUS 8.0f
#define DOME_X 47.0f
#define DOME_Y 6.0f
#define DOME_RADIUS 25.0f
#define LABEL_X (-30.0f)
#define LABEL_Y (-24.0f)
#define LABEL_HALF_W 42.0f
#define LABEL_HALF_H 24.0f

/* The text, five columns a letter, the lowest bit on top. */
static const uint8_t TEXT[2][8][5] = {
    {{0x7f, 0x02, 0x0c, 0x02, 0x7f},  /* M */
     {0x7f, 0x02, 0x0c, 0x02, 0x7f},  /* M */
     {0x7f, 0x09, 0x19, 0x29, 0x46},  /* R */
     {0x7f, 0x41, 0x41, 0x22, 0x1c},  /* D */
     {0x00, 0x00, 0x00, 0x00, 0x00},  /* */
     {0x42, 0x61, 0x51, 0x49, 0x46},  /* 2 */
     {0x18, 0x14, 0x12, 0x7f, 0x10},  /* 4 */
     {0x1f, 0x20, 0x40, 0x20, 0x1f}}, /* V */
    {{0x7f, 0x49, 0x49, 0x49, 0x41},  /* E */
     {0x42, 0x61, 0x51, 0x49, 0x46},  /* 2 */
     {0x36, 0x49, 0x49, 0x49, 0x36},  /* 8 */
     {0x00, 0x08, 0x08, 0x08, 0x00},  /* - */
     {0x00, 0x42, 0x7f, 0x40, 0x00},  /* 1 */
     {0x3e, 0x51, 0x49, 0x45, 0x3e},  /* 0 */
     {0x01, 0x71, 0x09, 0x05, 0x03},  /* 7 */
     {0x7e, 0x11, 0x11, 0x11, 0x7e}}  /* A */
};

float
mmrd_product_edge(float x, float y)
{
	return mmrd_rounded_box(x, y, BODY_HALF_W, BODY_HALF_H, BODY_CORNER);
}

float
mmrd_product_hole(float x, float y)
{
	const float dx = fabsf(x) - HOLE_X;
	const float dy = fabsf(y) - HOLE_Y;

	return sqrtf(dx * dx + dy * dy) - HOLE_RADIUS;
}

float
mmrd_product_label(float x, float y)
{
	return mmrd_rounded_box(x - LABEL_X, y - LABEL_Y, LABEL_HALF_W,
	                        LABEL_HALF_H, 4);
}

void
mmrd_product_print(int i, float box[4])
{
	static const float boxes[MMRD_PRODUCT_PRINTS][4] = {
	    {-30, -25, 36, 6},  /* first line of text */
	    {-44, -9, 21, 5},   /* second line */
	    {3, -8, 7, 7},      /* the data matrix */
	    {-30, -41, 40, 5}}; /* the coloured band */

	for (int k = 0; k < 4; k++)
		box[k] = boxes[i][k];
}

static float
dome_distance(float x, float y)
{
	const float dx = x - DOME_X;
	const float dy = y - DOME_Y;

	return sqrtf(dx * dx + dy * dy);
}

/* A wall of the given width that is round on top. */
static float
round_bar(float distance, float half_width)
{
	const float t = distance / half_width;

	return t * t >= 1 ? 0 : sqrtf(1 - t * t);
}

static float
height_at(float x, float y, const mmrd_product_lot *lot)
{
	const float edge = mmrd_product_edge(x, y);
	const float hole = mmrd_product_hole(x, y);
	const float dome = dome_distance(x, y);
	float up;
	float h;

	if (edge >= 0)
		return 0;
	up = mmrd_clamp01(-edge / EDGE_ROUND);
	h = BODY_HEIGHT * sqrtf(1 - (1 - up) * (1 - up));
	h += 3.5f * mmrd_smoothstep(-12, -13.5f, edge) *
	     mmrd_smoothstep(-20, -18.5f, edge); /* the rim */
	for (int k = 0; k < 3; k++)
	{
		const float bar =
		    mmrd_rounded_box(x + 32, y - 20 - 13.0f * (float) k, 42, 0.1f, 0);

		h += 6 * lot->rib_height * round_bar(bar, 4);
	}
	h += 5 * mmrd_smoothstep(DOME_RADIUS + 5.5f, DOME_RADIUS + 3.5f, dome);
	if (dome < DOME_RADIUS)
	{
		const float t = dome / DOME_RADIUS;

		h += 13 * sqrtf(1 - 0.96f * t * t) - 2;
		h -= 4 * mmrd_smoothstep(9, 7, dome); /* a dimple to press */
	}
	h -= 2.5f * mmrd_smoothstep(5, 2, hole);    /* countersink */
	h -= 13 * mmrd_smoothstep(-1, -2.5f, hole); /* and bore */
	h += 0.5f * mmrd_smoothstep(
	                0.4f, -0.4f,
	                mmrd_product_label(x - lot->label_x, y - lot->label_y));
	return h < 0 ? 0 : h;
}

static void
set_colour(float to[3], float r, float g, float b, float share)
{
	to[0] = mmrd_mix(to[0], r, share);
	to[1] = mmrd_mix(to[1], g, share);
	to[2] = mmrd_mix(to[2], b, share);
}

/* Is (x, y), in columns and rows of the text, on a letter's dot? */
static float
text_at(int line, float x, float y)
{
	const int column = (int) floorf(x);
	const int row = (int) floorf(y);

	if (column < 0 || column >= 48 || row < 0 || row >= 7 || column % 6 == 5)
		return 0;
	return (float) (TEXT[line][column / 6][column % 6] >> row & 1);
}

/* A square code of 10 x 10 cells, with the two solid sides such codes have. */
static float
matrix_at(float x, float y)
{
	const int column = (int) floorf(x);
	const int row = (int) floorf(y);

	if (column < 0 || column >= 10 || row < 0 || row >= 10)
		return 0;
	if (column == 0 || row == 9)
		return 1;
	if (row == 0 || column == 9)
		return (float) ((row + column) % 2 == 0);
	return (float) (mmrd_mix64((uint64_t) (row * 10 + column)) >> 63);
}

/* x, y relative to where the label is meant to be. */
static void
label_at(float x, float y, mmrd_surface *out)
{
	const float inside =
	    mmrd_smoothstep(0.5f, -0.5f, mmrd_product_label(x, y));
	const float band = y - LABEL_Y;
	float box[4];

	if (inside <= 0)
		return;
	set_colour(out->albedo, 0.90f, 0.89f, 0.85f, inside);
	out->gloss = mmrd_mix(out->gloss, 0.25f, inside);
	mmrd_product_print(3, box);
	if (fabsf(x - box[0]) < box[2] && fabsf(y - box[1]) < box[3])
	{
		out->print = inside;
		set_colour(out->ink, 0.80f, 0.16f, 0.13f, 1);
		return;
	}
	set_colour(out->ink, 0.10f, 0.10f, 0.13f, 1);
	if (band < 8)
	{
		mmrd_product_print(0, box);
		out->print = text_at(0, (x - box[0] + box[2]) / 1.5f,
		                     (y - box[1] + box[3]) / 1.7f);
	}
	else
	{
		mmrd_product_print(1, box);
		out->print = text_at(1, (x - box[0] + box[2]) / 0.88f,
		                     (y - box[1] + box[3]) / 1.4f);
		mmrd_product_print(2, box);
		if (x > box[0] - box[2])
			out->print = matrix_at((x - box[0] + box[2]) / 1.4f,
			                       (y - box[1] + box[3]) / 1.4f);
	}
	out->print *= inside;
}

static void
colour_at(float x, float y, const mmrd_product_lot *lot, mmrd_surface *out)
{
	const float edge = mmrd_product_edge(x, y);
	const float dome = dome_distance(x, y);
	const float shade = 1 + 0.02f * lot->tint +
	                    0.05f * mmrd_noise(lot->grain, x * 0.8f, y * 0.8f);

	if (edge > 0.5f) /* the table: a dark mat with a weave */
	{
		const float weave = 0.02f * sinf(x * 1.9f) * sinf(y * 1.9f) +
		                    0.025f * mmrd_noise3(lot->grain, x / 9, y / 9);

		set_colour(out->albedo, 0.26f + weave, 0.27f + weave, 0.28f + weave,
		           1);
		out->gloss = 0.05f;
		return;
	}
	set_colour(out->albedo, 0.22f * shade, 0.50f * shade, 0.58f * shade, 1);
	out->gloss = 0.6f;
	set_colour(out->albedo, 0.91f, 0.52f, 0.12f, /* the ring */
	           mmrd_smoothstep(DOME_RADIUS + 4, DOME_RADIUS + 3, dome));
	set_colour(out->albedo, 0.24f * shade, 0.25f * shade, 0.28f * shade,
	           mmrd_smoothstep(DOME_RADIUS + 0.5f, DOME_RADIUS - 0.5f, dome));
	set_colour(out->albedo, 0.10f, 0.10f, 0.11f,
	           mmrd_smoothstep(-1, -2.5f, mmrd_product_hole(x, y)));
	label_at(x - lot->label_x, y - lot->label_y, out);
}

void
mmrd_product_at(float x, float y, const mmrd_product_lot *lot,
                mmrd_surface *out)
{
	static const mmrd_surface none = {0};

	*out = none;
	out->height = height_at(x, y, lot);
	colour_at(x, y, lot, out);
}
