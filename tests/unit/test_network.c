/*
 * tests/unit/test_network.c
 *	  Names, shapes and counts of tensors, and the units of both programs
 *	  (their memory plan is in test_network_plan.c).
 *
 * The expected tensors are listed here once more, straight from network.md 6
 * and 3, without the builder's notions of units and slots.
 */
#include "model/net/network.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/check.h"

static mmrd_config
make_config(mmrd_arch arch, mmrd_prior_at at, int n_aux)
{
	mmrd_config config;

	mmrd_config_init(&config);
	config.arch = arch;
	config.prior_at = at;
	config.n_aux = n_aux;
	return config;
}

static mmrd_network *
make_network(const mmrd_config *config)
{
	mmrd_network *net = NULL;
	mmrd_error err = {0};

	CHECK(mmrd_network_create(config, &net, &err) == MMRD_OK, "%s",
	      err.message);
	if (net == NULL)
		exit(check_result());
	return net;
}

/* ---- the tensors network.md lists ---- */

/* Looks up what is expected and marks what was found. */
typedef struct expectation
{
	const mmrd_network *net;
	char *seen;
	int n;
	mmrd_role role; /* of what is asked for next */
} expectation;

/* One tensor of the given shape: d[i] 0 ends the dimensions. */
static void expect(expectation *e, int64_t d0, int64_t d1, int64_t d2,
                   int64_t d3, const char *fmt, ...)
    __attribute__((format(printf, 6, 7)));

static void
expect(expectation *e, int64_t d0, int64_t d1, int64_t d2, int64_t d3,
       const char *fmt, ...)
{
	const int64_t dims[4] = {d0, d1, d2, d3};
	const int n_dims = d1 == 0 ? 1 : d2 == 0 ? 2 : 4;
	char name[MMRD_MAX_TENSOR_NAME];
	char shape[100];
	va_list args;
	int at = -1;

	va_start(args, fmt);
	vsnprintf(name, sizeof(name), fmt, args);
	va_end(args);
	e->n++;
	for (int i = 0; i < e->net->n_tensors; i++)
		if (strcmp(e->net->tensors[i].name, name) == 0)
			at = i;
	CHECK(at >= 0, "no tensor %s", name);
	if (at < 0)
		return;
	CHECK(!e->seen[at], "%s was found before", name);
	e->seen[at] = 1;
	CHECK(e->net->tensors[at].role == e->role, "%s has role %d, want %d", name,
	      e->net->tensors[at].role, e->role);
	CHECK(e->net->tensors[at].n_dims == n_dims &&
	          memcmp(e->net->tensors[at].dims, dims,
	                 (size_t) n_dims * sizeof(*dims)) == 0,
	      "%s has the shape %s", name,
	      mmrd_dims_print(e->net->tensors[at].n_dims, e->net->tensors[at].dims,
	                      shape, sizeof(shape)));
}

/* A batch-norm of C channels: the teacher's, or the student's. */
static void
expect_bn(expectation *e, int C, bool teacher, const char *name)
{
	static const char *const modalities[] = {"rgb", "aux", "aux2"};
	const char *prefix = teacher ? "teacher." : "";

	e->role = teacher ? MMRD_ROLE_TEACHER : MMRD_ROLE_PARAMETER;
	expect(e, C, 0, 0, 0, "%s%s.weight", prefix, name);
	expect(e, C, 0, 0, 0, "%s%s.bias", prefix, name);
	e->role = teacher ? MMRD_ROLE_TEACHER_STAT : MMRD_ROLE_STAT;
	for (int m = 0; m <= (teacher ? e->net->config.n_aux : 0); m++)
	{
		const char *dot = teacher ? "." : "";
		const char *who = teacher ? modalities[m] : "";

		expect(e, C, 0, 0, 0, "%s%s%s%s.running_mean", prefix, who, dot, name);
		expect(e, C, 0, 0, 0, "%s%s%s%s.running_var", prefix, who, dot, name);
	}
	e->role = teacher ? MMRD_ROLE_TEACHER : MMRD_ROLE_PARAMETER;
}

/* conv (d0, d1, k, k) and its batch-norm of C channels, below prefix. */
static void
expect_pair(expectation *e, const char *prefix, bool teacher, int64_t d0,
            int64_t d1, int k, int C, const char *conv, const char *bn)
{
	char name[MMRD_MAX_TENSOR_NAME];

	e->role = teacher ? MMRD_ROLE_TEACHER : MMRD_ROLE_PARAMETER;
	expect(e, d0, d1, k, k, "%s%s%s.weight", teacher ? "teacher." : "", prefix,
	       conv);
	snprintf(name, sizeof(name), "%s%s", prefix, bn);
	expect_bn(e, C, teacher, name);
}

