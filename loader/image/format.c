/*
 * loader/image/format.c
 *	  Which decoder reads these bytes.
 */
#include "loader/image/format.h"

#include <stdio.h>
#include <string.h>

#include "loader/image/jpeg.h"
#include "loader/image/png.h"
#include "loader/image/tiff.h"

mmrd_format
mmrd_format_recognise(const uint8_t *bytes, size_t len)
{
	if (mmrd_png_recognise(bytes, len))
		return MMRD_FORMAT_PNG;
	if (mmrd_tiff_recognise(bytes, len))
		return MMRD_FORMAT_TIFF;
	if (mmrd_jpeg_recognise(bytes, len))
		return MMRD_FORMAT_JPEG;
	return MMRD_FORMAT_UNKNOWN;
}

const char *
mmrd_format_name(mmrd_format format)
{
	switch (format)
	{
		case MMRD_FORMAT_PNG:
			return "PNG";
		case MMRD_FORMAT_TIFF:
			return "TIFF";
		case MMRD_FORMAT_JPEG:
			return "JPEG";
		case MMRD_FORMAT_UNKNOWN:
			break;
	}
	return "unknown";
}

static mmrd_status
fail_unknown(const uint8_t *bytes, size_t len, mmrd_error *err)
{
	char first[3 * 8 + 1] = "";

	mmrd_fail(err, MMRD_CORRUPT_DATA, "not an image that can be read");
	for (size_t i = 0; i < len && i < 8; i++)
		snprintf(first + 3 * i, sizeof(first) - 3 * i, " %02x", bytes[i]);
	if (len == 0)
		mmrd_detail(err, "The value is empty.");
	else
		mmrd_detail(err, "It has %zu bytes and starts with%s.", len, first);
	return mmrd_hint(err, "PNG, TIFF and JPEG files are read.");
}

mmrd_status
mmrd_image_decode(const uint8_t *bytes, size_t len,
                  const mmrd_raster_limits *limits, mmrd_raster *image,
                  mmrd_error *err)
{
	memset(image, 0, sizeof(*image));
	switch (mmrd_format_recognise(bytes, len))
	{
		case MMRD_FORMAT_PNG:
			return mmrd_png_decode(bytes, len, limits, image, err);
		case MMRD_FORMAT_TIFF:
			return mmrd_tiff_decode(bytes, len, limits, image, err);
		case MMRD_FORMAT_JPEG:
			return mmrd_jpeg_decode(bytes, len, limits, image, err);
		default:
			return fail_unknown(bytes, len, err);
	}
}

mmrd_status
mmrd_image_size(const uint8_t *bytes, size_t len, int32_t *width,
                int32_t *height, mmrd_error *err)
{
	*width = 0;
	*height = 0;
	switch (mmrd_format_recognise(bytes, len))
	{
		case MMRD_FORMAT_PNG:
			return mmrd_png_size(bytes, len, width, height, err);
		case MMRD_FORMAT_TIFF:
			return mmrd_tiff_size(bytes, len, width, height, err);
		case MMRD_FORMAT_JPEG:
			return mmrd_jpeg_size(bytes, len, width, height, err);
		default:
			return fail_unknown(bytes, len, err);
	}
}
