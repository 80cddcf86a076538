/*
 * model/train/trainer.c
 *	  The phases of training, one call a step.
 *
 * Random draws.  Each use has a generator of its own, made from the seed and
 * a purpose: "adapt" orders the scans of adaptation, "shuffle:E" those of
 * epoch E (so a resumed run needs no history), "prototypes:M:I" picks the
 * initial prototypes of modality M and stage I, and the student's tensors use
 * their names.
 *
 * A record of features is, for each stage, the fused target (P, C), and with
 * priors each modality's map (P, C), all binary16: stage by stage, the target
 * first.
 */
#include "model/train/trainer.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/base/half.h"
#include "model/base/random.h"
#include "model/net/adaptation.h"
#include "model/net/fusion.h"
#include "model/net/student.h"
#include "model/train/adam.h"

/* Adam of network.md 4 */
#define ADAM_BETA1 0.5f
#define ADAM_BETA2 0.999f
#define ADAM_EPS 1e-8f

/* One initial prototype: which vector of which scan. */
typedef struct pick
{
	int32_t scan;
	int32_t pixel;
} pick;

struct mmrd_trainer
{
	mmrd_config config;
	mmrd_train_options options;
	mmrd_stop stop;
	size_t limit_bytes;
	int n_scans;
	mmrd_network *net;
	mmrd_weights *weights;
	mmrd_adaptation *adaptation;
	bool features_ready;
	mmrd_student *student;
	int32_t *order; /* of the running pass or epoch */
	int at;         /* its next scan */
	int adapt_pass;
	pick *picks[MMRD_MAX_MODALITIES][MMRD_STAGES];
	float *fused;    /* one stage's target, for making a record */
	float *gradient; /* and the moments, n_parameters each */
	float *m;
	float *v;
	int64_t step;
};

void
mmrd_train_options_init(mmrd_train_options *options)
{
	memset(options, 0, sizeof(*options));
	options->batch_size = 16;
	options->lr = 1e-3f;
	options->lambda = 0.1f;
	options->bn_epochs = 5;
	options->adapt_mask = MMRD_ADAPT_RGB | MMRD_ADAPT_AUX;
}

size_t
mmrd_trainer_record_count(const mmrd_config *config)
{
	size_t n = 0;

	for (int i = 1; i <= MMRD_STAGES; i++)
	{
		const size_t side = (size_t) mmrd_stage_size(config, i);

		n += side * side * (size_t) mmrd_stage_channels(config->arch, i);
	}
	return n *
	       (size_t) (mmrd_config_has_priors(config) ? 2 + config->n_aux : 1);
}

size_t
mmrd_trainer_bytes(const mmrd_config *config,
                   const mmrd_train_options *options)
{
	mmrd_network *net;
	mmrd_error ignored;
	size_t adapt;
	size_t train;
	size_t n;

	if (mmrd_network_create(config, &net, &ignored) != MMRD_OK)
		return 0;
	n = net->n_values * sizeof(float);
	adapt = mmrd_adaptation_bytes(net, MMRD_ADAPT_BATCH);
	train = mmrd_student_bytes(net, options->batch_size) +
	        3 * net->n_parameters * sizeof(float);
	mmrd_network_free(net);
	return n + (adapt > train ? adapt : train);
}

/* The initial prototypes' places: distinct among all scans' positions. */
static mmrd_status
draw_picks(mmrd_trainer *t, int modality, int stage, mmrd_error *err)
{
	const int n = t->config.prototypes[stage];
	const int side = mmrd_stage_size(&t->config, stage + 1);
	const uint64_t places = (uint64_t) t->n_scans * side * side;
	pick *picks = malloc((size_t) n * sizeof(*picks));
	mmrd_random r;
	char purpose[40];

	if (picks == NULL)
		return mmrd_fail_memory(err, (double) n * sizeof(*picks));
	t->picks[modality][stage] = picks;
	snprintf(purpose, sizeof(purpose), "prototypes:%d:%d", modality, stage);
	r = mmrd_random_create(t->options.seed, purpose);
	for (int i = 0; i < n; i++)
	{
		bool again = true;

		while (again)
		{
			const uint64_t place = mmrd_random_below(&r, places);

			picks[i].scan = (int32_t) (place / (uint64_t) (side * side));
			picks[i].pixel = (int32_t) (place % (uint64_t) (side * side));
			again = false;
			for (int k = 0; k < i; k++)
				again = again || (picks[k].scan == picks[i].scan &&
				                  picks[k].pixel == picks[i].pixel);
		}
	}
	return MMRD_OK;
}