/*
 * A residual block from C to planes * e channels; up: it starts with a
 * transposed convolution; shortcut: it has one of its own.
 */
static void
expect_block(expectation *e, const char *prefix, bool teacher, int C,
             int planes, bool up, bool shortcut)
{
	const mmrd_arch arch = (mmrd_arch) e->net->config.arch;
	const bool bottleneck =
	    arch == MMRD_ARCH_RESNET50 || arch == MMRD_ARCH_WIDE_RESNET50_2;
	const int inner = arch == MMRD_ARCH_WIDE_RESNET50_2 ? 2 * planes : planes;
	const int outer = bottleneck ? 4 * planes : planes;
	const char *conv = teacher ? "downsample.0" : "skip.conv";
	const char *bn = teacher ? "downsample.1" : "skip.bn";

	if (bottleneck)
	{
		expect_pair(e, prefix, teacher, inner, C, 1, inner, "conv1", "bn1");
		expect_pair(e, prefix, teacher, inner, inner, up ? 2 : 3, inner,
		            "conv2", "bn2");
		expect_pair(e, prefix, teacher, outer, inner, 1, outer, "conv3",
		            "bn3");
	}
	else
	{
		if (up) /* (C_in, C_out, 2, 2) */
			expect_pair(e, prefix, teacher, C, outer, 2, outer, "conv1",
			            "bn1");
		else
			expect_pair(e, prefix, teacher, outer, C, 3, outer, "conv1",
			            "bn1");
		expect_pair(e, prefix, teacher, outer, outer, 3, outer, "conv2",
		            "bn2");
	}
	if (shortcut && up)
		expect_pair(e, prefix, teacher, C, outer, 2, outer, conv, bn);
	else if (shortcut)
		expect_pair(e, prefix, teacher, outer, C, 1, outer, conv, bn);
}

static void
expect_teacher(expectation *e, const int *blocks, int expansion)
{
	int C = 64;

	expect_pair(e, "", true, 64, 3, 7, 64, "conv1", "bn1");
	for (int stage = 1; stage <= 3; stage++)
	{
		const int planes = 32 << stage;

		for (int b = 0; b < blocks[stage - 1]; b++)
		{
			char prefix[64];
			const int outer = planes * expansion;

			snprintf(prefix, sizeof(prefix), "layer%d.%d.", stage, b);
			expect_block(e, prefix, true, C, planes, false,
			             b == 0 && (stage > 1 || C != outer));
			C = outer;
		}
	}
}

static void
expect_embedding(expectation *e, int n_blocks, int x)
{
	expect_pair(e, "ocbe.", false, 128 * x, 64 * x, 3, 128 * x, "conv1",
	            "bn1");
	expect_pair(e, "ocbe.", false, 256 * x, 128 * x, 3, 256 * x, "conv2",
	            "bn2");
	expect_pair(e, "ocbe.", false, 256 * x, 128 * x, 3, 256 * x, "conv3",
	            "bn3");
	for (int b = 0; b < n_blocks; b++)
	{
		char prefix[64];

		snprintf(prefix, sizeof(prefix), "ocbe.blocks.%d.", b);
		expect_block(e, prefix, false, b == 0 ? 768 * x : 512 * x, 512, false,
		             b == 0);
	}
}

static void
expect_decoder(expectation *e, const int *blocks, int x)
{
	const mmrd_config *config = &e->net->config;
	const bool priors = config->prototypes[0] > 0;

	for (int stage = 3; stage >= 1; stage--)
	{
		const int planes = 32 << stage;
		const bool doubled =
		    priors && config->prior_at == MMRD_PRIOR_NEXT && stage < 3;
		char prefix[64];

		for (int b = 0; b < blocks[3 - stage]; b++)
		{
			const int C = b > 0 ? planes * x : 2 * planes * x;

			snprintf(prefix, sizeof(prefix), "decoder.%d.%d.", stage, b);
			expect_block(e, prefix, false, b == 0 && doubled ? 2 * C : C,
			             planes, b == 0, b == 0);
		}
		snprintf(prefix, sizeof(prefix), "decoder.%d.join.", stage);
		if (priors && config->prior_at == MMRD_PRIOR_SAME)
			expect_pair(e, prefix, false, planes * x, 2 * planes * x, 1,
			            planes * x, "conv", "bn");
	}
}

