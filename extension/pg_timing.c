/*
 * extension/pg_timing.c
 *	  Where this session's time for scoring went: mmrd_timing().
 *
 * Sums since the session began, of what scores scans one at a time: the two
 * functions, the queue, triggers.  They cost a few reads of the clock a scan,
 * so they are always on, and who wants one statement's share takes the
 * difference.
 */
#include "postgres.h"

#include "extension/pg_timing.h"

#include "access/htup_details.h"
#include "fmgr.h"
#include "funcapi.h"

PG_FUNCTION_INFO_V1(mmrd_timing);

static int64 n_scans = 0;
static double sums[MMRD_PG_PARTS];

void
mmrd_pg_timing_scan(void)
{
	n_scans++;
}

void
mmrd_pg_timing_add(mmrd_pg_part part, double ms)
{
	sums[part] += ms;
}

Datum
mmrd_timing(PG_FUNCTION_ARGS)
{
	TupleDesc desc;
	Datum values[1 + MMRD_PG_PARTS];
	bool nulls[1 + MMRD_PG_PARTS] = {false};

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	desc = BlessTupleDesc(desc);
	values[0] = Int64GetDatum(n_scans);
	for (int i = 0; i < MMRD_PG_PARTS; i++)
		values[1 + i] = Float8GetDatum(sums[i]);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(desc, values, nulls)));
}
