/*
 * tests/unit/test_network_golden.c
 *	  The whole network against golden numbers computed in float64 by an
 *	  independent implementation: features, targets, priors, student maps,
 *	  map, score, losses, gradients, and tensors after some steps.
 *
 * Built twice: as it is, and (test_network_double) with float defined as
 * double throughout, where the same code must meet every number far more
 * closely.  That is the proof of the equations; the first is the proof that
 * single precision is enough.
 *
 * Files: the networks of tests/golden/ (its README tells them), and
 *../shared/golden/ where that exists (skipped loudly otherwise).
 */
#include <glob.h>

#include "model/kernel/gemm.h"
#include "model/kernel/prototype.h"
#include "model/net/network.h"
#include "model/net/student.h"
#include "model/train/adam.h"
#include "tests/unit/golden_file.h"

#ifdef MMRD_FLOAT_IS_DOUBLE
/* Constants such as the learning rate stay rounded to float: 5e-8. */
#define TOL_FEATURE 1e-6
#define TOL_LOSS_FIRST 1e-6
#define TOL_LOSS_LATER 1e-6
#define TOL_GRADIENT 1e-5
#define TOL_AFTER 1e-4 /* Adam divides by roots of the smallest gradients */
#define TOL_CANCELLING 1e-5
#define TOL_ATTENTION 1e-5
#define GRADIENT_NORM_ONLY false
#else
/* What float32 can meet (network.md 7). */
#define TOL_FEATURE 1e-4
#define TOL_LOSS_FIRST 1e-4 /* steps 1 and 2 */
/*
 * Adam's first steps are nearly signs of gradients, so that rounding grows
 * tenfold a step: at step 5 of resnet18_same PyTorch's float32 is off by 0.4 %
 * and this code, with OpenBLAS's kernels for AVX2 and AVX-512, by 0.5 and 0.7.
 */
#define TOL_LOSS_LATER 1e-2
#define TOL_GRADIENT 5e-3 /* norm only: single values flip with a ReLU */
#define TOL_AFTER TOL_GRADIENT
/*
 * The interaction's gradients are sums over all pixels that nearly cancel, so
 * a few flipped ReLUs show: at stage 3 of resnet18_same PyTorch's float32 is
 * off by 1 % and 2 % (SA's kernel and bias), and up to 0.9 % elsewhere; at 64
 * pixels this code is off by up to 2.3 %, differently with every compiler
 * flag.  What they should be, the double build checks to 1e-5.
 */
#define TOL_ATTENTION 1e-1
#define TOL_CANCELLING 1e-1
#define GRADIENT_NORM_ONLY true
#endif

/*
 * Of ../shared/golden, whose maps have 256 pixels: all; one where arithmetic
 * is slow; none where every access is checked and it would take minutes.
 */
#if defined(__SANITIZE_ADDRESS__)
#define SHARED_FILES "none"
#elif defined(MMRD_FLOAT_IS_DOUBLE)
#define SHARED_FILES "resnet18_same.json"
#else
#define SHARED_FILES "resnet18_*.json"
#endif

typedef struct golden
{
	json_t *json;
	mmrd_config config;
	int batch;
	mmrd_network *net;
	mmrd_weights *weights;
	float *inputs[MMRD_MAX_MODALITIES]; /* (B, S, S, 3) */
	/* NCHW, whole batch */
	float *teacher[MMRD_MAX_MODALITIES][MMRD_STAGES];
	float *target[MMRD_STAGES];
} golden;

static int
enum_value(const char *text, const char *const *names, int n, int otherwise)
{
	for (int i = 0; text != NULL && i < n; i++)
		if (strcmp(text, names[i]) == 0)
			return i;
	return otherwise;
}

static const char *
text_of(const golden *g, const char *key)
{
	return json_string_value(json_object_get(g->json, key));
}