static void
expect_priors(expectation *e, int x)
{
	static const char *const modalities[] = {"rgb", "aux", "aux2"};
	const mmrd_config *config = &e->net->config;

	e->role = MMRD_ROLE_PARAMETER;
	for (int stage = 1; stage <= 3 && config->prototypes[0] > 0; stage++)
	{
		const int C = (32 << stage) * x;

		for (int m = 0; m <= config->n_aux; m++)
			expect(e, config->prototypes[stage - 1], C, 0, 0,
			       "prototypes.%s.%d", modalities[m], stage);
		if (!config->interaction)
			continue;
		expect(e, C / 16, C, 0, 0, "interaction.%d.fc1.weight", stage);
		expect(e, C / 16, 0, 0, 0, "interaction.%d.fc1.bias", stage);
		expect(e, C, C / 16, 0, 0, "interaction.%d.fc2.weight", stage);
		expect(e, C, 0, 0, 0, "interaction.%d.fc2.bias", stage);
		for (int m = 1; m <= config->n_aux; m++)
		{
			expect(e, 1, 1, 3, 3, "interaction.%d.spatial%s.weight", stage,
			       m == 2 ? "2" : "");
			expect(e, 1, 0, 0, 0, "interaction.%d.spatial%s.bias", stage,
			       m == 2 ? "2" : "");
		}
	}
}

static void
check_tensors(const mmrd_network *net)
{
	static const int blocks_18[3] = {2, 2, 2};
	static const int blocks_more[3] = {3, 4, 6};
	const mmrd_arch arch = (mmrd_arch) net->config.arch;
	const int *blocks = arch == MMRD_ARCH_RESNET18 ? blocks_18 : blocks_more;
	const int x =
	    arch == MMRD_ARCH_RESNET50 || arch == MMRD_ARCH_WIDE_RESNET50_2 ? 4
	                                                                    : 1;
	expectation e = {net, calloc((size_t) net->n_tensors, 1), 0,
	                 MMRD_ROLE_TEACHER};

	if (e.seen == NULL)
		exit(1);
	expect_teacher(&e, blocks, x);
	expect_embedding(&e, arch == MMRD_ARCH_RESNET18 ? 2 : 3, x);
	expect_decoder(&e, blocks, x);
	expect_priors(&e, x);
	CHECK(e.n == net->n_tensors, "%d tensors, expected %d", net->n_tensors,
	      e.n);
	for (int i = 0; i < net->n_tensors; i++)
		CHECK(e.seen[i], "%s is not in network.md", net->tensors[i].name);
	free(e.seen);
}

/* Values lie one after another, role by role; the learned ones in one run. */
static void
check_layout(const mmrd_network *net)
{
	size_t end = 0;
	size_t learned = 0;
	int role = 0;

	for (int i = 0; i < net->n_tensors; i++)
	{
		const mmrd_tensor_info *t = &net->tensors[i];
		size_t count = 1;

		for (int k = 0; k < t->n_dims; k++)
			count *= (size_t) t->dims[k];
		CHECK(t->count == count, "%s counts %zu", t->name, t->count);
		CHECK((int) t->role >= role, "%s is out of order", t->name);
		if ((int) t->role != role)
			end = (end + 15) / 16 * 16; /* a role starts a cache line */
		role = (int) t->role;
		CHECK(t->offset == end, "%s is at %zu, want %zu", t->name, t->offset,
		      end);
		if (t->role == MMRD_ROLE_PARAMETER && learned == 0)
			CHECK(net->parameter_at == t->offset, "learned from %zu on",
			      net->parameter_at);
		if (t->role == MMRD_ROLE_PARAMETER)
			learned += count;
		end = t->offset + count;
	}
	CHECK(net->n_values == end, "%zu values, want %zu", net->n_values, end);
	CHECK(net->n_parameters == learned, "%zu learned, want %zu",
	      net->n_parameters, learned);
}

/* ---- units ---- */

static void
check_index(const mmrd_network *net, int index, const char *suffix, int64_t O)
{
	const mmrd_tensor_info *t;
	size_t n;

	CHECK(index >= 0 && index < net->n_tensors, "index %d for %s", index,
	      suffix);
	if (index < 0 || index >= net->n_tensors)
		return;
	t = &net->tensors[index];
	n = strlen(t->name);
	CHECK(n > strlen(suffix) &&
	          strcmp(t->name + n - strlen(suffix), suffix) == 0,
	      "%s where one ends in %s", t->name, suffix);
	CHECK(O == 0 || (t->n_dims == 1 && t->dims[0] == O),
	      "%s has not %d elements", t->name, (int) O);
}

