/*
 * tests/unit/test_prototype.c
 *	  Priors against their twins, one thread against two, and the gradient by
 *	  the prototypes against finite differences.
 *
 * Features and prototypes have values of 1/4 to 1 with either sign, so every
 * vector of C has a length of sqrt(C) / 4 or more.
 */
#include "model/kernel/prototype.h"

#include "tests/unit/field.h"

static char what[160];

static void
describe(const char *name, size_t P, int C, int Q)
{
	snprintf(what, sizeof(what), "%s P=%zu C=%d Q=%d", name, P, C, Q);
}

static void
fill_vectors(field *f, uint32_t seed)
{
	field_random(f, seed);
	for (size_t k = 0; k < field_count(f); k++)
	{
		float *v = field_element(f, k);

		*v = copysignf(0.25f + 0.75f * fabsf(*v), *v);
	}
}

/* Results of one implementation. */
typedef struct result
{
	field weights, prior, dprotos;
} result;

static result
result_create(size_t P, int C, int Q)
{
	result r = {field_create(P, Q, 0, 0), field_create(P, C, 0, 0),
	            field_create((size_t) Q, C, 0, 0)};

	return r;
}

static void
result_free(result *r)
{
	field_free(&r->weights);
	field_free(&r->prior);
	field_free(&r->dprotos);
}

/* Rounding of a cosine: sqrt(C) roundings of a dot product (their signs are
 * random, its size is at most the product of the lengths), some for lengths
 * and division. */
static double
cosine_error(int C)
{
	return EPS * (2 * sqrt(C) + 16);
}

static void
check_forward(const result *want, const result *got, const result *serial,
              size_t P, int C, int Q)
{
	/* exp and the sum of Q terms; the cosine's error counts twice. */
	const double relative = 2 * cosine_error(C) + (Q / 2 + 8) * EPS;

	describe("weights", P, C, Q);
	field_check(what, &got->weights, &want->weights,
	            relative * field_max(&want->weights));
	field_check_bits(what, &got->weights, &serial->weights);
	describe("prior", P, C, Q);
	field_check(what, &got->prior, &want->prior, relative + (Q / 2 + 4) * EPS);
	field_check_bits(what, &got->prior, &serial->prior);
}

/*
 * A term w g of the gradient is below the largest w; a term of the cosines'
 * part is w times |g . p| (about 2 sqrt(C) at most), times values of a unit
 * vector (at most 1, and 4 / sqrt(C)), over a length.  P such terms are added
 * (see test_conv.c), each with the error of its dot products.
 */
static void
check_backward(const result *want, const result *got, const result *serial,
               size_t P, int C, int Q)
{
	const double root = sqrt(C);
	const double term =
	    field_max(&want->weights) * (1 + 8 * fmin(1, 4 / root));

	describe("gradient", P, C, Q);
	field_check(what, &got->dprotos, &want->dprotos,
	            EPS * ((double) P + 4 * root + 40) * term);
	field_check_bits(what, &got->dprotos, &serial->dprotos);
}

static void
run(const field *f, const field *protos, const field *dprior, const field *w,
    result *r)
{
	const size_t n_work = mmrd_prior_work(f->P, f->C, (int) protos->P);
	field work = field_array(n_work);

	mmrd_prior_forward(f->P, f->C, (int) protos->P, f->x, protos->x,
	                   r->weights.x, r->prior.x);
	mmrd_prior_backward(f->P, f->C, (int) protos->P, f->x, protos->x, w->x,
	                    dprior->x, r->dprotos.x, work.x);
	field_free(&work);
}

static void
one_shape(size_t P, int C, int Q)
{
	field f = field_create(P, C, 0, 0);
	field protos = field_create((size_t) Q, C, 0, 0);
	field dprior = field_create(P, C, 0, 0);
	result want = result_create(P, C, Q);
	result got = result_create(P, C, Q);
	result serial = result_create(P, C, Q);

	fill_vectors(&f, 1);
	fill_vectors(&protos, 2);
	field_random(&dprior, 3);
	mmrd_prior_forward_ref(P, C, Q, f.x, protos.x, want.weights.x,
	                       want.prior.x);
	mmrd_prior_backward_ref(P, C, Q, f.x, protos.x, want.weights.x, dprior.x,
	                        want.dprotos.x);
	run(&f, &protos, &dprior, &want.weights, &got);
	mmrd_threads_set(1);
	run(&f, &protos, &dprior, &want.weights, &serial);
	mmrd_threads_set(2);
	check_forward(&want, &got, &serial, P, C, Q);
	check_backward(&want, &got, &serial, P, C, Q);
	field_free(&f);
	field_free(&protos);
	field_free(&dprior);
	result_free(&want);
	result_free(&got);
	result_free(&serial);
}

/*
 * A zero vector is like no prototype more than another.  A prototype shorter
 * than the smallest norm is divided by that norm, which does not depend on
 * it: its gradient is huge, and has no part along the prototype.
 */
