/*
 * model/net/fusion.c
 *	  One place that knows which fusion a configuration means.
 */
#include "model/net/fusion.h"

#include "model/kernel/modulation.h"

void
mmrd_fuse(const mmrd_config *config, int P, int C, const float *const *maps,
          float *t, int t_ld)
{
	switch ((mmrd_fusion) config->fusion)
	{
		case MMRD_FUSION_MODULATED:
			mmrd_modulate(P, C, config->n_aux, maps[0], maps + 1,
			              MMRD_MODULATE_BY_SUM, t, t_ld);
			return;
		case MMRD_FUSION_MODULATED_AUX:
			mmrd_modulate(P, C, config->n_aux, maps[0], maps + 1,
			              MMRD_MODULATE_BY_AUX, t, t_ld);
			return;
		case MMRD_FUSION_ADD:
			mmrd_modulate(P, C, config->n_aux, maps[0], maps + 1,
			              MMRD_MODULATE_NOT, t, t_ld);
			return;
		case MMRD_FUSION_NONE:
			break;
	}
	mmrd_modulate(P, C, 0, maps[0], maps + 1, MMRD_MODULATE_NOT, t, t_ld);
}
