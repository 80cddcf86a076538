/*
 * model/net/network.c
 *	  Building the programs of teacher and student, and naming their tensors.
 *
 * The builder walks the network once, in the order in which it computes, and
 * adds tensors, slots and units as it goes.  Tensors are collected by role;
 * until all are known, an index is (role, position in role), and finish()
 * turns it into the final one.
 */
#include "model/net/network.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum
{
	N_ROLES = 4,
	MAX_PER_ROLE = 512,
	ROLE_STEP = 4096 /* provisional index = role * ROLE_STEP + position */
};

typedef struct builder
{
	mmrd_network *net;
	mmrd_program *program; /* the one being built */
	mmrd_tensor_info *tensors[N_ROLES];
	int n_tensors[N_ROLES];
	int e;          /* expansion: 1 or 4 */
	int width_mult; /* 2 for wide_resnet50_2 */
} builder;

static int __attribute__((format(printf, 6, 7)))
add_tensor(builder *b, mmrd_role role, mmrd_order order, int n_dims,
           const int64_t *dims, const char *fmt, ...)
{
	mmrd_tensor_info *t = &b->tensors[role][b->n_tensors[role]];
	va_list args;

	memset(t, 0, sizeof(*t));
	va_start(args, fmt);
	vsnprintf(t->name, sizeof(t->name), fmt, args);
	va_end(args);
	t->role = role;
	t->order = order;
	t->n_dims = n_dims;
	t->count = 1;
	for (int i = 0; i < n_dims; i++)
	{
		t->dims[i] = dims[i];
		t->count *= (size_t) dims[i];
	}
	return role * ROLE_STEP + b->n_tensors[role]++;
}

static int
add_slot(builder *b, int C, int H, int W)
{
	mmrd_program *p = b->program;
	mmrd_slot slot = {C, H, W, p->n_slots, 0, C};

	p->slots[p->n_slots] = slot;
	return p->n_slots++;
}

/* A range of channels of another slot. */
static int
add_part(builder *b, int whole, int channel, int C)
{
	mmrd_program *p = b->program;
	mmrd_slot slot = p->slots[whole];

	slot.C = C;
	slot.channel += channel;
	p->slots[p->n_slots] = slot;
	return p->n_slots++;
}

/* What a unit is called and does, before its tensors exist. */
typedef struct unit_spec
{
	mmrd_unit_kind kind;
	int K, stride;
	int O; /* output channels */
	int relu;
	int x, res;
	int y; /* slot to write to, or MMRD_NO_SLOT to make one */
} unit_spec;

static void
add_batch_norm(builder *b, mmrd_unit *u, int O, const char *name)
{
	const int64_t dims[1] = {O};

	if (b->program == &b->net->teacher)
	{
		const mmrd_role stat = MMRD_ROLE_TEACHER_STAT;

		u->gamma = add_tensor(b, MMRD_ROLE_TEACHER, MMRD_ORDER_PLAIN, 1, dims,
		                      "teacher.%s.weight", name);
		u->beta = add_tensor(b, MMRD_ROLE_TEACHER, MMRD_ORDER_PLAIN, 1, dims,
		                     "teacher.%s.bias", name);
		u->mean = add_tensor(b, stat, MMRD_ORDER_PLAIN, 1, dims,
		                     "teacher.rgb.%s.running_mean", name);
		u->var = add_tensor(b, stat, MMRD_ORDER_PLAIN, 1, dims,
		                    "teacher.rgb.%s.running_var", name);
		return;
	}
	u->gamma = add_tensor(b, MMRD_ROLE_PARAMETER, MMRD_ORDER_PLAIN, 1, dims,
	                      "%s.weight", name);
	u->beta = add_tensor(b, MMRD_ROLE_PARAMETER, MMRD_ORDER_PLAIN, 1, dims,
	                     "%s.bias", name);
	u->mean = add_tensor(b, MMRD_ROLE_STAT, MMRD_ORDER_PLAIN, 1, dims,
	                     "%s.running_mean", name);
	u->var = add_tensor(b, MMRD_ROLE_STAT, MMRD_ORDER_PLAIN, 1, dims,
	                    "%s.running_var", name);
}

