/*
 * loader/image/tiff_kind.h
 *	  Whether we read this kind of TIFF; see the list in tiff.h.
 */
#ifndef MMRD_TIFF_KIND_H
#define MMRD_TIFF_KIND_H

#include "loader/image/tiff_header.h"
#include "model/base/raster.h"
#include "model/base/status.h"

enum
{
	MMRD_TIFF_PALETTE = 3 /* the photometric interpretation of that name */
};

/*
 * Fill image, all but its data, with what decoding the file gives.  Returns
 * MMRD_UNSUPPORTED, with the tag's value and its name, for any kind of file
 * that is not read; image is then unspecified, but owns nothing.
 */
mmrd_status mmrd_tiff_kind_check(const mmrd_tiff_header *header,
                                 mmrd_raster *image, mmrd_error *err);

#endif /* MMRD_TIFF_KIND_H */
