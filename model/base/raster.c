/*
 * model/base/raster.c
 *	  Memory of a decoded picture.
 */
#include "model/base/raster.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "model/base/checked.h"

size_t
mmrd_sample_bytes(mmrd_sample sample)
{
	switch (sample)
	{
		case MMRD_SAMPLE_U8:
			return 1;
		case MMRD_SAMPLE_U16:
			return 2;
		case MMRD_SAMPLE_F32:
			break;
	}
	return 4;
}

mmrd_status
mmrd_raster_allocate(mmrd_raster *raster, const mmrd_raster_limits *limits,
                     mmrd_error *err)
{
	size_t n_bytes;

	raster->data = NULL;
	if (raster->height < 1 || raster->width < 1 ||
	    (raster->channels != 1 && raster->channels != 3))
	{
		mmrd_fail(err, MMRD_INVALID_ARGUMENT,
		          "image has impossible dimensions");
		return mmrd_detail(err, "Width %d, height %d, channels %d.",
		                   raster->width, raster->height, raster->channels);
	}
	if ((int64_t) raster->height * raster->width > limits->max_pixels)
	{
		mmrd_fail(err, MMRD_LIMIT_EXCEEDED, "image is too large");
		mmrd_detail(err,
		            "It declares %d x %d pixels, %" PRId64 " are allowed.",
		            raster->width, raster->height, limits->max_pixels);
		return mmrd_hint(err, "Raise mmrd.max_pixels if such an image is "
		                      "expected.");
	}
	if (!mmrd_size_mul((size_t) raster->height, (size_t) raster->width,
	                   &n_bytes) ||
	    !mmrd_size_mul(n_bytes, (size_t) raster->channels, &n_bytes) ||
	    !mmrd_size_mul(n_bytes, mmrd_sample_bytes(raster->sample), &n_bytes) ||
	    n_bytes > limits->max_bytes)
	{
		mmrd_fail(err, MMRD_LIMIT_EXCEEDED, "image is too large");
		return mmrd_detail(
		    err, "Its samples exceed the %zu bytes that are allowed.",
		    limits->max_bytes);
	}
	raster->data = malloc(n_bytes);
	if (raster->data == NULL)
		return mmrd_fail_memory(err, (double) n_bytes);
	return MMRD_OK;
}

void
mmrd_raster_clear(mmrd_raster *raster)
{
	free(raster->data);
	memset(raster, 0, sizeof(*raster));
}
