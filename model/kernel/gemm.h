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

/* Make the library single-threaded.  Idempotent; call before the first
 * product, from the main thread. */
void mmrd_gemm_start(void);

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
