/*
 * extension/pg_conclude.h
 *	  The end of a training: judge what came out, keep it, perhaps deploy it.
 */
#ifndef MMRD_PG_CONCLUDE_H
#define MMRD_PG_CONCLUDE_H

#include "extension/pg_judge.h"
#include "extension/pg_spool.h"
#include "extension/pg_store.h"

/* A training that is done. */
typedef struct mmrd_pg_trained
{
	const char *model;
	const mmrd_pg_teacher *teacher;
	const mmrd_pg_options *options;
	const mmrd_pg_source *source;
	const char *validation; /* NULL: scans were held out */
	const char *query;      /* that read the training scans */
	int32 scans;
	const uint8 *scans_sha256;
	mmrd_weights *weights;   /* may be rounded here */
	mmrd_pg_spool *unseen;   /* for the thresholds; see pg_calibrate.h */
	const char *unseen_from; /* a calibration's method */
	double loss;
	Oid by;
} mmrd_pg_trained;

typedef struct mmrd_pg_conclusion
{
	mmrd_pg_judge *judge; /* holds the scores of calibration */
	mmrd_pg_calibration calibration;
	mmrd_pg_quality quality;
} mmrd_pg_conclusion;

/* Round the weights if so wished, and judge them by the unseen scans. */
extern void mmrd_pg_conclude_judge(const mmrd_pg_trained *trained,
                                   mmrd_pg_conclusion *out);

/*
 * Store the version with its thresholds, deploy it if the options and the
 * comparison with the deployed one say so, drop old versions.  What was
 * compared is said in a notice.
 */
extern void mmrd_pg_conclude_store(const mmrd_pg_trained *trained,
                                   const mmrd_pg_conclusion *conclusion,
                                   double seconds, int32 *version,
                                   bool *deployed);

#endif /* MMRD_PG_CONCLUDE_H */
