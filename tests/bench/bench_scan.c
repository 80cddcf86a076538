/*
 * tests/bench/bench_scan.c
 *	  Where the time of one scan goes, from the bytes of two 512 x 512 PNGs to
 *	  a score: decode, resize, network and map.
 *
 *	  bench_scan ARCH [threads] [runs]
 *
 * The scan is a generated one (model/synth/), compressed as files are.  Median
 * milliseconds of each part; "map" is the part of the network's time that
 * cosine maps, enlargement and blur take, measured by themselves.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loader/image/format.h"
#include "loader/image/png.h"
#include "model/base/clock.h"
#include "model/input/input_image.h"
#include "model/kernel/blur.h"
#include "model/kernel/cosine_map.h"
#include "model/kernel/upsample.h"
#include "model/mmrd.h"
#include "model/synth/synth_scan.h"

enum
{
	SIDE = 512, /* pixels of the files */
	MAX_RUNS = 100
};

static int
by_value(const void *a, const void *b)
{
	const double x = *(const double *) a;
	const double y = *(const double *) b;

	return x < y ? -1 : x > y;
}

static void
must(mmrd_status st, const mmrd_error *err)
{
	if (st == MMRD_OK)
		return;
	fprintf(stderr, "bench_scan: %s. %s\n", err->message, err->detail);
	exit(1);
}

static void
report(const char *part, double *times, int runs)
{
	qsort(times, (size_t) runs, sizeof(*times), by_value);
	printf("  %-22s %8.2f ms (min %.2f, max %.2f)\n", part, times[runs / 2],
	       times[0], times[runs - 1]);
}

/* Cosine maps of three stages, enlarged, added up and blurred. */
static void
make_map(const mmrd_scorer_view *view, int S, float *small, float *map,
         float *work)
{
	for (int i = 0; i < MMRD_STAGES; i++)
	{
		mmrd_cosine_map(view->pixels[i], view->channels[i], view->target[i],
		                view->target_ld[i], view->restored[i],
		                view->restored_ld[i], small);
		mmrd_upsample(S >> (i + 2), small, S, i > 0, map);
	}
	mmrd_blur(S, map, map, work);
}

int
main(int argc, char **argv)
{
	static double decode[MAX_RUNS];
	static double resize[MAX_RUNS];
	static double network[MAX_RUNS];
	static double maps[MAX_RUNS];
	const int threads = argc > 2 ? atoi(argv[2]) : 2;
	const int runs = argc > 3 ? atoi(argv[3]) : 15;
	const mmrd_raster_limits limits = {1 << 26, (size_t) 1 << 30};
	mmrd_arch arch = MMRD_ARCH_RESNET18;
	mmrd_config config;
	mmrd_error err = {0};
	mmrd_synth scan;
	uint8_t *files[2];
	size_t n_bytes[2];
	float *inputs[2];
	mmrd_weights *weights = NULL;
	mmrd_weights_source source;
	mmrd_scorer *scorer = NULL;
	mmrd_scorer_view view;
	void *packed;
	float *map;
	float *scratch;
	float score;
	size_t S;

	if (runs < 1 || runs > MAX_RUNS ||
	    (argc > 1 && !mmrd_arch_parse(argv[1], &arch)))
		return 2;
	mmrd_threads_start(threads);
	mmrd_config_init(&config);
	config.arch = arch;
	S = (size_t) config.input_size;
	must(mmrd_synth_scan(1, 0, false, SIDE, MMRD_SYNTH_NORMALS, &scan, &err),
	     &err);
	must(mmrd_png_encode(&scan.rgb, 6, &files[0], &n_bytes[0], &err), &err);
	must(mmrd_png_encode(&scan.aux, 6, &files[1], &n_bytes[1], &err), &err);
	must(mmrd_weights_create(&config, &weights, &err), &err);
	mmrd_weights_init_teacher(weights);
	mmrd_weights_init_student(weights, 1);
	source.weights = weights;
	source.buffer = malloc(mmrd_weights_largest(weights) * sizeof(float));
	packed = aligned_alloc(64, mmrd_packed_bytes(&config));
	must(
	    mmrd_packed_build(&config, mmrd_weights_lookup, &source, packed, &err),
	    &err);
	must(mmrd_scorer_create(&config, NULL, &scorer, &err), &err);
	map = malloc(S * S * sizeof(float));
	scratch = malloc(2 * S * S * sizeof(float));
	for (int m = 0; m < 2; m++)
		inputs[m] = malloc(S * S * 3 * sizeof(float));

	for (int k = -1; k < runs; k++)
	{
		const int at = k < 0 ? 0 : k; /* the first one warms up */
		const float *in[2] = {inputs[0], inputs[1]};
		mmrd_raster images[2];
		double t = mmrd_clock_ms();

		for (int m = 0; m < 2; m++)
			must(mmrd_image_decode(files[m], n_bytes[m], &limits, &images[m],
			                       &err),
			     &err);
		decode[at] = mmrd_clock_ms() - t;
		t = mmrd_clock_ms();
		for (int m = 0; m < 2; m++)
			must(mmrd_input_image(&images[m], NULL, (int) S, inputs[m], &err),
			     &err);
		resize[at] = mmrd_clock_ms() - t;
		t = mmrd_clock_ms();
		must(mmrd_scorer_run(scorer, packed, in, map, &score, &err), &err);
		network[at] = mmrd_clock_ms() - t;
		mmrd_scorer_look(scorer, &view);
		t = mmrd_clock_ms();
		make_map(&view, (int) S, scratch, map, scratch + S * S);
		maps[at] = mmrd_clock_ms() - t;
		for (int m = 0; m < 2; m++)
			mmrd_raster_clear(&images[m]);
	}
	printf("%s, %d threads: two PNGs of %d x %d, %zu and %zu bytes\n",
	       mmrd_arch_name(arch), mmrd_threads(), SIDE, SIDE, n_bytes[0],
	       n_bytes[1]);
	report("decode, one thread", decode, runs);
	report("resize, one thread", resize, runs);
	report("network with map", network, runs);
	report("of which map", maps, runs);
	return 0;
}
