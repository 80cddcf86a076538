/*
 * tests/unit/test_batch_norm.c
 *	  Batch statistics, folding and the backward pass against their twins and
 *	  against finite differences of y = relu(bn(z) + res).
 */
#include "model/kernel/batch_norm.h"

#include "model/kernel/affine.h"
#include "tests/unit/field.h"

static char what[160];

static void
describe(const char *name, size_t P, int C, double offset)
{
	snprintf(what, sizeof(what), "%s P=%zu C=%d offset=%g", name, P, C,
	         offset);
}

/*
 * z is a centre (offset, or its negative) plus -1 .. 1.  A chunk's mean is a
 * float sum of at most 64 values: 32 roundings of its size, together `shift`.
 * A shifted mean raises a variance by its square, and moves the distance of a
 * chunk's mean from the whole mean; the rest are 64 roundings of a square.
 */
static void
one_stats(size_t P, int C, double offset)
{
	field z = field_create(P, C, 2, 1);
	field mean[3];
	field var[3];
	const double shift = 16 * EPS * (offset + 1);

	field_random(&z, (uint32_t) P);
	for (size_t p = 0; p < P; p++)
		for (int c = 0; c < C; c++)
			*field_at(&z, p, c) += (float) (c % 2 ? offset : -offset);
	for (int i = 0; i < 3; i++)
	{
		mean[i] = field_array((size_t) C);
		var[i] = field_array((size_t) C);
	}
	mmrd_batch_stats_ref(P, C, z.x, z.ld, mean[0].x, var[0].x);
	mmrd_batch_stats(P, C, z.x, z.ld, mean[1].x, var[1].x);
	mmrd_threads_set(1);
	mmrd_batch_stats(P, C, z.x, z.ld, mean[2].x, var[2].x);
	mmrd_threads_set(2);
	describe("mean", P, C, offset);
	field_check(what, &mean[1], &mean[0], shift);
	field_check_bits(what, &mean[1], &mean[2]);
	describe("variance", P, C, offset);
	field_check(what, &var[1], &var[0], 64 * EPS + shift + shift * shift);
	field_check_bits(what, &var[1], &var[2]);
	for (int i = 0; i < 3; i++)
	{
		field_free(&mean[i]);
		field_free(&var[i]);
	}
	field_free(&z);
}

static void
test_stats(void)
{
	static const size_t pixels[] = {1, 2, 3, 63, 64, 65, 127, 128, 129, 1000};
	static const int channels[] = {1, 3, 15, 16, 17, 31, 32, 33};

	for (size_t i = 0; i < sizeof(pixels) / sizeof(pixels[0]); i++)
	{
		for (size_t k = 0; k < sizeof(channels) / sizeof(channels[0]); k++)
		{
			one_stats(pixels[i], channels[k], 0);
			one_stats(pixels[i], channels[k], 100);
		}
	}
}

/* A mean of 1e4 with a spread of 1e-2: sums of squares would lose it all. */
static void
test_cancellation(void)
{
	field z = field_array(2000);
	float mean;
	float var;

	for (size_t p = 0; p < z.P; p++)
		z.x[p] = 1e4f + (p % 2 ? 0.009765625f : -0.009765625f); /* exact */
	mmrd_batch_stats(z.P, 1, z.x, 1, &mean, &var);
	CHECK(fabs(mean - 1e4) <= 1e4 * EPS, "mean %.9g of 10000", (double) mean);
	CHECK(fabs(var - 0.009765625 * 0.009765625) <= 1e-2 * var,
	      "variance %.9g of 9.5367e-5", (double) var);
	field_free(&z);
}

static void
test_running(void)
{
	const float mean[2] = {1.5f, -2};
	const float var[2] = {0.75f, 4};
	float running_mean[2] = {0.5f, 1};
	float running_var[2] = {1, 2};

	mmrd_batch_running(5, 2, 0.1f, mean, var, running_mean, running_var);
	for (int c = 0; c < 2; c++)
	{
		const double m = c == 0 ? 0.9 * 0.5 + 0.1 * 1.5 : 0.9 * 1 - 0.1 * 2;
		const double v = c == 0 ? 0.9 * 1 + 0.1 * 0.75 * 5 / 4
		                        : 0.9 * 2 + 0.1 * 4.0 * 5 / 4;

		CHECK(fabs(running_mean[c] - m) <= 4 * EPS,
		      "running mean %d: got %.9g, want %.9g", c,
		      (double) running_mean[c], m);
		CHECK(fabs(running_var[c] - v) <= 8 * EPS,
		      "running variance %d: got %.9g, want %.9g", c,
		      (double) running_var[c], v);
	}
}