/* Add conv + bn named conv and bn; returns the slot written. */
static int
add_unit(builder *b, unit_spec spec, const char *conv, const char *bn)
{
	const bool teacher = b->program == &b->net->teacher;
	const mmrd_role role = teacher ? MMRD_ROLE_TEACHER : MMRD_ROLE_PARAMETER;
	const mmrd_slot x = b->program->slots[spec.x];
	mmrd_unit *u = &b->program->units[b->program->n_units++];
	int H;
	int W;

	memset(u, 0, sizeof(*u));
	u->kind = spec.kind;
	u->K = spec.K;
	u->stride = spec.stride;
	u->relu = spec.relu;
	u->x = spec.x;
	u->res = spec.res;
	if (spec.kind == MMRD_UNIT_CONV_TRANSPOSED)
	{
		const int64_t dims[4] = {x.C, spec.O, 2, 2};

		u->weight = add_tensor(b, role, MMRD_ORDER_TRANSPOSED, 4, dims,
		                       "%s%s.weight", teacher ? "teacher." : "", conv);
		H = x.H * 2;
		W = x.W * 2;
	}
	else
	{
		const int64_t dims[4] = {spec.O, x.C, spec.K, spec.K};

		u->pad = spec.K / 2;
		u->weight = add_tensor(b, role, MMRD_ORDER_CONV, 4, dims,
		                       "%s%s.weight", teacher ? "teacher." : "", conv);
		H = (x.H + 2 * u->pad - spec.K) / spec.stride + 1;
		W = (x.W + 2 * u->pad - spec.K) / spec.stride + 1;
	}
	add_batch_norm(b, u, spec.O, bn);
	u->y = spec.y == MMRD_NO_SLOT ? add_slot(b, spec.O, H, W) : spec.y;
	return u->y;
}

static int
add_maxpool(builder *b, int x)
{
	const mmrd_slot in = b->program->slots[x];
	mmrd_unit *u = &b->program->units[b->program->n_units++];

	memset(u, 0, sizeof(*u));
	u->kind = MMRD_UNIT_MAXPOOL;
	u->K = 3;
	u->stride = 2;
	u->pad = 1;
	u->x = x;
	u->res = MMRD_NO_SLOT;
	u->y = add_slot(b, in.C, (in.H - 1) / 2 + 1, (in.W - 1) / 2 + 1);
	return u->y;
}

/* The three ways a residual block changes resolution. */
typedef enum block_step
{
	STEP_SAME,
	STEP_DOWN, /* stride 2 */
	STEP_UP    /* transposed 2x2 */
} block_step;

/*
 * One residual block, Basic or Bottleneck, reading x and writing y (a slot,
 * or MMRD_NO_SLOT for a new one).  prefix is "layer1.0", "decoder.3.0", ...;
 * the shortcut is called downsample.0/.1 in the teacher, skip.conv/.bn in the
 * student.
 */
static int
add_block(builder *b, int x, int planes, block_step step, int y,
          const char *prefix)
{
	const bool teacher = b->program == &b->net->teacher;
	const bool bottleneck = b->e == 4;
	const int outer = planes * b->e;
	const int inner = bottleneck ? planes * b->width_mult : planes;
	const mmrd_unit_kind resize =
	    step == STEP_UP ? MMRD_UNIT_CONV_TRANSPOSED : MMRD_UNIT_CONV;
	const int stride = step == STEP_SAME ? 1 : 2;
	const int resize_k = step == STEP_UP ? 2 : 3;
	const int project_k = step == STEP_UP ? 2 : 1;
	char conv[MMRD_MAX_TENSOR_NAME];
	char bn[MMRD_MAX_TENSOR_NAME];
	int at = x;
	int shortcut = x;

	if (step != STEP_SAME || b->program->slots[x].C != outer)
	{
		unit_spec s = {resize, project_k, stride,       outer,
		               0,      x,         MMRD_NO_SLOT, MMRD_NO_SLOT};

		snprintf(conv, sizeof(conv),
		         teacher ? "%s.downsample.0" : "%s.skip.conv", prefix);
		snprintf(bn, sizeof(bn), teacher ? "%s.downsample.1" : "%s.skip.bn",
		         prefix);
		shortcut = add_unit(b, s, conv, bn);
	}

	for (int i = 1; i <= (bottleneck ? 3 : 2); i++)
	{
		const bool last = i == (bottleneck ? 3 : 2);
		const bool resizes = i == (bottleneck ? 2 : 1);
		unit_spec s = {MMRD_UNIT_CONV, 3,           1, inner, 1, at,
		               MMRD_NO_SLOT,   MMRD_NO_SLOT};

		if (resizes)
		{
			s.kind = resize;
			s.K = step == STEP_SAME ? 3 : resize_k;
			s.stride = stride;
		}
		else if (bottleneck)
			s.K = 1;
		if (last)
		{
			s.O = outer;
			s.res = shortcut;
			s.y = y;
		}
		snprintf(conv, sizeof(conv), "%s.conv%d", prefix, i);
		snprintf(bn, sizeof(bn), "%s.bn%d", prefix, i);
		at = add_unit(b, s, conv, bn);
	}
	return at;
}

