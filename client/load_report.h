/*
 * client/load_report.h
 *	  What became of the scans, for the end of the run.
 */
#ifndef MMRD_LOAD_REPORT_H
#define MMRD_LOAD_REPORT_H

#include <stddef.h>

#include "loader/dataset/dataset.h"

typedef struct mmrd_load_bad
{
	char *path;
	char *message;
} mmrd_load_bad;

typedef struct mmrd_load_report
{
	size_t n_loaded;  /* or, in a dry run, would be */
	size_t n_present; /* skipped: had a row already */
	size_t n_bad;
	size_t n_listed; /* of them; less only where memory ran out */
	size_t room;
	mmrd_load_bad *bad;
} mmrd_load_report;

/* Both texts are copied. */
void mmrd_report_bad(mmrd_load_report *report, const char *path,
                     const char *message, const char *detail);

/* List the bad ones on stderr. */
void mmrd_report_list_bad(const mmrd_load_report *report);

/* What a set has, one line per category, split and defect, on stdout. */
void mmrd_report_set(const mmrd_dataset *set);

void mmrd_report_clear(mmrd_load_report *report);

#endif /* MMRD_LOAD_REPORT_H */
