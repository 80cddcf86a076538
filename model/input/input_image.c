/*
 * model/input/input_image.c
 *	  Picture to network input: range and normalisation are one gain and one
 *	  offset per channel, applied as the resize writes its result.
 */
#include "model/input/input_image.h"

const float mmrd_input_mean[3] = {0.485f, 0.456f, 0.406f};
const float mmrd_input_std[3] = {0.229f, 0.224f, 0.225f};

mmrd_status
mmrd_input_image(const mmrd_raster *raster, const mmrd_roi *roi, int S,
                 float *out, mmrd_error *err)
{
	const double full = raster->sample == MMRD_SAMPLE_U8 ? 255.0 : 65535.0;
	mmrd_affine to = {.channels = 3};
	mmrd_view view;

	if (S < 1 || S > MMRD_INPUT_MAX_SIDE)
	{
		mmrd_fail(err, MMRD_INVALID_ARGUMENT, "invalid input size: %d", S);
		return mmrd_detail(err, "It is 1 to %d pixels.", MMRD_INPUT_MAX_SIDE);
	}
	if (raster->sample == MMRD_SAMPLE_F32)
	{
		mmrd_fail(err, MMRD_UNSUPPORTED,
		          "float samples cannot be taken as a picture");
		mmrd_detail(err,
		            "A picture has 8 or 16 bits per sample; this one has %d "
		            "channel(s) of float.",
		            raster->channels);
		return mmrd_hint(err, "Use the kind \"depth\" for one channel, "
		                      "\"xyz\" or \"normals_from_xyz\" for three.");
	}
	MMRD_TRY(mmrd_view_of(raster, roi, &view, err));
	for (int c = 0; c < 3; c++)
	{
		to.gain[c] = (float) (1.0 / (full * mmrd_input_std[c]));
		to.offset[c] =
		    (float) (-(double) mmrd_input_mean[c] / mmrd_input_std[c]);
	}
	return mmrd_resize_bilinear(&view, S, S, &to, out, err);
}
