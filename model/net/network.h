/*
 * model/net/network.h
 *	  The structure of a network: which convolutions run in which order on
 *	  which maps.  No numbers are here, only shapes and tensor indices.
 *
 * Every convolution of MMRD is followed by a batch-norm, sometimes by adding
 * a shortcut, mostly by a ReLU.  That whole is one unit:
 *
 *	  y = relu(bn(conv(x)) + res)
 *
 * A program is a list of units over slots.  A slot is a map (C, H, W) of one
 * image; a slot may be a range of channels of another (its root), which is
 * how concatenation costs nothing: the parts are written where the whole is
 * read.  Teacher and student are one program each.  Fusion, priors and
 * interaction happen between them and fill slots of the student.
 */
#ifndef MMRD_NETWORK_H
#define MMRD_NETWORK_H

#include <stddef.h>

#include "model/base/status.h"
#include "model/net/config.h"
#include "model/net/weights.h"

enum
{
	MMRD_MAX_UNITS = 160,
	MMRD_MAX_SLOTS = 200,
	MMRD_NO_SLOT = -1
};

typedef enum mmrd_unit_kind
{
	MMRD_UNIT_CONV,
	MMRD_UNIT_CONV_TRANSPOSED, /* 2x2, stride 2 */
	MMRD_UNIT_MAXPOOL          /* 3x3, stride 2, pad 1; no weights */
} mmrd_unit_kind;

typedef struct mmrd_slot
{
	int C, H, W;
	int root;    /* the slot that owns the memory; itself for most */
	int channel; /* first channel inside the root */
	int ld;      /* floats from one pixel to the next: the root's C */
} mmrd_slot;

typedef struct mmrd_unit
{
	mmrd_unit_kind kind;
	int K, stride, pad;
	int relu; /* 0 or 1 */
	int x;    /* slots; res is MMRD_NO_SLOT for most */
	int res;
	int y;
	int weight, gamma, beta; /* tensor indices */
	int mean, var;           /* the teacher's: those of modality 0 */
} mmrd_unit;

typedef struct mmrd_program
{
	int n_slots;
	int n_units;
	int bf16; /* 0 or 1: run in inference with products of bfloat16 */
	mmrd_slot slots[MMRD_MAX_SLOTS];
	mmrd_unit units[MMRD_MAX_UNITS];
} mmrd_program;

/* Tensor indices of the priors of one stage; -1 where there is none. */
typedef struct mmrd_prior_tensors
{
	int prototypes[MMRD_MAX_MODALITIES];
	int fc1_weight, fc1_bias, fc2_weight, fc2_bias;
	int spatial_weight[MMRD_MAX_AUX], spatial_bias[MMRD_MAX_AUX];
} mmrd_prior_tensors;

typedef struct mmrd_network
{
	mmrd_config config;
	int n_tensors;
	mmrd_tensor_info *tensors;
	size_t n_values, parameter_at, n_parameters; /* see mmrd_weights */
	int n_teacher_stats; /* tensor indices from modality m to m + 1 */

	mmrd_program teacher;
	int teacher_in;               /* slot (3, S, S) */
	int teacher_out[MMRD_STAGES]; /* slots of F_1, F_2, F_3 */

	mmrd_program student;
	int target[MMRD_STAGES];   /* slots to be filled with F_i^T */
	int prior[MMRD_STAGES];    /* slots for F-bar_i, or MMRD_NO_SLOT */
	int restored[MMRD_STAGES]; /* slots of F_i^S */
	mmrd_prior_tensors priors[MMRD_STAGES];
} mmrd_network;

/* The caller releases with mmrd_network_free(). */
mmrd_status mmrd_network_create(const mmrd_config *config, mmrd_network **out,
                                mmrd_error *err);

/* Accepts NULL. */
void mmrd_network_free(mmrd_network *net);

/*
 * Memory for a program's slots when maps are dropped after their last reader:
 * offsets[s] in floats for one image (of a root; others follow theirs), the
 * total as result.  Slots marked in keep (may be NULL) live from start to end.
 */
size_t mmrd_program_plan(const mmrd_program *program, const char *keep,
                         size_t *offsets);

#endif /* MMRD_NETWORK_H */
