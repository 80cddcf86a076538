/*
 * model/kernel/maxpool.h
 *	  Maximum over 3x3, stride 2, padding 1 (the stem of a ResNet).
 */
#ifndef MMRD_MAXPOOL_H
#define MMRD_MAXPOOL_H

/*
 * x	(N, H, W, C)
 * y	(N, (H-1)/2+1, (W-1)/2+1, C), every element written; no overlap
 *
 * Places outside x do not take part.  Threads share out rows of y.
 */
void mmrd_maxpool(int N, int H, int W, int C, const float *x, float *y);

/* The same, plainly. */
void mmrd_maxpool_ref(int N, int H, int W, int C, const float *x, float *y);

#endif /* MMRD_MAXPOOL_H */
