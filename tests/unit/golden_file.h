/*
 * tests/unit/golden_file.h
 *	  Reading golden data (network.md 7) and comparing tensors with it; for
 *	  unit tests only.
 *
 * A file is JSON; an entry for a tensor is {shape, l2, mean, at}: at maps flat
 * indices (file order, NCHW) to values.
 */
#ifndef MMRD_GOLDEN_FILE_H
#define MMRD_GOLDEN_FILE_H

#include <jansson.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "model/base/random.h"
#include "model/mmrd.h"
#include "tests/unit/check.h"

/* value(name, k) of network.md 7, in [lo, hi]. */
static inline float
golden_value(uint64_t hash, size_t k, double lo, double hi)
{
	const uint64_t bits = mmrd_mix64(hash + (uint64_t) k);

	/* _Float32: rounded to single even where float means double. */
	return (float) (_Float32) (lo +
	                           (hi - lo) * ((double) (bits >> 11) * 0x1p-53));
}

static inline bool
golden_ends(const char *name, const char *suffix)
{
	const size_t n = strlen(name);
	const size_t m = strlen(suffix);

	return n >= m && strcmp(name + n - m, suffix) == 0;
}

/* Fill a tensor (file order) with its formula. */
static inline void
golden_fill(const char *name, int n_dims, const int64_t *dims, size_t count,
            float *out)
{
	const uint64_t hash = mmrd_fnv1a64(name);
	double lo;
	double hi;

	if (golden_ends(name, ".running_mean"))
		lo = -0.1, hi = 0.1;
	else if (golden_ends(name, ".running_var"))
		lo = 0.5, hi = 1.5;
	else if (strncmp(name, "prototypes.", 11) == 0)
		lo = 0, hi = 1;
	else if (strncmp(name, "input.", 6) == 0)
		lo = -2, hi = 2;
	else if (n_dims == 1 && golden_ends(name, ".weight"))
		lo = 0.5, hi = 1;
	else if (n_dims == 1)
		lo = -0.1, hi = 0.1;
	else
	{
		double fan = 1;

		for (int i = 1; i < n_dims; i++)
			fan *= (double) dims[i];
		hi = sqrt(3 / fan);
		lo = -hi;
	}
	for (size_t k = 0; k < count; k++)
		out[k] = golden_value(hash, k, lo, hi);
}

static inline void
golden_weights(mmrd_weights *w)
{
	float *buffer = malloc(mmrd_weights_largest(w) * sizeof(float));

	for (int i = 0; i < w->n_tensors; i++)
	{
		const mmrd_tensor_info *t = &w->tensors[i];

		golden_fill(t->name, t->n_dims, t->dims, t->count, buffer);
		mmrd_weights_set(w, i, buffer);
	}
	free(buffer);
}

/*
 * Compare a tensor (file order) with an entry: values to tol * max(|g|, rms),
 * norm and mean to tol * the same.  only_l2: the norm alone.
 */
static inline void
golden_compare(const char *what, const json_t *entry, size_t count,
               const float *x, double tol, bool only_l2)
{
	const double l2 = json_number_value(json_object_get(entry, "l2"));
	const double mean = json_number_value(json_object_get(entry, "mean"));
	const double rms = l2 / sqrt((double) count);
	json_t *at = json_object_get(entry, "at");
	double square = 0;
	double sum = 0;
	size_t expected = 1;
	size_t i;
	json_t *d;
	const char *key;
	json_t *value;

	json_array_foreach(json_object_get(entry, "shape"), i, d) expected *=
	    (size_t) json_integer_value(d);
	CHECK(json_is_object(entry), "%s: no such entry", what);
	CHECK(expected == count, "%s: %zu values, the file has %zu", what, count,
	      expected);
	if (!json_is_object(entry) || expected != count)
		return;
	for (size_t k = 0; k < count; k++)
	{
		square += (double) x[k] * x[k];
		sum += x[k];
	}
	CHECK(fabs(sqrt(square) - l2) <= tol * l2,
	      "%s: norm %.9g, want %.9g, tolerance %g", what, sqrt(square), l2,
	      tol);
	if (only_l2)
		return;
	CHECK(fabs(sum / (double) count - mean) <= tol * fmax(fabs(mean), rms),
	      "%s: mean %.9g, want %.9g", what, sum / (double) count, mean);
	CHECK(json_object_size(at) > 0, "%s: no values", what);
	json_object_foreach(at, key, value)
	{
		const size_t k = (size_t) strtoull(key, NULL, 10);
		const double g = json_number_value(value);

		CHECK(k < count && fabs(x[k] - g) <= tol * fmax(fabs(g), rms),
		      "%s at %zu: %.9g, want %.9g (rms %.3g), tolerance %g", what, k,
		      k < count ? (double) x[k] : NAN, g, rms, tol);
	}
}

#endif /* MMRD_GOLDEN_FILE_H */
