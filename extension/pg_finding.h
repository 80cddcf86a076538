/*
 * extension/pg_finding.h
 *	  One scan, scored, and what to think of it.
 */
#ifndef MMRD_PG_FINDING_H
#define MMRD_PG_FINDING_H

#include "extension/pg_engine.h"
#include "extension/pg_input.h"
#include "extension/pg_store.h"

typedef struct mmrd_pg_scored
{
	const mmrd_pg_version *version;
	mmrd_pg_engine *engine; /* its map is this scan's, until its next run */
	float score;
	int32 width; /* of the RGB image, pixels */
	int32 height;
} mmrd_pg_scored;

/*
 * Decode, prepare and score a scan.  What is wrong with a picture comes back
 * as a status, with the modality in prepared->failed; the rest is thrown.
 * mmrd_pg_threads_begin() was called before.
 *
 * bytes	of each modality of the version, detoasted
 */
extern mmrd_status mmrd_pg_scan_score(const mmrd_pg_version *version,
                                      const struct varlena *const *bytes,
                                      mmrd_pg_scored *out,
                                      mmrd_pg_prepared *prepared,
                                      mmrd_error *err);

/* Does a status say that this scan cannot be read, and others may be? */
extern bool mmrd_pg_is_scans_fault(mmrd_status st);

typedef struct mmrd_pg_finding
{
	float score;
	bool calibrated; /* else the rest is not known, and 0 */
	bool anomalous;
	float normalized;
	float threshold;
	float area; /* share of the pixels over the pixel threshold */
	int32 regions;
} mmrd_pg_finding;

extern void mmrd_pg_finding_of(const mmrd_pg_scored *scored,
                               mmrd_pg_finding *out);

/* The map, a value of the type mmrd_map, in the current memory context. */
extern struct varlena *mmrd_pg_finding_map(const mmrd_pg_scored *scored);

#endif /* MMRD_PG_FINDING_H */
