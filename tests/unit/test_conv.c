/*
 * tests/unit/test_conv.c
 *	  The convolutions against their twins, one thread against two, and
 *	  gradients against finite differences of the forward twin.
 *
 * Tolerance: values are below one, so a sum of n products has partial sums of
 * about sqrt(k) / 3 after k terms, each rounded with a relative error below
 * EPS / 2 of either sign: together well below n * EPS / 2, and far below one
 * missing term.  Winograd's transforms multiply by up to 19 and divide again,
 * which measured (docs/numerics.md) doubles the error and, at the worst place
 * of a tile, makes it WINO_TOL times that bound where channels are few.
 */
#include "model/kernel/conv.h"

#include "model/kernel/isa.h"

#include "tests/unit/field.h"

#define WINO_TOL 8

static mmrd_conv_shape
make_shape(int N, int H, int W, int C, int O, int K, int stride)
{
	mmrd_conv_shape s = {0};

	s.N = N;
	s.H = H;
	s.W = W;
	s.C = C;
	s.O = O;
	s.K = K;
	s.stride = stride;
	s.transposed = K == 2;
	s.pad = s.transposed ? 0 : K / 2;
	s.OH = s.transposed ? 2 * H : (H + 2 * s.pad - K) / stride + 1;
	s.OW = s.transposed ? 2 * W : (W + 2 * s.pad - K) / stride + 1;
	s.x_ld = C;
	s.y_ld = O;
	return s;
}

static void
describe(char *buf, size_t size, const char *what, const mmrd_conv_shape *s)
{
	snprintf(buf, size,
	         "%s (%s, %s) N=%d H=%d W=%d C=%d O=%d K=%d stride=%d ld=%d/%d",
	         what, mmrd_conv_method_name(s), mmrd_isa_get()->name, s->N, s->H,
	         s->W, s->C, s->O, s->K, s->stride, s->x_ld, s->y_ld);
}

/* All arrays of one shape. */
typedef struct conv_case
{
	mmrd_conv_shape s;
	int lead, trail;
	field x, w, dy;
	float *packed;
	float *packed_input;
	float *work;
	char what[200];
} conv_case;

static double
method_tol(const mmrd_conv_shape *s)
{
	return strcmp(mmrd_conv_method_name(s), "winograd") == 0 ? WINO_TOL : 1;
}

static float *
nan_floats(size_t n)
{
	float *p = aligned_alloc(64, (n * sizeof(float) + 63) & ~(size_t) 63);

	if (p == NULL)
		exit(1);
	memset(p, 0xff, n * sizeof(float));
	return p;
}

static field
x_field(const conv_case *c)
{
	return field_create((size_t) c->s.N * c->s.H * c->s.W, c->s.C, c->lead,
	                    c->trail);
}

static field
y_field(const conv_case *c)
{
	return field_create((size_t) c->s.N * c->s.OH * c->s.OW, c->s.O, c->trail,
	                    c->lead);
}

static field
w_field(const conv_case *c)
{
	return field_array((size_t) c->s.K * c->s.K * c->s.C * c->s.O);
}

static conv_case
case_create(mmrd_conv_shape s, int lead, int trail)
{
	conv_case c = {s, lead, trail, {0}, {0}, {0}, NULL, NULL, NULL, ""};
	size_t n_work;
	size_t n_gradient;

	c.s.x_ld = s.C + lead + trail;
	c.s.y_ld = s.O + lead + trail;
	c.x = x_field(&c);
	c.w = w_field(&c);
	c.dy = y_field(&c);
	field_random(&c.x, 1);
	field_random(&c.w, 2);
	field_random(&c.dy, 3);
	c.packed = nan_floats(mmrd_conv_packed(&c.s));
	c.packed_input = nan_floats(mmrd_conv_packed_input(&c.s));
	mmrd_conv_pack(&c.s, c.w.x, c.packed);
	mmrd_conv_pack_input(&c.s, c.w.x, c.packed_input);
	n_work = mmrd_conv_work(&c.s, 2);
	n_gradient = mmrd_conv_gradient_work(&c.s, 2);
	c.work = nan_floats(n_work > n_gradient ? n_work : n_gradient);
	return c;
}

static void
case_free(conv_case *c)
{
	field_free(&c->x);
	field_free(&c->w);
	field_free(&c->dy);
	free(c->packed);
	free(c->packed_input);
	free(c->work);
}

/*
 * Forward with e (or NULL): the product's error is scaled by at most 1 (the
 * scale), then come three roundings of values below the result's largest + 3.
 */
