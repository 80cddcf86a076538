/*
 * tests/unit/test_modulation.c
 *	  Fusion of modalities against the twin.
 */
#include "model/kernel/modulation.h"

#include "tests/unit/field.h"

static const char *const names[] = {"by sum", "by aux", "not"};

/*
 * v (rgb plus aux), its mean and their distance d are each rounded at `size`:
 * d is off by 1.5 EPS size.  With x = d / std, alpha = sigmoid(x^2) changes by
 * 2 x sigmoid'(x^2) / std of that, at most 0.4, and about as much again
 * through the variance: 1.5 EPS size / std, times aux.  Then a few roundings
 * of alpha and of the sum, at sizes up to `size`.
 */
static double
tolerance(double size, double std)
{
	return EPS * size * (12 + 1.5 * size / std);
}

static void
one_shape(int P, int C, int n_aux, mmrd_modulation_source by, float offset)
{
	field rgb = field_create((size_t) P, C, 0, 0);
	field aux[2] = {field_create((size_t) P, C, 0, 0),
	                field_create((size_t) P, C, 0, 0)};
	const float *a[2] = {aux[0].x, aux[1].x};
	field want = field_create((size_t) P, C, 1, 2);
	field got = field_create((size_t) P, C, 1, 2);
	field serial = field_create((size_t) P, C, 1, 2);
	/* Each part: uniform of width 2, variance 1/3; P 1: no variance. */
	const double std = P < 8 ? sqrt(MMRD_MODULATION_EPS) : 0.4;
	char what[120];

	snprintf(what, sizeof(what), "%s P=%d C=%d aux=%d offset=%g", names[by], P,
	         C, n_aux, (double) offset);
	field_uniform(&rgb, 1, offset - 1, offset + 1);
	field_uniform(&aux[0], 2, offset - 1, offset + 1);
	field_uniform(&aux[1], 3, -1, 1);
	mmrd_modulate_ref(P, C, n_aux, rgb.x, a, by, want.x, want.ld);
	mmrd_modulate(P, C, n_aux, rgb.x, a, by, got.x, got.ld);
	mmrd_threads_set(1);
	mmrd_modulate(P, C, n_aux, rgb.x, a, by, serial.x, serial.ld);
	mmrd_threads_set(2);
	field_check(what, &got, &want,
	            n_aux == 0 ? 0 : tolerance(2 * offset + 3.0, std));
	field_check_bits(what, &got, &serial);
	field_free(&rgb);
	field_free(&aux[0]);
	field_free(&aux[1]);
	field_free(&want);
	field_free(&got);
	field_free(&serial);
}

/* A channel that is the same everywhere: alpha is 1/2. */
static void
test_constant(void)
{
	field rgb = field_create(9, 2, 0, 0);
	field aux = field_create(9, 2, 0, 0);
	field t = field_create(9, 2, 0, 0);
	const float *a[1] = {aux.x};

	field_uniform(&rgb, 1, 0.7f, 0.7f);
	field_uniform(&aux, 1, 123.4f, 123.4f);
	mmrd_modulate(9, 2, 1, rgb.x, a, MMRD_MODULATE_BY_SUM, t.x, 2);
	for (int i = 0; i < 18; i++)
		CHECK(fabs(t.x[i] - (0.7 + 123.4 / 2)) <= 2 * EPS * 64,
		      "element %d: got %.9g, want 62.4", i, (double) t.x[i]);
	field_free(&rgb);
	field_free(&aux);
	field_free(&t);
}

int
main(void)
{
	static const int pixels[] = {1, 2, 9, 64, 255};
	static const int channels[] = {1, 15, 16, 17, 33};

	field_threads_start();
	for (size_t i = 0; i < sizeof(pixels) / sizeof(pixels[0]); i++)
	{
		for (size_t k = 0; k < sizeof(channels) / sizeof(channels[0]); k++)
		{
			for (int n_aux = 0; n_aux <= 2; n_aux++)
			{
				for (int by = 0; by <= MMRD_MODULATE_NOT; by++)
				{
					one_shape(pixels[i], channels[k], n_aux,
					          (mmrd_modulation_source) by, 0);
					one_shape(pixels[i], channels[k], n_aux,
					          (mmrd_modulation_source) by, 50);
				}
			}
		}
	}
	test_constant();
	mmrd_threads_stop();
	return check_result();
}
