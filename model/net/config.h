/*
 * model/net/config.h
 *	  What distinguishes one network from another: sizes and variants.
 *
 * Plain numbers, so that a configuration can be copied, compared with memcmp
 * and stored inside a packed model.
 */
#ifndef MMRD_CONFIG_H
#define MMRD_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "model/base/status.h"

enum
{
	MMRD_STAGES = 3,         /* teacher stages used: layer1, layer2, layer3 */
	MMRD_MAX_AUX = 2,        /* auxiliary modalities beside RGB */
	MMRD_MAX_MODALITIES = 3, /* rgb, aux, aux2 */
	MMRD_MIN_INPUT_SIZE = 64,
	MMRD_MAX_INPUT_SIZE = 1024,
	MMRD_MAX_PROTOTYPES = 1024 /* per stage and modality */
};

typedef enum mmrd_arch
{
	MMRD_ARCH_RESNET18,
	MMRD_ARCH_RESNET34,
	MMRD_ARCH_RESNET50,
	MMRD_ARCH_WIDE_RESNET50_2,
	MMRD_ARCH_COUNT
} mmrd_arch;

/* Which student map the prior of stage i helps to restore (network.md 3). */
typedef enum mmrd_prior_at
{
	MMRD_PRIOR_NEXT, /* Eq. 8: the prior of stage i restores F_{i-1} */
	MMRD_PRIOR_SAME  /* Fig. 3: the prior of stage i restores F_i */
} mmrd_prior_at;

/* How the teacher's modalities become the student's target F^T. */
typedef enum mmrd_fusion
{
	MMRD_FUSION_MODULATED,     /* Eqs. 2-3: alpha of the sum, times F^A */
	MMRD_FUSION_MODULATED_AUX, /* alpha of F^A itself, times F^A */
	MMRD_FUSION_ADD,           /* F^R + sum of F^A */
	MMRD_FUSION_NONE           /* F^R alone */
} mmrd_fusion;

/* What the products of convolutions are made of; sums are float32. */
typedef enum mmrd_precision
{
	MMRD_FLOAT32,
	MMRD_BFLOAT16 /* scoring only: weights and maps rounded (numerics.md) */
} mmrd_precision;

typedef struct mmrd_config
{
	int32_t arch;        /* mmrd_arch */
	int32_t input_size;  /* S: pixels, a multiple of 32, 64 to 1024 */
	int32_t n_aux;       /* 0, 1 or 2 */
	int32_t prior_at;    /* mmrd_prior_at */
	int32_t fusion;      /* mmrd_fusion */
	int32_t interaction; /* 1: Eq. 7; 0: F-bar = prior of R + priors of A */
	int32_t prototypes[MMRD_STAGES]; /* all 0: no priors; else all >= 1 */
	int32_t precision; /* mmrd_precision; training takes MMRD_FLOAT32 */
} mmrd_config;

/* The defaults of network.md: resnet18, 256, one aux, next, modulated,
 * interaction, 50 prototypes a stage. */
void mmrd_config_init(mmrd_config *config);

/* Returns MMRD_INVALID_ARGUMENT naming the field and its value. */
mmrd_status mmrd_config_check(const mmrd_config *config, mmrd_error *err);

/* "resnet18", ...; and back: false when there is no such name. */
const char *mmrd_arch_name(mmrd_arch arch);
bool mmrd_arch_parse(const char *name, mmrd_arch *arch);

/* "rgb", "aux", "aux2" for modality 0, 1, 2. */
const char *mmrd_modality_name(int modality);

static inline bool
mmrd_config_has_priors(const mmrd_config *config)
{
	return config->prototypes[0] > 0;
}

/* Channels of the teacher's stage 1, 2 or 3: 64e, 128e, 256e. */
int mmrd_stage_channels(mmrd_arch arch, int stage);

/* Side of the teacher's map of stage 1, 2 or 3: S/4, S/8, S/16. */
static inline int
mmrd_stage_size(const mmrd_config *config, int stage)
{
	return config->input_size >> (stage + 1);
}

#endif /* MMRD_CONFIG_H */
