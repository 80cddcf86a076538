/*
 * model/kernel/modulation.h
 *	  Fusing the teacher's modalities into the student's target.
 */
#ifndef MMRD_MODULATION_H
#define MMRD_MODULATION_H

/* The regulariser beside the variance in Eq. 3 */
#define MMRD_MODULATION_EPS 1e-4f

typedef enum mmrd_modulation_source
{
	MMRD_MODULATE_BY_SUM, /* alpha of F = F^R + sum of F^A (Eqs. 2-3) */
	MMRD_MODULATE_BY_AUX, /* alpha of each F^A itself */
	MMRD_MODULATE_NOT     /* alpha = 1 */
} mmrd_modulation_source;

/*
 * t = F^R + sum_m alpha * F^{A_m}, alpha(v) = sigmoid((v - mu)^2 / (var +
 * eps)) with mu and (biased) var of v's channel over the map (Gu et al., Eqs.
 * 2-3).
 *
 * P	pixels of one map, at least 1
 * rgb	(P, C); aux[m] (P, C), m < n_aux; n_aux may be 0: then t = rgb
 * t	(P, t_ld), C floats a pixel written; overlaps nothing
 */
void mmrd_modulate(int P, int C, int n_aux, const float *rgb,
                   const float *const *aux, mmrd_modulation_source by,
                   float *t, int t_ld);

/* The same, plainly, in double. */
void mmrd_modulate_ref(int P, int C, int n_aux, const float *rgb,
                       const float *const *aux, mmrd_modulation_source by,
                       float *t, int t_ld);

#endif /* MMRD_MODULATION_H */
