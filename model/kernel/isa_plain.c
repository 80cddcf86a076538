/*
 * model/kernel/isa_plain.c
 *	  The inner loops with vectors that every processor has, SSE2 or NEON.
 */
#include "model/kernel/isa.h"

#define LANES (16 / (int) sizeof(float)) /* 16 bytes everywhere */
#define VECTORS 2

#include "model/kernel/isa_body.h"

const mmrd_isa mmrd_isa_plain = MMRD_ISA_TABLE("plain");
