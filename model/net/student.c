/*
 * model/net/student.c
 *	  One training step's forward and backward through priors and decoder.
 *
 * Memory.  Forward keeps each slot's map and each unit's raw convolution z
 * (before batch-norm); backward turns z into its gradient in place.  Gradients
 * of slots are only needed from a map's last reader back to its writer, and
 * share memory by the same plan that inference uses: read backwards, lifetimes
 * are the same intervals.
 *
 * A slot's gradient is written by the first unit (in backward order) that
 * read it and added to by the others; `touched` remembers which, per root.  A
 * root that gets a gradient from outside (a loss, on a part of it) is cleared
 * and touched before the walk.
 */
#include "model/net/student.h"

#include <stdlib.h>
#include <string.h>

#include "model/base/arena.h"
#include "model/kernel/batch_norm.h"
#include "model/kernel/cosine_loss.h"
#include "model/kernel/gemm.h"
#include "model/kernel/interaction.h"
#include "model/kernel/modulation.h"
#include "model/kernel/prototype.h"
#include "model/net/forward.h"

#define STUDENT_BN_MOMENTUM 0.1f /* network.md 3 */

/* The priors of one stage in training. */
typedef struct stage_priors
{
	int P, C, Q; /* pixels of a scan, channels, prototypes */
	float *feature[MMRD_MAX_MODALITIES];    /* (n, P, C), frozen */
	float *assignment[MMRD_MAX_MODALITIES]; /* (n, P, Q) */
	float *prior[MMRD_MAX_MODALITIES];      /* (n, P, C) */
	float *dprior[MMRD_MAX_MODALITIES];     /* (n, P, C) */
	float *interaction;                     /* its state */
} stage_priors;

struct mmrd_student
{
	const mmrd_network *net;
	mmrd_stop stop;
	int max_batch;
	int n; /* scans of this batch */
	size_t map_offsets[MMRD_MAX_SLOTS];
	size_t gradient_offsets[MMRD_MAX_SLOTS];
	mmrd_pass maps;
	mmrd_pass gradients;
	bool touched[MMRD_MAX_SLOTS];
	float *z[MMRD_MAX_UNITS];
	float *batch_mean[MMRD_MAX_UNITS];
	float *batch_var[MMRD_MAX_UNITS];
	stage_priors stages[MMRD_STAGES];
	float *prior_work;
	float *fold; /* scale and shift of one unit */
	mmrd_arena arena;
	float *packed; /* one convolution's weights */
	mmrd_scratch work;
};

/*
 * One walk over everything that needs memory.  With arena.block NULL it only
 * plans; the second walk, on the same sequence of requests, hands out slices.
 */
typedef struct memory
{
	mmrd_arena *arena;
	size_t at; /* second walk: where the next slice starts */
	bool assign;
} memory;

static float *
take(memory *mem, size_t n_floats)
{
	const size_t n_bytes = n_floats * sizeof(float);
	float *slice;

	if (!mem->assign)
	{
		mmrd_arena_plan(mem->arena, n_bytes);
		return NULL;
	}
	slice = mmrd_arena_at(mem->arena, mem->at);
	mem->at += (n_bytes + MMRD_ALIGNMENT - 1) & ~(size_t) (MMRD_ALIGNMENT - 1);
	return slice;
}

static mmrd_interaction_shape
stage_shape(const mmrd_student *s, int stage, int n)
{
	const mmrd_config *config = &s->net->config;
	const int side = mmrd_stage_size(config, stage + 1);
	const mmrd_interaction_shape shape = {
	    n, side, side, mmrd_stage_channels(config->arch, stage + 1),
	    config->n_aux};

	return shape;
}

