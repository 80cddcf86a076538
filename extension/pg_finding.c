/*
 * extension/pg_finding.c
 *	  One scan, scored, and what to think of it.
 */
#include "postgres.h"

#include "extension/pg_finding.h"

#include "extension/pg_cache.h"
#include "extension/pg_engine.h"
#include "extension/pg_map.h"
#include "extension/pg_timing.h"
#include "model/base/clock.h"
#include "model/score/calibration.h"
#include "model/score/regions.h"

static void
count_time(const mmrd_pg_prepared *prepared, double run_ms, double map_ms)
{
	mmrd_pg_timing_scan();
	mmrd_pg_timing_add(MMRD_PG_PART_DECODE, prepared->decode_ms);
	mmrd_pg_timing_add(MMRD_PG_PART_RESIZE, prepared->resize_ms);
	mmrd_pg_timing_add(MMRD_PG_PART_NETWORK, run_ms - map_ms);
	mmrd_pg_timing_add(MMRD_PG_PART_MAP, map_ms);
}

mmrd_status
mmrd_pg_scan_score(const mmrd_pg_version *version,
                   const struct varlena *const *bytes, mmrd_pg_scored *out,
                   mmrd_pg_prepared *prepared, mmrd_error *err)
{
	double begun;

	out->version = version;
	out->engine =
	    mmrd_pg_cache_get(version, mmrd_pg_precision_now(&version->options));
	MMRD_TRY(mmrd_pg_inputs_prepare(&version->options, bytes,
	                                out->engine->input, prepared, err));
	out->width = prepared->image[0].width;
	out->height = prepared->image[0].height;
	begun = mmrd_clock_ms();
	MMRD_PG_CHECK(mmrd_pg_engine_run(out->engine, &out->score, err), err);
	count_time(prepared, mmrd_clock_ms() - begun,
	           mmrd_scorer_map_ms(out->engine->scorer));
	return MMRD_OK;
}

bool
mmrd_pg_is_scans_fault(mmrd_status st)
{
	return st == MMRD_CORRUPT_DATA || st == MMRD_UNSUPPORTED ||
	       st == MMRD_LIMIT_EXCEEDED || st == MMRD_INVALID_ARGUMENT;
}

static mmrd_map_view
view_of(const mmrd_pg_scored *s)
{
	const mmrd_pg_options *options = &s->version->options;
	mmrd_map_view view;

	view.info =
	    mmrd_map_info_whole(options->config.input_size,
	                        options->config.input_size, s->height, s->width);
	if (options->has_roi)
	{
		view.info.roi_x = options->roi[0];
		view.info.roi_y = options->roi[1];
		view.info.roi_width = options->roi[2];
		view.info.roi_height = options->roi[3];
	}
	view.info.has_threshold = s->version->calibrated;
	view.info.threshold = s->version->pixel_threshold;
	view.values = s->engine->map;
	return view;
}

static void
free_regions(void *arg)
{
	mmrd_regions_clear(arg);
}

static int32
count_regions(const mmrd_map_view *view, float threshold)
{
	mmrd_regions *regions = palloc0(sizeof(mmrd_regions));
	mmrd_pg_owned *owned = mmrd_pg_own(CurrentMemoryContext, free_regions);
	mmrd_error err = {0};
	int32 n;

	owned->object = regions;
	MMRD_PG_CHECK(mmrd_regions_find(view, threshold, regions, &err), &err);
	n = regions->n;
	mmrd_pg_release(owned);
	return n;
}

void
mmrd_pg_finding_of(const mmrd_pg_scored *scored, mmrd_pg_finding *out)
{
	const mmrd_pg_version *v = scored->version;
	mmrd_map_view view;

	memset(out, 0, sizeof(*out));
	out->score = scored->score;
	if (!v->calibrated)
		return;
	view = view_of(scored);
	out->calibrated = true;
	out->anomalous = scored->score > v->threshold;
	out->normalized = mmrd_score_normalized(scored->score, v->threshold,
	                                        v->score_min, v->score_max);
	out->threshold = v->threshold;
	out->area = (float) mmrd_map_share_above(
	    scored->engine->map, scored->engine->map_count, v->pixel_threshold);
	out->regions = count_regions(&view, v->pixel_threshold);
}

struct varlena *
mmrd_pg_finding_map(const mmrd_pg_scored *scored)
{
	const mmrd_map_view view = view_of(scored);
	const double begun = mmrd_clock_ms();
	struct varlena *map = mmrd_pg_map_encode(&view);

	mmrd_pg_timing_add(MMRD_PG_PART_ENCODE, mmrd_clock_ms() - begun);
	return map;
}
