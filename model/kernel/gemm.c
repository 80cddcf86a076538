/*
 * model/kernel/gemm.c
 *	  The only file that includes cblas.h.
 */
#include "model/kernel/gemm.h"

#include <cblas.h>

void
mmrd_gemm_start(void)
{
	openblas_set_num_threads(1);
}

const char *
mmrd_gemm_library_threads(void)
{
	switch (openblas_get_parallel())
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
	cblas_sgemm(CblasRowMajor, ta ? CblasTrans : CblasNoTrans,
	            tb ? CblasTrans : CblasNoTrans, M, N, K, 1.0f, A, lda, B, ldb,
	            beta, C, ldc);
}