static void
build_teacher(builder *b)
{
	static const int counts_18[MMRD_STAGES] = {2, 2, 2};
	static const int counts_more[MMRD_STAGES] = {3, 4, 6};
	mmrd_network *net = b->net;
	const int *counts =
	    net->config.arch == MMRD_ARCH_RESNET18 ? counts_18 : counts_more;
	const int S = net->config.input_size;
	unit_spec stem = {MMRD_UNIT_CONV, 7,           2, 64, 1, 0,
	                  MMRD_NO_SLOT,   MMRD_NO_SLOT};
	int n_rgb;
	int x;

	b->program = &net->teacher;
	net->teacher_in = add_slot(b, 3, S, S);
	stem.x = net->teacher_in;
	x = add_maxpool(b, add_unit(b, stem, "conv1", "bn1"));
	for (int stage = 1; stage <= MMRD_STAGES; stage++)
	{
		for (int i = 0; i < counts[stage - 1]; i++)
		{
			char prefix[32];

			snprintf(prefix, sizeof(prefix), "layer%d.%d", stage, i);
			x = add_block(b, x, 64 << (stage - 1),
			              i == 0 && stage > 1 ? STEP_DOWN : STEP_SAME,
			              MMRD_NO_SLOT, prefix);
		}
		net->teacher_out[stage - 1] = x;
	}

	/* The other modalities' statistics, in the same order. */
	n_rgb = b->n_tensors[MMRD_ROLE_TEACHER_STAT];
	net->n_teacher_stats = n_rgb;
	for (int m = 1; m <= net->config.n_aux; m++)
	{
		for (int i = 0; i < n_rgb; i++)
		{
			const mmrd_tensor_info *t = &b->tensors[MMRD_ROLE_TEACHER_STAT][i];

			add_tensor(b, MMRD_ROLE_TEACHER_STAT, t->order, t->n_dims, t->dims,
			           "teacher.%s.%s", mmrd_modality_name(m),
			           t->name + strlen("teacher.rgb."));
		}
	}
}

/* RD's one-class embedding; returns the slot of F_4^S. */
static int
build_embedding(builder *b)
{
	mmrd_network *net = b->net;
	const mmrd_config *config = &net->config;
	const int c = 64 * b->e;
	const int s1 = mmrd_stage_size(config, 1);
	const int s2 = mmrd_stage_size(config, 2);
	const int s3 = mmrd_stage_size(config, 3);
	const int n_blocks = config->arch == MMRD_ARCH_RESNET18 ? 2 : 3;
	unit_spec s = {MMRD_UNIT_CONV, 3,           2, 2 * c, 1, 0,
	               MMRD_NO_SLOT,   MMRD_NO_SLOT};
	int joined;
	int l1;
	int l2;
	int x;

	net->target[0] = add_slot(b, c, s1, s1);
	net->target[1] = add_slot(b, 2 * c, s2, s2);
	joined = add_slot(b, 12 * c, s3, s3);
	l1 = add_part(b, joined, 0, 4 * c);
	l2 = add_part(b, joined, 4 * c, 4 * c);
	net->target[2] = add_part(b, joined, 8 * c, 4 * c);

	s.x = net->target[0];
	s.x = add_unit(b, s, "ocbe.conv1", "ocbe.bn1");
	s.O = 4 * c;
	s.y = l1;
	add_unit(b, s, "ocbe.conv2", "ocbe.bn2");
	s.x = net->target[1];
	s.y = l2;
	add_unit(b, s, "ocbe.conv3", "ocbe.bn3");

	x = joined;
	for (int i = 0; i < n_blocks; i++)
	{
		char prefix[32];

		snprintf(prefix, sizeof(prefix), "ocbe.blocks.%d", i);
		x = add_block(b, x, 512, i == 0 ? STEP_DOWN : STEP_SAME, MMRD_NO_SLOT,
		              prefix);
	}
	return x;
}

