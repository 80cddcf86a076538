/*
 * extension/pg_threads.h
 *	  How many threads a call may use, and for how long they exist.
 *
 * A backend is single-threaded between statements.  The pool is started by
 * the first call of a statement that wants more than one thread and ended
 * when the statement's memory goes away, on success and on error alike: a
 * pool for each call would cost up to a few per cent of a score where there
 * are many cores, a pool that stays would be there for whatever the session
 * does next.  (A cursor that stays open keeps its statement, and the pool; a
 * function in PL/pgSQL may keep it until the transaction ends.  The threads
 * have every signal blocked and sleep, so this costs memory, not safety.)
 */
#ifndef MMRD_PG_THREADS_H
#define MMRD_PG_THREADS_H

#include "extension/pg_glue.h"

/*
 * Have up to `wanted` threads (0: as many as there are cores; always 1 in a
 * parallel worker) for the core calls that follow, until `statement` is reset
 * or deleted: usually fcinfo->flinfo->fn_mcxt.  How many it are is decided
 * anew at each call, by what mmrd.total_threads leaves to this session.
 */
extern void mmrd_pg_threads_begin(int wanted, MemoryContext statement);

#endif /* MMRD_PG_THREADS_H */
