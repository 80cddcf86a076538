/*
 * extension/pg_attempts.h
 *	  Marks on scans that are being scored, which outlast a crash.
 */
#ifndef MMRD_PG_ATTEMPTS_H
#define MMRD_PG_ATTEMPTS_H

#include "extension/pg_pending.h"

enum
{
	MMRD_PG_MAX_ATTEMPTS = 3 /* then a scan is given up */
};

/*
 * Add `by` to the attempts of these rows, which this transaction has locked,
 * at once and for good: a rollback does not undo it.  durable: when this
 * returns, a crash does not undo it either.
 */
extern void mmrd_pg_attempts_add(const mmrd_pg_entry *entries, int n, int by,
                                 bool durable);

#endif /* MMRD_PG_ATTEMPTS_H */
