/*
 * model/kernel/gemm.c
 *	  The only file that includes cblas.h.
 *
 * OpenBLAS maps 128 MB of address space for each product that runs at the
 * same time as others, two of them as soon as it is loaded, and goes round in
 * circles for ever where that fails: under a limit on address space, or where
 * the system promises no more memory than it has.  Nothing could end such a
 * session but kill -9.  So it is loaded by hand, after a look at whether there
 * is room, and made to map what it will need before it needs it.
 */
#define _GNU_SOURCE
#include "model/kernel/gemm.h"

#include <cblas.h>
#include <dlfcn.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define TEXT_OF(name) #name
#define NAME_OF(name) TEXT_OF(name) /* of what a macro makes of it */

enum
{
	MB = 1 << 20,
	BUFFER_BYTES = 128 * MB,
	LIBRARY_BYTES = 40 * MB + 2 * BUFFER_BYTES, /* loaded for one thread */
	SPARE_BYTES = 128 * MB, /* that are left to others by all but the first */
	MAX_BUFFERS = 256       /* as there are threads, see threads.c */
};

static struct
{
	void *library; /* NULL: not loaded */
	__typeof__(cblas_sgemm) *sgemm;
	__typeof__(openblas_get_parallel) *get_parallel;
	__typeof__(openblas_set_num_threads) *set_num_threads;
	/* Not declared anywhere; other builds may lack them: NULL. */
	void *(*take_buffer)(int purpose);
	void (*give_buffer)(void *buffer);
	int n_buffers; /* that exist */
} blas;

/* Could so much be mapped now? */
static bool
has_room(size_t n_bytes)
{
	void *p = mmap(NULL, n_bytes, PROT_READ | PROT_WRITE,
	               MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return false;
	munmap(p, n_bytes);
	return true;
}

/* It reads the variable when it is loaded: a buffer for each thread. */
static void *
load_for_one_thread(void)
{
	static const char name[] = "OPENBLAS_NUM_THREADS";
	const char *value = getenv(name);
	char *before = value == NULL ? NULL : strdup(value);
	void *library;

	if (value != NULL && before == NULL)
		return NULL;
	setenv(name, "1", 1);
	library = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL);
	if (before == NULL)
		unsetenv(name);
	else
		setenv(name, before, 1);
	free(before);
	return library;
}

/* A function's address, which ISO C does not let a void pointer be. */
static bool
find_function(void *library, const char *name, void *function)
{
	void *address = dlsym(library, name);

	memcpy(function, &address, sizeof(address));
	return address != NULL;
}

static mmrd_status
load(mmrd_error *err)
{
	const char *reason;
	void *library;

	if (!has_room(LIBRARY_BYTES))
		return mmrd_fail_memory(err, LIBRARY_BYTES);
	library = load_for_one_thread();
	if (library == NULL ||
	    !find_function(library, NAME_OF(cblas_sgemm), &blas.sgemm) ||
	    !find_function(library, "openblas_get_parallel", &blas.get_parallel) ||
	    !find_function(library, "openblas_set_num_threads",
	                   &blas.set_num_threads))
	{
		reason = dlerror();
		(void) mmrd_fail(err, MMRD_UNSUPPORTED, "could not load OpenBLAS");
		mmrd_detail(err, "%s", reason == NULL ? "Unknown reason." : reason);
		mmrd_hint(err, "Install OpenBLAS, in Debian the package "
		               "libopenblas0-openmp.");
		if (library != NULL)
			dlclose(library);
		return err->status;
	}
	if (!find_function(library, "blas_memory_alloc", &blas.take_buffer) ||
	    !find_function(library, "blas_memory_free", &blas.give_buffer))
		blas.take_buffer = NULL;
	blas.set_num_threads(1);
	blas.library = library;
	return MMRD_OK;
}

mmrd_status
mmrd_gemm_start(mmrd_error *err)
{
	if (blas.library == NULL)
		MMRD_TRY(load(err));
	if (mmrd_gemm_reserve(1) < 1)
		return mmrd_fail_memory(err, BUFFER_BYTES);
	return MMRD_OK;
}

/* Taken all at once, so that as many exist afterwards. */
int
mmrd_gemm_reserve(int n)
{
	void *taken[MAX_BUFFERS];
	int made = 0;

	if (n > MAX_BUFFERS)
		n = MAX_BUFFERS;
	if (blas.library == NULL || blas.take_buffer == NULL ||
	    n <= blas.n_buffers)
		return n;
	while (made < n &&
	       (made < blas.n_buffers ||
	        has_room(BUFFER_BYTES + (made == 0 ? 0 : SPARE_BYTES))))
		taken[made++] = blas.take_buffer(0);
	for (int i = 0; i < made; i++)
		blas.give_buffer(taken[i]);
	blas.n_buffers = made;
	return made;
}

const char *
mmrd_gemm_library_threads(void)
{
	switch (blas.get_parallel())
	{
		case OPENBLAS_SEQUENTIAL:
			return "serial";
		case OPENBLAS_THREAD:
			return "pthreads";
		default:
			return "openmp";
	}
}

void
mmrd_gemm(bool ta, bool tb, int M, int N, int K, const float *A, int lda,
          const float *B, int ldb, float beta, float *C, int ldc)
{
	blas.sgemm(CblasRowMajor, ta ? CblasTrans : CblasNoTrans,
	           tb ? CblasTrans : CblasNoTrans, M, N, K, 1.0f, A, lda, B, ldb,
	           beta, C, ldc);
}
