/*
 * model/kernel/batch_norm.c
 *	  Batch statistics by strips of channels.
 *
 * A task owns 16 channels (one cache line of a pixel) and walks all pixels in
 * chunks of CHUNK.  A chunk's sums are float (at most CHUNK terms), and chunks
 * are joined in double by Chan's formula, so that neither a large mean nor a
 * million pixels costs precision, with one pass over memory.
 */
#include "model/kernel/batch_norm.h"

#include <math.h>
#include <string.h>

#include "model/base/threads.h"

enum
{
	STRIP = 16, /* channels a task: a cache line of floats */
	CHUNK = 64  /* pixels summed in float */
};

static int
strip_width(int C, int c0)
{
	return C - c0 < STRIP ? C - c0 : STRIP;
}

static void
chunk_stats(int n, int nc, const float *z, int ld, float *sum, float *square)
{
	memset(sum, 0, STRIP * sizeof(float));
	memset(square, 0, STRIP * sizeof(float));
	if (nc == STRIP)
	{
		for (int p = 0; p < n; p++)
			for (int c = 0; c < STRIP; c++)
				sum[c] += z[(size_t) p * ld + c];
		for (int c = 0; c < STRIP; c++)
			sum[c] /= (float) n;
		for (int p = 0; p < n; p++)
		{
			for (int c = 0; c < STRIP; c++)
			{
				const float d = z[(size_t) p * ld + c] - sum[c];

				square[c] += d * d;
			}
		}
		return;
	}
	for (int c = 0; c < nc; c++)
	{
		for (int p = 0; p < n; p++)
			sum[c] += z[(size_t) p * ld + c];
		sum[c] /= (float) n;
		for (int p = 0; p < n; p++)
		{
			const float d = z[(size_t) p * ld + c] - sum[c];

			square[c] += d * d;
		}
	}
}

static void
strip_stats(size_t P, int nc, const float *z, int ld, float *mean, float *var)
{
	double m[STRIP] = {0};
	double s[STRIP] = {0};

	for (size_t at = 0; at < P; at += CHUNK)
	{
		const int n = P - at < CHUNK ? (int) (P - at) : CHUNK;
		const double before = (double) at;
		const double after = before + n;
		float chunk_mean[STRIP];
		float chunk_square[STRIP];

		chunk_stats(n, nc, z + at * ld, ld, chunk_mean, chunk_square);
		for (int c = 0; c < STRIP; c++)
		{
			const double d = chunk_mean[c] - m[c];

			m[c] += d * n / after;
			s[c] += chunk_square[c] + d * d * before * n / after;
		}
	}
	for (int c = 0; c < nc; c++)
	{
		mean[c] = (float) m[c];
		var[c] = (float) (s[c] / (double) P);
	}
}

void
mmrd_batch_stats(size_t P, int C, const float *z, int z_ld, float *mean,
                 float *var)
{
#pragma omp parallel for num_threads(mmrd_threads()) schedule(dynamic)
	for (int c0 = 0; c0 < C; c0 += STRIP)
		strip_stats(P, strip_width(C, c0), z + c0, z_ld, mean + c0, var + c0);
}

void
mmrd_batch_running(size_t P, int C, float momentum, const float *mean,
                   const float *var, float *running_mean, float *running_var)
{
	const float unbiased = (float) ((double) P / ((double) P - 1));

	for (int c = 0; c < C; c++)
	{
		running_mean[c] =
		    (1 - momentum) * running_mean[c] + momentum * mean[c];
		running_var[c] =
		    (1 - momentum) * running_var[c] + momentum * var[c] * unbiased;
	}
}

void
mmrd_batch_fold(int C, const float *gamma, const float *beta,
                const float *mean, const float *var, float *scale,
                float *shift)
{
	for (int c = 0; c < C; c++)
	{
		const double s = gamma[c] / sqrt((double) var[c] + MMRD_BN_EPS);

		scale[c] = (float) s;
		shift[c] = (float) (beta[c] - mean[c] * s);
	}
}

typedef struct backward
{
	size_t P;
	int nc;
	float *dy;
	int dy_ld;
	const float *y;
	int y_ld;
	float *z;
	int z_ld;
	const float *gamma, *mean, *var;
	float *dgamma, *dbeta;
} backward;

/* Sums of one chunk: dy masked in place, its sum, and its sum with z-hat. */
static void
chunk_sums(const backward *b, size_t at, int n, const float *istd, float *sum,
           float *dot)
{
	memset(sum, 0, STRIP * sizeof(float));
	memset(dot, 0, STRIP * sizeof(float));
	for (int p = 0; p < n; p++)
	{
		float *dy = b->dy + (at + (size_t) p) * b->dy_ld;
		const float *z = b->z + (at + (size_t) p) * b->z_ld;

		if (b->y != NULL)
		{
			const float *y = b->y + (at + (size_t) p) * b->y_ld;

			for (int c = 0; c < b->nc; c++)
				dy[c] = y[c] > 0 ? dy[c] : 0.0f;
		}
		for (int c = 0; c < b->nc; c++)
		{
			sum[c] += dy[c];
			dot[c] += dy[c] * ((z[c] - b->mean[c]) * istd[c]);
		}
	}
}

static void
strip_backward(const backward *b)
{
	double sum[STRIP] = {0};
	double dot[STRIP] = {0};
	float istd[STRIP];
	float a[STRIP];
	float k[STRIP];
	float m[STRIP];

	for (int c = 0; c < b->nc; c++)
		istd[c] = (float) (1.0 / sqrt((double) b->var[c] + MMRD_BN_EPS));
	for (size_t at = 0; at < b->P; at += CHUNK)
	{
		const int n = b->P - at < CHUNK ? (int) (b->P - at) : CHUNK;
		float chunk_sum[STRIP];
		float chunk_dot[STRIP];

		chunk_sums(b, at, n, istd, chunk_sum, chunk_dot);
		for (int c = 0; c < b->nc; c++)
		{
			sum[c] += chunk_sum[c];
			dot[c] += chunk_dot[c];
		}
	}
	for (int c = 0; c < b->nc; c++)
	{
		b->dbeta[c] = (float) sum[c];
		b->dgamma[c] = (float) dot[c];
		a[c] = b->gamma[c] * istd[c];
		m[c] = (float) (sum[c] / (double) b->P);
		k[c] = (float) (dot[c] / (double) b->P) * istd[c];
	}
	/* dz = gamma * istd * (dy - mean(dy) - z-hat * mean(dy * z-hat)) */
	for (size_t p = 0; p < b->P; p++)
	{
		const float *dy = b->dy + p * b->dy_ld;
		float *z = b->z + p * b->z_ld;

		for (int c = 0; c < b->nc; c++)
			z[c] = a[c] * (dy[c] - m[c] - (z[c] - b->mean[c]) * k[c]);
	}
}

void
mmrd_batch_norm_backward(size_t P, int C, float *dy, int dy_ld, const float *y,
                         int y_ld, float *z, const float *gamma,
                         const float *mean, const float *var, float *dgamma,
                         float *dbeta)
{
#pragma omp parallel for num_threads(mmrd_threads()) schedule(dynamic)
	for (int c0 = 0; c0 < C; c0 += STRIP)
	{
		const backward b = {P,
		                    strip_width(C, c0),
		                    dy + c0,
		                    dy_ld,
		                    y != NULL ? y + c0 : NULL,
		                    y_ld,
		                    z + c0,
		                    C,
		                    gamma + c0,
		                    mean + c0,
		                    var + c0,
		                    dgamma + c0,
		                    dbeta + c0};

		strip_backward(&b);
	}
}
