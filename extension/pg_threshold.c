/*
 * extension/pg_threshold.c
 *	  mmrd_calibrate(): new thresholds for the deployed version, without
 *	  training.
 *
 * Nothing is changed but a row added to mmrd.calibrations, so thresholds obey
 * transactions as deployments do.
 */
#include "postgres.h"

#include <math.h>

#include "extension/pg_access.h"
#include "extension/pg_cache.h"
#include "extension/pg_glue.h"
#include "extension/pg_input.h"
#include "extension/pg_judge.h"
#include "extension/pg_score.h"
#include "extension/pg_settings.h"
#include "extension/pg_threads.h"
#include "fmgr.h"
#include "tcop/utility.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"

PG_FUNCTION_INFO_V1(mmrd_calibrate);

#define MIN_FPR 1e-6 /* as the option threshold_fpr */
#define MAX_FPR 0.5

typedef struct calibrator
{
	mmrd_pg_source source;
	mmrd_pg_truth truth;
	const mmrd_pg_version *version;
	mmrd_pg_judge *judge;
	double fpr;
	mmrd_pg_tables tables;
	int64 n_unlabelled;
} calibrator;

static void
judge_scan(void *context, const mmrd_pg_scan *scan)
{
	calibrator *c = context;
	const mmrd_pg_options *options = &c->version->options;
	/* Looked up for each scan: a condition may score with other models. */
	mmrd_pg_engine *engine = mmrd_pg_cache_get(
	    c->version, mmrd_pg_precision_now(&c->version->options));
	mmrd_pg_prepared prepared;
	mmrd_error err = {0};
	bool has_mask;
	const mmrd_pg_class class =
	    mmrd_pg_truth_read(&c->truth, scan, options, &has_mask);

	if (class == MMRD_PG_UNKNOWN && c->truth.label >= 0)
	{
		c->n_unlabelled++;
		return;
	}
	if (mmrd_pg_inputs_prepare(options, scan->modality, engine->input,
	                           &prepared, &err) != MMRD_OK)
		mmrd_pg_scan_throw(&c->source, scan, prepared.failed, &err);
	mmrd_pg_tables_count(&c->tables, &prepared);
	mmrd_pg_judge_scan(c->judge, engine, class, NULL);
}

/* ---- arguments ---- */

/* The number that was written: 0.01, and not the float next to it. */
static double
fpr_argument(FunctionCallInfo fcinfo, int n)
{
	char *text;
	double fpr;

	if (PG_ARGISNULL(n))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
		                errmsg("fpr must not be null"),
		                errhint("Leave it out for 0.01.")));
	text = DatumGetCString(DirectFunctionCall1(float4out, PG_GETARG_DATUM(n)));
	fpr = strtod(text, NULL);
	if (!(fpr >= MIN_FPR && fpr <= MAX_FPR))
		ereport(ERROR,
		        (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
		         errmsg("fpr is out of range"),
		         errdetail("The value is %s, it must be between %g and %g.",
		                   text, MIN_FPR, MAX_FPR),
		         errhint("0.01 tolerates one false alarm in a hundred good "
		                 "products.")));
	return fpr;
}

/* Arguments: model, source, rgb, aux, aux2, filter, label, fpr.  The query. */
static char *
begin(FunctionCallInfo fcinfo, calibrator *c)
{
	char *model =
	    PG_ARGISNULL(0) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(0));
	char *filter =
	    PG_ARGISNULL(5) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(5));
	const char *aux = mmrd_pg_name_argument(fcinfo, 3);
	const char *aux2 = mmrd_pg_name_argument(fcinfo, 4);

	mmrd_pg_need_source(fcinfo, 1, "table or view");
	c->fpr = fpr_argument(fcinfo, 7);
	c->version = mmrd_pg_version_wanted(model, CurrentMemoryContext);
	mmrd_pg_source_init(&c->source, PG_GETARG_OID(1),
	                    mmrd_pg_name_argument(fcinfo, 2), aux, aux2);
	mmrd_pg_check_modalities(c->version, aux != NULL, aux2 != NULL);
	mmrd_pg_truth_init(&c->truth, &c->source, mmrd_pg_name_argument(fcinfo, 6),
	                   NULL, c->version->options.config.input_size);
	c->judge = mmrd_pg_judge_create(c->fpr, false, CurrentMemoryContext);
	return mmrd_pg_source_query(&c->source, filter, NULL, false);
}