static void
check_unit(const mmrd_network *net, const mmrd_program *p, int i)
{
	const mmrd_unit *u = &p->units[i];
	const mmrd_slot *x = &p->slots[u->x];
	const mmrd_slot *y = &p->slots[u->y];
	const bool up = u->kind == MMRD_UNIT_CONV_TRANSPOSED;
	const int64_t *w;

	CHECK(up ? y->H == 2 * x->H && y->W == 2 * x->W
	         : y->H == (x->H + 2 * u->pad - u->K) / u->stride + 1 &&
	               y->W == (x->W + 2 * u->pad - u->K) / u->stride + 1,
	      "unit %d: %d x %d becomes %d x %d", i, x->H, x->W, y->H, y->W);
	if (u->res != MMRD_NO_SLOT)
		CHECK(p->slots[u->res].C == y->C && p->slots[u->res].H == y->H &&
		          p->slots[u->res].W == y->W,
		      "unit %d: shortcut and result differ in shape", i);
	if (u->kind == MMRD_UNIT_MAXPOOL)
	{
		CHECK(x->C == y->C, "unit %d", i);
		return;
	}
	check_index(net, u->weight, ".weight", 0);
	check_index(net, u->gamma, ".weight", y->C);
	check_index(net, u->beta, ".bias", y->C);
	check_index(net, u->mean, ".running_mean", y->C);
	check_index(net, u->var, ".running_var", y->C);
	w = net->tensors[u->weight].dims;
	CHECK(w[2] == u->K && w[3] == u->K && w[up ? 0 : 1] == x->C &&
	          w[up ? 1 : 0] == y->C,
	      "unit %d does not fit %s", i, net->tensors[u->weight].name);
	CHECK(net->tensors[u->weight].order ==
	          (up ? MMRD_ORDER_TRANSPOSED : MMRD_ORDER_CONV),
	      "unit %d: order of %s", i, net->tensors[u->weight].name);
	if (p != &net->teacher)
		return;
	for (int m = 1; m <= net->config.n_aux; m++)
	{
		const char *name = net->tensors[u->mean].name;
		const char *other =
		    net->tensors[u->mean + m * net->n_teacher_stats].name;
		char want[MMRD_MAX_TENSOR_NAME + 4];

		snprintf(want, sizeof(want), "teacher.%s.%s", m == 1 ? "aux" : "aux2",
		         name + strlen("teacher.rgb."));
		CHECK(strcmp(other, want) == 0, "%s where %s belongs", other, want);
	}
}

static void
check_program(const mmrd_network *net, const mmrd_program *p)
{
	CHECK(p->n_slots <= MMRD_MAX_SLOTS && p->n_units <= MMRD_MAX_UNITS,
	      "%d slots, %d units", p->n_slots, p->n_units);
	for (int s = 0; s < p->n_slots; s++)
	{
		const mmrd_slot *slot = &p->slots[s];
		const mmrd_slot *root = &p->slots[slot->root];

		CHECK(root->root == slot->root && root->H == slot->H &&
		          root->W == slot->W && slot->ld == root->C &&
		          slot->channel + slot->C <= root->C,
		      "slot %d does not fit its root %d", s, slot->root);
	}
	for (int i = 0; i < p->n_units; i++)
		check_unit(net, p, i);
}

static void
check_slot(const mmrd_program *p, int slot, int C, int side, const char *what)
{
	CHECK(slot >= 0 && slot < p->n_slots && p->slots[slot].C == C &&
	          p->slots[slot].H == side && p->slots[slot].W == side,
	      "%s is not %d x %d x %d", what, C, side, side);
}

static void
check_ends(const mmrd_network *net)
{
	const mmrd_config *config = &net->config;
	const bool priors = config->prototypes[0] > 0;
	const int S = config->input_size;

	check_slot(&net->teacher, net->teacher_in, 3, S, "the input");
	for (int i = 0; i < MMRD_STAGES; i++)
	{
		const int C = mmrd_stage_channels((mmrd_arch) config->arch, i + 1);
		const bool feeds =
		    priors && (config->prior_at == MMRD_PRIOR_SAME || i > 0);

		check_slot(&net->teacher, net->teacher_out[i], C, S >> (i + 2), "F");
		check_slot(&net->student, net->target[i], C, S >> (i + 2), "F^T");
		check_slot(&net->student, net->restored[i], C, S >> (i + 2), "F^S");
		CHECK((net->prior[i] != MMRD_NO_SLOT) == feeds, "prior of stage %d",
		      i + 1);
		if (feeds)
			check_slot(&net->student, net->prior[i], C, S >> (i + 2), "F-bar");
	}
}

