/*
 * tests/unit/test_pretraining.c
 *	  The gradients of pre-training against differences of its losses, and
 *	  training that is interrupted against training that is not.
 *
 * Differences are taken along the gradient of one tensor at a time, where the
 * loss changes fastest: along it, the derivative is the gradient's length.
 * Rounding in float and ReLUs that change sign within the step leave a few
 * per cent; a path that was forgotten costs tens.
 */
#include "pretrain/pretraining.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/base/random.h"
#include "model/base/threads.h"
#include "model/net/network.h"
#include "pretrain/samples.h"
#include "pretrain/trunk.h"
#include "tests/unit/check.h"

enum
{
	SIZE = 64,
	N = 4
};

static void
fill(const char *purpose, float *x, size_t n, float scale)
{
	mmrd_random r = mmrd_random_create(3, purpose);

	for (size_t i = 0; i < n; i++)
		x[i] = scale * (float) mmrd_random_normal(&r);
}

static size_t
map_floats(const mmrd_network *net, int stage)
{
	const size_t side = (size_t) mmrd_stage_size(&net->config, stage + 1);

	return N * side * side * (size_t) (64 << stage);
}

/* Sum over the stages of <mix, map>: any gradient at the outputs will do. */
static double
mixed_loss(mmrd_trunk *trunk, mmrd_weights *weights, float *const mix[],
           const float *input, const mmrd_network *net)
{
	double loss = 0;
	mmrd_error err = {0};

	memcpy(mmrd_trunk_input(trunk), input,
	       (size_t) N * SIZE * SIZE * 3 * sizeof(float));
	CHECK(mmrd_trunk_forward(trunk, weights, N, &err) == MMRD_OK, "%s",
	      err.message);
	for (int i = 0; i < MMRD_STAGES; i++)
	{
		const float *map = mmrd_trunk_map(trunk, i);

		for (size_t k = 0; k < map_floats(net, i); k++)
			loss += (double) mix[i][k] * (double) map[k];
	}
	return loss;
}

/* The derivative along the gradient of each tensor. */
static void
compare_tensors(mmrd_trunk *trunk, mmrd_weights *weights, float *const mix[],
                const float *input, const mmrd_network *net,
                const float *gradient)
{
	for (int t = 0; t < net->n_tensors; t++)
	{
		const mmrd_tensor_info *info = &net->tensors[t];
		float *w = weights->values + info->offset;
		const float *g = gradient + info->offset;
		double square = 0;
		double size = 0;
		double up;
		double down;
		double slope;
		float h;

		if (info->role != MMRD_ROLE_TEACHER)
			continue;
		for (size_t k = 0; k < info->count; k++)
		{
			square += (double) g[k] * (double) g[k];
			size += (double) w[k] * (double) w[k];
		}
		/* A thousandth of the tensor; batch-norm's shifts begin at 0. */
		h = (float) (2e-3 * sqrt(fmax(size, 0.25) / square));
		for (size_t k = 0; k < info->count; k++)
			w[k] += h * g[k];
		up = mixed_loss(trunk, weights, mix, input, net);
		for (size_t k = 0; k < info->count; k++)
			w[k] -= 2 * h * g[k];
		down = mixed_loss(trunk, weights, mix, input, net);
		for (size_t k = 0; k < info->count; k++)
			w[k] += h * g[k];
		slope = (up - down) / (2 * (double) h);
		CHECK(fabs(slope - square) <= 0.05 * square,
		      "%s: the loss rises by %g, its gradient says %g", info->name,
		      slope, square);
	}
}