static bool
open_golden(golden *g, const char *path)
{
	static const char *const prior_names[] = {"next", "same"};
	static const char *const fusions[] = {"modulated", "modulated_aux", "add",
	                                      "none"};
	json_error_t json_err;
	mmrd_error err = {0};
	mmrd_arch arch = MMRD_ARCH_RESNET18;
	const json_t *n_aux;
	const json_t *interaction;
	const json_t *prototypes;
	size_t i;
	json_t *v;

	memset(g, 0, sizeof(*g));
	g->json = json_load_file(path, 0, &json_err);
	CHECK(g->json != NULL, "%s: %s", path, json_err.text);
	if (g->json == NULL)
		return false;
	mmrd_config_init(&g->config);
	CHECK(mmrd_arch_parse(text_of(g, "arch"), &arch), "%s: arch", path);
	g->config.arch = arch;
	g->config.prior_at = enum_value(text_of(g, "prior_at"), prior_names, 2, 0);
	g->config.fusion = enum_value(text_of(g, "fusion"), fusions, 4, 0);
	n_aux = json_object_get(g->json, "n_aux");
	g->config.n_aux = n_aux != NULL ? (int) json_integer_value(n_aux) : 1;
	interaction = json_object_get(g->json, "interaction");
	g->config.interaction = interaction == NULL || json_is_true(interaction);
	prototypes = json_object_get(g->json, "prototypes");
	json_array_foreach(prototypes, i, v) g->config.prototypes[i] =
	    (int) json_integer_value(v);
	g->config.input_size =
	    (int) json_integer_value(json_object_get(g->json, "size"));
	g->batch = (int) json_integer_value(json_object_get(g->json, "batch"));
	CHECK(mmrd_network_create(&g->config, &g->net, &err) == MMRD_OK, "%s",
	      err.message);
	CHECK(mmrd_weights_create(&g->config, &g->weights, &err) == MMRD_OK, "%s",
	      err.message);
	if (g->net == NULL || g->weights == NULL)
		return false;
	golden_weights(g->weights);
	return true;
}

static void
close_golden(golden *g)
{
	json_decref(g->json);
	mmrd_network_free(g->net);
	mmrd_weights_free(g->weights);
	for (int m = 0; m < MMRD_MAX_MODALITIES; m++)
	{
		free(g->inputs[m]);
		for (int i = 0; i < MMRD_STAGES; i++)
			free(g->teacher[m][i]);
	}
	for (int i = 0; i < MMRD_STAGES; i++)
		free(g->target[i]);
}

static void
make_inputs(golden *g)
{
	const size_t S = (size_t) g->config.input_size;
	const size_t n = (size_t) g->batch * 3 * S * S;
	const int64_t dims[4] = {g->batch, 3, (int64_t) S, (int64_t) S};

	for (int m = 0; m <= g->config.n_aux; m++)
	{
		float *nchw = malloc(n * sizeof(float));
		char name[32];

		snprintf(name, sizeof(name), "input.%s", mmrd_modality_name(m));
		golden_fill(name, 4, dims, n, nchw);
		g->inputs[m] = malloc(n * sizeof(float));
		for (int b = 0; b < g->batch; b++)
			for (size_t c = 0; c < 3; c++)
				for (size_t p = 0; p < S * S; p++)
					g->inputs[m][((size_t) b * S * S + p) * 3 + c] =
					    nchw[((size_t) b * 3 + c) * S * S + p];
		free(nchw);
	}
}

/* One scan's (P, C) map with ld into a batch's NCHW array. */
static void
put(float **batch, int n_scans, int b, int P, int C, const float *map, int ld)
{
	if (*batch == NULL)
		*batch = malloc((size_t) n_scans * P * C * sizeof(float));
	for (int c = 0; c < C; c++)
		for (int p = 0; p < P; p++)
			(*batch)[((size_t) b * C + c) * P + p] = map[(size_t) p * ld + c];
}

static void
compare_stage(const golden *g, const char *prefix, const char *modality,
              int stage, const float *x)
{
	const int side = mmrd_stage_size(&g->config, stage + 1);
	const int C = mmrd_stage_channels(g->config.arch, stage + 1);
	char name[64];

	if (modality != NULL)
		snprintf(name, sizeof(name), "%s_%s_%d", prefix, modality, stage + 1);
	else
		snprintf(name, sizeof(name), "%s_%d", prefix, stage + 1);
	golden_compare(name, json_object_get(g->json, name),
	               (size_t) g->batch * side * side * C, x, TOL_FEATURE, false);
}

