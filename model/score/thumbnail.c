/*
 * model/score/thumbnail.c
 *	  A picture small enough for a page.
 */
#include "model/score/thumbnail.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/input/resize.h"

#define U8_OF_U16 (255.0f / 65535.0f)

static int32_t
shrunk(int32_t side, int32_t longer, int32_t max_side)
{
	const int32_t n = (int32_t) lrint((double) side * max_side / longer);

	return longer <= max_side ? side : n < 1 ? 1 : n;
}

mmrd_status
mmrd_thumbnail_make(const mmrd_raster *image, int32_t max_side,
                    mmrd_raster *out, mmrd_error *err)
{
	mmrd_status st = MMRD_OK;
	const mmrd_raster_limits limits = {INT64_MAX, SIZE_MAX};
	const float gain = image->sample == MMRD_SAMPLE_U16 ? U8_OF_U16 : 1;
	const mmrd_affine to = {
	    .channels = 3, .gain = {gain, gain, gain}, .offset = {0, 0, 0}};
	const int32_t longer =
	    image->width > image->height ? image->width : image->height;
	mmrd_raster small = {MMRD_SAMPLE_U8, 3,
	                     shrunk(image->height, longer, max_side),
	                     shrunk(image->width, longer, max_side), NULL};
	float *samples = NULL;
	size_t n;
	mmrd_view view;

	memset(out, 0, sizeof(*out));
	if (image->sample == MMRD_SAMPLE_F32)
		return mmrd_fail(err, MMRD_UNSUPPORTED,
		                 "a picture of float samples cannot be shown");
	MMRD_TRY(mmrd_view_of(image, NULL, &view, err));
	n = 3 * (size_t) small.height * (size_t) small.width;
	samples = malloc(n * sizeof(float));
	if (samples == NULL)
		return mmrd_fail_memory(err, (double) n * sizeof(float));
	st = mmrd_resize_bilinear(&view, small.height, small.width, &to, samples,
	                          err);
	if (st != MMRD_OK)
		goto done;
	st = mmrd_raster_allocate(&small, &limits, err);
	if (st != MMRD_OK)
		goto done;
	for (size_t i = 0; i < n; i++)
		((uint8_t *) small.data)[i] =
		    (uint8_t) lrintf(samples[i] < 0     ? 0
		                     : samples[i] > 255 ? 255
		                                        : samples[i]);
	*out = small;

done:
	free(samples);
	return st;
}