static void
check_forward(conv_case *c, const char *name, const mmrd_epilogue *e)
{
	field want = y_field(c);
	field got = y_field(c);
	field serial = y_field(c);
	double tol = method_tol(&c->s) * (c->s.K * c->s.K * c->s.C + 8) * EPS / 2;

	describe(c->what, sizeof(c->what), name, &c->s);
	if (e != NULL)
	{
		mmrd_conv_forward_ref(&c->s, c->x.x, c->w.x, NULL, want.x);
		tol += 3 * EPS * (field_max(&want) + 3);
	}
	mmrd_conv_forward_ref(&c->s, c->x.x, c->w.x, e, want.x);
	mmrd_conv_forward(&c->s, c->x.x, c->packed, e, got.x, c->work);
	field_check(c->what, &got, &want, tol);
	mmrd_threads_set(1);
	mmrd_conv_forward(&c->s, c->x.x, c->packed, e, serial.x, c->work);
	mmrd_threads_set(2);
	field_check_bits(c->what, &got, &serial);
	field_free(&want);
	field_free(&got);
	field_free(&serial);
}

static void
check_epilogues(conv_case *c, bool every)
{
	field scale = field_array((size_t) c->s.N * c->s.O);
	field shift = field_array((size_t) c->s.N * c->s.O);
	field res =
	    field_create((size_t) c->s.N * c->s.OH * c->s.OW, c->s.O, 1, 2);
	const mmrd_epilogue all = {scale.x, shift.x, 1, res.x, res.ld, true};
	mmrd_epilogue e = all;

	field_random(&scale, 4);
	field_random(&shift, 5);
	field_random(&res, 6);
	check_forward(c, "forward, whole epilogue, a group an image", &e);
	e.images_per_group = c->s.N;
	e.relu = false;
	check_forward(c, "forward, epilogue without ReLU, one group", &e);
	for (int i = 0; every && i < 8; i++)
	{
		e = all;
		e.scale = i & 1 ? scale.x : NULL;
		e.shift = i & 2 ? shift.x : NULL;
		e.res = i & 4 ? res.x : NULL;
		check_forward(c, "forward, parts of an epilogue", &e);
	}
	field_free(&scale);
	field_free(&shift);
	field_free(&res);
}

static void
check_backward_input(conv_case *c, bool accumulate)
{
	const mmrd_conv_shape *s = &c->s;
	field want = x_field(c);
	field got = x_field(c);
	field serial = x_field(c);
	const double tol = method_tol(s) * (s->K * s->K * s->O + 8) * EPS / 2;

	describe(c->what, sizeof(c->what),
	         accumulate ? "backward input, added" : "backward input", s);
	if (accumulate)
	{
		field_random(&want, 7);
		field_random(&got, 7);
		field_random(&serial, 7);
	}
	mmrd_conv_backward_input_ref(s, c->dy.x, c->w.x, accumulate, want.x);
	mmrd_conv_backward_input(s, c->dy.x, c->packed_input, accumulate, got.x,
	                         c->work);
	field_check(c->what, &got, &want,
	            tol + (accumulate ? EPS * field_max(&want) : 0));
	mmrd_threads_set(1);
	mmrd_conv_backward_input(s, c->dy.x, c->packed_input, accumulate, serial.x,
	                         c->work);
	mmrd_threads_set(2);
	field_check_bits(c->what, &got, &serial);
	field_free(&want);
	field_free(&got);
	field_free(&serial);
}

static void
check_backward_weight(conv_case *c)
{
	const mmrd_conv_shape *s = &c->s;
	field want = w_field(c);
	field got = w_field(c);
	field serial = w_field(c);
	const size_t n = s->transposed ? (size_t) s->N * s->H * s->W
	                               : (size_t) s->N * s->OH * s->OW;

	describe(c->what, sizeof(c->what), "backward weight", s);
	mmrd_conv_backward_weight_ref(s, c->x.x, c->dy.x, want.x);
	mmrd_conv_backward_weight(s, c->x.x, c->dy.x, got.x, c->work);
	field_check(c->what, &got, &want,
	            method_tol(s) * ((double) n + 8) * EPS / 2);
	mmrd_threads_set(1);
	mmrd_conv_backward_weight(s, c->x.x, c->dy.x, serial.x, c->work);
	mmrd_threads_set(2);
	field_check_bits(c->what, &got, &serial);
	field_free(&want);
	field_free(&got);
	field_free(&serial);
}

