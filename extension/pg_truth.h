/*
 * extension/pg_truth.h
 *	  What a table says of its scans: a label, a mask, both or neither.
 */
#ifndef MMRD_PG_TRUTH_H
#define MMRD_PG_TRUTH_H

#include "extension/pg_options.h"
#include "extension/pg_scans.h"

typedef struct mmrd_pg_truth
{
	const mmrd_pg_source *source;
	int label; /* place among the source's extra columns, -1: none */
	int mask;
	uint8 *pixels; /* (S, S), 0 and 1: of the scan read last */
} mmrd_pg_truth;

/*
 * Add the columns to the source, which must be read with them: a boolean
 * `label`, true for a defect, and a bytea `mask`; either may be NULL.
 * input_size: of the masks, which are compared with maps of that size.
 */
extern void mmrd_pg_truth_init(mmrd_pg_truth *truth, mmrd_pg_source *source,
                               const char *label, const char *mask,
                               int input_size);

typedef enum mmrd_pg_class
{
	MMRD_PG_UNKNOWN, /* nothing is said, or the label is NULL */
	MMRD_PG_NORMAL,
	MMRD_PG_ANOMALOUS
} mmrd_pg_class;

/*
 * The class of a scan: its label, and without that column, whether the mask
 * has a pixel.  *has_mask: pixels are set.  Throws when the mask is
 * unreadable.
 */
extern mmrd_pg_class mmrd_pg_truth_read(const mmrd_pg_truth *truth,
                                        const mmrd_pg_scan *scan,
                                        const mmrd_pg_options *options,
                                        bool *has_mask);

#endif /* MMRD_PG_TRUTH_H */
