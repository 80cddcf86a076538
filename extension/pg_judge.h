/*
 * extension/pg_judge.h
 *	  What scans say of a network: its thresholds, and how well it tells
 *	  defective scans from good ones.
 */
#ifndef MMRD_PG_JUDGE_H
#define MMRD_PG_JUDGE_H

#include "extension/pg_engine.h"
#include "extension/pg_truth.h"

typedef struct mmrd_pg_judge mmrd_pg_judge;

/*
 * fpr: the share of false alarms that the thresholds allow.  with_masks: keep
 * maps for AUPRO, which takes 4 bytes a pixel.  Lives in a context of its own
 * below owner.
 */
extern mmrd_pg_judge *mmrd_pg_judge_create(double fpr, bool with_masks,
                                           MemoryContext owner);

/*
 * Score what is in engine's input, and remember it.  A scan of unknown class
 * counts as normal for the thresholds and is left out of the rest.
 *
 * mask		(S, S), not 0 where the defect is; NULL: not known, or none
 */
extern void mmrd_pg_judge_scan(mmrd_pg_judge *judge, mmrd_pg_engine *engine,
                               mmrd_pg_class class, const uint8 *mask);

typedef struct mmrd_pg_calibration
{
	int n;         /* normal scans; 0: no thresholds */
	float *scores; /* of those, ascending */
	float threshold;
	float pixel_threshold;
} mmrd_pg_calibration;

/*
 * The thresholds by the rule of model/score/calibration.h, of the scores of
 * the normal scans, and of the values that a share fpr of each one's pixels
 * is above.  Lives as long as the judge.
 */
extern void mmrd_pg_judge_thresholds(const mmrd_pg_judge *judge,
                                     mmrd_pg_calibration *out);

typedef struct mmrd_pg_quality
{
	uint64 n_normal; /* scans of known class */
	uint64 n_anomalous;
	double auroc; /* of the scores; NaN unless there are both classes */
	double aupro; /* to 0.3; NaN without masks */
	double f1_max;
	double f1_threshold; /* scores from it on are said to be anomalous */
	double f1_next_below;
} mmrd_pg_quality;

extern void mmrd_pg_judge_measure(mmrd_pg_judge *judge, mmrd_pg_quality *out);

/* Warn when the rule cannot promise fpr from n normal scans; n is not 0. */
extern void mmrd_pg_warn_few(int n, double fpr);

extern void mmrd_pg_judge_free(mmrd_pg_judge *judge);

#endif /* MMRD_PG_JUDGE_H */
