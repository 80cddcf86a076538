/*
 * model/net/packed.c
 *	  Building the block that scoring reads.
 *
 * The block starts with a header of one cache line or more, then float arrays,
 * each on a cache line of its own, in the order of the plan.
 */
#include "model/net/packed.h"

#include <stdlib.h>
#include <string.h>

#include "model/kernel/batch_norm.h"
#include "model/net/forward.h"
#include "model/net/packed_layout.h"

typedef struct header
{
	char magic[8];
	uint64_t n_bytes;
	mmrd_config config;
} header;

static const char magic[8] = "mmrdpk1";

enum
{
	HEADER_FLOATS = 32 /* 128 bytes */
};

_Static_assert(sizeof(header) <= HEADER_FLOATS * sizeof(float),
               "the header fits its place");

static size_t
reserve(mmrd_packed_layout *layout, size_t n_floats)
{
	const size_t at = layout->n_floats;

	layout->n_floats += (n_floats + 15) & ~(size_t) 15;
	return at;
}

static void
plan_program(const mmrd_program *program, int n_groups,
             mmrd_packed_unit *units, mmrd_packed_layout *layout)
{
	for (int i = 0; i < program->n_units; i++)
	{
		const mmrd_unit *u = &program->units[i];
		const size_t O = (size_t) program->slots[u->y].C;
		mmrd_conv_shape s;

		if (u->kind == MMRD_UNIT_MAXPOOL)
			continue;
		s = mmrd_unit_shape(program, u, n_groups);
		units[i].weight = reserve(layout, mmrd_conv_packed(&s));
		units[i].scale = reserve(layout, O * (size_t) n_groups);
		units[i].shift = reserve(layout, O * (size_t) n_groups);
	}
}

/* Call visit for every (tensor index, place) of a stage's priors. */
typedef void (*prior_visit)(void *context, int tensor, size_t *place);

static void
each_prior_tensor(const mmrd_network *net, int stage, mmrd_packed_prior *place,
                  prior_visit visit, void *context)
{
	const mmrd_prior_tensors *t = &net->priors[stage];

	for (int m = 0; m <= net->config.n_aux; m++)
		visit(context, t->prototypes[m], &place->prototypes[m]);
	if (t->fc1_weight < 0)
		return;
	visit(context, t->fc1_weight, &place->fc1_weight);
	visit(context, t->fc1_bias, &place->fc1_bias);
	visit(context, t->fc2_weight, &place->fc2_weight);
	visit(context, t->fc2_bias, &place->fc2_bias);
	for (int a = 0; a < net->config.n_aux; a++)
	{
		visit(context, t->spatial_weight[a], &place->spatial_weight[a]);
		visit(context, t->spatial_bias[a], &place->spatial_bias[a]);
	}
}

typedef struct planner
{
	const mmrd_network *net;
	mmrd_packed_layout *layout;
} planner;

static void
plan_prior(void *context, int tensor, size_t *place)
{
	planner *p = context;

	*place = reserve(p->layout, p->net->tensors[tensor].count);
}

void
mmrd_packed_plan(const mmrd_network *net, bool teacher_only,
                 mmrd_packed_layout *layout)
{
	planner p = {net, layout};

	memset(layout, 0, sizeof(*layout));
	layout->n_floats = HEADER_FLOATS;
	plan_program(&net->teacher, 1 + net->config.n_aux, layout->teacher,
	             layout);
	if (teacher_only)
		return;
	plan_program(&net->student, 1, layout->student, layout);
	for (int i = 0; i < MMRD_STAGES; i++)
	{
		layout->prior[i].used = net->prior[i] != MMRD_NO_SLOT;
		if (layout->prior[i].used)
			each_prior_tensor(net, i, &layout->prior[i], plan_prior, &p);
	}
}

/* What filling the block needs at hand. */
typedef struct filler
{
	const mmrd_network *net;
	mmrd_tensor_lookup lookup;
	void *context;
	float *block;
	float *buffer; /* one tensor in file order ... */
	float *weight; /* ... and in memory order, to be packed */
	mmrd_status status;
	mmrd_error *err;
} filler;

/* Fetch a tensor and write it in memory order. */
static void
fetch(filler *f, int tensor, float *out)
{
	const mmrd_tensor_info *t = &f->net->tensors[tensor];

	if (f->status != MMRD_OK)
		return;
	f->status = mmrd_tensor_fetch(t, t->name, f->lookup, f->context, f->buffer,
	                              f->err);
	if (f->status == MMRD_OK)
		mmrd_tensor_from_file(t, f->buffer, out);
}

