/*
 * model/kernel/conv_gemm.c
 *	  Convolution as a matrix product, block by block: the method for shapes
 *	  that the faster ones do not take.
 *
 * The forward product is (pixels, K*K*C) x (K*K*C, O).  A task is PIXELS
 * output pixels and up to CHANNELS output channels: it gathers the patches of
 * its pixels into its thread's scratch (1x1 convolutions of stride 1 are
 * matrices already and skip that), multiplies, and finishes its block with the
 * epilogue while the block is in cache.  Block sizes are constants, so threads
 * only decide who computes a block.
 *
 * The gradient by the input is gathered too, never scattered: an input pixel
 * collects, tap by tap, the output pixels it contributed to.  With stride 2 an
 * input pixel has only the taps of its parity, so pixels are taken parity by
 * parity.  The gradient by the weights is, for one tap, x shifted by the tap
 * (transposed) times dy; a task owns one tap and a block of channels.
 */
#include "model/kernel/conv_method.h"

#include <string.h>

#include "model/base/threads.h"
#include "model/kernel/gemm.h"

#ifdef _OPENMP
#include <omp.h>
#else
#define omp_get_thread_num() 0
#endif

enum
{
	PIXELS = 128,    /* output pixels a task, forward and backward-input */
	CHANNELS = 256,  /* output channels a task */
	DW_PIXELS = 512, /* pixels a product of backward-weight */
	DW_IN = 64,      /* channels in and out a task of backward-weight */
	DW_OUT = 128
};

static size_t
larger(size_t a, size_t b)
{
	return a > b ? a : b;
}

size_t
mmrd_conv_gemm_work(const mmrd_conv_shape *s)
{
	const size_t taps = (size_t) s->K * s->K;
	size_t forward;
	size_t input;
	size_t weight;

	if (s->transposed)
		forward = (size_t) PIXELS * mmrd_smaller(s->O, CHANNELS);
	else
		forward = (size_t) PIXELS * taps * s->C;
	input = (size_t) PIXELS * (s->O + mmrd_smaller(s->C, CHANNELS));
	weight = (size_t) DW_PIXELS * (DW_IN + DW_OUT);
	return (larger(larger(forward, input), weight) + 15) & ~(size_t) 15;
}

/* Copy the K x K patch of output pixel (oy, ox) of one image. */
static void
gather_patch(const mmrd_conv_shape *s, const float *image, int oy, int ox,
             float *out)
{
	const int C = s->C;

	for (int ky = 0; ky < s->K; ky++)
	{
		const int y = oy * s->stride - s->pad + ky;
		const int x0 = ox * s->stride - s->pad;
		float *row = out + (size_t) ky * s->K * C;

		if (y < 0 || y >= s->H)
		{
			memset(row, 0, (size_t) s->K * C * sizeof(float));
			continue;
		}
		if (s->x_ld == C && x0 >= 0 && x0 + s->K <= s->W)
		{
			memcpy(row, image + ((size_t) y * s->W + x0) * C,
			       (size_t) s->K * C * sizeof(float));
			continue;
		}
		for (int kx = 0; kx < s->K; kx++)
		{
			const int x = x0 + kx;

			if (x < 0 || x >= s->W)
				memset(row + (size_t) kx * C, 0, (size_t) C * sizeof(float));
			else
				memcpy(row + (size_t) kx * C,
				       image + ((size_t) y * s->W + x) * s->x_ld,
				       (size_t) C * sizeof(float));
		}
	}
}

/* Finish a block of products at y: pixels at .. at+n-1 of the batch. */
static void
finish_block(const mmrd_epilogue *e, const mmrd_conv_shape *s, size_t at,
             int n, int o0, int no, float *y)
{
	const size_t image = (size_t) s->OH * s->OW;

	while (n > 0)
	{
		/* A block may span images, and so groups. */
		const size_t left = image - at % image;
		const int run = (size_t) n < left ? n : (int) left;
		const size_t group =
		    at / image / (size_t) e->images_per_group * (size_t) s->O +
		    (size_t) o0;

		mmrd_affine_run(run, no, y, s->y_ld,
		                e->scale != NULL ? e->scale + group : NULL,
		                e->shift != NULL ? e->shift + group : NULL,
		                e->res != NULL ? e->res + at * e->res_ld + o0 : NULL,
		                e->res_ld, e->relu, y, s->y_ld);
		at += (size_t) run;
		y += (size_t) run * s->y_ld;
		n -= run;
	}
}

