/*
 * extension/pg_conclude.c
 *	  The end of a training: judge what came out, keep it, perhaps deploy it.
 */
#include "postgres.h"

#include "extension/pg_conclude.h"

#include <math.h>

#include "extension/pg_access.h"
#include "extension/pg_calibrate.h"
#include "extension/pg_compare.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

void
mmrd_pg_conclude_judge(const mmrd_pg_trained *t, mmrd_pg_conclusion *out)
{
	const mmrd_pg_options *options = t->options;

	if (options->precision == MMRD_PG_BFLOAT16)
		mmrd_weights_round(t->weights);
	out->judge = mmrd_pg_judge_create(
	    options->threshold_fpr, options->mask != NULL, CurrentMemoryContext);
	mmrd_pg_calibrate(options, t->weights, t->unseen, out->judge);
	mmrd_pg_judge_thresholds(out->judge, &out->calibration);
	mmrd_pg_judge_measure(out->judge, &out->quality);
	if (out->calibration.n > 0)
		mmrd_pg_warn_few(out->calibration.n, options->threshold_fpr);
	else
		ereport(WARNING, (errmsg("there will be no threshold"),
		                  errdetail("There is no normal scan that the model "
		                            "has not been trained on.")));
}

/* ---- what is remembered of the judgement ---- */

static void
push_number(JsonbParseState **state, const char *name, double number)
{
	JsonbValue v;

	if (isnan(number))
		return;
	v.type = jbvString;
	v.val.string.val = pstrdup(name);
	v.val.string.len = (int) strlen(name);
	pushJsonbValue(state, WJB_KEY, &v);
	v.type = jbvNumeric;
	v.val.numeric = DatumGetNumeric(
	    DirectFunctionCall1(float8_numeric, Float8GetDatum(number)));
	pushJsonbValue(state, WJB_VALUE, &v);
}

static Jsonb *
metrics_of(const mmrd_pg_quality *q)
{
	JsonbParseState *state = NULL;

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	if (q->n_normal + q->n_anomalous > 0)
	{
		push_number(&state, "normal_scans", (double) q->n_normal);
		push_number(&state, "anomalous_scans", (double) q->n_anomalous);
	}
	push_number(&state, "image_auroc", q->auroc);
	push_number(&state, "aupro_30", q->aupro);
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
}

/* ---- deploying ---- */

/*
 * The version that is deployed at this moment, other sessions' commits since
 * the statement began included; NULL: none.  The caller holds the model's
 * lock, so it stays that one.
 */
static mmrd_pg_version *
deployed_now(const mmrd_pg_trained *t, MemoryContext owner)
{
	mmrd_pg_version *version =
	    MemoryContextAllocZero(owner, sizeof(mmrd_pg_version));
	bool found;

	PushActiveSnapshot(GetLatestSnapshot());
	found = mmrd_pg_version_deployed(t->model, t->by, owner, version);
	PopActiveSnapshot();
	return found ? version : NULL;
}

/* *why: what a notice should say of it; NULL: nothing. */
static bool
worth_deploying(const mmrd_pg_trained *t, const mmrd_pg_conclusion *c,
                const mmrd_pg_version *deployed, char **why)
{
	const mmrd_pg_candidate candidate = {
	    .options = t->options,
	    .calibration = &c->calibration,
	    .quality = &c->quality,
	    .source = t->source,
	    .validation = t->validation,
	};
	mmrd_pg_comparison comparison;

	*why = NULL;
	if (t->options->deploy != MMRD_PG_DEPLOY_IF_BETTER)
		return t->options->deploy == MMRD_PG_DEPLOY_ALWAYS;
	if (deployed == NULL)
		return true; /* better than nothing */
	mmrd_pg_compare(&candidate, deployed, &comparison);
	*why = comparison.why;
	return comparison.better;
}

static void
say_compared(const mmrd_pg_trained *t, int32 version, bool deploy,
             const mmrd_pg_version *deployed, const char *why)
{
	if (why == NULL)
		return;
	ereport(NOTICE,
	        (deploy ? errmsg("version %d of model \"%s\" is deployed in place "
	                         "of version %d",
	                         version, t->model, deployed->version)
	                : errmsg("version %d of model \"%s\" is not deployed, "
	                         "version %d stays",
	                         version, t->model, deployed->version),
	         errdetail_internal("%s", why)));
}

void
mmrd_pg_conclude_store(const mmrd_pg_trained *t, const mmrd_pg_conclusion *c,
                       double seconds, int32 *version, bool *deployed)
{
	MemoryContext memory = CurrentMemoryContext;
	const mmrd_pg_new_version what = {
	    .model = t->model,
	    .teacher = t->teacher,
	    .options = t->options,
	    .source = t->source->quoted,
	    .source_query = t->query,
	    .scans = t->scans,
	    .scans_sha256 = t->scans_sha256,
	    .epochs = t->options->epochs,
	    .loss = (float) t->loss,
	    .seconds = (float) seconds,
	    .metrics = metrics_of(&c->quality),
	    .by = t->by,
	};
	mmrd_pg_access access;
	mmrd_pg_version *before;
	int32 model_id;
	int64 id;
	char *why;

	mmrd_pg_access_begin(&access);
	model_id = mmrd_pg_model_lock_or_create(t->model, t->by);
	before = deployed_now(t, memory);
	mmrd_pg_access_end(&access);

	/* Reads the user's scans, so it is done as the user. */
	*deployed = worth_deploying(t, c, before, &why);

	mmrd_pg_access_begin(&access);
	id = mmrd_pg_version_store(&what, t->weights, model_id, version);
	if (c->calibration.n > 0)
		mmrd_pg_calibration_store(
		    id, t->unseen_from, (float) t->options->threshold_fpr,
		    c->calibration.threshold, c->calibration.pixel_threshold,
		    c->calibration.scores, c->calibration.n, t->by);
	if (*deployed)
		mmrd_pg_deployment_store(model_id, id, 0, t->by);
	if (t->options->keep_versions > 0)
		mmrd_pg_model_prune(model_id, t->options->keep_versions);
	mmrd_pg_access_end(&access);
	say_compared(t, *version, *deployed, before, why);
}
