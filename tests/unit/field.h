/*
 * tests/unit/field.h
 *	  Maps for the tests of kernels: made of NaN, filled at random, compared.
 *
 * A field is P pixels of C channels, which may lie inside wider pixels: lead
 * floats before them and trail behind.  What surrounds the channels is NaN
 * with all bits set and has to stay so: a kernel that reads it spoils its
 * result, one that writes it is caught by field_check().
 */
#ifndef MMRD_FIELD_H
#define MMRD_FIELD_H

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/base/threads.h"
#include "model/kernel/gemm.h"
#include "tests/unit/check.h"

/* Twice the largest relative error of one rounding. */
#define EPS ((double) FLT_EPSILON)

typedef struct field
{
	size_t P;     /* pixels */
	int C;        /* channels of the map */
	int lead, ld; /* floats before them; floats of a whole pixel */
	float *block; /* P * ld floats, owned */
	float *x;     /* the map: block + lead */
} field;

static inline void
field_nan(field *f)
{
	memset(f->block, 0xff, f->P * (size_t) f->ld * sizeof(float));
}

static inline field
field_create(size_t P, int C, int lead, int trail)
{
	field f = {P, C, lead, lead + C + trail, NULL, NULL};

	f.block = malloc(P * (size_t) f.ld * sizeof(float));
	if (f.block == NULL)
	{
		fprintf(stderr, "no memory for %zu pixels of %d\n", P, f.ld);
		exit(1);
	}
	f.x = f.block + lead;
	field_nan(&f);
	return f;
}

/* A plain array of n floats. */
static inline field
field_array(size_t n)
{
	return field_create(n, 1, 0, 0);
}

static inline void
field_free(field *f)
{
	free(f->block);
	f->block = NULL;
}

static inline float *
field_at(const field *f, size_t p, int c)
{
	return f->x + p * (size_t) f->ld + c;
}

/* Element k of the map, counted without what surrounds it. */
static inline float *
field_element(const field *f, size_t k)
{
	return field_at(f, k / (size_t) f->C, (int) (k % (size_t) f->C));
}

static inline size_t
field_count(const field *f)
{
	return f->P * (size_t) f->C;
}

static inline uint32_t
field_random_bits(uint32_t *state)
{
	*state = *state * 1664525u + 1013904223u;
	return *state >> 8;
}

/* Uniform in [lo, hi). */
static inline void
field_uniform(field *f, uint32_t seed, float lo, float hi)
{
	uint32_t state = seed * 2654435761u + 1;

	for (size_t k = 0; k < field_count(f); k++)
		*field_element(f, k) =
		    lo + (hi - lo) * (float) field_random_bits(&state) / (1 << 24);
}

/* Uniform in [-1, 1). */
static inline void
field_random(field *f, uint32_t seed)
{
	field_uniform(f, seed, -1, 1);
}

/* Round to multiples of 2^-10: such numbers take exact steps of 2^-10. */
static inline void
field_coarsen(field *f)
{
	for (size_t k = 0; k < field_count(f); k++)
		*field_element(f, k) = roundf(*field_element(f, k) * 1024) / 1024;
}

/* Copy the map's values; the two may be surrounded differently. */
static inline void
field_copy(field *to, const field *from)
{
	for (size_t k = 0; k < field_count(to); k++)
		*field_element(to, k) = *field_element(from, k);
}

static inline double
field_max(const field *f)
{
	double max = 0;

	for (size_t k = 0; k < field_count(f); k++)
		max = fmax(max, fabs((double) *field_element(f, k)));
	return max;
}

/* Sum of products of two maps, in double: a loss with gradient g by y. */
static inline double
field_dot(const field *g, const field *y)
{
	double sum = 0;

	for (size_t k = 0; k < field_count(g); k++)
		sum += (double) *field_element(g, k) * (double) *field_element(y, k);
	return sum;
}

/* Every value of got is within tol of want, and nothing around it changed. */
static inline void
field_check(const char *what, const field *got, const field *want, double tol)
{
	double worst = -1;
	size_t place = 0;
	size_t written = 0;

	for (size_t k = 0; k < field_count(got); k++)
	{
		const double d = fabs((double) *field_element(got, k) -
		                      (double) *field_element(want, k));

		if (!(d <= worst))
		{
			worst = d;
			place = k;
			if (isnan(d))
				break;
		}
	}
	CHECK(worst <= tol,
	      "%s: pixel %zu of %zu, channel %d of %d: got %.9g, want %.9g, "
	      "difference %.3g, tolerance %.3g",
	      what, place / (size_t) got->C, got->P,
	      (int) (place % (size_t) got->C), got->C,
	      (double) *field_element(got, place),
	      (double) *field_element(want, place), worst, tol);
	for (size_t i = 0; i < got->P * (size_t) got->ld; i++)
	{
		const int c = (int) (i % (size_t) got->ld) - got->lead;
		uint32_t bits;

		memcpy(&bits, got->block + i, sizeof(bits));
		written += (c < 0 || c >= got->C) && bits != UINT32_MAX;
	}
	CHECK(written == 0, "%s: %zu floats outside the channels were written",
	      what, written);
}

/* The same bits, what surrounds the maps included. */
static inline void
field_check_bits(const char *what, const field *a, const field *b)
{
	CHECK(a->P == b->P && a->ld == b->ld &&
	          memcmp(a->block, b->block,
	                 a->P * (size_t) a->ld * sizeof(float)) == 0,
	      "%s: one thread and two give different bits", what);
}

/* Two threads from here on; tests switch with mmrd_threads_set(). */
static inline void
field_threads_start(void)
{
	mmrd_error err = {0};

	CHECK(mmrd_gemm_start(&err) == MMRD_OK, "%s: %s", err.message, err.detail);
	CHECK(mmrd_threads_start(2) == 2, "no second thread");
}

/*
 * Derivative of loss by *x, by differences of fourth order with steps h and
 * 2h: error at most h^4 / 30 times the fifth derivative, plus 1.5 / h times
 * the error of loss.  *x is restored; x +- 2h has to be exact.
 */
static inline double
field_derivative(double (*loss)(void *context), void *context, float *x,
                 double h)
{
	const float at = *x;
	double value[5];

	for (int i = 0; i < 5; i++)
	{
		if (i == 2)
			continue;
		*x = (float) (at + (i - 2) * h);
		value[i] = loss(context);
	}
	*x = at;
	return (8 * (value[3] - value[1]) - (value[4] - value[0])) / (12 * h);
}

/*
 * Compare gradient with finite differences of loss by variable, at up to
 * limit elements spread over the map (limit 0: at all).
 */
static inline void
field_check_gradient(const char *what, double (*loss)(void *context),
                     void *context, field *variable, const field *gradient,
                     size_t limit, double h, double tol)
{
	const size_t n = field_count(variable);
	/* A step coprime to most shapes, so that samples do not line up. */
	const size_t step = limit == 0 || n <= limit ? 1 : n / limit | 1;

	for (size_t k = 0; k < n; k += step)
	{
		const double want =
		    field_derivative(loss, context, field_element(variable, k), h);
		const double got = *field_element(gradient, k);

		CHECK(fabs(got - want) <= tol,
		      "%s: element %zu of %zu: gradient %.9g, differences say %.9g, "
		      "tolerance %.3g",
		      what, k, n, got, want, tol);
	}
}

#endif /* MMRD_FIELD_H */
