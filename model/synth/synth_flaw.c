/*
 * model/synth/synth_flaw.c
 *	  Drawing, placing and applying a defect.
 *
 * Every defect is one weight over the plane, from 0 to 1, that colour and
 * height follow; the mask is where it exceeds a threshold.
 */
#include "model/synth/synth_flaw.h"

#include "model/synth/synth_noise.h"

#define PI 3.14159265f

const char *
mmrd_flaw_name(mmrd_flaw_kind kind)
{
	switch (kind)
	{
		case MMRD_FLAW_STAIN:
			return "stain";
		case MMRD_FLAW_SCUFF:
			return "scuff";
		case MMRD_FLAW_MISSING_PRINT:
			return "missing print";
		case MMRD_FLAW_DENT:
			return "dent";
		case MMRD_FLAW_BUMP:
			return "bump";
		case MMRD_FLAW_GROOVE:
			return "groove";
		case MMRD_FLAW_HOLE:
			return "hole";
		case MMRD_FLAW_CRACK:
			return "crack";
		case MMRD_FLAW_CONTAMINATION:
			return "contamination";
		case MMRD_FLAW_CHIPPED_EDGE:
			return "chipped edge";
		case MMRD_FLAW_NONE:
			break;
	}
	return "none";
}

static float
draw_between(mmrd_random *r, float lo, float hi)
{
	return mmrd_mix(lo, hi, (float) mmrd_random_uniform(r));
}

/* Size and width ranges, in units of the product. */
static void
draw_size(mmrd_random *r, mmrd_flaw *f)
{
	static const float ranges[][4] = {
	    [MMRD_FLAW_NONE] = {0, 0, 0, 0},
	    [MMRD_FLAW_STAIN] = {9, 15, 0, 0},
	    [MMRD_FLAW_SCUFF] = {15, 28, 1.2f, 1.8f},
	    [MMRD_FLAW_MISSING_PRINT] = {0, 0, 0, 0}, /* by the print */
	    [MMRD_FLAW_DENT] = {9, 14, 0, 0},
	    [MMRD_FLAW_BUMP] = {7, 12, 0, 0},
	    [MMRD_FLAW_GROOVE] = {14, 24, 2.5f, 3.5f},
	    [MMRD_FLAW_HOLE] = {5, 9, 0, 0},
	    [MMRD_FLAW_CRACK] = {18, 30, 1.3f, 2.0f},
	    [MMRD_FLAW_CONTAMINATION] = {6, 11, 0, 0},
	    [MMRD_FLAW_CHIPPED_EDGE] = {11, 18, 0, 0}};
	const float *range = ranges[f->kind];

	f->size = draw_between(r, range[0], range[1]);
	f->width = draw_between(r, range[2], range[3]);
}

static void
place_on_edge(mmrd_random *r, mmrd_flaw *f)
{
	const float towards = draw_between(r, 0, 2 * PI);
	float reach = 20;

	while (mmrd_product_edge(reach * cosf(towards), reach * sinf(towards)) <
	       -3)
		reach += 1;
	f->x = reach * cosf(towards);
	f->y = reach * sinf(towards);
}

static void
place_on_print(mmrd_random *r, mmrd_flaw *f)
{
	float box[4];

	mmrd_product_print((int) mmrd_random_below(r, MMRD_PRODUCT_PRINTS), box);
	f->size = box[2] > 16 ? draw_between(r, 8, 14) : box[2] + 0.5f;
	f->width = box[3] + 1;
	f->x = box[0] + draw_between(r, -1, 1) * (box[2] - f->size);
	f->y = box[1];
	f->angle = 0;
}

/* Inside the outline and clear of the holes. */
static void
place_on_body(mmrd_random *r, mmrd_flaw *f)
{
	const float reach = f->width > 0 ? f->size * 0.5f : f->size;

	do
	{
		f->x = draw_between(r, -90, 90);
		f->y = draw_between(r, -66, 66);
	} while (mmrd_product_edge(f->x, f->y) > -reach - 8 ||
	         mmrd_product_hole(f->x, f->y) < reach + 2);
}

mmrd_flaw
mmrd_flaw_draw(mmrd_random *r)
{
	static const struct
	{
		mmrd_flaw_kind first;
		int n;
	} kinds[] = {[MMRD_FLAW_NOWHERE] = {MMRD_FLAW_NONE, 1},
	             [MMRD_FLAW_COLOUR] = {MMRD_FLAW_STAIN, 3},
	             [MMRD_FLAW_GEOMETRY] = {MMRD_FLAW_DENT, 3},
	             [MMRD_FLAW_BOTH] = {MMRD_FLAW_HOLE, 4}};
	mmrd_flaw f = {0};

	f.seen = (mmrd_flaw_seen) (1 + mmrd_random_below(r, 3));
	f.kind =
	    (mmrd_flaw_kind) ((uint64_t) kinds[f.seen].first +
	                      mmrd_random_below(r, (uint64_t) kinds[f.seen].n));
	f.seed = mmrd_random_bits(r);
	f.angle = draw_between(r, 0, PI);
	f.strength = draw_between(r, 0.85f, 1.15f);
	draw_size(r, &f);
	if (f.kind == MMRD_FLAW_CHIPPED_EDGE)
		place_on_edge(r, &f);
	else if (f.kind == MMRD_FLAW_MISSING_PRINT)
		place_on_print(r, &f);
	else
		place_on_body(r, &f);
	return f;
}

