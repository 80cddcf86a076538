/*
 * model/kernel/interaction.c
 *	  Channel attention from RGB, spatial attention from the others.
 *
 * With b = CA + 1 and g the gradient of out:
 *	  with aux		out = r (SA b + 1),	dr = g (SA b + 1), dSA = sum_c g r b,
 *					dCA = sum_p g r SA
 *	  without		out = r b,			dr = g b,          dCA = sum_p g r
 * and dr gets the way back through the mean on top.  The maximum over
 * channels sends its gradient to the channel that won (the first, on a tie).
 */
#include "model/kernel/interaction.h"

#include <math.h>
#include <string.h>

#include "model/base/threads.h"

enum
{
	STRIP = 16 /* channels a task: a cache line of floats */
};

static float
sigmoid(float x)
{
	return 1.0f / (1.0f + expf(-x));
}

static size_t
padded(size_t n)
{
	return (n + 15) & ~(size_t) 15;
}

size_t
mmrd_interaction_work(const mmrd_interaction_shape *s)
{
	const size_t pixels = padded((size_t) s->N * s->H * s->W);
	const size_t channels = padded((size_t) s->N * s->C);
	const size_t squeezed = padded((size_t) s->N * (s->C / MMRD_SQUEEZE));

	return 2 * channels + squeezed + pixels * (2 + 3 * (size_t) s->n_aux);
}

void
mmrd_interaction_state_set(const mmrd_interaction_shape *s, float *work,
                           mmrd_interaction_state *state)
{
	const size_t pixels = padded((size_t) s->N * s->H * s->W);
	const size_t channels = padded((size_t) s->N * s->C);

	memset(state, 0, sizeof(*state));
	state->mean = work;
	state->ca = state->mean + channels;
	state->hidden = state->ca + channels;
	state->sa = state->hidden + padded((size_t) s->N * (s->C / MMRD_SQUEEZE));
	state->dsa = state->sa + pixels;
	for (int m = 0; m < s->n_aux; m++)
	{
		state->peak[m] = state->dsa + pixels * (1 + 3 * (size_t) m);
		state->sa_one[m] = state->peak[m] + pixels;
		state->channel[m] = (int32_t *) (state->sa_one[m] + pixels);
	}
}

/* mean[n, c] over pixels, by strips of channels. */
static void
channel_means(const mmrd_interaction_shape *s, const float *r, float *mean)
{
	const int P = s->H * s->W;
	const int strips = (s->C + STRIP - 1) / STRIP;

#pragma omp parallel for num_threads(mmrd_threads()) schedule(static)
	for (int task = 0; task < s->N * strips; task++)
	{
		const int n = task / strips;
		const int c0 = task % strips * STRIP;
		const int nc = s->C - c0 < STRIP ? s->C - c0 : STRIP;
		double sum[STRIP] = {0};

		for (int p = 0; p < P; p++)
		{
			const float *x = r + ((size_t) n * P + p) * s->C + c0;

			for (int c = 0; c < nc; c++)
				sum[c] += x[c];
		}
		for (int c = 0; c < nc; c++)
			mean[(size_t) n * s->C + c0 + c] = (float) (sum[c] / P);
	}
}

static void
channel_attention(const mmrd_interaction_shape *s,
                  const mmrd_interaction_weights *w,
                  mmrd_interaction_state *state)
{
	const int R = s->C / MMRD_SQUEEZE;

	for (int n = 0; n < s->N; n++)
	{
		const float *mean = state->mean + (size_t) n * s->C;
		float *hidden = state->hidden + (size_t) n * R;
		float *ca = state->ca + (size_t) n * s->C;

		for (int j = 0; j < R; j++)
		{
			double sum = w->fc1_bias[j];

			for (int c = 0; c < s->C; c++)
				sum += (double) w->fc1_weight[(size_t) j * s->C + c] * mean[c];
			hidden[j] = sum > 0 ? (float) sum : 0.0f;
		}
		for (int c = 0; c < s->C; c++)
		{
			double sum = w->fc2_bias[c];

			for (int j = 0; j < R; j++)
				sum += (double) w->fc2_weight[(size_t) c * R + j] * hidden[j];
			ca[c] = sigmoid((float) sum);
		}
	}
}

