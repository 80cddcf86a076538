/*
 * model/score/scorer.c
 *	  One scan through teacher, fusion, priors, student and map.
 *
 * All modalities pass the shared teacher as one batch, so that each weight is
 * read once.  Maps between the two programs lie in one arena, planned when the
 * scorer is made; only the kernels' scratch depends on the number of threads
 * and grows when that does.
 */
#include "model/score/scorer.h"

#include <stdlib.h>
#include <string.h>

#include "model/base/arena.h"
#include "model/base/clock.h"
#include "model/kernel/blur.h"
#include "model/kernel/cosine_map.h"
#include "model/kernel/gemm.h"
#include "model/kernel/interaction.h"
#include "model/kernel/modulation.h"
#include "model/kernel/prototype.h"
#include "model/kernel/upsample.h"
#include "model/net/forward.h"
#include "model/net/fusion.h"

struct mmrd_scorer
{
	mmrd_network *net;
	mmrd_packed_layout layout;
	mmrd_stop stop;
	size_t teacher_offsets[MMRD_MAX_SLOTS];
	size_t student_offsets[MMRD_MAX_SLOTS];
	mmrd_pass teacher;
	mmrd_pass student;
	mmrd_arena arena;
	float *prior[MMRD_MAX_MODALITIES][MMRD_STAGES]; /* (P, C) */
	float *assignment;                              /* (P, Q) of one stage */
	float *interaction;                             /* its state */
	float *small;                                   /* a stage's map */
	float *raw;                                     /* (S, S) */
	float *blur;                                    /* scratch, (S, S) */
	mmrd_scratch work;                              /* the kernels' */
	double map_ms;                                  /* of the last run */
};

/* Offsets of everything in the arena; the same walk plans and assigns. */
typedef struct scorer_plan
{
	size_t teacher, student;
	size_t prior[MMRD_MAX_MODALITIES][MMRD_STAGES];
	size_t assignment, interaction, small, raw, blur;
} scorer_plan;

static int
stage_pixels(const mmrd_network *net, int stage)
{
	const int side = mmrd_stage_size(&net->config, stage + 1);

	return side * side;
}

static mmrd_interaction_shape
interaction_shape(const mmrd_network *net, int stage)
{
	const int side = mmrd_stage_size(&net->config, stage + 1);
	const mmrd_interaction_shape s = {
	    1, side, side, mmrd_stage_channels(net->config.arch, stage + 1),
	    net->config.n_aux};

	return s;
}

static void
plan_priors(mmrd_scorer *s, scorer_plan *plan)
{
	const mmrd_network *net = s->net;
	size_t assignment = 1;
	size_t interaction = 1;

	for (int i = 0; i < MMRD_STAGES; i++)
	{
		const size_t P = (size_t) stage_pixels(net, i);
		const size_t C = (size_t) mmrd_stage_channels(net->config.arch, i + 1);
		const mmrd_interaction_shape shape = interaction_shape(net, i);
		const size_t n = mmrd_interaction_work(&shape);

		if (net->prior[i] == MMRD_NO_SLOT)
			continue;
		for (int m = 0; m <= net->config.n_aux; m++)
			plan->prior[m][i] =
			    mmrd_arena_plan(&s->arena, P * C * sizeof(float));
		if (P * (size_t) net->config.prototypes[i] > assignment)
			assignment = P * (size_t) net->config.prototypes[i];
		interaction = n > interaction ? n : interaction;
	}
	plan->assignment = mmrd_arena_plan(&s->arena, assignment * sizeof(float));
	plan->interaction =
	    mmrd_arena_plan(&s->arena, interaction * sizeof(float));
}

/* Scratch for the threads there are now. */
static size_t
work_floats(const mmrd_network *net)
{
	const size_t teacher = mmrd_program_work(
	    &net->teacher, 1 + net->config.n_aux, mmrd_threads(), false);
	const size_t student =
	    mmrd_program_work(&net->student, 1, mmrd_threads(), false);

	return teacher > student ? teacher : student;
}

static void
plan_all(mmrd_scorer *s, scorer_plan *plan)
{
	const mmrd_network *net = s->net;
	const size_t S = (size_t) net->config.input_size;
	char keep[MMRD_MAX_SLOTS] = {0};
	size_t n;

	/* The input is filled before, the outputs are read after the program. */
	keep[net->teacher_in] = 0;
	for (int i = 0; i < MMRD_STAGES; i++)
		keep[net->teacher_out[i]] = 1;
	n = mmrd_program_plan(&net->teacher, keep, s->teacher_offsets);
	plan->teacher = mmrd_arena_plan(
	    &s->arena, n * (size_t) (1 + net->config.n_aux) * sizeof(float));

	memset(keep, 0, sizeof(keep));
	for (int i = 0; i < MMRD_STAGES; i++)
	{
		keep[net->target[i]] = 1;
		keep[net->restored[i]] = 1;
		if (net->prior[i] != MMRD_NO_SLOT)
			keep[net->prior[i]] = 1;
	}
	n = mmrd_program_plan(&net->student, keep, s->student_offsets);
	plan->student = mmrd_arena_plan(&s->arena, n * sizeof(float));

	plan_priors(s, plan);
	plan->small = mmrd_arena_plan(&s->arena, S / 4 * (S / 4) * sizeof(float));
	plan->raw = mmrd_arena_plan(&s->arena, S * S * sizeof(float));
	plan->blur = mmrd_arena_plan(&s->arena, S * S * sizeof(float));
}

