/*
 * tests/bench/bench_case.c
 *	  mmrd's side of a comparison with other runtimes (README.md): the same
 *	  case, the same protocol.
 *
 *	  bench_case DIR [threads] [batch]
 *
 * Reads DIR/model.safetensors and the inputs, checks its map against
 * DIR/map.f32, prints a line {"ready": ...}, and then makes one run for each
 * line it reads: "score", "bfloat16" (a score in that precision, whose map is
 * only reported, not held to the peers' tolerance) or "train" (a step on
 * `batch` scans with teacher features already computed), and prints {"mode":
 *..., "seconds": ...} per scan.
 */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "loader/weights/weights_file.h"
#include "model/base/random.h"
#include "model/kernel/isa.h"
#include "model/mmrd.h"

#define MAP_TOLERANCE 1e-4 /* of max(|value|, rms): what the peers allow */

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double) t.tv_sec + (double) t.tv_nsec * 1e-9;
}

static void
must(mmrd_status st, const mmrd_error *err)
{
	if (st == MMRD_OK)
		return;
	fprintf(stderr, "bench_case: %s. %s\n", err->message, err->detail);
	exit(1);
}

static void *
read_file(const char *folder, const char *name, size_t *n_bytes)
{
	char path[1024];
	FILE *f;
	char *bytes;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	f = fopen(path, "rb");
	if (f == NULL || fseek(f, 0, SEEK_END) != 0)
	{
		perror(path);
		exit(1);
	}
	*n_bytes = (size_t) ftell(f);
	rewind(f);
	bytes = malloc(*n_bytes);
	if (bytes == NULL || fread(bytes, 1, *n_bytes, f) != *n_bytes)
	{
		perror(path);
		exit(1);
	}
	fclose(f);
	return bytes;
}

static void
read_config(const mmrd_weights_file *file, mmrd_config *config)
{
	const char *text = mmrd_weights_file_metadata(file, "config");
	json_t *json = json_loads(text != NULL ? text : "{}", 0, NULL);
	const char *arch_name = json_string_value(json_object_get(json, "arch"));
	const char *prior_at =
	    json_string_value(json_object_get(json, "prior_at"));
	mmrd_arch arch = MMRD_ARCH_RESNET18;

	mmrd_config_init(config);
	if (arch_name != NULL && mmrd_arch_parse(arch_name, &arch))
		config->arch = arch;
	if (prior_at != NULL && strcmp(prior_at, "same") == 0)
		config->prior_at = MMRD_PRIOR_SAME;
	if (json_object_get(json, "n_aux") != NULL)
		config->n_aux =
		    (int) json_integer_value(json_object_get(json, "n_aux"));
	if (json_object_get(json, "input_size") != NULL)
		config->input_size =
		    (int) json_integer_value(json_object_get(json, "input_size"));
	json_decref(json);
}

/* One modality of the scan, (3, S, S) in the file, (S, S, 3) here. */
static float *
read_image(const char *folder, int modality, size_t S)
{
	char name[32];
	size_t n_bytes;
	float *chw;
	float *hwc = malloc(S * S * 3 * sizeof(float));

	snprintf(name, sizeof(name), "%s.f32", mmrd_modality_name(modality));
	chw = read_file(folder, name, &n_bytes);
	if (n_bytes != S * S * 3 * sizeof(float))
	{
		fprintf(stderr, "bench_case: %s has the wrong size\n", name);
		exit(1);
	}
	for (size_t p = 0; p < S * S; p++)
		for (size_t c = 0; c < 3; c++)
			hwc[p * 3 + c] = chw[c * S * S + p];
	free(chw);
	return hwc;
}

static double
map_error(const char *folder, size_t S, const float *map)
{
	size_t n_bytes;
	float *want = read_file(folder, "map.f32", &n_bytes);
	double square = 0;
	double worst = 0;

	for (size_t i = 0; i < S * S; i++)
		square += (double) want[i] * want[i];
	for (size_t i = 0; i < S * S; i++)
	{
		const double size =
		    fmax(fabs((double) want[i]), sqrt(square / (double) (S * S)));

		worst = fmax(worst, fabs((double) map[i] - want[i]) / size);
	}
	free(want);
	return worst;
}

/* A trainer at its first step, with random records. */
static mmrd_trainer *
make_trainer(const mmrd_config *config, mmrd_weights_file *file, int batch,
             uint16_t **records)
{
	mmrd_train_options options;
	mmrd_trainer *t = NULL;
	mmrd_error err = {0};
	mmrd_random r = mmrd_random_create(1, "records");

	mmrd_train_options_init(&options);
	options.batch_size = batch;
	must(mmrd_trainer_create(config, &options, batch, 0, NULL, &t, &err),
	     &err);
	must(mmrd_trainer_begin(t, &err), &err);
	must(mmrd_weights_load(mmrd_trainer_weights(t), ~0u,
	                       mmrd_weights_file_lookup, file, &err),
	     &err);
	for (int i = 0; i < batch; i++)
	{
		const size_t n = mmrd_trainer_record_count(config);

		records[i] = malloc(n * sizeof(uint16_t));
		for (size_t k = 0; k < n; k++) /* binary16 in [1, 2) */
			records[i][k] =
			    (uint16_t) (0x3c00 | (mmrd_random_bits(&r) & 0x3ff));
	}
	return t;
}

