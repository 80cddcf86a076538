/*
 * tests/unit/test_gemm.c
 *	  The wrapped matrix product against its twin, in all four orders.
 */
#include "model/kernel/gemm.h"

#include "tests/unit/field.h"

/* Sums of K products of values below one: see test_conv.c. */
static void
one_product(bool ta, bool tb, int M, int N, int K, float beta)
{
	field A = ta ? field_create((size_t) K, M, 1, 2)
	             : field_create((size_t) M, K, 1, 2);
	field B = tb ? field_create((size_t) N, K, 0, 3)
	             : field_create((size_t) K, N, 0, 3);
	field want = field_create((size_t) M, N, 2, 1);
	field got = field_create((size_t) M, N, 2, 1);
	field inside = field_create((size_t) M, N, 2, 1);
	char what[120];

	field_random(&A, 1);
	field_random(&B, 2);
	if (beta != 0)
	{
		field_random(&want, 3);
		field_random(&got, 3);
		field_random(&inside, 3);
	}
	snprintf(what, sizeof(what), "ta=%d tb=%d M=%d N=%d K=%d beta=%g", ta, tb,
	         M, N, K, (double) beta);
	mmrd_gemm_ref(ta, tb, M, N, K, A.x, A.ld, B.x, B.ld, beta, want.x,
	              want.ld);
	mmrd_gemm(ta, tb, M, N, K, A.x, A.ld, B.x, B.ld, beta, got.x, got.ld);
	field_check(what, &got, &want, (K + 8) * EPS / 2 + 4 * EPS);
	/* Kernels call it inside a parallel region. */
#pragma omp parallel num_threads(2)
#pragma omp single
	mmrd_gemm(ta, tb, M, N, K, A.x, A.ld, B.x, B.ld, beta, inside.x,
	          inside.ld);
	field_check_bits(what, &got, &inside);
	field_free(&A);
	field_free(&B);
	field_free(&want);
	field_free(&got);
	field_free(&inside);
}

int
main(void)
{
	static const int sizes[][3] = {
	    {1, 1, 1},       {1, 7, 3},    {5, 1, 9},    {3, 4, 1},
	    {15, 16, 17},    {17, 15, 16}, {33, 31, 65}, {128, 64, 27},
	    {129, 130, 257}, {2, 3, 1000}};

	field_threads_start();
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		for (int k = 0; k < 8; k++)
			one_product(k & 1, k & 2, sizes[i][0], sizes[i][1], sizes[i][2],
			            k & 4 ? 1 : 0);
	CHECK(strcmp(mmrd_gemm_library_threads(), "pthreads") != 0,
	      "the pthreads build of OpenBLAS was loaded");
	mmrd_threads_stop();
	return check_result();
}
