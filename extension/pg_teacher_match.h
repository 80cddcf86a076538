/*
 * extension/pg_teacher_match.h
 *	  A teacher that came with a model: is it one of ours?
 */
#ifndef MMRD_PG_TEACHER_MATCH_H
#define MMRD_PG_TEACHER_MATCH_H

#include "extension/pg_tensors.h"

/*
 * The teacher whose convolutions and affine parameters are, bit by bit, those
 * of weights; that of the name `wanted` is tried first.  Where there is none,
 * a new one of that name, or of the model's, or of one made from it, with the
 * running statistics of the RGB modality, and a notice that says so.
 *
 * Between mmrd_pg_access_begin() and _end().  *out, in the memory of owner, is
 * locked against being dropped.
 */
extern void mmrd_pg_teacher_find_or_add(const char *wanted, const char *model,
                                        const mmrd_weights *weights, Oid by,
                                        MemoryContext owner,
                                        mmrd_pg_teacher *out);

#endif /* MMRD_PG_TEACHER_MATCH_H */
