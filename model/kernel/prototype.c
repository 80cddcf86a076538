/*
 * model/kernel/prototype.c
 *	  Soft assignment to prototypes, as matrix products.
 *
 * Forward, a task takes PIXELS pixels: similarities f P^T (pixels, Q), divided
 * by the norms, softmax in place, times P.
 *
 * Backward, with s the cosines and g the gradient of the prior:
 *	  dw = g P^T,   ds_j = w_j (dw_j - sum_k w_k dw_k)
 *	  dP_j = sum w_j g + sum ds_j (f / |f| - s_j p_j / |p_j|) / |p_j|
 * The first phase computes ds and s for all pixels, in parallel over pixels;
 * the second is two products (Q, P) x (P, C), in parallel over channels, each
 * adding up all pixels in order.
 */
#include "model/kernel/prototype.h"

#include <math.h>
#include <string.h>

#include "model/base/threads.h"
#include "model/kernel/gemm.h"
#include "model/kernel/isa.h"

enum
{
	PIXELS = 128, /* pixels a task */
	STRIP = 32,   /* channels a task of the second phase */
	MAX_Q = 1024  /* prototypes: MMRD_MAX_PROTOTYPES */
};

static float
norm(const float *x, int n)
{
	double sum = 0;

	for (int i = 0; i < n; i++)
		sum += (double) x[i] * x[i];
	return fmaxf((float) sqrt(sum), MMRD_COS_MIN_NORM);
}

static float
pixel_norm(const float *x, int n)
{
	float part[16] = {0};
	float sum = 0;
	int i = 0;

	for (; i + 16 <= n; i += 16)
		for (int k = 0; k < 16; k++)
			part[k] += x[i + k] * x[i + k];
	for (; i < n; i++)
		sum += x[i] * x[i];
	for (int k = 0; k < 16; k++)
		sum += part[k];
	return fmaxf(sqrtf(sum), MMRD_COS_MIN_NORM);
}

static void
inverse_norms(int Q, int C, const float *protos, float *inverse)
{
	for (int j = 0; j < Q; j++)
		inverse[j] = 1.0f / norm(protos + (size_t) j * C, C);
}

/* Cosines are at most 1, so their softmax needs no shift. */
static void
softmax(int Q, float *s)
{
	float sum = 0;

	mmrd_isa_get()->exponentials(Q, s);
	for (int j = 0; j < Q; j++)
		sum += s[j];
	for (int j = 0; j < Q; j++)
		s[j] /= sum;
}

/* Cosines of n pixels with every prototype. */
static void
cosines(int n, int C, int Q, const float *f, const float *protos,
        const float *inverse, float *s)
{
	mmrd_gemm(false, true, n, Q, C, f, C, protos, C, 0, s, Q);
	for (int i = 0; i < n; i++)
	{
		const float scale = 1.0f / pixel_norm(f + (size_t) i * C, C);

		for (int j = 0; j < Q; j++)
			s[(size_t) i * Q + j] *= scale * inverse[j];
	}
}

void
mmrd_prior_forward(size_t P, int C, int Q, const float *f, const float *protos,
                   float *weights, float *prior)
{
	const int tasks = (int) ((P + PIXELS - 1) / PIXELS);
	float inverse[MAX_Q];

	inverse_norms(Q, C, protos, inverse);
#pragma omp parallel for num_threads(mmrd_threads()) schedule(dynamic)
	for (int task = 0; task < tasks; task++)
	{
		const size_t at = (size_t) task * PIXELS;
		const int n = P - at < PIXELS ? (int) (P - at) : PIXELS;
		float *w = weights + at * Q;

		cosines(n, C, Q, f + at * C, protos, inverse, w);
		for (int i = 0; i < n; i++)
			softmax(Q, w + (size_t) i * Q);
		mmrd_gemm(false, false, n, C, Q, w, Q, protos, C, 0, prior + at * C,
		          C);
	}
}

size_t
mmrd_prior_work(size_t P, int C, int Q)
{
	return 2 * P * (size_t) Q + (size_t) Q * C;
}

/* ds (scaled by 1/|f|, for the product with f) and ds * s, for n pixels. */
static void
pixel_gradients(int n, int C, int Q, const float *f, const float *w, float *ds,
                float *dss)
{
	for (int i = 0; i < n; i++)
	{
		const float *wi = w + (size_t) i * Q;
		float *d = ds + (size_t) i * Q;
		float *e = dss + (size_t) i * Q;
		const float scale = 1.0f / pixel_norm(f + (size_t) i * C, C);
		float mean = 0;

		for (int j = 0; j < Q; j++)
			mean += wi[j] * d[j];
		for (int j = 0; j < Q; j++)
		{
			const float g = wi[j] * (d[j] - mean);

			e[j] *= g; /* held the cosine */
			d[j] = g * scale;
		}
	}
}

static void
channel_strip(size_t P, int C, int Q, int c0, const float *f,
              const float *protos, const float *weights, const float *dprior,
              const float *ds, const float *inverse, const double *pull,
              float *part, float *dprotos)
{
	const int n = C - c0 < STRIP ? C - c0 : STRIP;

	mmrd_gemm(true, false, Q, n, (int) P, weights, Q, dprior + c0, C, 0,
	          dprotos + c0, C);
	mmrd_gemm(true, false, Q, n, (int) P, ds, Q, f + c0, C, 0, part + c0, C);
	for (int j = 0; j < Q; j++)
	{
		const size_t row = (size_t) j * C + c0;

		for (int c = 0; c < n; c++)
			dprotos[row + c] +=
			    part[row + c] * inverse[j] - (float) pull[j] * protos[row + c];
	}
}

void
mmrd_prior_backward(size_t P, int C, int Q, const float *f,
                    const float *protos, const float *weights,
                    const float *dprior, float *dprotos, float *work)
{
	const int tasks = (int) ((P + PIXELS - 1) / PIXELS);
	float *ds = work;
	float *dss = work + P * (size_t) Q;
	float *part = work + 2 * P * (size_t) Q;
	float inverse[MAX_Q];
	double pull[MAX_Q] = {0};

	inverse_norms(Q, C, protos, inverse);
#pragma omp parallel for num_threads(mmrd_threads()) schedule(dynamic)
	for (int task = 0; task < tasks; task++)
	{
		const size_t at = (size_t) task * PIXELS;
		const int n = P - at < PIXELS ? (int) (P - at) : PIXELS;

		cosines(n, C, Q, f + at * C, protos, inverse, dss + at * Q);
		mmrd_gemm(false, true, n, Q, C, dprior + at * C, C, protos, C, 0,
		          ds + at * Q, Q);
		pixel_gradients(n, C, Q, f + at * C, weights + at * Q, ds + at * Q,
		                dss + at * Q);
	}
	for (size_t p = 0; p < P; p++)
		for (int j = 0; j < Q; j++)
			pull[j] += dss[p * Q + j];
	for (int j = 0; j < Q; j++)
	{
		/* Below the smallest norm the divisor is constant: no pull. */
		if (inverse[j] >= 1.0f / MMRD_COS_MIN_NORM)
			pull[j] = 0;
		else
			pull[j] *= (double) inverse[j] * inverse[j];
	}
#pragma omp parallel for num_threads(mmrd_threads()) schedule(dynamic)
	for (int c0 = 0; c0 < C; c0 += STRIP)
		channel_strip(P, C, Q, c0, f, protos, weights, dprior, ds, inverse,
		              pull, part, dprotos);
}