static mmrd_status
check_options(const mmrd_config *config, const mmrd_train_options *options,
              int n_scans, mmrd_error *err)
{
	if (n_scans < 1)
		return mmrd_fail(err, MMRD_INVALID_ARGUMENT,
		                 "there are no scans to train on");
	if (options->batch_size < 1 || options->batch_size > MMRD_MAX_BATCH)
		return mmrd_fail(err, MMRD_INVALID_ARGUMENT,
		                 "invalid value for \"batch_size\": %d",
		                 options->batch_size);
	/* Stage 3 of one small scan must offer as many distinct vectors. */
	for (int i = 0; i < MMRD_STAGES; i++)
	{
		const int64_t side = mmrd_stage_size(config, i + 1);

		if (config->prototypes[i] > side * side * n_scans)
		{
			mmrd_fail(err, MMRD_INVALID_ARGUMENT,
			          "too few scans for the prototypes of stage %d", i + 1);
			mmrd_detail(err,
			            "%d prototypes were asked for, the scans have %lld "
			            "positions.",
			            config->prototypes[i],
			            (long long) side * side * n_scans);
			return mmrd_hint(err, "Use more scans, a larger input_size or "
			                      "fewer prototypes.");
		}
	}
	return MMRD_OK;
}

static mmrd_status
open_trainer(mmrd_trainer *t, mmrd_error *err)
{
	const size_t stage1 = (size_t) mmrd_stage_size(&t->config, 1);

	MMRD_TRY(mmrd_network_create(&t->config, &t->net, err));
	MMRD_TRY(mmrd_weights_create(&t->config, &t->weights, err));
	t->order = malloc((size_t) t->n_scans * sizeof(*t->order));
	t->fused = malloc(stage1 * stage1 *
	                  (size_t) mmrd_stage_channels(t->config.arch, 1) *
	                  sizeof(float));
	if (t->order == NULL || t->fused == NULL)
		return mmrd_fail_memory(err, (double) t->n_scans * sizeof(int32_t));
	for (int i = 0; i < MMRD_STAGES && mmrd_config_has_priors(&t->config); i++)
		for (int m = 0; m <= t->config.n_aux; m++)
			MMRD_TRY(draw_picks(t, m, i, err));
	return mmrd_adaptation_create(t->net, MMRD_ADAPT_BATCH, t->limit_bytes,
	                              &t->stop, &t->adaptation, err);
}

mmrd_status
mmrd_trainer_create(const mmrd_config *config,
                    const mmrd_train_options *options, int n_scans,
                    size_t limit_bytes, const mmrd_stop *stop,
                    mmrd_trainer **out, mmrd_error *err)
{
	mmrd_trainer *t;
	mmrd_random r;
	mmrd_status st;

	*out = NULL;
	MMRD_TRY(mmrd_config_check(config, err));
	MMRD_TRY(check_options(config, options, n_scans, err));
	if (limit_bytes != 0 && mmrd_trainer_bytes(config, options) > limit_bytes)
	{
		mmrd_fail(err, MMRD_LIMIT_EXCEEDED,
		          "training needs more memory than allowed");
		mmrd_detail(err, "%.0f MB are needed, %.0f MB are allowed.",
		            (double) mmrd_trainer_bytes(config, options) / 1e6,
		            (double) limit_bytes / 1e6);
		return mmrd_hint(err, "Raise mmrd.train_memory, or train with a "
		                      "smaller batch_size or input_size.");
	}
	t = calloc(1, sizeof(*t));
	if (t == NULL)
		return mmrd_fail_memory(err, sizeof(*t));
	t->config = *config;
	t->options = *options;
	if (stop != NULL)
		t->stop = *stop;
	t->n_scans = n_scans;
	t->limit_bytes = limit_bytes;
	st = open_trainer(t, err);
	if (st != MMRD_OK)
	{
		mmrd_trainer_free(t);
		return st;
	}
	r = mmrd_random_create(options->seed, "adapt");
	mmrd_random_permutation(&r, n_scans, t->order);
	*out = t;
	return MMRD_OK;
}

