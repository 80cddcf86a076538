/*
 * tests/unit/test_trainer.c
 *	  The whole of training on a few random scans: the same bits for 1 and 2
 *	  threads, a resumed run that ends like an uninterrupted one, a loss that
 *	  falls, cancelling, and what the packed model then scores.
 */
#include "model/mmrd.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/base/random.h"
#include "tests/unit/check.h"

enum
{
	SCANS = 5,
	SIZE = 64,
	EPOCHS = 3
};

static mmrd_config config;
static mmrd_train_options options;
static float *inputs[SCANS * 2];

static void
make_inputs(void)
{
	mmrd_random r = mmrd_random_create(7, "inputs");

	mmrd_config_init(&config);
	config.input_size = SIZE;
	mmrd_train_options_init(&options);
	options.batch_size = 2; /* so that the last batch is partial */
	options.bn_epochs = 2;
	options.seed = 3;
	for (int i = 0; i < SCANS * 2; i++)
	{
		inputs[i] = malloc(SIZE * SIZE * 3 * sizeof(float));
		for (int k = 0; k < SIZE * SIZE * 3; k++)
			inputs[i][k] = (float) mmrd_random_normal(&r);
	}
}

typedef struct run
{
	mmrd_trainer *trainer;
	uint16_t *records[SCANS];
	double first_loss, last_loss;
} run;

static void
open_run(run *t)
{
	mmrd_error err = {0};
	mmrd_batch batch;
	int adapted = 0;

	memset(t, 0, sizeof(*t));
	CHECK(mmrd_trainer_create(&config, &options, SCANS, 0, NULL, &t->trainer,
	                          &err) == MMRD_OK,
	      "%s", err.message);
	mmrd_weights_init_teacher(mmrd_trainer_weights(t->trainer));
	while (mmrd_trainer_adapt_next(t->trainer, &batch))
	{
		const float *list[MMRD_ADAPT_BATCH * 2];

		for (int i = 0; i < batch.n * 2; i++)
			list[i] = inputs[batch.scan[i / 2] * 2 + i % 2];
		CHECK(mmrd_trainer_adapt(t->trainer, &batch, list, &err) == MMRD_OK,
		      "%s", err.message);
		adapted++;
	}
	CHECK(adapted == mmrd_trainer_adapt_count(t->trainer), "%d batches",
	      adapted);
	for (int scan = 0; scan < SCANS; scan++)
	{
		const float *pair[2] = {inputs[scan * 2], inputs[scan * 2 + 1]};

		t->records[scan] =
		    malloc(mmrd_trainer_record_count(&config) * sizeof(uint16_t));
		CHECK(mmrd_trainer_features(t->trainer, scan, pair, t->records[scan],
		                            &err) == MMRD_OK,
		      "%s", err.message);
	}
	CHECK(mmrd_trainer_begin(t->trainer, &err) == MMRD_OK, "%s", err.message);
}

static void
train(run *t, int from, int to)
{
	mmrd_error err = {0};
	mmrd_batch batch;

	for (int epoch = from; epoch < to; epoch++)
	{
		int seen = 0;
		double sum = 0;

		mmrd_trainer_epoch_begin(t->trainer, epoch);
		while (mmrd_trainer_next(t->trainer, &batch))
		{
			const uint16_t *records[MMRD_MAX_BATCH];
			mmrd_losses losses = {NAN, NAN, NAN};

			for (int i = 0; i < batch.n; i++)
				records[i] = t->records[batch.scan[i]];
			CHECK(mmrd_trainer_step(t->trainer, &batch, records, &losses,
			                        &err) == MMRD_OK,
			      "%s", err.message);
			sum += losses.loss * batch.n;
			seen += batch.n;
		}
		CHECK(seen == SCANS, "epoch %d saw %d scans", epoch, seen);
		if (epoch == 0)
			t->first_loss = sum / seen;
		t->last_loss = sum / seen;
	}
}