static void
fill_prior(void *context, int tensor, size_t *place)
{
	filler *f = context;

	fetch(f, tensor, f->block + *place);
}

static void
fill_program(filler *f, const mmrd_program *program, int n_groups,
             const mmrd_packed_unit *units)
{
	float bn[4][4096]; /* gamma, beta, mean, var; C is at most 2048 */

	for (int i = 0; i < program->n_units && f->status == MMRD_OK; i++)
	{
		const mmrd_unit *u = &program->units[i];
		const int O = program->slots[u->y].C;
		mmrd_conv_shape s;

		if (u->kind == MMRD_UNIT_MAXPOOL)
			continue;
		fetch(f, u->weight, f->weight);
		if (f->status != MMRD_OK)
			return;
		s = mmrd_unit_shape(program, u, n_groups);
		mmrd_conv_pack(&s, f->weight, f->block + units[i].weight);
		fetch(f, u->gamma, bn[0]);
		fetch(f, u->beta, bn[1]);
		for (int g = 0; g < n_groups; g++)
		{
			fetch(f, u->mean + g * f->net->n_teacher_stats, bn[2]);
			fetch(f, u->var + g * f->net->n_teacher_stats, bn[3]);
			if (f->status == MMRD_OK)
				mmrd_batch_fold(O, bn[0], bn[1], bn[2], bn[3],
				                f->block + units[i].scale + g * O,
				                f->block + units[i].shift + g * O);
		}
	}
}

mmrd_status
mmrd_packed_fill(const mmrd_network *net, const mmrd_packed_layout *layout,
                 bool teacher_only, mmrd_tensor_lookup lookup, void *context,
                 float *block, mmrd_error *err)
{
	filler f = {net, lookup, context, block, NULL, NULL, MMRD_OK, err};
	header *h = (header *) block;
	size_t largest = 0;

	for (int i = 0; i < net->n_tensors; i++)
		if (net->tensors[i].count > largest)
			largest = net->tensors[i].count;
	f.buffer = malloc(2 * largest * sizeof(float));
	if (f.buffer == NULL)
		return mmrd_fail_memory(err, 2.0 * (double) largest * sizeof(float));
	f.weight = f.buffer + largest;
	memset(block, 0, HEADER_FLOATS * sizeof(float));
	memcpy(h->magic, magic, sizeof(magic));
	h->n_bytes = layout->n_floats * sizeof(float);
	h->config = net->config;
	fill_program(&f, &net->teacher, 1 + net->config.n_aux, layout->teacher);
	if (!teacher_only)
	{
		fill_program(&f, &net->student, 1, layout->student);
		for (int i = 0; i < MMRD_STAGES; i++)
		{
			mmrd_packed_prior place = layout->prior[i];

			if (place.used)
				each_prior_tensor(net, i, &place, fill_prior, &f);
		}
	}
	free(f.buffer);
	return f.status;
}

size_t
mmrd_packed_bytes(const mmrd_config *config)
{
	mmrd_packed_layout *layout = malloc(sizeof(*layout));
	mmrd_network *net = NULL;
	mmrd_error ignored;
	size_t n = 0;

	if (layout != NULL &&
	    mmrd_network_create(config, &net, &ignored) == MMRD_OK)
	{
		mmrd_packed_plan(net, false, layout);
		n = layout->n_floats * sizeof(float);
	}
	mmrd_network_free(net);
	free(layout);
	return n;
}

mmrd_status
mmrd_packed_build(const mmrd_config *config, mmrd_tensor_lookup lookup,
                  void *context, void *block, mmrd_error *err)
{
	mmrd_packed_layout *layout = malloc(sizeof(*layout));
	mmrd_network *net = NULL;
	mmrd_status st;

	if (layout == NULL)
		return mmrd_fail_memory(err, sizeof(*layout));
	st = mmrd_network_create(config, &net, err);
	if (st == MMRD_OK)
	{
		mmrd_packed_plan(net, false, layout);
		st = mmrd_packed_fill(net, layout, false, lookup, context, block, err);
	}
	mmrd_network_free(net);
	free(layout);
	return st;
}

const mmrd_config *
mmrd_packed_config(const void *block)
{
	return &((const header *) block)->config;
}