static void
assign_all(mmrd_scorer *s, const scorer_plan *plan)
{
	const mmrd_network *net = s->net;

	s->teacher.program = &net->teacher;
	s->teacher.offsets = s->teacher_offsets;
	s->teacher.N = 1 + net->config.n_aux;
	s->teacher.maps = mmrd_arena_at(&s->arena, plan->teacher);
	s->student.program = &net->student;
	s->student.offsets = s->student_offsets;
	s->student.N = 1;
	s->student.maps = mmrd_arena_at(&s->arena, plan->student);
	for (int m = 0; m <= net->config.n_aux; m++)
		for (int i = 0; i < MMRD_STAGES; i++)
			if (net->prior[i] != MMRD_NO_SLOT)
				s->prior[m][i] = mmrd_arena_at(&s->arena, plan->prior[m][i]);
	s->assignment = mmrd_arena_at(&s->arena, plan->assignment);
	s->interaction = mmrd_arena_at(&s->arena, plan->interaction);
	s->small = mmrd_arena_at(&s->arena, plan->small);
	s->raw = mmrd_arena_at(&s->arena, plan->raw);
	s->blur = mmrd_arena_at(&s->arena, plan->blur);
}

mmrd_status
mmrd_scorer_create(const mmrd_config *config, const mmrd_stop *stop,
                   mmrd_scorer **out, mmrd_error *err)
{
	mmrd_scorer *s = calloc(1, sizeof(*s));
	scorer_plan plan = {0};
	mmrd_status st;

	*out = NULL;
	if (s == NULL)
		return mmrd_fail_memory(err, sizeof(*s));
	if (stop != NULL)
		s->stop = *stop;
	st = mmrd_gemm_start(err);
	if (st == MMRD_OK)
		st = mmrd_network_create(config, &s->net, err);
	if (st == MMRD_OK)
	{
		mmrd_packed_plan(s->net, false, &s->layout);
		plan_all(s, &plan);
		st = mmrd_arena_allocate(&s->arena, 0, err);
	}
	if (st != MMRD_OK)
	{
		mmrd_scorer_free(s);
		return st;
	}
	assign_all(s, &plan);
	*out = s;
	return MMRD_OK;
}

size_t
mmrd_scorer_bytes(const mmrd_config *config)
{
	mmrd_scorer *s = calloc(1, sizeof(*s));
	scorer_plan plan = {0};
	mmrd_error ignored;
	size_t n = 0;

	if (s != NULL && mmrd_network_create(config, &s->net, &ignored) == MMRD_OK)
	{
		plan_all(s, &plan);
		n = sizeof(*s) + s->arena.n_bytes +
		    work_floats(s->net) * sizeof(float);
	}
	mmrd_scorer_free(s);
	return n;
}

void
mmrd_scorer_free(mmrd_scorer *s)
{
	if (s == NULL)
		return;
	mmrd_network_free(s->net);
	mmrd_arena_clear(&s->arena);
	mmrd_scratch_clear(&s->work);
	free(s);
}

/* Modality m's map of a stage, (P, C). */
static const float *
teacher_map(const mmrd_scorer *s, int stage, int m)
{
	const mmrd_slot *slot = &s->net->teacher.slots[s->net->teacher_out[stage]];

	return mmrd_pass_slot(&s->teacher, s->net->teacher_out[stage]) +
	       (size_t) m * slot->H * slot->W * slot->ld;
}

static void
fuse(mmrd_scorer *s)
{
	const mmrd_network *net = s->net;

	for (int i = 0; i < MMRD_STAGES; i++)
	{
		const mmrd_slot *slot = &net->student.slots[net->target[i]];
		const float *maps[MMRD_MAX_MODALITIES];

		for (int m = 0; m <= net->config.n_aux; m++)
			maps[m] = teacher_map(s, i, m);
		mmrd_fuse(&net->config, slot->H * slot->W, slot->C, maps,
		          mmrd_pass_slot(&s->student, net->target[i]), slot->ld);
	}
}

