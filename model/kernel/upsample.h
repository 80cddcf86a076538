/*
 * model/kernel/upsample.h
 *	  Bilinear enlargement with align_corners, added up (Eq. 10).
 */
#ifndef MMRD_UPSAMPLE_H
#define MMRD_UPSAMPLE_H

#include <stdbool.h>

/*
 * y[i, j] (+)= x interpolated at row i * (h - 1) / (S - 1), column likewise.
 *
 * x	(h, h); h at least 1, at most 1024
 * y	(S, S); S at least 2; added to when add, else written; no overlap
 */
void mmrd_upsample(int h, const float *x, int S, bool add, float *y);

/* The same, plainly, in double. */
void mmrd_upsample_ref(int h, const float *x, int S, bool add, float *y);

#endif /* MMRD_UPSAMPLE_H */