static void
take_priors(mmrd_student *s, memory *mem)
{
	const mmrd_config *config = &s->net->config;
	size_t work = 1;

	for (int i = 0; i < MMRD_STAGES && mmrd_config_has_priors(config); i++)
	{
		stage_priors *st = &s->stages[i];
		const int side = mmrd_stage_size(config, i + 1);
		const mmrd_interaction_shape shape = stage_shape(s, i, s->max_batch);
		size_t pixels;
		size_t n;

		st->P = side * side;
		st->C = mmrd_stage_channels(config->arch, i + 1);
		st->Q = config->prototypes[i];
		pixels = (size_t) s->max_batch * st->P;
		for (int m = 0; m <= config->n_aux; m++)
		{
			st->feature[m] = take(mem, pixels * st->C);
			st->prior[m] = take(mem, pixels * st->C);
			st->dprior[m] = take(mem, pixels * st->C);
			st->assignment[m] = take(mem, pixels * st->Q);
		}
		st->interaction = take(mem, mmrd_interaction_work(&shape));
		n = mmrd_prior_work(pixels, st->C, st->Q);
		work = n > work ? n : work;
	}
	s->prior_work = take(mem, work);
}

static void
take_all(mmrd_student *s, memory *mem)
{
	const mmrd_network *net = s->net;
	const mmrd_program *p = &net->student;
	const size_t batch = (size_t) s->max_batch;
	char keep[MMRD_MAX_SLOTS];
	int widest = 1;

	memset(keep, 1, sizeof(keep));
	s->maps.maps =
	    take(mem, batch * mmrd_program_plan(p, keep, s->map_offsets));
	memset(keep, 0, sizeof(keep));
	for (int i = 0; i < MMRD_STAGES; i++)
	{
		keep[net->restored[i]] = 1;
		if (net->prior[i] != MMRD_NO_SLOT)
			keep[net->prior[i]] = 1;
	}
	s->gradients.maps =
	    take(mem, batch * mmrd_program_plan(p, keep, s->gradient_offsets));
	for (int i = 0; i < p->n_units; i++)
	{
		const mmrd_slot *y = &p->slots[p->units[i].y];

		s->z[i] = take(mem, batch * (size_t) y->H * y->W * y->C);
		s->batch_mean[i] = take(mem, (size_t) y->C);
		s->batch_var[i] = take(mem, (size_t) y->C);
		widest = y->C > widest ? y->C : widest;
	}
	s->fold = take(mem, 2 * (size_t) widest);
	s->packed = take(mem, mmrd_program_packed(p, s->max_batch, true));
	take_priors(s, mem);
}

/* The kernels' scratch for the threads there are now. */
static size_t
work_floats(const mmrd_student *s)
{
	return mmrd_program_work(&s->net->student, s->max_batch, mmrd_threads(),
	                         true);
}

size_t
mmrd_student_bytes(const mmrd_network *net, int max_batch)
{
	mmrd_student *s = calloc(1, sizeof(*s));
	size_t n = 0;

	if (s != NULL)
	{
		memory mem = {&s->arena, 0, false};

		s->net = net;
		s->max_batch = max_batch;
		take_all(s, &mem);
		n = sizeof(*s) + s->arena.n_bytes + work_floats(s) * sizeof(float);
	}
	free(s);
	return n;
}

mmrd_status
mmrd_student_create(const mmrd_network *net, int max_batch, size_t limit_bytes,
                    const mmrd_stop *stop, mmrd_student **out, mmrd_error *err)
{
	mmrd_student *s = calloc(1, sizeof(*s));
	memory plan;
	memory assign;

	*out = NULL;
	if (s == NULL)
		return mmrd_fail_memory(err, sizeof(*s));
	s->net = net;
	s->max_batch = max_batch;
	if (stop != NULL)
		s->stop = *stop;
	plan = (memory){&s->arena, 0, false};
	take_all(s, &plan);
	if (mmrd_gemm_start(err) != MMRD_OK ||
	    mmrd_arena_allocate(&s->arena, limit_bytes, err) != MMRD_OK)
	{
		mmrd_student_free(s);
		return err->status;
	}
	assign = (memory){&s->arena, 0, true};
	take_all(s, &assign);
	s->maps.program = s->gradients.program = &net->student;
	s->maps.offsets = s->map_offsets;
	s->gradients.offsets = s->gradient_offsets;
	mmrd_student_size(s, max_batch);
	*out = s;
	return MMRD_OK;
}

void
mmrd_student_free(mmrd_student *s)
{
	if (s == NULL)
		return;
	mmrd_arena_clear(&s->arena);
	mmrd_scratch_clear(&s->work);
	free(s);
}

