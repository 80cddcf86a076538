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

#include "model/kernel/tile_body.h"
#include "model/kernel/winograd_body.h"
#include "model/kernel/half_body.h"
#include "model/kernel/gate_body.h"

const mmrd_isa mmrd_isa_avx512 = {"avx512",
                                  tile,
                                  outer,
                                  wino_input,
                                  wino_output,
                                  wino_gradient,
                                  wino_weight,
                                  wino_weight_back,
                                  exponentials,
                                  gate,
                                  MMRD_HALF_MEMBERS};

#ifdef __clang__
#pragma clang attribute pop
#endif

#endif /* __x86_64__ */
