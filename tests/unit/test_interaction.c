/*
 * tests/unit/test_interaction.c
 *	  Multi-modal priors: forward against the twin, every gradient against
 *	  finite differences of the twin, one thread against two.
 *
 * The data keep clear of corners: at each pixel of an auxiliary map one
 * channel wins by at least 1/2, and the hidden units of the squeeze have
 * biases of 1 and -1, which the rest cannot outweigh.
 */
#include "model/kernel/interaction.h"

#include "tests/unit/field.h"

enum
{
	N_WEIGHTS = 4 + 2 * MMRD_INTERACTION_MAX_AUX
};

/* The weights (or their gradients) as fields, and as the kernel takes them. */
typedef struct weight_set
{
	field f[N_WEIGHTS];
	mmrd_interaction_weights w;
} weight_set;

static const char *const weight_names[N_WEIGHTS] = {"fc1 weight",
                                                    "fc1 bias",
                                                    "fc2 weight",
                                                    "fc2 bias",
                                                    "spatial weight",
                                                    "spatial bias",
                                                    "spatial weight of aux2",
                                                    "spatial bias of aux2"};

static weight_set
weights_create(const mmrd_interaction_shape *s)
{
	const size_t C = (size_t) s->C;
	const size_t R = C / MMRD_SQUEEZE;
	const size_t counts[N_WEIGHTS] = {R * C, R, C * R, C, 9, 1, 9, 1};
	weight_set set = {0};

	for (int i = 0; i < 4 + 2 * s->n_aux; i++)
		set.f[i] = field_array(counts[i]);
	set.w.fc1_weight = set.f[0].x;
	set.w.fc1_bias = set.f[1].x;
	set.w.fc2_weight = set.f[2].x;
	set.w.fc2_bias = set.f[3].x;
	for (int m = 0; m < s->n_aux; m++)
	{
		set.w.spatial_weight[m] = set.f[4 + 2 * m].x;
		set.w.spatial_bias[m] = set.f[5 + 2 * m].x;
	}
	return set;
}

static void
weights_free(weight_set *set)
{
	for (int i = 0; i < N_WEIGHTS; i++)
		field_free(&set->f[i]);
}

/* Inputs of one shape, and the results of one run. */
typedef struct problem
{
	mmrd_interaction_shape s;
	weight_set w;
	field r, a[MMRD_INTERACTION_MAX_AUX];
	field out; /* of the twin */
	field g;   /* gradient of the loss by out */
} problem;

typedef struct result
{
	field out, dr, da[MMRD_INTERACTION_MAX_AUX];
	weight_set dw;
	field work;
} result;

static size_t
pixels(const mmrd_interaction_shape *s)
{
	return (size_t) s->N * s->H * s->W;
}

static void
fill_weights(weight_set *set, const mmrd_interaction_shape *s)
{
	const float bound1 = 0.5f / sqrtf((float) s->C);
	const float bound2 = 1 / sqrtf((float) (s->C / MMRD_SQUEEZE));

	field_uniform(&set->f[0], 1, -bound1, bound1);
	for (size_t j = 0; j < set->f[1].P; j++)
		set->f[1].x[j] = j % 3 == 2 ? -1 : 1;
	field_uniform(&set->f[2], 2, -bound2, bound2);
	for (int i = 3; i < 4 + 2 * s->n_aux; i++)
		field_random(&set->f[i], (uint32_t) i);
	for (int i = 0; i < 4 + 2 * s->n_aux; i++)
		field_coarsen(&set->f[i]);
}

static problem
problem_create(mmrd_interaction_shape s)
{
	problem p = {s,
	             weights_create(&s),
	             field_create(pixels(&s), s.C, 0, 0),
	             {{0}},
	             field_create(pixels(&s), s.C, 0, 0),
	             field_create(pixels(&s), s.C, 1, 2)};

	fill_weights(&p.w, &s);
	field_random(&p.r, 11);
	field_coarsen(&p.r);
	field_uniform(&p.g, 12, -0.5f, 1);
	for (int m = 0; m < s.n_aux; m++)
	{
		uint32_t state = (uint32_t) (77 + m);

		p.a[m] = field_create(pixels(&s), s.C, 0, 0);
		field_uniform(&p.a[m], (uint32_t) (13 + m), -1, 0);
		for (size_t i = 0; i < pixels(&s); i++)
		{
			const int winner =
			    (int) (field_random_bits(&state) % (uint32_t) s.C);

			*field_at(&p.a[m], i, winner) += 1.5f;
		}
		field_coarsen(&p.a[m]);
	}
	return p;
}

