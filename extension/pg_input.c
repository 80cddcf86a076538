/*
 * extension/pg_input.c
 *	  From the bytes of a scan to what the network reads: the loader decodes,
 *	  the model prepares, and here they meet.
 */
#include "postgres.h"

#include "extension/pg_input.h"

#include <stdlib.h>

#include "extension/pg_settings.h"
#include "loader/image/format.h"
#include "model/input/input_image.h"

enum
{
	MAX_PIXEL_BYTES = 12 /* three floats: organised points */
};

mmrd_raster_limits
mmrd_pg_image_limits(void)
{
	const mmrd_raster_limits limits = {
	    .max_pixels = mmrd_pg_setting_max_pixels,
	    .max_bytes = (size_t) mmrd_pg_setting_max_pixels * MAX_PIXEL_BYTES};

	return limits;
}

size_t
mmrd_pg_input_count(const mmrd_pg_options *options)
{
	const size_t S = (size_t) options->config.input_size;

	return S * S * 3;
}

static mmrd_roi
roi_of(const int32 *roi)
{
	const mmrd_roi r = {roi[0], roi[1], roi[2], roi[3]};

	return r;
}

mmrd_status
mmrd_pg_input_prepare(const mmrd_pg_options *options, int modality,
                      const struct varlena *bytes, float *out, int32 *width,
                      int32 *height, mmrd_error *err)
{
	const mmrd_raster_limits limits = mmrd_pg_image_limits();
	const mmrd_roi roi = roi_of(options->roi);
	mmrd_raster image;
	mmrd_status st;

	st = mmrd_image_decode((const uint8_t *) VARDATA_ANY(bytes),
	                       VARSIZE_ANY_EXHDR(bytes), &limits, &image, err);
	if (st != MMRD_OK)
		return st;
	if (width != NULL)
		*width = image.width;
	if (height != NULL)
		*height = image.height;
	st = mmrd_input_image(&image, options->has_roi ? &roi : NULL,
	                      options->config.input_size, out, err);
	mmrd_raster_clear(&image);
	return st;
}

/* In place: one byte a pixel, 1 where any channel is not 0. */
static void
make_binary(mmrd_raster *image)
{
	const size_t bytes = mmrd_sample_bytes(image->sample) * image->channels;
	const size_t n = (size_t) image->height * image->width;
	uint8_t *data = image->data;

	for (size_t i = 0; i < n; i++)
	{
		uint8_t any = 0;

		for (size_t b = 0; b < bytes; b++)
			any |= data[i * bytes + b];
		data[i] = any != 0;
	}
	image->sample = MMRD_SAMPLE_U8;
	image->channels = 1;
}

mmrd_status
mmrd_pg_mask_prepare(const struct varlena *bytes, const int32 *roi,
                     int32 height, int32 width, uint8 *out, mmrd_error *err)
{
	const mmrd_raster_limits limits = mmrd_pg_image_limits();
	const mmrd_affine as_is = {.channels = 1, .gain = {1}, .offset = {0}};
	const size_t n = (size_t) height * width;
	mmrd_raster image;
	mmrd_view view;
	mmrd_roi r = {0};
	float *shares = NULL;
	mmrd_status st;

	st = mmrd_image_decode((const uint8_t *) VARDATA_ANY(bytes),
	                       VARSIZE_ANY_EXHDR(bytes), &limits, &image, err);
	if (st != MMRD_OK)
		return st;
	make_binary(&image);
	if (roi != NULL)
		r = roi_of(roi);
	st = mmrd_view_of(&image, roi != NULL ? &r : NULL, &view, err);
	if (st != MMRD_OK)
		goto done;
	shares = malloc(n * sizeof(float));
	if (shares == NULL)
	{
		st = mmrd_fail_memory(err, (double) n * sizeof(float));
		goto done;
	}
	st = mmrd_resize_bilinear(&view, height, width, &as_is, shares, err);
	if (st != MMRD_OK)
		goto done;
	for (size_t i = 0; i < n; i++)
		out[i] = shares[i] > 0.5f;

done:
	free(shares);
	mmrd_raster_clear(&image);
	return st;
}
