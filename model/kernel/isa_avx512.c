/*
 * model/kernel/isa_avx512.c
 *	  The inner loops with AVX512 and fused multiply-add.
 */
#include "model/kernel/isa.h"

#if defined(__x86_64__) && !defined(MMRD_FLOAT_IS_DOUBLE)

#ifdef __clang__
#pragma clang attribute push(                                                 \
    __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,fma"))),        \
    apply_to = function)
#else
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,fma")
#endif

#define LANES 16
#define VECTORS 4

#include "model/kernel/isa_body.h"

const mmrd_isa mmrd_isa_avx512 = MMRD_ISA_TABLE("avx512");

#ifdef __clang__
#pragma clang attribute pop
#endif

#endif /* __x86_64__ */