void
mmrd_student_size(mmrd_student *s, int n)
{
	s->n = n;
	s->maps.N = n;
	s->gradients.N = n;
}

float *
mmrd_student_target(mmrd_student *s, int stage, int *ld)
{
	*ld = s->net->student.slots[s->net->target[stage]].ld;
	return mmrd_pass_slot(&s->maps, s->net->target[stage]);
}

float *
mmrd_student_feature(mmrd_student *s, int modality, int stage)
{
	return s->stages[stage].feature[modality];
}

static float *
values(const mmrd_student *s, const mmrd_weights *w, int tensor)
{
	return w->values + s->net->tensors[tensor].offset;
}

/* Where the gradient of a learned tensor goes. */
static float *
gradient_of(const mmrd_student *s, const mmrd_weights *w, float *gradient,
            int tensor)
{
	return gradient + (s->net->tensors[tensor].offset - w->parameter_at);
}

static void
interaction_weights(const mmrd_student *s, int stage, float *base,
                    size_t origin, mmrd_interaction_weights *w)
{
	const mmrd_prior_tensors *t = &s->net->priors[stage];
	const mmrd_tensor_info *info = s->net->tensors;

	memset(w, 0, sizeof(*w));
	w->fc1_weight = base + (info[t->fc1_weight].offset - origin);
	w->fc1_bias = base + (info[t->fc1_bias].offset - origin);
	w->fc2_weight = base + (info[t->fc2_weight].offset - origin);
	w->fc2_bias = base + (info[t->fc2_bias].offset - origin);
	for (int a = 0; a < s->net->config.n_aux; a++)
	{
		w->spatial_weight[a] =
		    base + (info[t->spatial_weight[a]].offset - origin);
		w->spatial_bias[a] = base + (info[t->spatial_bias[a]].offset - origin);
	}
}

/* Priors, their loss with its gradient, and F-bar where it is used. */
static double
forward_priors(mmrd_student *s, const mmrd_weights *w, float lambda)
{
	const mmrd_network *net = s->net;
	double loss = 0;

	for (int i = 0; i < MMRD_STAGES && mmrd_config_has_priors(&net->config);
	     i++)
	{
		stage_priors *st = &s->stages[i];
		const size_t pixels = (size_t) s->n * st->P;
		const float *aux[MMRD_MAX_AUX];
		const mmrd_interaction_shape shape = stage_shape(s, i, s->n);
		mmrd_interaction_weights iw;
		mmrd_interaction_state state;
		float *out;
		int ld;

		for (int m = 0; m <= net->config.n_aux; m++)
		{
			mmrd_prior_forward(pixels, st->C, st->Q, st->feature[m],
			                   values(s, w, net->priors[i].prototypes[m]),
			                   st->assignment[m], st->prior[m]);
			loss += mmrd_square_loss(pixels * st->C, st->prior[m],
			                         st->feature[m], lambda, st->dprior[m]);
			if (m > 0)
				aux[m - 1] = st->prior[m];
		}
		if (net->prior[i] == MMRD_NO_SLOT)
			continue;
		out = mmrd_pass_slot(&s->maps, net->prior[i]);
		ld = net->student.slots[net->prior[i]].ld;
		if (!net->config.interaction)
		{
			mmrd_modulate((int) pixels, st->C, net->config.n_aux, st->prior[0],
			              aux, MMRD_MODULATE_NOT, out, ld);
			continue;
		}
		interaction_weights(s, i, w->values, 0, &iw);
		mmrd_interaction_state_set(&shape, st->interaction, &state);
		mmrd_interaction_forward(&shape, &iw, st->prior[0], aux, &state, out,
		                         ld);
	}
	return loss;
}