static void
peaks(const mmrd_interaction_shape *s, const float *a, float *peak,
      int32_t *channel)
{
	const int total = s->N * s->H * s->W;

#pragma omp parallel for num_threads(mmrd_threads()) schedule(static)
	for (int p = 0; p < total; p++)
	{
		const float *x = a + (size_t) p * s->C;
		int best = 0;

		for (int c = 1; c < s->C; c++)
			if (x[c] > x[best])
				best = c;
		peak[p] = x[best];
		channel[p] = best;
	}
}

static void
spatial_attention(const mmrd_interaction_shape *s, const float *kernel,
                  float bias, const float *peak, float *sa)
{
	for (int p = 0; p < s->N * s->H * s->W; p++)
	{
		const int y = p / s->W % s->H;
		const int x = p % s->W;
		float sum = bias;

		for (int k = 0; k < 9; k++)
		{
			const int h = y + k / 3 - 1;
			const int v = x + k % 3 - 1;

			if (h >= 0 && h < s->H && v >= 0 && v < s->W)
				sum += kernel[k] * peak[p + (h - y) * s->W + v - x];
		}
		sa[p] = sigmoid(sum);
	}
}

void
mmrd_interaction_forward(const mmrd_interaction_shape *s,
                         const mmrd_interaction_weights *w, const float *r,
                         const float *const *a, mmrd_interaction_state *state,
                         float *out, int out_ld)
{
	const int P = s->H * s->W;
	const int total = s->N * P;

	channel_means(s, r, state->mean);
	channel_attention(s, w, state);
	for (int m = 0; m < s->n_aux; m++)
	{
		peaks(s, a[m], state->peak[m], state->channel[m]);
		spatial_attention(s, w->spatial_weight[m], w->spatial_bias[m][0],
		                  state->peak[m], state->sa_one[m]);
	}
	for (int p = 0; p < total && s->n_aux > 0; p++)
	{
		float sum = 0;

		for (int m = 0; m < s->n_aux; m++)
			sum += state->sa_one[m][p];
		state->sa[p] = sum / (float) s->n_aux;
	}
#pragma omp parallel for num_threads(mmrd_threads()) schedule(static)
	for (int p = 0; p < total; p++)
	{
		const float *x = r + (size_t) p * s->C;
		const float *ca = state->ca + (size_t) (p / P) * s->C;
		float *y = out + (size_t) p * out_ld;
		const float sa = s->n_aux > 0 ? state->sa[p] : 1.0f;
		const float base = s->n_aux > 0 ? 1.0f : 0.0f;

		for (int c = 0; c < s->C; c++)
			y[c] = x[c] * (sa * (ca[c] + 1.0f) + base);
	}
}

/* dr (so far), dsa and dca from g = dout; dca goes to the caller's array. */
static void
backward_product(const mmrd_interaction_shape *s, const float *r,
                 const mmrd_interaction_state *state, const float *dout,
                 int dout_ld, float *dr)
{
	const int P = s->H * s->W;
	const float base = s->n_aux > 0 ? 1.0f : 0.0f;

#pragma omp parallel for num_threads(mmrd_threads()) schedule(static)
	for (int p = 0; p < s->N * P; p++)
	{
		const float *x = r + (size_t) p * s->C;
		const float *g = dout + (size_t) p * dout_ld;
		const float *ca = state->ca + (size_t) (p / P) * s->C;
		float *d = dr + (size_t) p * s->C;
		const float sa = s->n_aux > 0 ? state->sa[p] : 1.0f;
		float sum = 0;

		for (int c = 0; c < s->C; c++)
		{
			const float b = ca[c] + 1.0f;

			sum += g[c] * x[c] * b;
			d[c] += g[c] * (sa * b + base);
		}
		state->dsa[p] = sum;
	}
}

/* Gradient by CA of one image, before the sigmoid: out[c]. */
static void
backward_attention(const mmrd_interaction_shape *s, const float *r,
                   const mmrd_interaction_state *state, const float *dout,
                   int dout_ld, int n, float *out)
{
	const int P = s->H * s->W;

#pragma omp parallel for num_threads(mmrd_threads()) schedule(static)
	for (int c0 = 0; c0 < s->C; c0 += STRIP)
	{
		const int nc = s->C - c0 < STRIP ? s->C - c0 : STRIP;
		double sum[STRIP] = {0};

		for (int i = 0; i < P; i++)
		{
			const size_t p = (size_t) n * P + i;
			const float *x = r + p * s->C + c0;
			const float *g = dout + p * dout_ld + c0;
			const float sa = s->n_aux > 0 ? state->sa[p] : 1.0f;

			for (int c = 0; c < nc; c++)
				sum[c] += (double) (g[c] * x[c]) * sa;
		}
		for (int c = 0; c < nc; c++)
		{
			const float ca = state->ca[(size_t) n * s->C + c0 + c];

			out[c0 + c] = (float) sum[c] * ca * (1 - ca);
		}
	}
}

