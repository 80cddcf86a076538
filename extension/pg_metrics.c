/*
 * extension/pg_metrics.c
 *	  The aggregates mmrd_auroc(), mmrd_average_precision(), mmrd_f1_max() and
 *	  mmrd_aupro().
 *
 * All are exact, so all keep what they are given: 8 bytes a score, about 4 a
 * pixel, up to the limits below.  The first three can be computed in parts by
 * parallel workers.
 */
#include "postgres.h"

#include <math.h>

#include "extension/pg_glue.h"
#include "extension/pg_input.h"
#include "extension/pg_map.h"
#include "fmgr.h"
#include "model/score/aupro.h"
#include "model/score/auroc.h"
#include "utils/memutils.h"

PG_FUNCTION_INFO_V1(mmrd_scores_accum);
PG_FUNCTION_INFO_V1(mmrd_scores_combine);
PG_FUNCTION_INFO_V1(mmrd_scores_serialize);
PG_FUNCTION_INFO_V1(mmrd_scores_deserialize);
PG_FUNCTION_INFO_V1(mmrd_auroc_final);
PG_FUNCTION_INFO_V1(mmrd_average_precision_final);
PG_FUNCTION_INFO_V1(mmrd_f1_max_final);
PG_FUNCTION_INFO_V1(mmrd_aupro_accum);
PG_FUNCTION_INFO_V1(mmrd_aupro_final);

/* ---- scores ---- */

/* 100 million scores; a bytea between workers holds as many. */
#define MAX_SCORE_BYTES ((size_t) 800 << 20)

static void
clear_scores(void *scores)
{
	mmrd_scores_clear(scores);
}

static MemoryContext
aggregate_context(FunctionCallInfo fcinfo)
{
	MemoryContext context;

	if (!AggCheckCallContext(fcinfo, &context))
		elog(ERROR, "aggregate function called outside an aggregate");
	return context;
}

static mmrd_scores *
new_scores(MemoryContext owner)
{
	mmrd_scores *scores = MemoryContextAllocZero(owner, sizeof(mmrd_scores));

	mmrd_scores_init(scores, MAX_SCORE_BYTES);
	mmrd_pg_own(owner, clear_scores)->object = scores;
	return scores;
}

/* Rows with a NULL are not counted. */
Datum
mmrd_scores_accum(PG_FUNCTION_ARGS)
{
	MemoryContext owner = aggregate_context(fcinfo);
	mmrd_scores *scores = PG_ARGISNULL(0)
	                          ? new_scores(owner)
	                          : (mmrd_scores *) PG_GETARG_POINTER(0);
	mmrd_error err = {0};

	if (!PG_ARGISNULL(1) && !PG_ARGISNULL(2))
		MMRD_PG_CHECK(mmrd_scores_add(scores, PG_GETARG_FLOAT8(1),
		                              PG_GETARG_BOOL(2), &err),
		              &err);
	PG_RETURN_POINTER(scores);
}

Datum
mmrd_scores_combine(PG_FUNCTION_ARGS)
{
	MemoryContext owner = aggregate_context(fcinfo);
	mmrd_scores *scores;
	mmrd_error err = {0};

	if (PG_ARGISNULL(0) && PG_ARGISNULL(1))
		PG_RETURN_NULL();
	scores = PG_ARGISNULL(0) ? new_scores(owner)
	                         : (mmrd_scores *) PG_GETARG_POINTER(0);
	if (!PG_ARGISNULL(1))
		MMRD_PG_CHECK(mmrd_scores_merge(
		                  scores, (mmrd_scores *) PG_GETARG_POINTER(1), &err),
		              &err);
	PG_RETURN_POINTER(scores);
}

Datum
mmrd_scores_serialize(PG_FUNCTION_ARGS)
{
	const mmrd_scores *scores;
	size_t n_bytes;
	bytea *value;

	(void) aggregate_context(fcinfo);
	scores = (mmrd_scores *) PG_GETARG_POINTER(0);
	n_bytes = mmrd_scores_packed_bytes(scores);
	value = palloc(VARHDRSZ + n_bytes);
	SET_VARSIZE(value, VARHDRSZ + n_bytes);
	mmrd_scores_pack(scores, (uint8_t *) VARDATA(value));
	PG_RETURN_BYTEA_P(value);
}

Datum
mmrd_scores_deserialize(PG_FUNCTION_ARGS)
{
	const bytea *value;
	mmrd_scores *scores;
	mmrd_error err = {0};

	(void) aggregate_context(fcinfo);
	value = PG_GETARG_BYTEA_PP(0);
	scores = new_scores(CurrentMemoryContext);
	MMRD_PG_CHECK(mmrd_scores_unpack((const uint8_t *) VARDATA_ANY(value),
	                                 VARSIZE_ANY_EXHDR(value), MAX_SCORE_BYTES,
	                                 scores, &err),
	              &err);
	PG_RETURN_POINTER(scores);
}

static mmrd_score_metrics
measure(FunctionCallInfo fcinfo)
{
	mmrd_score_metrics metrics = {
	    .auroc = NAN, .average_precision = NAN, .f1_max = NAN};
	mmrd_error err = {0};

	(void) aggregate_context(fcinfo);
	if (!PG_ARGISNULL(0))
		MMRD_PG_CHECK(mmrd_scores_measure((mmrd_scores *) PG_GETARG_POINTER(0),
		                                  &mmrd_pg_stop, &metrics, &err),
		              &err);
	return metrics;
}

