/*
 * extension/pg_calibrate.h
 *	  Thresholds of a freshly trained network from scans it has not seen.
 */
#ifndef MMRD_PG_CALIBRATE_H
#define MMRD_PG_CALIBRATE_H

#include "extension/pg_options.h"
#include "extension/pg_spool.h"

typedef struct mmrd_pg_calibration
{
	int n;         /* scans; 0: no thresholds */
	float *scores; /* ascending */
	float threshold;
	float pixel_threshold;
} mmrd_pg_calibration;

/*
 * Score all of inputs (records as in pg_training.h) and set the thresholds by
 * the rule of model/score/calibration.h: of the scores, and of the values
 * that a share threshold_fpr of each map's pixels is above.
 */
extern void mmrd_pg_calibrate(const mmrd_pg_options *options,
                              const mmrd_weights *weights,
                              mmrd_pg_spool *inputs, mmrd_pg_calibration *out);

#endif /* MMRD_PG_CALIBRATE_H */
