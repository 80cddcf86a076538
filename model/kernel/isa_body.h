/*
 * model/kernel/isa_body.h
 *	  All inner loops and their table, for whatever vectors the including file
 *	  has: it defines LANES and VECTORS (see tile_body.h), and the target.
 */
#include "model/kernel/isa.h"

#include "model/kernel/tile_body.h"
#include "model/kernel/winograd_body.h"
#include "model/kernel/half_body.h"
#include "model/kernel/gate_body.h"

#define MMRD_ISA_TABLE(name)                                                  \
	{                                                                         \
		name, tile, outer, wino_input, wino_output, wino_gradient,            \
		    wino_weight, wino_weight_back, exponentials, gate,                \
		    MMRD_HALF_MEMBERS                                                 \
	}
