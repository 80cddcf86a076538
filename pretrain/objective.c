/*
 * pretrain/objective.c
 *	  The two losses and their gradients, by hand.
 */
#include "pretrain/objective.h"

#include <math.h>
#include <string.h>

#include "model/kernel/gemm.h"

#define MIN_NORM 1e-6f /* shorter projections count as having this length */
#define HUBER_AT 0.1f  /* where the loss turns from square to straight */

size_t
mmrd_objective_parameters(const mmrd_objective_shape *s)
{
	return (size_t) s->C * (size_t) (s->E + s->D) + (size_t) s->D;
}

size_t
mmrd_objective_work(const mmrd_objective_shape *s)
{
	const size_t M = (size_t) s->M;

	return M * M + 2 * M + 4 * M * (size_t) s->E + 2 * M + M * (size_t) s->D;
}

/* z = x w to unit length, (M, E); length keeps what it was. */
static void
project(const mmrd_objective_shape *s, const float *x, const float *w,
        float *z, float *length)
{
	mmrd_gemm(false, false, s->M, s->E, s->C, x, s->C, w, s->E, 0, z, s->E);
	for (int i = 0; i < s->M; i++)
	{
		float *row = z + (size_t) i * (size_t) s->E;
		double sum = 0;

		for (int e = 0; e < s->E; e++)
			sum += (double) row[e] * (double) row[e];
		length[i] = fmaxf(sqrtf((float) sum), MIN_NORM);
		for (int e = 0; e < s->E; e++)
			row[e] /= length[i];
	}
}

/* dz, the gradient by unit vectors z, becomes that by what was projected. */
static void
project_backward(const mmrd_objective_shape *s, const float *z,
                 const float *length, float *dz)
{
	for (int i = 0; i < s->M; i++)
	{
		const float *row = z + (size_t) i * (size_t) s->E;
		float *drow = dz + (size_t) i * (size_t) s->E;
		double dot = 0;

		for (int e = 0; e < s->E; e++)
			dot += (double) row[e] * (double) drow[e];
		for (int e = 0; e < s->E; e++)
			drow[e] = (drow[e] - (float) dot * row[e]) / length[i];
	}
}

/*
 * Cross-entropy of both directions.  logits (M, M), a's places down and b's
 * across, become their gradient; top and sum are scratch for M columns.
 */
static void
cross_entropy(int M, float weight, float *logits, float *top, float *sum,
              mmrd_objective_result *result)
{
	const float share = 0.5f * weight / (float) M;
	double loss = 0;
	int hits = 0;

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
		hits += own >= most;
		loss += 0.5 * (log(total) + (double) (most - own)) +
		        0.5 * (log((double) sum[i]) + (double) (top[i] - own));
		for (int j = 0; j < M; j++)
			row[j] = share * (expf(row[j] - most) / (float) total +
			                  expf(row[j] - top[j]) / sum[j]);
		row[i] -= 2 * share;
	}
	result->contrast = loss / M;
	result->hits = (double) hits / M;
}

static void
contrast(const mmrd_objective_shape *s, float weight, float temperature,
         const float *a, const float *b, const float *w, float *dw, float *da,
         float *db, float *work, mmrd_objective_result *result)
{
	const size_t M = (size_t) s->M;
	const size_t n = M * (size_t) s->E;
	float *logits = work;
	float *za = logits + M * M;
	float *zb = za + n;
	float *dza = zb + n;
	float *dzb = dza + n;
	float *length = dzb + n; /* of a, then of b */
	float *columns = length + 2 * M;

	project(s, a, w, za, length);
	project(s, b, w, zb, length + M);
	mmrd_gemm(false, true, s->M, s->M, s->E, za, s->E, zb, s->E, 0, logits,
	          s->M);
	for (size_t i = 0; i < M * M; i++)
		logits[i] /= temperature;
	cross_entropy(s->M, weight / temperature, logits, columns, columns + M,
	              result);
	mmrd_gemm(false, false, s->M, s->E, s->M, logits, s->M, zb, s->E, 0, dza,
	          s->E);
	mmrd_gemm(true, false, s->M, s->E, s->M, logits, s->M, za, s->E, 0, dzb,
	          s->E);
	project_backward(s, za, length, dza);
	project_backward(s, zb, length + M, dzb);
	mmrd_gemm(true, false, s->C, s->E, s->M, a, s->C, dza, s->E, 0, dw, s->E);
	mmrd_gemm(true, false, s->C, s->E, s->M, b, s->C, dzb, s->E, 1, dw, s->E);
	mmrd_gemm(false, true, s->M, s->C, s->E, dza, s->E, w, s->E, 0, da, s->C);
	mmrd_gemm(false, true, s->M, s->C, s->E, dzb, s->E, w, s->E, 0, db, s->C);
}

/* Adds to da. */
static void
describe(const mmrd_objective_shape *s, float weight, const float *a,
         const float *want, const float *w, const float *offset, float *dw,
         float *doffset, float *da, float *work, mmrd_objective_result *result)
{
	const float share = weight / ((float) s->M * (float) s->D);
	float *got = work;
	double loss = 0;

	mmrd_gemm(false, false, s->M, s->D, s->C, a, s->C, w, s->D, 0, got, s->D);
	memset(doffset, 0, (size_t) s->D * sizeof(float));
	for (int i = 0; i < s->M; i++)
		for (int d = 0; d < s->D; d++)
		{
			const size_t at = (size_t) i * (size_t) s->D + (size_t) d;
			const float off = got[at] + offset[d] - want[at];
			const float size = fabsf(off);

			if (isnan(want[at]))
			{
				got[at] = 0;
				continue;
			}
			loss += size < HUBER_AT ? (double) (0.5f * off * off / HUBER_AT)
			                        : (double) (size - 0.5f * HUBER_AT);
			got[at] =
			    share * (size < HUBER_AT ? off / HUBER_AT : copysignf(1, off));
			doffset[d] += got[at];
		}
	result->description = loss / ((double) s->M * s->D);
	mmrd_gemm(true, false, s->C, s->D, s->M, a, s->C, got, s->D, 0, dw, s->D);
	mmrd_gemm(false, true, s->M, s->C, s->D, got, s->D, w, s->D, 1, da, s->C);
}

mmrd_objective_result
mmrd_objective_gradients(const mmrd_objective_shape *s, const float w[2],
                         float temperature, const float *a, const float *b,
                         const float *want, const float *heads, float *dheads,
                         float *da, float *db, float *work)
{
	const size_t n_project = (size_t) s->C * (size_t) s->E;
	const size_t n_describe = (size_t) s->C * (size_t) s->D;
	mmrd_objective_result result = {0};

	contrast(s, w[0], temperature, a, b, heads, dheads, da, db, work, &result);
	describe(s, w[1], a, want, heads + n_project,
	         heads + n_project + n_describe, dheads + n_project,
	         dheads + n_project + n_describe, da, work, &result);
	return result;
}
