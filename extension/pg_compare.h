/*
 * extension/pg_compare.h
 *	  deploy => 'if_better': is a new version better than the deployed one?
 */
#ifndef MMRD_PG_COMPARE_H
#define MMRD_PG_COMPARE_H

#include "extension/pg_judge.h"
#include "extension/pg_store.h"

/* What is known of the new version, and where the validation scans are. */
typedef struct mmrd_pg_candidate
{
	const mmrd_pg_options *options;
	const mmrd_pg_calibration *calibration;
	const mmrd_pg_quality *quality; /* all NaN without labels */
	const mmrd_pg_source *source;   /* without label and mask */
	const char *validation;         /* NULL: there are no labels either */
} mmrd_pg_candidate;

typedef struct mmrd_pg_comparison
{
	bool better; /* deploy it */
	char *why;   /* whole sentences with the numbers */
} mmrd_pg_comparison;

/*
 * Compare with `deployed`.  With labelled scans of both classes, whose image
 * AUROC is higher, and if that is equal, whose AUPRO is; the deployed version
 * then scores the validation scans anew.  Normal scans alone cannot tell
 * which of two versions is better: without labels, and where both numbers are
 * equal, the new one is taken.  One whose threshold says nothing never is.
 */
extern void mmrd_pg_compare(const mmrd_pg_candidate *candidate,
                            const mmrd_pg_version *deployed,
                            mmrd_pg_comparison *out);

#endif /* MMRD_PG_COMPARE_H */
