/*
 * extension/pg_drain.h
 *	  One batch of the scans of a source that wait.
 */
#ifndef MMRD_PG_DRAIN_H
#define MMRD_PG_DRAIN_H

#include "extension/pg_compat.h"

typedef struct mmrd_pg_progress
{
	int64 after;   /* ids up to this one were looked at */
	int64 results; /* written */
	int64 settled; /* rows of mmrd.pending that are done with */
} mmrd_pg_progress;

/*
 * Claim at most n waiting scans of a source, score them, write their results:
 * within this transaction, with the caller's rights on the source.  False
 * when there was nothing to claim.
 *
 * asked	the caller named this source: throw what is wrong with it;
 *			otherwise one that is not there, or not the caller's to read, is
 *			passed over
 */
extern bool mmrd_pg_drain_batch(Oid source, bool asked, int n,
                                mmrd_pg_progress *progress);

/* The attached tables, an array in the current memory context. */
extern Oid *mmrd_pg_attached(int *n);

#endif /* MMRD_PG_DRAIN_H */
