/*
 * pretrain/pretraining.c
 *	  One step: pictures, trunk, contrast at sampled places, optimiser.
 */
#include "pretrain/pretraining.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/base/random.h"
#include "model/net/network.h"
#include "model/train/adam.h"
#include "pretrain/samples.h"
#include "pretrain/trunk.h"

enum
{
	WARM_UP = 50 /* steps */
};

/* Places of a scene: all of them in stage 3 of small pictures. */
static const int places_of_scene[MMRD_STAGES] = {48, 48, 32};

/* What a stage needs. */
typedef struct stage_state
{
	mmrd_objective objective; /* M: places at most */
	size_t heads_at;          /* its projection, in heads */
	float *a, *b;             /* features at the places */
	float *da, *db;
} stage_state;

struct mmrd_pretraining
{
	mmrd_pretraining_options options;
	int64_t step;
	mmrd_network *net;
	mmrd_weights *weights;
	mmrd_trunk *trunk;
	mmrd_samples *samples;
	stage_state stages[MMRD_STAGES];
	size_t n_trunk, n_heads, n_values; /* values: statistics too */
	float *gradient, *m, *v;           /* of the trunk */
	float *heads, *dheads, *hm, *hv;   /* projections */
	float *work;
};

void
mmrd_pretraining_options_init(mmrd_pretraining_options *o)
{
	memset(o, 0, sizeof(*o));
	o->seed = 20261125;
	o->steps = 4000;
	o->falling = 0.3f;
	o->pairs = 16;
	o->size = 96;
	o->lr = 1e-3f;
	o->decay = 1e-2f;
	o->temperature = 0.15f;
	o->projection = 64;
	o->apart = 1;
}

static mmrd_status
allocate_stages(mmrd_pretraining *p, mmrd_error *err)
{
	size_t n_work = 0;
	bool failed = false;

	for (int i = 0; i < MMRD_STAGES; i++)
	{
		stage_state *st = &p->stages[i];
		mmrd_objective *o = &st->objective;
		size_t n;

		o->M = p->options.pairs * places_of_scene[i];
		o->C = mmrd_stage_channels(MMRD_ARCH_RESNET18, i + 1);
		o->E = p->options.projection;
		o->temperature = p->options.temperature;
		st->heads_at = p->n_heads;
		p->n_heads += mmrd_objective_parameters(o);
		n = mmrd_objective_work(o);
		n_work = n > n_work ? n : n_work;
		n = (size_t) o->M * (size_t) o->C * sizeof(float);
		st->a = malloc(n);
		st->b = malloc(n);
		st->da = malloc(n);
		st->db = malloc(n);
		failed = failed || st->a == NULL || st->b == NULL || st->da == NULL ||
		         st->db == NULL;
	}
	p->work = malloc(n_work * sizeof(float));
	if (failed || p->work == NULL)
		return mmrd_fail_memory(err, (double) n_work * sizeof(float));
	return MMRD_OK;
}

static mmrd_status
allocate(mmrd_pretraining *p, mmrd_error *err)
{
	const size_t n_heads = p->n_heads + 1; /* there may be none */

	p->gradient = calloc(p->n_trunk, sizeof(float));
	p->m = calloc(p->n_trunk, sizeof(float));
	p->v = calloc(p->n_trunk, sizeof(float));
	p->heads = calloc(n_heads, sizeof(float));
	p->dheads = calloc(n_heads, sizeof(float));
	p->hm = calloc(n_heads, sizeof(float));
	p->hv = calloc(n_heads, sizeof(float));
	if (p->gradient == NULL || p->m == NULL || p->v == NULL ||
	    p->heads == NULL || p->dheads == NULL || p->hm == NULL ||
	    p->hv == NULL)
		return mmrd_fail_memory(err,
		                        3.0 * (double) p->n_trunk * sizeof(float));
	return MMRD_OK;
}

/* Projections start at random, and keep lengths. */
static void
draw_heads(mmrd_pretraining *p)
{
	mmrd_random r = mmrd_random_create(p->options.seed, "heads");

	for (int i = 0; i < MMRD_STAGES; i++)
	{
		const mmrd_objective *o = &p->stages[i].objective;
		float *w = p->heads + p->stages[i].heads_at;

		for (size_t k = 0; k < mmrd_objective_parameters(o); k++)
			w[k] = (float) mmrd_random_normal(&r) / sqrtf((float) o->C);
	}
}

