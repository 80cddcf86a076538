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
#include "model/base/clock.h"
#include "model/base/threads.h"
#include "model/net/config.h"

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

/* How modality m is to be prepared. */
static mmrd_input_spec
spec_of(const mmrd_pg_options *options, int m)
{
	mmrd_input_spec spec = {.kind = MMRD_INPUT_IMAGE};

	if (options->has_roi)
		spec.roi = roi_of(options->roi);
	if (m == 0)
		return spec;
	if (options->aux_kind[m - 1] != MMRD_PG_KIND_AUTO)
		spec.kind = options->aux_kind[m - 1] - MMRD_PG_KIND_FIRST;
	if (options->aux_limits[m - 1].given)
	{
		spec.range_given = 1;
		spec.lo = options->aux_limits[m - 1].lo;
		spec.hi = options->aux_limits[m - 1].hi;
	}
	return spec;
}

/* Kinds that auto does not tell apart: they are the same bytes. */
static mmrd_input_kind
as_guessed(int32_t kind)
{
	return kind == MMRD_INPUT_XYZ || kind == MMRD_INPUT_HEIGHT
	           ? MMRD_INPUT_NORMALS_FROM_XYZ
	           : (mmrd_input_kind) kind;
}

static const char *
sample_name(mmrd_sample sample)
{
	switch (sample)
	{
		case MMRD_SAMPLE_U8:
			return "8-bit integers";
		case MMRD_SAMPLE_U16:
			return "16-bit integers";
		case MMRD_SAMPLE_F32:
			break;
	}
	return "floats";
}

/* Numbers that are stored in another way are of another unit, most likely. */
static mmrd_status
check_sample(const mmrd_pg_options *options, int m, int32_t kind,
             const mmrd_raster *image, mmrd_error *err)
{
	mmrd_sample wanted;

	if (m == 0 || kind != MMRD_INPUT_DEPTH ||
	    options->aux_sample[m - 1] == MMRD_PG_SAMPLE_ANY)
		return MMRD_OK;
	wanted = (mmrd_sample) (options->aux_sample[m - 1] - MMRD_PG_SAMPLE_FIRST);
	if (image->sample == wanted)
		return MMRD_OK;
	mmrd_fail(err, MMRD_UNSUPPORTED,
	          "the model takes depth in %s here, and this file has %s",
	          sample_name(wanted), sample_name(image->sample));
	mmrd_detail(err, "One range of depth serves all scans, so they must be "
	                 "in one unit.");
	return mmrd_hint(err, "Store all of them the same way, or train with "
	                      "aux_range \"scan\", which scales each scan by "
	                      "its own values.");
}

static mmrd_status
check_kind(const mmrd_pg_options *options, int m, int32_t wanted,
           const mmrd_raster *image, mmrd_error *err)
{
	const mmrd_input_kind found = mmrd_input_kind_guess(image);

	if (m == 0 || !options->aux_strict[m - 1] || found == as_guessed(wanted))
		return MMRD_OK;
	mmrd_fail(err, MMRD_UNSUPPORTED,
	          "the model takes \"%s\" here, and this file is \"%s\"",
	          mmrd_input_kind_name(wanted), mmrd_input_kind_name(found));
	return mmrd_detail(
	    err,
	    "It has %d channel(s) of %d-bit %s, unlike the scans "
	    "of the training.",
	    image->channels, 8 * (int) mmrd_sample_bytes(image->sample),
	    image->sample == MMRD_SAMPLE_F32 ? "float" : "unsigned integers");
}

/* A rectangle means the same place only where the sizes are the same. */
static mmrd_status
check_sizes(const mmrd_pg_options *options, const mmrd_raster *image, int m,
            mmrd_error *err)
{
	if (!options->has_roi || (image[m].width == image[0].width &&
	                          image[m].height == image[0].height))
		return MMRD_OK;
	mmrd_fail(err, MMRD_INVALID_ARGUMENT,
	          "a roi needs modalities of the same size");
	return mmrd_detail(err, "%s has %d x %d pixels, rgb has %d x %d.",
	                   mmrd_modality_name(m), image[m].width, image[m].height,
	                   image[0].width, image[0].height);
}

static mmrd_status
prepare_one(const mmrd_pg_options *options, int m, const mmrd_raster *image,
            float *out, mmrd_input_note *note, mmrd_error *err)
{
	const mmrd_input_spec spec = spec_of(options, m);

	MMRD_TRY(check_kind(options, m, spec.kind, image, err));
	MMRD_TRY(check_sample(options, m, spec.kind, image, err));
	return mmrd_input_prepare(image, &spec, options->config.input_size, out,
	                          note, err);
}

/* One file on its way to a raster. */
typedef struct decoding
{
	const uint8_t *bytes;
	size_t n_bytes;
	mmrd_raster image;
	mmrd_status status;
	mmrd_error err;
} decoding;