static void
build_decoder(builder *b, int x)
{
	static const int counts_18[MMRD_STAGES] = {2, 2, 2};
	static const int counts_more[MMRD_STAGES] = {3, 4, 6};
	mmrd_network *net = b->net;
	const mmrd_config *config = &net->config;
	const int *counts =
	    config->arch == MMRD_ARCH_RESNET18 ? counts_18 : counts_more;
	const bool priors = mmrd_config_has_priors(config);
	const bool same = config->prior_at == MMRD_PRIOR_SAME;

	for (int i = 0; i < MMRD_STAGES; i++)
	{
		const int stage = 3 - i;
		const int planes = 64 << (stage - 1);
		const int C = planes * b->e;
		const int side = mmrd_stage_size(config, stage);
		const bool join = priors && same;
		const bool widen = priors && !same && stage > 1;
		char prefix[32];
		int whole = MMRD_NO_SLOT;
		int part = MMRD_NO_SLOT;

		net->prior[stage - 1] = MMRD_NO_SLOT;
		if (join || widen)
		{
			whole = add_slot(b, 2 * C, side, side);
			part = add_part(b, whole, 0, C);
			net->prior[stage - 1] = add_part(b, whole, C, C);
		}
		for (int k = 0; k < counts[i]; k++)
		{
			const bool first = k == 0;
			const bool last = k == counts[i] - 1;

			snprintf(prefix, sizeof(prefix), "decoder.%d.%d", stage, k);
			x = add_block(b, x, planes, first ? STEP_UP : STEP_SAME,
			              (join && first) || (widen && last) ? part
			                                                 : MMRD_NO_SLOT,
			              prefix);
			if (join && first)
			{
				unit_spec s = {MMRD_UNIT_CONV, 1,           1, C, 1, whole,
				               MMRD_NO_SLOT,   MMRD_NO_SLOT};
				char conv[48];
				char bn[48];

				snprintf(conv, sizeof(conv), "decoder.%d.join.conv", stage);
				snprintf(bn, sizeof(bn), "decoder.%d.join.bn", stage);
				x = add_unit(b, s, conv, bn);
			}
		}
		net->restored[stage - 1] = x;
		if (widen)
			x = whole;
	}
}

static int
add_plain(builder *b, int n_dims, int64_t d0, int64_t d1, const char *name)
{
	const int64_t dims[2] = {d0, d1};

	return add_tensor(b, MMRD_ROLE_PARAMETER, MMRD_ORDER_PLAIN, n_dims, dims,
	                  "%s", name);
}

