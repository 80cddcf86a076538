/*
 * model/synth/synth_scan.c
 *	  The camera and the lamp.
 *
 * The scan is sampled twice as fine as it is delivered, each way.  Surface
 * points come from synth_product.c and synth_flaw.c; normals are central
 * differences of the height; the lamp is one direction with a shadow found by
 * walking towards it over the heights, plus even light that reaches a point
 * the less the deeper it lies below its surroundings.  Reflection is matt
 * (Lambert) plus a highlight (Blinn and Phong).  Colours are squared before
 * and rooted after, which is near enough to sRGB and the same on every
 * machine.
 *
 * There are two heights: what the depth sensor sees, and what the lamp sees.
 * They differ only by a defect of the geometry alone, which hardly shades.
 */
#include "model/synth/synth_scan.h"

#include <stdlib.h>
#include <string.h>

#include "model/base/arena.h"
#include "model/base/random.h"
#include "model/synth/synth_noise.h"

enum
{
	FINE = 2,             /* samples per pixel, each way */
	SHADOW_STEPS = 14,    /* of 2 units: the product is 31 high */
	DEPTH_TABLE = 40000,  /* 16-bit units */
	DEPTH_PER_UNIT = 200, /* noise of 6 is 0.03 units */
	DEPTH_NOISE = 6
};

#define OCCLUSION_RADIUS 5.0f /* units */
#define SHADED_SHARE 0.06f    /* of a defect of the geometry alone */
#define MASK_AT 0.2f          /* weight above which a pixel is defective */
#define COLOUR_NOISE 1.2f     /* of 255, standard deviation */
#define NORMAL_NOISE 0.012f   /* of a unit vector's components */

/* Everything that varies from scan to scan. */
typedef struct shot
{
	int n;        /* fine samples per side */
	float unit;   /* fine samples per unit of the product */
	float cosine; /* of the rotation */
	float sine;
	float shift_x; /* units */
	float shift_y;
	float lamp[3]; /* towards the lamp, unit length */
	float light[3];
	mmrd_product_lot lot;
	mmrd_flaw flaw;
	uint64_t noise;
} shot;

/* Fine samples, n x n. */
typedef struct canvas
{
	float *seen_height;
	float *lit_height;
	float *blurred; /* lit_height, over OCCLUSION_RADIUS */
	float *scratch;
	float *colour; /* (n, n, 3) */
	float *gloss;
	float *weight; /* of the defect */
} canvas;

static float
spread(mmrd_random *r, float half)
{
	return half * (float) (2 * mmrd_random_uniform(r) - 1);
}

static shot
draw_shot(uint64_t seed, int32_t index, bool anomalous, int32_t size)
{
	const uint64_t which = mmrd_mix64(seed) ^ (uint64_t) (uint32_t) index;
	mmrd_random pose = mmrd_random_create(which, "synth pose");
	mmrd_random piece = mmrd_random_create(which, "synth piece");
	mmrd_random flaw = mmrd_random_create(which, "synth flaw");
	shot s = {.n = FINE * size, .unit = (float) (FINE * size) / 256};
	const float turn = spread(&pose, 2.0f * 3.14159265f / 180);
	const float bright = 1 + spread(&pose, 0.05f);
	float length;

	s.cosine = cosf(turn);
	s.sine = sinf(turn);
	s.shift_x = spread(&pose, 2.5f);
	s.shift_y = spread(&pose, 2.5f);
	s.lamp[0] = -0.50f + spread(&pose, 0.03f);
	s.lamp[1] = -0.60f + spread(&pose, 0.03f);
	s.lamp[2] = 0.90f;
	length = sqrtf(s.lamp[0] * s.lamp[0] + s.lamp[1] * s.lamp[1] +
	               s.lamp[2] * s.lamp[2]);
	for (int c = 0; c < 3; c++)
	{
		s.lamp[c] /= length;
		s.light[c] = bright * (1 + spread(&pose, 0.01f));
	}
	s.lot.grain = mmrd_random_bits(&piece);
	s.lot.tint = spread(&piece, 1);
	s.lot.rib_height = 1 + spread(&piece, 0.03f);
	s.lot.label_x = spread(&piece, 0.7f);
	s.lot.label_y = spread(&piece, 0.7f);
	s.noise = mmrd_random_bits(&piece);
	if (anomalous)
		s.flaw = mmrd_flaw_draw(&flaw);
	return s;
}

