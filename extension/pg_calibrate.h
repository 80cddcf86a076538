/*
 * extension/pg_calibrate.h
 *	  Judging a freshly trained network by scans that it has not seen.
 */
#ifndef MMRD_PG_CALIBRATE_H
#define MMRD_PG_CALIBRATE_H

#include "extension/pg_judge.h"
#include "extension/pg_options.h"
#include "extension/pg_spool.h"

/*
 * A record of such a scan: its inputs, as in pg_training.h, then this, and
 * with the option `mask` its mask, (S, S).
 */
typedef struct mmrd_pg_verdict
{
	int32 class; /* mmrd_pg_class */
	int32 has_mask;
} mmrd_pg_verdict;

extern Size mmrd_pg_calibration_record_bytes(const mmrd_pg_options *options);

/* Score all of scans with these weights and let judge remember them. */
extern void mmrd_pg_calibrate(const mmrd_pg_options *options,
                              const mmrd_weights *weights,
                              mmrd_pg_spool *scans, mmrd_pg_judge *judge);

#endif /* MMRD_PG_CALIBRATE_H */
