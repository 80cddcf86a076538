/*
 * client/scan_copy.h
 *	  Scans to the server, by COPY in binary form.
 */
#ifndef MMRD_SCAN_COPY_H
#define MMRD_SCAN_COPY_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

#include "client/load_report.h"
#include "client/scan_table.h"

/* Set by Ctrl-C: finish the chunk, then stop. */
extern volatile sig_atomic_t mmrd_load_interrupted;

/*
 * Send the scans listed, in chunks that are one transaction each: a run that
 * is killed loses one chunk and can be repeated.  Bad scans, and rows that
 * the server refuses one by one, are added to the report.
 *
 * False, and the reason said, when it had to stop: the connection, the disk,
 * a right is missing.
 */
bool mmrd_scans_copy(PGconn *conn, const mmrd_scan_table *table,
                     const mmrd_dataset *set, const size_t *scans,
                     size_t n_scans, bool quiet, mmrd_load_report *report);

/* Read and check the scans as above, and send nothing. */
bool mmrd_scans_check(const mmrd_dataset *set, bool quiet,
                      mmrd_load_report *report);

#endif /* MMRD_SCAN_COPY_H */