/* everything: also every combination of the epilogue's parts. */
static void
one_shape(mmrd_conv_shape s, bool every)
{
	for (int wide = 0; wide < 2; wide++)
	{
		conv_case c = case_create(s, wide ? 3 : 0, wide ? 2 : 0);

		check_forward(&c, "forward", NULL);
		check_epilogues(&c, every);
		check_backward_input(&c, false);
		check_backward_input(&c, true);
		check_backward_weight(&c);
		case_free(&c);
	}
}

/* Weights of K x K with a given K: small, odd, and the edges of H and W. */
static void
test_small(void)
{
	static const int sides[][2] = {{1, 1}, {1, 2}, {2, 1}, {3, 5},
	                               {7, 7}, {8, 6}, {9, 4}};
	static const int kernels[][2] = {{1, 1}, {1, 2}, {2, 2},
	                                 {3, 1}, {3, 2}, {7, 2}};

	for (size_t i = 0; i < sizeof(sides) / sizeof(sides[0]); i++)
	{
		for (size_t k = 0; k < sizeof(kernels) / sizeof(kernels[0]); k++)
		{
			const int H = sides[i][0];
			const int W = sides[i][1];

			one_shape(make_shape(1, H, W, 1, 1, kernels[k][0], kernels[k][1]),
			          false);
			one_shape(make_shape(3, H, W, 3, 5, kernels[k][0], kernels[k][1]),
			          true);
		}
	}
}

/* One either side of every block size of conv_gemm.c. */
static void
test_blocks(void)
{
	for (int d = -1; d <= 1; d++)
	{
		/* PIXELS 128 and CHANNELS 256, out and in */
		one_shape(make_shape(1, 1, 128 + d, 2, 256 + d, 1, 1), false);
		one_shape(make_shape(1, 1, 128 + d, 256 + d, 2, 1, 1), false);
		one_shape(make_shape(1, 128 + d, 1, 3, 256 + d, 2, 2), false);
		one_shape(make_shape(1, 128 + d, 1, 256 + d, 3, 2, 2), false);
		one_shape(make_shape(1, 1, 2 * (128 + d), 3, 4, 1, 2), false);
		/* blocks that span images of 129, 43 and 64 pixels */
		one_shape(make_shape(3, 3, 43 + d, 2, 3, 3, 1), false);
		one_shape(make_shape(2, 16, 16 + d, 2, 3, 3, 2), false);
		/* DW_PIXELS 512, DW_IN 64, DW_OUT 128 */
		one_shape(make_shape(1, 1, 512 + d, 64 + d, 2, 1, 1), false);
		one_shape(make_shape(1, 1, 512 + d, 2, 128 + d, 1, 1), false);
		one_shape(make_shape(2, 1, 256 + d, 65, 2, 2, 2), false);
	}
	one_shape(make_shape(2, 5, 13, 65, 129, 3, 1), false);
	one_shape(make_shape(1, 5, 9, 129, 257, 3, 2), false);
	one_shape(make_shape(1, 3, 3, 257, 129, 2, 2), false);
	one_shape(make_shape(1, 33, 21, 3, 64, 7, 2), false);
}

/* The loss sum(dy * conv(x, w)), for finite differences. */
typedef struct difference
{
	conv_case *c;
	field y;
} difference;

static double
loss(void *context)
{
	difference *d = context;

	mmrd_conv_forward_ref(&d->c->s, d->c->x.x, d->c->w.x, NULL, d->y.x);
	return field_dot(&d->c->dy, &d->y);
}

/* A convolution is linear, so differences with steps of 1 are exact but for
 * the rounding of y: 1.5 times sum |dy * y| * EPS / 2. */
static void
gradients(mmrd_conv_shape s)
{
	conv_case c = case_create(s, 1, 2);
	difference d = {&c, y_field(&c)};
	field dx = x_field(&c);
	field dw = w_field(&c);
	double tol = 0;

	field_coarsen(&c.x);
	field_coarsen(&c.w);
	mmrd_conv_pack_input(&c.s, c.w.x, c.packed_input);
	loss(&d);
	for (size_t k = 0; k < field_count(&d.y); k++)
		tol +=
		    1.5 * EPS / 2 *
		    fabs((double) *field_element(&d.y, k) * *field_element(&c.dy, k));
	tol += (double) (s.K * s.K) * (double) (s.O + s.N * s.OH * s.OW) * EPS;

	mmrd_conv_backward_input(&c.s, c.dy.x, c.packed_input, false, dx.x,
	                         c.work);
	mmrd_conv_backward_weight(&c.s, c.x.x, c.dy.x, dw.x, c.work);
	describe(c.what, sizeof(c.what), "differences by x", &c.s);
	field_check_gradient(c.what, loss, &d, &c.x, &dx, 0, 1, tol);
	describe(c.what, sizeof(c.what), "differences by w", &c.s);
	field_check_gradient(c.what, loss, &d, &c.w, &dw, 0, 1, tol);
	field_free(&d.y);
	field_free(&dx);
	field_free(&dw);
	case_free(&c);
}

