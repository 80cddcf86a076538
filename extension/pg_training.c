/*
 * extension/pg_training.c
 *	  The training loop: prepared scans in, weights out.
 *
 * One core call a step, CHECK_FOR_INTERRUPTS() between any two of them.  A
 * step of a large network can take seconds; the trainer then asks the stop
 * hook between its layers, and the interrupt is served as soon as it returns.
 */
#include "postgres.h"

#include "extension/pg_training.h"

#include <math.h>

#include "extension/pg_glue.h"
#include "extension/pg_input.h"
#include "miscadmin.h"
#include "portability/instr_time.h"
#include "utils/memutils.h"

static void
free_trainer(void *trainer)
{
	mmrd_trainer_free(trainer);
}

Size
mmrd_pg_input_record_bytes(const mmrd_pg_options *options)
{
	return (1 + options->config.n_aux) * mmrd_pg_input_count(options) *
	       sizeof(float);
}

Size
mmrd_pg_feature_record_bytes(const mmrd_pg_options *options)
{
	return mmrd_trainer_record_count(&options->config) * sizeof(uint16);
}

/* What is left for inputs and features beside the trainer. */
static Size
memory_for_records(const mmrd_pg_options *options, Size memory_bytes)
{
	const Size trainer = mmrd_trainer_bytes(&options->config, &options->train);

	if (trainer > memory_bytes)
		ereport(ERROR,
		        (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
		         errmsg("training needs more memory than mmrd.train_memory "
		                "allows"),
		         errdetail("%zu MB are needed for %s at %d pixels in batches "
		                   "of %d, %zu MB are allowed.",
		                   trainer >> 20,
		                   mmrd_arch_name((mmrd_arch) options->config.arch),
		                   options->config.input_size,
		                   options->train.batch_size, memory_bytes >> 20),
		         errhint("Set mmrd.train_memory higher, or use a smaller "
		                 "batch_size or input_size.")));
	return memory_bytes - trainer;
}

Size
mmrd_pg_training_input_memory(const mmrd_pg_options *options,
                              Size memory_bytes)
{
	const double inputs = (double) mmrd_pg_input_record_bytes(options);
	const double features = (double) mmrd_pg_feature_record_bytes(options);

	return (Size) ((double) memory_for_records(options, memory_bytes) *
	               (inputs / (inputs + features)));
}

mmrd_trainer *
mmrd_pg_training_create(const mmrd_pg_options *options, int n_scans,
                        MemoryContext owner)
{
	mmrd_pg_owned *owned = mmrd_pg_own(owner, free_trainer);
	mmrd_error err = {0};
	mmrd_trainer *trainer = NULL;
	mmrd_status st =
	    mmrd_trainer_create(&options->config, &options->train, n_scans, 0,
	                        &mmrd_pg_stop, &trainer, &err);

	owned->object = trainer;
	MMRD_PG_CHECK(st, &err);
	return trainer;
}

/* What both phases before the student need: pointers to a batch's inputs. */
typedef struct input_reader
{
	mmrd_pg_spool *spool;
	const int32 *scans; /* numbers in the spool */
	int n_scans;
	int n_modalities;
	size_t count;        /* floats of one modality */
	float *buffer;       /* records of a batch, for those in the file */
	const float **input; /* [scan of the batch][modality] */
} input_reader;

static void
input_reader_init(input_reader *reader, const mmrd_pg_training *training,
                  MemoryContext memory)
{
	const mmrd_pg_options *options = training->options;
	const Size record = mmrd_pg_input_record_bytes(options);

	reader->spool = training->inputs;
	reader->scans = training->scans;
	reader->n_scans = training->n_scans;
	reader->n_modalities = 1 + options->config.n_aux;
	reader->count = mmrd_pg_input_count(options);
	reader->buffer = MemoryContextAllocHuge(memory, MMRD_ADAPT_BATCH * record);
	reader->input = MemoryContextAlloc(
	    memory, MMRD_ADAPT_BATCH * reader->n_modalities * sizeof(float *));
}

static void
input_reader_read(input_reader *reader, int place, int scan)
{
	const size_t record = reader->n_modalities * reader->count;
	const float *at = mmrd_pg_spool_get(reader->spool, reader->scans[scan],
	                                    reader->buffer + place * record);

	for (int m = 0; m < reader->n_modalities; m++)
		reader->input[place * reader->n_modalities + m] =
		    at + m * reader->count;
}

static void
adapt(mmrd_trainer *trainer, input_reader *reader)
{
	mmrd_error err = {0};
	mmrd_batch batch;

	while (mmrd_trainer_adapt_next(trainer, &batch))
	{
		for (int i = 0; i < batch.n; i++)
			input_reader_read(reader, i, batch.scan[i]);
		MMRD_PG_CHECK(mmrd_trainer_adapt(trainer, &batch, reader->input, &err),
		              &err);
		CHECK_FOR_INTERRUPTS();
	}
}