static void
trunk_gradients(void)
{
	mmrd_config config;
	mmrd_network *net;
	mmrd_weights *weights;
	mmrd_trunk *trunk;
	mmrd_error err = {0};
	float *mix[MMRD_STAGES];
	float *input = malloc((size_t) N * SIZE * SIZE * 3 * sizeof(float));
	float *gradient;

	mmrd_config_init(&config);
	config.input_size = SIZE;
	config.n_aux = 0;
	memset(config.prototypes, 0, sizeof(config.prototypes));
	CHECK(mmrd_network_create(&config, &net, &err) == MMRD_OK, "%s",
	      err.message);
	CHECK(mmrd_weights_create(&config, &weights, &err) == MMRD_OK, "%s",
	      err.message);
	CHECK(mmrd_trunk_create(net, N, &trunk, &err) == MMRD_OK, "%s",
	      err.message);
	mmrd_weights_init_teacher(weights);
	fill("input", input, (size_t) N * SIZE * SIZE * 3, 1);
	for (int i = 0; i < MMRD_STAGES; i++)
	{
		mix[i] = malloc(map_floats(net, i) * sizeof(float));
		fill("mix", mix[i], map_floats(net, i), 1);
	}
	gradient = malloc(mmrd_trunk_parameters(net) * sizeof(float));
	memset(gradient, 0xff, mmrd_trunk_parameters(net) * sizeof(float));
	mixed_loss(trunk, weights, mix, input, net);
	for (int i = 0; i < MMRD_STAGES; i++)
		memcpy(mmrd_trunk_gradient(trunk, i), mix[i],
		       map_floats(net, i) * sizeof(float));
	CHECK(mmrd_trunk_backward(trunk, weights, gradient, &err) == MMRD_OK, "%s",
	      err.message);
	CHECK(mmrd_trunk_backward(trunk, weights, gradient, &err) ==
	          MMRD_INVALID_ARGUMENT,
	      "backward twice was accepted");
	compare_tensors(trunk, weights, mix, input, net, gradient);

	for (int i = 0; i < MMRD_STAGES; i++)
		free(mix[i]);
	free(input);
	free(gradient);
	mmrd_trunk_free(trunk);
	mmrd_weights_free(weights);
	mmrd_network_free(net);
}

enum
{
	PLACES = 37,
	CHANNELS = 19
};

/* The arguments of the objective, and room for its results twice. */
typedef struct question
{
	mmrd_objective o;
	const int32_t *group;
	float *x[3]; /* a, b, the projection */
	float *g[3]; /* their gradients */
	size_t n[3];
	float *trash;
	float *all;
} question;

static question
ask(int projection, const int32_t *group)
{
	question q = {.o = {PLACES, CHANNELS, projection, 0.3f}, .group = group};
	size_t n = 0;

	q.n[0] = q.n[1] = PLACES * CHANNELS;
	q.n[2] = mmrd_objective_parameters(&q.o);
	n = q.n[0] + q.n[1] + q.n[2];
	q.all = malloc((3 * n + mmrd_objective_work(&q.o)) * sizeof(float));
	for (int i = 0; i < 3; i++)
	{
		q.x[i] = i == 0 ? q.all : q.x[i - 1] + q.n[i - 1];
		q.g[i] = q.x[i] + n;
	}
	q.trash = q.all + 2 * n;
	fill("question", q.all, n, 1);
	memset(q.g[0], 0xff, n * sizeof(float));
	return q;
}

static mmrd_objective_result
answer(const question *q, bool keep)
{
	float *g[3];

	g[0] = keep ? q->g[0] : q->trash;
	for (int i = 1; i < 3; i++)
		g[i] = g[i - 1] + q->n[i - 1];
	return mmrd_objective_gradients(&q->o, q->x[0], q->x[1], q->group, q->x[2],
	                                g[2], g[0], g[1],
	                                q->trash + q->n[0] + q->n[1] + q->n[2]);
}

/* The loss at x + h g. */
static double
loss_beside(const question *q, int which, float h)
{
	double loss;

	for (size_t i = 0; i < q->n[which]; i++)
		q->x[which][i] += h * q->g[which][i];
	loss = answer(q, false).loss;
	for (size_t i = 0; i < q->n[which]; i++)
		q->x[which][i] -= h * q->g[which][i];
	return loss;
}

