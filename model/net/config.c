/*
 * model/net/config.c
 *	  Names, defaults and limits of a configuration.
 */
#include "model/net/config.h"

#include <string.h>

static const char *const arch_names[MMRD_ARCH_COUNT] = {
    "resnet18", "resnet34", "resnet50", "wide_resnet50_2"};

void
mmrd_config_init(mmrd_config *config)
{
	memset(config, 0, sizeof(*config));
	config->arch = MMRD_ARCH_RESNET18;
	config->input_size = 256;
	config->n_aux = 1;
	config->prior_at = MMRD_PRIOR_NEXT;
	config->fusion = MMRD_FUSION_MODULATED;
	config->interaction = 1;
	for (int i = 0; i < MMRD_STAGES; i++)
		config->prototypes[i] = 50;
}

static mmrd_status
refuse(mmrd_error *err, const char *field, int value, const char *rule)
{
	mmrd_fail(err, MMRD_INVALID_ARGUMENT, "invalid value for \"%s\": %d",
	          field, value);
	return mmrd_hint(err, "%s", rule);
}

mmrd_status
mmrd_config_check(const mmrd_config *config, mmrd_error *err)
{
	if (config->arch < 0 || config->arch >= MMRD_ARCH_COUNT)
		return refuse(err, "arch", config->arch,
		              "Known are resnet18, resnet34, resnet50 and "
		              "wide_resnet50_2.");
	if (config->input_size < MMRD_MIN_INPUT_SIZE ||
	    config->input_size > MMRD_MAX_INPUT_SIZE ||
	    config->input_size % 32 != 0)
		return refuse(err, "input_size", config->input_size,
		              "It must be a multiple of 32 from 64 to 1024.");
	if (config->n_aux < 0 || config->n_aux > MMRD_MAX_AUX)
		return refuse(err, "n_aux", config->n_aux,
		              "There are at most two auxiliary modalities.");
	if (config->prior_at != MMRD_PRIOR_NEXT &&
	    config->prior_at != MMRD_PRIOR_SAME)
		return refuse(err, "prior_at", config->prior_at,
		              "It is next or same.");
	if (config->fusion < MMRD_FUSION_MODULATED ||
	    config->fusion > MMRD_FUSION_NONE)
		return refuse(err, "fusion", config->fusion,
		              "It is modulated, modulated_aux, add or none.");
	if (config->interaction != 0 && config->interaction != 1)
		return refuse(err, "interaction", config->interaction,
		              "It is true or false.");
	if (config->precision != MMRD_FLOAT32 &&
	    config->precision != MMRD_BFLOAT16)
		return refuse(err, "precision", config->precision,
		              "It is float32 or bfloat16.");
	for (int i = 0; i < MMRD_STAGES; i++)
	{
		if (config->prototypes[i] < 0 ||
		    config->prototypes[i] > MMRD_MAX_PROTOTYPES ||
		    (config->prototypes[i] == 0) != (config->prototypes[0] == 0))
			return refuse(err, "prototypes", config->prototypes[i],
			              "Each stage has 1 to 1024, or all three have 0.");
	}
	return MMRD_OK;
}

const char *
mmrd_arch_name(mmrd_arch arch)
{
	return arch >= 0 && arch < MMRD_ARCH_COUNT ? arch_names[arch] : "unknown";
}

bool
mmrd_arch_parse(const char *name, mmrd_arch *arch)
{
	for (int i = 0; i < MMRD_ARCH_COUNT; i++)
	{
		if (strcmp(name, arch_names[i]) == 0)
		{
			*arch = (mmrd_arch) i;
			return true;
		}
	}
	return false;
}

const char *
mmrd_modality_name(int modality)
{
	static const char *const names[MMRD_MAX_MODALITIES] = {"rgb", "aux",
	                                                       "aux2"};

	return names[modality];
}

int
mmrd_stage_channels(mmrd_arch arch, int stage)
{
	const bool bottleneck =
	    arch == MMRD_ARCH_RESNET50 || arch == MMRD_ARCH_WIDE_RESNET50_2;

	return (64 << (stage - 1)) * (bottleneck ? 4 : 1);
}
