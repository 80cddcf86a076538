/*
 * model/net/adaptation.c
 *	  The teacher in batch-norm training mode, and then in inference.
 *
 * Both uses share one piece of memory: adaptation runs a batch of one
 * modality, features run one scan's modalities as a batch, and a scan has at
 * most three.
 */
#include "model/net/adaptation.h"

#include <stdlib.h>
#include <string.h>

#include "model/base/arena.h"
#include "model/kernel/batch_norm.h"
#include "model/kernel/gemm.h"
#include "model/kernel/maxpool.h"
#include "model/net/forward.h"

#define ADAPT_MOMENTUM 0.1f /* network.md 2 */

enum
{
	MAX_CHANNELS = 2048
};

struct mmrd_adaptation
{
	const mmrd_network *net;
	mmrd_stop stop;
	size_t offsets[MMRD_MAX_SLOTS];
	mmrd_pass pass;
	mmrd_arena arena;
	int max_images;
	float *weight; /* one convolution's, packed */
	mmrd_scratch work;
	mmrd_packed_layout layout;
	float *packed; /* the teacher alone; NULL before prepare */
};

/* Slices of the arena. */
typedef struct adaptation_plan
{
	size_t maps, weight;
} adaptation_plan;

/* The kernels' scratch for the threads there are now. */
static size_t
work_floats(const mmrd_adaptation *a)
{
	return mmrd_program_work(&a->net->teacher, a->max_images, mmrd_threads(),
	                         false);
}

static adaptation_plan
plan(mmrd_adaptation *a, int max_batch)
{
	adaptation_plan p;
	const mmrd_network *net = a->net;
	char keep[MMRD_MAX_SLOTS] = {0};
	const int n =
	    max_batch > MMRD_MAX_MODALITIES ? max_batch : MMRD_MAX_MODALITIES;

	for (int i = 0; i < MMRD_STAGES; i++)
		keep[net->teacher_out[i]] = 1;
	a->max_images = n;
	p.maps = mmrd_arena_plan(
	    &a->arena, (size_t) n * sizeof(float) *
	                   mmrd_program_plan(&net->teacher, keep, a->offsets));
	p.weight = mmrd_arena_plan(&a->arena,
	                           mmrd_program_packed(&net->teacher, n, false) *
	                               sizeof(float));
	return p;
}

size_t
mmrd_adaptation_bytes(const mmrd_network *net, int max_batch)
{
	mmrd_adaptation *a = calloc(1, sizeof(*a));
	size_t n = 0;

	if (a != NULL)
	{
		a->net = net;
		plan(a, max_batch);
		mmrd_packed_plan(net, true, &a->layout);
		n = sizeof(*a) + a->arena.n_bytes +
		    (work_floats(a) + a->layout.n_floats) * sizeof(float);
	}
	free(a);
	return n;
}

mmrd_status
mmrd_adaptation_create(const mmrd_network *net, int max_batch,
                       size_t limit_bytes, const mmrd_stop *stop,
                       mmrd_adaptation **out, mmrd_error *err)
{
	mmrd_adaptation *a = calloc(1, sizeof(*a));
	adaptation_plan at;

	*out = NULL;
	if (a == NULL)
		return mmrd_fail_memory(err, sizeof(*a));
	a->net = net;
	if (stop != NULL)
		a->stop = *stop;
	at = plan(a, max_batch);
	if (mmrd_gemm_start(err) != MMRD_OK ||
	    mmrd_arena_allocate(&a->arena, limit_bytes, err) != MMRD_OK)
	{
		mmrd_adaptation_free(a);
		return err->status;
	}
	a->pass.program = &net->teacher;
	a->pass.offsets = a->offsets;
	a->pass.maps = mmrd_arena_at(&a->arena, at.maps);
	a->weight = mmrd_arena_at(&a->arena, at.weight);
	*out = a;
	return MMRD_OK;
}

void
mmrd_adaptation_free(mmrd_adaptation *a)
{
	if (a == NULL)
		return;
	mmrd_arena_clear(&a->arena);
	mmrd_scratch_clear(&a->work);
	free(a->packed);
	free(a);
}

static void
fill_input(mmrd_adaptation *a, int n, const float *const *images)
{
	const size_t S = (size_t) a->net->config.input_size;
	float *in;

	a->pass.N = n;
	in = mmrd_pass_slot(&a->pass, a->net->teacher_in);
	for (int i = 0; i < n; i++)
		memcpy(in + (size_t) i * S * S * 3, images[i],
		       S * S * 3 * sizeof(float));
}

