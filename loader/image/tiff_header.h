/*
 * loader/image/tiff_header.h
 *	  What the first directory of a TIFF file declares, read without libtiff.
 *
 * libtiff acts on some tags as soon as it opens a file.  Reading the few that
 * matter ourselves first means that it only ever sees files whose size we
 * allow and whose kind we read, and that a size can be had for nothing.
 */
#ifndef MMRD_TIFF_HEADER_H
#define MMRD_TIFF_HEADER_H

#include <stddef.h>
#include <stdint.h>

#include "model/base/status.h"

/* Fields as in TIFF 6.0; where a tag is absent, the default it gives there. */
typedef struct mmrd_tiff_header
{
	int32_t width;        /* pixels, at least 1 */
	int32_t height;       /* pixels, at least 1 */
	uint32_t bits;        /* per sample, of every channel */
	uint32_t format;      /* 1 unsigned, 2 signed, 3 float, 4 undefined */
	uint32_t compression; /* 1 is none */
	uint32_t photometric; /* 1 grey, 2 RGB, 3 palette, ...; absent: 1, 2 */
	uint32_t samples;     /* per pixel, at least 1 */
	uint32_t extra;       /* how many of them are no colour */
	uint32_t planar;      /* 1 interleaved, 2 one plane after the other */
	uint32_t predictor;   /* 1 none, 2 horizontal, 3 floating point */
	uint32_t fill_order;  /* 1 is the usual one */
	uint32_t tile_width;  /* pixels; 0: in strips */
	uint32_t tile_height; /* pixels; 0: in strips */
} mmrd_tiff_header;

/*
 * Read the first directory of a TIFF or BigTIFF of either byte order.
 *
 * Returns MMRD_CORRUPT_DATA when it does not lie inside the file, lacks a
 * size or contradicts itself, MMRD_UNSUPPORTED when channels differ in their
 * type; header is then all zero.  Nothing is allocated.
 */
mmrd_status mmrd_tiff_header_read(const uint8_t *bytes, size_t len,
                                  mmrd_tiff_header *header, mmrd_error *err);

#endif /* MMRD_TIFF_HEADER_H */
