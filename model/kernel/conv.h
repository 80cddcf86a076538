/*
 * model/kernel/conv.h
 *	  Two-dimensional convolutions without bias, forward and backward.
 *
 * Letters: N images, C channels in, O out, H x W in, OH x OW out, K kernel
 * side.  Maps are (N, H, W, C), a pixel's channels contiguous, ld floats from
 * one pixel to the next (ld >= C: a map may be a range of channels of a wider
 * one); rows and images follow each other without gaps.  Weights are
 * (K, K, C, O).  The transposed kind is 2x2 with stride 2, weights
 * (C, 2, 2, O), y[2h+a, 2w+b] = sum_c x[h, w, c] * w[c, a, b].
 *
 * Weights are packed before use, in an order that depends on the shape (all
 * fields of it) and on the processor.  work is scratch memory of
 * mmrd_conv_work(shape, mmrd_threads()) floats, 64-byte aligned, for any of
 * the functions.  Results have the same bits for any number of threads.
 * Arrays do not overlap unless said.
 */
#ifndef MMRD_CONV_H
#define MMRD_CONV_H

#include <stdbool.h>
#include <stddef.h>

#include "model/kernel/affine.h"

typedef struct mmrd_conv_shape
{
	int N, H, W, C;
	int O, K, stride, pad;
	int OH, OW;
	int x_ld, y_ld;
	bool transposed; /* K 2, stride 2, pad 0, OH 2H, OW 2W */
	/* Forward only: products of bfloat16 numbers, to which x and w are
	 * rounded, summed in float32.  Not heeded by method "gemm". */
	bool bf16;
} mmrd_conv_shape;

/* Floats of scratch memory for scoring with so many threads, and what the
 * gradients need beside. */
size_t mmrd_conv_work(const mmrd_conv_shape *s, int n_threads);
size_t mmrd_conv_gradient_work(const mmrd_conv_shape *s, int n_threads);

/* Floats of packed weights; pack them. */
size_t mmrd_conv_packed(const mmrd_conv_shape *s);
void mmrd_conv_pack(const mmrd_conv_shape *s, const float *w, float *packed);

/* y = e(conv(x, w)); e NULL: no epilogue.  e->res may be y. */
void mmrd_conv_forward(const mmrd_conv_shape *s, const float *x,
                       const float *packed, const mmrd_epilogue *e, float *y,
                       float *work);

/* The same three for the gradient by x: added to dx when accumulate, else
 * written.  dx has x_ld, dy has y_ld. */
size_t mmrd_conv_packed_input(const mmrd_conv_shape *s);
void mmrd_conv_pack_input(const mmrd_conv_shape *s, const float *w,
                          float *packed);
void mmrd_conv_backward_input(const mmrd_conv_shape *s, const float *dy,
                              const float *packed, bool accumulate, float *dx,
                              float *work);

/* dw = gradient by w, written; in w's order. */
void mmrd_conv_backward_weight(const mmrd_conv_shape *s, const float *x,
                               const float *dy, float *dw, float *work);

/* "gemm", "tile", "stem" or "winograd", with "half " before the last three
 * where products are bfloat16: how forward is carried out. */
const char *mmrd_conv_method_name(const mmrd_conv_shape *s);

/* The same three, plainly, with sums in double, from weights as they are. */
void mmrd_conv_forward_ref(const mmrd_conv_shape *s, const float *x,
                           const float *w, const mmrd_epilogue *e, float *y);
void mmrd_conv_backward_input_ref(const mmrd_conv_shape *s, const float *dy,
                                  const float *w, bool accumulate, float *dx);
void mmrd_conv_backward_weight_ref(const mmrd_conv_shape *s, const float *x,
                                   const float *dy, float *dw);

#endif /* MMRD_CONV_H */