static mmrd_status
open_pretraining(mmrd_pretraining *p, mmrd_error *err)
{
	mmrd_config config;

	mmrd_config_init(&config);
	config.input_size = p->options.size;
	config.n_aux = 0;
	memset(config.prototypes, 0, sizeof(config.prototypes));
	MMRD_TRY(mmrd_config_check(&config, err));
	MMRD_TRY(mmrd_network_create(&config, &p->net, err));
	MMRD_TRY(mmrd_weights_create(&config, &p->weights, err));
	mmrd_weights_init_teacher(p->weights);
	p->n_trunk = mmrd_trunk_parameters(p->net);
	p->n_values = p->weights->parameter_at;
	MMRD_TRY(mmrd_trunk_create(p->net, 2 * p->options.pairs, &p->trunk, err));
	MMRD_TRY(mmrd_samples_create(p->options.seed, p->options.pairs,
	                             p->options.size, places_of_scene, &p->samples,
	                             err));
	MMRD_TRY(allocate_stages(p, err));
	MMRD_TRY(allocate(p, err));
	draw_heads(p);
	return MMRD_OK;
}

mmrd_status
mmrd_pretraining_create(const mmrd_pretraining_options *options,
                        mmrd_pretraining **out, mmrd_error *err)
{
	mmrd_pretraining *p;
	mmrd_status st;

	*out = NULL;
	if (options->pairs < 1 || options->pairs > 256 || options->steps < 1)
		return mmrd_fail(err, MMRD_INVALID_ARGUMENT,
		                 "pairs must be 1 to 256, and steps at least 1");
	p = calloc(1, sizeof(*p));
	if (p == NULL)
		return mmrd_fail_memory(err, sizeof(*p));
	p->options = *options;
	st = open_pretraining(p, err);
	if (st != MMRD_OK)
	{
		mmrd_pretraining_free(p);
		return st;
	}
	*out = p;
	return MMRD_OK;
}

void
mmrd_pretraining_free(mmrd_pretraining *p)
{
	if (p == NULL)
		return;
	for (int i = 0; i < MMRD_STAGES; i++)
	{
		free(p->stages[i].a);
		free(p->stages[i].b);
		free(p->stages[i].da);
		free(p->stages[i].db);
	}
	mmrd_samples_free(p->samples);
	mmrd_trunk_free(p->trunk);
	mmrd_weights_free(p->weights);
	mmrd_network_free(p->net);
	free(p->gradient);
	free(p->m);
	free(p->v);
	free(p->heads);
	free(p->dheads);
	free(p->hm);
	free(p->hv);
	free(p->work);
	free(p);
}

static float
learning_rate(const mmrd_pretraining_options *o, int64_t step)
{
	const float left = (float) (o->steps - step) / (float) o->steps;
	const float rise = (float) (step + 1) / WARM_UP;
	const float fall = left / fmaxf(o->falling, 1e-6f);

	return o->lr * fminf(1, rise) * fminf(1, fall);
}

/* The four positions around a place, and their shares. */
static void
corners(const mmrd_place *place, int side, size_t at[4], float share[4])
{
	const int x = (int) place->x < side - 1 ? (int) place->x : side - 2;
	const int y = (int) place->y < side - 1 ? (int) place->y : side - 2;
	const float fx = place->x - (float) x;
	const float fy = place->y - (float) y;
	const size_t first =
	    ((size_t) place->picture * (size_t) side + (size_t) y) *
	        (size_t) side +
	    (size_t) x;

	for (int k = 0; k < 4; k++)
	{
		at[k] = first + (size_t) (k & 1) + (size_t) (k >> 1) * (size_t) side;
		share[k] = ((k & 1) ? fx : 1 - fx) * ((k >> 1) ? fy : 1 - fy);
	}
}

/* row = the features at a place; or, backward, map += row. */
static void
gather(const mmrd_place *place, int side, int C, const float *map, float *row)
{
	size_t at[4];
	float share[4];

	corners(place, side, at, share);
	for (int c = 0; c < C; c++)
	{
		row[c] = 0;
		for (int k = 0; k < 4; k++)
			row[c] += share[k] * map[at[k] * (size_t) C + (size_t) c];
	}
}

static void
scatter(const mmrd_place *place, int side, int C, const float *row, float *map)
{
	size_t at[4];
	float share[4];

	corners(place, side, at, share);
	for (int k = 0; k < 4; k++)
		for (int c = 0; c < C; c++)
			map[at[k] * (size_t) C + (size_t) c] += share[k] * row[c];
}