static void
sample_surface(const shot *s, const canvas *c)
{
	for (int row = 0; row < s->n; row++)
		for (int column = 0; column < s->n; column++)
		{
			const size_t p = (size_t) row * (size_t) s->n + (size_t) column;
			const float u =
			    ((float) column + 0.5f) / s->unit - 128 - s->shift_x;
			const float v = ((float) row + 0.5f) / s->unit - 128 - s->shift_y;
			const float x = u * s->cosine + v * s->sine;
			const float y = v * s->cosine - u * s->sine;
			mmrd_surface at;
			float whole;

			mmrd_product_at(x, y, &s->lot, &at);
			whole = at.height;
			c->weight[p] = mmrd_flaw_at(&s->flaw, x, y);
			if (c->weight[p] > 0)
				mmrd_flaw_apply(&s->flaw, c->weight[p], x, y, &at);
			c->seen_height[p] = at.height;
			c->lit_height[p] = s->flaw.seen == MMRD_FLAW_GEOMETRY
			                       ? mmrd_mix(whole, at.height, SHADED_SHARE)
			                       : at.height;
			c->gloss[p] = at.gloss;
			for (int k = 0; k < 3; k++)
				c->colour[3 * p + k] =
				    mmrd_mix(at.albedo[k], at.ink[k], at.print);
		}
}

/* Running mean over 2 radius + 1 samples of each row, written transposed; a
 * sample beyond the border counts as the one at the border. */
static void
blur_rows(int n, int radius, const float *in, float *out)
{
	const float scale = 1.0f / (float) (2 * radius + 1);

	for (int y = 0; y < n; y++)
	{
		const float *row = in + (size_t) y * (size_t) n;
		double sum = (double) row[0] * radius;

		for (int x = 0; x <= radius; x++)
			sum += row[x < n ? x : n - 1];
		for (int x = 0; x < n; x++)
		{
			const int leaves = x - radius;
			const int enters = x + radius + 1;

			out[(size_t) x * (size_t) n + (size_t) y] = (float) sum * scale;
			sum -= row[leaves > 0 ? leaves : 0];
			sum += row[enters < n ? enters : n - 1];
		}
	}
}

/* Normal of a height field at a sample: unit length, z up. */
static void
normal_at(const shot *s, const float *height, int row, int column,
          float out[3])
{
	const int n = s->n;
	const int left = column > 0 ? column - 1 : 0;
	const int right = column + 1 < n ? column + 1 : column;
	const int above = row > 0 ? row - 1 : 0;
	const int below = row + 1 < n ? row + 1 : row;
	const float *here = height + (size_t) row * (size_t) n;
	const float dx =
	    (here[right] - here[left]) * s->unit / (float) (right - left);
	const float dy = (height[(size_t) below * (size_t) n + (size_t) column] -
	                  height[(size_t) above * (size_t) n + (size_t) column]) *
	                 s->unit / (float) (below - above);
	const float scale = 1 / sqrtf(dx * dx + dy * dy + 1);

	out[0] = -dx * scale;
	out[1] = -dy * scale;
	out[2] = scale;
}

/* 1 in full light, 0 in shadow: the deeper under the ray, the darker. */
static float
lamp_reaches(const shot *s, const float *height, int row, int column)
{
	const int n = s->n;
	const float base = height[(size_t) row * (size_t) n + (size_t) column];
	const float flat =
	    sqrtf(s->lamp[0] * s->lamp[0] + s->lamp[1] * s->lamp[1]);
	const float rise = s->lamp[2] / flat; /* per unit of way */
	float deepest = 0;

	for (int k = 1; k <= SHADOW_STEPS; k++)
	{
		const float way = 2.0f * (float) k;
		const int x = column + (int) lrintf(s->lamp[0] / flat * way * s->unit);
		const int y = row + (int) lrintf(s->lamp[1] / flat * way * s->unit);
		float under;

		if (x < 0 || y < 0 || x >= n || y >= n)
			break;
		under = height[(size_t) y * (size_t) n + (size_t) x] - base -
		        rise * way - 0.5f;
		deepest = under > deepest ? under : deepest;
	}
	return 1 - mmrd_smoothstep(0, 3, deepest);
}

