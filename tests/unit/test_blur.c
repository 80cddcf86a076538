/*
 * tests/unit/test_blur.c
 *	  The separable blur against the two-dimensional sum of its twin.
 */
#include "model/kernel/blur.h"

#include "tests/unit/field.h"

/* Twice 33 products whose weights add up to 1: partial sums stay below the
 * largest value, here 1, and the weights are rounded. */
static const double TOLERANCE = (2 * 33 + 2) * EPS / 2;

static void
one_size(int S)
{
	field x = field_create((size_t) S, S, 0, 0);
	field want = field_create((size_t) S, S, 0, 0);
	field got = field_create((size_t) S, S, 0, 0);
	field serial = field_create((size_t) S, S, 0, 0);
	field work = field_create((size_t) S, S, 0, 0);
	char what[120];

	snprintf(what, sizeof(what), "S=%d", S);
	field_random(&x, 1);
	mmrd_blur_ref(S, x.x, want.x);
	mmrd_blur(S, x.x, got.x, work.x);
	mmrd_threads_set(1);
	mmrd_blur(S, x.x, serial.x, work.x);
	mmrd_threads_set(2);
	field_check(what, &got, &want, TOLERANCE);
	field_check_bits(what, &got, &serial);
	mmrd_blur(S, x.x, x.x, work.x); /* in place */
	field_check(what, &x, &got, 0);
	field_free(&x);
	field_free(&want);
	field_free(&got);
	field_free(&serial);
	field_free(&work);
}

/* What blur means, without the twin: a constant stays, and a single bright
 * pixel becomes the Gaussian, whose centre is 1 / (sum of weights)^2. */
static void
test_meaning(void)
{
	enum
	{
		S = 64
	};
	field x = field_create(S, S, 0, 0);
	field y = field_create(S, S, 0, 0);
	field work = field_create(S, S, 0, 0);
	double sum = 0;
	double total = 0;

	field_uniform(&x, 1, 3, 3);
	mmrd_blur(S, x.x, y.x, work.x);
	for (size_t i = 0; i < S * S; i++)
		CHECK(fabs(y.x[i] - 3) <= 3 * TOLERANCE, "constant 3 became %.9g",
		      (double) y.x[i]);

	memset(x.x, 0, S * S * sizeof(float));
	*field_at(&x, 20, 30) = 1;
	mmrd_blur(S, x.x, y.x, work.x);
	for (int k = -16; k <= 16; k++)
		sum += exp(-0.5 * k * k / 16);
	for (size_t i = 0; i < S * S; i++)
		total += y.x[i];
	CHECK(fabs(total - 1) <= TOLERANCE, "the blurred pixel sums to %.9g",
	      total);
	CHECK(fabs(*field_at(&y, 20, 30) - 1 / (sum * sum)) <= EPS,
	      "centre %.9g, want %.9g", (double) *field_at(&y, 20, 30),
	      1 / (sum * sum));
	CHECK(*field_at(&y, 20, 46) > 0 && *field_at(&y, 20, 47) == 0,
	      "the radius is not 16");
	field_free(&x);
	field_free(&y);
	field_free(&work);
}

int
main(void)
{
	static const int sizes[] = {16, 17, 31, 32, 33, 64};

	field_threads_start();
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		one_size(sizes[i]);
	/* The largest side: only that it stays inside its line buffer. */
	{
		field x = field_create(1024, 1024, 0, 0);
		field work = field_create(1024, 1024, 0, 0);

		field_uniform(&x, 1, 3, 3);
		mmrd_blur(1024, x.x, x.x, work.x);
		CHECK(fabs(field_max(&x) - 3) <= 3 * TOLERANCE, "S=1024: %.9g",
		      field_max(&x));
		field_free(&x);
		field_free(&work);
	}
	test_meaning();
	mmrd_threads_stop();
	return check_result();
}
