/*
 * tests/unit/test_cosine_map.c
 *	  The cosine distance of pixels against the twin.
 */
#include "model/kernel/cosine_map.h"

#include "tests/unit/field.h"

/* C / 16 additions a lane and four of lanes, each of sizes below the norms'
 * product; then lengths, product, quotient and difference. */
static void
one_shape(int P, int C)
{
	field t = field_create((size_t) P, C, 1, 2);
	field s = field_create((size_t) P, C, 0, 3);
	field want = field_array((size_t) P);
	field got = field_array((size_t) P);
	field serial = field_array((size_t) P);
	char what[120];

	snprintf(what, sizeof(what), "P=%d C=%d", P, C);
	field_random(&t, 1);
	field_random(&s, 2);
	for (int c = 0; c < C; c++)
		*field_at(&t, 0, c) = 0; /* the first pixel has no direction */
	for (int c = 0; c < C && P > 2; c++)
	{
		*field_at(&s, 1, c) = -2 * *field_at(&t, 1, c);
		*field_at(&s, 2, c) = *field_at(&t, 2, c) / 4;
	}
	mmrd_cosine_map_ref(P, C, t.x, t.ld, s.x, s.ld, want.x);
	mmrd_cosine_map(P, C, t.x, t.ld, s.x, s.ld, got.x);
	mmrd_threads_set(1);
	mmrd_cosine_map(P, C, t.x, t.ld, s.x, s.ld, serial.x);
	mmrd_threads_set(2);
	field_check(what, &got, &want, (C / 16 + 10) * EPS);
	field_check_bits(what, &got, &serial);
	CHECK(got.x[0] == 1, "%s: zero vector scored %g", what, (double) got.x[0]);
	for (int p = 1; p <= 2 && P > 2; p++)
		CHECK(fabs(got.x[p] - (p == 1 ? 2 : 0)) <= (C / 16 + 10) * EPS,
		      "%s: %s vectors scored %.9g", what,
		      p == 1 ? "opposite" : "parallel", (double) got.x[p]);
	field_free(&t);
	field_free(&s);
	field_free(&want);
	field_free(&got);
	field_free(&serial);
}

int
main(void)
{
	static const int pixels[] = {1, 2, 3, 64, 101};
	static const int channels[] = {1, 2, 15, 16, 17, 31, 32, 33, 256};

	field_threads_start();
	for (size_t i = 0; i < sizeof(pixels) / sizeof(pixels[0]); i++)
		for (size_t k = 0; k < sizeof(channels) / sizeof(channels[0]); k++)
			one_shape(pixels[i], channels[k]);
	mmrd_threads_stop();
	return check_result();
}
