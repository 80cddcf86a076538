/*
 * model/kernel/gemm_ref.c
 *	  The reference twin of gemm.c: one element of C at a time.
 */
#include "model/kernel/gemm.h"

#include <stddef.h>

void
mmrd_gemm_ref(bool ta, bool tb, int M, int N, int K, const float *A, int lda,
              const float *B, int ldb, float beta, float *C, int ldc)
{
	for (int i = 0; i < M; i++)
	{
		for (int j = 0; j < N; j++)
		{
			float *c = C + (size_t) i * ldc + j;
			double sum = 0;

			for (int k = 0; k < K; k++)
			{
				const double a =
				    ta ? A[(size_t) k * lda + i] : A[(size_t) i * lda + k];
				const double b =
				    tb ? B[(size_t) j * ldb + k] : B[(size_t) k * ldb + j];

				sum += a * b;
			}
			if (beta != 0)
				sum += (double) beta * *c;
			*c = (float) sum;
		}
	}
}