static void
build_priors(builder *b)
{
	mmrd_network *net = b->net;
	const mmrd_config *config = &net->config;

	for (int i = 0; i < MMRD_STAGES; i++)
	{
		mmrd_prior_tensors *p = &net->priors[i];
		const int C = mmrd_stage_channels(config->arch, i + 1);
		const int R = C / 16; /* squeeze ratio of network.md 3 */
		char name[MMRD_MAX_TENSOR_NAME];

		memset(p, 0xff, sizeof(*p)); /* every index -1 */
		if (!mmrd_config_has_priors(config))
			continue;
		for (int m = 0; m <= config->n_aux; m++)
		{
			snprintf(name, sizeof(name), "prototypes.%s.%d",
			         mmrd_modality_name(m), i + 1);
			p->prototypes[m] = add_plain(b, 2, config->prototypes[i], C, name);
		}
		if (!config->interaction)
			continue;
		snprintf(name, sizeof(name), "interaction.%d.fc1.weight", i + 1);
		p->fc1_weight = add_plain(b, 2, R, C, name);
		snprintf(name, sizeof(name), "interaction.%d.fc1.bias", i + 1);
		p->fc1_bias = add_plain(b, 1, R, 0, name);
		snprintf(name, sizeof(name), "interaction.%d.fc2.weight", i + 1);
		p->fc2_weight = add_plain(b, 2, C, R, name);
		snprintf(name, sizeof(name), "interaction.%d.fc2.bias", i + 1);
		p->fc2_bias = add_plain(b, 1, C, 0, name);
		for (int a = 0; a < config->n_aux; a++)
		{
			const int64_t kernel[4] = {1, 1, 3, 3};
			const int64_t one[1] = {1};
			const char *suffix = a == 0 ? "" : "2";

			p->spatial_weight[a] =
			    add_tensor(b, MMRD_ROLE_PARAMETER, MMRD_ORDER_PLAIN, 4, kernel,
			               "interaction.%d.spatial%s.weight", i + 1, suffix);
			p->spatial_bias[a] =
			    add_tensor(b, MMRD_ROLE_PARAMETER, MMRD_ORDER_PLAIN, 1, one,
			               "interaction.%d.spatial%s.bias", i + 1, suffix);
		}
	}
}

/* Provisional tensor index -> final one. */
static void
settle(const int *first, int *index)
{
	if (*index >= 0)
		*index = first[*index / ROLE_STEP] + *index % ROLE_STEP;
}

static void
settle_program(const int *first, mmrd_program *program)
{
	for (int i = 0; i < program->n_units; i++)
	{
		mmrd_unit *u = &program->units[i];

		if (u->kind == MMRD_UNIT_MAXPOOL)
			continue;
		settle(first, &u->weight);
		settle(first, &u->gamma);
		settle(first, &u->beta);
		settle(first, &u->mean);
		settle(first, &u->var);
	}
}

static mmrd_status
finish(builder *b, mmrd_error *err)
{
	mmrd_network *net = b->net;
	int first[N_ROLES];
	int n = 0;
	size_t at = 0;

	for (int role = 0; role < N_ROLES; role++)
	{
		first[role] = n;
		n += b->n_tensors[role];
	}
	net->n_tensors = n;
	net->tensors = calloc((size_t) n, sizeof(*net->tensors));
	if (net->tensors == NULL)
		return mmrd_fail_memory(err, (double) n * sizeof(*net->tensors));
	for (int role = 0; role < N_ROLES; role++)
	{
		at = (at + 15) & ~(size_t) 15; /* a cache line of floats */
		if (role == MMRD_ROLE_PARAMETER)
			net->parameter_at = at;
		for (int i = 0; i < b->n_tensors[role]; i++)
		{
			mmrd_tensor_info *t = &net->tensors[first[role] + i];

			*t = b->tensors[role][i];
			t->offset = at;
			at += t->count;
		}
		if (role == MMRD_ROLE_PARAMETER)
			net->n_parameters = at - net->parameter_at;
	}
	net->n_values = at;

	settle_program(first, &net->teacher);
	settle_program(first, &net->student);
	for (int i = 0; i < MMRD_STAGES; i++)
	{
		mmrd_prior_tensors *p = &net->priors[i];

		for (int m = 0; m < MMRD_MAX_MODALITIES; m++)
			settle(first, &p->prototypes[m]);
		settle(first, &p->fc1_weight);
		settle(first, &p->fc1_bias);
		settle(first, &p->fc2_weight);
		settle(first, &p->fc2_bias);
		for (int a = 0; a < MMRD_MAX_AUX; a++)
		{
			settle(first, &p->spatial_weight[a]);
			settle(first, &p->spatial_bias[a]);
		}
	}
	return MMRD_OK;
}

