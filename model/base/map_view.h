/*
 * model/base/map_view.h
 *	  An anomaly map and what it is a map of.
 *
 * Made by the network, kept by loader/image/map_codec.h, measured and drawn
 * by model/score/.  The map covers the rectangle roi of a source image:
 * the whole image, unless the model crops before it resizes.
 */
#ifndef MMRD_MAP_VIEW_H
#define MMRD_MAP_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct mmrd_map_info
{
	int32_t height; /* of the map, at least 1 */
	int32_t width;
	int32_t source_height; /* pixels of the RGB image, at least 1 */
	int32_t source_width;
	int32_t roi_x; /* source pixels; the rectangle lies inside the source */
	int32_t roi_y;
	int32_t roi_width; /* at least 1; source_width when nothing is cropped */
	int32_t roi_height;
	bool has_threshold; /* else threshold is 0 and means nothing */
	float threshold;    /* a pixel above it (>) is anomalous */
	float lo;           /* least value in the map */
	float hi;           /* largest: the anomaly score */
} mmrd_map_info;

/* A map whose memory belongs to somebody else. */
typedef struct mmrd_map_view
{
	mmrd_map_info info;
	const float *values; /* (height, width), row-major, all finite */
} mmrd_map_view;

/* Sizes of a map that covers a whole source image; no threshold, lo, hi 0. */
static inline mmrd_map_info
mmrd_map_info_whole(int32_t height, int32_t width, int32_t source_height,
                    int32_t source_width)
{
	const mmrd_map_info info = {.height = height,
	                            .width = width,
	                            .source_height = source_height,
	                            .source_width = source_width,
	                            .roi_width = source_width,
	                            .roi_height = source_height};

	return info;
}

/* Are the sizes possible, and does the rectangle lie inside the source? */
static inline bool
mmrd_map_info_fits(const mmrd_map_info *i)
{
	return i->height >= 1 && i->width >= 1 && i->source_height >= 1 &&
	       i->source_width >= 1 && i->roi_x >= 0 && i->roi_y >= 0 &&
	       i->roi_width >= 1 && i->roi_height >= 1 &&
	       i->roi_x < i->source_width && i->roi_y < i->source_height &&
	       i->roi_width <= i->source_width - i->roi_x &&
	       i->roi_height <= i->source_height - i->roi_y;
}

#endif /* MMRD_MAP_VIEW_H */
