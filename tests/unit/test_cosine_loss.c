/*
 * tests/unit/test_cosine_loss.c
 *	  Both losses and their gradients against the twins, one thread against
 *	  two, and against finite differences of the twins' double losses.
 */
#include "model/kernel/cosine_loss.h"

#include "tests/unit/field.h"

static char what[160];

/* Shortest vector of an image of f, N images of equal size. */
static double
shortest(const field *f, int N)
{
	const size_t n = field_count(f) / (size_t) N;
	double least = INFINITY;

	for (int i = 0; i < N; i++)
	{
		double sum = 0;

		for (size_t k = 0; k < n; k++)
			sum += pow(*field_element(f, (size_t) i * n + k), 2);
		least = fmin(least, sqrt(sum));
	}
	return least;
}

/*
 * A pixel's sums have C / 16 float additions a lane; relative to the norms
 * each of the three sums is off by at most that many roundings.  The gradient
 * is (pull * s - t / norms) / N.
 */
static void
one_cosine(int N, int P, int C)
{
	const size_t pixels = (size_t) N * P;
	field t = field_create(pixels, C, 1, 2);
	field s = field_create(pixels, C, 0, 1);
	field want = field_create(pixels, C, 3, 0);
	field got = field_create(pixels, C, 3, 0);
	field serial = field_create(pixels, C, 3, 0);
	const double relative = (C / 16 + 16) * EPS;
	double a;
	double b;
	double c;
	double size;

	field_random(&t, 1);
	field_random(&s, 2);
	for (size_t k = 0; k < field_count(&s); k++) /* make them alike */
		*field_element(&s, k) += 0.5f * *field_element(&t, k);
	size = fmax(1 / shortest(&t, N), 1 / shortest(&s, N)) / shortest(&s, N);
	a = mmrd_cosine_loss_ref(N, P, C, t.x, t.ld, s.x, s.ld, want.x, want.ld);
	b = mmrd_cosine_loss(N, P, C, t.x, t.ld, s.x, s.ld, got.x, got.ld);
	mmrd_threads_set(1);
	c = mmrd_cosine_loss(N, P, C, t.x, t.ld, s.x, s.ld, serial.x, serial.ld);
	mmrd_threads_set(2);
	snprintf(what, sizeof(what), "cosine N=%d P=%d C=%d", N, P, C);
	CHECK(fabs(a - b) <= 2 * relative, "%s: loss %.9g, want %.9g", what, b, a);
	CHECK(b == c, "%s: loss %.17g with one thread, %.17g with two", what, c,
	      b);
	field_check(what, &got, &want, 2 * relative * size / N * 2.5);
	field_check_bits(what, &got, &serial);
	field_free(&t);
	field_free(&s);
	field_free(&want);
	field_free(&got);
	field_free(&serial);
}

/* Vectors without length: no cosine, and still a finite gradient. */
static void
test_zero(void)
{
	field t = field_create(4, 3, 0, 0);
	field s = field_create(4, 3, 0, 0);
	field want = field_create(4, 3, 0, 0);
	field got = field_create(4, 3, 0, 0);
	double loss;

	field_random(&t, 1);
	memset(s.x, 0, 12 * sizeof(float));
	mmrd_cosine_loss_ref(2, 2, 3, t.x, 3, s.x, 3, want.x, 3);
	loss = mmrd_cosine_loss(2, 2, 3, t.x, 3, s.x, 3, got.x, 3);
	CHECK(loss == 1, "loss of a zero student is %g", loss);
	field_check("zero student", &got, &want, 8 * EPS * field_max(&want));
	loss = mmrd_cosine_loss(2, 2, 3, s.x, 3, t.x, 3, got.x, 3);
	CHECK(loss == 1, "loss of a zero target is %g", loss);
	CHECK(field_max(&got) == 0, "gradient of a zero target is %g",
	      field_max(&got));
	loss = mmrd_cosine_loss(2, 2, 3, t.x, 3, t.x, 3, got.x, 3);
	CHECK(fabs(loss) <= 8 * EPS, "loss of equal maps is %g", loss);
	field_free(&t);
	field_free(&s);
	field_free(&want);
	field_free(&got);
}

