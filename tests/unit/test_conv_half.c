/*
 * tests/unit/test_conv_half.c
 *	  Convolutions with products of bfloat16 numbers against the twin on
 *	  rounded maps and weights, one thread against two, for every set of
 *	  instructions here.
 *
 * Tolerance of tiles and the stem: products of two bfloat16 numbers are exact
 * in float32, so a sum of n terms below one has the error of a float32 sum,
 * n * EPS / 2.  Winograd rounds transformed maps and weights instead.  In
 * units of 2^-8 * sqrt(9 * C) / 3, the magnitude of a sum of such products
 * times a rounding, an independent emulation in float64 (numpy, 2,000 tiles)
 * has errors of 3.1 as a root mean square over a tile and of 5.0 at its worst
 * place; allowed are WINO_RMS, and six times the latter.  A channel left out
 *at one tap is 256 / sqrt(9 * C) of these units: 21 where channels are few.
 */
#include "model/base/half.h"
#include "model/kernel/conv.h"
#include "model/kernel/isa.h"

#include "tests/unit/field.h"

#define WINO_TOL 30
#define WINO_RMS 4

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
	s.bf16 = true;
	return s;
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
rounded(const field *f, size_t P, int C, int lead, int trail)
{
	field out = field_create(P, C, lead, trail);

	for (size_t k = 0; k < field_count(f); k++)
		*field_element(&out, k) =
		    mmrd_bf16_to_float(mmrd_bf16_from_float(*field_element(f, k)));
	return out;
}

static double
rms_difference(const field *a, const field *b)
{
	double sum = 0;

	for (size_t k = 0; k < field_count(a); k++)
	{
		const double d = (double) *field_element(a, k) - *field_element(b, k);

		sum += d * d;
	}
	return sqrt(sum / (double) field_count(a));
}

/* With a whole epilogue, or none, against the twin. */
static void
compare(const mmrd_conv_shape *s, const field *x, const field *rx,
        const field *rw, const float *packed, const mmrd_epilogue *e,
        float *work)
{
	const size_t P = (size_t) s->N * s->OH * s->OW;
	const int extra = s->y_ld - s->O;
	field want = field_create(P, s->O, 0, extra);
	field got = field_create(P, s->O, 0, extra);
	field serial = field_create(P, s->O, 0, extra);
	const bool wino = strstr(mmrd_conv_method_name(s), "winograd") != NULL;
	const double size = sqrt(9.0 * s->C) / 3 / 256;
	double tol =
	    wino ? WINO_TOL * size : (s->K * s->K * s->C + 8) * (double) EPS / 2;
	char what[200];

	snprintf(what, sizeof(what),
	         "%s, %s, %s: N=%d H=%d W=%d C=%d O=%d K=%d stride=%d ld=%d/%d",
	         mmrd_conv_method_name(s), mmrd_isa_get()->name,
	         e != NULL ? "epilogue" : "alone", s->N, s->H, s->W, s->C, s->O,
	         s->K, s->stride, s->x_ld, s->y_ld);
	CHECK(strncmp(what, "half ", 5) == 0, "%s", what);
	mmrd_conv_forward_ref(s, rx->x, rw->x, e, want.x);
	if (e != NULL)
		tol += 3 * EPS * (field_max(&want) + 3);
	mmrd_conv_forward(s, x->x, packed, e, got.x, work);
	field_check(what, &got, &want, tol);
	if (wino)
	{
		const double rms = rms_difference(&got, &want);

		CHECK(rms <= WINO_RMS * size, "%s: rms %g, allowed %g", what, rms,
		      WINO_RMS * size);
	}
	mmrd_threads_set(1);
	mmrd_conv_forward(s, x->x, packed, e, serial.x, work);
	mmrd_threads_set(2);
	field_check_bits(what, &got, &serial);
	field_free(&want);
	field_free(&got);
	field_free(&serial);
}

static void
one_shape(mmrd_conv_shape s)
{
	for (int wide = 0; wide < 2; wide++)
	{
		const size_t P = (size_t) s.N * s.H * s.W;
		const int extra = wide ? 5 : 0;
		const size_t n_w = (size_t) s.K * s.K * s.C * s.O;
		field x = field_create(P, s.C, 0, extra);
		field w = field_array(n_w);
		field scale = field_array((size_t) s.N * s.O);
		field shift = field_array((size_t) s.N * s.O);
		field res =
		    field_create((size_t) s.N * s.OH * s.OW, s.O, 0, 1 + extra);
		const mmrd_epilogue e = {scale.x, shift.x, 1, res.x, res.ld, true};
		field rx;
		field rw;
		float *packed;
		float *work;

		s.x_ld = s.C + extra;
		s.y_ld = s.O + extra;
		field_random(&x, 1);
		field_random(&w, 2);
		field_random(&scale, 3);
		field_random(&shift, 4);
		field_random(&res, 5);
		rx = rounded(&x, P, s.C, 0, extra);
		rw = rounded(&w, 1, (int) n_w, 0, 0);
		packed = nan_floats(mmrd_conv_packed(&s));
		work = nan_floats(mmrd_conv_work(&s, 2));
		mmrd_conv_pack(&s, w.x, packed);
		compare(&s, &x, &rx, &rw, packed, NULL, work);
		compare(&s, &x, &rx, &rw, packed, &e, work);
		field_free(&x);
		field_free(&w);
		field_free(&scale);
		field_free(&shift);
		field_free(&res);
		field_free(&rx);
		field_free(&rw);
		free(packed);
		free(work);
	}
}

