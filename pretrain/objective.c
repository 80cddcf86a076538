/*
 * pretrain/objective.c
 *	  Contrast between places, and its gradient by hand.
 */
#include "pretrain/objective.h"

#include <math.h>
#include <string.h>

#include "model/kernel/gemm.h"

#define MIN_NORM 1e-6f /* shorter features count as having this length */

size_t
mmrd_objective_work(int M, int C)
{
	return (size_t) M * (size_t) M + 2 * (size_t) M * (size_t) C +
	       4 * (size_t) M;
}

/* z = x to unit length; length keeps what it was. */
static void
to_unit_length(int M, int C, const float *x, float *z, float *length)
{
	for (int i = 0; i < M; i++)
	{
		const float *from = x + (size_t) i * (size_t) C;
		float *to = z + (size_t) i * (size_t) C;
		double sum = 0;

		for (int c = 0; c < C; c++)
			sum += (double) from[c] * (double) from[c];
		length[i] = fmaxf(sqrtf((float) sum), MIN_NORM);
		for (int c = 0; c < C; c++)
			to[c] = from[c] / length[i];
	}
}

/* dz, the gradient by unit vectors z, becomes that by what they came from. */
static void
from_unit_length(int M, int C, const float *z, const float *length, float *dz)
{
	for (int i = 0; i < M; i++)
	{
		const float *row = z + (size_t) i * (size_t) C;
		float *drow = dz + (size_t) i * (size_t) C;
		double dot = 0;

		for (int c = 0; c < C; c++)
			dot += (double) row[c] * (double) drow[c];
		for (int c = 0; c < C; c++)
			drow[c] = (drow[c] - (float) dot * row[c]) / length[i];
	}
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
mmrd_objective_gradients(int M, int C, float temperature, const float *a,
                         const float *b, const int32_t *group, float *da,
                         float *db, float *work)
{
	const size_t m = (size_t) M;
	float *logits = work;
	float *za = logits + m * m;
	float *zb = za + m * (size_t) C;
	float *length = zb + m * (size_t) C; /* of a, then of b */
	float *columns = length + 2 * m;
	mmrd_objective_result result;

	to_unit_length(M, C, a, za, length);
	to_unit_length(M, C, b, zb, length + m);
	mmrd_gemm(false, true, M, M, C, za, C, zb, C, 0, logits, M);
	for (int i = 0; i < M; i++)
		for (int j = 0; j < M; j++)
		{
			float *at = logits + (size_t) i * m + j;

			*at = group != NULL && i != j && group[i] == group[j]
			          ? -INFINITY
			          : *at / temperature;
		}
	result = cross_entropy(M, logits, columns, columns + m);
	for (size_t i = 0; i < m * m; i++)
		logits[i] /= temperature;
	mmrd_gemm(false, false, M, C, M, logits, M, zb, C, 0, da, C);
	mmrd_gemm(true, false, M, C, M, logits, M, za, C, 0, db, C);
	from_unit_length(M, C, za, length, da);
	from_unit_length(M, C, zb, length + m, db);
	return result;
}
