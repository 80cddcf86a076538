/*
 * extension/pg_calibrate.c
 *	  Judging a freshly trained network by scans that it has not seen.
 */
#include "postgres.h"

#include "extension/pg_calibrate.h"

#include "extension/pg_engine.h"
#include "extension/pg_training.h"
#include "utils/memutils.h"

static mmrd_pg_engine *
build_engine(const mmrd_pg_options *options, const mmrd_weights *weights)
{
	mmrd_pg_engine *engine = mmrd_pg_engine_create(options, options->precision,
	                                               CurrentMemoryContext);
	mmrd_weights_source source = {
	    .weights = weights,
	    .buffer = MemoryContextAllocHuge(CurrentMemoryContext,
	                                     mmrd_weights_largest(weights) *
	                                         sizeof(float))};
	void *packed = mmrd_pg_allocate(CurrentMemoryContext,
	                                mmrd_packed_bytes(&engine->config), NULL);
	mmrd_error err = {0};

	MMRD_PG_CHECK(mmrd_packed_build(&engine->config, mmrd_weights_lookup,
	                                &source, packed, &err),
	              &err);
	engine->packed = packed;
	pfree(source.buffer);
	return engine;
}

Size
mmrd_pg_calibration_record_bytes(const mmrd_pg_options *options)
{
	const Size S = (Size) options->config.input_size;

	return mmrd_pg_input_record_bytes(options) + sizeof(mmrd_pg_verdict) +
	       (options->mask != NULL ? S * S : 0);
}

void
mmrd_pg_calibrate(const mmrd_pg_options *options, const mmrd_weights *weights,
                  mmrd_pg_spool *scans, mmrd_pg_judge *judge)
{
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext memory = AllocSetContextCreate(caller, "mmrd calibration",
	                                             ALLOCSET_DEFAULT_SIZES);
	const Size input_bytes = mmrd_pg_input_record_bytes(options);
	const int n = mmrd_pg_spool_count(scans);
	mmrd_pg_engine *engine;
	void *buffer;

	if (n == 0)
		return;
	MemoryContextSwitchTo(memory);
	engine = build_engine(options, weights);
	buffer = palloc(mmrd_pg_calibration_record_bytes(options));
	for (int i = 0; i < n; i++)
	{
		const char *record = mmrd_pg_spool_get(scans, i, buffer);
		mmrd_pg_verdict verdict;

		/* The inputs of an engine lie one after the other, too. */
		memcpy(engine->input[0], record, input_bytes);
		memcpy(&verdict, record + input_bytes, sizeof(verdict));
		mmrd_pg_judge_scan(judge, engine, (mmrd_pg_class) verdict.class,
		                   verdict.has_mask ? (const uint8 *) record +
		                                          input_bytes + sizeof(verdict)
		                                    : NULL);
	}
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(memory);
}
