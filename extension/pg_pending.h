/*
 * extension/pg_pending.h
 *	  What waits to be scored: the rows of mmrd.pending.
 *
 * Every change of a scan adds a row; nothing but this table's own index pages
 * is touched for it, so those who insert scans never wait for those who score
 * them.  Who scores claims rows (locks them, as its transaction lasts), reads
 * the scans, writes results and deletes the rows.  The lock of a row is gone
 * when its session is, so nothing needs to be repaired after a crash.
 *
 * A scan that changes twice has two rows.  Only the older one can be claimed,
 * and whoever claims it takes the other with it: no two sessions ever work on
 * the same scan, so they cannot wait for each other's results.
 */
#ifndef MMRD_PG_PENDING_H
#define MMRD_PG_PENDING_H

#include "extension/pg_compat.h"
#include "storage/itemptr.h"
#include "storage/lockdefs.h"
#include "utils/relcache.h"

/* Add a row for a change of this scan.  Needs no right on the table. */
extern void mmrd_pg_pending_add(Oid source, const char *key);

/*
 * The rest runs between mmrd_pg_access_begin() and _end(), with
 * mmrd_pg_access_by_index().
 */

typedef struct mmrd_pg_entry
{
	int64 id;
	ItemPointerData at; /* where the row is, as long as it is locked */
	int32 attempts;
	char *key;
	bool has_result; /* for whoever claims to say: an earlier one */
} mmrd_pg_entry;

/*
 * Claim at most n rows of a source with ids over `after`, in order, that
 * nobody else has claimed; how many.  Keys are in the memory of owner.
 */
extern int mmrd_pg_pending_claim(Oid source, int64 after, int n,
                                 mmrd_pg_entry *out, MemoryContext owner);

/*
 * Where all rows of these scans are, claimed and newer ones, as the active
 * snapshot sees them; an array of tid in the memory of owner.
 */
extern Datum mmrd_pg_pending_rows(Oid source, const mmrd_pg_entry *entries,
                                  int n, MemoryContext owner);

/* Delete those rows, in the same transaction. */
extern void mmrd_pg_pending_delete(Oid source, Datum rows);

/* Delete all rows of a source; waits for those who have claimed some. */
extern void mmrd_pg_pending_forget(Oid source);

/* An array of their keys, in the current memory context. */
extern Datum mmrd_pg_pending_keys(const mmrd_pg_entry *entries, int n);

/* The table, opened; for pg_attempts.c. */
extern Relation mmrd_pg_pending_open(LOCKMODE mode);

#endif /* MMRD_PG_PENDING_H */