static void *
make_packed(golden *g)
{
	mmrd_error err = {0};
	mmrd_weights_source source = {g->weights, NULL};
	void *packed = aligned_alloc(64, mmrd_packed_bytes(&g->config));

	source.buffer = malloc(mmrd_weights_largest(g->weights) * sizeof(float));
	CHECK(mmrd_packed_build(&g->config, mmrd_weights_lookup, &source, packed,
	                        &err) == MMRD_OK,
	      "%s (%s)", err.message, err.detail);
	free(source.buffer);
	return packed;
}

/* Priors of one scan; stage 1 of `next` is not made by scoring. */
static void
look_priors(golden *g, int b, const mmrd_scorer_view *view,
            float *prior[MMRD_MAX_MODALITIES][MMRD_STAGES])
{
	for (int i = 0; i < MMRD_STAGES && mmrd_config_has_priors(&g->config); i++)
	{
		const int P = view->pixels[i];
		const int C = view->channels[i];
		const int Q = g->config.prototypes[i];

		for (int m = 0; m <= g->config.n_aux; m++)
		{
			const int tensor = g->net->priors[i].prototypes[m];
			float *own = malloc((size_t) P * (C + Q) * sizeof(float));

			if (view->prior[m][i] != NULL)
				memcpy(own, view->prior[m][i], (size_t) P * C * sizeof(float));
			else
				mmrd_prior_forward((size_t) P, C, Q, view->teacher[m][i],
				                   g->weights->values +
				                       g->net->tensors[tensor].offset,
				                   own + (size_t) P * C, own);
			put(&prior[m][i], g->batch, b, P, C, own, C);
			free(own);
		}
	}
}

static void
check_forward(golden *g)
{
	const size_t S = (size_t) g->config.input_size;
	void *packed = make_packed(g);
	mmrd_scorer *scorer = NULL;
	mmrd_error err = {0};
	float *prior[MMRD_MAX_MODALITIES][MMRD_STAGES] = {{0}};
	float *restored[MMRD_STAGES] = {0};
	float *map = malloc((size_t) g->batch * S * S * sizeof(float));
	float *raw = malloc((size_t) g->batch * S * S * sizeof(float));

	CHECK(mmrd_scorer_create(&g->config, NULL, &scorer, &err) == MMRD_OK, "%s",
	      err.message);
	for (int b = 0; b < g->batch; b++)
	{
		const float *inputs[MMRD_MAX_MODALITIES];
		mmrd_scorer_view view;
		float score = NAN;
		double want;

		for (int m = 0; m <= g->config.n_aux; m++)
			inputs[m] = g->inputs[m] + (size_t) b * S * S * 3;
		memset(map + (size_t) b * S * S, 0xff, S * S * sizeof(float));
		CHECK(mmrd_scorer_run(scorer, packed, inputs, map + (size_t) b * S * S,
		                      &score, &err) == MMRD_OK,
		      "%s", err.message);
		want = json_number_value(
		    json_array_get(json_object_get(g->json, "score"), (size_t) b));
		CHECK(fabs(score - want) <= TOL_FEATURE * want,
		      "score %d: %.9g, want %.9g", b, (double) score, want);
		mmrd_scorer_look(scorer, &view);
		memcpy(raw + (size_t) b * S * S, view.raw_map, S * S * sizeof(float));
		look_priors(g, b, &view, prior);
		for (int i = 0; i < MMRD_STAGES; i++)
		{
			for (int m = 0; m <= g->config.n_aux; m++)
				put(&g->teacher[m][i], g->batch, b, view.pixels[i],
				    view.channels[i], view.teacher[m][i], view.channels[i]);
			put(&g->target[i], g->batch, b, view.pixels[i], view.channels[i],
			    view.target[i], view.target_ld[i]);
			put(&restored[i], g->batch, b, view.pixels[i], view.channels[i],
			    view.restored[i], view.restored_ld[i]);
		}
	}
	for (int i = 0; i < MMRD_STAGES; i++)
	{
		for (int m = 0; m <= g->config.n_aux; m++)
		{
			compare_stage(g, "teacher", mmrd_modality_name(m), i,
			              g->teacher[m][i]);
			if (prior[m][i] != NULL)
				compare_stage(g, "prior", mmrd_modality_name(m), i,
				              prior[m][i]);
			free(prior[m][i]);
		}
		compare_stage(g, "target", NULL, i, g->target[i]);
		compare_stage(g, "student", NULL, i, restored[i]);
		free(restored[i]);
	}
	golden_compare("map_raw", json_object_get(g->json, "map_raw"),
	               (size_t) g->batch * S * S, raw, TOL_FEATURE, false);
	golden_compare("map", json_object_get(g->json, "map"),
	               (size_t) g->batch * S * S, map, TOL_FEATURE, false);
	free(map);
	free(raw);
	mmrd_scorer_free(scorer);
	free(packed);
}

