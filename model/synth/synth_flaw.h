/*
 * model/synth/synth_flaw.h
 *	  What may be wrong with a product: ten defects, of which some show in
 *	  the colour image, some in the geometry, some in both.
 *
 * Coordinates and heights are those of synth_product.h.
 */
#ifndef MMRD_SYNTH_FLAW_H
#define MMRD_SYNTH_FLAW_H

#include <stdint.h>

#include "model/base/random.h"
#include "model/synth/synth_product.h"

/* Where a defect can be seen. */
typedef enum mmrd_flaw_seen
{
	MMRD_FLAW_NOWHERE, /* no defect */
	MMRD_FLAW_COLOUR,
	MMRD_FLAW_GEOMETRY,
	MMRD_FLAW_BOTH
} mmrd_flaw_seen;

typedef enum mmrd_flaw_kind
{
	MMRD_FLAW_NONE,
	MMRD_FLAW_STAIN, /* colour */
	MMRD_FLAW_SCUFF,
	MMRD_FLAW_MISSING_PRINT,
	MMRD_FLAW_DENT, /* geometry */
	MMRD_FLAW_BUMP,
	MMRD_FLAW_GROOVE,
	MMRD_FLAW_HOLE, /* both */
	MMRD_FLAW_CRACK,
	MMRD_FLAW_CONTAMINATION,
	MMRD_FLAW_CHIPPED_EDGE
} mmrd_flaw_kind;

typedef struct mmrd_flaw
{
	mmrd_flaw_kind kind;
	mmrd_flaw_seen seen;
	float x; /* its centre */
	float y;
	float size;     /* radius, or half the length */
	float width;    /* of lines: half; of print: half the other side */
	float angle;    /* of lines, radians */
	float strength; /* about 1 */
	uint64_t seed;  /* of its ragged outline */
} mmrd_flaw;

/* A random defect on a place of the product where it can be seen. */
mmrd_flaw mmrd_flaw_draw(mmrd_random *r);

/* "stain", "dent", ...; "none". */
const char *mmrd_flaw_name(mmrd_flaw_kind kind);

/* How much of the point belongs to the defect, 0 to 1. */
float mmrd_flaw_at(const mmrd_flaw *flaw, float x, float y);

/* Change the surface at a point by the weight that mmrd_flaw_at() gave. */
void mmrd_flaw_apply(const mmrd_flaw *flaw, float weight, float x, float y,
                     mmrd_surface *surface);

#endif /* MMRD_SYNTH_FLAW_H */
