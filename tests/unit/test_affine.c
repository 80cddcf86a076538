/*
 * tests/unit/test_affine.c
 *	  Scale, shift, shortcut and ReLU against the twin.
 */
#include "model/kernel/affine.h"

#include "tests/unit/field.h"

/* parts: 1 scale, 2 shift, 4 res, 8 ReLU */
static mmrd_epilogue
epilogue(int parts, int per_group, const field *scale, const field *shift,
         const field *res)
{
	const mmrd_epilogue e = {parts & 1 ? scale->x : NULL,
	                         parts & 2 ? shift->x : NULL,
	                         per_group,
	                         parts & 4 ? res->x : NULL,
	                         parts & 4 ? res->ld : 0,
	                         (parts & 8) != 0};

	return e;
}

/* Three roundings of values of at most 3. */
static void
one_shape(int N, int pixels, int C, int per_group, int parts)
{
	const size_t P = (size_t) N * pixels;
	field z = field_create(P, C, 1, 2);
	field res = field_create(P, C, 0, 2);
	field scale = field_array((size_t) (N / per_group) * C);
	field shift = field_array((size_t) (N / per_group) * C);
	field want = field_create(P, C, 3, 1);
	field got = field_create(P, C, 3, 1);
	field serial = field_create(P, C, 3, 1);
	const mmrd_epilogue e = epilogue(parts, per_group, &scale, &shift, &res);
	char what[120];

	snprintf(what, sizeof(what), "N=%d pixels=%d C=%d per_group=%d parts=%d",
	         N, pixels, C, per_group, parts);
	field_random(&z, 1);
	field_random(&res, 2);
	field_random(&scale, 3);
	field_random(&shift, 4);
	mmrd_affine_ref(N, pixels, C, z.x, z.ld, &e, want.x, want.ld);
	mmrd_affine(N, pixels, C, z.x, z.ld, &e, got.x, got.ld);
	mmrd_threads_set(1);
	mmrd_affine(N, pixels, C, z.x, z.ld, &e, serial.x, serial.ld);
	mmrd_threads_set(2);
	field_check(what, &got, &want, 3 * EPS / 2 * 3);
	field_check_bits(what, &got, &serial);

	mmrd_affine(N, pixels, C, z.x, z.ld, &e, z.x, z.ld); /* in place */
	field_check(what, &z, &got, 0);
	field_free(&z);
	field_free(&res);
	field_free(&scale);
	field_free(&shift);
	field_free(&want);
	field_free(&got);
	field_free(&serial);
}

int
main(void)
{
	static const int pixels[] = {1, 255, 256, 257};
	static const int channels[] = {1, 5, 33};

	field_threads_start();
	for (size_t i = 0; i < sizeof(pixels) / sizeof(pixels[0]); i++)
		for (size_t k = 0; k < sizeof(channels) / sizeof(channels[0]); k++)
			one_shape(4, pixels[i], channels[k], 2, 15);
	for (int parts = 0; parts < 16; parts++)
		one_shape(3, 7, 16, 1, parts);
	one_shape(1, 513, 16, 1, 15);
	mmrd_threads_stop();
	return check_result();
}
