/*
 * model/score/overlay.c
 *	  Blend, then draw the contour.
 *
 * The contour needs no second image: a pixel is on it when the interpolated
 * map is above the threshold there and not above at one of eight points on a
 * circle around it.  Only pixels above the threshold, few as a rule, pay for
 * the eight more interpolations.
 */
#include "model/score/overlay.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

enum
{
	LINE_PARTS = 256 /* of the longer side: two pixels at 512 */
};

static const uint8_t LINE_COLOUR[3] = {0, 255, 102};

/* A position between map values, one axis. */
typedef struct place
{
	int32_t low;
	int32_t high;
	float share; /* of high */
} place;

/* The pixel whose centre is at + 0.5 of side pixels, among n values; beyond
 * the border, the value at it. */
static place
place_of(int32_t at, int32_t side, int32_t n)
{
	const double x = ((double) at + 0.5) * n / side - 0.5;
	place p;

	if (x <= 0)
		return (place){0, 0, 0};
	if (x >= n - 1)
		return (place){n - 1, n - 1, 0};
	p.low = (int32_t) x;
	p.high = p.low + 1;
	p.share = (float) (x - p.low);
	return p;
}

static float
interpolate(const mmrd_map_view *map, place px, place py)
{
	const size_t width = (size_t) map->info.width;
	const float *upper = map->values + (size_t) py.low * width;
	const float *lower = map->values + (size_t) py.high * width;
	const float a =
	    upper[px.low] + (upper[px.high] - upper[px.low]) * px.share;
	const float b =
	    lower[px.low] + (lower[px.high] - lower[px.low]) * px.share;

	return a + (b - a) * py.share;
}

/* Is something within reach pixels not above the threshold? */
static bool
near_border(const mmrd_map_view *map, float threshold, int32_t x, int32_t y,
            int32_t reach)
{
	static const float around[8][2] = {
	    {1, 0},       {0, 1},        {-1, 0},       {0, -1},
	    {0.7f, 0.7f}, {-0.7f, 0.7f}, {0.7f, -0.7f}, {-0.7f, -0.7f}};

	const mmrd_map_info *i = &map->info;

	for (int k = 0; k < 8; k++)
	{
		const int32_t nx = x + (int32_t) lrintf(around[k][0] * (float) reach);
		const int32_t ny = y + (int32_t) lrintf(around[k][1] * (float) reach);
		const place px = place_of(nx, i->roi_width, i->width);
		const place py = place_of(ny, i->roi_height, i->height);

		if (!(interpolate(map, px, py) > threshold))
			return true;
	}
	return false;
}

/* One channel of a pixel of the image, 8 bits; grey has one for all. */
static uint8_t
image_at(const mmrd_raster *image, size_t pixel, int channel)
{
	const size_t at = image->channels == 1 ? pixel
	                                       : pixel * (size_t) image->channels +
	                                             (size_t) channel;

	if (image->sample == MMRD_SAMPLE_U8)
		return ((const uint8_t *) image->data)[at];
	return (uint8_t) ((((const uint16_t *) image->data)[at] * 255u + 32767u) /
	                  65535u);
}

static void
blend_row(const mmrd_raster *image, const mmrd_map_view *map,
          const mmrd_overlay_style *style,
          uint8_t colours[MMRD_PALETTE_STEPS][3], int32_t y, uint8_t *out)
{
	const mmrd_map_info *info = &map->info;
	const int32_t longer =
	    image->width > image->height ? image->width : image->height;
	const int32_t reach = longer / LINE_PARTS > 1 ? longer / LINE_PARTS : 1;
	const int32_t map_y = y - info->roi_y;
	const place py = place_of(map_y, info->roi_height, info->height);
	const float opacity = style->opacity;

	for (int32_t x = 0; x < image->width; x++)
	{
		const size_t pixel = (size_t) y * (size_t) image->width + (size_t) x;
		const int32_t map_x = x - info->roi_x;
		const uint8_t *colour;
		float value;

		if (map_x < 0 || map_y < 0 || map_x >= info->roi_width ||
		    map_y >= info->roi_height)
		{
			for (int k = 0; k < 3; k++)
				*out++ = image_at(image, pixel, k);
			continue;
		}
		value = interpolate(map, place_of(map_x, info->roi_width, info->width),
		                    py);
		colour = colours[mmrd_palette_step(value, style->lo, style->hi)];
		if (style->has_contour && value > style->contour &&
		    near_border(map, style->contour, map_x, map_y, reach))
		{
			memcpy(out, LINE_COLOUR, 3);
			out += 3;
			continue;
		}
		for (int k = 0; k < 3; k++)
			*out++ = (uint8_t) lrintf((1 - opacity) *
			                              (float) image_at(image, pixel, k) +
			                          opacity * (float) colour[k]);
	}
}

static mmrd_status
check_style(const mmrd_overlay_style *style, mmrd_error *err)
{
	MMRD_TRY(mmrd_palette_check_range(style->lo, style->hi, err));
	if (!(style->opacity >= 0 && style->opacity <= 1))
	{
		mmrd_fail(err, MMRD_INVALID_ARGUMENT, "opacity is out of range");
		return mmrd_detail(err, "It is %g; it must be 0 to 1.",
		                   (double) style->opacity);
	}
	if (style->has_contour && isnan(style->contour))
		return mmrd_fail(err, MMRD_INVALID_ARGUMENT,
		                 "threshold is not a number");
	return MMRD_OK;
}

static mmrd_status
check_sizes(const mmrd_raster *image, const mmrd_map_info *info,
            mmrd_error *err)
{
	if (image->sample == MMRD_SAMPLE_F32)
	{
		mmrd_fail(err, MMRD_UNSUPPORTED,
		          "an overlay needs an image of 8 or 16 bits");
		return mmrd_hint(err, "Give the colour image that was scored.");
	}
	if (!mmrd_map_info_fits(info))
		return mmrd_fail(err, MMRD_INVALID_ARGUMENT,
		                 "map has impossible dimensions");
	if (image->width != info->source_width ||
	    image->height != info->source_height)
	{
		mmrd_fail(err, MMRD_INVALID_ARGUMENT,
		          "image and map do not belong together");
		mmrd_detail(err,
		            "The image has %d x %d pixels, the map was made from one "
		            "of %d x %d.",
		            image->width, image->height, info->source_width,
		            info->source_height);
		return mmrd_hint(err, "Give the colour image that was scored.");
	}
	return MMRD_OK;
}

mmrd_status
mmrd_overlay_draw(const mmrd_raster *image, const mmrd_map_view *map,
                  const mmrd_overlay_style *style,
                  const mmrd_raster_limits *limits, mmrd_raster *out,
                  mmrd_error *err)
{
	mmrd_raster picture = {MMRD_SAMPLE_U8, 3, image->height, image->width,
	                       NULL};
	uint8_t colours[MMRD_PALETTE_STEPS][3];

	memset(out, 0, sizeof(*out));
	MMRD_TRY(check_style(style, err));
	MMRD_TRY(check_sizes(image, &map->info, err));
	MMRD_TRY(mmrd_raster_allocate(&picture, limits, err));
	mmrd_palette_fill(style->palette, colours);
	for (int32_t y = 0; y < image->height; y++)
		blend_row(image, map, style, colours, y,
		          (uint8_t *) picture.data +
		              3 * (size_t) y * (size_t) image->width);
	*out = picture;
	return MMRD_OK;
}