/*
 * Through fc2, ReLU, fc1 and the mean of one image; du (C) is the gradient
 * before the last sigmoid, and is overwritten by the gradient of the mean.
 */
static void
backward_squeeze(const mmrd_interaction_shape *s,
                 const mmrd_interaction_weights *w,
                 const mmrd_interaction_state *state, int n, float *du,
                 mmrd_interaction_weights *dw)
{
	const int C = s->C;
	const int R = C / MMRD_SQUEEZE;
	const float *hidden = state->hidden + (size_t) n * R;
	const float *mean = state->mean + (size_t) n * C;
	float dh[MMRD_SQUEEZE * 16]; /* R is at most 1024 / 16 */

	for (int j = 0; j < R; j++)
	{
		double sum = 0;

		for (int c = 0; c < C; c++)
		{
			dw->fc2_weight[(size_t) c * R + j] += du[c] * hidden[j];
			sum += (double) du[c] * w->fc2_weight[(size_t) c * R + j];
		}
		dh[j] = hidden[j] > 0 ? (float) sum : 0.0f;
	}
	for (int c = 0; c < C; c++)
		dw->fc2_bias[c] += du[c];
	memset(du, 0, (size_t) C * sizeof(float));
	for (int j = 0; j < R; j++)
	{
		dw->fc1_bias[j] += dh[j];
		for (int c = 0; c < C; c++)
		{
			dw->fc1_weight[(size_t) j * C + c] += dh[j] * mean[c];
			du[c] += dh[j] * w->fc1_weight[(size_t) j * C + c];
		}
	}
}

static void
backward_spatial(const mmrd_interaction_shape *s, const float *kernel,
                 const mmrd_interaction_state *state, int m, float *dkernel,
                 float *dbias, float *da)
{
	const int total = s->N * s->H * s->W;
	double dk[9] = {0};
	double db = 0;

	for (int p = 0; p < total; p++)
	{
		const int y = p / s->W % s->H;
		const int x = p % s->W;
		const float sa = state->sa_one[m][p];
		const float d = state->dsa[p] / (float) s->n_aux * sa * (1.0f - sa);

		db += d;
		for (int k = 0; k < 9; k++)
		{
			const int h = y + k / 3 - 1;
			const int v = x + k % 3 - 1;
			const int q = p + (h - y) * s->W + v - x;

			if (h < 0 || h >= s->H || v < 0 || v >= s->W)
				continue;
			dk[k] += (double) d * state->peak[m][q];
			da[(size_t) q * s->C + state->channel[m][q]] += d * kernel[k];
		}
	}
	for (int k = 0; k < 9; k++)
		dkernel[k] = (float) dk[k];
	dbias[0] = (float) db;
}

void
mmrd_interaction_backward(const mmrd_interaction_shape *s,
                          const mmrd_interaction_weights *w, const float *r,
                          mmrd_interaction_state *state, const float *dout,
                          int dout_ld, mmrd_interaction_weights *dw, float *dr,
                          float *const *da)
{
	const int C = s->C;
	const int R = C / MMRD_SQUEEZE;
	const int P = s->H * s->W;
	float du[16 * 64]; /* C is at most 1024 */

	memset(dw->fc1_weight, 0, (size_t) R * C * sizeof(float));
	memset(dw->fc1_bias, 0, (size_t) R * sizeof(float));
	memset(dw->fc2_weight, 0, (size_t) R * C * sizeof(float));
	memset(dw->fc2_bias, 0, (size_t) C * sizeof(float));
	backward_product(s, r, state, dout, dout_ld, dr);
	for (int n = 0; n < s->N; n++)
	{
		backward_attention(s, r, state, dout, dout_ld, n, du);
		backward_squeeze(s, w, state, n, du, dw);
#pragma omp parallel for num_threads(mmrd_threads()) schedule(static)
		for (int i = 0; i < P; i++)
		{
			float *d = dr + ((size_t) n * P + i) * C;

			for (int c = 0; c < C; c++)
				d[c] += du[c] / (float) P;
		}
	}
	for (int m = 0; m < s->n_aux; m++)
		backward_spatial(s, w->spatial_weight[m], state, m,
		                 dw->spatial_weight[m], dw->spatial_bias[m], da[m]);
}
