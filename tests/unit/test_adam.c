/*
 * tests/unit/test_adam.c
 *	  The optimiser against its twin, and the first step by hand.
 */
#include "model/train/adam.h"

#include "tests/unit/field.h"

typedef struct state
{
	field m, v, theta;
} state;

static state
state_create(size_t n)
{
	state s = {field_array(n), field_array(n), field_array(n)};

	memset(s.m.x, 0, n * sizeof(float));
	memset(s.v.x, 0, n * sizeof(float));
	field_random(&s.theta, 1);
	return s;
}

static void
state_free(state *s)
{
	field_free(&s->m);
	field_free(&s->v);
	field_free(&s->theta);
}

/*
 * A step from the same state: moments are rounded three times at sizes below
 * 1; the update, at most lr / (1 - beta1) here, a dozen times; theta, below
 * 2, once.  After each step both go on from the fast one's state.
 */
static void
one_run(size_t n, const mmrd_adam_options *o, int steps)
{
	state want = state_create(n);
	state got = state_create(n);
	state serial = state_create(n);
	field g = field_array(n);
	char what[80];

	for (int step = 1; step <= steps; step++)
	{
		field_random(&g, (uint32_t) step);
		if (n > 2)
			g.x[2] = 0; /* a value that never moves */
		mmrd_adam_step_ref(o, n, step, g.x, want.m.x, want.v.x, want.theta.x);
		mmrd_adam_step(o, n, step, g.x, got.m.x, got.v.x, got.theta.x);
		mmrd_threads_set(1);
		mmrd_adam_step(o, n, step, g.x, serial.m.x, serial.v.x,
		               serial.theta.x);
		mmrd_threads_set(2);
		snprintf(what, sizeof(what), "n=%zu step %d", n, step);
		field_check(what, &got.m, &want.m, 2 * EPS);
		field_check(what, &got.v, &want.v, 4 * EPS * field_max(&want.v));
		field_check(what, &got.theta, &want.theta,
		            EPS + 12 * EPS * o->lr / (1 - o->beta1));
		field_check_bits(what, &got.m, &serial.m);
		field_check_bits(what, &got.v, &serial.v);
		field_check_bits(what, &got.theta, &serial.theta);
		field_copy(&want.m, &got.m);
		field_copy(&want.v, &got.v);
		field_copy(&want.theta, &got.theta);
	}
	state_free(&want);
	state_free(&got);
	state_free(&serial);
	field_free(&g);
}

/* The first step moves by lr against the sign, whatever the gradient. */
static void
test_first_step(void)
{
	const mmrd_adam_options o = {0.001f, 0.5f, 0.999f, 1e-8f};
	const float g[3] = {1e-4f, -5, 300};
	float m[3] = {0};
	float v[3] = {0};
	float theta[3] = {0};

	mmrd_adam_step(&o, 3, 1, g, m, v, theta);
	for (int i = 0; i < 3; i++)
	{
		const double want = g[i] > 0 ? -0.001 : 0.001;

		/* eps is 1e-4 of the smallest gradient */
		CHECK(fabs(theta[i] - want) <= 0.001 * (1.5e-4 + 16 * EPS),
		      "gradient %g moved by %.9g", (double) g[i], (double) theta[i]);
	}
}

int
main(void)
{
	/* What the network uses, and one where every constant matters. */
	const mmrd_adam_options usual = {0.001f, 0.5f, 0.999f, 1e-8f};
	const mmrd_adam_options other = {0.1f, 0.9f, 0.99f, 0.25f};
	static const size_t sizes[] = {1, 2, 7, 63, 64, 65, 1000};

	field_threads_start();
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
	{
		one_run(sizes[i], &usual, 5);
		one_run(sizes[i], &other, 5);
	}
	test_first_step();
	mmrd_threads_stop();
	return check_result();
}
