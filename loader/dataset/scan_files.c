/*
 * loader/dataset/scan_files.c
 *	  The files of one scan, checked and in the form that is stored.
 */
#include "loader/dataset/scan_files.h"

#include <stdlib.h>
#include <string.h>

#include "loader/bytes/file_bytes.h"
#include "loader/image/format.h"
#include "loader/image/png.h"
#include "loader/image/tiff_write.h"

enum
{
	PACKING_LEVEL = 6 /* zlib's own choice between speed and size */
};

static const char *const sample_names[] = {[MMRD_SAMPLE_U8] = "8 bits",
                                           [MMRD_SAMPLE_U16] = "16 bits",
                                           [MMRD_SAMPLE_F32] = "floats"};

static mmrd_status
check_samples(const mmrd_raster *image, mmrd_scan_kind kind, mmrd_error *err)
{
	const bool is_float = image->sample == MMRD_SAMPLE_F32;
	const char *expected = NULL;

	if (kind == MMRD_SCAN_PICTURE && is_float)
		expected = "A picture has 8 or 16 bits";
	if (kind == MMRD_SCAN_POINTS && !(is_float && image->channels == 3))
		expected = "Points are 3 channels of floats";
	if (kind == MMRD_SCAN_SCALED_DEPTH &&
	    !(image->sample == MMRD_SAMPLE_U16 && image->channels == 1))
		expected = "Depth is one channel of 16 bits";
	if (expected == NULL)
		return MMRD_OK;
	mmrd_fail(err, MMRD_UNSUPPORTED, "samples of another kind than expected");
	return mmrd_detail(err, "%s; found %d of %s.", expected, image->channels,
	                   sample_names[image->sample]);
}

/* 16 bits to metres, as a TIFF of floats. */
static mmrd_status
pack_depth(const mmrd_raster *image, const mmrd_scan *scan,
           const mmrd_raster_limits *limits, uint8_t **bytes, size_t *n_bytes,
           mmrd_error *err)
{
	const size_t n = (size_t) image->height * (size_t) image->width;
	const double range = scan->depth_hi - scan->depth_lo;
	const uint16_t *from = image->data;
	mmrd_raster metres = {MMRD_SAMPLE_F32, 1, image->height, image->width,
	                      NULL};
	float *to;
	mmrd_status st;

	MMRD_TRY(mmrd_raster_allocate(&metres, limits, err));
	to = metres.data;
	for (size_t i = 0; i < n; i++)
		to[i] = (float) (scan->depth_lo + from[i] / 65535.0 * range);
	st = mmrd_tiff_encode(&metres, PACKING_LEVEL, bytes, n_bytes, err);
	mmrd_raster_clear(&metres);
	return st;
}

/* In place to 8-bit grey, 0 and 255, then a PNG. */
static mmrd_status
pack_mask(mmrd_raster *image, uint8_t **bytes, size_t *n_bytes,
          mmrd_error *err)
{
	const size_t pixel =
	    mmrd_sample_bytes(image->sample) * (size_t) image->channels;
	const size_t n = (size_t) image->height * (size_t) image->width;
	uint8_t *data = image->data;

	for (size_t i = 0; i < n; i++)
	{
		uint8_t any = 0;

		for (size_t b = 0; b < pixel; b++)
			any |= data[i * pixel + b];
		data[i] = any != 0 ? 255 : 0;
	}
	image->sample = MMRD_SAMPLE_U8;
	image->channels = 1;
	return mmrd_png_encode(image, PACKING_LEVEL, bytes, n_bytes, err);
}

static mmrd_status
read_role(const mmrd_dataset *set, const mmrd_scan *scan, int role,
          mmrd_scan_files *out, mmrd_error *err)
{
	const mmrd_dataset_options *o = &set->options;
	uint8_t *file;
	size_t n_file;
	uint8_t *packed = NULL;
	size_t n_packed = 0;
	mmrd_raster image = {0};
	mmrd_status st;

	MMRD_TRY(mmrd_file_read(scan->path[role], o->max_file_bytes, o->stop,
	                        &file, &n_file, err));
	st = mmrd_image_decode(file, n_file, &o->raster, &image, err);
	if (st == MMRD_OK)
		st = check_samples(&image, set->kind[role], err);
	if (st == MMRD_OK && set->kind[role] == MMRD_SCAN_SCALED_DEPTH)
		st = pack_depth(&image, scan, &o->raster, &packed, &n_packed, err);
	if (st == MMRD_OK && set->kind[role] == MMRD_SCAN_BINARY)
		st = pack_mask(&image, &packed, &n_packed, err);
	mmrd_raster_clear(&image);
	if (st != MMRD_OK || packed != NULL)
	{
		free(file);
		file = packed;
		n_file = n_packed;
	}
	out->bytes[role] = file;
	out->n_bytes[role] = n_file;
	return st;
}

mmrd_status
mmrd_scan_read(const mmrd_dataset *set, size_t i, mmrd_scan_files *out,
               mmrd_error *err)
{
	const mmrd_scan *scan = &set->scans[i];

	memset(out, 0, sizeof(*out));
	for (int r = 0; r < MMRD_SCAN_ROLES; r++)
	{
		mmrd_status st;

		if (scan->path[r] == NULL)
			continue;
		st = read_role(set, scan, r, out, err);
		if (st != MMRD_OK)
		{
			mmrd_scan_files_clear(out);
			out->bad = scan->path[r];
			return st;
		}
	}
	return MMRD_OK;
}

void
mmrd_scan_files_clear(mmrd_scan_files *files)
{
	for (int r = 0; r < MMRD_SCAN_ROLES; r++)
		free(files->bytes[r]);
	memset(files, 0, sizeof(*files));
}
