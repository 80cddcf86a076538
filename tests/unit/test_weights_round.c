/*
 * tests/unit/test_weights_round.c
 *	  mmrd_weights_round(): which tensors, to which numbers, and only once.
 */
#include "model/net/weights.h"

#include <math.h>
#include <string.h>

#include "model/base/half.h"
#include "tests/unit/check.h"

static void
fill(mmrd_weights *w)
{
	unsigned seed = 7;

	for (size_t i = 0; i < w->n_values; i++)
	{
		seed = seed * 1664525u + 1013904223u;
		w->values[i] = (float) (seed >> 8) / (1 << 22) - 2.0f;
	}
}

static void
one(const mmrd_config *config)
{
	mmrd_weights *w = NULL;
	mmrd_weights *original = NULL;
	mmrd_error err;
	int n_rounded = 0;

	CHECK(mmrd_weights_create(config, &w, &err) == MMRD_OK, "%s", err.message);
	CHECK(mmrd_weights_create(config, &original, &err) == MMRD_OK, "%s",
	      err.message);
	fill(w);
	fill(original);
	mmrd_weights_round(w);
	for (int i = 0; i < w->n_tensors; i++)
	{
		const mmrd_tensor_info *t = &w->tensors[i];
		const bool learned = strncmp(t->name, "ocbe.", 5) == 0 ||
		                     strncmp(t->name, "decoder.", 8) == 0 ||
		                     strncmp(t->name, "prototypes.", 11) == 0 ||
		                     strncmp(t->name, "interaction.", 12) == 0;
		size_t changed = 0;
		size_t far = 0;
		size_t inexact = 0;

		CHECK(mmrd_tensor_may_round(t) == (learned && t->n_dims > 1),
		      "tensor %s", t->name);
		for (size_t k = 0; k < t->count; k++)
		{
			const float x = original->values[t->offset + k];
			const float y = w->values[t->offset + k];

			changed += x != y;
			/* 7 bits behind the point: half of the last is 2^-8 of x */
			far += !(fabsf(x - y) <= fabsf(x) * 0x1p-8f);
			inexact += mmrd_bf16_to_float(mmrd_bf16_from_float(y)) != y;
		}
		CHECK(far == 0, "%zu numbers of %s went too far", far, t->name);
		CHECK(inexact == 0 || !mmrd_tensor_may_round(t),
		      "%zu numbers of %s are no bfloat16", inexact, t->name);
		if (mmrd_tensor_may_round(t))
			n_rounded++;
		else
			CHECK(changed == 0, "%zu numbers of %s changed", changed, t->name);
	}
	CHECK(n_rounded > 20, "only %d tensors were rounded", n_rounded);
	memcpy(original->values, w->values, w->n_values * sizeof(float));
	mmrd_weights_round(w);
	CHECK(memcmp(original->values, w->values, w->n_values * sizeof(float)) ==
	          0,
	      "rounding twice differs from once");
	mmrd_weights_free(original);
	mmrd_weights_free(w);
}

int
main(void)
{
	mmrd_config config;

	mmrd_config_init(&config);
	one(&config);
	config.prior_at = MMRD_PRIOR_SAME;
	config.n_aux = 2;
	one(&config);
	config.n_aux = 0;
	config.fusion = MMRD_FUSION_NONE;
	memset(config.prototypes, 0, sizeof(config.prototypes));
	one(&config);
	return check_result();
}