/* A spot with a ragged outline; soft is the width of its border. */
static float
blob(const mmrd_flaw *f, float dx, float dy, float ragged, float soft)
{
	const float edge = ragged * mmrd_noise3(f->seed, dx / f->size * 1.6f,
	                                        dy / f->size * 1.6f);
	const float d = sqrtf(dx * dx + dy * dy) / f->size * (1 + edge);

	return mmrd_smoothstep(1, 1 - soft, d);
}

/* A line that bends (bend in units) and thins out towards its ends. */
static float
line(const mmrd_flaw *f, float dx, float dy, float bend, float ragged)
{
	const float c = cosf(f->angle);
	const float s = sinf(f->angle);
	const float along = dx * c + dy * s;
	const float t = along / f->size;
	float across = dy * c - dx * s;
	float width;

	if (t * t >= 1)
		return 0;
	across -= bend * (1 - t * t);
	across -= ragged * mmrd_noise3(f->seed, along / 7, 0.5f);
	width = f->width * (0.35f + 0.65f * sqrtf(1 - t * t));
	return mmrd_smoothstep(width + 0.5f, width - 0.5f, fabsf(across));
}

float
mmrd_flaw_at(const mmrd_flaw *f, float x, float y)
{
	const float dx = x - f->x;
	const float dy = y - f->y;
	const float reach = 1.6f * (f->size + f->width) + 4;

	if (f->kind == MMRD_FLAW_NONE || fabsf(dx) > reach || fabsf(dy) > reach ||
	    mmrd_product_edge(x, y) > 0)
		return 0;
	switch (f->kind)
	{
		case MMRD_FLAW_STAIN:
			return blob(f, dx, dy, 0.7f, 0.35f);
		case MMRD_FLAW_SCUFF:
			return line(f, dx, dy, 3, 0.4f);
		case MMRD_FLAW_MISSING_PRINT:
			return mmrd_smoothstep(
			    0.5f, -0.5f, mmrd_rounded_box(dx, dy, f->size, f->width, 1));
		case MMRD_FLAW_DENT:
		case MMRD_FLAW_BUMP:
			return blob(f, dx, dy, 0.12f, 1);
		case MMRD_FLAW_GROOVE:
			return line(f, dx, dy, 4, 0);
		case MMRD_FLAW_HOLE:
			return blob(f, dx, dy, 0.4f, 0.3f);
		case MMRD_FLAW_CRACK:
			return line(f, dx, dy, 2, 7);
		case MMRD_FLAW_CONTAMINATION:
			return blob(f, dx, dy, 0.6f, 0.3f);
		case MMRD_FLAW_CHIPPED_EDGE:
			return blob(f, dx, dy, 0.4f, 0.25f);
		case MMRD_FLAW_NONE:
			break;
	}
	return 0;
}

static void
paint(mmrd_surface *s, float r, float g, float b, float share)
{
	const float to[3] = {r, g, b};

	for (int c = 0; c < 3; c++)
	{
		s->albedo[c] = mmrd_mix(s->albedo[c], to[c], share);
		s->ink[c] = mmrd_mix(s->ink[c], to[c], share);
	}
}

void
mmrd_flaw_apply(const mmrd_flaw *f, float w, float x, float y, mmrd_surface *s)
{
	const float rough = mmrd_noise3(f->seed + 7, x / 3, y / 3);
	const float k = f->strength;

	switch (f->kind)
	{
		case MMRD_FLAW_STAIN:
			paint(s, 0.40f, 0.27f + 0.04f * rough, 0.10f, 0.75f * w);
			s->gloss = mmrd_mix(s->gloss, 0.9f, w);
			break;
		case MMRD_FLAW_SCUFF:
			paint(s, 0.80f, 0.80f, 0.78f, w * (0.75f + 0.2f * rough));
			break;
		case MMRD_FLAW_MISSING_PRINT:
			s->print *= 1 - w;
			break;
		case MMRD_FLAW_DENT:
			s->height -= 6.0f * k * w;
			break;
		case MMRD_FLAW_BUMP:
			s->height += 5.0f * k * w;
			break;
		case MMRD_FLAW_GROOVE:
			s->height -= 3.5f * k * w;
			break;
		case MMRD_FLAW_HOLE:
			s->height = mmrd_mix(s->height, 1.5f + rough, w);
			paint(s, 0.09f, 0.08f, 0.08f, w);
			s->gloss *= 1 - w;
			break;
		case MMRD_FLAW_CRACK:
			s->height -= 6.0f * k * w;
			paint(s, 0.06f, 0.06f, 0.07f, 0.9f * w);
			break;
		case MMRD_FLAW_CONTAMINATION:
			s->height += (5.0f * k + 1.5f * rough) * w;
			paint(s, 0.45f + 0.10f * rough, 0.33f + 0.08f * rough,
			      0.20f + 0.05f * rough, w);
			s->gloss *= 1 - w;
			break;
		case MMRD_FLAW_CHIPPED_EDGE:
			s->height =
			    mmrd_mix(s->height, s->height * (0.35f + 0.12f * rough), w);
			paint(s, 0.50f + 0.06f * rough, 0.70f + 0.06f * rough,
			      0.74f + 0.06f * rough, 0.8f * w);
			s->gloss *= 1 - w;
			break;
		case MMRD_FLAW_NONE:
			break;
	}
	if (s->height < 0)
		s->height = 0;
}