void
mmrd_trainer_free(mmrd_trainer *t)
{
	if (t == NULL)
		return;
	mmrd_adaptation_free(t->adaptation);
	mmrd_student_free(t->student);
	mmrd_weights_free(t->weights);
	mmrd_network_free(t->net);
	for (int m = 0; m < MMRD_MAX_MODALITIES; m++)
		for (int i = 0; i < MMRD_STAGES; i++)
			free(t->picks[m][i]);
	free(t->order);
	free(t->fused);
	free(t->gradient);
	free(t->m);
	free(t->v);
	free(t);
}

mmrd_weights *
mmrd_trainer_weights(mmrd_trainer *t)
{
	return t->weights;
}

/* The next n of the current order. */
static bool
take_batch(mmrd_trainer *t, int size, mmrd_batch *batch)
{
	batch->n = 0;
	while (batch->n < size && t->at < t->n_scans)
		batch->scan[batch->n++] = t->order[t->at++];
	return batch->n > 0;
}

int
mmrd_trainer_adapt_count(const mmrd_trainer *t)
{
	return t->options.adapt_mask == 0
	           ? 0
	           : t->options.bn_epochs *
	                 ((t->n_scans + MMRD_ADAPT_BATCH - 1) / MMRD_ADAPT_BATCH);
}

bool
mmrd_trainer_adapt_next(mmrd_trainer *t, mmrd_batch *batch)
{
	if (t->options.adapt_mask == 0)
		return false;
	if (t->at >= t->n_scans)
	{
		t->adapt_pass++;
		t->at = 0;
	}
	return t->adapt_pass < t->options.bn_epochs &&
	       take_batch(t, MMRD_ADAPT_BATCH, batch);
}

mmrd_status
mmrd_trainer_adapt(mmrd_trainer *t, const mmrd_batch *batch,
                   const float *const *inputs, mmrd_error *err)
{
	const int n_modalities = 1 + t->config.n_aux;
	const float *images[MMRD_ADAPT_BATCH];

	for (int m = 0; m < n_modalities; m++)
	{
		if (!(t->options.adapt_mask &
		      (m == 0 ? MMRD_ADAPT_RGB : MMRD_ADAPT_AUX)))
			continue;
		for (int i = 0; i < batch->n; i++)
			images[i] = inputs[i * n_modalities + m];
		MMRD_TRY(mmrd_adaptation_step(t->adaptation, t->weights, m, batch->n,
		                              images, err));
	}
	return MMRD_OK;
}

/* Copy this scan's vectors among the initial prototypes. */
static void
collect_prototypes(mmrd_trainer *t, int scan, int modality, int stage,
                   const float *map)
{
	const size_t C = (size_t) mmrd_stage_channels(t->config.arch, stage + 1);
	const int tensor = t->net->priors[stage].prototypes[modality];
	float *protos = t->weights->values + t->net->tensors[tensor].offset;

	for (int j = 0; j < t->config.prototypes[stage]; j++)
		if (t->picks[modality][stage][j].scan == scan)
			memcpy(protos + (size_t) j * C,
			       map + (size_t) t->picks[modality][stage][j].pixel * C,
			       C * sizeof(float));
}

mmrd_status
mmrd_trainer_features(mmrd_trainer *t, int scan, const float *const *inputs,
                      uint16_t *record, mmrd_error *err)
{
	const bool priors = mmrd_config_has_priors(&t->config);

	if (!t->features_ready)
	{
		MMRD_TRY(mmrd_adaptation_prepare(t->adaptation, t->weights, err));
		t->features_ready = true;
	}
	MMRD_TRY(mmrd_adaptation_run(t->adaptation, inputs, err));
	for (int i = 0; i < MMRD_STAGES; i++)
	{
		const size_t side = (size_t) mmrd_stage_size(&t->config, i + 1);
		const int C = mmrd_stage_channels(t->config.arch, i + 1);
		const size_t n = side * side * (size_t) C;
		const float *maps[MMRD_MAX_MODALITIES];

		for (int m = 0; m <= t->config.n_aux; m++)
			maps[m] = mmrd_adaptation_map(t->adaptation, m, i);
		mmrd_fuse(&t->config, (int) (side * side), C, maps, t->fused, C);
		mmrd_f16_from_floats(n, t->fused, record);
		record += n;
		for (int m = 0; priors && m <= t->config.n_aux; m++)
		{
			mmrd_f16_from_floats(n, maps[m], record);
			record += n;
			collect_prototypes(t, scan, m, i, maps[m]);
		}
	}
	return MMRD_OK;
}

