/*
 * model/base/threads.c
 *	  The one thread pool of the process.
 *
 * libgomp creates its threads on the first parallel region that needs them
 * and keeps them.  A new thread inherits the signal mask of its creator, so
 * that region is run here, under a full mask.  libgomp ends the process when
 * it cannot create a thread or allocate a little memory; therefore we first
 * create as many plain threads and a few to spare, all alive at once, wait
 * until the system has forgotten them, and ask for a pool of the size that
 * worked.  The spare ones are for other processes of the same user: they may
 * start in between, and count against the same limit.
 */
#define _GNU_SOURCE
#include "model/base/threads.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#ifdef _OPENMP
#include <omp.h>
#endif

enum
{
	MAX_THREADS = 256,
	SPARE_THREADS = 2,
	SPARE_BYTES = 96 << 10, /* more than libgomp allocates for the largest */
	FORGET_NAPS = 10000,    /* of 0.1 ms: if ever it does not forget one */
};

static int n_threads = 1;
static int n_started = 1;

int
mmrd_threads(void)
{
	return n_threads;
}

void
mmrd_threads_set(int n)
{
	n_threads = n < 1 ? 1 : n > MAX_THREADS ? MAX_THREADS : n;
}

int
mmrd_threads_available(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) != 0)
		return 1;
	return CPU_COUNT(&set) < 1 ? 1 : CPU_COUNT(&set);
}

/* Trial threads wait here until all of them exist. */
typedef struct trial
{
	pthread_mutex_t lock;
	pthread_cond_t go;
	bool released;
	int n;
	pid_t tids[MAX_THREADS + SPARE_THREADS];
} trial;

static void *
wait_for_release(void *arg)
{
	trial *t = arg;

	pthread_mutex_lock(&t->lock);
	t->tids[t->n++] = (pid_t) syscall(SYS_gettid);
	while (!t->released)
		pthread_cond_wait(&t->go, &t->lock);
	pthread_mutex_unlock(&t->lock);
	return NULL;
}

/*
 * A thread that was joined has ended, but the kernel counts it a little
 * longer; libgomp would meet a limit that is not there any more.
 */
static void
wait_until_forgotten(const trial *t)
{
	const struct timespec nap = {0, 100000};
	int naps = 0;

	for (int i = 0; i < t->n; i++)
		while (syscall(SYS_tgkill, getpid(), t->tids[i], 0) == 0 &&
		       naps++ < FORGET_NAPS)
			nanosleep(&nap, NULL);
}

/*
 * How many of n extra threads can exist at once, a few to spare where there
 * are fewer; signals are blocked.
 */
static int
threads_creatable(int n)
{
	trial t = {.lock = PTHREAD_MUTEX_INITIALIZER,
	           .go = PTHREAD_COND_INITIALIZER};
	pthread_t ids[MAX_THREADS + SPARE_THREADS];
	void *spare = NULL;
	int made = 0;

	while (made < n + SPARE_THREADS &&
	       pthread_create(&ids[made], NULL, wait_for_release, &t) == 0)
		made++;
	spare = malloc(SPARE_BYTES);
	pthread_mutex_lock(&t.lock);
	t.released = true;
	pthread_cond_broadcast(&t.go);
	pthread_mutex_unlock(&t.lock);
	for (int i = 0; i < made; i++)
		pthread_join(ids[i], NULL);
	wait_until_forgotten(&t);
	if (spare == NULL)
		return 0;
	free(spare);
	return made > SPARE_THREADS ? made - SPARE_THREADS : 0;
}

int
mmrd_threads_start(int n)
{
	mmrd_threads_set(n);
#ifdef _OPENMP
	/*
	 * A smaller team makes libgomp end the threads it has too many, and the
	 * next larger one creates them again: any change of size is made here.
	 */
	if (n_threads > 1 && n_threads != n_started)
	{
		sigset_t all;
		sigset_t before;
		int size = 1;

		sigfillset(&all);
		if (pthread_sigmask(SIG_SETMASK, &all, &before) != 0)
		{
			n_threads = n_started;
			return n_threads;
		}
		if (n_threads > n_started)
			n_threads = n_started + threads_creatable(n_threads - n_started);
		omp_set_dynamic(0);
#pragma omp parallel num_threads(n_threads)
		{
#pragma omp single
			size = omp_get_num_threads();
		}
		pthread_sigmask(SIG_SETMASK, &before, NULL);
		n_started = size;
		n_threads = size;
	}
#else
	n_threads = 1;
#endif
	return n_threads;
}

void
mmrd_threads_stop(void)
{
#ifdef _OPENMP
	if (n_started > 1)
		omp_pause_resource_all(omp_pause_soft); /* joins them: gcc 9 and up */
#endif
	n_started = 1;
	n_threads = 1;
}
