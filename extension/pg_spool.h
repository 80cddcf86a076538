/*
 * extension/pg_spool.h
 *	  Records of one size, by number: in memory, and what does not fit in a
 *	  temporary file.
 *
 * The file counts against temp_file_limit and goes away with the resource
 * owner that was current when it was made or, when it is to last, with the
 * spool's memory; at the latest with the process, or when the server starts.
 */
#ifndef MMRD_PG_SPOOL_H
#define MMRD_PG_SPOOL_H

#include "extension/pg_compat.h"

typedef struct mmrd_pg_spool mmrd_pg_spool;

/*
 * Lives in a context of its own below `owner`.  lasting: its file is not
 * closed at the end of a transaction, and none is needed to make it.
 */
extern mmrd_pg_spool *mmrd_pg_spool_create(MemoryContext owner,
                                           Size record_bytes,
                                           Size memory_bytes, bool lasting);

/* Add record number mmrd_pg_spool_count(); throws when the disk is full. */
extern void mmrd_pg_spool_add(mmrd_pg_spool *spool, const void *record);

extern int mmrd_pg_spool_count(const mmrd_pg_spool *spool);

/* Bytes of the records in memory, and of those in the file. */
extern Size mmrd_pg_spool_memory(const mmrd_pg_spool *spool);
extern Size mmrd_pg_spool_file(const mmrd_pg_spool *spool);

/*
 * Record `number`: where it lies in memory, or in buffer (record_bytes of
 * the caller's), into which it was read from the file.
 */
extern const void *mmrd_pg_spool_get(mmrd_pg_spool *spool, int number,
                                     void *buffer);

/* Release memory and file now. */
extern void mmrd_pg_spool_free(mmrd_pg_spool *spool);

#endif /* MMRD_PG_SPOOL_H */
