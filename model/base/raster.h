/*
 * model/base/raster.h
 *	  Samples of a picture or a depth sensor in the order a file has them.
 *
 * What decoders produce and model/input/ consumes: no scaling, no colour
 * management, no conversion has happened yet.
 */
#ifndef MMRD_RASTER_H
#define MMRD_RASTER_H

#include <stddef.h>
#include <stdint.h>

#include "model/base/status.h"

typedef enum mmrd_sample
{
	MMRD_SAMPLE_U8,
	MMRD_SAMPLE_U16, /* native byte order */
	MMRD_SAMPLE_F32
} mmrd_sample;

typedef struct mmrd_raster
{
	mmrd_sample sample;
	int32_t channels; /* 1 or 3 */
	int32_t height;   /* pixels, at least 1 */
	int32_t width;    /* pixels, at least 1 */
	void *data;       /* (height, width, channels), no padding */
} mmrd_raster;

/* What a decoder may produce; checked against the file's own header before
 * anything of that size is allocated. */
typedef struct mmrd_raster_limits
{
	int64_t max_pixels; /* height * width */
	size_t max_bytes;   /* of the decoded samples */
} mmrd_raster_limits;

/* Bytes of one sample: 1, 2 or 4. */
size_t mmrd_sample_bytes(mmrd_sample sample);

/*
 * Allocate data for the four fields already set, after checking them against
 * limits.  Returns MMRD_LIMIT_EXCEEDED, MMRD_INVALID_ARGUMENT, MMRD_NO_MEMORY;
 * then data is NULL.  The caller releases with mmrd_raster_clear().
 */
mmrd_status mmrd_raster_allocate(mmrd_raster *raster,
                                 const mmrd_raster_limits *limits,
                                 mmrd_error *err);

/* Release data; leaves the raster all zero.  Accepts all zero. */
void mmrd_raster_clear(mmrd_raster *raster);

#endif /* MMRD_RASTER_H */
