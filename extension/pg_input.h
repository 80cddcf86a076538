/*
 * extension/pg_input.h
 *	  From the bytes of a scan to what the network reads.
 */
#ifndef MMRD_PG_INPUT_H
#define MMRD_PG_INPUT_H

#include "extension/pg_compat.h"
#include "extension/pg_options.h"
#include "model/base/raster.h"
#include "model/input/input_prepare.h"

/* What image decoders may produce: mmrd.max_pixels. */
extern mmrd_raster_limits mmrd_pg_image_limits(void);

/* Floats of one modality's input, (S, S, 3). */
extern size_t mmrd_pg_input_count(const mmrd_pg_options *options);

/* What became of one scan. */
typedef struct mmrd_pg_prepared
{
	int failed; /* on failure: the modality; 0 rgb, 1 aux, 2 aux2 */
	mmrd_raster image[MMRD_MAX_MODALITIES]; /* size and samples; no data */
	mmrd_input_note note[MMRD_MAX_MODALITIES];
	double decode_ms; /* of all modalities together */
	double resize_ms;
} mmrd_pg_prepared;

/*
 * Decode and prepare all modalities of a scan, decoding them at the same time
 * where the statement has several threads.  A kind of "auto", in a version
 * that does not say better, is an image.
 *
 * bytes	of each modality, detoasted
 * out		of each modality, mmrd_pg_input_count() floats
 *
 * Throws nothing.  Failures are those of the decoders and of model/input/;
 * MMRD_UNSUPPORTED for a scan of another kind where the option aux_strict is
 * set, or of other samples where aux_sample is; MMRD_INVALID_ARGUMENT for a
 * roi when the modalities differ in size.
 */
extern mmrd_status mmrd_pg_inputs_prepare(const mmrd_pg_options *options,
                                          const struct varlena *const *bytes,
                                          float *const *out,
                                          mmrd_pg_prepared *prepared,
                                          mmrd_error *err);

/*
 * Decode and prepare modality m alone, with the option aux_limits left out of
 * account: note->lo and ->hi are then the scan's own range.
 */
extern mmrd_status mmrd_pg_input_measure(const mmrd_pg_options *options, int m,
                                         const struct varlena *bytes,
                                         float *out, mmrd_input_note *note,
                                         mmrd_error *err);

/*
 * What "auto" means for modality m (1 or more) of this scan, and its samples.
 * Throws nothing.
 */
extern mmrd_status mmrd_pg_input_guess(const struct varlena *bytes,
                                       mmrd_input_kind *kind,
                                       mmrd_sample *sample, mmrd_error *err);

/* Scans of a statement, by modality, in which no table was found. */
typedef struct mmrd_pg_tables
{
	int64 scans;
	int64 missing[MMRD_MAX_MODALITIES];
} mmrd_pg_tables;

extern void mmrd_pg_tables_count(mmrd_pg_tables *tables,
                                 const mmrd_pg_prepared *prepared);

/* Say how many, once; nothing when there are none.  Forgets them. */
extern void mmrd_pg_tables_report(mmrd_pg_tables *tables, int level);

/*
 * Decode a mask: a pixel is in when any channel is not 0.  Cropped to roi
 * (x, y, width, height) unless that is NULL, resized to height x width
 * (bilinear, then > 0.5); out gets 0 and 1.
 */
extern mmrd_status mmrd_pg_mask_prepare(const struct varlena *bytes,
                                        const int32 *roi, int32 height,
                                        int32 width, uint8 *out,
                                        mmrd_error *err);

#endif /* MMRD_PG_INPUT_H */