mmrd_status
mmrd_trainer_begin(mmrd_trainer *t, mmrd_error *err)
{
	const size_t n = t->weights->n_parameters;

	mmrd_adaptation_free(t->adaptation); /* its memory is needed now */
	t->adaptation = NULL;
	mmrd_weights_init_student(t->weights, t->options.seed);
	t->gradient = malloc(n * sizeof(float));
	t->m = calloc(n, sizeof(float));
	t->v = calloc(n, sizeof(float));
	if (t->gradient == NULL || t->m == NULL || t->v == NULL)
		return mmrd_fail_memory(err, 3.0 * (double) n * sizeof(float));
	return mmrd_student_create(t->net, t->options.batch_size, t->limit_bytes,
	                           &t->stop, &t->student, err);
}

void
mmrd_trainer_epoch_begin(mmrd_trainer *t, int epoch)
{
	char purpose[40];
	mmrd_random r;

	snprintf(purpose, sizeof(purpose), "shuffle:%d", epoch);
	r = mmrd_random_create(t->options.seed, purpose);
	mmrd_random_permutation(&r, t->n_scans, t->order);
	t->at = 0;
}

bool
mmrd_trainer_next(mmrd_trainer *t, mmrd_batch *batch)
{
	return take_batch(t, t->options.batch_size, batch);
}

/* One scan's record into place i of the student's batch. */
static void
place_record(mmrd_trainer *t, int i, const uint16_t *record)
{
	for (int stage = 0; stage < MMRD_STAGES; stage++)
	{
		const size_t side = (size_t) mmrd_stage_size(&t->config, stage + 1);
		const size_t P = side * side;
		const size_t C =
		    (size_t) mmrd_stage_channels(t->config.arch, stage + 1);
		int ld;
		float *target = mmrd_student_target(t->student, stage, &ld);

		for (size_t p = 0; p < P; p++)
			mmrd_f16_to_floats(C, record + p * C,
			                   target + ((size_t) i * P + p) * ld);
		record += P * C;
		for (int m = 0;
		     mmrd_config_has_priors(&t->config) && m <= t->config.n_aux; m++)
		{
			mmrd_f16_to_floats(P * C, record,
			                   mmrd_student_feature(t->student, m, stage) +
			                       (size_t) i * P * C);
			record += P * C;
		}
	}
}

mmrd_status
mmrd_trainer_step(mmrd_trainer *t, const mmrd_batch *batch,
                  const uint16_t *const *records, mmrd_losses *losses,
                  mmrd_error *err)
{
	const mmrd_adam_options adam = {t->options.lr, ADAM_BETA1, ADAM_BETA2,
	                                ADAM_EPS};
	mmrd_student_losses got;

	mmrd_student_size(t->student, batch->n);
	for (int i = 0; i < batch->n; i++)
		place_record(t, i, records[i]);
	MMRD_TRY(mmrd_student_gradients(t->student, t->weights, t->options.lambda,
	                                t->gradient, &got, err));
	t->step++;
	mmrd_adam_step(&adam, t->weights->n_parameters, (long) t->step,
	               t->gradient, t->m, t->v,
	               t->weights->values + t->weights->parameter_at);
	losses->distillation = got.distillation;
	losses->prototype = got.prototype;
	losses->loss = got.distillation + t->options.lambda * got.prototype;
	return MMRD_OK;
}

/*
 * State: header, all values (the teacher's adapted statistics too), moments.
 */
typedef struct state_header
{
	char magic[8];
	uint64_t n_bytes;
	mmrd_config config;
	int64_t step;
} state_header;

typedef union state_start
{
	state_header h;
	char bytes[MMRD_STATE_HEADER_BYTES];
} state_start;

static_assert(sizeof(state_start) == MMRD_STATE_HEADER_BYTES,
              "the header must have room");

static const char state_magic[8] = "mmrdck1";

size_t
mmrd_trainer_state_bytes(const mmrd_trainer *t)
{
	return MMRD_STATE_HEADER_BYTES +
	       (t->weights->n_values + 2 * t->weights->n_parameters) *
	           sizeof(float);
}

