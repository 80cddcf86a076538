/*
 * extension/pg_scans.h
 *	  Reading scans from a user's table, as the caller: with the caller's
 *	  rights, search path and row security.
 */
#ifndef MMRD_PG_SCANS_H
#define MMRD_PG_SCANS_H

#include "extension/pg_glue.h"
#include "model/net/config.h"

enum
{
	MMRD_PG_MAX_EXTRA = 2,
	MMRD_PG_DIGEST_BYTES = 32 /* SHA-256 */
};

/* A table (or view, ...) and which of its columns hold what. */
typedef struct mmrd_pg_source
{
	Oid relation;
	char *name;   /* for messages */
	char *quoted; /* for SQL: schema and name */
	int n_modalities;
	char *column[MMRD_MAX_MODALITIES];
	int n_extra; /* further columns to read: a label, a mask */
	char *extra[MMRD_PG_MAX_EXTRA];
} mmrd_pg_source;

/* Argument n, a name, palloc'd; NULL for NULL. */
extern char *mmrd_pg_name_argument(FunctionCallInfo fcinfo, int n);

/*
 * Throw when argument n, the relation with the scans, is NULL.  what: the
 * kinds of relation that the function takes, for the hint.
 */
extern void mmrd_pg_need_source(FunctionCallInfo fcinfo, int n,
                                const char *what);

/*
 * Name the columns of the modalities; aux and aux2 may be NULL (not there).
 * A relation that cannot be read from, a column that is missing or not bytea,
 * aux2 without aux: errors that name it.
 */
extern void mmrd_pg_source_init(mmrd_pg_source *source, Oid relation,
                                const char *rgb, const char *aux,
                                const char *aux2);

/* Also read this column, which must have that type. */
extern void mmrd_pg_source_add(mmrd_pg_source *source, const char *column,
                               Oid type);

/*
 * The SELECT for the rows where every condition that is not NULL holds
 * (`wanted`) and `excluded`, when not NULL, does not.  Conditions are SQL that
 * the caller wrote.  ordered: by the SHA-256 of the images, which are then
 * read too.
 */
extern char *mmrd_pg_source_query(const mmrd_pg_source *source,
                                  const char *wanted, const char *excluded,
                                  bool ordered);

typedef struct mmrd_pg_scan
{
	const struct varlena *modality[MMRD_MAX_MODALITIES]; /* detoasted */
	const uint8 *digest[MMRD_MAX_MODALITIES]; /* NULL unless ordered */
	Datum extra[MMRD_PG_MAX_EXTRA];
	bool extra_null[MMRD_PG_MAX_EXTRA];
} mmrd_pg_scan;

/*
 * Called for each scan whose images are all there, in a memory context that
 * is reset afterwards.  May throw.
 */
typedef void (*mmrd_pg_scan_take)(void *context, const mmrd_pg_scan *scan);

/*
 * Run a query of mmrd_pg_source_query() with the active snapshot.  Returns
 * the number of scans taken; *skipped counts those with a NULL image.
 */
extern int64 mmrd_pg_scans_read(const mmrd_pg_source *source,
                                const char *query, bool ordered,
                                mmrd_pg_scan_take take, void *context,
                                int64 *skipped);

/*
 * Throw what went wrong with modality m of a scan, and say in which row: by
 * the digest of its image, since a table need not have a key.
 */
extern void mmrd_pg_scan_throw(const mmrd_pg_source *source,
                               const mmrd_pg_scan *scan, int m,
                               const mmrd_error *err) pg_attribute_noreturn();

/* Say, once, how many scans were skipped; nothing when none were. */
extern void mmrd_pg_scans_report_skipped(const mmrd_pg_source *source,
                                         int64 skipped);

#endif /* MMRD_PG_SCANS_H */