/* NCHW of the whole batch into (N, P, ld). */
static void
fill_features(golden *g, mmrd_student *student)
{
	for (int i = 0; i < MMRD_STAGES; i++)
	{
		const int side = mmrd_stage_size(&g->config, i + 1);
		const int P = side * side;
		const int C = mmrd_stage_channels(g->config.arch, i + 1);
		int ld;
		float *target = mmrd_student_target(student, i, &ld);

		for (int b = 0; b < g->batch; b++)
		{
			for (int c = 0; c < C; c++)
			{
				for (int p = 0; p < P; p++)
				{
					const size_t from = ((size_t) b * C + c) * P + p;
					const size_t pixel = (size_t) b * P + p;

					target[pixel * ld + c] = g->target[i][from];
					for (int m = 0; mmrd_config_has_priors(&g->config) &&
					                m <= g->config.n_aux;
					     m++)
						mmrd_student_feature(student, m, i)[pixel * C + c] =
						    g->teacher[m][i][from];
				}
			}
		}
	}
}

/* A learned tensor's gradient in file order. */
static void
gradient_in_file_order(const golden *g, const float *gradient, int tensor,
                       float *out)
{
	const mmrd_tensor_info *t = &g->weights->tensors[tensor];
	const float *own = gradient + (t->offset - g->weights->parameter_at);

	for (size_t k = 0; k < t->count; k++)
		out[k] = own[mmrd_tensor_place(t, k)];
}

/* At 64 pixels the embedding is 2x2: its batch norms see 8 values, and what
 * Adam did to them shows one step earlier (tests/golden/README.md). */
static void
check_losses(const golden *g, int step, const json_t *want,
             const mmrd_student_losses *got, double lambda)
{
	const int exact_steps = g->config.input_size <= 64 ? 1 : 2;
	const double tol = step < exact_steps ? TOL_LOSS_FIRST : TOL_LOSS_LATER;
	const double loss = got->distillation + lambda * got->prototype;
	const double w[3] = {
	    json_number_value(json_object_get(want, "loss")),
	    json_number_value(json_object_get(want, "distillation")),
	    json_number_value(json_object_get(want, "prototype"))};

	CHECK(fabs(loss - w[0]) <= tol * w[0], "step %d: loss %.9g, want %.9g",
	      step + 1, loss, w[0]);
	CHECK(fabs(got->distillation - w[1]) <= tol * w[1],
	      "step %d: distillation %.9g, want %.9g", step + 1, got->distillation,
	      w[1]);
	CHECK(fabs(got->prototype - w[2]) <= tol * fabs(w[2]),
	      "step %d: prototype loss %.9g, want %.9g", step + 1, got->prototype,
	      w[2]);
}

static double
tensor_tol(const char *name, bool is_gradient)
{
	if (strstr(name, ".spatial") != NULL)
		return TOL_CANCELLING;
	if (strstr(name, "interaction.") != NULL)
		return TOL_ATTENTION;
	return is_gradient ? TOL_GRADIENT : TOL_AFTER;
}

