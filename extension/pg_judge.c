/*
 * extension/pg_judge.c
 *	  What scans say of a network: its thresholds, and how well it tells
 *	  defective scans from good ones.
 */
#include "postgres.h"

#include "extension/pg_judge.h"

#include <limits.h>
#include <math.h>

#include "extension/pg_glue.h"
#include "miscadmin.h"
#include "model/score/aupro.h"
#include "model/score/auroc.h"
#include "model/score/calibration.h"
#include "utils/memutils.h"

/* 100 million scores; 500 million pixels, 8,000 maps of 256 x 256. */
#define MAX_SCORE_BYTES ((size_t) 800 << 20)
#define MAX_PIXEL_BYTES ((size_t) 2 << 30)

struct mmrd_pg_judge
{
	MemoryContext memory; /* holds the judge itself, too */
	double fpr;
	bool with_masks;
	int n;    /* normal scans, or of unknown class */
	int room; /* in the next two */
	float *scores;
	float *quantiles; /* of their maps */
	mmrd_scores ranking;
	mmrd_aupro pixels;
};

static void
clear_judge(void *arg)
{
	mmrd_pg_judge *judge = arg;

	mmrd_scores_clear(&judge->ranking);
	mmrd_aupro_clear(&judge->pixels);
}

mmrd_pg_judge *
mmrd_pg_judge_create(double fpr, bool with_masks, MemoryContext owner)
{
	MemoryContext memory =
	    AllocSetContextCreate(owner, "mmrd judge", ALLOCSET_DEFAULT_SIZES);
	mmrd_pg_judge *judge =
	    MemoryContextAllocZero(memory, sizeof(mmrd_pg_judge));

	judge->memory = memory;
	judge->fpr = fpr;
	judge->with_masks = with_masks;
	mmrd_scores_init(&judge->ranking, MAX_SCORE_BYTES);
	mmrd_aupro_init(&judge->pixels, MAX_PIXEL_BYTES);
	mmrd_pg_own(memory, clear_judge)->object = judge;
	return judge;
}

void
mmrd_pg_judge_free(mmrd_pg_judge *judge)
{
	MemoryContextDelete(judge->memory);
}

/* Room for one more normal scan. */
static void
make_room(mmrd_pg_judge *judge)
{
	const int room = judge->room == 0 ? 64 : 2 * judge->room;
	const Size bytes = room * sizeof(float);

	if (judge->n < judge->room)
		return;
	if (judge->room > INT_MAX / 4)
		ereport(
		    ERROR,
		    (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
		     errmsg("too many scans for a threshold"),
		     errhint("Select fewer with the argument validation or filter.")));
	if (judge->room == 0)
	{
		judge->scores = MemoryContextAllocHuge(judge->memory, bytes);
		judge->quantiles = MemoryContextAllocHuge(judge->memory, bytes);
	}
	else
	{
		judge->scores = repalloc_huge(judge->scores, bytes);
		judge->quantiles = repalloc_huge(judge->quantiles, bytes);
	}
	judge->room = room;
}

void
mmrd_pg_judge_scan(mmrd_pg_judge *judge, mmrd_pg_engine *engine,
                   mmrd_pg_class class, const uint8 *mask)
{
	const int S = (int) lrint(sqrt((double) engine->map_count));
	const bool anomalous = class == MMRD_PG_ANOMALOUS;
	mmrd_error err = {0};
	float score;

	MMRD_PG_CHECK(mmrd_pg_engine_run(engine, &score, &err), &err);
	if (class != MMRD_PG_UNKNOWN)
		MMRD_PG_CHECK(mmrd_scores_add(&judge->ranking, score, anomalous, &err),
		              &err);
	if (judge->with_masks &&
	    (class == MMRD_PG_NORMAL || (anomalous && mask != NULL)))
		MMRD_PG_CHECK(mmrd_aupro_add(&judge->pixels, engine->map,
		                             anomalous ? mask : NULL, S, S, &err),
		              &err);
	if (!anomalous)
	{
		make_room(judge);
		judge->scores[judge->n] = score;
		/* reorders the map, so it comes last */
		judge->quantiles[judge->n++] =
		    mmrd_map_quantile(engine->map, engine->map_count, judge->fpr);
	}
	CHECK_FOR_INTERRUPTS();
}

void
mmrd_pg_judge_thresholds(const mmrd_pg_judge *judge, mmrd_pg_calibration *out)
{
	memset(out, 0, sizeof(*out));
	if (judge->n == 0)
		return;
	out->n = judge->n;
	out->scores = judge->scores;
	mmrd_floats_sort(judge->scores, judge->n);
	mmrd_floats_sort(judge->quantiles, judge->n);
	out->threshold = mmrd_threshold(judge->scores, judge->n, judge->fpr);
	out->pixel_threshold =
	    mmrd_threshold(judge->quantiles, judge->n, judge->fpr);
}

void
mmrd_pg_judge_measure(mmrd_pg_judge *judge, mmrd_pg_quality *out)
{
	mmrd_score_metrics m;
	mmrd_error err = {0};

	MMRD_PG_CHECK(
	    mmrd_scores_measure(&judge->ranking, &mmrd_pg_stop, &m, &err), &err);
	MMRD_PG_CHECK(mmrd_aupro_sort(&judge->pixels, &mmrd_pg_stop, &err), &err);
	MMRD_PG_CHECK(mmrd_aupro_measure(&judge->pixels, MMRD_AUPRO_FPR_LIMIT,
	                                 &out->aupro, &err),
	              &err);
	out->n_normal = m.n_normal;
	out->n_anomalous = m.n_anomalous;
	out->auroc = m.auroc;
	out->f1_max = m.f1_max;
	out->f1_threshold = m.f1_threshold;
	out->f1_next_below = m.f1_next_below;
}

void
mmrd_pg_warn_few(int n, double fpr)
{
	const int needed = mmrd_threshold_scans_needed(fpr);

	if (n >= needed)
		return;
	ereport(WARNING,
	        (errmsg_plural("the threshold rests on only %d normal scan",
	                       "the threshold rests on only %d normal scans",
	                       (unsigned long) n, n),
	         errdetail("It is the largest score among them. At least %d scans "
	                   "are needed to promise at most %g %% false alarms.",
	                   needed, 100 * fpr)));
}
