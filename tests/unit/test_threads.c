/*
 * tests/unit/test_threads.c
 *	  The pool: its size, its signal masks, its end, and what happens when
 *	  threads cannot be created.  Reads /proc/self/task.
 */
#define _GNU_SOURCE
#include "model/base/threads.h"

#include <dirent.h>
#include <inttypes.h>
#include <omp.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/check.h"

/*
 * Nobody can block SIGKILL (9) and SIGSTOP (19), and glibc keeps 32 and 33,
 * which it uses between its own threads, out of every mask.
 */
static const uint64_t NEVER_BLOCKED = UINT64_C(1) << 8 | UINT64_C(1) << 18 |
                                      UINT64_C(1) << 31 | UINT64_C(1) << 32;

/* The blocked signals of one thread; all of them when it is gone. */
static uint64_t
blocked_signals(const char *task)
{
	char path[300];
	char line[256];
	uint64_t mask = UINT64_MAX;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%s/status", task);
	f = fopen(path, "r");
	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		if (sscanf(line, "SigBlk: %" SCNx64, &mask) == 1)
			break;
	if (f != NULL)
		fclose(f);
	return mask;
}

/* Number of threads; *open counts the others that leave a signal unblocked. */
static int
look(int *open)
{
	DIR *dir = opendir("/proc/self/task");
	const long self = getpid();
	struct dirent *entry;
	int n = 0;

	*open = 0;
	while (dir != NULL && (entry = readdir(dir)) != NULL)
	{
		if (entry->d_name[0] == '.')
			continue;
		n++;
		if (strtol(entry->d_name, NULL, 10) != self &&
		    (blocked_signals(entry->d_name) | NEVER_BLOCKED) != UINT64_MAX)
			(*open)++;
	}
	if (dir != NULL)
		closedir(dir);
	return n;
}

/* A joined thread may be listed a moment longer: ask for up to 5 s. */
static int
settled_count(int want)
{
	int open;

	for (int i = 0; i < 500 && look(&open) != want; i++)
		nanosleep(&(struct timespec){0, 10000000}, NULL);
	return look(&open);
}

static int
region_size(int n)
{
	int size = 0;

#pragma omp parallel num_threads(n)
#pragma omp single
	size = omp_get_num_threads();
	return size;
}

static void
check_pool(int n)
{
	sigset_t before;
	sigset_t after;
	int open;

	pthread_sigmask(SIG_SETMASK, NULL, &before);
	CHECK(mmrd_threads_start(n) == n, "no %d threads", n);
	CHECK(mmrd_threads() == n, "%d threads, want %d", mmrd_threads(), n);
	pthread_sigmask(SIG_SETMASK, NULL, &after);
	for (int s = 1; s < NSIG; s++)
		CHECK(sigismember(&before, s) == sigismember(&after, s),
		      "the caller's mask changed at signal %d", s);
	CHECK(settled_count(n) == n, "%d threads exist, want %d", settled_count(n),
	      n);
	look(&open);
	CHECK(open == 0, "%d threads of %d leave a signal unblocked", open, n);
	/* Regions use these threads, and make no new ones. */
	CHECK(region_size(mmrd_threads()) == n, "a region has %d threads",
	      region_size(n));
	CHECK(settled_count(n) == n && (look(&open), open == 0),
	      "a region changed the pool");
}

static void
test_pool(void)
{
	int open;

	CHECK(mmrd_threads() == 1, "starts at %d", mmrd_threads());
	CHECK(look(&open) == 1, "%d threads before the start", look(&open));
	check_pool(2);
	check_pool(5);
	check_pool(5);
	check_pool(3); /* smaller */
	check_pool(4); /* larger again */
	mmrd_threads_stop();
	CHECK(settled_count(1) == 1, "%d threads after the stop", look(&open));
	CHECK(mmrd_threads() == 1, "%d after the stop", mmrd_threads());
	mmrd_threads_stop(); /* nothing to stop */
	check_pool(3);
	CHECK(mmrd_threads_start(1) == 1 && mmrd_threads() == 1, "back to one");
	CHECK(region_size(mmrd_threads()) == 1, "a region of one has more");
	check_pool(3);
	mmrd_threads_stop();
	CHECK(settled_count(1) == 1, "%d threads after the stop", look(&open));
}

static void
test_set(void)
{
	cpu_set_t set;

	mmrd_threads_set(0);
	CHECK(mmrd_threads() == 1, "0 became %d", mmrd_threads());
	mmrd_threads_set(-5);
	CHECK(mmrd_threads() == 1, "-5 became %d", mmrd_threads());
	mmrd_threads_set(100000);
	CHECK(mmrd_threads() == 256, "100000 became %d", mmrd_threads());
	mmrd_threads_set(1);
	CHECK(sched_getaffinity(0, sizeof(set), &set) == 0 &&
	          mmrd_threads_available() == CPU_COUNT(&set),
	      "%d cores available", mmrd_threads_available());
}

#ifndef __SANITIZE_ADDRESS__ /* it needs address space of its own */

static long
address_space_bytes(void)
{
	FILE *f = fopen("/proc/self/statm", "r");
	long pages = 0;

	if (f == NULL || fscanf(f, "%ld", &pages) != 1)
		pages = 0;
	if (f != NULL)
		fclose(f);
	return pages * sysconf(_SC_PAGESIZE);
}

/*
 * With room for a few stacks only, the pool is smaller than asked for, works,
 * and the process lives: in a child, because a limit cannot be raised again.
 * The child exits with the size it got.
 */
static void
test_no_room(void)
{
	int status = 0;
	const pid_t child = fork();

	if (child == 0)
	{
		struct rlimit limit;
		int n;

		limit.rlim_cur = (rlim_t) address_space_bytes() + (64 << 20);
		limit.rlim_max = limit.rlim_cur;
		if (setrlimit(RLIMIT_AS, &limit) != 0)
			_exit(100);
		n = mmrd_threads_start(64);
		if (n != mmrd_threads() || region_size(n) != n)
			_exit(101);
		_exit(n);
	}
	CHECK(child > 0 && waitpid(child, &status, 0) == child, "no child");
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) > 1 &&
	          WEXITSTATUS(status) < 64,
	      "wait status 0x%x: not a pool of 2 to 63 threads", status);
}

#else

static void
test_no_room(void)
{
}

#endif

int
main(void)
{
	const char *preload = getenv("LD_PRELOAD");

	if (preload != NULL && strstr(preload, "vgpreload") != NULL)
	{
		fprintf(stderr, "valgrind gives threads signal masks of its own\n");
		return CHECK_SKIPPED;
	}
	test_no_room();
	test_pool();
	test_set();
	return check_result();
}