/* The arrays behind the header, in order. */
static int
state_arrays(const mmrd_trainer *t, float *array[3], size_t n_bytes[3])
{
	array[0] = t->weights->values;
	array[1] = t->m;
	array[2] = t->v;
	n_bytes[0] = t->weights->n_values * sizeof(float);
	n_bytes[1] = t->weights->n_parameters * sizeof(float);
	n_bytes[2] = n_bytes[1];
	return 3;
}

/* What the range [at, at + n) and a region of n_region bytes share. */
static size_t
overlap(size_t at, size_t n, size_t region, size_t n_region, size_t *from)
{
	const size_t end = at + n < region + n_region ? at + n : region + n_region;

	*from = at > region ? at : region;
	return end > *from ? end - *from : 0;
}

void
mmrd_trainer_state_get(const mmrd_trainer *t, size_t at, size_t n, void *out)
{
	float *array[3];
	size_t n_bytes[3];
	const int n_arrays = state_arrays(t, array, n_bytes);
	size_t region = MMRD_STATE_HEADER_BYTES;
	state_start start;
	size_t from;
	size_t k;

	memset(&start, 0, sizeof(start));
	memcpy(start.h.magic, state_magic, sizeof(start.h.magic));
	start.h.n_bytes = mmrd_trainer_state_bytes(t);
	start.h.config = t->config;
	start.h.step = t->step;
	k = overlap(at, n, 0, sizeof(start), &from);
	if (k > 0)
		memcpy((char *) out + (from - at), start.bytes + from, k);
	for (int i = 0; i < n_arrays; i++)
	{
		k = overlap(at, n, region, n_bytes[i], &from);
		if (k > 0)
			memcpy((char *) out + (from - at),
			       (const char *) array[i] + (from - region), k);
		region += n_bytes[i];
	}
}

void
mmrd_trainer_state_save(const mmrd_trainer *t, void *out)
{
	mmrd_trainer_state_get(t, 0, mmrd_trainer_state_bytes(t), out);
}

static mmrd_status
check_header(mmrd_trainer *t, const void *in, mmrd_error *err)
{
	state_start start;

	memcpy(&start, in, sizeof(start));
	if (memcmp(start.h.magic, state_magic, sizeof(state_magic)) != 0 ||
	    start.h.n_bytes != mmrd_trainer_state_bytes(t) ||
	    memcmp(&start.h.config, &t->config, sizeof(t->config)) != 0 ||
	    start.h.step < 0)
		return mmrd_fail(err, MMRD_CORRUPT_DATA,
		                 "checkpoint belongs to another training");
	t->step = start.h.step;
	return MMRD_OK;
}

mmrd_status
mmrd_trainer_state_set(mmrd_trainer *t, size_t at, size_t n, const void *in,
                       mmrd_error *err)
{
	const size_t total = mmrd_trainer_state_bytes(t);
	float *array[3];
	size_t n_bytes[3];
	const int n_arrays = state_arrays(t, array, n_bytes);
	size_t region = MMRD_STATE_HEADER_BYTES;

	if (at > total || n > total - at ||
	    (at < MMRD_STATE_HEADER_BYTES &&
	     (at != 0 || n < MMRD_STATE_HEADER_BYTES)))
	{
		mmrd_fail(err, MMRD_CORRUPT_DATA, "checkpoint has the wrong size");
		return mmrd_detail(err, "Expected %zu bytes, found %zu from %zu on.",
		                   total, n, at);
	}
	if (at == 0)
		MMRD_TRY(check_header(t, in, err));
	for (int i = 0; i < n_arrays; i++)
	{
		size_t from;
		const size_t k = overlap(at, n, region, n_bytes[i], &from);

		if (k > 0)
			memcpy((char *) array[i] + (from - region),
			       (const char *) in + (from - at), k);
		region += n_bytes[i];
	}
	return MMRD_OK;
}

mmrd_status
mmrd_trainer_state_load(mmrd_trainer *t, const void *in, size_t n_bytes,
                        mmrd_error *err)
{
	if (n_bytes != mmrd_trainer_state_bytes(t))
	{
		mmrd_fail(err, MMRD_CORRUPT_DATA, "checkpoint has the wrong size");
		return mmrd_detail(err, "Expected %zu bytes, found %zu.",
		                   mmrd_trainer_state_bytes(t), n_bytes);
	}
	return mmrd_trainer_state_set(t, 0, n_bytes, in, err);
}