static void
test_short_vectors(void)
{
	enum
	{
		P = 3,
		C = 20,
		Q = 4
	};
	field f = field_create(P, C, 0, 0);
	field protos = field_create(Q, C, 0, 0);
	field dprior = field_create(P, C, 0, 0);
	result want = result_create(P, C, Q);
	result got = result_create(P, C, Q);

	fill_vectors(&f, 1);
	fill_vectors(&protos, 2);
	field_random(&dprior, 3);
	for (int c = 0; c < C; c++)
	{
		*field_at(&f, 1, c) = 0;
		*field_at(&protos, 2, c) = 0;
		*field_at(&protos, 3, c) = 2e-9f * *field_at(&f, 0, c);
	}
	mmrd_prior_forward_ref(P, C, Q, f.x, protos.x, want.weights.x,
	                       want.prior.x);
	mmrd_prior_backward_ref(P, C, Q, f.x, protos.x, want.weights.x, dprior.x,
	                        want.dprotos.x);
	run(&f, &protos, &dprior, &want.weights, &got);
	check_forward(&want, &got, &got, P, C, Q);
	for (int j = 0; j < Q; j++)
	{
		double size = 0;

		CHECK(*field_at(&got.weights, 1, j) == 0.25f,
		      "weight %d of a zero vector is %g", j,
		      (double) *field_at(&got.weights, 1, j));
		for (int c = 0; c < C; c++)
			size = fmax(size, fabs(*field_at(&want.dprotos, (size_t) j, c)));
		for (int c = 0; c < C; c++)
		{
			const double a = *field_at(&got.dprotos, (size_t) j, c);
			const double b = *field_at(&want.dprotos, (size_t) j, c);

			CHECK(fabs(a - b) <= 100 * EPS * size,
			      "short vectors, prototype %d, channel %d: got %.9g, want "
			      "%.9g",
			      j, c, a, b);
		}
	}
	field_free(&f);
	field_free(&protos);
	field_free(&dprior);
	result_free(&want);
	result_free(&got);
}

/* The loss sum(g * prior), for finite differences by the prototypes. */
typedef struct problem
{
	field f, protos, g, weights, prior;
} problem;

static double
loss(void *context)
{
	problem *p = context;

	mmrd_prior_forward_ref(p->f.P, p->f.C, (int) p->protos.P, p->f.x,
	                       p->protos.x, p->weights.x, p->prior.x);
	return field_dot(&p->g, &p->prior);
}

/*
 * h = 2^-5: the prior's rounding, 1.5 / h * EPS / 2 of sum |g| * 1 at most;
 * fifth derivatives of a cosine go as 1 / |p|^5, below 1 for the C here.
 */
static void
gradients(size_t P, int C, int Q)
{
	const double h = 0x1p-5;
	problem p = {field_create(P, C, 0, 0), field_create((size_t) Q, C, 0, 0),
	             field_create(P, C, 0, 0), field_create(P, Q, 0, 0),
	             field_create(P, C, 0, 0)};
	field dprotos = field_create((size_t) Q, C, 0, 0);
	field work = field_array(mmrd_prior_work(P, C, Q));

	fill_vectors(&p.f, 1);
	fill_vectors(&p.protos, 2);
	field_coarsen(&p.protos);
	field_random(&p.g, 3);
	loss(&p);
	mmrd_prior_backward(P, C, Q, p.f.x, p.protos.x, p.weights.x, p.g.x,
	                    dprotos.x, work.x);
	describe("differences", P, C, Q);
	field_check_gradient(what, loss, &p, &p.protos, &dprotos, 0, h,
	                     h * h * h * h * (double) P +
	                         1.5 / h * EPS / 2 * (double) P * C / 2);
	field_free(&p.f);
	field_free(&p.protos);
	field_free(&p.g);
	field_free(&p.weights);
	field_free(&p.prior);
	field_free(&dprotos);
	field_free(&work);
}

int
main(void)
{
	static const int channels[] = {1, 3, 15, 16, 17, 31, 32, 33, 64, 65};
	static const size_t pixels[] = {1, 127, 128, 129, 257};

	field_threads_start();
	for (size_t i = 0; i < sizeof(channels) / sizeof(channels[0]); i++)
		for (size_t k = 0; k < sizeof(pixels) / sizeof(pixels[0]); k++)
			one_shape(pixels[k], channels[i], 7);
	one_shape(1, 1, 1);
	one_shape(5, 3, 1);
	one_shape(129, 64, 50);
	one_shape(3, 1024, 5);
	one_shape(2, 3, 1023);
	one_shape(2, 3, 1024); /* MMRD_MAX_PROTOTYPES */
	test_short_vectors();
	gradients(3, 5, 4);
	gradients(9, 4, 1);
	gradients(6, 33, 3);
	mmrd_threads_stop();
	return check_result();
}
