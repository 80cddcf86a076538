/*
 * model/input/input_prepare.c
 *	  Which preparation a modality gets.
 */
#include "model/input/input_prepare.h"

#include <math.h>
#include <string.h>

#include "model/input/input_depth.h"
#include "model/input/input_image.h"

static const char *const names[] = {[MMRD_INPUT_IMAGE] = "image",
                                    [MMRD_INPUT_DEPTH] = "depth",
                                    [MMRD_INPUT_XYZ] = "xyz",
                                    [MMRD_INPUT_HEIGHT] = "height",
                                    [MMRD_INPUT_NORMALS_FROM_XYZ] =
                                        "normals_from_xyz"};

enum
{
	N_KINDS = sizeof(names) / sizeof(names[0])
};

const char *
mmrd_input_kind_name(int32_t kind)
{
	return kind >= 0 && kind < N_KINDS ? names[kind] : NULL;
}

bool
mmrd_input_kind_find(const char *name, mmrd_input_kind *kind)
{
	for (int i = 0; i < N_KINDS; i++)
		if (strcmp(name, names[i]) == 0)
		{
			*kind = (mmrd_input_kind) i;
			return true;
		}
	return false;
}

mmrd_input_kind
mmrd_input_kind_guess(const mmrd_raster *raster)
{
	if (raster->sample == MMRD_SAMPLE_U8)
		return MMRD_INPUT_IMAGE;
	if (raster->channels == 1)
		return MMRD_INPUT_DEPTH;
	return raster->sample == MMRD_SAMPLE_F32 ? MMRD_INPUT_NORMALS_FROM_XYZ
	                                         : MMRD_INPUT_IMAGE;
}

static mmrd_status
check_spec(const mmrd_input_spec *spec, int S, mmrd_error *err)
{
	if (S < 1 || S > MMRD_INPUT_MAX_SIDE)
	{
		mmrd_fail(err, MMRD_INVALID_ARGUMENT, "invalid input size: %d", S);
		return mmrd_detail(err, "It is 1 to %d pixels.", MMRD_INPUT_MAX_SIDE);
	}
	if (mmrd_input_kind_name(spec->kind) == NULL)
		return mmrd_fail(err, MMRD_INVALID_ARGUMENT,
		                 "unknown kind of input: %d", (int) spec->kind);
	if (spec->range_given &&
	    !(isfinite(spec->lo) && isfinite(spec->hi) && spec->lo <= spec->hi))
	{
		mmrd_fail(err, MMRD_INVALID_ARGUMENT, "invalid range of depth");
		return mmrd_detail(err, "It is [%g, %g].", (double) spec->lo,
		                   (double) spec->hi);
	}
	return MMRD_OK;
}

mmrd_status
mmrd_input_prepare(const mmrd_raster *raster, const mmrd_input_spec *spec,
                   int S, float *out, mmrd_input_note *note, mmrd_error *err)
{
	static const mmrd_roi none = {0, 0, 0, 0};
	const mmrd_roi *roi =
	    memcmp(&spec->roi, &none, sizeof(none)) == 0 ? NULL : &spec->roi;

	memset(note, 0, sizeof(*note));
	MMRD_TRY(check_spec(spec, S, err));
	if (spec->kind != MMRD_INPUT_IMAGE)
		return mmrd_input_depth(raster, spec, roi, S, out, note, err);
	MMRD_TRY(mmrd_input_image(raster, roi, S, out, err));
	note->n_valid = S * S;
	note->n_part = S * S;
	return MMRD_OK;
}
