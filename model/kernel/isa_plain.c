/*
 * model/kernel/isa_plain.c
 *	  The inner loops with vectors that every processor has, SSE2 or NEON.
 */
#include "model/kernel/isa.h"

#define LANES (16 / (int) sizeof(float)) /* 16 bytes everywhere */
#define VECTORS 2

#include "model/kernel/tile_body.h"
#include "model/kernel/winograd_body.h"
#include "model/kernel/half_body.h"
#include "model/kernel/gate_body.h"

const mmrd_isa mmrd_isa_plain = {"plain",
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