static void
make_features(mmrd_trainer *trainer, input_reader *reader,
              mmrd_pg_spool *features, uint16 *record)
{
	mmrd_error err = {0};

	for (int scan = 0; scan < reader->n_scans; scan++)
	{
		input_reader_read(reader, 0, scan);
		MMRD_PG_CHECK(
		    mmrd_trainer_features(trainer, scan, reader->input, record, &err),
		    &err);
		mmrd_pg_spool_add(features, record);
		CHECK_FOR_INTERRUPTS();
	}
}

static void
report_files(const mmrd_pg_spool *inputs, const mmrd_pg_spool *features)
{
	const Size bytes =
	    mmrd_pg_spool_file(inputs) + mmrd_pg_spool_file(features);

	if (bytes > 0)
		ereport(NOTICE,
		        (errmsg("%zu MB of this training are kept in temporary files",
		                (bytes + (1 << 20) - 1) >> 20),
		         errhint("A larger mmrd.train_memory makes it faster.")));
}

/* One epoch; the sums of the losses over its scans. */
static void
run_epoch(mmrd_trainer *trainer, mmrd_pg_spool *features, Size record_bytes,
          char *buffer, mmrd_losses *sums)
{
	const uint16_t *records[MMRD_MAX_BATCH];
	mmrd_error err = {0};
	mmrd_batch batch;
	mmrd_losses losses;

	memset(sums, 0, sizeof(*sums));
	while (mmrd_trainer_next(trainer, &batch))
	{
		for (int i = 0; i < batch.n; i++)
			records[i] = mmrd_pg_spool_get(features, batch.scan[i],
			                               buffer + i * record_bytes);
		MMRD_PG_CHECK(
		    mmrd_trainer_step(trainer, &batch, records, &losses, &err), &err);
		sums->loss += batch.n * losses.loss;
		sums->distillation += batch.n * losses.distillation;
		sums->prototype += batch.n * losses.prototype;
		CHECK_FOR_INTERRUPTS();
	}
}

static void
check_loss(int epoch, double loss)
{
	if (isfinite(loss))
		return;
	ereport(ERROR, (errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
	                errmsg("training diverged"),
	                errdetail("The loss of epoch %d is not finite.", epoch),
	                errhint("Use a smaller lr.")));
}

static void
run_epochs(mmrd_trainer *trainer, const mmrd_pg_training *training,
           mmrd_pg_spool *features, char *buffer, int done, double *loss)
{
	const int epochs = training->options->epochs;
	const int n = mmrd_pg_spool_count(features);
	const Size record_bytes = mmrd_pg_feature_record_bytes(training->options);
	instr_time start;

	INSTR_TIME_SET_CURRENT(start);
	for (int epoch = done; epoch < epochs; epoch++)
	{
		mmrd_losses mean;
		instr_time now;

		mmrd_trainer_epoch_begin(trainer, epoch);
		run_epoch(trainer, features, record_bytes, buffer, &mean);
		mean.loss /= n;
		mean.distillation /= n;
		mean.prototype /= n;
		check_loss(epoch + 1, mean.loss);
		INSTR_TIME_SET_CURRENT(now);
		INSTR_TIME_SUBTRACT(now, start);
		training->epoch_done(training->context, epoch + 1, epochs, &mean,
		                     INSTR_TIME_GET_DOUBLE(now) / (epoch + 1 - done) *
		                         (epochs - epoch - 1));
		*loss = mean.loss;
	}
}

void
mmrd_pg_training_run(mmrd_trainer *trainer, mmrd_pg_training *training,
                     double *loss)
{
	const mmrd_pg_options *options = training->options;
	const Size record_bytes = mmrd_pg_feature_record_bytes(options);
	MemoryContext memory = AllocSetContextCreate(
	    CurrentMemoryContext, "mmrd training", ALLOCSET_DEFAULT_SIZES);
	MemoryContext reading = AllocSetContextCreate(
	    memory, "mmrd training inputs", ALLOCSET_DEFAULT_SIZES);
	const Size for_records =
	    memory_for_records(options, training->memory_bytes);
	const Size for_inputs = mmrd_pg_spool_memory(training->inputs);
	mmrd_error err = {0};
	mmrd_pg_spool *features;
	input_reader reader;
	char *buffer;
	int done = 0;

	features = mmrd_pg_spool_create(
	    memory, record_bytes,
	    for_records > for_inputs ? for_records - for_inputs : 0,
	    training->lasting);
	buffer = MemoryContextAllocHuge(memory,
	                                options->train.batch_size * record_bytes);
	input_reader_init(&reader, training, reading);
	adapt(trainer, &reader);
	make_features(trainer, &reader, features, (uint16 *) buffer);
	report_files(training->inputs, features);
	mmrd_pg_spool_free(training->inputs);
	training->inputs = NULL;
	MemoryContextDelete(reading);

	MMRD_PG_CHECK(mmrd_trainer_begin(trainer, &err), &err);
	CHECK_FOR_INTERRUPTS();
	if (training->student_begun != NULL)
		done = training->student_begun(training->context, trainer);
	run_epochs(trainer, training, features, buffer, done, loss);
	mmrd_pg_spool_free(features);
	MemoryContextDelete(memory);
}