static void
forward_task(const mmrd_conv_shape *s, const float *x, const float *w,
             const mmrd_epilogue *e, float *y, int task, float *scratch)
{
	const int o_blocks = mmrd_blocks(s->O, CHANNELS);
	const int o0 = task % o_blocks * CHANNELS;
	const int no = mmrd_smaller(s->O - o0, CHANNELS);
	const size_t total = (size_t) s->N * s->OH * s->OW;
	const size_t at = (size_t) (task / o_blocks) * PIXELS;
	const int n = total - at < PIXELS ? (int) (total - at) : PIXELS;
	const int depth = s->K * s->K * s->C;
	const float *patches = x + at * s->x_ld;
	int patch_ld = s->x_ld;
	float *out = y + at * s->y_ld + o0;

	if (s->K != 1 || s->stride != 1)
	{
		const size_t image = (size_t) s->OH * s->OW;

		for (int i = 0; i < n; i++)
		{
			const size_t p = at + (size_t) i;
			const int oy = (int) (p % image / (size_t) s->OW);
			const int ox = (int) (p % (size_t) s->OW);

			gather_patch(s, x + p / image * s->H * s->W * s->x_ld, oy, ox,
			             scratch + (size_t) i * depth);
		}
		patches = scratch;
		patch_ld = depth;
	}
	mmrd_gemm(false, false, n, no, depth, patches, patch_ld, w + o0, s->O, 0,
	          out, s->y_ld);
	if (e != NULL)
		finish_block(e, s, at, n, o0, no, out);
}

/* One tap of a transposed convolution: product, then every second pixel. */
static void
transposed_task(const mmrd_conv_shape *s, const float *x, const float *w,
                const mmrd_epilogue *e, float *y, int task, float *scratch)
{
	const int o_blocks = mmrd_blocks(s->O, CHANNELS);
	const int o0 = task % o_blocks * CHANNELS;
	const int no = mmrd_smaller(s->O - o0, CHANNELS);
	const int tap = task / o_blocks % 4;
	const size_t total = (size_t) s->N * s->H * s->W;
	const size_t at = (size_t) (task / o_blocks / 4) * PIXELS;
	const int n = total - at < PIXELS ? (int) (total - at) : PIXELS;

	mmrd_gemm(false, false, n, no, s->C, x + at * s->x_ld, s->x_ld,
	          w + (size_t) tap * s->O + o0, 4 * s->O, 0, scratch, no);
	for (int i = 0; i < n; i++)
	{
		const size_t p = at + (size_t) i;
		const size_t row = p / (size_t) s->W; /* over all images */
		const size_t col = p % (size_t) s->W;
		const size_t q = (2 * row + (size_t) (tap / 2)) * (size_t) s->OW +
		                 2 * col + (size_t) (tap % 2);

		memcpy(y + q * s->y_ld + o0, scratch + (size_t) i * no,
		       (size_t) no * sizeof(float));
		if (e != NULL)
			finish_block(e, s, q, 1, o0, no, y + q * s->y_ld + o0);
	}
}

void
mmrd_conv_gemm_forward(const mmrd_conv_shape *s, const float *x,
                       const float *w, const mmrd_epilogue *e, float *y,
                       float *work)
{
	const size_t total = s->transposed ? (size_t) s->N * s->H * s->W
	                                   : (size_t) s->N * s->OH * s->OW;
	const int tasks = (int) ((total + PIXELS - 1) / PIXELS) *
	                  mmrd_blocks(s->O, CHANNELS) * (s->transposed ? 4 : 1);
	const size_t scratch = mmrd_conv_gemm_work(s);

#pragma omp parallel for num_threads(mmrd_threads()) schedule(dynamic)
	for (int task = 0; task < tasks; task++)
	{
		float *mine = work + scratch * (size_t) omp_get_thread_num();

		if (s->transposed)
			transposed_task(s, x, w, e, y, task, mine);
		else
			forward_task(s, x, w, e, y, task, mine);
	}
}

/* Copy or add n rows of products to pixels of dx given by index. */
static void
put_row(const float *from, int n, bool accumulate, float *to)
{
	if (accumulate)
	{
		for (int c = 0; c < n; c++)
			to[c] += from[c];
	}
	else
		memcpy(to, from, (size_t) n * sizeof(float));
}

/*
 * A block of input pixels of one parity (py, px): rows h = py + stride * i,
 * columns w = px + stride * j.  first is the index of the first such pixel of
 * the batch.
 */
typedef struct input_block
{
	int py, px;
	int rows, cols; /* pixels of this parity in one image */
	size_t first;
	int n;
	int c0, nc;
} input_block;

