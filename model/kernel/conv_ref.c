/*
 * model/kernel/conv_ref.c
 *	  The reference twins of conv.c: the definition, one output at a time.
 *
 * One relation says which weight joins input pixel (h, v) and output pixel
 * (oy, ox): tap (ky, kx) with oy * stride - pad + ky = h, likewise across, and
 * for the transposed kind (2x2, stride 2) tap (a, b) with 2h + a = oy.  Each
 * twin sums over everything that the relation joins to its output.
 */
#include "model/kernel/conv.h"

static size_t
x_at(const mmrd_conv_shape *s, int n, int h, int v)
{
	return (((size_t) n * s->H + h) * s->W + v) * s->x_ld;
}

static size_t
y_at(const mmrd_conv_shape *s, int n, int oy, int ox)
{
	return (((size_t) n * s->OH + oy) * s->OW + ox) * s->y_ld;
}

static size_t
w_at(const mmrd_conv_shape *s, int ky, int kx, int c, int o)
{
	const size_t K = (size_t) s->K;

	if (s->transposed)
		return (((size_t) c * K + ky) * K + kx) * s->O + o;
	return (((size_t) ky * K + kx) * s->C + c) * s->O + o;
}

/* The input row (or column) that tap k of output o reads; -1: none. */
static int
input_of(const mmrd_conv_shape *s, int o, int k, int size)
{
	int i = o * s->stride - s->pad + k;

	if (s->transposed)
		i = o % 2 == k ? o / 2 : -1;
	return i >= 0 && i < size ? i : -1;
}

/* The output row (or column) that reads input i with tap k; -1: none. */
static int
output_of(const mmrd_conv_shape *s, int i, int k, int size)
{
	const int place = i + s->pad - k;

	if (s->transposed)
		return 2 * i + k;
	if (place < 0 || place % s->stride != 0 || place / s->stride >= size)
		return -1;
	return place / s->stride;
}

static double
output_sum(const mmrd_conv_shape *s, const float *x, const float *w, int n,
           int oy, int ox, int o)
{
	double sum = 0;

	for (int ky = 0; ky < s->K; ky++)
	{
		for (int kx = 0; kx < s->K; kx++)
		{
			const int h = input_of(s, oy, ky, s->H);
			const int v = input_of(s, ox, kx, s->W);

			for (int c = 0; c < s->C && h >= 0 && v >= 0; c++)
				sum += (double) x[x_at(s, n, h, v) + c] *
				       w[w_at(s, ky, kx, c, o)];
		}
	}
	return sum;
}

void
mmrd_conv_forward_ref(const mmrd_conv_shape *s, const float *x, const float *w,
                      const mmrd_epilogue *e, float *y)
{
	for (int n = 0; n < s->N; n++)
		for (int oy = 0; oy < s->OH; oy++)
			for (int ox = 0; ox < s->OW; ox++)
				for (int o = 0; o < s->O; o++)
					y[y_at(s, n, oy, ox) + o] =
					    (float) output_sum(s, x, w, n, oy, ox, o);
	if (e != NULL)
		mmrd_affine_ref(s->N, s->OH * s->OW, s->O, y, s->y_ld, e, y, s->y_ld);
}

static double
input_sum(const mmrd_conv_shape *s, const float *dy, const float *w, int n,
          int h, int v, int c)
{
	double sum = 0;

	for (int ky = 0; ky < s->K; ky++)
	{
		for (int kx = 0; kx < s->K; kx++)
		{
			const int oy = output_of(s, h, ky, s->OH);
			const int ox = output_of(s, v, kx, s->OW);

			for (int o = 0; o < s->O && oy >= 0 && ox >= 0; o++)
				sum += (double) dy[y_at(s, n, oy, ox) + o] *
				       w[w_at(s, ky, kx, c, o)];
		}
	}
	return sum;
}

void
mmrd_conv_backward_input_ref(const mmrd_conv_shape *s, const float *dy,
                             const float *w, bool accumulate, float *dx)
{
	for (int n = 0; n < s->N; n++)
	{
		for (int h = 0; h < s->H; h++)
		{
			for (int v = 0; v < s->W; v++)
			{
				for (int c = 0; c < s->C; c++)
				{
					float *d = dx + x_at(s, n, h, v) + c;
					const double sum = input_sum(s, dy, w, n, h, v, c);

					*d = (float) (accumulate ? *d + sum : sum);
				}
			}
		}
	}
}

static double
weight_sum(const mmrd_conv_shape *s, const float *x, const float *dy, int ky,
           int kx, int c, int o)
{
	double sum = 0;

	for (int n = 0; n < s->N; n++)
	{
		for (int oy = 0; oy < s->OH; oy++)
		{
			for (int ox = 0; ox < s->OW; ox++)
			{
				const int h = input_of(s, oy, ky, s->H);
				const int v = input_of(s, ox, kx, s->W);

				if (h >= 0 && v >= 0)
					sum += (double) x[x_at(s, n, h, v) + c] *
					       dy[y_at(s, n, oy, ox) + o];
			}
		}
	}
	return sum;
}

void
mmrd_conv_backward_weight_ref(const mmrd_conv_shape *s, const float *x,
                              const float *dy, float *dw)
{
	for (int ky = 0; ky < s->K; ky++)
		for (int kx = 0; kx < s->K; kx++)
			for (int c = 0; c < s->C; c++)
				for (int o = 0; o < s->O; o++)
					dw[w_at(s, ky, kx, c, o)] =
					    (float) weight_sum(s, x, dy, ky, kx, c, o);
}
