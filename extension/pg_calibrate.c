/*
 * extension/pg_calibrate.c
 *	  Thresholds of a freshly trained network from scans it has not seen.
 */
#include "postgres.h"

#include "extension/pg_calibrate.h"

#include "extension/pg_engine.h"
#include "extension/pg_training.h"
#include "miscadmin.h"
#include "model/score/calibration.h"
#include "utils/memutils.h"

static mmrd_pg_engine *
build_engine(const mmrd_pg_options *options, const mmrd_weights *weights)
{
	mmrd_pg_engine *engine =
	    mmrd_pg_engine_create(options, CurrentMemoryContext);
	mmrd_weights_source source = {
	    .weights = weights,
	    .buffer = MemoryContextAllocHuge(CurrentMemoryContext,
	                                     mmrd_weights_largest(weights) *
	                                         sizeof(float))};
	mmrd_error err = {0};

	MMRD_PG_CHECK(mmrd_packed_build(&options->config, mmrd_weights_lookup,
	                                &source, engine->packed, &err),
	              &err);
	pfree(source.buffer);
	return engine;
}

/* The inputs of an engine lie one after the other, as in a record. */
static void
load_inputs(mmrd_pg_engine *engine, mmrd_pg_spool *inputs, int number,
            Size record_bytes)
{
	const void *record = mmrd_pg_spool_get(inputs, number, engine->input[0]);

	if (record != engine->input[0])
		memcpy(engine->input[0], record, record_bytes);
}

void
mmrd_pg_calibrate(const mmrd_pg_options *options, const mmrd_weights *weights,
                  mmrd_pg_spool *inputs, mmrd_pg_calibration *out)
{
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext memory = AllocSetContextCreate(caller, "mmrd calibration",
	                                             ALLOCSET_DEFAULT_SIZES);
	const Size record_bytes = mmrd_pg_input_record_bytes(options);
	const int n = mmrd_pg_spool_count(inputs);
	mmrd_error err = {0};
	mmrd_pg_engine *engine;
	float *quantiles;

	memset(out, 0, sizeof(*out));
	if (n == 0)
		return;
	out->n = n;
	out->scores = palloc(n * sizeof(float));
	MemoryContextSwitchTo(memory);
	engine = build_engine(options, weights);
	quantiles = palloc(n * sizeof(float));
	for (int i = 0; i < n; i++)
	{
		load_inputs(engine, inputs, i, record_bytes);
		MMRD_PG_CHECK(mmrd_pg_engine_run(engine, &out->scores[i], &err), &err);
		quantiles[i] = mmrd_map_quantile(engine->map, engine->map_count,
		                                 options->threshold_fpr);
		CHECK_FOR_INTERRUPTS();
	}
	mmrd_floats_sort(out->scores, n);
	mmrd_floats_sort(quantiles, n);
	out->threshold = mmrd_threshold(out->scores, n, options->threshold_fpr);
	out->pixel_threshold =
	    mmrd_threshold(quantiles, n, options->threshold_fpr);
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(memory);
}