static void
one_square(size_t n)
{
	field x = field_array(n);
	field y = field_array(n);
	field want = field_array(n);
	field got = field_array(n);
	field serial = field_array(n);
	double a;
	double b;
	double c;

	field_random(&x, 1);
	field_random(&y, 2);
	a = mmrd_square_loss_ref(n, x.x, y.x, 0.1f, want.x);
	b = mmrd_square_loss(n, x.x, y.x, 0.1f, got.x);
	mmrd_threads_set(1);
	c = mmrd_square_loss(n, x.x, y.x, 0.1f, serial.x);
	mmrd_threads_set(2);
	snprintf(what, sizeof(what), "square n=%zu", n);
	/* The difference and its square are rounded, the sum is in double. */
	CHECK(fabs(a - b) <= 2 * EPS * a, "%s: loss %.9g, want %.9g", what, b, a);
	CHECK(b == c, "%s: loss %.17g with one thread, %.17g with two", what, c,
	      b);
	field_check(what, &got, &want, 2 * EPS * field_max(&want));
	field_check_bits(what, &got, &serial);
	field_free(&x);
	field_free(&y);
	field_free(&want);
	field_free(&got);
	field_free(&serial);
}

/* A loss by its second argument, for finite differences. */
typedef struct problem
{
	int N, P, C; /* N 0: the square loss */
	field t, s, ds;
} problem;

static double
loss_of(void *context)
{
	problem *p = context;

	if (p->N == 0)
		return 0.25 * mmrd_square_loss_ref(field_count(&p->s), p->s.x, p->t.x,
		                                   0.25f, p->ds.x);
	return mmrd_cosine_loss_ref(p->N, p->P, p->C, p->t.x, p->t.ld, p->s.x,
	                            p->s.ld, p->ds.x, p->ds.ld);
}

/* The twins return double, so h = 2^-10 leaves h^4 = 1e-12 of the fifth
 * derivative; what remains are the gradient's own roundings. */
static void
gradients(int N, int P, int C)
{
	const size_t pixels = (size_t) (N > 0 ? N : 1) * P;
	problem p = {N,
	             P,
	             C,
	             field_create(pixels, C, 0, N > 0),
	             field_create(pixels, C, N > 0, 0),
	             field_create(pixels, C, 0, 0)};
	field ds = field_create(pixels, C, 0, 0);

	field_random(&p.t, 1);
	field_random(&p.s, 2);
	field_coarsen(&p.s);
	if (N == 0)
		mmrd_square_loss(field_count(&p.s), p.s.x, p.t.x, 0.25f, ds.x);
	else
		mmrd_cosine_loss(N, P, C, p.t.x, p.t.ld, p.s.x, p.s.ld, ds.x, ds.ld);
	snprintf(what, sizeof(what), "differences N=%d P=%d C=%d", N, P, C);
	field_check_gradient(what, loss_of, &p, &p.s, &ds, 0, 0x1p-10,
	                     (C / 16 + 16) * EPS * field_max(&ds) + 1e-10);
	field_free(&p.t);
	field_free(&p.s);
	field_free(&p.ds);
	field_free(&ds);
}

int
main(void)
{
	static const int channels[] = {1, 15, 16, 17, 33, 64};
	static const int pixels[] = {1, 2, 63, 64, 65, 127, 128, 129, 200};
	static const size_t counts[] = {1,    15,   16,   17,   63,   64,
	                                65,   255,  256,  257,  1000, 1023,
	                                1024, 1025, 2047, 2048, 2049};

	field_threads_start();
	for (size_t i = 0; i < sizeof(channels) / sizeof(channels[0]); i++)
	{
		for (size_t k = 0; k < sizeof(pixels) / sizeof(pixels[0]); k++)
		{
			one_cosine(1, pixels[k], channels[i]);
			one_cosine(3, pixels[k], channels[i]);
		}
	}
	test_zero();
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		one_square(counts[i]);
	gradients(2, 3, 5);
	gradients(1, 65, 17);
	gradients(0, 7, 5);
	gradients(0, 1, 1);
	mmrd_threads_stop();
	return check_result();
}
