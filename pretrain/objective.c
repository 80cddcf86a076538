/*
 * pretrain/objective.c
 *	  Contrast between places, and its gradient by hand.
 */
#include "pretrain/objective.h"

#include <math.h>
#include <string.h>

#include "model/kernel/gemm.h"

#define MIN_NORM 1e-6f /* shorter features count as having this length */

/* Numbers that are contrasted. */
static int
width(const mmrd_objective *o)
{
	return o->E > 0 ? o->E : o->C;
}

size_t
mmrd_objective_parameters(const mmrd_objective *o)
{
	return (size_t) o->C * (size_t) o->E;
}

size_t
mmrd_objective_work(const mmrd_objective *o)
{
	const size_t M = (size_t) o->M;

	return M * M + 4 * M * (size_t) width(o) + 4 * M;
}

/* z = x w, or x itself, to unit length; length keeps what it was. */
static void
project(const mmrd_objective *o, const float *x, const float *w, float *z,
        float *length)
{
	const int n = width(o);

	if (o->E > 0)
		mmrd_gemm(false, false, o->M, n, o->C, x, o->C, w, n, 0, z, n);
	else
		memcpy(z, x, (size_t) o->M * (size_t) n * sizeof(float));
	for (int i = 0; i < o->M; i++)
	{
		float *row = z + (size_t) i * (size_t) n;
		double sum = 0;

		for (int e = 0; e < n; e++)
			sum += (double) row[e] * (double) row[e];
		length[i] = fmaxf(sqrtf((float) sum), MIN_NORM);
		for (int e = 0; e < n; e++)
			row[e] /= length[i];
	}
}

/*
 * dz, the gradient by unit vectors z, becomes that by what was brought to
 * unit length, and dx that by x; dw += w's.
 */
static void
project_backward(const mmrd_objective *o, const float *x, const float *w,
                 const float *z, const float *length, float *dz, float *dx,
                 float *dw)
{
	const int n = width(o);

	for (int i = 0; i < o->M; i++)
	{
		const float *row = z + (size_t) i * (size_t) n;
		float *drow = dz + (size_t) i * (size_t) n;
		double dot = 0;

		for (int e = 0; e < n; e++)
			dot += (double) row[e] * (double) drow[e];
		for (int e = 0; e < n; e++)
			drow[e] = (drow[e] - (float) dot * row[e]) / length[i];
	}
	if (o->E == 0)
	{
		memcpy(dx, dz, (size_t) o->M * (size_t) n * sizeof(float));
		return;
	}
	mmrd_gemm(true, false, o->C, n, o->M, x, o->C, dz, n, 1, dw, n);
	mmrd_gemm(false, true, o->M, o->C, n, dz, n, w, n, 0, dx, o->C);
}

/*
 * Cross-entropy of both directions.  logits (M, M), a's places down and b's
 * across, become their gradient; top and sum are scratch for M columns.
 */
static mmrd_objective_result
cross_entropy(int M, float *logits, float *top, float *sum)
{
	const float share = 0.5f / (float) M;
	mmrd_objective_result result = {0};

	for (int j = 0; j < M; j++)
		top[j] = logits[j];
	for (int i = 1; i < M; i++)
		for (int j = 0; j < M; j++)
			top[j] = fmaxf(top[j], logits[(size_t) i * (size_t) M + j]);
	memset(sum, 0, (size_t) M * sizeof(float));
	for (int i = 0; i < M; i++)
		for (int j = 0; j < M; j++)
			sum[j] += expf(logits[(size_t) i * (size_t) M + j] - top[j]);
	for (int i = 0; i < M; i++)
	{
		float *row = logits + (size_t) i * (size_t) M;
		const float own = row[i];
		float most = row[0];
		double total = 0;

		for (int j = 1; j < M; j++)
			most = fmaxf(most, row[j]);
		for (int j = 0; j < M; j++)
			total += (double) expf(row[j] - most);
		result.hits += (own >= most) / (double) M;
		result.loss +=
		    (double) share * (log(total) + (double) (most - own) +
		                      log((double) sum[i]) + (double) (top[i] - own));
		for (int j = 0; j < M; j++)
			row[j] = share * (expf(row[j] - most) / (float) total +
			                  expf(row[j] - top[j]) / sum[j]);
		row[i] -= 2 * share;
	}
	return result;
}

mmrd_objective_result
mmrd_objective_gradients(const mmrd_objective *o, const float *a,
                         const float *b, const int32_t *group, const float *w,
                         float *dw, float *da, float *db, float *work)
{
	const int M = o->M;
	const int n = width(o);
	const size_t m = (size_t) M;
	float *logits = work;
	float *za = logits + m * m;
	float *zb = za + m * (size_t) n;
	float *dza = zb + m * (size_t) n;
	float *dzb = dza + m * (size_t) n;
	float *length = dzb + m * (size_t) n; /* of a, then of b */
	float *columns = length + 2 * m;
	mmrd_objective_result result;

	project(o, a, w, za, length);
	project(o, b, w, zb, length + m);
	mmrd_gemm(false, true, M, M, n, za, n, zb, n, 0, logits, M);
	for (int i = 0; i < M; i++)
		for (int j = 0; j < M; j++)
		{
			float *at = logits + (size_t) i * m + j;

			*at = group != NULL && i != j && group[i] == group[j]
			          ? -INFINITY
			          : *at / o->temperature;
		}
	result = cross_entropy(M, logits, columns, columns + m);
	for (size_t i = 0; i < m * m; i++)
		logits[i] /= o->temperature;
	mmrd_gemm(false, false, M, n, M, logits, M, zb, n, 0, dza, n);
	mmrd_gemm(true, false, M, n, M, logits, M, za, n, 0, dzb, n);
	memset(dw, 0, mmrd_objective_parameters(o) * sizeof(float));
	project_backward(o, a, w, za, length, dza, da, dw);
	project_backward(o, b, w, zb, length + m, dzb, db, dw);
	return result;
}
