/*
 * extension/pg_tensors.h
 *	  mmrd.tensors and mmrd.prototypes: weights in and out.
 *
 * Everything here runs between mmrd_pg_access_begin() and _end(), and throws
 * on failure.
 */
#ifndef MMRD_PG_TENSORS_H
#define MMRD_PG_TENSORS_H

#include "extension/pg_glue.h"
#include "model/mmrd.h"

typedef struct mmrd_pg_teacher
{
	int32 id;
	char *name;
	mmrd_arch arch;
	bool builtin; /* ships with the extension: pg_builtin.h */
} mmrd_pg_teacher;

/*
 * The tensors of a version, or of a teacher alone, as the core asks for them.
 * One tensor at a time is in memory.  PostgreSQL may raise an error while the
 * table is read, which must not jump over the core's frames: the lookup keeps
 * it and returns a failure, and mmrd_pg_tensors_check() raises it again.
 */
typedef struct mmrd_pg_tensors
{
	int64 version; /* 0: the teacher alone, under torchvision's names */
	mmrd_pg_teacher teacher;
	MemoryContext memory;        /* of the tensor looked up last */
	mmrd_weights_source builtin; /* weights NULL unless it is that teacher */
	ErrorData *error;
} mmrd_pg_tensors;

/* config: the network they are for.  Lives until owner is reset. */
extern mmrd_pg_tensors *mmrd_pg_tensors_open(int64 version,
                                             const mmrd_pg_teacher *teacher,
                                             const mmrd_config *config,
                                             MemoryContext owner);

/* The lookup of model/base/tensor.h; context is the mmrd_pg_tensors. */
extern mmrd_status mmrd_pg_tensors_lookup(void *context, const char *name,
                                          mmrd_tensor *out, bool *found,
                                          mmrd_error *err);

/*
 * After the core call that used the lookup: throw what stopped it, if
 * anything did.
 */
extern void mmrd_pg_tensors_check(mmrd_pg_tensors *tensors, mmrd_status st,
                                  const mmrd_error *err);

/*
 * Insert a teacher's tensors, under torchvision's names, one at a time as a
 * file (or whatever lookup reads) gives them.  shapes:
 * mmrd_weights_describe().
 */
extern void mmrd_pg_tensors_store_teacher(int32 teacher,
                                          const mmrd_weights *shapes,
                                          mmrd_tensor_lookup lookup,
                                          void *context);

/*
 * Insert all that a version does not share: statistics, student, prototypes.
 * rounded: mmrd_weights_round() has been here, so keep in bfloat16 what it has
 * rounded.
 */
extern void mmrd_pg_tensors_store_version(int64 version,
                                          const mmrd_weights *weights,
                                          bool rounded);

#endif /* MMRD_PG_TENSORS_H */
