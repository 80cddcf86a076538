/*
 * extension/pg_evaluate.c
 *	  mmrd_evaluate(): every metric of a model on a table, in one pass.
 */
#include "postgres.h"

#include <math.h>

#include "access/htup_details.h"
#include "extension/pg_cache.h"
#include "extension/pg_glue.h"
#include "extension/pg_input.h"
#include "extension/pg_scans.h"
#include "extension/pg_score.h"
#include "extension/pg_settings.h"
#include "extension/pg_threads.h"
#include "extension/pg_truth.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "model/score/aupro.h"
#include "model/score/auroc.h"
#include "portability/instr_time.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

PG_FUNCTION_INFO_V1(mmrd_evaluate);

#define MAX_SCORE_BYTES ((size_t) 800 << 20)
#define MAX_PIXEL_BYTES ((size_t) 2 << 30)
#define SMALL_FPR_LIMIT 0.01 /* column aupro_01 */

typedef struct evaluation
{
	mmrd_pg_source source;
	const mmrd_pg_version *version;
	mmrd_pg_truth truth;
	mmrd_scores scores;
	mmrd_aupro pixels;
	mmrd_pg_tables tables;
	int64 n_unlabelled;
	int64 n_without_mask; /* anomalous, but the mask is NULL */
} evaluation;

static void
clear_evaluation(void *arg)
{
	evaluation *e = arg;

	mmrd_scores_clear(&e->scores);
	mmrd_aupro_clear(&e->pixels);
}

static void
evaluate_scan(void *context, const mmrd_pg_scan *scan)
{
	evaluation *e = context;
	const mmrd_pg_options *options = &e->version->options;
	const int S = options->config.input_size;
	/* Looked up for each scan: a condition may score with other models. */
	mmrd_pg_engine *engine = mmrd_pg_cache_get(
	    e->version, mmrd_pg_precision_now(&e->version->options));
	mmrd_pg_prepared prepared;
	mmrd_error err = {0};
	mmrd_pg_class class;
	bool has_mask;
	float score;

	if (mmrd_pg_inputs_prepare(options, scan->modality, engine->input,
	                           &prepared, &err) != MMRD_OK)
		mmrd_pg_scan_throw(&e->source, scan, prepared.failed, &err);
	mmrd_pg_tables_count(&e->tables, &prepared);
	MMRD_PG_CHECK(mmrd_pg_engine_run(engine, &score, &err), &err);

	class = mmrd_pg_truth_read(&e->truth, scan, options, &has_mask);
	if (class == MMRD_PG_UNKNOWN)
	{
		e->n_unlabelled += e->truth.label >= 0;
		return;
	}
	MMRD_PG_CHECK(
	    mmrd_scores_add(&e->scores, score, class == MMRD_PG_ANOMALOUS, &err),
	    &err);
	if (e->truth.mask < 0)
		return;
	if (class == MMRD_PG_ANOMALOUS && !has_mask)
	{
		e->n_without_mask++;
		return;
	}
	MMRD_PG_CHECK(mmrd_aupro_add(&e->pixels, engine->map,
	                             has_mask ? e->truth.pixels : NULL, S, S,
	                             &err),
	              &err);
}

/* Arguments: source, model, rgb, aux, aux2, label, mask, filter. */
static char *
begin(FunctionCallInfo fcinfo, evaluation *e)
{
	char *model =
	    PG_ARGISNULL(1) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(1));
	char *filter =
	    PG_ARGISNULL(7) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(7));
	const char *aux = mmrd_pg_name_argument(fcinfo, 3);
	const char *aux2 = mmrd_pg_name_argument(fcinfo, 4);

	mmrd_pg_need_source(fcinfo, 0, "table or view");
	mmrd_scores_init(&e->scores, MAX_SCORE_BYTES);
	mmrd_aupro_init(&e->pixels, MAX_PIXEL_BYTES);
	mmrd_pg_own(CurrentMemoryContext, clear_evaluation)->object = e;
	e->version = mmrd_pg_version_wanted(model, CurrentMemoryContext);
	mmrd_pg_source_init(&e->source, PG_GETARG_OID(0),
	                    mmrd_pg_name_argument(fcinfo, 2), aux, aux2);
	mmrd_pg_check_modalities(e->version, aux != NULL, aux2 != NULL);
	mmrd_pg_truth_init(&e->truth, &e->source, mmrd_pg_name_argument(fcinfo, 5),
	                   mmrd_pg_name_argument(fcinfo, 6),
	                   e->version->options.config.input_size);
	return mmrd_pg_source_query(&e->source, filter, NULL, false);
}