static void
check_tensors(golden *g, const json_t *entries, const float *gradient)
{
	float *buffer = malloc(mmrd_weights_largest(g->weights) * sizeof(float));
	json_t *object = (json_t *) (uintptr_t) entries;
	const char *name;
	json_t *entry;

	json_object_foreach(object, name, entry)
	{
		const int t = mmrd_weights_find(g->weights, name);

		CHECK(t >= 0, "no tensor \"%s\"", name);
		if (t < 0)
			continue;
		if (gradient != NULL)
			gradient_in_file_order(g, gradient, t, buffer);
		else
			mmrd_weights_get(g->weights, t, buffer);
		golden_compare(name, entry, g->weights->tensors[t].count, buffer,
		               tensor_tol(name, gradient != NULL), GRADIENT_NORM_ONLY);
	}
	free(buffer);
}

static void
check_training(golden *g)
{
	const json_t *train = json_object_get(g->json, "train");
	const json_t *steps = json_object_get(train, "steps");
	const json_t *betas = json_object_get(train, "betas");
	const float lambda =
	    (float) json_number_value(json_object_get(train, "lambda"));
	const mmrd_adam_options adam = {
	    (float) json_number_value(json_object_get(train, "lr")),
	    (float) json_number_value(json_array_get(betas, 0)),
	    (float) json_number_value(json_array_get(betas, 1)), 1e-8f};
	const size_t n = g->weights->n_parameters;
	float *gradient = malloc(n * sizeof(float));
	float *m = calloc(n, sizeof(float));
	float *v = calloc(n, sizeof(float));
	mmrd_student *student = NULL;
	mmrd_error err = {0};
	size_t i;
	json_t *step;

	CHECK(mmrd_student_create(g->net, g->batch, 0, NULL, &student, &err) ==
	          MMRD_OK,
	      "%s", err.message);
	json_array_foreach((json_t *) (uintptr_t) steps, i, step)
	{
		mmrd_student_losses losses = {NAN, NAN};

		fill_features(g, student);
		CHECK(mmrd_student_gradients(student, g->weights, lambda, gradient,
		                             &losses, &err) == MMRD_OK,
		      "%s", err.message);
		check_losses(g, (int) i, step, &losses, lambda);
		if (i == 0)
			check_tensors(g, json_object_get(train, "grad"), gradient);
		mmrd_adam_step(&adam, n, (long) i + 1, gradient, m, v,
		               g->weights->values + g->weights->parameter_at);
	}
	check_tensors(g, json_object_get(train, "after"), NULL);
	mmrd_student_free(student);
	free(gradient);
	free(m);
	free(v);
}

static void
check_file(const char *path)
{
	golden g;

	if (open_golden(&g, path))
	{
		const json_t *parameters = json_object_get(g.json, "parameters");
		size_t n = 0;

		for (int i = 0; i < g.weights->n_tensors; i++)
			n += g.weights->tensors[i].count;
		if (parameters != NULL)
			CHECK((json_int_t) n == json_integer_value(parameters),
			      "%zu parameters", n);
		make_inputs(&g);
		check_forward(&g);
		if (json_object_get(g.json, "train") != NULL)
			check_training(&g);
	}
	close_golden(&g);
}

static size_t
check_pattern(const char *pattern)
{
	glob_t found;
	size_t n = 0;

	if (glob(pattern, 0, NULL, &found) == 0)
	{
		for (n = 0; n < found.gl_pathc; n++)
		{
			const int before = check_failures;

			check_file(found.gl_pathv[n]);
			printf("%s: %s\n", found.gl_pathv[n],
			       check_failures == before ? "ok" : "FAILED");
		}
		globfree(&found);
	}
	return n;
}

int
main(void)
{
	const char *shared = getenv("MMRD_SHARED");
	char pattern[1024];

	mmrd_threads_start(2);
	CHECK(check_pattern("tests/golden/*resnet*.json") == 10,
	      "golden files are missing: run this from the root of the tree");
	snprintf(pattern, sizeof(pattern), "%s/golden/%s",
	         shared != NULL ? shared : "../shared", SHARED_FILES);
	if (check_pattern(pattern) == 0)
		fprintf(stderr, "SKIPPED: no golden files at %s\n", pattern);
	return check_result();
}
