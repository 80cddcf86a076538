/*
 * loader/dataset/scan_files.h
 *	  The files of one scan, checked and in the form that is stored.
 *
 * Every file is decoded once, by the readers that will decode it when it is
 * scored, so that what cannot be read is found before it is stored.  Then, by
 * its kind (dataset.h):
 *
 *	MMRD_SCAN_PICTURE		8 or 16 bits.  Kept as it is, to the byte.
 *	MMRD_SCAN_POINTS		three floats a pixel.  Kept.
 *	MMRD_SCAN_ANY_MAP		anything that is read.  Kept.
 *	MMRD_SCAN_SCALED_DEPTH	one channel of 16 bits, becomes a TIFF of floats:
 *							metres, depth_lo + v / 65535 * (depth_hi -
 *depth_lo) in double, rounded once.  The range differs from scan to scan, so
 *the file alone means nothing. MMRD_SCAN_BINARY		becomes an 8-bit grey
 *PNG of 0 and 255: 255 where any channel is not 0.  Sets mark defects with 1,
 *							255 or a class number; stored is one of these.
 */
#ifndef MMRD_SCAN_FILES_H
#define MMRD_SCAN_FILES_H

#include <stddef.h>
#include <stdint.h>

#include "loader/dataset/dataset.h"

typedef struct mmrd_scan_files
{
	uint8_t *bytes[MMRD_SCAN_ROLES]; /* malloc'd; NULL: the scan has none */
	size_t n_bytes[MMRD_SCAN_ROLES];
	const char *bad; /* path of the file that failed, of the set; or NULL */
} mmrd_scan_files;

/*
 * Read and check scan i of the set.
 *
 * out		the caller releases it with mmrd_scan_files_clear(); on failure it
 *			owns nothing, and bad says which file it was
 *
 * Returns MMRD_IO_ERROR, MMRD_CORRUPT_DATA, MMRD_UNSUPPORTED (another kind of
 * samples among them), MMRD_LIMIT_EXCEEDED: a bad file.  MMRD_NO_MEMORY,
 * MMRD_CANCELLED: not the file's fault.  Any number of calls at once.
 */
mmrd_status mmrd_scan_read(const mmrd_dataset *set, size_t i,
                           mmrd_scan_files *out, mmrd_error *err);

/* Release it; leaves all zero.  Accepts all zero. */
void mmrd_scan_files_clear(mmrd_scan_files *files);

#endif /* MMRD_SCAN_FILES_H */