static void
objective_gradients(int projection, const int32_t *group)
{
	static const char *const names[] = {"a", "b", "projection"};
	const question q = ask(projection, group);

	answer(&q, true);
	for (int i = 0; i < (projection > 0 ? 3 : 2); i++)
	{
		double square = 0;
		double slope;
		float h;

		for (size_t k = 0; k < q.n[i]; k++)
			square += (double) q.g[i][k] * (double) q.g[i][k];
		h = (float) (0.05 / sqrt(square));
		slope = (loss_beside(&q, i, h) - loss_beside(&q, i, -h)) /
		        (2 * (double) h);
		CHECK(fabs(slope - square) <= 0.01 * square,
		      "%s: the loss rises by %g, its gradient says %g", names[i],
		      slope, square);
	}
	free(q.all);
}

/* All in one group: nothing is left to be told apart. */
static void
one_group(void)
{
	const int32_t group[PLACES] = {0};
	const question q = ask(12, group);
	const mmrd_objective_result r = answer(&q, true);

	CHECK(fabs(r.loss) < 1e-6 && r.hits > 0.999, "loss %g, hits %g", r.loss,
	      r.hits);
	for (size_t i = 0; i < q.n[0] + q.n[1] + q.n[2]; i++)
		CHECK(fabsf(q.g[0][i]) < 1e-5f, "gradient %g", q.g[0][i]);
	free(q.all);
}

static void
copy_state(mmrd_pretraining *from, mmrd_pretraining *to)
{
	float *x[MMRD_PRETRAINING_ARRAYS];
	float *y[MMRD_PRETRAINING_ARRAYS];
	size_t n[MMRD_PRETRAINING_ARRAYS];

	mmrd_pretraining_arrays(from, x, n);
	mmrd_pretraining_arrays(to, y, n);
	for (int i = 0; i < MMRD_PRETRAINING_ARRAYS; i++)
		memcpy(y[i], x[i], n[i] * sizeof(float));
	mmrd_pretraining_resume(to, mmrd_pretraining_steps(from));
}

/* Four steps in one go, and two and two; on one thread and on two. */
static void
resumed(void)
{
	mmrd_pretraining_options options;
	mmrd_pretraining_report report;
	mmrd_pretraining *one;
	mmrd_pretraining *first;
	mmrd_pretraining *second;
	mmrd_error err = {0};

	mmrd_pretraining_options_init(&options);
	options.steps = 4;
	options.pairs = 2;
	options.size = SIZE;
	CHECK(mmrd_pretraining_create(&options, &one, &err) == MMRD_OK, "%s",
	      err.message);
	CHECK(mmrd_pretraining_create(&options, &first, &err) == MMRD_OK, "%s",
	      err.message);
	CHECK(mmrd_pretraining_create(&options, &second, &err) == MMRD_OK, "%s",
	      err.message);
	for (int i = 0; i < 4; i++)
	{
		CHECK(mmrd_pretraining_step(one, &report, &err) == MMRD_OK, "%s",
		      err.message);
		CHECK(isfinite(report.loss) && report.loss > 0, "loss %g",
		      report.loss);
	}
	mmrd_threads_set(1);
	for (int i = 0; i < 2; i++)
		mmrd_pretraining_step(first, &report, &err);
	copy_state(first, second);
	for (int i = 0; i < 2; i++)
		mmrd_pretraining_step(second, &report, &err);
	mmrd_threads_set(2);
	CHECK(memcmp(mmrd_pretraining_weights(one)->values,
	             mmrd_pretraining_weights(second)->values,
	             mmrd_pretraining_weights(one)->parameter_at *
	                 sizeof(float)) == 0,
	      "resumed training differs from training in one go");
	CHECK(memcmp(mmrd_pretraining_weights(one)->values,
	             mmrd_pretraining_weights(first)->values,
	             mmrd_pretraining_weights(one)->parameter_at *
	                 sizeof(float)) != 0,
	      "two steps and four gave the same");
	mmrd_pretraining_free(one);
	mmrd_pretraining_free(first);
	mmrd_pretraining_free(second);
}

int
main(void)
{
	int32_t groups[PLACES];

	for (int i = 0; i < PLACES; i++)
		groups[i] = i % 5;
	mmrd_threads_start(2);
	trunk_gradients();
	objective_gradients(0, NULL);
	objective_gradients(12, NULL);
	objective_gradients(12, groups);
	one_group();
	resumed();
	mmrd_threads_stop();
	return check_result();
}
