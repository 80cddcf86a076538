/*
 * model/net/weights_init.c
 *	  Values before training: the random teacher and the student's start.
 *
 * Values are drawn in file order, so that the order in memory may change
 * without changing a model.
 */
#include "model/net/weights.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/base/random.h"

/* The seed of the teacher `builtin_random`; part of its definition. */
static const uint64_t BUILTIN_SEED = 20260101;

static bool
ends_with(const char *name, const char *suffix)
{
	const size_t n = strlen(name);
	const size_t m = strlen(suffix);

	return n >= m && strcmp(name + n - m, suffix) == 0;
}

/* One value of tensor t; the two random kinds are drawn in file order. */
static float
initial_value(const mmrd_tensor_info *t, mmrd_random *r)
{
	if (t->order == MMRD_ORDER_CONV)
	{
		/* kaiming normal, fan_out: variance 2 / (O * K * K) */
		const double fan = (double) (t->dims[0] * t->dims[2] * t->dims[3]);

		return (float) (mmrd_random_normal(r) * sqrt(2.0 / fan));
	}
	if (t->order == MMRD_ORDER_TRANSPOSED)
	{
		const double bound = 1.0 / sqrt(4.0 * (double) t->dims[1]);

		return (float) ((2 * mmrd_random_uniform(r) - 1) * bound);
	}
	if (strncmp(t->name, "interaction.", 12) == 0)
	{
		/*
		 * PyTorch's default for Linear and Conv2d, weight and bias alike:
		 * uniform +-1/sqrt(fan_in).  A bias's fan_in is its weight's: C for
		 * fc1 (16 times its length), C/16 for fc2, 9 for the 3x3 kernel.
		 */
		double fan_in = 9;

		if (ends_with(t->name, ".fc1.weight") ||
		    ends_with(t->name, ".fc2.weight"))
			fan_in = (double) t->dims[1];
		else if (ends_with(t->name, ".fc1.bias"))
			fan_in = (double) t->dims[0] * 16;
		else if (ends_with(t->name, ".fc2.bias"))
			fan_in = (double) t->dims[0] / 16;
		return (float) ((2 * mmrd_random_uniform(r) - 1) / sqrt(fan_in));
	}
	/* Batch-norm: weight and variance 1, bias and mean 0. */
	return ends_with(t->name, ".weight") || ends_with(t->name, ".running_var")
	           ? 1.0f
	           : 0.0f;
}

static void
init_role(mmrd_weights *weights, mmrd_role role, uint64_t seed)
{
	for (int i = 0; i < weights->n_tensors; i++)
	{
		const mmrd_tensor_info *t = &weights->tensors[i];
		mmrd_random r;

		if (t->role != role || strncmp(t->name, "prototypes.", 11) == 0)
			continue;
		r = mmrd_random_create(seed, t->name);
		/*
		 * Drawing in file order without a copy of the tensor: element k of
		 * the file goes to its place in memory.
		 */
		for (size_t k = 0; k < t->count; k++)
			weights->values[t->offset + mmrd_tensor_place(t, k)] =
			    initial_value(t, &r);
	}
}

void
mmrd_weights_init_teacher(mmrd_weights *weights)
{
	init_role(weights, MMRD_ROLE_TEACHER, BUILTIN_SEED);
	init_role(weights, MMRD_ROLE_TEACHER_STAT, BUILTIN_SEED);
}

void
mmrd_weights_init_student(mmrd_weights *weights, uint64_t seed)
{
	init_role(weights, MMRD_ROLE_PARAMETER, seed);
	init_role(weights, MMRD_ROLE_STAT, seed);
}
