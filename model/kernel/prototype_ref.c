/*
 * model/kernel/prototype_ref.c
 *	  The reference twins of prototype.c: one pixel, one prototype at a time.
 */
#include "model/kernel/prototype.h"

#include <math.h>

enum
{
	MAX_C = 1024, /* the widest stage: 256 * 4 */
	MAX_Q = 1024  /* MMRD_MAX_PROTOTYPES */
};

static double
dot(int C, const float *a, const float *b)
{
	double sum = 0;

	for (int c = 0; c < C; c++)
		sum += (double) a[c] * b[c];
	return sum;
}

static double
length(int C, const float *a)
{
	return fmax(sqrt(dot(C, a, a)), (double) MMRD_COS_MIN_NORM);
}

static double
cosine(int C, const float *a, const float *b)
{
	return dot(C, a, b) / (length(C, a) * length(C, b));
}

void
mmrd_prior_forward_ref(size_t P, int C, int Q, const float *f,
                       const float *protos, float *weights, float *prior)
{
	for (size_t p = 0; p < P; p++)
	{
		double w[MAX_Q];
		double total = 0;

		for (int j = 0; j < Q; j++)
		{
			w[j] = exp(cosine(C, f + p * C, protos + (size_t) j * C));
			total += w[j];
		}
		for (int j = 0; j < Q; j++)
			weights[p * Q + j] = (float) (w[j] / total);
		for (int c = 0; c < C; c++)
		{
			double sum = 0;

			for (int j = 0; j < Q; j++)
				sum += w[j] / total * protos[(size_t) j * C + c];
			prior[p * C + c] = (float) sum;
		}
	}
}

/* Gradient by the cosine of one pixel and prototype j, through the softmax. */
static double
cosine_gradient(int C, int Q, int j, const float *protos, const float *w,
                const float *dprior)
{
	double mean = 0;

	for (int k = 0; k < Q; k++)
		mean += w[k] * dot(C, dprior, protos + (size_t) k * C);
	return w[j] * (dot(C, dprior, protos + (size_t) j * C) - mean);
}

void
mmrd_prior_backward_ref(size_t P, int C, int Q, const float *f,
                        const float *protos, const float *weights,
                        const float *dprior, float *dprotos)
{
	for (int j = 0; j < Q; j++)
	{
		const float *proto = protos + (size_t) j * C;
		const double n_proto = length(C, proto);
		/* Below the smallest norm the divisor does not depend on proto. */
		const double pull = n_proto > (double) MMRD_COS_MIN_NORM ? 1 : 0;
		double gradient[MAX_C] = {0};

		for (size_t p = 0; p < P; p++)
		{
			const float *v = f + p * C;
			const float *g = dprior + p * C;
			const float *w = weights + p * Q;
			const double ds = cosine_gradient(C, Q, j, protos, w, g);
			const double s = cosine(C, v, proto);
			const double n_v = length(C, v);

			for (int c = 0; c < C; c++)
				gradient[c] +=
				    w[j] * g[c] +
				    ds * (v[c] / n_v - pull * s * proto[c] / n_proto) /
				        n_proto;
		}
		for (int c = 0; c < C; c++)
			dprotos[(size_t) j * C + c] = (float) gradient[c];
	}
}
