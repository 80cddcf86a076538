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

/*
 * dx = gradient by x, every element written.  dy has y's shape, dx x's; no
 * overlap.  Among equal values in a window the first in row-major order is
 * the maximum.  Threads share out images.
 */
void mmrd_maxpool_backward(int N, int H, int W, int C, const float *x,
                           const float *dy, float *dx);

/* The same, plainly, with sums in double. */
void mmrd_maxpool_backward_ref(int N, int H, int W, int C, const float *x,
                               const float *dy, float *dx);

#endif /* MMRD_MAXPOOL_H */