/* dy under one tap for every pixel of the block; false when all are zero. */
static bool
gather_tap(const mmrd_conv_shape *s, const input_block *b, const float *dy,
           int ky, int kx, float *out)
{
	bool any = false;

	for (int i = 0; i < b->n; i++)
	{
		const size_t p = b->first + (size_t) i;
		const int image = (int) (p / ((size_t) b->rows * b->cols));
		const int r = (int) (p / (size_t) b->cols % (size_t) b->rows);
		const int c = (int) (p % (size_t) b->cols);
		const int y = b->py + r * s->stride + s->pad - ky;
		const int x = b->px + c * s->stride + s->pad - kx;
		const int oy = y / s->stride;
		const int ox = x / s->stride;
		float *row = out + (size_t) i * s->O;

		if (y < 0 || x < 0 || oy >= s->OH || ox >= s->OW)
			memset(row, 0, (size_t) s->O * sizeof(float));
		else
		{
			memcpy(row,
			       dy + (((size_t) image * s->OH + oy) * s->OW + ox) * s->y_ld,
			       (size_t) s->O * sizeof(float));
			any = true;
		}
	}
	return any;
}

static void
input_task(const mmrd_conv_shape *s, const input_block *b, const float *dy,
           const float *w, bool accumulate, float *dx, float *scratch)
{
	float *sum = scratch + (size_t) PIXELS * s->O;
	float beta = 0;

	for (int ky = 0; ky < s->K; ky++)
	{
		for (int kx = 0; kx < s->K; kx++)
		{
			const float *tap =
			    w + ((size_t) (ky * s->K + kx) * s->C + b->c0) * s->O;

			if ((b->py + s->pad - ky) % s->stride != 0 ||
			    (b->px + s->pad - kx) % s->stride != 0 ||
			    !gather_tap(s, b, dy, ky, kx, scratch))
				continue;
			mmrd_gemm(false, true, b->n, b->nc, s->O, scratch, s->O, tap, s->O,
			          beta, sum, b->nc);
			beta = 1;
		}
	}
	if (beta == 0) /* a stride larger than the kernel: no output saw it */
		memset(sum, 0, (size_t) b->n * b->nc * sizeof(float));
	for (int i = 0; i < b->n; i++)
	{
		const size_t p = b->first + (size_t) i;
		const size_t image = p / ((size_t) b->rows * b->cols);
		const size_t h = (size_t) b->py +
		                 p / (size_t) b->cols % (size_t) b->rows * s->stride;
		const size_t v = (size_t) b->px + p % (size_t) b->cols * s->stride;

		put_row(sum + (size_t) i * b->nc, b->nc, accumulate,
		        dx + ((image * s->H + h) * s->W + v) * s->x_ld + b->c0);
	}
}

/* dx of a transposed convolution: four taps of the pixel's 2x2 block. */
static void
transposed_input_task(const mmrd_conv_shape *s, const input_block *b,
                      const float *dy, const float *w, bool accumulate,
                      float *dx, float *scratch)
{
	float *sum = scratch + (size_t) PIXELS * s->O;

	for (int tap = 0; tap < 4; tap++)
	{
		for (int i = 0; i < b->n; i++)
		{
			const size_t p = b->first + (size_t) i;
			const size_t q = (2 * (p / (size_t) s->W) + (size_t) (tap / 2)) *
			                     (size_t) s->OW +
			                 2 * (p % (size_t) s->W) + (size_t) (tap % 2);

			memcpy(scratch + (size_t) i * s->O, dy + q * s->y_ld,
			       (size_t) s->O * sizeof(float));
		}
		mmrd_gemm(false, true, b->n, b->nc, s->O, scratch, s->O,
		          w + ((size_t) b->c0 * 4 + tap) * s->O, 4 * s->O,
		          tap > 0 ? 1 : 0, sum, b->nc);
	}
	for (int i = 0; i < b->n; i++)
		put_row(sum + (size_t) i * b->nc, b->nc, accumulate,
		        dx + (b->first + (size_t) i) * s->x_ld + b->c0);
}

void
mmrd_conv_gemm_input(const mmrd_conv_shape *s, const float *dy, const float *w,
                     bool accumulate, float *dx, float *work)
{
	const size_t scratch = mmrd_conv_gemm_work(s);
	const int step = s->transposed ? 1 : s->stride;
	const int c_blocks = mmrd_blocks(s->C, CHANNELS);

	for (int parity = 0; parity < step * step; parity++)
	{
		input_block whole = {0};
		size_t total;
		int tasks;

		whole.py = parity / step;
		whole.px = parity % step;
		whole.rows = (s->H - whole.py + step - 1) / step;
		whole.cols = (s->W - whole.px + step - 1) / step;
		total = (size_t) s->N * whole.rows * whole.cols;
		tasks = (int) ((total + PIXELS - 1) / PIXELS) * c_blocks;
#pragma omp parallel for num_threads(mmrd_threads()) schedule(dynamic)
		for (int task = 0; task < tasks; task++)
		{
			float *mine = work + scratch * (size_t) omp_get_thread_num();
			input_block b = whole;

			b.first = (size_t) (task / c_blocks) * PIXELS;
			b.n = total - b.first < PIXELS ? (int) (total - b.first) : PIXELS;
			b.c0 = task % c_blocks * CHANNELS;
			b.nc = mmrd_smaller(s->C - b.c0, CHANNELS);
			if (s->transposed)
				transposed_input_task(s, &b, dy, w, accumulate, dx, mine);
			else
				input_task(s, &b, dy, w, accumulate, dx, mine);
		}
	}
}

