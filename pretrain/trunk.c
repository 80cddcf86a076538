/*
 * pretrain/trunk.c
 *	  Forward and backward over the teacher's program of units.
 *
 * As in model/net/student.c, each slot's map and each unit's raw convolution
 * z are kept; backward turns z into its gradient in place.  Slots' gradients
 * all have memory of their own: the pictures are small.
 */
#include "pretrain/trunk.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "model/base/arena.h"
#include "model/base/threads.h"
#include "model/kernel/batch_norm.h"
#include "model/kernel/gemm.h"
#include "model/kernel/maxpool.h"
#include "model/net/forward.h"

#define TRUNK_BN_MOMENTUM 0.1f

struct mmrd_trunk
{
	const mmrd_network *net;
	int max_images;
	int n; /* images of this batch */
	size_t offsets[MMRD_MAX_SLOTS];
	mmrd_pass maps;
	mmrd_pass gradients;
	bool touched[MMRD_MAX_SLOTS];
	float *z[MMRD_MAX_UNITS];
	float *batch_mean[MMRD_MAX_UNITS];
	float *batch_var[MMRD_MAX_UNITS];
	float *fold; /* scale and shift of one unit */
	float *packed;
	mmrd_arena arena;
	mmrd_scratch work;
};

/* Plan with assign false, then hand out slices in the same order. */
static float *
take(mmrd_trunk *t, size_t n_floats, bool assign, size_t *at)
{
	const size_t n_bytes = n_floats * sizeof(float);
	float *slice = NULL;

	if (!assign)
		mmrd_arena_plan(&t->arena, n_bytes);
	else
		slice = mmrd_arena_at(&t->arena, *at);
	*at += (n_bytes + MMRD_ALIGNMENT - 1) & ~(size_t) (MMRD_ALIGNMENT - 1);
	return slice;
}

static void
take_all(mmrd_trunk *t, bool assign)
{
	const mmrd_program *p = &t->net->teacher;
	const size_t N = (size_t) t->max_images;
	char keep[MMRD_MAX_SLOTS];
	size_t at = 0;
	size_t n_map;
	int widest = 1;

	memset(keep, 1, sizeof(keep));
	n_map = N * mmrd_program_plan(p, keep, t->offsets);
	t->maps.maps = take(t, n_map, assign, &at);
	t->gradients.maps = take(t, n_map, assign, &at);
	for (int i = 0; i < p->n_units; i++)
	{
		const mmrd_slot *y = &p->slots[p->units[i].y];

		if (p->units[i].kind == MMRD_UNIT_MAXPOOL)
			continue;
		t->z[i] =
		    take(t, N * (size_t) (y->H * y->W) * (size_t) y->C, assign, &at);
		t->batch_mean[i] = take(t, (size_t) y->C, assign, &at);
		t->batch_var[i] = take(t, (size_t) y->C, assign, &at);
		widest = y->C > widest ? y->C : widest;
	}
	t->fold = take(t, 2 * (size_t) widest, assign, &at);
	t->packed =
	    take(t, mmrd_program_packed(p, t->max_images, true), assign, &at);
}

mmrd_status
mmrd_trunk_create(const mmrd_network *net, int max_images, mmrd_trunk **out,
                  mmrd_error *err)
{
	mmrd_trunk *t = calloc(1, sizeof(*t));
	mmrd_status st;

	*out = NULL;
	if (t == NULL)
		return mmrd_fail_memory(err, sizeof(*t));
	t->net = net;
	t->max_images = max_images;
	take_all(t, false);
	st = mmrd_gemm_start(err);
	if (st == MMRD_OK)
		st = mmrd_arena_allocate(&t->arena, 0, err);
	if (st == MMRD_OK)
		st = mmrd_scratch_ensure(
		    &t->work,
		    mmrd_program_work(&net->teacher, max_images, mmrd_threads(), true),
		    err);
	if (st != MMRD_OK)
	{
		mmrd_trunk_free(t);
		return st;
	}
	take_all(t, true);
	t->maps.program = t->gradients.program = &net->teacher;
	t->maps.offsets = t->gradients.offsets = t->offsets;
	t->maps.N = t->gradients.N = max_images;
	*out = t;
	return MMRD_OK;
}

void
mmrd_trunk_free(mmrd_trunk *t)
{
	if (t == NULL)
		return;
	mmrd_arena_clear(&t->arena);
	mmrd_scratch_clear(&t->work);
	free(t);
}

float *
mmrd_trunk_input(mmrd_trunk *t)
{
	/* The first slot of the plan: it begins at the same place for any N. */
	return mmrd_pass_slot(&t->maps, t->net->teacher_in);
}

const float *
mmrd_trunk_map(const mmrd_trunk *t, int stage)
{
	return mmrd_pass_slot(&t->maps, t->net->teacher_out[stage]);
}

float *
mmrd_trunk_gradient(mmrd_trunk *t, int stage)
{
	return mmrd_pass_slot(&t->gradients, t->net->teacher_out[stage]);
}

size_t
mmrd_trunk_parameters(const mmrd_network *net)
{
	size_t n = 0;

	for (int i = 0; i < net->n_tensors; i++)
		if (net->tensors[i].role == MMRD_ROLE_TEACHER)
			n = net->tensors[i].offset + net->tensors[i].count;
	return n;
}

static float *
values(const mmrd_trunk *t, const mmrd_weights *w, int tensor)
{
	return w->values + t->net->tensors[tensor].offset;
}

