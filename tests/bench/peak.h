/*
 * tests/bench/peak.h
 *	  What the processor can do at most: multiply-add from registers to
 *	  registers, nothing read, nothing written.  Included by one program.
 *
 *	  mmrd_threads_start(threads);
 *	  const double most = peak_gflops(bfloat16);
 *
 * Measured, not computed: nobody tells what frequency there will be.
 */
#ifndef MMRD_BENCH_PEAK_H
#define MMRD_BENCH_PEAK_H

#include <stdbool.h>
#include <string.h>

#include "model/base/clock.h"
#include "model/base/threads.h"
#include "model/kernel/isa.h"

enum
{
	PEAK_SUMS = 12, /* enough to hide the latency of a multiply-add */
	PEAK_STEPS = 1 << 18,
	PEAK_TRIES = 20
};

/* For each of the PEAK_SUMS; an array would lie in memory. */
#define PEAK_EACH(m)                                                          \
	m(0) m(1) m(2) m(3) m(4) m(5) m(6) m(7) m(8) m(9) m(10) m(11)

/* The empty assembler statement keeps each step one instruction. */
#define PEAK_FMA(i)                                                           \
	s##i = PEAK_STEP(s##i, a);                                                \
	__asm__("" : "+v"(s##i));
#define PEAK_BEGIN(i) s##i = s;
#define PEAK_ADD(i) s += s##i;

/* PEAK_STEPS times PEAK_SUMS steps; the returned sum keeps all of them. */
#define DEFINE_PEAK(name, what, type, wide)                                   \
	__attribute__((target(what))) static float name(void)                     \
	{                                                                         \
		type a;                                                               \
		wide s, s0, s1, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11;             \
		float first;                                                          \
                                                                              \
		memset(&a, 0, sizeof(a));                                             \
		memset(&s, 0, sizeof(s));                                             \
		PEAK_EACH(PEAK_BEGIN)                                                 \
		for (int k = 0; k < PEAK_STEPS; k++)                                  \
		{                                                                     \
			PEAK_EACH(PEAK_FMA)                                               \
		}                                                                     \
		PEAK_EACH(PEAK_ADD)                                                   \
		memcpy(&first, &s, sizeof(first));                                    \
		return first;                                                         \
	}

#ifdef __x86_64__
#include <immintrin.h>

#define PEAK_STEP(s, a) _mm256_fmadd_ps(a, a, s)
DEFINE_PEAK(peak_avx2, "avx2,fma", __m256, __m256)
#undef PEAK_STEP
#define PEAK_STEP(s, a) _mm512_fmadd_ps(a, a, s)
DEFINE_PEAK(peak_avx512, "avx512f", __m512, __m512)
#undef PEAK_STEP
#define PEAK_STEP(s, a) _mm512_dpbf16_ps(s, a, a)
DEFINE_PEAK(peak_bf16, "avx512f,avx512bf16", __m512bh, __m512)
#undef PEAK_STEP
#endif

/* GFLOP/s of all threads together; 0 where it is not known. */
static double
peak_gflops(bool bfloat16)
{
	float (*run)(void) = NULL;
	double flops = 0; /* of one step */
	double best = 1e9;
	float all = 0;

#ifdef __x86_64__
	const char *name = mmrd_isa_get()->name;

	if (bfloat16 && strcmp(name, "avx512bf16") == 0)
	{
		run = peak_bf16;
		flops = 2.0 * 2 * 16;
	}
	else if (strncmp(name, "avx512", 6) == 0)
	{
		run = peak_avx512;
		flops = 2.0 * 16;
	}
	else if (strcmp(name, "avx2") == 0)
	{
		run = peak_avx2;
		flops = 2.0 * 8;
	}
#endif
	(void) bfloat16;
	if (run == NULL)
		return 0;
	for (int k = 0; k < PEAK_TRIES; k++)
	{
		const double begun = mmrd_clock_ms();

#pragma omp parallel num_threads(mmrd_threads()) reduction(+ : all)
		all += run();
		best = mmrd_clock_ms() - begun < best ? mmrd_clock_ms() - begun : best;
	}
	return all == 0
	           ? flops * PEAK_SUMS * PEAK_STEPS * mmrd_threads() / best * 1e-6
	           : 0;
}

#endif /* MMRD_BENCH_PEAK_H */
