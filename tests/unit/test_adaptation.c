/*
 * tests/unit/test_adaptation.c
 *	  Batch-norm adaptation of the teacher against golden numbers: running
 *	  statistics after passes with a partial last batch, and the features that
 *	  the adapted teacher then makes.  The same bits for 1 and 2 threads.
 */
#include "model/net/adaptation.h"
#include "model/net/network.h"
#include "tests/unit/golden_file.h"

/* Means and variances of means: a few roundings of float32. */
#define TOL 1e-4

static float *
make_images(int modality, int n, size_t S)
{
	const int64_t dims[4] = {n, 3, (int64_t) S, (int64_t) S};
	const size_t count = (size_t) n * 3 * S * S;
	float *nchw = malloc(count * sizeof(float));
	float *nhwc = malloc(count * sizeof(float));
	char name[32];

	snprintf(name, sizeof(name), "input.%s", mmrd_modality_name(modality));
	golden_fill(name, 4, dims, count, nchw);
	for (size_t b = 0; b < (size_t) n; b++)
		for (size_t c = 0; c < 3; c++)
			for (size_t p = 0; p < S * S; p++)
				nhwc[(b * S * S + p) * 3 + c] = nchw[(b * 3 + c) * S * S + p];
	free(nchw);
	return nhwc;
}

static void
adapt(const json_t *json, const mmrd_network *net, mmrd_adaptation *a,
      mmrd_weights *w, float *const *images)
{
	const int scans = (int) json_integer_value(json_object_get(json, "scans"));
	const int batch = (int) json_integer_value(json_object_get(json, "batch"));
	const int passes =
	    (int) json_integer_value(json_object_get(json, "bn_epochs"));
	const size_t S = (size_t) net->config.input_size;
	const json_t *order = json_object_get(json, "order");
	mmrd_error err = {0};

	golden_weights(w);
	for (int pass = 0; pass < passes; pass++)
	{
		for (int at = 0; at < scans; at += batch)
		{
			for (int m = 0; m <= net->config.n_aux; m++)
			{
				const float *list[16];
				int n = 0;

				for (; n < batch && at + n < scans; n++)
					list[n] = images[m] +
					          (size_t) json_integer_value(
					              json_array_get(order, (size_t) (at + n))) *
					              S * S * 3;
				CHECK(mmrd_adaptation_step(a, w, m, n, list, &err) == MMRD_OK,
				      "%s", err.message);
			}
		}
	}
}

static void
check_statistics(const json_t *json, mmrd_weights *w)
{
	float *buffer = malloc(mmrd_weights_largest(w) * sizeof(float));

	for (int i = 0; i < w->n_tensors; i++)
	{
		if (w->tensors[i].role != MMRD_ROLE_TEACHER_STAT)
			continue;
		mmrd_weights_get(w, i, buffer);
		golden_compare(w->tensors[i].name,
		               json_object_get(json, w->tensors[i].name),
		               w->tensors[i].count, buffer, TOL, false);
	}
	free(buffer);
}

/* Features of scans 0 and 1 with the adapted statistics. */
static void
check_features(const json_t *json, const mmrd_network *net, mmrd_adaptation *a,
               const mmrd_weights *w, float *const *images)
{
	const size_t S = (size_t) net->config.input_size;
	mmrd_error err = {0};

	CHECK(mmrd_adaptation_prepare(a, w, &err) == MMRD_OK, "%s", err.message);
	for (int stage = 0; stage < MMRD_STAGES; stage++)
	{
		const int side = mmrd_stage_size(&net->config, stage + 1);
		const int P = side * side;
		const int C = mmrd_stage_channels(net->config.arch, stage + 1);
		float *both[2];

		both[0] = malloc((size_t) 2 * P * C * sizeof(float));
		both[1] = malloc((size_t) 2 * P * C * sizeof(float));
		for (int b = 0; b < 2; b++)
		{
			const float *in[2] = {images[0] + (size_t) b * S * S * 3,
			                      images[1] + (size_t) b * S * S * 3};

			CHECK(mmrd_adaptation_run(a, in, &err) == MMRD_OK, "%s",
			      err.message);
			for (int m = 0; m < 2; m++)
			{
				const float *map = mmrd_adaptation_map(a, m, stage);

				for (int c = 0; c < C; c++)
					for (int p = 0; p < P; p++)
						both[m][((size_t) b * C + c) * P + p] =
						    map[(size_t) p * C + c];
			}
		}
		for (int m = 0; m < 2; m++)
		{
			char name[32];

			snprintf(name, sizeof(name), "teacher_%s_%d",
			         mmrd_modality_name(m), stage + 1);
			golden_compare(name, json_object_get(json, name),
			               (size_t) 2 * P * C, both[m], TOL, false);
			free(both[m]);
		}
	}
}

int
main(void)
{
	json_error_t json_err;
	json_t *json = json_load_file("tests/golden/adapt.json", 0, &json_err);
	mmrd_config config;
	mmrd_network *net = NULL;
	mmrd_weights *w = NULL;
	mmrd_weights *serial = NULL;
	mmrd_adaptation *a = NULL;
	mmrd_error err = {0};
	float *images[2];
	int scans;

	CHECK(json != NULL, "%s", json_err.text);
	if (json == NULL)
		return check_result();
	mmrd_config_init(&config);
	config.input_size =
	    (int) json_integer_value(json_object_get(json, "size"));
	scans = (int) json_integer_value(json_object_get(json, "scans"));
	mmrd_threads_start(2);
	CHECK(mmrd_network_create(&config, &net, &err) == MMRD_OK &&
	          mmrd_weights_create(&config, &w, &err) == MMRD_OK &&
	          mmrd_weights_create(&config, &serial, &err) == MMRD_OK &&
	          mmrd_adaptation_create(net, 16, 0, NULL, &a, &err) == MMRD_OK,
	      "%s", err.message);
	for (int m = 0; m < 2; m++)
		images[m] = make_images(m, scans, (size_t) config.input_size);

	adapt(json, net, a, w, images);
	check_statistics(json, w);
	check_features(json, net, a, w, images);

	mmrd_threads_set(1);
	adapt(json, net, a, serial, images);
	CHECK(memcmp(w->values, serial->values, w->n_values * sizeof(float)) == 0,
	      "statistics depend on the number of threads");

	free(images[0]);
	free(images[1]);
	mmrd_adaptation_free(a);
	mmrd_weights_free(w);
	mmrd_weights_free(serial);
	mmrd_network_free(net);
	json_decref(json);
	mmrd_threads_stop();
	return check_result();
}
