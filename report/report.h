/*
 * report/report.h
 *	  What a line did in some days, as one HTML page.
 *
 * This room knows neither the database nor file formats: it is given numbers,
 * texts and finished PNG files, and writes a page that needs nothing else:
 * no script, no font, no address outside of it.
 *
 * All texts are UTF-8 and come from anywhere; they are escaped here.  Numbers
 * that are not known are NaN, texts NULL.  Nothing is kept after the return.
 */
#ifndef MMRD_REPORT_H
#define MMRD_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/base/status.h"

/* The scans of an hour, day, week or month. */
typedef struct mmrd_report_period
{
	const char *label; /* short, below a bar: "24 Nov" */
	const char *name;  /* whole: "Tue 24 Nov 2026" */
	int64_t scans;     /* with a score; anomalous ones among them */
	int64_t anomalous;
	int64_t failed; /* without a score */
} mmrd_report_period;

/* Between low and high lie the middle nine tenths of some scores. */
typedef struct mmrd_report_spread
{
	double low; /* NaN, all three, where there are no scores */
	double median;
	double high;
} mmrd_report_spread;

typedef struct mmrd_report_epoch
{
	int32_t epoch; /* from 1 */
	double loss;
} mmrd_report_epoch;

typedef struct mmrd_report_version
{
	int32_t version;
	const char *trained; /* when */
	int64_t training_scans;
	int32_t epochs;
	double loss;
	double threshold;
	int64_t validation_scans;
	int64_t scans; /* that it scored in the time of the report */
	int64_t anomalous;
	bool deployed; /* it scores now */
} mmrd_report_version;

/* One model, and the scores it gave. */
typedef struct mmrd_report_model
{
	const char *name;
	int64_t scans;
	int64_t anomalous;

	/* Scores are in units of the threshold when several thresholds were in
	 * force, and as they are when it was one. */
	bool relative;
	double threshold; /* in those units: 1 when relative */
	const float *scores;
	size_t n_scores; /* any order */
	const float *validation;
	size_t n_validation;
	const mmrd_report_spread *spread; /* for each period of the report */

	const mmrd_report_version *versions; /* newest first */
	int32_t n_versions;
	int32_t loss_version; /* whose training the epochs are */
	const mmrd_report_epoch *epochs;
	int32_t n_epochs; /* 0: not recorded */
} mmrd_report_model;

typedef struct mmrd_report_region
{
	int32_t x; /* pixels of the photo */
	int32_t y;
	int32_t width;
	int32_t height;
	double peak; /* score of its worst pixel */
} mmrd_report_region;

typedef struct mmrd_report_scan
{
	const char *key;
	const char *when;
	const char *model;
	int32_t version;
	double score;
	double threshold;
	double area; /* share of the pixels over their threshold */
	bool anomalous;
	const char *note; /* why something is missing below */

	int32_t width; /* pixels of the photo as it was scored */
	int32_t height;
	const uint8_t *photo; /* PNG, of any size */
	size_t photo_bytes;   /* 0: there is none */
	const uint8_t *overlay;
	size_t overlay_bytes;
	const mmrd_report_region *regions; /* highest peak first */
	int32_t n_regions;
	int32_t regions_found; /* n_regions and those left out */
} mmrd_report_scan;

typedef struct mmrd_report_failure
{
	const char *key;
	const char *when;
	const char *error;
} mmrd_report_failure;

typedef struct mmrd_report
{
	const char *title;
	const char *source; /* the table */
	const char *from;   /* when it begins and ends */
	const char *to;
	const char *made;         /* when the page was made, and the time zone */
	const char *unit;         /* "hour", "day", "week" or "month" */
	const char *code_version; /* of mmrd */

	const mmrd_report_period *periods; /* oldest first, none left out */
	int32_t n_periods;

	int64_t scans; /* with a score */
	int64_t anomalous;
	int64_t failed;
	int64_t waiting;           /* to be scored; -1: nobody waits by itself */
	int64_t earlier_scans;     /* in as much time before; 0: nothing known */
	int64_t earlier_anomalous; /* among those */
	double median_ms;          /* to score one scan */
	double high_ms;            /* 95 % take less */

	const mmrd_report_model *models; /* most scans first */
	int32_t n_models;
	int32_t models_left;           /* that are not shown */
	const mmrd_report_scan *worst; /* worst first */
	int32_t n_worst;
	const mmrd_report_failure *failures; /* newest first */
	int32_t n_failures;
} mmrd_report;

/*
 * Write the page.
 *
 * html		out: n_bytes of ASCII and a zero, which the caller owns and
 *			releases with free(); NULL on failure
 *
 * Returns MMRD_NO_MEMORY.  Any number of calls may run at once.
 */
mmrd_status mmrd_report_write(const mmrd_report *report, char **html,
                              size_t *n_bytes, mmrd_error *err);

#endif /* MMRD_REPORT_H */