/* Loss of one stage; its gradient by its map. */
static mmrd_objective_result
ask_stage(mmrd_pretraining *p, int i)
{
	stage_state *st = &p->stages[i];
	mmrd_objective o = st->objective;
	const int side = mmrd_stage_size(&p->net->config, i + 1);
	const size_t C = (size_t) o.C;
	const float *map = mmrd_trunk_map(p->trunk, i);
	float *gradient = mmrd_trunk_gradient(p->trunk, i);
	mmrd_objective_result result;
	mmrd_place a;
	mmrd_place b;

	o.M = mmrd_samples_count(p->samples, i);
	memset(gradient, 0,
	       2 * (size_t) p->options.pairs * (size_t) (side * side) * C *
	           sizeof(float));
	for (int k = 0; k < o.M; k++)
	{
		mmrd_samples_places(p->samples, i, k, &a, &b);
		gather(&a, side, o.C, map, st->a + (size_t) k * C);
		gather(&b, side, o.C, map, st->b + (size_t) k * C);
	}
	result = mmrd_objective_gradients(
	    &o, st->a, st->b,
	    p->options.apart ? NULL : mmrd_samples_group(p->samples, i),
	    p->heads + st->heads_at, p->dheads + st->heads_at, st->da, st->db,
	    p->work);
	for (int k = 0; k < o.M; k++)
	{
		mmrd_samples_places(p->samples, i, k, &a, &b);
		scatter(&a, side, o.C, st->da + (size_t) k * C, gradient);
		scatter(&b, side, o.C, st->db + (size_t) k * C, gradient);
	}
	return result;
}

static void
decay_weights(mmrd_pretraining *p, float by)
{
	for (int i = 0; i < p->net->n_tensors; i++)
	{
		const mmrd_tensor_info *t = &p->net->tensors[i];

		if (t->role != MMRD_ROLE_TEACHER || t->n_dims < 2)
			continue;
		for (size_t k = 0; k < t->count; k++)
			p->weights->values[t->offset + k] *= 1 - by;
	}
}

mmrd_status
mmrd_pretraining_step(mmrd_pretraining *p, mmrd_pretraining_report *report,
                      mmrd_error *err)
{
	const mmrd_pretraining_options *o = &p->options;
	const float lr = learning_rate(o, p->step);
	const mmrd_adam_options adam = {lr, 0.9f, 0.99f, 1e-8f};
	const long number = (long) p->step + 1;

	report->lr = lr;
	report->loss = 0;
	MMRD_TRY(mmrd_samples_make(p->samples, p->step, mmrd_trunk_input(p->trunk),
	                           err));
	MMRD_TRY(
	    mmrd_trunk_forward(p->trunk, p->weights, 2 * (int) o->pairs, err));
	for (int i = 0; i < MMRD_STAGES; i++)
	{
		report->stage[i] = ask_stage(p, i);
		report->loss += report->stage[i].loss;
	}
	MMRD_TRY(mmrd_trunk_backward(p->trunk, p->weights, p->gradient, err));
	decay_weights(p, lr * o->decay);
	mmrd_adam_step(&adam, p->n_trunk, number, p->gradient, p->m, p->v,
	               p->weights->values);
	mmrd_adam_step(&adam, p->n_heads, number, p->dheads, p->hm, p->hv,
	               p->heads);
	p->step++;
	return MMRD_OK;
}

int64_t
mmrd_pretraining_steps(const mmrd_pretraining *p)
{
	return p->step;
}

const mmrd_weights *
mmrd_pretraining_weights(const mmrd_pretraining *p)
{
	return p->weights;
}

void
mmrd_pretraining_arrays(mmrd_pretraining *p,
                        float *which[MMRD_PRETRAINING_ARRAYS],
                        size_t count[MMRD_PRETRAINING_ARRAYS])
{
	float *const arrays[MMRD_PRETRAINING_ARRAYS] = {
	    p->weights->values, p->m, p->v, p->heads, p->hm, p->hv};

	for (int i = 0; i < MMRD_PRETRAINING_ARRAYS; i++)
	{
		which[i] = arrays[i];
		count[i] = i == 0 ? p->n_values : i < 3 ? p->n_trunk : p->n_heads;
	}
}

void
mmrd_pretraining_resume(mmrd_pretraining *p, int64_t steps)
{
	p->step = steps;
}
