/*
 * extension/pg_glue.h
 *	  Joining the core to PostgreSQL: failures, ownership, interrupts.
 *
 * Using all three, in a function that must not leak when anything throws:
 *
 *	  mmrd_error err = {0};
 *	  mmrd_pg_owned *owned = mmrd_pg_own(CurrentMemoryContext, release);
 *	  mmrd_scorer *scorer = NULL;
 *	  mmrd_status st = mmrd_scorer_create(config, &mmrd_pg_stop, &scorer,
 *&err);
 *
 *	  owned->object = scorer;
 *	  MMRD_PG_CHECK(st, &err);
 */
#ifndef MMRD_PG_GLUE_H
#define MMRD_PG_GLUE_H

#include "extension/pg_compat.h"
#include "model/base/status.h"
#include "model/base/threads.h"
#include "utils/palloc.h"

/* Raise *err as an error of PostgreSQL.  Does not return. */
extern void mmrd_pg_throw(const mmrd_error *err) pg_attribute_noreturn();

/* The same; where, a line of context, may be NULL. */
extern void mmrd_pg_throw_where(const mmrd_error *err, char *where)
    pg_attribute_noreturn();

/* Throw unless the call returned MMRD_OK. */
#define MMRD_PG_CHECK(call, err)                                              \
	do                                                                        \
	{                                                                         \
		if ((call) != MMRD_OK)                                                \
			mmrd_pg_throw(err);                                               \
	} while (0)

/*
 * A core object that dies with a memory context.  The callback is in place
 * before the object exists, so no longjmp can fall between the two.
 */
typedef struct mmrd_pg_owned
{
	MemoryContextCallback callback;
	void *object; /* NULL until the caller stores one */
	void (*release)(void *object);
} mmrd_pg_owned;

extern mmrd_pg_owned *mmrd_pg_own(MemoryContext owner,
                                  void (*release)(void *object));

/* Release the object now; the context may live on. */
extern void mmrd_pg_release(mmrd_pg_owned *owned);

/*
 * n_bytes of malloc's memory, aligned to 64 bytes, that die with a memory
 * context; for what is too large for palloc's alignment and block sizes.
 * *owned, when not NULL, gets the handle for mmrd_pg_release().  Throws
 * "out of memory"; the contents are unspecified.
 */
extern void *mmrd_pg_allocate(MemoryContext owner, Size n_bytes,
                              mmrd_pg_owned **owned);

/*
 * The stop hook for a core call that may last: reads flags, throws nothing.
 * The training loop itself is here in extension/, one step per core call,
 * with CHECK_FOR_INTERRUPTS() between steps.
 */
extern const mmrd_stop mmrd_pg_stop;

#endif /* MMRD_PG_GLUE_H */
