/*
 * model/kernel/gemm.h
 *	  Matrix products; wraps OpenBLAS.
 *
 * Always on the calling thread: parallel kernels call it from inside their
 * own regions, with blocks of fixed size, so that no bit depends on the number
 * of threads.
 */
#ifndef MMRD_GEMM_H
#define MMRD_GEMM_H

#include <stdbool.h>

#include "model/base/status.h"

/*
 * Load the library, single-threaded.  Idempotent; call it before the first
 * product, from the main thread.  MMRD_NO_MEMORY where there is no room for
 * it, MMRD_UNSUPPORTED where there is no such library.
 */
mmrd_status mmrd_gemm_start(mmrd_error *err);

/*
 * Make room for products on n threads at the same time.  Returns on how many
 * there may be: fewer when address space is short, and then more would hang.
 * Outside parallel regions, after mmrd_gemm_start(); before it there is
 * nothing to do and all n are allowed.
 */
int mmrd_gemm_reserve(int n);

/* How the library that was loaded runs threads: "serial", "pthreads",
 * "openmp"; pthreads is the one that a server should not load. */
const char *mmrd_gemm_library_threads(void);

/*
 * C = A' * B' + beta * C, all row-major.
 *
 * A'		(M, K); ta: A is stored as (K, M)
 * B'		(K, N); tb: B is stored as (N, K)
 * lda ...	floats from one stored row to the next
 * beta		0 (C is only written) or 1
 */
void mmrd_gemm(bool ta, bool tb, int M, int N, int K, const float *A, int lda,
               const float *B, int ldb, float beta, float *C, int ldc);

/* The same, plainly, with sums in double. */
void mmrd_gemm_ref(bool ta, bool tb, int M, int N, int K, const float *A,
                   int lda, const float *B, int ldb, float beta, float *C,
                   int ldc);

#endif /* MMRD_GEMM_H */