static mmrd_status
forward_units(mmrd_student *s, mmrd_weights *w, mmrd_error *err)
{
	const mmrd_program *p = &s->net->student;

	for (int i = 0; i < p->n_units; i++)
	{
		const mmrd_unit *u = &p->units[i];
		mmrd_conv_shape shape = mmrd_unit_shape(p, u, s->n);
		const size_t pixels = (size_t) s->n * shape.OH * shape.OW;
		mmrd_epilogue e = {0};

		MMRD_TRY(mmrd_stop_check(&s->stop, err));
		shape.y_ld = shape.O; /* z has no gaps */
		mmrd_conv_pack(&shape, values(s, w, u->weight), s->packed);
		mmrd_conv_forward(&shape, mmrd_pass_slot(&s->maps, u->x), s->packed,
		                  NULL, s->z[i], s->work.floats);
		mmrd_batch_stats(pixels, shape.O, s->z[i], shape.O, s->batch_mean[i],
		                 s->batch_var[i]);
		mmrd_batch_running(pixels, shape.O, STUDENT_BN_MOMENTUM,
		                   s->batch_mean[i], s->batch_var[i],
		                   values(s, w, u->mean), values(s, w, u->var));
		e.scale = s->fold;
		e.shift = s->fold + shape.O;
		mmrd_batch_fold(shape.O, values(s, w, u->gamma), values(s, w, u->beta),
		                s->batch_mean[i], s->batch_var[i], s->fold,
		                s->fold + shape.O);
		e.images_per_group = s->n;
		e.relu = u->relu;
		if (u->res != MMRD_NO_SLOT)
		{
			e.res = mmrd_pass_slot(&s->maps, u->res);
			e.res_ld = p->slots[u->res].ld;
		}
		mmrd_affine(s->n, shape.OH * shape.OW, shape.O, s->z[i], shape.O, &e,
		            mmrd_pass_slot(&s->maps, u->y), p->slots[u->y].ld);
	}
	return MMRD_OK;
}

/* Distillation losses; their gradients start the slots' gradients. */
static double
restoration_loss(mmrd_student *s)
{
	const mmrd_network *net = s->net;
	const mmrd_program *p = &net->student;
	double loss = 0;

	memset(s->touched, 0, sizeof(s->touched));
	for (int i = 0; i < MMRD_STAGES; i++)
	{
		const mmrd_slot *t = &p->slots[net->target[i]];
		const mmrd_slot *r = &p->slots[net->restored[i]];
		const mmrd_slot *root = &p->slots[r->root];

		s->touched[r->root] = true;
		if (r->C != root->C)
			memset(mmrd_pass_slot(&s->gradients, r->root), 0,
			       (size_t) s->n * root->H * root->W * root->ld *
			           sizeof(float));
		loss += mmrd_cosine_loss(
		    s->n, t->H * t->W, t->C, mmrd_pass_slot(&s->maps, net->target[i]),
		    t->ld, mmrd_pass_slot(&s->maps, net->restored[i]), r->ld,
		    mmrd_pass_slot(&s->gradients, net->restored[i]), r->ld);
	}
	return loss;
}

/* to (+)= from, a slot's worth of gradient. */
static void
pass_on(mmrd_student *s, int from, int to)
{
	const mmrd_slot *a = &s->net->student.slots[from];
	const mmrd_slot *b = &s->net->student.slots[to];
	const float *x = mmrd_pass_slot(&s->gradients, from);
	float *y = mmrd_pass_slot(&s->gradients, to);
	mmrd_epilogue e = {NULL, NULL, s->n, NULL, 0, false};

	if (s->touched[b->root])
	{
		e.res = y;
		e.res_ld = b->ld;
	}
	mmrd_affine(s->n, a->H * a->W, a->C, x, a->ld, &e, y, b->ld);
	s->touched[b->root] = true;
}

static bool
is_frozen(const mmrd_network *net, int slot)
{
	return slot == net->target[0] || slot == net->target[1];
}

