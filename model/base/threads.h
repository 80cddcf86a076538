/*
 * model/base/threads.h
 *	  How many threads the kernels use, and when a long call should stop.
 *
 * Kernels open parallel regions with num_threads(mmrd_threads()).  The number
 * is a property of the process: a database session runs one call at a time.
 */
#ifndef MMRD_THREADS_H
#define MMRD_THREADS_H

#include <stdbool.h>

/* Threads for the regions that follow; at least 1.  Starts at 1. */
int mmrd_threads(void);
void mmrd_threads_set(int n);

/* Cores this process may run on (its affinity mask), at least 1. */
int mmrd_threads_available(void);

/*
 * Grow the pool of threads to n now, with every signal blocked, so that no
 * thread of the pool ever takes a signal meant for the caller.  Returns the
 * number of threads that a region of n really has: fewer when threads could
 * not be created.  Sets mmrd_threads() to it.
 */
int mmrd_threads_start(int n);

/* End the pool: afterwards the process has its first thread only. */
void mmrd_threads_stop(void);

/* Asked between blocks of a long call, on the calling thread: stop? */
typedef struct mmrd_stop
{
	bool (*asked)(void *context); /* NULL: never */
	void *context;
} mmrd_stop;

#endif /* MMRD_THREADS_H */
