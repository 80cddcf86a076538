/*
 * tests/unit/test_upsample.c
 *	  Bilinear enlargement against the twin, and where it must be exact.
 */
#include "model/kernel/upsample.h"

#include "tests/unit/field.h"

/* The share is rounded once, then three interpolations of values below 1
 * whose differences are below 2; adding rounds once more, at 2. */
static void
one_shape(int h, int S, bool add)
{
	/* One row more, left as NaN: the last pixels have no neighbour there. */
	field x = field_create((size_t) h + 1, h, 0, 0);
	field want = field_create((size_t) S, S, 0, 0);
	field got = field_create((size_t) S, S, 0, 0);
	field serial = field_create((size_t) S, S, 0, 0);
	char what[120];

	snprintf(what, sizeof(what), "h=%d S=%d add=%d", h, S, add);
	x.P = (size_t) h;
	field_random(&x, 1);
	if (add)
	{
		field_random(&want, 2);
		field_random(&got, 2);
		field_random(&serial, 2);
	}
	mmrd_upsample_ref(h, x.x, S, add, want.x);
	mmrd_upsample(h, x.x, S, add, got.x);
	mmrd_threads_set(1);
	mmrd_upsample(h, x.x, S, add, serial.x);
	mmrd_threads_set(2);
	field_check(what, &got, &want, 8 * EPS);
	field_check_bits(what, &got, &serial);
	for (int k = 0; k < 4 && !add; k++) /* the corners coincide */
	{
		const size_t i = k & 1 ? (size_t) h - 1 : 0;
		const size_t j = k & 2 ? (size_t) h - 1 : 0;
		const float a = *field_at(&x, i, (int) j);
		const float b =
		    *field_at(&got, k & 1 ? (size_t) S - 1 : 0, k & 2 ? S - 1 : 0);

		CHECK(fabs(a - b) <= EPS, "%s: corner %d: got %.9g, want %.9g", what,
		      k, (double) b, (double) a);
	}
	field_free(&x);
	field_free(&want);
	field_free(&got);
	field_free(&serial);
}

int
main(void)
{
	static const int sizes[][2] = {{1, 2}, {2, 2},   {2, 3},  {3, 7}, {5, 5},
	                               {4, 9}, {16, 64}, {7, 65}, {8, 3}, {1, 33}};

	field_threads_start();
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
	{
		one_shape(sizes[i][0], sizes[i][1], false);
		one_shape(sizes[i][0], sizes[i][1], true);
	}
	mmrd_threads_stop();
	return check_result();
}