/* c->colour from the colour of the surface to what the camera sees, 0..1. */
static void
light_surface(const shot *s, const canvas *c)
{
	/* Half way between the lamp and the camera straight above. */
	const float hx = s->lamp[0];
	const float hy = s->lamp[1];
	const float hz = s->lamp[2] + 1;
	const float half = 1 / sqrtf(hx * hx + hy * hy + hz * hz);

	for (int row = 0; row < s->n; row++)
		for (int column = 0; column < s->n; column++)
		{
			const size_t p = (size_t) row * (size_t) s->n + (size_t) column;
			const float open =
			    1 -
			    0.65f * mmrd_clamp01((c->blurred[p] - c->lit_height[p]) / 12);
			const float reach = lamp_reaches(s, c->lit_height, row, column);
			float normal[3];
			float facing;
			float shine;

			normal_at(s, c->lit_height, row, column, normal);
			facing = normal[0] * s->lamp[0] + normal[1] * s->lamp[1] +
			         normal[2] * s->lamp[2];
			facing = facing > 0 ? facing : 0;
			shine = (normal[0] * hx + normal[1] * hy + normal[2] * hz) * half;
			shine = shine > 0 ? shine : 0;
			for (int k = 0; k < 5; k++) /* to the 32nd power */
				shine *= shine;
			for (int k = 0; k < 3; k++)
			{
				const float albedo = c->colour[3 * p + k];
				const float got =
				    s->light[k] *
				    (albedo * albedo *
				         (0.42f * open + 0.85f * facing * reach) +
				     0.22f * c->gloss[p] * shine * reach);

				c->colour[3 * p + k] = sqrtf(mmrd_clamp01(got));
			}
		}
}

static uint8_t
to_byte(float x)
{
	return x <= 0 ? 0 : x >= 255 ? 255 : (uint8_t) lrintf(x);
}

/* Mean of the fine samples of one pixel. */
static float
pixel_mean(const float *fine, int n, int y, int x, int channels, int channel)
{
	float sum = 0;

	for (int j = 0; j < FINE; j++)
		for (int i = 0; i < FINE; i++)
			sum += fine[((size_t) (FINE * y + j) * (size_t) n +
			             (size_t) (FINE * x + i)) *
			                (size_t) channels +
			            (size_t) channel];
	return sum / (FINE * FINE);
}

static void
develop_picture(const shot *s, const canvas *c, mmrd_synth *scan)
{
	mmrd_random noise = mmrd_random_create(s->noise, "synth colour");
	uint8_t *rgb = scan->rgb.data;
	uint8_t *mask = scan->mask.data;

	for (int y = 0; y < scan->rgb.height; y++)
		for (int x = 0; x < scan->rgb.width; x++)
		{
			const float w = pixel_mean(c->weight, s->n, y, x, 1, 0);

			for (int k = 0; k < 3; k++)
				*rgb++ =
				    to_byte(255 * pixel_mean(c->colour, s->n, y, x, 3, k) +
				            COLOUR_NOISE * (float) mmrd_random_normal(&noise));
			*mask++ = w > MASK_AT ? 255 : 0;
		}
}

static void
develop_normals(const shot *s, const canvas *c, mmrd_raster *out)
{
	mmrd_random noise = mmrd_random_create(s->noise, "synth normals");
	uint8_t *to = out->data;

	for (int y = 0; y < out->height; y++)
		for (int x = 0; x < out->width; x++)
		{
			float sum[3];
			float length = 0;

			for (int k = 0; k < 3; k++)
				sum[k] = FINE * FINE * NORMAL_NOISE *
				         (float) mmrd_random_normal(&noise);
			for (int i = 0; i < FINE * FINE; i++)
			{
				float normal[3];

				normal_at(s, c->seen_height, FINE * y + i / FINE,
				          FINE * x + i % FINE, normal);
				for (int k = 0; k < 3; k++)
					sum[k] += normal[k];
			}
			for (int k = 0; k < 3; k++)
				length += sum[k] * sum[k];
			length = sqrtf(length);
			for (int k = 0; k < 3; k++)
				*to++ = to_byte(127.5f * (sum[k] / length + 1));
		}
}

static void
develop_depth(const shot *s, const canvas *c, mmrd_raster *out)
{
	mmrd_random noise = mmrd_random_create(s->noise, "synth depth");
	uint16_t *to = out->data;

	for (int y = 0; y < out->height; y++)
		for (int x = 0; x < out->width; x++)
		{
			const float h = pixel_mean(c->seen_height, s->n, y, x, 1, 0);

			*to++ = (uint16_t) lrintf(DEPTH_TABLE - DEPTH_PER_UNIT * h +
			                          DEPTH_NOISE *
			                              (float) mmrd_random_normal(&noise));
		}
}