/* NaN is the core's way to say that there is no answer. */
#define RETURN_NUMBER(number)                                                 \
	do                                                                        \
	{                                                                         \
		const double number_ = (number);                                      \
		if (isnan(number_))                                                   \
			PG_RETURN_NULL();                                                 \
		PG_RETURN_FLOAT8(number_);                                            \
	} while (0)

Datum
mmrd_auroc_final(PG_FUNCTION_ARGS)
{
	RETURN_NUMBER(measure(fcinfo).auroc);
}

Datum
mmrd_average_precision_final(PG_FUNCTION_ARGS)
{
	RETURN_NUMBER(measure(fcinfo).average_precision);
}

Datum
mmrd_f1_max_final(PG_FUNCTION_ARGS)
{
	RETURN_NUMBER(measure(fcinfo).f1_max);
}

/* ---- maps ---- */

/* 500 million pixels: 8,000 maps of 256 x 256. */
#define MAX_AUPRO_BYTES ((size_t) 2 << 30)

typedef struct aupro_state
{
	mmrd_aupro aupro;
	double fpr_limit;
} aupro_state;

static void
clear_aupro(void *state)
{
	mmrd_aupro_clear(&((aupro_state *) state)->aupro);
}

static aupro_state *
new_aupro(MemoryContext owner, double fpr_limit)
{
	aupro_state *state = MemoryContextAllocZero(owner, sizeof(aupro_state));

	mmrd_aupro_init(&state->aupro, MAX_AUPRO_BYTES);
	state->fpr_limit = fpr_limit;
	mmrd_pg_own(owner, clear_aupro)->object = state;
	return state;
}

static double
fpr_limit_argument(FunctionCallInfo fcinfo)
{
	double limit = MMRD_AUPRO_FPR_LIMIT;

	if (PG_NARGS() > 3)
	{
		if (PG_ARGISNULL(3))
			ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
			                errmsg("fpr_limit must not be null"),
			                errhint("Leave it out for 0.3.")));
		limit = PG_GETARG_FLOAT8(3);
	}
	if (!(limit > 0 && limit <= 1))
		ereport(ERROR,
		        (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
		         errmsg("fpr_limit is out of range"),
		         errdetail("The value is %g, it must be above 0 and at most "
		                   "1.",
		                   limit),
		         errhint("The usual limit is 0.3.")));
	return limit;
}

static void
add_map(aupro_state *state, const struct varlena *value,
        const struct varlena *mask_bytes)
{
	mmrd_pg_owned *owned;
	const mmrd_map *map =
	    mmrd_pg_map_decode(value, CurrentMemoryContext, &owned);
	const mmrd_map_info *info = &map->info;
	mmrd_error err = {0};
	uint8 *mask = NULL;

	if (mask_bytes != NULL)
	{
		const int32 roi[4] = {info->roi_x, info->roi_y, info->roi_width,
		                      info->roi_height};
		const bool whole = info->roi_width == info->source_width &&
		                   info->roi_height == info->source_height;

		mask = MemoryContextAllocHuge(CurrentMemoryContext,
		                              (Size) info->height * info->width);
		if (mmrd_pg_mask_prepare(mask_bytes, whole ? NULL : roi, info->height,
		                         info->width, mask, &err) != MMRD_OK)
			mmrd_pg_throw_where(&err, "argument mask of mmrd_aupro");
	}
	MMRD_PG_CHECK(mmrd_aupro_add(&state->aupro, map->values, mask,
	                             info->height, info->width, &err),
	              &err);
	mmrd_pg_release(owned);
	if (mask != NULL)
		pfree(mask);
}

/* A NULL map is not counted; a NULL mask is a scan without defect. */
Datum
mmrd_aupro_accum(PG_FUNCTION_ARGS)
{
	MemoryContext owner = aggregate_context(fcinfo);
	const double limit = fpr_limit_argument(fcinfo);
	aupro_state *state = PG_ARGISNULL(0)
	                         ? new_aupro(owner, limit)
	                         : (aupro_state *) PG_GETARG_POINTER(0);

	if (limit != state->fpr_limit)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
		                errmsg("fpr_limit differs from row to row"),
		                errdetail("One row has %g, another one %g.",
		                          state->fpr_limit, limit),
		                errhint("Pass a constant, or GROUP BY it.")));
	if (!PG_ARGISNULL(1))
		add_map(state, PG_GETARG_VARLENA_PP(1),
		        PG_ARGISNULL(2) ? NULL : PG_GETARG_VARLENA_PP(2));
	PG_RETURN_POINTER(state);
}

Datum
mmrd_aupro_final(PG_FUNCTION_ARGS)
{
	aupro_state *state;
	mmrd_error err = {0};
	double aupro;

	(void) aggregate_context(fcinfo);
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	state = (aupro_state *) PG_GETARG_POINTER(0);
	MMRD_PG_CHECK(mmrd_aupro_sort(&state->aupro, &mmrd_pg_stop, &err), &err);
	MMRD_PG_CHECK(
	    mmrd_aupro_measure(&state->aupro, state->fpr_limit, &aupro, &err),
	    &err);
	RETURN_NUMBER(aupro);
}