static void
problem_free(problem *p)
{
	weights_free(&p->w);
	field_free(&p->r);
	field_free(&p->out);
	field_free(&p->g);
	for (int m = 0; m < p->s.n_aux; m++)
		field_free(&p->a[m]);
}

static void
describe(char *buf, size_t size, const char *what,
         const mmrd_interaction_shape *s)
{
	snprintf(buf, size, "%s N=%d H=%d W=%d C=%d aux=%d", what, s->N, s->H,
	         s->W, s->C, s->n_aux);
}

/* Forward and backward of the fast kernel; gradients are added to `base`. */
static result
run(const problem *p, float base)
{
	const mmrd_interaction_shape *s = &p->s;
	mmrd_interaction_state state;
	const float *a[MMRD_INTERACTION_MAX_AUX] = {NULL};
	float *da[MMRD_INTERACTION_MAX_AUX] = {NULL};
	result r = {field_create(pixels(s), s->C, 2, 1),
	            field_create(pixels(s), s->C, 0, 0),
	            {{0}},
	            weights_create(s),
	            field_array(mmrd_interaction_work(s))};

	field_uniform(&r.dr, 1, base, base);
	for (int m = 0; m < s->n_aux; m++)
	{
		r.da[m] = field_create(pixels(s), s->C, 0, 0);
		field_uniform(&r.da[m], 1, base, base);
		a[m] = p->a[m].x;
		da[m] = r.da[m].x;
	}
	mmrd_interaction_state_set(s, r.work.x, &state);
	mmrd_interaction_forward(s, &p->w.w, p->r.x, a, &state, r.out.x, r.out.ld);
	mmrd_interaction_backward(s, &p->w.w, p->r.x, &state, p->g.x, p->g.ld,
	                          &r.dw.w, r.dr.x, da);
	return r;
}

static void
result_free(result *r)
{
	field_free(&r->out);
	field_free(&r->dr);
	weights_free(&r->dw);
	field_free(&r->work);
	for (int m = 0; m < MMRD_INTERACTION_MAX_AUX; m++)
		field_free(&r->da[m]);
}

static void
run_ref(problem *p)
{
	const float *a[MMRD_INTERACTION_MAX_AUX] = {p->a[0].x, p->a[1].x};

	mmrd_interaction_forward_ref(&p->s, &p->w.w, p->r.x, a, p->out.x,
	                             p->out.ld);
}

static double
loss(void *context)
{
	problem *p = context;

	run_ref(p);
	return field_dot(&p->g, &p->out);
}

/*
 * Forward: roundings of means, at most 1, pass fc1 and fc2 (C times the
 * products of their bounds, sqrt(C) / 2 and sqrt(R) = sqrt(C) / 4) and a
 * sigmoid (slope 1/4): C / 32; then a handful at values of at most 3.
 */
static void
check_forward(problem *p, const result *got, const result *serial)
{
	char what[160];

	describe(what, sizeof(what), "forward", &p->s);
	run_ref(p);
	field_check(what, &got->out, &p->out, EPS * (16 + p->s.C / 32.0));
	field_check_bits(what, &got->out, &serial->out);
}

static void
check_backward_bits(const problem *p, const result *got, const result *serial)
{
	char what[160];

	describe(what, sizeof(what), "backward", &p->s);
	field_check_bits(what, &got->dr, &serial->dr);
	for (int m = 0; m < p->s.n_aux; m++)
		field_check_bits(what, &got->da[m], &serial->da[m]);
	for (int i = 0; i < 4 + 2 * p->s.n_aux; i++)
		field_check_bits(what, &got->dw.f[i], &serial->dw.f[i]);
}

/*
 * Differences with h = 2^-5.  Each output's rounding (EPS / 2 of at most 3,
 * weighted by at most 1) is independent, so n of them add up to about
 * sqrt(n); h^4 / 30 meets fifth derivatives of sigmoids, times the number of
 * outputs that move.
 */
