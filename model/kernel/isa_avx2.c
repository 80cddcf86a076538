/*
 * model/kernel/isa_avx2.c
 *	  The inner loops with AVX2 and fused multiply-add.
 */
#include "model/kernel/isa.h"

#if defined(__x86_64__) && !defined(MMRD_FLOAT_IS_DOUBLE)

#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx2,fma"))),             \
                             apply_to = function)
#else
#pragma GCC target("avx2,fma")
#endif

#define LANES 8
#define VECTORS 2

#include "model/kernel/isa_body.h"

const mmrd_isa mmrd_isa_avx2 = MMRD_ISA_TABLE("avx2");

#ifdef __clang__
#pragma clang attribute pop
#endif

#endif /* __x86_64__ */
