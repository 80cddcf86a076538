/*
 * extension/pg_scan_query.h
 *	  One scan of an attached table, by its key, read as the caller.
 *
 * Nothing that the table's owner wrote runs here, apart from row security:
 * the equality of the key is that of its type, and no cast is involved.
 */
#ifndef MMRD_PG_SCAN_QUERY_H
#define MMRD_PG_SCAN_QUERY_H

#include "executor/spi.h"
#include "extension/pg_attachment.h"

typedef struct mmrd_pg_scan_query
{
	Oid key_type; /* of the column */
	int n_modalities;
	bool has_model;
	SPIPlanPtr plan; /* as long as SPI stays connected */
} mmrd_pg_scan_query;

/* Within SPI_connect() and SPI_finish(). */
extern void mmrd_pg_scan_query_prepare(Relation rel,
                                       const mmrd_pg_columns *columns,
                                       mmrd_pg_scan_query *out);

typedef struct mmrd_pg_scan_row
{
	const struct varlena *bytes[MMRD_MAX_MODALITIES]; /* NULL: none */
	char *model;                                      /* or NULL */
} mmrd_pg_scan_row;

/*
 * Read a scan with the active snapshot, into the current memory context.
 * False: the caller sees none of that key.
 */
extern bool mmrd_pg_scan_query_read(const mmrd_pg_scan_query *query,
                                    const char *key, mmrd_pg_scan_row *out);

#endif /* MMRD_PG_SCAN_QUERY_H */
