/*
 * model/input/input_prepare.h
 *	  A decoded picture, depth map or set of points to network input, as a
 *	  stored specification says.
 *
 *	  mmrd_input_spec spec = {.kind = mmrd_input_kind_guess(&raster)};
 *	  mmrd_input_note note;
 *
 *	  MMRD_TRY(mmrd_input_prepare(&raster, &spec, S, out, &note, err));
 *	  if (note.plane_wanted && !note.plane_found)
 *		  say so, once
 *
 * One range for a whole training set takes two rounds: prepare every scan
 * with the specification as it is and widen a range by note.lo and note.hi;
 * then put it into the specification (range_given, lo, hi), store that in the
 * model, and use it from then on.
 */
#ifndef MMRD_INPUT_PREPARE_H
#define MMRD_INPUT_PREPARE_H

#include <stdbool.h>
#include <stdint.h>

#include "model/base/raster.h"
#include "model/base/status.h"
#include "model/input/plane_fit.h"
#include "model/input/resize.h"

/* The numbers are stored in models: never change one. */
typedef enum mmrd_input_kind
{
	MMRD_INPUT_IMAGE = 0,           /* 8 or 16 bits, 1 or 3 channels */
	MMRD_INPUT_DEPTH = 1,           /* 1 channel, any samples; 0 is invalid */
	MMRD_INPUT_XYZ = 2,             /* 3 floats, metres: z is used */
	MMRD_INPUT_HEIGHT = 3,          /* 3 floats: height above the table */
	MMRD_INPUT_NORMALS_FROM_XYZ = 4 /* 3 floats: surface normals */
} mmrd_input_kind;

/* What is done with one modality; plain data, all zero is a whole image. */
typedef struct mmrd_input_spec
{
	int32_t kind;        /* mmrd_input_kind */
	int32_t range_given; /* depth, xyz, height: 0 a scan's own range, 1 this */
	float lo;            /* finite, lo <= hi; the unit of the values */
	float hi;
	mmrd_roi roi; /* source pixels; all zero: everything */
} mmrd_input_spec;

/* What one scan turned out to be. */
typedef struct mmrd_input_note
{
	bool plane_wanted; /* the kind looks for the table */
	bool plane_found;  /* else every valid pixel is taken as the part */
	mmrd_plane plane;  /* when found */
	int32_t n_valid;   /* of the S * S pixels; of an image, all */
	int32_t n_part;    /* pixels inside the closed foreground */
	float lo;          /* depth, xyz, height: the scan's own range of values */
	float hi;          /* before clamping; both 0 when n_valid is 0 */
} mmrd_input_note;

/* "image", "depth", "xyz", "height", "normals_from_xyz"; NULL for others. */
const char *mmrd_input_kind_name(int32_t kind);

/* The kind of that name; false, and *kind unchanged, when there is none. */
bool mmrd_input_kind_find(const char *name, mmrd_input_kind *kind);

/*
 * What 'auto' means for a modality beside the RGB image: 8 bits and 16-bit
 * colour are images, 16-bit grey and one float a depth map, three floats are
 * points, taken as normals.
 */
mmrd_input_kind mmrd_input_kind_guess(const mmrd_raster *raster);

/*
 * Prepare one scan.
 *
 * raster	as decoded; only read
 * S		pixels, 1 to MMRD_INPUT_MAX_SIDE
 * out		(S, S, 3), every element written on MMRD_OK: [0,1], minus the
 *			mean, over the standard deviation of input_image.h; the content
 *			of [0,1] is in input_image.h and input_depth.h
 * note		out; all zero on failure
 *
 * The same bits come out for any number of threads.  Returns
 * MMRD_INVALID_ARGUMENT for an S, roi, kind or range that cannot be,
 * MMRD_UNSUPPORTED for samples that the kind does not go with,
 * MMRD_NO_MEMORY.  A scan without any valid pixel is not an error: all of
 * its values are 0, and note.n_valid says it.
 */
mmrd_status mmrd_input_prepare(const mmrd_raster *raster,
                               const mmrd_input_spec *spec, int S, float *out,
                               mmrd_input_note *note, mmrd_error *err);

#endif /* MMRD_INPUT_PREPARE_H */