static void
report(evaluation *e, int64 skipped)
{
	mmrd_pg_scans_report_skipped(&e->source, skipped);
	mmrd_pg_tables_report(&e->tables, NOTICE);
	if (e->n_unlabelled > 0)
		ereport(NOTICE,
		        (errmsg_plural("%lld scan without a label is not counted",
		                       "%lld scans without a label are not counted",
		                       (unsigned long) e->n_unlabelled,
		                       (long long) e->n_unlabelled)));
	if (e->n_without_mask > 0)
		ereport(NOTICE,
		        (errmsg_plural("%lld anomalous scan without a mask is left "
		                       "out of the pixel metrics",
		                       "%lld anomalous scans without a mask are left "
		                       "out of the pixel metrics",
		                       (unsigned long) e->n_without_mask,
		                       (long long) e->n_without_mask)));
}

typedef struct numbers
{
	mmrd_score_metrics image;
	double pixel_auroc;
	double pixel_ap;
	double aupro_30;
	double aupro_01;
} numbers;

static numbers
measure(evaluation *e)
{
	mmrd_error err = {0};
	numbers n;

	MMRD_PG_CHECK(
	    mmrd_scores_measure(&e->scores, &mmrd_pg_stop, &n.image, &err), &err);
	MMRD_PG_CHECK(mmrd_aupro_sort(&e->pixels, &mmrd_pg_stop, &err), &err);
	mmrd_aupro_pixels(&e->pixels, &n.pixel_auroc, &n.pixel_ap);
	MMRD_PG_CHECK(mmrd_aupro_measure(&e->pixels, MMRD_AUPRO_FPR_LIMIT,
	                                 &n.aupro_30, &err),
	              &err);
	MMRD_PG_CHECK(
	    mmrd_aupro_measure(&e->pixels, SMALL_FPR_LIMIT, &n.aupro_01, &err),
	    &err);
	return n;
}

static Datum
result_row(FunctionCallInfo fcinfo, int64 scans, const numbers *n,
           double seconds)
{
	const double metrics[] = {n->image.auroc,  n->image.average_precision,
	                          n->pixel_auroc,  n->pixel_ap,
	                          n->aupro_30,     n->aupro_01,
	                          n->image.f1_max, n->image.f1_threshold};
	TupleDesc desc;
	Datum values[10];
	bool nulls[10] = {false};

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	desc = BlessTupleDesc(desc);
	values[0] = Int64GetDatum(scans);
	for (size_t i = 0; i < lengthof(metrics); i++)
	{
		values[i + 1] = Float8GetDatum(metrics[i]);
		nulls[i + 1] = isnan(metrics[i]);
	}
	values[9] = Float8GetDatum(seconds);
	return HeapTupleGetDatum(heap_form_tuple(desc, values, nulls));
}

Datum
mmrd_evaluate(PG_FUNCTION_ARGS)
{
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext memory =
	    AllocSetContextCreate(caller, "mmrd evaluate", ALLOCSET_DEFAULT_SIZES);
	evaluation *e;
	char *query;
	int64 scans;
	int64 skipped;
	numbers n;
	instr_time start;
	instr_time now;
	Datum row;

	INSTR_TIME_SET_CURRENT(start);
	MemoryContextSwitchTo(memory);
	e = palloc0(sizeof(evaluation));
	query = begin(fcinfo, e);
	mmrd_pg_threads_begin(mmrd_pg_setting_threads, fcinfo->flinfo->fn_mcxt);
	scans = mmrd_pg_scans_read(&e->source, query, false, evaluate_scan, e,
	                           &skipped);
	report(e, skipped);
	n = measure(e);
	INSTR_TIME_SET_CURRENT(now);
	INSTR_TIME_SUBTRACT(now, start);

	MemoryContextSwitchTo(caller);
	row = result_row(fcinfo, scans, &n, INSTR_TIME_GET_DOUBLE(now));
	MemoryContextDelete(memory);
	PG_RETURN_DATUM(row);
}
