/*
 * model/synth/synth_product.h
 *	  The product that mmrd_synth_scan() photographs: the moulded cover of a
 *	  sensor, with a raised rim, four countersunk holes, three ribs, a dome
 *	  with a coloured ring, and a printed label.
 *
 * Its own coordinates: the centre is (0, 0), one unit is one pixel of a scan
 * of 256 x 256, x to the right, y down.  Heights are in the same unit, 0 is
 * the table, up is towards the camera.
 */
#ifndef MMRD_SYNTH_PRODUCT_H
#define MMRD_SYNTH_PRODUCT_H

#include <stdint.h>

/* What differs from one normal piece to the next. */
typedef struct mmrd_product_lot
{
	uint64_t grain;   /* seed of the moulded texture */
	float tint;       /* of the plastic, -1 to 1: a shade lighter or darker */
	float rib_height; /* about 1 */
	float label_x;    /* the label is stuck on by hand, within a pixel */
	float label_y;
} mmrd_product_lot;

/* The surface at one point. */
typedef struct mmrd_surface
{
	float height;
	float albedo[3]; /* as seen in even light, 0 to 1, not linear */
	float ink[3];    /* colour of the print */
	float print;     /* how much of the point is printed, 0 to 1 */
	float gloss;     /* 0 matt to 1 */
} mmrd_surface;

void mmrd_product_at(float x, float y, const mmrd_product_lot *lot,
                     mmrd_surface *out);

/* Distance to the outline, negative inside the product. */
float mmrd_product_edge(float x, float y);

/* Distance to the nearest edge of a screw hole, negative inside one. */
float mmrd_product_hole(float x, float y);

/* Distance to the edge of the label, negative inside it. */
float mmrd_product_label(float x, float y);

/*
 * The i-th printed item on the label, i from 0 to MMRD_PRODUCT_PRINTS - 1:
 * centre and half sides of its rectangle.
 */
enum
{
	MMRD_PRODUCT_PRINTS = 4
};
void mmrd_product_print(int i, float box[4]);

#endif /* MMRD_SYNTH_PRODUCT_H */