static void
test_fold(void)
{
	const float gamma[3] = {0.5f, -2, 3};
	const float beta[3] = {1, 0.25f, -4};
	const float mean[3] = {0, 7, -0.125f};
	const float var[3] = {1, 0, 25};
	float scale[3];
	float shift[3];

	mmrd_batch_fold(3, gamma, beta, mean, var, scale, shift);
	for (int c = 0; c < 3; c++)
	{
		const double s = gamma[c] / sqrt((double) var[c] + MMRD_BN_EPS);
		const double t = beta[c] - mean[c] * s;

		CHECK(fabs(scale[c] - s) <= EPS * fabs(s),
		      "scale %d: got %.9g, want %.9g", c, (double) scale[c], s);
		CHECK(fabs(shift[c] - t) <= EPS * fabs(t),
		      "shift %d: got %.9g, want %.9g", c, (double) shift[c], t);
	}
}

/* Everything that goes through one backward pass. */
typedef struct pass
{
	field dy, z, dgamma, dbeta;
} pass;

static pass
pass_create(size_t P, int C)
{
	pass b = {field_create(P, C, 1, 3), field_create(P, C, 0, 0),
	          field_array((size_t) C), field_array((size_t) C)};

	field_random(&b.dy, 11);
	field_random(&b.z, 12);
	for (size_t k = 0; k < field_count(&b.z); k++)
		*field_element(&b.z, k) += 3;
	return b;
}

static void
pass_free(pass *b)
{
	field_free(&b->dy);
	field_free(&b->z);
	field_free(&b->dgamma);
	field_free(&b->dbeta);
}

/*
 * z-hat is below `far`.  A chunk adds up to 64 values in float (64 * EPS / 2
 * of the largest, see test_conv.c), the chunks' errors add up; dz is a
 * difference of three values that carry those errors divided by P.
 */
static void
one_backward(size_t P, int C, bool relu)
{
	pass want = pass_create(P, C);
	pass got = pass_create(P, C);
	pass serial = pass_create(P, C);
	field y = field_create(P, C, 2, 2);
	field gamma = field_array((size_t) C);
	field mean = field_array((size_t) C);
	field var = field_array((size_t) C);
	const float *mask = relu ? y.x : NULL;
	double least = INFINITY;
	double far;
	double tol;

	field_random(&y, 13);
	field_random(&gamma, 14);
	*field_at(&y, 0, 0) = 0; /* a ReLU passes nothing at 0 */
	mmrd_batch_stats_ref(P, C, want.z.x, C, mean.x, var.x);
	for (int c = 0; c < C; c++)
		least = fmin(least, (double) var.x[c]);
	far = 2 / sqrt(least + MMRD_BN_EPS);
	tol = EPS / 2 * (double) (P + 72) * fmax(far, 1);

	mmrd_batch_norm_backward_ref(P, C, want.dy.x, want.dy.ld, mask, y.ld,
	                             want.z.x, gamma.x, mean.x, var.x,
	                             want.dgamma.x, want.dbeta.x);
	mmrd_batch_norm_backward(P, C, got.dy.x, got.dy.ld, mask, y.ld, got.z.x,
	                         gamma.x, mean.x, var.x, got.dgamma.x,
	                         got.dbeta.x);
	mmrd_threads_set(1);
	mmrd_batch_norm_backward(P, C, serial.dy.x, serial.dy.ld, mask, y.ld,
	                         serial.z.x, gamma.x, mean.x, var.x,
	                         serial.dgamma.x, serial.dbeta.x);
	mmrd_threads_set(2);
	describe(relu ? "backward with ReLU" : "backward", P, C, 3);
	field_check(what, &got.dy, &want.dy, 0);
	field_check(what, &got.dgamma, &want.dgamma, tol);
	field_check(what, &got.dbeta, &want.dbeta, tol);
	field_check(what, &got.z, &want.z,
	            far / 2 *
	                (16 * EPS * (1 + far) + tol / (double) P * (1 + far)));
	field_check_bits(what, &got.dy, &serial.dy);
	field_check_bits(what, &got.z, &serial.z);
	field_check_bits(what, &got.dgamma, &serial.dgamma);
	field_check_bits(what, &got.dbeta, &serial.dbeta);
	pass_free(&want);
	pass_free(&got);
	pass_free(&serial);
	field_free(&y);
	field_free(&gamma);
	field_free(&mean);
	field_free(&var);
}

static void
test_backward(void)
{
	static const size_t pixels[] = {2, 3, 63, 64, 65, 127, 128, 129, 500};
	static const int channels[] = {1, 3, 15, 16, 17, 33};

	for (size_t i = 0; i < sizeof(pixels) / sizeof(pixels[0]); i++)
	{
		for (size_t k = 0; k < sizeof(channels) / sizeof(channels[0]); k++)
		{
			one_backward(pixels[i], channels[k], false);
			one_backward(pixels[i], channels[k], true);
		}
	}
}

