/*
 * client/scan_table.h
 *	  The table that scans are loaded into.
 */
#ifndef MMRD_SCAN_TABLE_H
#define MMRD_SCAN_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "client/connection.h"

typedef struct mmrd_scan_table
{
	char *name;                    /* schema and table, quoted for SQL */
	char *id;                      /* the key's column, quoted for SQL */
	bool fills[MMRD_LOAD_COLUMNS]; /* columns that are there */
	char *copy;                    /* COPY ... FROM STDIN of those columns */
} mmrd_scan_table;

/*
 * Find the table, or create it, and see that it can take the scans of a set:
 * columns that are needed are there and have the right type, and the id is
 * unique by itself.  A column that is merely useful may be missing: that is
 * said, and it is not filled.
 *
 * False, and the reason said, when it cannot be used.  The caller releases it
 * with mmrd_scan_table_clear() in either case.
 */
bool mmrd_scan_table_open(PGconn *conn, const mmrd_load_options *options,
                          const mmrd_dataset *set, mmrd_scan_table *out);

void mmrd_scan_table_clear(mmrd_scan_table *table);

/*
 * Which scans of a set, among those listed, have a row already: present[i] is
 * set for scan i, others are left alone.  False, the reason said, on failure.
 */
bool mmrd_scan_table_present(PGconn *conn, const mmrd_scan_table *table,
                             const mmrd_dataset *set, const size_t *scans,
                             size_t n_scans, bool *present);

#endif /* MMRD_SCAN_TABLE_H */
