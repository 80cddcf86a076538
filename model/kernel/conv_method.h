/*
 * model/kernel/conv_method.h
 *	  The ways to carry out a convolution, behind conv.h.
 *
 * All take the shape of conv.h and give the same results up to rounding.
 *
 *	  gemm		any shape; OpenBLAS on gathered patches; weights as they are
 *	  tile		channels out a multiple of 16; own product tiles that read
 *				their input where it lies; weights packed in panels
 *	  winograd	3x3, stride 1, pad 1, both channel counts multiples of 16:
 *				a quarter of the multiplications
 *
 * The half kinds are tile, stem and winograd with products of bfloat16: maps
 * stay float32 and each task rounds what it reads; weights are packed as
 * bfloat16, channels in by pairs, sizes of packed weights in numbers.
 *
 * Scratch is in floats.  `shared` is one piece for all threads, `thread` one
 * for each, laid out as shared, thread 0, thread 1, ...
 */
#ifndef MMRD_CONV_METHOD_H
#define MMRD_CONV_METHOD_H

#include <stdint.h>

#include "model/kernel/conv.h"
#include "model/kernel/isa.h"

/* How many pieces of `size` n takes. */
static inline int
mmrd_blocks(int n, int size)
{
	return (n + size - 1) / size;
}

static inline int
mmrd_smaller(int a, int b)
{
	return a < b ? a : b;
}

/* Channels out of a panel; O are there in all. */
static inline int
mmrd_panel_width(int O, int panel)
{
	return mmrd_smaller(O - panel * MMRD_PANEL, MMRD_PANEL);
}

/* --- gemm --- */

size_t mmrd_conv_gemm_work(const mmrd_conv_shape *s); /* thread */
void mmrd_conv_gemm_forward(const mmrd_conv_shape *s, const float *x,
                            const float *w, const mmrd_epilogue *e, float *y,
                            float *work);
void mmrd_conv_gemm_input(const mmrd_conv_shape *s, const float *dy,
                          const float *w, bool accumulate, float *dx,
                          float *work);
void mmrd_conv_gemm_weight(const mmrd_conv_shape *s, const float *x,
                           const float *dy, float *dw, float *work);

/* --- tile --- */

/*
 * The general form: at output place (gy, gx) of phase f, the sum over taps of
 * in[gy * in_step + ty, gx * in_step + tx], written to
 * out[gy * out_step + f.oy, gx * out_step + f.ox].  A convolution is one
 * phase; a transposed one, and the gradient of a strided one, are one phase
 * for each parity of the output.
 */
enum
{
	MMRD_WINO_TILES = 36, /* Winograd tiles of a task, at most */
	MMRD_WINO_M_PLANE = MMRD_WINO_TILES * MMRD_PANEL + 16, /* of products */
	MMRD_CONV_MAX_TAPS = 49,
	MMRD_CONV_MAX_PHASES = 4
};

typedef struct mmrd_tile_phase
{
	int oy, ox;
	int rows, cols; /* places of one image */
	int n_taps;     /* may be 0: the output is the epilogue of 0 */
	struct
	{
		int ty, tx;
		size_t weight; /* of (c, o) = (0, 0), in the original weights */
	} taps[MMRD_CONV_MAX_TAPS];
	size_t packed; /* where this phase's panels start */
} mmrd_tile_phase;

typedef struct mmrd_tile_plan
{
	int N, C, O; /* images, channels in and out of the product */
	int H, W, x_ld;
	int OH, OW, y_ld;
	int in_step, out_step;
	size_t c_step, o_step; /* in the original weights */
	int n_phases;
	mmrd_tile_phase phases[MMRD_CONV_MAX_PHASES];
	size_t n_packed; /* floats */
} mmrd_tile_plan;

void mmrd_tile_plan_forward(const mmrd_conv_shape *s, mmrd_tile_plan *p);
void mmrd_tile_plan_input(const mmrd_conv_shape *s, mmrd_tile_plan *p);
void mmrd_tile_pack(const mmrd_tile_plan *p, const float *w, float *packed);
void mmrd_tile_run(const mmrd_tile_plan *p, const float *x,
                   const float *packed, const mmrd_epilogue *e, float *y);
void mmrd_tile_weight(const mmrd_conv_shape *s, const float *x,
                      const float *dy, float *dw);