/* conv, statistics, and the epilogue in place: nothing is kept. */
static void
adapt_unit(mmrd_adaptation *a, mmrd_weights *w, int modality,
           const mmrd_unit *u)
{
	const mmrd_program *p = &a->net->teacher;
	const mmrd_tensor_info *info = a->net->tensors;
	const int shift_by = modality * a->net->n_teacher_stats;
	const mmrd_conv_shape s = mmrd_unit_shape(p, u, a->pass.N);
	const size_t pixels = (size_t) s.N * s.OH * s.OW;
	float *y = mmrd_pass_slot(&a->pass, u->y);
	float *v = w->values;
	float mean[MAX_CHANNELS];
	float var[MAX_CHANNELS];
	float scale[MAX_CHANNELS];
	float shift[MAX_CHANNELS];
	mmrd_epilogue e = {0};

	mmrd_conv_pack(&s, v + info[u->weight].offset, a->weight);
	mmrd_conv_forward(&s, mmrd_pass_slot(&a->pass, u->x), a->weight, NULL, y,
	                  a->work.floats);
	mmrd_batch_stats(pixels, s.O, y, s.y_ld, mean, var);
	mmrd_batch_running(pixels, s.O, ADAPT_MOMENTUM, mean, var,
	                   v + info[u->mean + shift_by].offset,
	                   v + info[u->var + shift_by].offset);
	mmrd_batch_fold(s.O, v + info[u->gamma].offset, v + info[u->beta].offset,
	                mean, var, scale, shift);
	e.scale = scale;
	e.shift = shift;
	e.images_per_group = s.N;
	e.relu = u->relu;
	if (u->res != MMRD_NO_SLOT)
	{
		e.res = mmrd_pass_slot(&a->pass, u->res);
		e.res_ld = p->slots[u->res].ld;
	}
	mmrd_affine(s.N, s.OH * s.OW, s.O, y, s.y_ld, &e, y, s.y_ld);
}

mmrd_status
mmrd_adaptation_step(mmrd_adaptation *a, mmrd_weights *weights, int modality,
                     int n, const float *const *images, mmrd_error *err)
{
	const mmrd_program *p = &a->net->teacher;

	MMRD_TRY(mmrd_scratch_ensure(&a->work, work_floats(a), err));
	a->pass.work = a->work.floats;
	fill_input(a, n, images);
	for (int i = 0; i < p->n_units; i++)
	{
		const mmrd_unit *u = &p->units[i];

		MMRD_TRY(mmrd_stop_check(&a->stop, err));
		if (u->kind == MMRD_UNIT_MAXPOOL)
			mmrd_maxpool(n, p->slots[u->x].H, p->slots[u->x].W,
			             p->slots[u->x].C, mmrd_pass_slot(&a->pass, u->x),
			             mmrd_pass_slot(&a->pass, u->y));
		else
			adapt_unit(a, weights, modality, u);
	}
	return MMRD_OK;
}

mmrd_status
mmrd_adaptation_prepare(mmrd_adaptation *a, const mmrd_weights *weights,
                        mmrd_error *err)
{
	mmrd_weights_source source = {weights, NULL};
	mmrd_status st;

	mmrd_packed_plan(a->net, true, &a->layout);
	source.buffer = malloc(mmrd_weights_largest(weights) * sizeof(float));
	if (a->packed == NULL)
		a->packed =
		    aligned_alloc(MMRD_ALIGNMENT, a->layout.n_floats * sizeof(float));
	if (source.buffer == NULL || a->packed == NULL)
		st = mmrd_fail_memory(err, (double) a->layout.n_floats * 4);
	else
		st = mmrd_packed_fill(a->net, &a->layout, true, mmrd_weights_lookup,
		                      &source, a->packed, err);
	free(source.buffer);
	return st;
}

mmrd_status
mmrd_adaptation_run(mmrd_adaptation *a, const float *const *inputs,
                    mmrd_error *err)
{
	MMRD_TRY(mmrd_scratch_ensure(&a->work, work_floats(a), err));
	a->pass.work = a->work.floats;
	fill_input(a, 1 + a->net->config.n_aux, inputs);
	return mmrd_pass_run(&a->pass, a->layout.teacher, a->packed, 1, &a->stop,
	                     err);
}

const float *
mmrd_adaptation_map(const mmrd_adaptation *a, int modality, int stage)
{
	const mmrd_slot *slot = &a->net->teacher.slots[a->net->teacher_out[stage]];

	return mmrd_pass_slot(&a->pass, a->net->teacher_out[stage]) +
	       (size_t) modality * slot->H * slot->W * slot->ld;
}