/*
 * All files at once.  Only C of our own and of the decoders runs in the other
 * threads: nothing there knows that there is a server around it.  The team is
 * as large as those of the kernels, or it would be made anew (threads.c).
 */
static void
decode_all(decoding *files, int n)
{
	const mmrd_raster_limits limits = mmrd_pg_image_limits();

#pragma omp parallel for schedule(dynamic, 1) num_threads(mmrd_threads())
	for (int m = 0; m < n; m++)
		files[m].status =
		    mmrd_image_decode(files[m].bytes, files[m].n_bytes, &limits,
		                      &files[m].image, &files[m].err);
}

mmrd_status
mmrd_pg_inputs_prepare(const mmrd_pg_options *options,
                       const struct varlena *const *bytes, float *const *out,
                       mmrd_pg_prepared *prepared, mmrd_error *err)
{
	const int n = 1 + options->config.n_aux;
	decoding files[MMRD_MAX_MODALITIES];
	mmrd_status st = MMRD_OK;
	double begun = mmrd_clock_ms();

	memset(files, 0, sizeof(files));
	memset(prepared, 0, sizeof(*prepared));
	for (int m = 0; m < n; m++)
	{
		files[m].bytes = (const uint8_t *) VARDATA_ANY(bytes[m]);
		files[m].n_bytes = VARSIZE_ANY_EXHDR(bytes[m]);
	}
	decode_all(files, n);
	prepared->decode_ms = mmrd_clock_ms() - begun;
	begun = mmrd_clock_ms();
	for (int m = 0; m < n; m++)
		prepared->image[m] = files[m].image;

	for (int m = 0; m < n && st == MMRD_OK; m++)
	{
		prepared->failed = m;
		st = files[m].status;
		if (st != MMRD_OK)
			*err = files[m].err;
		else
			st = check_sizes(options, prepared->image, m, err);
		if (st == MMRD_OK)
			st = prepare_one(options, m, &files[m].image, out[m],
			                 &prepared->note[m], err);
	}
	for (int m = 0; m < n; m++)
	{
		mmrd_raster_clear(&files[m].image);
		prepared->image[m].data = NULL;
	}
	prepared->resize_ms = mmrd_clock_ms() - begun;
	return st;
}

static mmrd_status
decode_one(const struct varlena *bytes, mmrd_raster *image, mmrd_error *err)
{
	const mmrd_raster_limits limits = mmrd_pg_image_limits();

	return mmrd_image_decode((const uint8_t *) VARDATA_ANY(bytes),
	                         VARSIZE_ANY_EXHDR(bytes), &limits, image, err);
}

mmrd_status
mmrd_pg_input_measure(const mmrd_pg_options *options, int m,
                      const struct varlena *bytes, float *out,
                      mmrd_input_note *note, mmrd_error *err)
{
	mmrd_pg_options without = *options;
	mmrd_raster image;
	mmrd_status st;

	if (m > 0)
		without.aux_limits[m - 1].given = false;
	MMRD_TRY(decode_one(bytes, &image, err));
	st = prepare_one(&without, m, &image, out, note, err);
	mmrd_raster_clear(&image);
	return st;
}

mmrd_status
mmrd_pg_input_guess(const struct varlena *bytes, mmrd_input_kind *kind,
                    mmrd_sample *sample, mmrd_error *err)
{
	mmrd_raster image;

	MMRD_TRY(decode_one(bytes, &image, err));
	*kind = mmrd_input_kind_guess(&image);
	*sample = image.sample;
	mmrd_raster_clear(&image);
	return MMRD_OK;
}

/* ---- scans without a table ---- */

void
mmrd_pg_tables_count(mmrd_pg_tables *tables, const mmrd_pg_prepared *prepared)
{
	tables->scans++;
	for (int m = 0; m < MMRD_MAX_MODALITIES; m++)
		tables->missing[m] +=
		    prepared->note[m].plane_wanted && !prepared->note[m].plane_found;
}

void
mmrd_pg_tables_report(mmrd_pg_tables *tables, int level)
{
	const mmrd_pg_tables found = *tables;

	memset(tables, 0, sizeof(*tables));
	for (int m = 0; m < MMRD_MAX_MODALITIES; m++)
		if (found.missing[m] > 0)
			ereport(
			    level,
			    (errmsg("%s: no table was found in %lld of %lld scans",
			            mmrd_modality_name(m), (long long) found.missing[m],
			            (long long) found.scans),
			     errdetail("All their valid points are taken as the "
			               "part."),
			     errhint("The table is looked for along the four edges "
			             "of the scan, within roi.")));
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
	const mmrd_affine as_is = {.channels = 1, .gain = {1}, .offset = {0}};
	const size_t n = (size_t) height * width;
	mmrd_raster image;
	mmrd_view view;
	mmrd_roi r = {0};
	float *shares = NULL;
	mmrd_status st;

	MMRD_TRY(decode_one(bytes, &image, err));
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
