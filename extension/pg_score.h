/*
 * extension/pg_score.h
 *	  Which version scores, and what the numbers of a score mean.
 */
#ifndef MMRD_PG_SCORE_H
#define MMRD_PG_SCORE_H

#include "extension/pg_store.h"

/*
 * The version that a call means: of the model named, else of the setting
 * mmrd.model, else of the only model that is deployed; as the active snapshot
 * sees it, in the memory of owner.  Errors name what there is.
 */
extern mmrd_pg_version *mmrd_pg_version_wanted(const char *model,
                                               MemoryContext owner);

/*
 * The same without the setting, for a role that may not be the caller: `user`
 * is who must be allowed to use the model.
 */
extern mmrd_pg_version *mmrd_pg_version_for(const char *model, Oid user,
                                            MemoryContext owner);

/* Throw unless the call gives exactly the model's modalities. */
extern void mmrd_pg_check_modalities(const mmrd_pg_version *version,
                                     bool has_aux, bool has_aux2);

#endif /* MMRD_PG_SCORE_H */
