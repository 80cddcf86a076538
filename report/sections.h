/*
 * report/sections.h
 *	  Parts of the page that have files of their own.
 */
#ifndef MMRD_SECTIONS_H
#define MMRD_SECTIONS_H

#include "report/page.h"
#include "report/report.h"

/* The style sheet, ours alone. */
const char *mmrd_report_style(void);

/* One model: its scores, drift, training and versions.  MMRD_NO_MEMORY. */
mmrd_status mmrd_report_put_model(mmrd_page *page, const mmrd_report *report,
                                  const mmrd_report_model *model,
                                  mmrd_error *err);

/* The worst scans, with pictures. */
void mmrd_report_put_worst(mmrd_page *page, const mmrd_report *report);

/* Scans without a score, and why. */
void mmrd_report_put_failures(mmrd_page *page, const mmrd_report *report);

#endif /* MMRD_SECTIONS_H */
