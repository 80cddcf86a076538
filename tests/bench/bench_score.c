/*
 * tests/bench/bench_score.c
 *	  Time of one score, network only, and of every convolution in it.
 *
 *	  bench_score ARCH [threads] [runs] [float32|bfloat16] [layers]
 *
 * Weights are the built-in teacher's and a student's initial values: what they
 * are does not matter for time.  The table's GFLOP/s count a convolution as
 * the direct way would, whatever method is used, so that one which leaves
 * multiplications out can have more than the processor's peak, of which each
 * has the share in the last column (peak.h).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/base/clock.h"
#include "model/kernel/conv.h"
#include "model/kernel/isa.h"
#include "model/mmrd.h"
#include "model/net/forward.h"
#include "tests/bench/peak.h"

static int
by_value(const void *a, const void *b)
{
	const double x = *(const double *) a;
	const double y = *(const double *) b;

	return x < y ? -1 : x > y;
}

static void
fail(const mmrd_error *err)
{
	fprintf(stderr, "%s %s\n", err->message, err->detail);
	exit(1);
}

static void *
aligned(size_t n_floats)
{
	void *p = aligned_alloc(64, (n_floats * sizeof(float) + 63) & ~63ul);

	memset(p, 0, n_floats * sizeof(float));
	return p;
}

/* Every convolution of a program, alone, the fastest of `runs`; adds up. */
static void
layers(const char *what, const mmrd_program *p, int N, int runs, double peak,
       double *gmacs, double *ms)
{
	for (int i = 0; i < p->n_units; i++)
	{
		const mmrd_unit *u = &p->units[i];
		mmrd_conv_shape s = mmrd_unit_shape(p, u, N);
		mmrd_epilogue e = {0};
		double best = 1e9;
		double gmac;
		float *x, *w, *y, *packed, *work, *fold;

		if (u->kind == MMRD_UNIT_MAXPOOL)
			continue;
		s.x_ld = s.C;
		s.y_ld = s.O;
		x = aligned((size_t) s.N * s.H * s.W * s.C);
		y = aligned((size_t) s.N * s.OH * s.OW * s.O);
		w = aligned((size_t) s.K * s.K * s.C * s.O);
		fold = aligned(2 * (size_t) s.N * s.O);
		packed = aligned(mmrd_conv_packed(&s));
		work = aligned(mmrd_conv_work(&s, mmrd_threads()));
		mmrd_conv_pack(&s, w, packed);
		e.scale = fold;
		e.shift = fold;
		e.images_per_group = 1;
		e.relu = true;
		for (int k = 0; k < runs; k++)
		{
			const double t = mmrd_clock_ms();

			mmrd_conv_forward(&s, x, packed, &e, y, work);
			best = mmrd_clock_ms() - t < best ? mmrd_clock_ms() - t : best;
		}
		gmac = (double) s.N * s.K * s.K * s.C * s.O *
		       (s.transposed ? s.H * s.W : s.OH * s.OW) * 1e-9;
		printf("%-8s %3dx%-3d %4d -> %4d %dx%d/%d %-13s %7.3f GMAC %8.3f ms "
		       "%7.1f GFLOP/s %4.0f %%\n",
		       what, s.OH, s.OW, s.C, s.O, s.K, s.K, s.stride,
		       mmrd_conv_method_name(&s), gmac, best, 2 * gmac / best * 1e3,
		       peak > 0 ? 200 * gmac / best * 1e3 / peak : 0);
		*gmacs += gmac;
		*ms += best;
		free(x);
		free(y);
		free(w);
		free(fold);
		free(packed);
		free(work);
	}
}

int
main(int argc, char **argv)
{
	mmrd_config config;
	mmrd_error err = {0};
	mmrd_arch arch = MMRD_ARCH_RESNET18;
	mmrd_weights *weights = NULL;
	mmrd_weights_source source;
	mmrd_scorer *scorer = NULL;
	mmrd_network *net = NULL;
	const int threads = argc > 2 ? atoi(argv[2]) : 2;
	const int runs = argc > 3 ? atoi(argv[3]) : 7;
	double times[100];
	const float *inputs[MMRD_MAX_MODALITIES];
	float *map;
	float *packed;
	float score;
	double sum = 0;
	double gmacs = 0;
	double ms = 0;

	if (runs < 1 || runs > 100 ||
	    (argc > 1 && !mmrd_arch_parse(argv[1], &arch)))
	{
		fprintf(stderr, "bench_score ARCH [threads] [runs] "
		                "[float32|bfloat16] [layers]\n");
		return 2;
	}
	mmrd_threads_start(threads);
	mmrd_config_init(&config);
	config.arch = arch;
	if (argc > 4 && strcmp(argv[4], "bfloat16") == 0)
		config.precision = MMRD_BFLOAT16;
	if (mmrd_weights_create(&config, &weights, &err) != MMRD_OK ||
	    mmrd_scorer_create(&config, NULL, &scorer, &err) != MMRD_OK ||
	    mmrd_network_create(&config, &net, &err) != MMRD_OK)
		fail(&err);
	mmrd_weights_init_teacher(weights);
	mmrd_weights_init_student(weights, 1);
	source.weights = weights;
	source.buffer = malloc(mmrd_weights_largest(weights) * sizeof(float));
	packed = aligned(mmrd_packed_bytes(&config) / sizeof(float));
	if (mmrd_packed_build(&config, mmrd_weights_lookup, &source, packed,
	                      &err) != MMRD_OK)
		fail(&err);
	map = aligned((size_t) config.input_size * config.input_size);
	for (int m = 0; m <= config.n_aux; m++)
	{
		float *in =
		    aligned((size_t) config.input_size * config.input_size * 3);

		for (int i = 0; i < config.input_size * config.input_size * 3; i++)
			in[i] = (float) (i * 7919 % 1000) / 500.0f - 1.0f;
		inputs[m] = in;
	}
	for (int k = -1; k < runs; k++)
	{
		const double t = mmrd_clock_ms();

		if (mmrd_scorer_run(scorer, packed, inputs, map, &score, &err) !=
		    MMRD_OK)
			fail(&err);
		if (k >= 0)
		{
			times[k] = mmrd_clock_ms() - t;
			sum += times[k];
		}
	}
	qsort(times, (size_t) runs, sizeof(times[0]), by_value);
	printf("%s, %s, %s, %d threads: score %.2f ms (min %.2f, max %.2f, "
	       "mean %.2f, %d runs), "
	       "model %.0f MB, working memory %.0f MB\n",
	       mmrd_arch_name(arch),
	       config.precision == MMRD_BFLOAT16 ? "bfloat16" : "float32",
	       mmrd_isa_get()->name, mmrd_threads(), times[runs / 2], times[0],
	       times[runs - 1], sum / runs, runs,
	       (double) mmrd_packed_bytes(&config) / 1e6,
	       (double) mmrd_scorer_bytes(&config) / 1e6);
	if (argc > 5)
	{
		const double peak = peak_gflops(config.precision == MMRD_BFLOAT16);

		printf("peak: %.0f GFLOP/s, of which each has, counted as direct:\n",
		       peak);
		layers("teacher", &net->teacher, 1 + config.n_aux, runs, peak, &gmacs,
		       &ms);
		layers("student", &net->student, 1, runs, peak, &gmacs, &ms);
		printf("all of them %.2f GMAC %.2f ms, %.0f %%; the whole score "
		       "%.0f %%\n",
		       gmacs, ms, 200 * gmacs / ms * 1e3 / peak,
		       200 * gmacs / times[runs / 2] * 1e3 / peak);
	}
	return 0;
}