/* ---- the threshold ---- */

static void
check_scans(calibrator *c, const mmrd_pg_calibration *calibration,
            int64 skipped)
{
	mmrd_pg_scans_report_skipped(&c->source, skipped);
	mmrd_pg_tables_report(&c->tables, NOTICE);
	if (c->n_unlabelled > 0)
		ereport(NOTICE,
		        (errmsg_plural("%lld scan without a label is not used",
		                       "%lld scans without a label are not used",
		                       (unsigned long) c->n_unlabelled,
		                       (long long) c->n_unlabelled)));
	if (calibration->n == 0)
		ereport(ERROR, (errcode(ERRCODE_NO_DATA_FOUND),
		                errmsg("\"%s\" has no normal scans for a threshold",
		                       c->source.name),
		                errhint("Rows that row security hides are not seen "
		                        "either.")));
}

/*
 * With labels, the threshold in the middle of the gap where F1 is best: a
 * score must be over it, and the next lower one is as far away.  False where
 * labels cannot say: then the rule for normal scans stands.
 */
static bool
best_f1(const calibrator *c, float *threshold)
{
	mmrd_pg_quality q;
	double middle;

	mmrd_pg_judge_measure(c->judge, &q);
	if (q.n_anomalous == 0)
	{
		ereport(NOTICE,
		        (errmsg("no scan is labelled anomalous: the threshold is "
		                "that of normal scans")));
		return false;
	}
	if (isinf(q.f1_next_below))
	{
		ereport(WARNING,
		        (errmsg("the labels set no threshold: the best F1, %.4f, is "
		                "that of calling every scan anomalous",
		                q.f1_max),
		         errdetail("The threshold is that of normal scans.")));
		return false;
	}
	middle = q.f1_next_below + (q.f1_threshold - q.f1_next_below) / 2;
	*threshold = (float) middle;
	if (!(*threshold < q.f1_threshold))
		*threshold = (float) q.f1_next_below;
	return true;
}

static void
store(const calibrator *c, const mmrd_pg_calibration *calibration,
      const char *method)
{
	mmrd_pg_access access;

	mmrd_pg_access_begin(&access);
	mmrd_pg_model_lock(c->version->model, access.user);
	mmrd_pg_calibration_store(
	    c->version->id, method, (float) c->fpr, calibration->threshold,
	    calibration->pixel_threshold, calibration->scores, calibration->n,
	    access.user);
	mmrd_pg_access_end(&access);
}

Datum
mmrd_calibrate(PG_FUNCTION_ARGS)
{
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext memory = AllocSetContextCreate(caller, "mmrd calibrate",
	                                             ALLOCSET_DEFAULT_SIZES);
	mmrd_pg_calibration calibration;
	const char *method = "calibrate";
	calibrator *c;
	char *query;
	int64 skipped;

	PreventCommandDuringRecovery("mmrd_calibrate()");
	PreventCommandIfReadOnly("mmrd_calibrate()");
	MemoryContextSwitchTo(memory);
	c = palloc0(sizeof(calibrator));
	query = begin(fcinfo, c);
	mmrd_pg_threads_begin(mmrd_pg_setting_threads, fcinfo->flinfo->fn_mcxt);
	mmrd_pg_scans_read(&c->source, query, false, judge_scan, c, &skipped);
	mmrd_pg_judge_thresholds(c->judge, &calibration);
	check_scans(c, &calibration, skipped);
	if (c->truth.label >= 0 && best_f1(c, &calibration.threshold))
		method = "calibrate-f1";
	else
		mmrd_pg_warn_few(calibration.n, c->fpr);
	store(c, &calibration, method);
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(memory);
	PG_RETURN_FLOAT4(calibration.threshold);
}