static void
close_run(run *t)
{
	mmrd_trainer_free(t->trainer);
	for (int i = 0; i < SCANS; i++)
		free(t->records[i]);
}

static bool
same_weights(run *a, run *b)
{
	const mmrd_weights *x = mmrd_trainer_weights(a->trainer);
	const mmrd_weights *y = mmrd_trainer_weights(b->trainer);

	return memcmp(x->values, y->values, x->n_values * sizeof(float)) == 0;
}

static void
test_threads(run *two)
{
	run one;

	mmrd_threads_set(1);
	open_run(&one);
	train(&one, 0, EPOCHS);
	mmrd_threads_set(2);
	CHECK(same_weights(two, &one), "weights depend on the number of threads");
	close_run(&one);
}

/* The state piece by piece, to a trainer that has this very state. */
static void
check_pieces(mmrd_trainer *t, const char *state, size_t n_bytes)
{
	const size_t sizes[] = {MMRD_STATE_HEADER_BYTES, 100003, n_bytes};
	char *piece = malloc(n_bytes);
	mmrd_error err = {0};

	for (size_t k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++)
		for (size_t at = 0, n; at < n_bytes; at += n)
		{
			/* A header alone, then pieces that divide nothing. */
			n = at > 0 && k == 0 ? 7654321 : sizes[k];
			n = n < n_bytes - at ? n : n_bytes - at;
			memset(piece, 0xff, n);
			mmrd_trainer_state_get(t, at, n, piece);
			CHECK(memcmp(piece, state + at, n) == 0,
			      "%zu bytes of the state from %zu on differ", n, at);
			CHECK(mmrd_trainer_state_set(t, at, n, state + at, &err) ==
			          MMRD_OK,
			      "%s", err.message);
		}
	CHECK(mmrd_trainer_state_set(t, 0, MMRD_STATE_HEADER_BYTES - 1, state,
	                             &err) == MMRD_CORRUPT_DATA,
	      "half a header was set");
	CHECK(mmrd_trainer_state_set(t, 8, n_bytes - 8, state + 8, &err) ==
	          MMRD_CORRUPT_DATA,
	      "a state from within the header on was set");
	CHECK(mmrd_trainer_state_set(t, n_bytes - 8, 9, state, &err) ==
	          MMRD_CORRUPT_DATA,
	      "bytes beyond the end were set");
	CHECK(mmrd_trainer_state_set(t, SIZE_MAX - 3, 8, state, &err) ==
	          MMRD_CORRUPT_DATA,
	      "a place that wraps was set");
	free(piece);
}

static void
test_resume(run *straight)
{
	mmrd_error err = {0};
	size_t n_bytes;
	void *state;
	run before;
	run after;

	open_run(&before);
	train(&before, 0, 1);
	n_bytes = mmrd_trainer_state_bytes(before.trainer);
	state = malloc(n_bytes);
	mmrd_trainer_state_save(before.trainer, state);
	close_run(&before);

	open_run(&after);
	CHECK(mmrd_trainer_state_load(after.trainer, state, n_bytes - 1, &err) ==
	          MMRD_CORRUPT_DATA,
	      "a shorter state was loaded");
	CHECK(mmrd_trainer_state_load(after.trainer, state, n_bytes, &err) ==
	          MMRD_OK,
	      "%s", err.message);
	check_pieces(after.trainer, state, n_bytes);
	train(&after, 1, EPOCHS);
	CHECK(same_weights(straight, &after), "a resumed run ends elsewhere");
	memset(state, 0, 8);
	CHECK(mmrd_trainer_state_load(after.trainer, state, n_bytes, &err) ==
	          MMRD_CORRUPT_DATA,
	      "a damaged state was loaded");
	close_run(&after);
	free(state);
}