static void
interact(mmrd_scorer *s, int stage, const float *block)
{
	const mmrd_network *net = s->net;
	const mmrd_packed_prior *at = &s->layout.prior[stage];
	const mmrd_slot *slot = &net->student.slots[net->prior[stage]];
	float *out = mmrd_pass_slot(&s->student, net->prior[stage]);
	const mmrd_interaction_shape shape = interaction_shape(net, stage);
	mmrd_interaction_weights w = {0};
	mmrd_interaction_state state;
	const float *aux[MMRD_MAX_AUX];
	float *base = (float *) (uintptr_t) block; /* only read */

	for (int m = 0; m < net->config.n_aux; m++)
		aux[m] = s->prior[m + 1][stage];
	if (!net->config.interaction)
	{
		mmrd_modulate(slot->H * slot->W, slot->C, net->config.n_aux,
		              s->prior[0][stage], aux, MMRD_MODULATE_NOT, out,
		              slot->ld);
		return;
	}
	w.fc1_weight = base + at->fc1_weight;
	w.fc1_bias = base + at->fc1_bias;
	w.fc2_weight = base + at->fc2_weight;
	w.fc2_bias = base + at->fc2_bias;
	for (int m = 0; m < net->config.n_aux; m++)
	{
		w.spatial_weight[m] = base + at->spatial_weight[m];
		w.spatial_bias[m] = base + at->spatial_bias[m];
	}
	mmrd_interaction_state_set(&shape, s->interaction, &state);
	mmrd_interaction_forward(&shape, &w, s->prior[0][stage], aux, &state, out,
	                         slot->ld);
}

static mmrd_status
make_priors(mmrd_scorer *s, const float *block, mmrd_error *err)
{
	const mmrd_network *net = s->net;

	for (int i = 0; i < MMRD_STAGES; i++)
	{
		if (net->prior[i] == MMRD_NO_SLOT)
			continue;
		MMRD_TRY(mmrd_stop_check(&s->stop, err));
		for (int m = 0; m <= net->config.n_aux; m++)
			mmrd_prior_forward((size_t) stage_pixels(net, i),
			                   mmrd_stage_channels(net->config.arch, i + 1),
			                   net->config.prototypes[i], teacher_map(s, i, m),
			                   block + s->layout.prior[i].prototypes[m],
			                   s->assignment, s->prior[m][i]);
		interact(s, i, block);
	}
	return MMRD_OK;
}

static void
make_map(mmrd_scorer *s, float *map)
{
	const mmrd_network *net = s->net;
	const int S = net->config.input_size;

	for (int i = 0; i < MMRD_STAGES; i++)
	{
		const mmrd_slot *t = &net->student.slots[net->target[i]];
		const mmrd_slot *r = &net->student.slots[net->restored[i]];

		mmrd_cosine_map(t->H * t->W, t->C,
		                mmrd_pass_slot(&s->student, net->target[i]), t->ld,
		                mmrd_pass_slot(&s->student, net->restored[i]), r->ld,
		                s->small);
		mmrd_upsample(t->H, s->small, S, i > 0, s->raw);
	}
	mmrd_blur(S, s->raw, map, s->blur);
}

mmrd_status
mmrd_scorer_run(mmrd_scorer *s, const void *packed, const float *const *inputs,
                float *map, float *score, mmrd_error *err)
{
	const mmrd_network *net = s->net;
	const float *block = packed;
	const size_t S = (size_t) net->config.input_size;
	double begun;
	float *in;

	if (memcmp(mmrd_packed_config(packed), &net->config,
	           sizeof(net->config)) != 0)
		return mmrd_fail(err, MMRD_INTERNAL,
		                 "a scorer was given a model of another kind");
	MMRD_TRY(mmrd_scratch_ensure(&s->work, work_floats(net), err));
	s->teacher.work = s->student.work = s->work.floats;
	in = mmrd_pass_slot(&s->teacher, net->teacher_in);
	for (int m = 0; m <= net->config.n_aux; m++)
		memcpy(in + (size_t) m * S * S * 3, inputs[m],
		       S * S * 3 * sizeof(float));
	MMRD_TRY(mmrd_pass_run(&s->teacher, s->layout.teacher, block, 1, &s->stop,
	                       err));
	fuse(s);
	MMRD_TRY(make_priors(s, block, err));
	MMRD_TRY(mmrd_pass_run(&s->student, s->layout.student, block, 1, &s->stop,
	                       err));
	begun = mmrd_clock_ms();
	make_map(s, map);
	s->map_ms = mmrd_clock_ms() - begun;

	*score = map[0];
	for (size_t i = 1; i < S * S; i++)
		*score = map[i] > *score ? map[i] : *score;
	return MMRD_OK;
}

double
mmrd_scorer_map_ms(const mmrd_scorer *s)
{
	return s->map_ms;
}

void
mmrd_scorer_look(const mmrd_scorer *s, mmrd_scorer_view *view)
{
	const mmrd_network *net = s->net;

	memset(view, 0, sizeof(*view));
	for (int i = 0; i < MMRD_STAGES; i++)
	{
		view->pixels[i] = stage_pixels(net, i);
		view->channels[i] = mmrd_stage_channels(net->config.arch, i + 1);
		for (int m = 0; m <= net->config.n_aux; m++)
		{
			view->teacher[m][i] = teacher_map(s, i, m);
			view->prior[m][i] = s->prior[m][i];
		}
		view->target[i] = mmrd_pass_slot(&s->student, net->target[i]);
		view->target_ld[i] = net->student.slots[net->target[i]].ld;
		view->restored[i] = mmrd_pass_slot(&s->student, net->restored[i]);
		view->restored_ld[i] = net->student.slots[net->restored[i]].ld;
	}
	view->raw_map = s->raw;
}