static void
test_gradients(void)
{
	gradients(make_shape(2, 3, 4, 3, 2, 1, 1));
	gradients(make_shape(2, 5, 3, 3, 2, 1, 2));
	gradients(make_shape(2, 3, 2, 3, 4, 2, 2));
	gradients(make_shape(2, 5, 4, 2, 3, 3, 1));
	gradients(make_shape(2, 5, 4, 2, 3, 3, 2));
	gradients(make_shape(1, 9, 7, 2, 2, 7, 2));
}

/*
 * Tiles and panels: 6 pixels a tile, 48 a task, panels of 64, steps of 16; 96
 * channels and 256 pixels of the weight gradient; kernels 1, 2, 3, the stem.
 */
static void
test_tiles(void)
{
	static const int channels[][2] = {{16, 16}, {32, 48},  {64, 64},
	                                  {80, 16}, {48, 144}, {112, 32}};

	for (size_t i = 0; i < sizeof(channels) / sizeof(channels[0]); i++)
	{
		const int C = channels[i][0];
		const int O = channels[i][1];

		for (int d = -1; d <= 1; d++)
		{
			one_shape(make_shape(1, 1, 6 + d, C, O, 1, 1), d == 0);
			one_shape(make_shape(2, 1, 48 + d, C, O, 1, 1), false);
			one_shape(make_shape(1, 3, 4 + d, C, O, 3, 1), false);
			one_shape(make_shape(2, 5 + d, 7, C, O, 3, 2), false);
			one_shape(make_shape(2, 4, 5 + d, C, O, 1, 2), false);
			one_shape(make_shape(1, 3 + d, 3, C, O, 2, 2), d == 0);
			one_shape(make_shape(2, 9 + d, 11, 3, O, 7, 2), false);
			one_shape(make_shape(1, 7, 8 + d, 1, O, 3, 1), false);
		}
	}
	one_shape(make_shape(1, 16, 16, 96 + 16, 64 + 16, 1, 1), false);
	one_shape(make_shape(1, 13, 21, 96, 64, 2, 2), false);
}

/*
 * Winograd: at least 12 tiles of 4x4; one either side of a whole tile; 36
 * tiles a task; weights stored (C * O up to 128 * 128) and not; 64 channels of
 * weights at once; several super-blocks (channels are many) and chunks.
 */
static void
test_winograd(void)
{
	for (int d = -1; d <= 1; d++)
	{
		one_shape(make_shape(1, 12 + d, 16, 16, 16, 3, 1), d == 0);
		one_shape(make_shape(2, 16, 16 + d, 32, 80, 3, 1), false);
		one_shape(make_shape(3, 24 + d, 24, 16, 64, 3, 1), false);
	}
	one_shape(make_shape(1, 12, 16, 128, 144, 3, 1), false);
}

/* The same where the twin takes long: for the set that will be used. */
static inline void
test_winograd_large(void)
{
	one_shape(make_shape(12, 4, 4, 144, 128, 3, 1), false);
	one_shape(make_shape(1, 28, 28, 896, 16, 3, 1), false);
	one_shape(make_shape(5, 32, 28, 16, 32, 3, 1), false);
}

int
main(void)
{
#if defined(__SANITIZE_ADDRESS__)
	/* Slow there: the set that will be used, whose source is all sets'. */
	const char *const sets[] = {mmrd_isa_get()->name};
#else
	static const char *const sets[] = {"plain", "avx2", "avx512"};
#endif

	field_threads_start();
	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++)
	{
		if (!mmrd_isa_select(sets[i]))
		{
			fprintf(stderr, "this processor has no %s: not tested\n", sets[i]);
			continue;
		}
		test_tiles();
		test_winograd();
	}
#if !defined(__SANITIZE_ADDRESS__)
	test_winograd_large();
#endif
	test_small();
	test_blocks();
	test_gradients();
	mmrd_threads_stop();
	return check_result();
}
