/*
 * model/net/fusion.h
 *	  The configuration's way of fusing modalities into the target F^T.
 */
#ifndef MMRD_FUSION_H
#define MMRD_FUSION_H

#include "model/net/config.h"

/*
 * maps[m] (P, C), modality m of one scan; t (P, t_ld), C floats a pixel.  See
 * mmrd_modulate() in model/kernel/modulation.h.
 */
void mmrd_fuse(const mmrd_config *config, int P, int C,
               const float *const *maps, float *t, int t_ld);

#endif /* MMRD_FUSION_H */
