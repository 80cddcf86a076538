/*
 * extension/pg_builtin.h
 *	  The teachers that ship with the extension.
 *
 * Each has a negative id, the same in every database, and never changes: what
 * is better gets another id, so that a model keeps the teacher it was trained
 * with, through dumps and upgrades.  The weights are in the core or in a file
 * that "make install" puts beside the extension's SQL, not in tables.
 */
#ifndef MMRD_PG_BUILTIN_H
#define MMRD_PG_BUILTIN_H

#include "extension/pg_compat.h"
#include "extension/pg_tensors.h"
#include "model/mmrd.h"

/*
 * Fill the tensors of roles TEACHER and TEACHER_STAT.  Throws when the file
 * is missing or is not the one that belongs to this library, and when the
 * library is too old to know the teacher.
 */
extern void mmrd_pg_builtin_load(const mmrd_pg_teacher *teacher,
                                 mmrd_weights *weights);

#endif /* MMRD_PG_BUILTIN_H */