static void
check_gradients(problem *p, const result *got, size_t limit)
{
	const double h = 0x1p-5;
	const double n = (double) field_count(&p->out);
	const double tol =
	    1.5 / h * 3 * EPS / 2 * 4 * sqrt(n) + h * h * h * h / 30 * sqrt(n);
	char name[64];
	char what[160];

	describe(what, sizeof(what), "differences by r", &p->s);
	field_check_gradient(what, loss, p, &p->r, &got->dr, limit, h, tol);
	for (int m = 0; m < p->s.n_aux; m++)
	{
		describe(what, sizeof(what),
		         m == 0 ? "differences by aux" : "differences by aux2", &p->s);
		field_check_gradient(what, loss, p, &p->a[m], &got->da[m], limit, h,
		                     tol);
	}
	for (int i = 0; i < 4 + 2 * p->s.n_aux; i++)
	{
		snprintf(name, sizeof(name), "differences by %s", weight_names[i]);
		describe(what, sizeof(what), name, &p->s);
		field_check_gradient(what, loss, p, &p->w.f[i], &got->dw.f[i], limit,
		                     h, tol);
	}
}

/* Gradients of maps are added to what is there, those of weights written. */
static void
check_added(const problem *p, const result *plain)
{
	result added = run(p, 1);
	char what[160];

	describe(what, sizeof(what), "added", &p->s);
	for (size_t k = 0; k < field_count(&added.dr); k++)
		added.dr.x[k] -= 1;
	field_check(what, &added.dr, &plain->dr,
	            4 * EPS * (1 + field_max(&plain->dr)));
	for (int m = 0; m < p->s.n_aux; m++)
	{
		for (size_t k = 0; k < field_count(&added.da[m]); k++)
			added.da[m].x[k] -= 1;
		field_check(what, &added.da[m], &plain->da[m],
		            16 * EPS * (1 + field_max(&plain->da[m])));
	}
	for (int i = 0; i < 4 + 2 * p->s.n_aux; i++)
		field_check(what, &added.dw.f[i], &plain->dw.f[i], 0);
	result_free(&added);
}

static void
one_shape(int N, int H, int W, int C, int n_aux, size_t limit)
{
	const mmrd_interaction_shape s = {N, H, W, C, n_aux};
	problem p = problem_create(s);
	result got = run(&p, 0);
	result serial;

	mmrd_threads_set(1);
	serial = run(&p, 0);
	mmrd_threads_set(2);
	check_forward(&p, &got, &serial);
	check_backward_bits(&p, &got, &serial);
	check_gradients(&p, &got, limit);
	check_added(&p, &got);
	problem_free(&p);
	result_free(&got);
	result_free(&serial);
}

/* Of two equal maxima the first channel wins, and takes the gradient. */
static void
test_tie(void)
{
	const mmrd_interaction_shape s = {1, 1, 1, 16, 1};
	problem p = problem_create(s);
	result r;

	for (int c = 0; c < s.C; c++)
		p.a[0].x[c] = c == 5 || c == 9 ? 0.5f : -1;
	r = run(&p, 0);
	for (int c = 0; c < s.C; c++)
		CHECK((r.da[0].x[c] != 0) == (c == 5), "channel %d: gradient %g", c,
		      (double) r.da[0].x[c]);
	problem_free(&p);
	result_free(&r);
}

int
main(void)
{
	static const int channels[] = {16, 24, 32, 48};
	static const int sides[][2] = {{1, 1}, {1, 2}, {3, 2}, {4, 5}};

	field_threads_start();
	for (size_t c = 0; c < sizeof(channels) / sizeof(channels[0]); c++)
		for (size_t i = 0; i < sizeof(sides) / sizeof(sides[0]); i++)
			for (int n_aux = 0; n_aux <= MMRD_INTERACTION_MAX_AUX; n_aux++)
				one_shape(1 + (int) i % 2, sides[i][0], sides[i][1],
				          channels[c], n_aux, 40);
	one_shape(2, 3, 2, 32, 2, 0);
	one_shape(3, 3, 3, 16, 1, 0);
	one_shape(1, 2, 3, 1024, 2, 12); /* the widest stage */
	one_shape(2, 16, 16, 64, 1, 6);
	test_tie();
	mmrd_threads_stop();
	return check_result();
}
