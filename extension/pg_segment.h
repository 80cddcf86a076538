/*
 * extension/pg_segment.h
 *	  Segments of dynamic shared memory that hold one packed model each.
 *
 * A mapping lives as long as the session unless it is given back.  Once
 * published, a segment outlives its sessions until it is forgotten, and then
 * goes with its last mapping.
 */
#ifndef MMRD_PG_SEGMENT_H
#define MMRD_PG_SEGMENT_H

#include "extension/pg_compat.h"
#include "storage/dsm.h"

/*
 * A new segment, mapped here, 64-byte aligned; its contents are unspecified.
 * NULL where shared memory is short; *why then says so, in the current
 * memory context.  Unless published it goes with this session.
 */
extern dsm_segment *mmrd_pg_segment_create(Size n_bytes, char **why);

/* It is complete: others may attach from now on, and nobody may write. */
extern void mmrd_pg_segment_publish(dsm_segment *segment);

/* A published segment, mapped here for reading; NULL and *why as above. */
extern dsm_segment *mmrd_pg_segment_attach(dsm_handle handle, char **why);

/* Unmap it here. */
extern void mmrd_pg_segment_detach(dsm_segment *segment);

/* A published segment goes as soon as nobody has it mapped. */
extern void mmrd_pg_segment_forget(dsm_handle handle);

#endif /* MMRD_PG_SEGMENT_H */
