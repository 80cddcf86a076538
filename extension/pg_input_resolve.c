/*
 * extension/pg_input_resolve.c
 *	  What aux_kind => auto and aux_range => train come to, and which samples
 *	  depth then has.
 *
 * One range for all scans takes a pass of its own: no scan can be prepared
 * before the last one has been seen.
 */
#include "postgres.h"

#include "extension/pg_input_resolve.h"

#include "extension/pg_input.h"

/*
 * Does a number mean the same in all scans?  Then those in 16 bits and those
 * in floats, which hardly have the same unit, must not be mixed.
 */
static bool
has_unit(const mmrd_pg_options *options, int i)
{
	return options->aux_range == MMRD_PG_RANGE_TRAIN ||
	       options->aux_limits[i].given;
}

static bool
is_depth(const mmrd_pg_options *options, int i)
{
	return options->aux_kind[i] == MMRD_PG_KIND_FIRST + MMRD_INPUT_DEPTH;
}

void
mmrd_pg_resolve_kinds(mmrd_pg_options *options, const mmrd_pg_source *source,
                      const mmrd_pg_scan *scan)
{
	mmrd_error err = {0};

	for (int i = 0; i < options->config.n_aux; i++)
	{
		const bool is_auto = options->aux_kind[i] == MMRD_PG_KIND_AUTO;
		const bool wants_sample = (is_auto || is_depth(options, i)) &&
		                          has_unit(options, i) &&
		                          options->aux_sample[i] == MMRD_PG_SAMPLE_ANY;
		mmrd_input_kind kind;
		mmrd_sample sample;

		if (!is_auto && !wants_sample)
			continue;
		if (mmrd_pg_input_guess(scan->modality[1 + i], &kind, &sample, &err) !=
		    MMRD_OK)
			mmrd_pg_scan_throw(source, scan, 1 + i, &err);
		if (is_auto)
		{
			options->aux_kind[i] = MMRD_PG_KIND_FIRST + (int) kind;
			options->aux_strict[i] = 1;
		}
		if (wants_sample && is_depth(options, i))
			options->aux_sample[i] = MMRD_PG_SAMPLE_FIRST + (int) sample;
	}
}

void
mmrd_pg_resolve_unknown(mmrd_pg_options *options)
{
	for (int i = 0; i < options->config.n_aux; i++)
		if (options->aux_kind[i] == MMRD_PG_KIND_AUTO)
			options->aux_kind[i] = MMRD_PG_KIND_FIRST + MMRD_INPUT_IMAGE;
}

typedef struct measuring
{
	mmrd_pg_options *options;
	const mmrd_pg_source *source;
	float *scratch;
	mmrd_pg_limits limits[MMRD_MAX_AUX];
} measuring;

static bool
wants_limits(const mmrd_pg_options *options, int i)
{
	const int kind = options->aux_kind[i] - MMRD_PG_KIND_FIRST;

	return !options->aux_limits[i].given &&
	       (kind == MMRD_INPUT_DEPTH || kind == MMRD_INPUT_XYZ ||
	        kind == MMRD_INPUT_HEIGHT);
}

static void
widen(mmrd_pg_limits *limits, const mmrd_input_note *note)
{
	if (note->n_part == 0) /* then its range is that of nothing */
		return;
	if (!limits->given || note->lo < limits->lo)
		limits->lo = note->lo;
	if (!limits->given || note->hi > limits->hi)
		limits->hi = note->hi;
	limits->given = true;
}

static void
measure_scan(void *context, const mmrd_pg_scan *scan)
{
	measuring *m = context;
	mmrd_error err = {0};

	mmrd_pg_resolve_kinds(m->options, m->source, scan);
	for (int i = 0; i < m->options->config.n_aux; i++)
	{
		mmrd_input_note note;

		if (!wants_limits(m->options, i))
			continue;
		if (mmrd_pg_input_measure(m->options, 1 + i, scan->modality[1 + i],
		                          m->scratch, &note, &err) != MMRD_OK)
			mmrd_pg_scan_throw(m->source, scan, 1 + i, &err);
		widen(&m->limits[i], &note);
	}
}

void
mmrd_pg_resolve_limits(mmrd_pg_options *options, const mmrd_pg_source *source,
                       const char *query)
{
	measuring m = {.options = options, .source = source};
	int64 skipped;

	if (options->aux_range != MMRD_PG_RANGE_TRAIN ||
	    options->config.n_aux == 0)
		return;
	m.scratch = palloc(mmrd_pg_input_count(options) * sizeof(float));
	if (mmrd_pg_scans_read(source, query, true, measure_scan, &m, &skipped) >
	    0)
		for (int i = 0; i < options->config.n_aux; i++)
		{
			if (!wants_limits(options, i))
				continue;
			if (!m.limits[i].given)
				ereport(ERROR,
				        (errcode(ERRCODE_NO_DATA_FOUND),
				         errmsg("no scan has any depth in column \"%s\" of "
				                "\"%s\"",
				                source->column[1 + i], source->name),
				         errdetail("Option \"aux_range\" needs the smallest "
				                   "and the largest."),
				         errhint("Leave aux_range out, or name the column "
				                 "with the depth maps.")));
			options->aux_limits[i] = m.limits[i];
		}
	pfree(m.scratch);
}