static void
one_network(const mmrd_config *config)
{
	mmrd_network *net = make_network(config);
	mmrd_config small = *config;

	check_tensors(net);
	check_layout(net);
	check_program(net, &net->teacher);
	check_program(net, &net->student);
	check_ends(net);
	mmrd_network_free(net);

	small.input_size = 96; /* maps of 3 x 3 at the bottom */
	net = make_network(&small);
	check_program(net, &net->student);
	check_ends(net);
	mmrd_network_free(net);
}

/* The totals of network.md 7. */
static void
check_totals(mmrd_prior_at at, int n_tensors, size_t n_numbers,
             size_t n_learned)
{
	const mmrd_config config = make_config(MMRD_ARCH_RESNET18, at, 1);
	mmrd_network *net = make_network(&config);
	size_t n = 0;

	for (int i = 0; i < net->n_tensors; i++)
		n += net->tensors[i].count;
	CHECK(net->n_tensors == n_tensors, "%d tensors, want %d", net->n_tensors,
	      n_tensors);
	CHECK(n == n_numbers, "%zu numbers, want %zu", n, n_numbers);
	CHECK(net->n_parameters == n_learned, "%zu learned, want %zu",
	      net->n_parameters, n_learned);
	mmrd_network_free(net);
}

static void
test_refusals(void)
{
	static const struct
	{
		const char *field;
		size_t offset;
		int32_t value;
	} cases[] = {
	    {"arch", offsetof(mmrd_config, arch), -1},
	    {"arch", offsetof(mmrd_config, arch), MMRD_ARCH_COUNT},
	    {"input_size", offsetof(mmrd_config, input_size), 32},
	    {"input_size", offsetof(mmrd_config, input_size), 100},
	    {"input_size", offsetof(mmrd_config, input_size), 1056},
	    {"n_aux", offsetof(mmrd_config, n_aux), -1},
	    {"n_aux", offsetof(mmrd_config, n_aux), 3},
	    {"prior_at", offsetof(mmrd_config, prior_at), 2},
	    {"fusion", offsetof(mmrd_config, fusion), 4},
	    {"interaction", offsetof(mmrd_config, interaction), 2},
	    {"prototypes", offsetof(mmrd_config, prototypes), 1025},
	    {"prototypes", offsetof(mmrd_config, prototypes) + 4, 0},
	    {"prototypes", offsetof(mmrd_config, prototypes) + 8, -1},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		mmrd_config config;
		mmrd_network *net;
		mmrd_error err = {0};
		char value[16];

		mmrd_config_init(&config);
		memcpy((char *) &config + cases[i].offset, &cases[i].value,
		       sizeof(int32_t));
		snprintf(value, sizeof(value), ": %d", (int) cases[i].value);
		CHECK(mmrd_network_create(&config, &net, &err) ==
		              MMRD_INVALID_ARGUMENT &&
		          net == NULL,
		      "%s%s was accepted", cases[i].field, value);
		CHECK(strstr(err.message, cases[i].field) != NULL &&
		          strstr(err.message, value) != NULL && err.hint[0] != '\0',
		      "message \"%s\", hint \"%s\"", err.message, err.hint);
	}
	mmrd_network_free(NULL);
}

int
main(void)
{
	check_totals(MMRD_PRIOR_SAME, 259, 18415674, 15612154);
	check_totals(MMRD_PRIOR_NEXT, 244, 18569530, 15766906);
	for (int arch = 0; arch < MMRD_ARCH_COUNT; arch++)
	{
		for (int at = MMRD_PRIOR_NEXT; at <= MMRD_PRIOR_SAME; at++)
		{
			for (int n_aux = 0; n_aux <= MMRD_MAX_AUX; n_aux++)
			{
				mmrd_config config =
				    make_config((mmrd_arch) arch, (mmrd_prior_at) at, n_aux);

				one_network(&config);
				if (n_aux != 1)
					continue;
				config.interaction = 0;
				one_network(&config);
				for (int i = 0; i < MMRD_STAGES; i++)
					config.prototypes[i] = 0;
				one_network(&config);
			}
		}
	}
	test_refusals();
	return check_result();
}