static mmrd_status
allocate_rasters(mmrd_synth *scan, int32_t size, mmrd_synth_aux aux,
                 mmrd_error *err)
{
	const mmrd_raster_limits limits = {
	    (int64_t) MMRD_SYNTH_MAX_SIZE * MMRD_SYNTH_MAX_SIZE, SIZE_MAX};
	const mmrd_raster rgb = {MMRD_SAMPLE_U8, 3, size, size, NULL};
	const mmrd_raster grey = {MMRD_SAMPLE_U8, 1, size, size, NULL};
	const mmrd_raster depth = {MMRD_SAMPLE_U16, 1, size, size, NULL};

	scan->rgb = rgb;
	scan->mask = grey;
	scan->aux = aux == MMRD_SYNTH_NORMALS ? rgb : depth;
	MMRD_TRY(mmrd_raster_allocate(&scan->rgb, &limits, err));
	MMRD_TRY(mmrd_raster_allocate(&scan->mask, &limits, err));
	return mmrd_raster_allocate(&scan->aux, &limits, err);
}

static mmrd_status
allocate_canvas(int n, mmrd_arena *arena, canvas *c, mmrd_error *err)
{
	const size_t plane = (size_t) n * (size_t) n * sizeof(float);
	size_t at[7];

	for (int i = 0; i < 7; i++)
		at[i] = mmrd_arena_plan(arena, i == 4 ? 3 * plane : plane);
	MMRD_TRY(mmrd_arena_allocate(arena, 0, err));
	c->seen_height = mmrd_arena_at(arena, at[0]);
	c->lit_height = mmrd_arena_at(arena, at[1]);
	c->blurred = mmrd_arena_at(arena, at[2]);
	c->scratch = mmrd_arena_at(arena, at[3]);
	c->colour = mmrd_arena_at(arena, at[4]);
	c->gloss = mmrd_arena_at(arena, at[5]);
	c->weight = mmrd_arena_at(arena, at[6]);
	return MMRD_OK;
}

mmrd_status
mmrd_synth_scan(uint64_t seed, int32_t index, bool anomalous, int32_t size,
                mmrd_synth_aux aux, mmrd_synth *scan, mmrd_error *err)
{
	mmrd_status st;
	mmrd_arena arena = {0};
	canvas c;
	shot s;
	int radius;

	memset(scan, 0, sizeof(*scan));
	if (size < MMRD_SYNTH_MIN_SIZE || size > MMRD_SYNTH_MAX_SIZE)
	{
		mmrd_fail(err, MMRD_INVALID_ARGUMENT,
		          "size of a generated scan is out of range");
		return mmrd_detail(err, "It is %d; it must be %d to %d.", size,
		                   MMRD_SYNTH_MIN_SIZE, MMRD_SYNTH_MAX_SIZE);
	}
	s = draw_shot(seed, index, anomalous, size);
	st = allocate_rasters(scan, size, aux, err);
	if (st != MMRD_OK)
		goto done;
	st = allocate_canvas(s.n, &arena, &c, err);
	if (st != MMRD_OK)
		goto done;

	sample_surface(&s, &c);
	radius = (int) lrintf(OCCLUSION_RADIUS * s.unit);
	blur_rows(s.n, radius, c.lit_height, c.scratch);
	blur_rows(s.n, radius, c.scratch, c.blurred);
	light_surface(&s, &c);
	develop_picture(&s, &c, scan);
	if (aux == MMRD_SYNTH_NORMALS)
		develop_normals(&s, &c, &scan->aux);
	else
		develop_depth(&s, &c, &scan->aux);
	scan->flaw = s.flaw;

done:
	mmrd_arena_clear(&arena);
	if (st != MMRD_OK)
		mmrd_synth_clear(scan);
	return st;
}

bool
mmrd_synth_is_anomalous(int32_t index, double share)
{
	return floor((index + 1.0) * share) > floor(index * share);
}

void
mmrd_synth_clear(mmrd_synth *scan)
{
	mmrd_raster_clear(&scan->rgb);
	mmrd_raster_clear(&scan->aux);
	mmrd_raster_clear(&scan->mask);
	memset(scan, 0, sizeof(*scan));
}