/* Pixels at .. at+n-1 of the smaller grid, as x or dy sees them under a tap.
 */
static void
gather_x(const mmrd_conv_shape *s, const float *x, size_t at, int n, int tap,
         int c0, int nc, float *out)
{
	const size_t image = (size_t) s->OH * s->OW;

	for (int i = 0; i < n; i++)
	{
		const size_t p = at + (size_t) i;
		const int h = (int) (p % image / (size_t) s->OW) * s->stride - s->pad +
		              tap / s->K;
		const int v =
		    (int) (p % (size_t) s->OW) * s->stride - s->pad + tap % s->K;

		if (h < 0 || h >= s->H || v < 0 || v >= s->W)
			memset(out + (size_t) i * nc, 0, (size_t) nc * sizeof(float));
		else
			memcpy(out + (size_t) i * nc,
			       x + ((p / image * s->H + h) * s->W + v) * s->x_ld + c0,
			       (size_t) nc * sizeof(float));
	}
}

static void
gather_dy(const mmrd_conv_shape *s, const float *dy, size_t at, int n, int tap,
          int o0, int no, float *out)
{
	for (int i = 0; i < n; i++)
	{
		const size_t p = at + (size_t) i;
		const size_t q =
		    (2 * (p / (size_t) s->W) + (size_t) (tap / 2)) * (size_t) s->OW +
		    2 * (p % (size_t) s->W) + (size_t) (tap % 2);

		memcpy(out + (size_t) i * no, dy + q * s->y_ld + o0,
		       (size_t) no * sizeof(float));
	}
}

static void
weight_task(const mmrd_conv_shape *s, const float *x, const float *dy,
            float *dw, int task, float *scratch)
{
	const int c_blocks = mmrd_blocks(s->C, DW_IN);
	const int o_blocks = mmrd_blocks(s->O, DW_OUT);
	const int tap = task / (c_blocks * o_blocks);
	const int c0 = task / o_blocks % c_blocks * DW_IN;
	const int o0 = task % o_blocks * DW_OUT;
	const int nc = mmrd_smaller(s->C - c0, DW_IN);
	const int no = mmrd_smaller(s->O - o0, DW_OUT);
	const size_t total = s->transposed ? (size_t) s->N * s->H * s->W
	                                   : (size_t) s->N * s->OH * s->OW;
	const int dw_ld = s->transposed ? 4 * s->O : s->O;
	float *out = s->transposed ? dw + ((size_t) c0 * 4 + tap) * s->O + o0
	                           : dw + ((size_t) tap * s->C + c0) * s->O + o0;

	for (size_t at = 0; at < total; at += DW_PIXELS)
	{
		const int n = total - at < DW_PIXELS ? (int) (total - at) : DW_PIXELS;

		if (s->transposed)
		{
			gather_dy(s, dy, at, n, tap, o0, no, scratch);
			mmrd_gemm(true, false, nc, no, n, x + at * s->x_ld + c0, s->x_ld,
			          scratch, no, at > 0 ? 1 : 0, out, dw_ld);
		}
		else
		{
			gather_x(s, x, at, n, tap, c0, nc, scratch);
			mmrd_gemm(true, false, nc, no, n, scratch, nc,
			          dy + at * s->y_ld + o0, s->y_ld, at > 0 ? 1 : 0, out,
			          dw_ld);
		}
	}
}

void
mmrd_conv_gemm_weight(const mmrd_conv_shape *s, const float *x,
                      const float *dy, float *dw, float *work)
{
	const size_t scratch = mmrd_conv_gemm_work(s);
	const int tasks =
	    s->K * s->K * mmrd_blocks(s->C, DW_IN) * mmrd_blocks(s->O, DW_OUT);

#pragma omp parallel for num_threads(mmrd_threads()) schedule(dynamic)
	for (int task = 0; task < tasks; task++)
		weight_task(s, x, dy, dw, task,
		            work + scratch * (size_t) omp_get_thread_num());
}
