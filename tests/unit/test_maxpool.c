/*
 * tests/unit/test_maxpool.c
 *	  The 3x3 maximum and its gradient against their twins: exact, at every
 *	  edge.
 */
#include "model/kernel/maxpool.h"

#include "tests/unit/field.h"

/* below: all values negative, so that a zero from padding would win. */
static void
one_shape(int N, int H, int W, int C, bool below)
{
	const size_t outputs =
	    (size_t) N * (size_t) ((H - 1) / 2 + 1) * (size_t) ((W - 1) / 2 + 1);
	field x = field_create((size_t) N * H * W, C, 0, 0);
	field want = field_create(outputs, C, 0, 0);
	field got = field_create(outputs, C, 0, 0);
	field serial = field_create(outputs, C, 0, 0);
	char what[120];

	snprintf(what, sizeof(what), "N=%d H=%d W=%d C=%d below=%d", N, H, W, C,
	         below);
	field_uniform(&x, 1, below ? -2 : -1, below ? -1 : 1);
	mmrd_maxpool_ref(N, H, W, C, x.x, want.x);
	mmrd_maxpool(N, H, W, C, x.x, got.x);
	mmrd_threads_set(1);
	mmrd_maxpool(N, H, W, C, x.x, serial.x);
	mmrd_threads_set(2);
	field_check(what, &got, &want, 0);
	field_check_bits(what, &got, &serial);
	field_free(&x);
	field_free(&want);
	field_free(&got);
	field_free(&serial);
}

/* Values in steps of a quarter, so that windows have several maxima, and
 * gradients whose sums of four are exact. */
static void
one_gradient(int N, int H, int W, int C)
{
	const size_t outputs =
	    (size_t) N * (size_t) ((H - 1) / 2 + 1) * (size_t) ((W - 1) / 2 + 1);
	const size_t inputs = (size_t) N * H * W;
	field x = field_create(inputs, C, 0, 0);
	field dy = field_create(outputs, C, 0, 0);
	field want = field_create(inputs, C, 0, 0);
	field got = field_create(inputs, C, 0, 0);
	field serial = field_create(inputs, C, 0, 0);
	char what[120];

	snprintf(what, sizeof(what), "gradient N=%d H=%d W=%d C=%d", N, H, W, C);
	field_uniform(&x, 2, -1, 1);
	field_uniform(&dy, 3, -1, 1);
	for (size_t i = 0; i < inputs * (size_t) C; i++)
		x.x[i] = rintf(4 * x.x[i]) / 4;
	for (size_t i = 0; i < outputs * (size_t) C; i++)
		dy.x[i] = rintf(256 * dy.x[i]) / 256;
	mmrd_maxpool_backward_ref(N, H, W, C, x.x, dy.x, want.x);
	mmrd_maxpool_backward(N, H, W, C, x.x, dy.x, got.x);
	mmrd_threads_set(1);
	mmrd_maxpool_backward(N, H, W, C, x.x, dy.x, serial.x);
	mmrd_threads_set(2);
	field_check(what, &got, &want, 0);
	field_check_bits(what, &got, &serial);
	field_free(&x);
	field_free(&dy);
	field_free(&want);
	field_free(&got);
	field_free(&serial);
}

int
main(void)
{
	static const int channels[] = {1, 3, 16, 17, 64};

	field_threads_start();
	for (int H = 1; H <= 6; H++)
		for (int W = 1; W <= 6; W++)
			for (size_t k = 0; k < sizeof(channels) / sizeof(channels[0]); k++)
			{
				one_shape(1 + k % 3, H, W, channels[k], (H + W) % 2);
				one_gradient(1 + k % 3, H, W, channels[k]);
			}
	one_shape(2, 32, 32, 64, false);
	mmrd_threads_stop();
	return check_result();
}
