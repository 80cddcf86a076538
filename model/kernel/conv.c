/*
 * model/kernel/conv.c
 *	  Which method carries out which convolution; nothing else chooses.
 *
 *	  gemm		the plain version, for any shape: OpenBLAS
 *	  stem		3 channels in
 *	  tile		everything whose channels fit panels
 *	  winograd	3x3, stride 1, where maps are large enough that the products
 *				outweigh the transforms of the weights: at least MIN_TILES
 *				tiles of 4x4 share them
 */
#include "model/kernel/conv.h"

#include <string.h>

#include "model/kernel/conv_method.h"
#include "model/kernel/isa.h"

typedef enum method
{
	METHOD_GEMM,
	METHOD_TILE,
	METHOD_STEM,
	METHOD_WINOGRAD,
	METHOD_HALF_TILE, /* these three as those above, with bfloat16 */
	METHOD_HALF_STEM,
	METHOD_HALF_WINOGRAD
} method;

enum
{
	MIN_TILES = 12,
	MAX_CHANNELS = 8192
};

static bool
fits_panels(int channels)
{
	return channels % MMRD_PANEL_STEP == 0 && channels <= MAX_CHANNELS;
}

static bool
suits_winograd(const mmrd_conv_shape *s)
{
	const int tiles = s->N * ((s->OH + 3) / 4) * ((s->OW + 3) / 4);

	return !s->transposed && s->K == 3 && s->stride == 1 && s->pad == 1 &&
	       fits_panels(s->C) && fits_panels(s->O) && tiles >= MIN_TILES;
}

static bool
suits_tile(const mmrd_conv_shape *s)
{
	return fits_panels(s->C) && fits_panels(s->O) && s->K * s->K <= 9 &&
	       (s->transposed || s->stride <= 2) && s->stride <= s->K + 1;
}

static method
choose_float(const mmrd_conv_shape *s)
{
	if (suits_winograd(s))
		return METHOD_WINOGRAD;
	if (suits_tile(s))
		return METHOD_TILE;
	if (!s->transposed && s->C < MMRD_PANEL_STEP && s->K <= 9 &&
	    fits_panels(s->O))
		return METHOD_STEM;
	return METHOD_GEMM;
}

static method
choose(const mmrd_conv_shape *s)
{
	const method m = choose_float(s);

#if !defined(MMRD_FLOAT_IS_DOUBLE)
	if (s->bf16 && m != METHOD_GEMM)
		return m + METHOD_HALF_TILE - METHOD_TILE;
#endif
	return m;
}

/* The gradient by x of a 3x3 stride-1 convolution is one of these too. */
static mmrd_conv_shape
reversed(const mmrd_conv_shape *s)
{
	mmrd_conv_shape r = *s;

	r.C = s->O;
	r.O = s->C;
	r.H = s->OH;
	r.W = s->OW;
	r.OH = s->H;
	r.OW = s->W;
	r.x_ld = s->y_ld;
	r.y_ld = s->x_ld;
	return r;
}

static method
choose_input(const mmrd_conv_shape *s)
{
	const method m = choose_float(s);

	return m == METHOD_STEM ? METHOD_GEMM : m;
}

const char *
mmrd_conv_method_name(const mmrd_conv_shape *s)
{
	static const char *const names[] = {
	    "gemm",      "tile",      "stem",         "winograd",
	    "half tile", "half stem", "half winograd"};

	return names[choose(s)];
}

static size_t
most(size_t a, size_t b)
{
	return a > b ? a : b;
}

static size_t
wino_work(const mmrd_conv_shape *s, int n_threads)
{
	return mmrd_wino_shared(s) + mmrd_wino_thread(s) * (size_t) n_threads;
}

#if !defined(MMRD_FLOAT_IS_DOUBLE)

/* The half methods, whose packed weights are numbers of two bytes. */

static size_t
half_work(const mmrd_conv_shape *s, size_t n_threads)
{
	mmrd_tile_plan plan;

	if (choose(s) == METHOD_HALF_WINOGRAD)
		return mmrd_half_wino_shared(s) + mmrd_half_wino_thread(s) * n_threads;
	if (choose(s) == METHOD_HALF_STEM)
		return mmrd_half_stem_thread(s) * n_threads;
	mmrd_tile_plan_forward(s, &plan);
	return mmrd_half_tile_thread(&plan) * n_threads;
}

static size_t
half_packed(const mmrd_conv_shape *s)
{
	mmrd_tile_plan plan;

	if (choose(s) == METHOD_HALF_WINOGRAD)
		return mmrd_half_wino_packed(s);
	if (choose(s) == METHOD_HALF_STEM)
		return mmrd_half_stem_packed(s);
	mmrd_tile_plan_forward(s, &plan);
	return mmrd_half_tile_packed(&plan);
}

static void
half_pack(const mmrd_conv_shape *s, const float *w, uint16_t *packed)
{
	mmrd_tile_plan plan;

	if (choose(s) == METHOD_HALF_WINOGRAD)
		mmrd_half_wino_pack(s, w, packed);
	else if (choose(s) == METHOD_HALF_STEM)
		mmrd_half_stem_pack(s, w, packed);
	else
	{
		mmrd_tile_plan_forward(s, &plan);
		mmrd_half_tile_pack(&plan, w, packed);
	}
}

static void
half_forward(const mmrd_conv_shape *s, const float *x, const uint16_t *packed,
             const mmrd_epilogue *e, float *y, float *work)
{
	mmrd_tile_plan plan;

	if (choose(s) == METHOD_HALF_WINOGRAD)
		mmrd_half_wino_run(s, x, packed, e, y, work);
	else if (choose(s) == METHOD_HALF_STEM)
		mmrd_half_stem_run(s, x, packed, e, y, work);
	else
	{
		mmrd_tile_plan_forward(s, &plan);
		mmrd_half_tile_run(&plan, x, packed, e, y, work);
	}
}

