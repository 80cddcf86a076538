/*
 * model/kernel/cosine_loss.c
 *	  Losses summed in fixed chunks: each chunk by one thread, the chunks in
 *	  order by the caller's, so that no bit depends on the threads.
 */
#include "model/kernel/cosine_loss.h"

#include <math.h>
#include <string.h>

#include "model/base/threads.h"

enum
{
	MAX_CHUNKS = 64, /* chunks of one image, and of one square loss */
	LANES = 16
};

#define MIN_NORM 1e-8

typedef struct sums
{
	double tt, ss, ts;
} sums;

static sums
pixel_run(int n, int C, const float *t, int t_ld, const float *s, int s_ld)
{
	sums total = {0, 0, 0};

	for (int p = 0; p < n; p++)
	{
		const float *a = t + (size_t) p * t_ld;
		const float *b = s + (size_t) p * s_ld;
		float tt[LANES] = {0};
		float ss[LANES] = {0};
		float ts[LANES] = {0};
		int c = 0;

		for (; c + LANES <= C; c += LANES)
		{
			for (int k = 0; k < LANES; k++)
			{
				tt[k] += a[c + k] * a[c + k];
				ss[k] += b[c + k] * b[c + k];
				ts[k] += a[c + k] * b[c + k];
			}
		}
		for (; c < C; c++)
		{
			tt[0] += a[c] * a[c];
			ss[0] += b[c] * b[c];
			ts[0] += a[c] * b[c];
		}
		for (int k = 0; k < LANES; k++)
		{
			total.tt += tt[k];
			total.ss += ss[k];
			total.ts += ts[k];
		}
	}
	return total;
}

static double
one_image(int N, int P, int C, const float *t, int t_ld, const float *s,
          int s_ld, float *ds, int ds_ld)
{
	const int per_chunk = (P + MAX_CHUNKS - 1) / MAX_CHUNKS;
	const int chunks = (P + per_chunk - 1) / per_chunk;
	sums part[MAX_CHUNKS];
	sums all = {0, 0, 0};
	double norms;
	double cosine;
	float a;
	float b;

#pragma omp parallel for num_threads(mmrd_threads()) schedule(static)
	for (int i = 0; i < chunks; i++)
	{
		const int from = i * per_chunk;
		const int n = P - from < per_chunk ? P - from : per_chunk;

		part[i] = pixel_run(n, C, t + (size_t) from * t_ld, t_ld,
		                    s + (size_t) from * s_ld, s_ld);
	}
	for (int i = 0; i < chunks; i++)
	{
		all.tt += part[i].tt;
		all.ss += part[i].ss;
		all.ts += part[i].ts;
	}
	norms = fmax(sqrt(all.tt), MIN_NORM) * fmax(sqrt(all.ss), MIN_NORM);
	cosine = all.ts / norms;
	/* d(1 - cos)/ds = -t / norms + cos * s / |s|^2 (constant |s| below MIN) */
	a = (float) (-1.0 / norms / N);
	b = sqrt(all.ss) > MIN_NORM ? (float) (cosine / all.ss / N) : 0.0f;
#pragma omp parallel for num_threads(mmrd_threads()) schedule(static)
	for (int p = 0; p < P; p++)
	{
		const float *x = t + (size_t) p * t_ld;
		const float *y = s + (size_t) p * s_ld;
		float *d = ds + (size_t) p * ds_ld;

		for (int c = 0; c < C; c++)
			d[c] = a * x[c] + b * y[c];
	}
	return 1 - cosine;
}

double
mmrd_cosine_loss(int N, int P, int C, const float *t, int t_ld, const float *s,
                 int s_ld, float *ds, int ds_ld)
{
	double loss = 0;

	for (int n = 0; n < N; n++)
	{
		const size_t at = (size_t) n * P;

		loss += one_image(N, P, C, t + at * t_ld, t_ld, s + at * s_ld, s_ld,
		                  ds + at * ds_ld, ds_ld);
	}
	return loss / N;
}

double
mmrd_square_loss(size_t n, const float *x, const float *y, float weight,
                 float *dx)
{
	const size_t per_chunk = (n + MAX_CHUNKS - 1) / MAX_CHUNKS;
	const int chunks = (int) ((n + per_chunk - 1) / per_chunk);
	const float scale = (float) (2.0 * weight / (double) n);
	double part[MAX_CHUNKS];
	double all = 0;

#pragma omp parallel for num_threads(mmrd_threads()) schedule(static)
	for (int i = 0; i < chunks; i++)
	{
		const size_t from = (size_t) i * per_chunk;
		const size_t to = n - from < per_chunk ? n : from + per_chunk;
		double sum = 0;

		for (size_t at = from; at < to; at += LANES)
		{
			const int m = to - at < LANES ? (int) (to - at) : LANES;
			float lane[LANES] = {0};

			for (int k = 0; k < m; k++)
			{
				const float d = x[at + k] - y[at + k];

				lane[k] = d * d;
				dx[at + k] = scale * d;
			}
			for (int k = 0; k < LANES; k++)
				sum += lane[k];
		}
		part[i] = sum;
	}
	for (int i = 0; i < chunks; i++)
		all += part[i];
	return all / (double) n;
}
