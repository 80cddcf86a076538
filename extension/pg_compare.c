/*
 * extension/pg_compare.c
 *	  deploy => 'if_better': is a new version better than the deployed one?
 *
 * Two snapshots are at work.  A training may have lasted for hours, and which
 * version is deployed is asked anew after it; so that one's weights are read
 * with a new snapshot.  The scans are read with the statement's own, in which
 * they are those that the new version was judged by.
 */
#include "postgres.h"

#include "extension/pg_compare.h"

#include <math.h>

#include "extension/pg_cache.h"
#include "extension/pg_input.h"
#include "extension/pg_scans.h"
#include "lib/stringinfo.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

/* The deployed version on the validation scans. */
typedef struct rival
{
	mmrd_pg_source source;
	mmrd_pg_truth truth;
	const mmrd_pg_version *version;
	mmrd_pg_judge *judge;
	char cannot[200]; /* why it cannot be judged; empty: it can */
} rival;

/* Looked up for each scan: a condition may score with other models. */
static mmrd_pg_engine *
engine_of(const mmrd_pg_version *version)
{
	mmrd_pg_engine *engine;

	PushActiveSnapshot(GetLatestSnapshot());
	engine = mmrd_pg_cache_get(version, version->options.precision);
	PopActiveSnapshot();
	return engine;
}

static void
judge_scan(void *context, const mmrd_pg_scan *scan)
{
	rival *r = context;
	const mmrd_pg_options *options = &r->version->options;
	mmrd_pg_engine *engine = engine_of(r->version);
	mmrd_pg_prepared prepared;
	mmrd_error err = {0};
	bool has_mask;
	mmrd_pg_class class =
	    mmrd_pg_truth_read(&r->truth, scan, options, &has_mask);

	if (class == MMRD_PG_UNKNOWN || r->cannot[0] != '\0')
		return;
	if (mmrd_pg_inputs_prepare(options, scan->modality, engine->input,
	                           &prepared, &err) != MMRD_OK)
	{
		/* A good training must not fail because the old model cannot. */
		if (err.status == MMRD_NO_MEMORY)
			mmrd_pg_scan_throw(&r->source, scan, prepared.failed, &err);
		strlcpy(r->cannot, err.message, sizeof(r->cannot));
		return;
	}
	mmrd_pg_judge_scan(r->judge, engine, class,
	                   has_mask ? r->truth.pixels : NULL);
}

/* NULL, or why it cannot be judged: its scans are of another kind. */
static char *
judge_rival(const mmrd_pg_candidate *c, const mmrd_pg_version *deployed,
            mmrd_pg_quality *out)
{
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext memory = AllocSetContextCreate(caller, "mmrd comparison",
	                                             ALLOCSET_DEFAULT_SIZES);
	char *cannot = NULL;
	rival *r;
	int64 skipped;

	MemoryContextSwitchTo(memory);
	r = palloc0(sizeof(rival));
	r->source = *c->source;
	r->version = deployed;
	r->judge = mmrd_pg_judge_create(c->options->threshold_fpr,
	                                c->options->mask != NULL, memory);
	mmrd_pg_truth_init(&r->truth, &r->source, c->options->label,
	                   c->options->mask, deployed->options.config.input_size);
	mmrd_pg_scans_read(
	    &r->source,
	    mmrd_pg_source_query(&r->source, c->validation, NULL, false), false,
	    judge_scan, r, &skipped);
	if (r->cannot[0] == '\0')
		mmrd_pg_judge_measure(r->judge, out);
	MemoryContextSwitchTo(caller);
	if (r->cannot[0] != '\0')
		cannot = pstrdup(r->cannot);
	MemoryContextDelete(memory);
	return cannot;
}

/* Does the threshold tell anything?  If not, *why gets a sentence. */
static bool
threshold_is_sound(const mmrd_pg_candidate *c, StringInfo why)
{
	const mmrd_pg_calibration *cal = c->calibration;
	const double fpr = c->options->threshold_fpr;
	int above = 0;

	if (cal->n == 0)
	{
		appendStringInfoString(why, "It has no threshold. ");
		return false;
	}
	for (int i = 0; i < cal->n; i++)
		above += !(cal->scores[i] <= cal->threshold);
	if (!isfinite(cal->threshold) || cal->threshold <= 0 ||
	    (cal->n > 1 && cal->scores[0] == cal->scores[cal->n - 1]))
	{
		appendStringInfo(why,
		                 "Its threshold is degenerate: the scores of %d "
		                 "normal scans run from %g to %g. ",
		                 cal->n, cal->scores[0], cal->scores[cal->n - 1]);
		return false;
	}
	if (above <= 2 * fpr * cal->n)
		return true;
	appendStringInfo(why,
	                 "%d of %d normal scans are above its threshold, more "
	                 "than twice the share of %g that was wanted. ",
	                 above, cal->n, fpr);
	return false;
}

/* Negative: the rival is better; 0: no telling; *why gets a sentence. */
static int
compare_quality(const mmrd_pg_candidate *c, const mmrd_pg_version *deployed,
                StringInfo why)
{
	const mmrd_pg_quality *mine = c->quality;
	mmrd_pg_quality its;
	char *cannot;

	if (deployed->options.config.n_aux >= c->source->n_modalities)
	{
		appendStringInfo(why,
		                 "Version %d cannot be compared: it needs columns "
		                 "that were not named. ",
		                 deployed->version);
		return 0;
	}
	cannot = judge_rival(c, deployed, &its);
	if (cannot != NULL)
	{
		appendStringInfo(why,
		                 "Version %d cannot be compared, it does not take "
		                 "these scans: %s. ",
		                 deployed->version, cannot);
		return 0;
	}
	appendStringInfo(why,
	                 "On %d labelled validation scans, %d of them anomalous, "
	                 "its image AUROC is %.4f, that of version %d is %.4f",
	                 (int) (mine->n_normal + mine->n_anomalous),
	                 (int) mine->n_anomalous, mine->auroc, deployed->version,
	                 its.auroc);
	if (mine->auroc == its.auroc && !isnan(mine->aupro) && !isnan(its.aupro))
		appendStringInfo(why, "; its AUPRO is %.4f against %.4f", mine->aupro,
		                 its.aupro);
	appendStringInfoString(why, ". ");
	if (mine->auroc != its.auroc)
		return mine->auroc > its.auroc ? 1 : -1;
	return mine->aupro > its.aupro ? 1 : mine->aupro < its.aupro ? -1 : 0;
}

void
mmrd_pg_compare(const mmrd_pg_candidate *c, const mmrd_pg_version *deployed,
                mmrd_pg_comparison *out)
{
	StringInfoData why;
	int better = 0;

	initStringInfo(&why);
	if (!isnan(c->quality->auroc))
		better = compare_quality(c, deployed, &why);
	else
		appendStringInfoString(
		    &why, "Without scans labelled normal and anomalous nobody "
		          "can tell which of the two is better. ");
	out->better = threshold_is_sound(c, &why) && better >= 0;
	why.data[why.len - 1] = '\0'; /* the space after the last sentence */
	out->why = why.data;
}
