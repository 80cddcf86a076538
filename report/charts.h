/*
 * report/charts.h
 *	  The charts of the page.
 */
#ifndef MMRD_CHARTS_H
#define MMRD_CHARTS_H

#include "report/page.h"
#include "report/report.h"

/* Scans of each period, and below them, on the same scale, the share that is
 * anomalous. */
void mmrd_chart_periods(mmrd_page *page, const mmrd_report *report);

/*
 * How the scores are spread, over those of the validation scans, with the
 * threshold.  Both ascending; not both empty.
 */
void mmrd_chart_scores(mmrd_page *page, const mmrd_report_model *model,
                       const float *scores, size_t n_scores,
                       const float *validation, size_t n_validation);

/* The scores of each period, against where those of the validation scans
 * lie; validation ascending. */
void mmrd_chart_spread(mmrd_page *page, const mmrd_report *report,
                       const mmrd_report_model *model, const float *validation,
                       size_t n_validation);

/* The loss of each epoch; nothing where there is none. */
void mmrd_chart_loss(mmrd_page *page, const mmrd_report_model *model);

#endif /* MMRD_CHARTS_H */