mmrd_status
mmrd_network_create(const mmrd_config *config, mmrd_network **out,
                    mmrd_error *err)
{
	mmrd_status st = MMRD_OK;
	builder b = {0};
	mmrd_network *net = NULL;

	*out = NULL;
	MMRD_TRY(mmrd_config_check(config, err));
	net = calloc(1, sizeof(*net));
	for (int role = 0; role < N_ROLES; role++)
		b.tensors[role] = calloc(MAX_PER_ROLE, sizeof(mmrd_tensor_info));
	if (net == NULL || b.tensors[0] == NULL || b.tensors[1] == NULL ||
	    b.tensors[2] == NULL || b.tensors[3] == NULL)
	{
		st = mmrd_fail_memory(err, sizeof(*net));
		goto done;
	}
	net->config = *config;
	net->teacher.bf16 = net->student.bf16 = config->precision == MMRD_BFLOAT16;
	b.net = net;
	b.e = mmrd_stage_channels(config->arch, 1) / 64;
	b.width_mult = config->arch == MMRD_ARCH_WIDE_RESNET50_2 ? 2 : 1;

	build_teacher(&b);
	b.program = &net->student;
	build_decoder(&b, build_embedding(&b));
	build_priors(&b);
	st = finish(&b, err);
	if (st != MMRD_OK)
		goto done;
	*out = net;
	net = NULL;

done:
	mmrd_network_free(net);
	for (int role = 0; role < N_ROLES; role++)
		free(b.tensors[role]);
	return st;
}

void
mmrd_network_free(mmrd_network *net)
{
	if (net == NULL)
		return;
	free(net->tensors);
	free(net);
}

/* First and last unit (or -1 and n_units) during which a root is needed. */
static void
lifetimes(const mmrd_program *p, const char *keep, int *from, int *to)
{
	for (int s = 0; s < p->n_slots; s++)
	{
		from[s] = p->n_units;
		to[s] = -1;
	}
	for (int i = 0; i < p->n_units; i++)
	{
		const mmrd_unit *u = &p->units[i];
		const int used[3] = {u->x, u->res, u->y};

		for (int k = 0; k < 3; k++)
		{
			if (used[k] == MMRD_NO_SLOT)
				continue;
			const int root = p->slots[used[k]].root;

			from[root] = i < from[root] ? i : from[root];
			to[root] = i > to[root] ? i : to[root];
		}
	}
	for (int s = 0; s < p->n_slots; s++)
	{
		if (keep != NULL && keep[s])
		{
			from[p->slots[s].root] = -1;
			to[p->slots[s].root] = p->n_units;
		}
	}
}

/*
 * Largest first, each at the lowest place that is free during its lifetime:
 * simple, and within a few per cent of the largest simultaneous demand here.
 */
size_t
mmrd_program_plan(const mmrd_program *p, const char *keep, size_t *offsets)
{
	int from[MMRD_MAX_SLOTS];
	int to[MMRD_MAX_SLOTS];
	int placed[MMRD_MAX_SLOTS];
	size_t sizes[MMRD_MAX_SLOTS];
	int n_placed = 0;
	size_t total = 0;

	lifetimes(p, keep, from, to);
	for (int s = 0; s < p->n_slots; s++)
	{
		const mmrd_slot *slot = &p->slots[s];
		const size_t n = (size_t) slot->ld * slot->H * slot->W;

		sizes[s] =
		    slot->root == s && to[s] >= from[s] ? (n + 15) & ~(size_t) 15 : 0;
		offsets[s] = 0;
	}
	for (;;)
	{
		int best = -1;
		size_t at = 0;

		for (int s = 0; s < p->n_slots; s++)
			if (sizes[s] > 0 && (best < 0 || sizes[s] > sizes[best]))
				best = s;
		if (best < 0)
			break;
		for (int again = 1; again;)
		{
			again = 0;
			for (int i = 0; i < n_placed; i++)
			{
				const int q = placed[i];
				const mmrd_slot *slot = &p->slots[q];
				const size_t n = ((size_t) slot->ld * slot->H * slot->W + 15) &
				                 ~(size_t) 15;

				if (from[q] <= to[best] && from[best] <= to[q] &&
				    at < offsets[q] + n && offsets[q] < at + sizes[best])
				{
					at = offsets[q] + n;
					again = 1;
				}
			}
		}
		offsets[best] = at;
		if (at + sizes[best] > total)
			total = at + sizes[best];
		placed[n_placed++] = best;
		sizes[best] = 0;
	}
	for (int s = 0; s < p->n_slots; s++)
	{
		const mmrd_slot *slot = &p->slots[s];

		if (slot->root != s)
			offsets[s] = offsets[slot->root] + (size_t) slot->channel;
	}
	return total;
}