static mmrd_status
backward_units(mmrd_student *s, const mmrd_weights *w, float *gradient,
               mmrd_error *err)
{
	const mmrd_network *net = s->net;
	const mmrd_program *p = &net->student;

	for (int i = p->n_units - 1; i >= 0; i--)
	{
		const mmrd_unit *u = &p->units[i];
		const mmrd_slot *y = &p->slots[u->y];
		mmrd_conv_shape shape = mmrd_unit_shape(p, u, s->n);
		const size_t pixels = (size_t) s->n * shape.OH * shape.OW;

		MMRD_TRY(mmrd_stop_check(&s->stop, err));
		mmrd_batch_norm_backward(
		    pixels, shape.O, mmrd_pass_slot(&s->gradients, u->y), y->ld,
		    u->relu ? mmrd_pass_slot(&s->maps, u->y) : NULL, y->ld, s->z[i],
		    values(s, w, u->gamma), s->batch_mean[i], s->batch_var[i],
		    gradient_of(s, w, gradient, u->gamma),
		    gradient_of(s, w, gradient, u->beta));
		if (u->res != MMRD_NO_SLOT)
			pass_on(s, u->y, u->res);
		shape.y_ld = shape.O;
		mmrd_conv_backward_weight(
		    &shape, mmrd_pass_slot(&s->maps, u->x), s->z[i],
		    gradient_of(s, w, gradient, u->weight), s->work.floats);
		if (is_frozen(net, u->x))
			continue;
		mmrd_conv_pack_input(&shape, values(s, w, u->weight), s->packed);
		mmrd_conv_backward_input(
		    &shape, s->z[i], s->packed, s->touched[p->slots[u->x].root],
		    mmrd_pass_slot(&s->gradients, u->x), s->work.floats);
		s->touched[p->slots[u->x].root] = true;
	}
	return MMRD_OK;
}

/* dprior += the part of F-bar's gradient, without interaction. */
static void
backward_sum(mmrd_student *s, int stage, const float *dout, int ld)
{
	stage_priors *st = &s->stages[stage];

	for (int m = 0; m <= s->net->config.n_aux; m++)
	{
		const mmrd_epilogue e = {NULL,          NULL,  s->n,
		                         st->dprior[m], st->C, false};

		mmrd_affine(s->n, st->P, st->C, dout, ld, &e, st->dprior[m], st->C);
	}
}

static void
backward_priors(mmrd_student *s, mmrd_weights *w, float *gradient)
{
	const mmrd_network *net = s->net;

	for (int i = 0; i < MMRD_STAGES && mmrd_config_has_priors(&net->config);
	     i++)
	{
		stage_priors *st = &s->stages[i];
		const size_t pixels = (size_t) s->n * st->P;

		if (net->prior[i] != MMRD_NO_SLOT)
		{
			const float *dout = mmrd_pass_slot(&s->gradients, net->prior[i]);
			const int ld = net->student.slots[net->prior[i]].ld;

			if (net->config.interaction)
			{
				const mmrd_interaction_shape shape = stage_shape(s, i, s->n);
				mmrd_interaction_weights iw;
				mmrd_interaction_weights dw;
				mmrd_interaction_state state;

				interaction_weights(s, i, w->values, 0, &iw);
				interaction_weights(s, i, gradient, w->parameter_at, &dw);
				/* state's arrays still hold what forward left there */
				mmrd_interaction_state_set(&shape, st->interaction, &state);
				mmrd_interaction_backward(&shape, &iw, st->prior[0], &state,
				                          dout, ld, &dw, st->dprior[0],
				                          &st->dprior[1]);
			}
			else
				backward_sum(s, i, dout, ld);
		}
		for (int m = 0; m <= net->config.n_aux; m++)
			mmrd_prior_backward(
			    pixels, st->C, st->Q, st->feature[m],
			    values(s, w, net->priors[i].prototypes[m]), st->assignment[m],
			    st->dprior[m],
			    gradient_of(s, w, gradient, net->priors[i].prototypes[m]),
			    s->prior_work);
	}
}

mmrd_status
mmrd_student_gradients(mmrd_student *s, mmrd_weights *weights, float lambda,
                       float *gradient, mmrd_student_losses *losses,
                       mmrd_error *err)
{
	MMRD_TRY(mmrd_scratch_ensure(&s->work, work_floats(s), err));
	/* What feeds nothing (stage 1's interaction in `next`) stays 0. */
	memset(gradient, 0, weights->n_parameters * sizeof(float));
	losses->prototype = forward_priors(s, weights, lambda);
	MMRD_TRY(forward_units(s, weights, err));
	losses->distillation = restoration_loss(s);
	MMRD_TRY(backward_units(s, weights, gradient, err));
	backward_priors(s, weights, gradient);
	return MMRD_OK;
}