static bool
is_half(method m)
{
	return m >= METHOD_HALF_TILE;
}

#else

#define is_half(m) false
#define half_work(s, n_threads) ((size_t) 0)
#define half_packed(s) ((size_t) 0)
#define half_pack(s, w, packed) ((void) 0)
#define half_forward(s, x, packed, e, y, work) ((void) 0)

#endif

size_t
mmrd_conv_work(const mmrd_conv_shape *s, int n_threads)
{
	if (is_half(choose(s)))
		return half_work(s, (size_t) n_threads);
	switch (choose(s))
	{
		case METHOD_WINOGRAD:
			return wino_work(s, n_threads);
		case METHOD_STEM:
			return mmrd_conv_stem_work(s) * (size_t) n_threads;
		case METHOD_TILE:
			return 16;
		default:
			break;
	}
	return mmrd_conv_gemm_work(s) * (size_t) n_threads;
}

size_t
mmrd_conv_gradient_work(const mmrd_conv_shape *s, int n_threads)
{
	const mmrd_conv_shape r = reversed(s);

	switch (choose_input(s))
	{
		case METHOD_WINOGRAD:
			return most(wino_work(&r, n_threads), mmrd_wino_weight_shared(s));
		case METHOD_TILE:
			return 16;
		default:
			break;
	}
	return mmrd_conv_gemm_work(s) * (size_t) n_threads;
}

static size_t
weight_count(const mmrd_conv_shape *s)
{
	return (size_t) s->K * s->K * s->C * s->O;
}

size_t
mmrd_conv_packed(const mmrd_conv_shape *s)
{
	if (is_half(choose(s)))
		return (half_packed(s) + 1) / 2;
	return choose(s) == METHOD_WINOGRAD ? mmrd_wino_packed(s)
	                                    : weight_count(s);
}

void
mmrd_conv_pack(const mmrd_conv_shape *s, const float *w, float *packed)
{
	mmrd_tile_plan plan;

	if (is_half(choose(s)))
	{
		half_pack(s, w, (uint16_t *) packed);
		return;
	}
	switch (choose(s))
	{
		case METHOD_WINOGRAD:
			mmrd_wino_pack(s, w, false, packed);
			return;
		case METHOD_STEM:
			mmrd_conv_stem_pack(s, w, packed);
			return;
		case METHOD_TILE:
			mmrd_tile_plan_forward(s, &plan);
			mmrd_tile_pack(&plan, w, packed);
			return;
		default:
			memcpy(packed, w, weight_count(s) * sizeof(float));
	}
}

void
mmrd_conv_forward(const mmrd_conv_shape *s, const float *x,
                  const float *packed, const mmrd_epilogue *e, float *y,
                  float *work)
{
	mmrd_tile_plan plan;

	if (is_half(choose(s)))
	{
		half_forward(s, x, (const uint16_t *) packed, e, y, work);
		return;
	}
	switch (choose(s))
	{
		case METHOD_WINOGRAD:
			mmrd_wino_run(s, x, packed, e, y, work);
			return;
		case METHOD_STEM:
			mmrd_conv_stem_run(s, x, packed, e, y, work);
			return;
		case METHOD_TILE:
			mmrd_tile_plan_forward(s, &plan);
			mmrd_tile_run(&plan, x, packed, e, y);
			return;
		default:
			mmrd_conv_gemm_forward(s, x, packed, e, y, work);
	}
}

size_t
mmrd_conv_packed_input(const mmrd_conv_shape *s)
{
	const mmrd_conv_shape r = reversed(s);

	return choose_input(s) == METHOD_WINOGRAD ? mmrd_wino_packed(&r)
	                                          : weight_count(s);
}

void
mmrd_conv_pack_input(const mmrd_conv_shape *s, const float *w, float *packed)
{
	const mmrd_conv_shape r = reversed(s);
	mmrd_tile_plan plan;

	switch (choose_input(s))
	{
		case METHOD_WINOGRAD:
			mmrd_wino_pack(&r, w, true, packed);
			return;
		case METHOD_TILE:
			mmrd_tile_plan_input(s, &plan);
			mmrd_tile_pack(&plan, w, packed);
			return;
		default:
			memcpy(packed, w, weight_count(s) * sizeof(float));
	}
}

void
mmrd_conv_backward_input(const mmrd_conv_shape *s, const float *dy,
                         const float *packed, bool accumulate, float *dx,
                         float *work)
{
	const mmrd_epilogue sum = {NULL, NULL, s->N, dx, s->x_ld, false};
	const mmrd_conv_shape r = reversed(s);
	mmrd_tile_plan plan;

	switch (choose_input(s))
	{
		case METHOD_WINOGRAD:
			mmrd_wino_run(&r, dy, packed, accumulate ? &sum : NULL, dx, work);
			return;
		case METHOD_TILE:
			mmrd_tile_plan_input(s, &plan);
			mmrd_tile_run(&plan, dy, packed, accumulate ? &sum : NULL, dx);
			return;
		default:
			mmrd_conv_gemm_input(s, dy, packed, accumulate, dx, work);
	}
}

void
mmrd_conv_backward_weight(const mmrd_conv_shape *s, const float *x,
                          const float *dy, float *dw, float *work)
{
	switch (choose_input(s))
	{
		case METHOD_WINOGRAD:
			mmrd_wino_weight(s, x, dy, dw, work);
			return;
		case METHOD_TILE:
			mmrd_tile_weight(s, x, dy, dw);
			return;
		default:
			mmrd_conv_gemm_weight(s, x, dy, dw, work);
	}
}