/* A model ready to score in one precision, and its map's error. */
typedef struct ready
{
	mmrd_config config;
	mmrd_scorer *scorer;
	void *packed;
	double map_error;
} ready;

static ready
make_ready(const mmrd_config *config, int precision, mmrd_weights_file *file,
           const char *folder, const float *const *inputs, float *map)
{
	ready r = {.config = *config};
	mmrd_error err = {0};
	float score;

	r.config.precision = precision;
	r.packed = aligned_alloc(64, mmrd_packed_bytes(&r.config));
	must(mmrd_packed_build(&r.config, mmrd_weights_file_lookup, file, r.packed,
	                       &err),
	     &err);
	must(mmrd_scorer_create(&r.config, NULL, &r.scorer, &err), &err);
	must(mmrd_scorer_run(r.scorer, r.packed, inputs, map, &score, &err), &err);
	r.map_error = map_error(folder, (size_t) config->input_size, map);
	return r;
}

int
main(int argc, char **argv)
{
	const char *folder = argc > 1 ? argv[1] : ".";
	const int threads = argc > 2 ? atoi(argv[2]) : 2;
	const int batch = argc > 3 ? atoi(argv[3]) : 16;
	mmrd_config config;
	mmrd_error err = {0};
	mmrd_weights_file *file = NULL;
	ready both[2];
	mmrd_trainer *trainer = NULL;
	const float *inputs[MMRD_MAX_MODALITIES];
	uint16_t *records[MMRD_MAX_BATCH];
	size_t n_bytes;
	size_t S;
	float score;
	float *map;
	void *bytes = read_file(folder, "model.safetensors", &n_bytes);
	char mode[32];

	if (batch < 1 || batch > MMRD_MAX_BATCH)
		return 2;
	mmrd_threads_start(threads);
	must(mmrd_weights_file_open(bytes, n_bytes, NULL, &file, &err), &err);
	read_config(file, &config);
	S = (size_t) config.input_size;
	for (int m = 0; m <= config.n_aux; m++)
		inputs[m] = read_image(folder, m, S);
	map = malloc(S * S * sizeof(float));
	for (int i = 0; i < 2; i++)
		both[i] = make_ready(&config, i == 0 ? MMRD_FLOAT32 : MMRD_BFLOAT16,
		                     file, folder, inputs, map);
	if (!(both[0].map_error <= MAP_TOLERANCE))
	{
		fprintf(stderr,
		        "bench_case: the map differs from map.f32 by %.2e (allowed "
		        "%.0e); nothing was timed\n",
		        both[0].map_error, MAP_TOLERANCE);
		return 1;
	}
	printf("{\"ready\": [\"score\", \"bfloat16\", \"train\"], "
	       "\"peer\": \"mmrd\", "
	       "\"version\": \"%s\", \"threads\": %d, \"arch\": \"%s\", "
	       "\"map_error\": %.2e, \"bfloat16_map_error\": %.2e, "
	       "\"model_mb\": %.0f, \"bfloat16_model_mb\": %.0f, "
	       "\"work_mb\": %.0f}\n",
	       mmrd_isa_get()->name, mmrd_threads(), mmrd_arch_name(config.arch),
	       both[0].map_error, both[1].map_error,
	       (double) mmrd_packed_bytes(&both[0].config) / 1e6,
	       (double) mmrd_packed_bytes(&both[1].config) / 1e6,
	       (double) mmrd_scorer_bytes(&config) / 1e6);
	fflush(stdout);
	while (scanf("%31s", mode) == 1)
	{
		const ready *r = &both[strcmp(mode, "bfloat16") == 0];
		const bool train = strcmp(mode, "train") == 0;
		mmrd_batch b = {0};
		mmrd_losses losses;
		double t;

		if (train && trainer == NULL)
			trainer = make_trainer(&config, file, batch, records);
		b.n = batch;
		t = now();
		if (train)
			must(mmrd_trainer_step(trainer, &b,
			                       (const uint16_t *const *) records, &losses,
			                       &err),
			     &err);
		else
			must(mmrd_scorer_run(r->scorer, r->packed, inputs, map, &score,
			                     &err),
			     &err);
		t = (now() - t) / (train ? batch : 1);
		printf("{\"peer\": \"mmrd\", \"mode\": \"%s\", \"seconds\": %.6f}\n",
		       mode, t);
		fflush(stdout);
	}
	return 0;
}