/* The stem: few channels in, rows of patches gathered first. */
size_t mmrd_conv_stem_packed(const mmrd_conv_shape *s);
size_t mmrd_conv_stem_work(const mmrd_conv_shape *s); /* thread */
void mmrd_conv_stem_pack(const mmrd_conv_shape *s, const float *w,
                         float *packed);
void mmrd_conv_stem_run(const mmrd_conv_shape *s, const float *x,
                        const float *packed, const mmrd_epilogue *e, float *y,
                        float *work);

/* --- winograd --- */

enum
{
	MMRD_WINO_STORED = 128 * 128 /* C * O up to which U is packed */
};

static inline bool
mmrd_wino_stored(const mmrd_conv_shape *s)
{
	return s->C * s->O <= MMRD_WINO_STORED;
}

/* Tiles of the whole batch. */
static inline int
mmrd_wino_tiles(const mmrd_conv_shape *s)
{
	return s->N * mmrd_blocks(s->OH, 4) * mmrd_blocks(s->OW, 4);
}

/*
 * Numbers from one of the 36 planes to the next, which hold n each: an odd
 * number of cache lines, of `line` numbers.  Planes a power of two apart would
 * all fall into the same few lines of a cache.
 */
static inline size_t
mmrd_wino_plane(size_t n, int line)
{
	return (((n + line - 1) / line) | 1) * line;
}

size_t mmrd_wino_packed(const mmrd_conv_shape *s);
/* flip: pack the weights of the gradient by the input instead; s is then that
 * convolution's shape (C and O exchanged). */
void mmrd_wino_pack(const mmrd_conv_shape *s, const float *w, bool flip,
                    float *packed);
size_t mmrd_wino_shared(const mmrd_conv_shape *s);
size_t mmrd_wino_thread(const mmrd_conv_shape *s);
void mmrd_wino_run(const mmrd_conv_shape *s, const float *x,
                   const float *packed, const mmrd_epilogue *e, float *y,
                   float *work);
size_t mmrd_wino_weight_shared(const mmrd_conv_shape *s);
void mmrd_wino_weight(const mmrd_conv_shape *s, const float *x,
                      const float *dy, float *dw, float *work);

/* Where tile t of the batch begins in the output, and its 36 inputs from
 * channel c0 on; zeros where it hangs over.  C is at most 8192. */
void mmrd_wino_place(const mmrd_conv_shape *s, int t, int *n, int *y, int *x);
void mmrd_wino_inputs(const mmrd_conv_shape *s, const float *x, int t, int c0,
                      const float *d[MMRD_WINO]);

/* Outputs of n tiles from `first`, one panel from o0 on, of products m: 36
 * planes MMRD_WINO_M_PLANE floats apart. */
void mmrd_wino_outputs(const mmrd_conv_shape *s, int first, int n, int o0,
                       int width, const float *m, const mmrd_epilogue *e,
                       float *y);

/* --- half --- */

size_t mmrd_half_tile_packed(const mmrd_tile_plan *p);
size_t mmrd_half_tile_thread(const mmrd_tile_plan *p);
void mmrd_half_tile_pack(const mmrd_tile_plan *p, const float *w,
                         uint16_t *packed);
void mmrd_half_tile_run(const mmrd_tile_plan *p, const float *x,
                        const uint16_t *packed, const mmrd_epilogue *e,
                        float *y, float *work);

size_t mmrd_half_stem_packed(const mmrd_conv_shape *s);
size_t mmrd_half_stem_thread(const mmrd_conv_shape *s);
void mmrd_half_stem_pack(const mmrd_conv_shape *s, const float *w,
                         uint16_t *packed);
void mmrd_half_stem_run(const mmrd_conv_shape *s, const float *x,
                        const uint16_t *packed, const mmrd_epilogue *e,
                        float *y, float *work);

size_t mmrd_half_wino_packed(const mmrd_conv_shape *s);
size_t mmrd_half_wino_shared(const mmrd_conv_shape *s);
size_t mmrd_half_wino_thread(const mmrd_conv_shape *s);
void mmrd_half_wino_pack(const mmrd_conv_shape *s, const float *w,
                         uint16_t *packed);
void mmrd_half_wino_run(const mmrd_conv_shape *s, const float *x,
                        const uint16_t *packed, const mmrd_epilogue *e,
                        float *y, float *work);

#endif /* MMRD_CONV_METHOD_H */
