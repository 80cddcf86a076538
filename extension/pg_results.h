/*
 * extension/pg_results.h
 *	  Results of scans: making one, and the rows of mmrd.results.
 */
#ifndef MMRD_PG_RESULTS_H
#define MMRD_PG_RESULTS_H

#include "datatype/timestamp.h"
#include "extension/pg_attachment.h"
#include "extension/pg_finding.h"
#include "portability/instr_time.h"

/* Versions that a transaction has looked up for an attachment. */
typedef struct mmrd_pg_versions
{
	const mmrd_pg_attachment *attachment;
	MemoryContext memory;
	struct mmrd_pg_version_entry *first;
} mmrd_pg_versions;

/*
 * The version for a scan whose row names this model; NULL: it names none, and
 * the attachment's counts.  Throws as mmrd_pg_version_for().
 */
extern const mmrd_pg_version *mmrd_pg_versions_get(mmrd_pg_versions *versions,
                                                   const char *model);

typedef struct mmrd_pg_result
{
	char *key;
	TimestampTz scored_at; /* before the scan was read */
	instr_time start;
	float elapsed_ms;
	char *error; /* NULL: there is a finding */
	char *model; /* NULL: not known */
	int32 version;
	mmrd_pg_finding finding;
	struct varlena *map; /* NULL: not kept */
} mmrd_pg_result;

/* Before the scan is read, in a snapshot taken afterwards. */
extern void mmrd_pg_result_begin(mmrd_pg_result *result, const char *key);

/*
 * Score a scan and fill in the rest.  What is wrong with its pictures becomes
 * result->error; everything else is thrown.  What result points to is in the
 * current memory context.
 *
 * bytes	of each modality in the attachment, detoasted; NULL: none
 * model	that its row names, or NULL
 */
extern void mmrd_pg_result_score(mmrd_pg_versions *versions,
                                 const struct varlena *const *bytes,
                                 int n_modalities, const char *model,
                                 mmrd_pg_result *result);

/* Nothing but an error.  The message is copied. */
extern void mmrd_pg_result_fail(mmrd_pg_result *result, const char *error);

/* ---- rows; these run between mmrd_pg_access_begin() and _end() ---- */

/*
 * Write a result.  replace: in place of an earlier one; else that, which can
 * only be newer, stays.
 */
extern void mmrd_pg_result_write(Oid source, const mmrd_pg_result *result,
                                 bool replace);

/*
 * Remove the result of a scan, if there is one.  wait: false leaves one alone
 * that somebody else is writing.
 */
extern void mmrd_pg_result_remove(Oid source, const char *key, bool wait);

/* Remove all results of a source. */
extern void mmrd_pg_results_forget(Oid source);

typedef struct mmrd_pg_earlier
{
	char *key;
	bool locked; /* by us; else somebody is writing it, or removing it */
} mmrd_pg_earlier;

/*
 * Lock the results of these scans, as far as there are any: the n there are,
 * in the memory of owner.  keys: an array of text.
 */
extern mmrd_pg_earlier *mmrd_pg_results_lock(Oid source, Datum keys, int *n,
                                             MemoryContext owner);

/* NOTIFY who waits for anomalous scans; after the result was written. */
extern void mmrd_pg_result_notify(const mmrd_pg_attachment *attachment,
                                  const mmrd_pg_result *result);

#endif /* MMRD_PG_RESULTS_H */