/* The loss sum(g * relu(bn(z) + res)), for finite differences. */
typedef struct unit
{
	field z, res, gamma, beta, y, g;
	field mean, var, scale, shift;
	bool relu;
} unit;

static double
loss(void *context)
{
	unit *u = context;
	const mmrd_epilogue e = {u->scale.x, u->shift.x, 1,
	                         u->res.x,   u->res.ld,  u->relu};

	mmrd_batch_stats_ref(u->z.P, u->z.C, u->z.x, u->z.ld, u->mean.x, u->var.x);
	mmrd_batch_fold(u->z.C, u->gamma.x, u->beta.x, u->mean.x, u->var.x,
	                u->scale.x, u->shift.x);
	mmrd_affine_ref(1, (int) u->z.P, u->z.C, u->z.x, u->z.ld, &e, u->y.x,
	                u->y.ld);
	return field_dot(&u->g, &u->y);
}

static unit
unit_create(size_t P, int C, bool relu)
{
	unit u = {field_create(P, C, 0, 0),
	          field_create(P, C, 1, 1),
	          field_array((size_t) C),
	          field_array((size_t) C),
	          field_create(P, C, 2, 0),
	          field_create(P, C, 0, 1),
	          field_array((size_t) C),
	          field_array((size_t) C),
	          field_array((size_t) C),
	          field_array((size_t) C),
	          false};

	field_random(&u.z, 21);
	field_random(&u.res, 22);
	field_uniform(&u.gamma, 23, 0.5f, 1);
	field_random(&u.beta, 24);
	field_random(&u.g, 25);
	field_coarsen(&u.z);
	field_coarsen(&u.gamma);
	field_coarsen(&u.beta);
	/* Keep every sum away from the ReLU's corner: at least 1/2 either side. */
	loss(&u);
	for (size_t k = 0; k < field_count(&u.res); k++)
	{
		float *r = field_element(&u.res, k);
		const float v = *field_element(&u.y, k);

		*r += (*r > 0 ? 0.5f : -0.5f) + *r - v;
	}
	field_coarsen(&u.res);
	u.relu = relu;
	return u;
}

static void
unit_free(unit *u)
{
	field *all[] = {&u->z, &u->res,  &u->gamma, &u->beta,  &u->y,
	                &u->g, &u->mean, &u->var,   &u->scale, &u->shift};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		field_free(all[i]);
}

/*
 * Differences with h = 2^-5: the twin's float results (and the scale and
 * shift between) are rounded, 1.5 / h times 4 roundings of sum |g| * 4; the
 * fifth derivative of a normalised value by z is of the order of istd^5
 * (the variance is 1/3: 16) and is met with h^4 / 30.
 */
static void
gradients(size_t P, int C, bool relu)
{
	const double h = 0x1p-5;
	unit u = unit_create(P, C, relu);
	field dy = field_create(P, C, 0, 0);
	field dz = field_create(P, C, 0, 0);
	field dgamma = field_array((size_t) C);
	field dbeta = field_array((size_t) C);
	const double tol =
	    h * h * h * h + 1.5 / h * 4 * EPS / 2 * 4 * (double) P / 2;

	loss(&u); /* y, mean and var at the point itself */
	field_copy(&dy, &u.g);
	field_copy(&dz, &u.z);
	mmrd_batch_norm_backward(P, C, dy.x, dy.ld, relu ? u.y.x : NULL, u.y.ld,
	                         dz.x, u.gamma.x, u.mean.x, u.var.x, dgamma.x,
	                         dbeta.x);
	describe(relu ? "differences by z, ReLU" : "differences by z", P, C, 0);
	field_check_gradient(what, loss, &u, &u.z, &dz, 0, h, tol);
	describe("differences by res", P, C, 0);
	field_check_gradient(what, loss, &u, &u.res, &dy, 0, h, tol);
	describe("differences by gamma", P, C, 0);
	field_check_gradient(what, loss, &u, &u.gamma, &dgamma, 0, h, tol);
	describe("differences by beta", P, C, 0);
	field_check_gradient(what, loss, &u, &u.beta, &dbeta, 0, h, tol);
	unit_free(&u);
	field_free(&dy);
	field_free(&dz);
	field_free(&dgamma);
	field_free(&dbeta);
}

int
main(void)
{
	field_threads_start();
	test_stats();
	test_cancellation();
	test_running();
	test_fold();
	test_backward();
	gradients(12, 3, false);
	gradients(12, 3, true);
	gradients(70, 17, true);
	mmrd_threads_stop();
	return check_result();
}
