/*
 * extension/pg_synthesize.c
 *	  mmrd_synthesize(): procedural scans, one at a time.
 */
#include "postgres.h"

#include "extension/pg_glue.h"
#include "funcapi.h"
#include "loader/image/png.h"
#include "model/synth/synth_scan.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(mmrd_synthesize);

enum
{
	PNG_LEVEL = 1 /* speed: these are made by the thousand */
};

typedef struct plan
{
	int32 n;
	uint64 seed;
	double anomalous_share;
	TupleDesc desc;
} plan;

static plan *
read_plan(FunctionCallInfo fcinfo)
{
	plan *p = palloc0(sizeof(plan));

	p->n = PG_GETARG_INT32(0);
	p->seed = (uint64) (int64) PG_GETARG_INT32(1);
	p->anomalous_share = PG_GETARG_FLOAT4(2);
	if (p->n < 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
		                errmsg("the number of scans must not be negative"),
		                errdetail("The value is %d.", p->n),
		                errhint("Ask for one or more.")));
	if (!(p->anomalous_share >= 0 && p->anomalous_share <= 1))
		ereport(ERROR,
		        (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
		         errmsg("anomalous_share is out of range"),
		         errdetail("The value is %g, it must be between 0 and 1.",
		                   p->anomalous_share),
		         errhint("0.2 makes every fifth scan defective.")));
	if (get_call_result_type(fcinfo, NULL, &p->desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	p->desc = BlessTupleDesc(p->desc);
	return p;
}

static void
clear_scan(void *scan)
{
	mmrd_synth_clear(scan);
}

static Datum
as_png(const mmrd_raster *raster)
{
	mmrd_pg_owned *owned = mmrd_pg_own(CurrentMemoryContext, free);
	mmrd_error err = {0};
	uint8_t *bytes = NULL;
	size_t n_bytes;
	mmrd_status st =
	    mmrd_png_encode(raster, PNG_LEVEL, &bytes, &n_bytes, &err);
	bytea *value;

	owned->object = bytes;
	MMRD_PG_CHECK(st, &err);
	value = palloc(VARHDRSZ + n_bytes);
	SET_VARSIZE(value, VARHDRSZ + n_bytes);
	memcpy(VARDATA(value), bytes, n_bytes);
	mmrd_pg_release(owned);
	return PointerGetDatum(value);
}

static HeapTuple
make_scan(const plan *p, int32 index)
{
	mmrd_synth *scan = palloc0(sizeof(mmrd_synth));
	mmrd_pg_owned *owned = mmrd_pg_own(CurrentMemoryContext, clear_scan);
	const bool anomalous = mmrd_synth_is_anomalous(index, p->anomalous_share);
	mmrd_error err = {0};
	Datum values[5];
	bool nulls[5] = {false};
	HeapTuple tuple;

	owned->object = scan;
	MMRD_PG_CHECK(mmrd_synth_scan(p->seed, index, anomalous,
	                              MMRD_SYNTH_DEFAULT_SIZE, MMRD_SYNTH_NORMALS,
	                              scan, &err),
	              &err);
	values[0] = Int32GetDatum(index + 1);
	values[1] = as_png(&scan->rgb);
	values[2] = as_png(&scan->aux);
	values[3] = (Datum) 0;
	nulls[3] = !anomalous;
	if (anomalous)
		values[3] = as_png(&scan->mask);
	values[4] = BoolGetDatum(anomalous);
	mmrd_pg_release(owned);
	tuple = heap_form_tuple(p->desc, values, nulls);
	return tuple;
}

/* One value a call: the executor keeps what it must, within work_mem. */
Datum
mmrd_synthesize(PG_FUNCTION_ARGS)
{
	FuncCallContext *calls;
	plan *p;
	HeapTuple tuple;

	if (SRF_IS_FIRSTCALL())
	{
		MemoryContext before;

		calls = SRF_FIRSTCALL_INIT();
		before = MemoryContextSwitchTo(calls->multi_call_memory_ctx);
		calls->user_fctx = read_plan(fcinfo);
		MemoryContextSwitchTo(before);
	}
	calls = SRF_PERCALL_SETUP();
	p = calls->user_fctx;
	if (calls->call_cntr >= (uint64) p->n)
		SRF_RETURN_DONE(calls);
	CHECK_FOR_INTERRUPTS();
	tuple = make_scan(p, (int32) calls->call_cntr);
	SRF_RETURN_NEXT(calls, HeapTupleGetDatum(tuple));
}
