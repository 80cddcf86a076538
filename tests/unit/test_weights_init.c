/*
 * tests/unit/test_weights_init.c
 *	  Initial values: the distribution of every tensor (network.md 3), and
 *	  what depends on which seed.
 */
#include "model/net/weights.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/check.h"

static mmrd_weights *
make_weights(void)
{
	mmrd_config config;
	mmrd_weights *w = NULL;
	mmrd_error err = {0};

	mmrd_config_init(&config);
	config.n_aux = 2;
	config.prior_at = MMRD_PRIOR_SAME;
	CHECK(mmrd_weights_create(&config, &w, &err) == MMRD_OK, "%s",
	      err.message);
	if (w == NULL)
		exit(check_result());
	return w;
}

static bool
ends_with(const char *name, const char *suffix)
{
	const size_t n = strlen(name);

	return n >= strlen(suffix) &&
	       strcmp(name + n - strlen(suffix), suffix) == 0;
}

/* n values of a distribution with this deviation and (0: none) bound. */
static void
check_spread(const char *name, const float *x, size_t n, double deviation,
             double bound)
{
	double sum = 0;
	double square = 0;
	double max = 0;

	for (size_t k = 0; k < n; k++)
	{
		sum += x[k];
		square += (double) x[k] * x[k];
		max = fmax(max, fabs((double) x[k]));
	}
	/* Five deviations of the mean; kurtosis is at most 3. */
	CHECK(fabs(sum) <= 5 * deviation * sqrt((double) n), "%s: mean %g", name,
	      sum / (double) n);
	CHECK(fabs(square / (double) n / (deviation * deviation) - 1) <=
	          5 * sqrt(2 / (double) n),
	      "%s: deviation %g, want %g", name, sqrt(square / (double) n),
	      deviation);
	CHECK(bound == 0 || (max <= bound && max > bound * 0.5),
	      "%s: up to %g, bound %g", name, max, bound);
}

static void
check_constant(const char *name, const float *x, size_t n, float want)
{
	size_t wrong = 0;

	for (size_t k = 0; k < n; k++)
		wrong += x[k] != want;
	CHECK(wrong == 0, "%s: %zu values are not %g", name, wrong, (double) want);
}

/* What network.md 3 says of one tensor; untouched ones are 0. */
static void
check_initial(const mmrd_weights *w, const mmrd_tensor_info *t, bool touched)
{
	const float *x = w->values + t->offset;
	const int64_t *d = t->dims;
	double bound = 0;

	if (!touched || strncmp(t->name, "prototypes.", 11) == 0)
	{
		check_constant(t->name, x, t->count, 0);
		return;
	}
	if (t->order == MMRD_ORDER_CONV)
	{
		check_spread(t->name, x, t->count,
		             sqrt(2.0 / (double) (d[0] * d[2] * d[3])), 0);
		return;
	}
	if (t->order == MMRD_ORDER_TRANSPOSED)
		bound = 1 / sqrt(4.0 * (double) d[1]);
	else if (ends_with(t->name, "fc1.weight") ||
	         ends_with(t->name, "fc2.weight"))
		bound = 1 / sqrt((double) d[1]);
	else if (ends_with(t->name, "fc1.bias"))
		bound = 1 / sqrt(16 * (double) d[0]);
	else if (ends_with(t->name, "fc2.bias"))
		bound = 1 / sqrt((double) d[0] / 16);
	else if (strstr(t->name, "spatial") != NULL)
		bound = 1.0 / 3;
	if (bound == 0)
		check_constant(t->name, x, t->count,
		               ends_with(t->name, ".weight") ||
		                       ends_with(t->name, ".running_var")
		                   ? 1
		                   : 0);
	else if (t->count >= 16)
		check_spread(t->name, x, t->count, bound / sqrt(3), bound);
	else
		for (size_t k = 0; k < t->count; k++)
			CHECK(x[k] != 0 && fabs((double) x[k]) <= bound,
			      "%s: %g, bound %g", t->name, (double) x[k], bound);
}

static void
test_init(void)
{
	mmrd_weights *w = make_weights();
	mmrd_weights *again = make_weights();
	const size_t n_bytes = w->n_values * sizeof(float);

	mmrd_weights_init_teacher(w);
	for (int i = 0; i < w->n_tensors; i++)
		check_initial(w, &w->tensors[i],
		              w->tensors[i].role == MMRD_ROLE_TEACHER ||
		                  w->tensors[i].role == MMRD_ROLE_TEACHER_STAT);
	mmrd_weights_init_student(w, 7);
	for (int i = 0; i < w->n_tensors; i++)
		check_initial(w, &w->tensors[i], true);
	mmrd_weights_init_student(again, 7);
	mmrd_weights_init_teacher(again);
	CHECK(memcmp(w->values, again->values, n_bytes) == 0,
	      "the same seed gave other values");
	mmrd_weights_init_student(again, 8);
	CHECK(memcmp(w->values + w->parameter_at, again->values + w->parameter_at,
	             64 * sizeof(float)) != 0,
	      "another seed gave the same values");
	CHECK(memcmp(w->values, again->values, w->parameter_at * sizeof(float)) ==
	          0,
	      "the student's seed changed the teacher");
	mmrd_weights_free(w);
	mmrd_weights_free(again);
}

int
main(void)
{
	test_init();
	return check_result();
}
