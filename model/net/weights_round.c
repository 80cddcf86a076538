/*
 * model/net/weights_round.c
 *	  Weights that can be kept in half the space.
 *
 * A network is rounded before anything is measured with it, so that what is
 * stored is what was calibrated, to the last bit.
 */
#include "model/net/weights.h"

#include "model/base/half.h"

bool
mmrd_tensor_may_round(const mmrd_tensor_info *info)
{
	return info->role == MMRD_ROLE_PARAMETER && info->n_dims >= 2;
}

void
mmrd_weights_round(mmrd_weights *weights)
{
	for (int i = 0; i < weights->n_tensors; i++)
	{
		const mmrd_tensor_info *info = &weights->tensors[i];
		float *values = weights->values + info->offset;

		if (!mmrd_tensor_may_round(info))
			continue;
		for (size_t k = 0; k < info->count; k++)
			values[k] = mmrd_bf16_to_float(mmrd_bf16_from_float(values[k]));
	}
}
