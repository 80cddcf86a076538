/*
 * model/kernel/isa_avx512bf16.c
 *	  The inner loops with AVX512 and its dot products of bfloat16
 *	  pairs (AVX512_BF16); all that is float32 is as in isa_avx512.c.
 */
#include "model/kernel/isa.h"

#if defined(__x86_64__) && !defined(MMRD_FLOAT_IS_DOUBLE)

#ifdef __clang__
#pragma clang attribute push(                                                 \
    __attribute__((                                                           \
        target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,fma"))),        \
    apply_to = function)
#else
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,fma")
#endif

#include <immintrin.h>

#define LANES 16
#define VECTORS 4
#define HAVE_DOT 1

#include "model/kernel/isa_body.h"

const mmrd_isa mmrd_isa_avx512bf16 = MMRD_ISA_TABLE("avx512bf16");

#ifdef __clang__
#pragma clang attribute pop
#endif

#endif /* __x86_64__ */