/* One convolution with its batch-norm. */
static void
forward_unit(mmrd_trunk *t, mmrd_weights *w, int i)
{
	const mmrd_program *p = &t->net->teacher;
	const mmrd_unit *u = &p->units[i];
	mmrd_conv_shape shape = mmrd_unit_shape(p, u, t->n);
	const size_t pixels = (size_t) t->n * (size_t) (shape.OH * shape.OW);
	mmrd_epilogue e = {0};

	mmrd_conv_pack(&shape, values(t, w, u->weight), t->packed);
	mmrd_conv_forward(&shape, mmrd_pass_slot(&t->maps, u->x), t->packed, NULL,
	                  t->z[i], t->work.floats);
	mmrd_batch_stats(pixels, shape.O, t->z[i], shape.O, t->batch_mean[i],
	                 t->batch_var[i]);
	mmrd_batch_running(pixels, shape.O, TRUNK_BN_MOMENTUM, t->batch_mean[i],
	                   t->batch_var[i], values(t, w, u->mean),
	                   values(t, w, u->var));
	e.scale = t->fold;
	e.shift = t->fold + shape.O;
	mmrd_batch_fold(shape.O, values(t, w, u->gamma), values(t, w, u->beta),
	                t->batch_mean[i], t->batch_var[i], t->fold,
	                t->fold + shape.O);
	e.images_per_group = t->n;
	e.relu = u->relu;
	if (u->res != MMRD_NO_SLOT)
	{
		e.res = mmrd_pass_slot(&t->maps, u->res);
		e.res_ld = p->slots[u->res].ld;
	}
	mmrd_affine(t->n, shape.OH * shape.OW, shape.O, t->z[i], shape.O, &e,
	            mmrd_pass_slot(&t->maps, u->y), p->slots[u->y].ld);
}

mmrd_status
mmrd_trunk_forward(mmrd_trunk *t, mmrd_weights *weights, int n,
                   mmrd_error *err)
{
	const mmrd_program *p = &t->net->teacher;

	if (n < 2 || n > t->max_images)
		return mmrd_fail(err, MMRD_INVALID_ARGUMENT,
		                 "invalid number of images: %d", n);
	t->n = t->maps.N = t->gradients.N = n;
	for (int i = 0; i < p->n_units; i++)
	{
		const mmrd_unit *u = &p->units[i];
		const mmrd_slot *x = &p->slots[u->x];

		if (u->kind == MMRD_UNIT_MAXPOOL)
			mmrd_maxpool(n, x->H, x->W, x->C, mmrd_pass_slot(&t->maps, u->x),
			             mmrd_pass_slot(&t->maps, u->y));
		else
			forward_unit(t, weights, i);
	}
	return MMRD_OK;
}

/* The gradient of a shortcut: added to what its slot has. */
static void
pass_on(mmrd_trunk *t, int from, int to)
{
	const mmrd_slot *a = &t->net->teacher.slots[from];
	const size_t n = (size_t) t->n * (size_t) (a->H * a->W) * (size_t) a->C;
	const float *x = mmrd_pass_slot(&t->gradients, from);
	float *y = mmrd_pass_slot(&t->gradients, to);

	if (!t->touched[to])
		memcpy(y, x, n * sizeof(float));
	else
		for (size_t i = 0; i < n; i++)
			y[i] += x[i];
	t->touched[to] = true;
}

static void
backward_unit(mmrd_trunk *t, const mmrd_weights *w, float *gradient, int i)
{
	const mmrd_program *p = &t->net->teacher;
	const mmrd_tensor_info *info = t->net->tensors;
	const mmrd_unit *u = &p->units[i];
	const mmrd_slot *y = &p->slots[u->y];
	mmrd_conv_shape shape = mmrd_unit_shape(p, u, t->n);
	const size_t pixels = (size_t) t->n * (size_t) (shape.OH * shape.OW);

	mmrd_batch_norm_backward(
	    pixels, shape.O, mmrd_pass_slot(&t->gradients, u->y), y->ld,
	    u->relu ? mmrd_pass_slot(&t->maps, u->y) : NULL, y->ld, t->z[i],
	    values(t, w, u->gamma), t->batch_mean[i], t->batch_var[i],
	    gradient + info[u->gamma].offset, gradient + info[u->beta].offset);
	if (u->res != MMRD_NO_SLOT)
		pass_on(t, u->y, u->res);
	mmrd_conv_backward_weight(&shape, mmrd_pass_slot(&t->maps, u->x), t->z[i],
	                          gradient + info[u->weight].offset,
	                          t->work.floats);
	if (u->x == t->net->teacher_in)
		return;
	mmrd_conv_pack_input(&shape, values(t, w, u->weight), t->packed);
	mmrd_conv_backward_input(&shape, t->z[i], t->packed, t->touched[u->x],
	                         mmrd_pass_slot(&t->gradients, u->x),
	                         t->work.floats);
	t->touched[u->x] = true;
}

mmrd_status
mmrd_trunk_backward(mmrd_trunk *t, const mmrd_weights *weights,
                    float *gradient, mmrd_error *err)
{
	const mmrd_program *p = &t->net->teacher;

	if (t->n < 2)
		return mmrd_fail(err, MMRD_INVALID_ARGUMENT,
		                 "backward without a forward");
	memset(t->touched, 0, sizeof(t->touched));
	for (int i = 0; i < MMRD_STAGES; i++)
		t->touched[t->net->teacher_out[i]] = true;
	for (int i = p->n_units - 1; i >= 0; i--)
	{
		const mmrd_unit *u = &p->units[i];
		const mmrd_slot *x = &p->slots[u->x];

		if (u->kind == MMRD_UNIT_MAXPOOL)
			mmrd_maxpool_backward(t->n, x->H, x->W, x->C,
			                      mmrd_pass_slot(&t->maps, u->x),
			                      mmrd_pass_slot(&t->gradients, u->y),
			                      mmrd_pass_slot(&t->gradients, u->x));
		else
			backward_unit(t, weights, gradient, i);
	}
	t->n = 0;
	return MMRD_OK;
}
