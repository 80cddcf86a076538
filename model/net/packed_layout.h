/*
 * model/net/packed_layout.h
 *	  Where things lie in a packed model: offsets computed from the network,
 *	  the same in every process.  Internal to model/.
 */
#ifndef MMRD_PACKED_LAYOUT_H
#define MMRD_PACKED_LAYOUT_H

#include "model/net/network.h"
#include "model/net/packed.h"

/* Offsets in floats from the start of the block. */
typedef struct mmrd_packed_unit
{
	size_t weight;
	size_t scale,
	    shift; /* C_out floats, for each modality one after another */
} mmrd_packed_unit;

typedef struct mmrd_packed_prior
{
	int used; /* 0: scoring does not need this stage's priors */
	size_t prototypes[MMRD_MAX_MODALITIES];
	size_t fc1_weight, fc1_bias, fc2_weight, fc2_bias;
	size_t spatial_weight[MMRD_MAX_AUX], spatial_bias[MMRD_MAX_AUX];
} mmrd_packed_prior;

typedef struct mmrd_packed_layout
{
	mmrd_packed_unit teacher[MMRD_MAX_UNITS];
	mmrd_packed_unit student[MMRD_MAX_UNITS];
	mmrd_packed_prior prior[MMRD_STAGES];
	size_t n_floats;
} mmrd_packed_layout;

/* The layout; teacher_only leaves out everything else. */
void mmrd_packed_plan(const mmrd_network *net, bool teacher_only,
                      mmrd_packed_layout *layout);

/* As mmrd_packed_build(), for a layout already planned. */
mmrd_status mmrd_packed_fill(const mmrd_network *net,
                             const mmrd_packed_layout *layout,
                             bool teacher_only, mmrd_tensor_lookup lookup,
                             void *context, float *block, mmrd_error *err);

#endif /* MMRD_PACKED_LAYOUT_H */