static void
test_score(run *t)
{
	mmrd_weights_source source = {mmrd_trainer_weights(t->trainer), NULL};
	void *packed = aligned_alloc(64, mmrd_packed_bytes(&config));
	float *map = malloc(SIZE * SIZE * sizeof(float));
	mmrd_scorer *scorer = NULL;
	mmrd_error err = {0};
	const float *pair[2] = {inputs[0], inputs[1]};
	float two = NAN;
	float one = NAN;

	source.buffer =
	    malloc(mmrd_weights_largest(source.weights) * sizeof(float));
	CHECK(mmrd_packed_build(&config, mmrd_weights_lookup, &source, packed,
	                        &err) == MMRD_OK,
	      "%s", err.message);
	CHECK(mmrd_scorer_create(&config, NULL, &scorer, &err) == MMRD_OK, "%s",
	      err.message);
	CHECK(mmrd_scorer_run(scorer, packed, pair, map, &two, &err) == MMRD_OK,
	      "%s", err.message);
	mmrd_threads_set(1);
	CHECK(mmrd_scorer_run(scorer, packed, pair, map, &one, &err) == MMRD_OK,
	      "%s", err.message);
	mmrd_threads_set(2);
	CHECK(two > 0 && two < 6 && two == one, "scores %.9g and %.9g",
	      (double) two, (double) one);
	mmrd_scorer_free(scorer);
	free(source.buffer);
	free(packed);
	free(map);
}

static bool
always(void *context)
{
	(void) context;
	return true;
}

static void
test_cancel(void)
{
	const mmrd_stop stop = {always, NULL};
	mmrd_trainer *t = NULL;
	mmrd_error err = {0};
	mmrd_batch batch;
	const float *list[MMRD_ADAPT_BATCH * 2];

	CHECK(mmrd_trainer_create(&config, &options, SCANS, 0, &stop, &t, &err) ==
	          MMRD_OK,
	      "%s", err.message);
	CHECK(mmrd_trainer_adapt_next(t, &batch), "no batch");
	for (int i = 0; i < batch.n * 2; i++)
		list[i] = inputs[batch.scan[i / 2] * 2 + i % 2];
	CHECK(mmrd_trainer_adapt(t, &batch, list, &err) == MMRD_CANCELLED, "%s",
	      err.message);
	mmrd_trainer_free(t);
}

static void
test_refusals(void)
{
	mmrd_trainer *t = NULL;
	mmrd_error err = {0};
	mmrd_train_options bad = options;

	CHECK(mmrd_trainer_create(&config, &options, 0, 0, NULL, &t, &err) ==
	              MMRD_INVALID_ARGUMENT &&
	          t == NULL,
	      "training without scans");
	bad.batch_size = 0;
	CHECK(mmrd_trainer_create(&config, &bad, SCANS, 0, NULL, &t, &err) ==
	          MMRD_INVALID_ARGUMENT,
	      "batches of nothing");
	CHECK(mmrd_trainer_create(&config, &options, SCANS, 1000000, NULL, &t,
	                          &err) == MMRD_LIMIT_EXCEEDED &&
	          err.hint[0] != '\0',
	      "a limit of 1 MB");
	/* Stage 3 is 4x4 at this size: one scan has 16 vectors, not 50. */
	CHECK(mmrd_trainer_create(&config, &options, 1, 0, NULL, &t, &err) ==
	          MMRD_INVALID_ARGUMENT,
	      "more prototypes than positions");
}

int
main(void)
{
	run t;

	mmrd_threads_start(2);
	make_inputs();
	open_run(&t);
	train(&t, 0, EPOCHS);
	CHECK(t.last_loss < t.first_loss, "loss went from %g to %g", t.first_loss,
	      t.last_loss);
	test_threads(&t);
	test_resume(&t);
	test_score(&t);
	test_cancel();
	test_refusals();
	close_run(&t);
	for (int i = 0; i < SCANS * 2; i++)
		free(inputs[i]);
	mmrd_threads_stop();
	return check_result();
}