/* One either side of 6 pixels a tile and 48 a task; panels of 64 in steps of
 * 16; every kernel that is used, and the stem. */
static void
test_tiles(void)
{
	static const int channels[][2] = {{16, 16},  {32, 48},  {64, 64},
	                                  {80, 144}, {48, 272}, {112, 32}};

	for (size_t i = 0; i < sizeof(channels) / sizeof(channels[0]); i++)
	{
		const int C = channels[i][0];
		const int O = channels[i][1];

		for (int d = -1; d <= 1; d++)
		{
			one_shape(make_shape(1, 1, 6 + d, C, O, 1, 1));
			one_shape(make_shape(2, 1, 48 + d, C, O, 1, 1));
			one_shape(make_shape(1, 3, 4 + d, C, O, 3, 1));
			one_shape(make_shape(2, 5 + d, 7, C, O, 3, 2));
			one_shape(make_shape(1, 17 + d, 14, C, O, 3, 2));
			one_shape(make_shape(2, 4, 5 + d, C, O, 1, 2));
			one_shape(make_shape(1, 3 + d, 3, C, O, 2, 2));
			one_shape(make_shape(2, 9 + d, 11, 3, O, 7, 2));
			one_shape(make_shape(1, 7, 8 + d, 1, O, 3, 1));
		}
	}
}

/* Several chunks of a panel's weights: 2^18 bytes are 2048 channels. */
static void
test_chunks(void)
{
	one_shape(make_shape(1, 2, 3, 240, 64, 3, 1));
	one_shape(make_shape(1, 7, 5, 688, 64, 3, 2));
	one_shape(make_shape(1, 1, 2, 2064, 80, 3, 1));
}

/* At least 12 tiles of 4x4; one either side of a tile; 36 a task; weights
 * stored transformed and not, 64 channels at once; several super-blocks. */
static void
test_winograd(void)
{
	for (int d = -1; d <= 1; d++)
	{
		one_shape(make_shape(1, 12 + d, 16, 16, 16, 3, 1));
		one_shape(make_shape(2, 16, 16 + d, 32, 80, 3, 1));
		one_shape(make_shape(3, 24 + d, 24, 16, 64, 3, 1));
	}
	one_shape(make_shape(1, 12, 16, 128, 144, 3, 1));
	one_shape(make_shape(1, 28, 28, 896, 16, 3, 1));
}

/* Any length; ties, NaN, infinity. */
static void
test_round(void)
{
	static const float odd[] = {0.0f,     -0.0f,    1.00390625f, 1.01171875f,
	                            3.4e38f,  INFINITY, -INFINITY,   -1.0e-30f,
	                            65535.0f, 0.1f,     -123.4567f,  1.0000001f};
	const int n_odd = (int) (sizeof(odd) / sizeof(odd[0]));
	float x[40];
	uint16_t y[41];

	for (int n = 0; n <= 40; n++)
	{
		for (int i = 0; i < n; i++)
			x[i] = odd[(i * 5 + n) % n_odd];
		memset(y, 0x55, sizeof(y));
		mmrd_isa_get()->half_round(n, x, y);
		for (int i = 0; i < n; i++)
			CHECK(y[i] == mmrd_bf16_from_float(x[i]), "%g: %#x", (double) x[i],
			      y[i]);
		CHECK(y[n] == 0x5555, "written behind %d", n);
	}
	x[0] = NAN;
	mmrd_isa_get()->half_round(1, x, y);
	CHECK(isnan(mmrd_bf16_to_float(y[0])), "%#x", y[0]);
}

int
main(void)
{
#if defined(__SANITIZE_ADDRESS__)
	/* Slow there: the set that will be used, whose source is all sets'. */
	const char *const sets[] = {mmrd_isa_get()->name};
#else
	static const char *const sets[] = {"plain", "avx2", "avx512",
	                                   "avx512bf16"};
#endif

	field_threads_start();
	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++)
	{
		if (!mmrd_isa_select(sets[i]))
		{
			fprintf(stderr, "this processor has no %s: not tested\n", sets[i]);
			continue;
		}
		test_round();
		test_tiles();
		test_chunks();
		test_winograd();
	}
	mmrd_threads_stop();
	return check_result();
}
