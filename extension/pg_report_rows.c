/*
 * extension/pg_report_rows.c
 *	  The numbers of a report, from mmrd's tables.
 *
 * Everything that counts or sorts many rows is SQL; only the scores of a
 * model come out one by one, for their histogram.  Longer than most files:
 * a quarter of it is statements, which are read beside what runs them.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "extension/pg_access.h"
#include "extension/pg_report.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

/* Parameters of nearly every statement: source, from, to, model. */
#define WINDOW                                                                \
	"source = $1 AND scored_at >= $2 AND scored_at <= $3 "                    \
	"AND ($4 IS NULL OR model = $4) "
/* A scan that failed need not have got as far as a model. */
#define WINDOW_OR_FAILED                                                      \
	"source = $1 AND scored_at >= $2 AND scored_at <= $3 AND ($4 IS NULL OR " \
	"model = $4 OR (model IS NULL AND score IS NULL)) "
#define MINUTE "'FMDD Mon YYYY HH24:MI'"

/*
 * An interval back from the end, to the beginning of its first hour, day,
 * week or month.  Longer than two years, it begins with the first result.
 */
static mmrd_pg_statement find_window = {
    "SELECT u.unit, date_trunc(u.unit, b.begins), to_char(date_trunc(u.unit, "
    "b.begins), " MINUTE "), to_char($2, " MINUTE "), to_char($2, 'FMDD Mon "
    "YYYY HH24:MI:SS TZ') FROM (SELECT CASE WHEN $3 > interval '2 years' "
    "THEN greatest($2 - $3, coalesce((SELECT min(scored_at) FROM "
    "mmrd.results WHERE source = $1), $2 - interval '7 days')) ELSE $2 - $3 "
    "END AS begins) b, LATERAL (SELECT CASE WHEN $2 - b.begins <= interval "
    "'2 days' THEN 'hour' WHEN $2 - b.begins <= interval '100 days' THEN "
    "'day' WHEN $2 - b.begins <= interval '740 days' THEN 'week' ELSE "
    "'month' END AS unit) u",
    true,
    3,
    {OIDOID, TIMESTAMPTZOID, INTERVALOID},
    NULL};

static mmrd_pg_statement find_subject = {
    "SELECT (SELECT mode FROM mmrd.attachments WHERE source = $1), (SELECT "
    "model FROM mmrd.attachments WHERE source = $1), EXISTS (SELECT FROM "
    "mmrd.results WHERE source = $1), $2 IS NULL OR EXISTS (SELECT FROM "
    "mmrd.models WHERE name = $2) OR EXISTS (SELECT FROM mmrd.results WHERE "
    "source = $1 AND model = $2), (SELECT count(DISTINCT key) FROM "
    "mmrd.pending WHERE source = $1)",
    true,
    2,
    {OIDOID, TEXTOID},
    NULL};

static mmrd_pg_statement list_periods = {
    "SELECT to_char(p.begins, CASE $5 WHEN 'hour' THEN 'HH24:MI' WHEN "
    "'month' THEN 'Mon YYYY' ELSE 'FMDD Mon' END), to_char(p.begins, CASE $5 "
    "WHEN 'hour' THEN 'Dy FMDD Mon YYYY HH24:MI' WHEN 'day' THEN 'Dy FMDD "
    "Mon YYYY' WHEN 'week' THEN '\"week of\" FMDD Mon YYYY' ELSE 'FMMonth "
    "YYYY' END), coalesce(c.scans, 0), coalesce(c.anomalous, 0), "
    "coalesce(c.failed, 0) FROM generate_series($2, $3, ('1 ' || "
    "$5)::interval) p(begins) LEFT JOIN (SELECT date_trunc($5, scored_at) AS "
    "begins, count(score) AS scans, count(*) FILTER (WHERE anomalous) AS "
    "anomalous, count(*) FILTER (WHERE score IS NULL) AS failed FROM "
    "mmrd.results WHERE " WINDOW_OR_FAILED "GROUP BY 1) c USING (begins) "
    "ORDER BY p.begins",
    true,
    5,
    {OIDOID, TIMESTAMPTZOID, TIMESTAMPTZOID, TEXTOID, TEXTOID},
    NULL};

static mmrd_pg_statement sum_up = {
    "SELECT count(score), count(*) FILTER (WHERE anomalous), count(*) FILTER "
    "(WHERE score IS NULL), percentile_cont(0.5) WITHIN GROUP (ORDER BY "
    "elapsed_ms::float8) FILTER (WHERE score IS NOT NULL), "
    "percentile_cont(0.95) WITHIN GROUP (ORDER BY elapsed_ms::float8) FILTER "
    "(WHERE score IS NOT NULL) FROM mmrd.results WHERE " WINDOW_OR_FAILED,
    true,
    4,
    {OIDOID, TIMESTAMPTZOID, TIMESTAMPTZOID, TEXTOID},
    NULL};

static mmrd_pg_statement list_models = {
    "SELECT model, count(*), count(*) FILTER (WHERE anomalous), "
    "count(DISTINCT "
    "threshold) > 1, max(threshold), count(*) OVER () FROM mmrd.results "
    "WHERE " WINDOW "AND score IS NOT NULL AND model IS NOT NULL GROUP BY "
    "model ORDER BY count(*) DESC, model LIMIT $5",
    true,
    5,
    {OIDOID, TIMESTAMPTZOID, TIMESTAMPTZOID, TEXTOID, INT4OID},
    NULL};

/* $5: in units of the threshold; $6: every so manieth. */
static mmrd_pg_statement list_scores = {
    "SELECT s FROM (SELECT CASE WHEN $5 THEN score / nullif(threshold, 0) "
    "ELSE score END AS s, row_number() OVER () AS n FROM mmrd.results "
    "WHERE " WINDOW
    "AND score IS NOT NULL) r WHERE s IS NOT NULL AND n % $6 = 0",
    true,
    6,
    {OIDOID, TIMESTAMPTZOID, TIMESTAMPTZOID, TEXTOID, BOOLOID, INT8OID},
    NULL};

static mmrd_pg_statement list_spreads = {
    "SELECT s.q[1], s.q[2], s.q[3] FROM generate_series($2, $3, ('1 ' || "
    "$6)::interval) p(begins) LEFT JOIN (SELECT date_trunc($6, scored_at) AS "
    "begins, percentile_cont(ARRAY[0.05, 0.5, 0.95]) WITHIN GROUP (ORDER BY "
    "(CASE WHEN $5 THEN score / nullif(threshold, 0) ELSE score END)::float8) "
    "AS q FROM mmrd.results WHERE " WINDOW "AND score IS NOT NULL GROUP BY 1) "
    "s USING (begins) ORDER BY p.begins",
    true,
    6,
    {OIDOID, TIMESTAMPTZOID, TIMESTAMPTZOID, TEXTOID, BOOLOID, TEXTOID},
    NULL};

/* Those that scored in this time, and the deployed one. */
static mmrd_pg_statement list_versions = {
    "SELECT v.version, to_char(v.created_at, " MINUTE "), v.scans, v.epochs, "
    "v.loss, c.threshold, coalesce(cardinality(c.scores), 0), "
    "coalesce(r.scans, 0), coalesce(r.anomalous, 0), coalesce(d.version = "
    "v.id, false), c.scores FROM mmrd.models m JOIN mmrd.versions v ON "
    "v.model = m.id LEFT JOIN LATERAL (SELECT threshold, scores FROM "
    "mmrd.calibrations WHERE version = v.id ORDER BY id DESC LIMIT 1) c ON "
    "true LEFT JOIN LATERAL (SELECT version FROM mmrd.deployments WHERE model "
    "= m.id ORDER BY id DESC LIMIT 1) d ON true LEFT JOIN (SELECT version, "
    "count(*) AS scans, count(*) FILTER (WHERE anomalous) AS anomalous FROM "
    "mmrd.results WHERE " WINDOW "AND score IS NOT NULL GROUP BY version) r "
    "ON r.version = v.version WHERE m.name = $4 AND (r.scans > 0 OR d.version "
    "= v.id) ORDER BY v.version DESC LIMIT $5",
    true,
    5,
    {OIDOID, TIMESTAMPTZOID, TIMESTAMPTZOID, TEXTOID, INT4OID},
    NULL};

/* Of the newest version that was trained as a job. */
static mmrd_pg_statement list_epochs = {
    "SELECT t.version, e.epoch, e.loss FROM mmrd.epochs e JOIN mmrd.trainings "
    "t ON t.id = e.job WHERE t.id = (SELECT t.id FROM mmrd.trainings t JOIN "
    "mmrd.models m ON m.name = t.model JOIN mmrd.versions v ON v.model = m.id "
    "AND v.version = t.version WHERE t.model = $1 AND t.state = 'done' ORDER "
    "BY t.version DESC, t.id DESC LIMIT 1) ORDER BY e.epoch",
    true,
    1,
    {TEXTOID},
    NULL};

static mmrd_pg_statement list_worst = {
    "SELECT key, to_char(scored_at, 'FMDD Mon YYYY HH24:MI:SS'), model, "
    "version, score, threshold, area, coalesce(anomalous, false), map FROM "
    "mmrd.results WHERE " WINDOW "AND score IS NOT NULL ORDER BY score / "
    "nullif(threshold, 0) DESC NULLS LAST, score DESC, key LIMIT $5",
    true,
    5,
    {OIDOID, TIMESTAMPTZOID, TIMESTAMPTZOID, TEXTOID, INT4OID},
    NULL};

static mmrd_pg_statement list_failures = {
    "SELECT key, to_char(scored_at, " MINUTE "), error FROM mmrd.results "
    "WHERE " WINDOW_OR_FAILED "AND score IS NULL ORDER BY scored_at DESC, key "
    "LIMIT $5",
    true,
    5,
    {OIDOID, TIMESTAMPTZOID, TIMESTAMPTZOID, TEXTOID, INT4OID},
    NULL};

/* ---- fields of SPI_tuptable ---- */

const char *
mmrd_pg_report_text(const char *text)
{
	if (text == NULL || GetDatabaseEncoding() == PG_SQL_ASCII)
		return text;
	return pg_server_to_any(text, (int) strlen(text), PG_UTF8);
}

static const char *
text_field(uint64 row, int number)
{
	return mmrd_pg_report_text(
	    mmrd_pg_field_text(row, number, CurrentMemoryContext));
}

static int64
count_field(uint64 row, int number)
{
	bool isnull;

	return DatumGetInt64(mmrd_pg_field(row, number, &isnull));
}

static int32
int_field(uint64 row, int number)
{
	bool isnull;
	const Datum value = mmrd_pg_field(row, number, &isnull);

	return isnull ? 0 : DatumGetInt32(value);
}

static bool
bool_field(uint64 row, int number)
{
	bool isnull;

	return DatumGetBool(mmrd_pg_field(row, number, &isnull));
}

static double
float8_field(uint64 row, int number)
{
	bool isnull;
	const Datum value = mmrd_pg_field(row, number, &isnull);

	return isnull ? (double) NAN : DatumGetFloat8(value);
}

static double
float4_field(uint64 row, int number)
{
	bool isnull;
	const Datum value = mmrd_pg_field(row, number, &isnull);

	return isnull ? (double) NAN : (double) DatumGetFloat4(value);
}

/* The parameters of a statement, and which of them are NULL. */
typedef struct parameters
{
	Datum values[6];
	char nulls[6];
} parameters;

static parameters
window_parameters(const mmrd_pg_report *r, const char *model)
{
	parameters p = {{ObjectIdGetDatum(r->source), TimestampTzGetDatum(r->from),
	                 TimestampTzGetDatum(r->to), (Datum) 0, (Datum) 0,
	                 (Datum) 0},
	                {' ', ' ', ' ', 'n', ' ', ' '}};

	if (model != NULL)
	{
		p.values[3] = CStringGetTextDatum(model);
		p.nulls[3] = ' ';
	}
	return p;
}

/* ---- what it is about ---- */

/* The attachment's model; NULL: it names none, or there is none. */
static char *
check_subject(mmrd_pg_report *r)
{
	Datum values[2] = {ObjectIdGetDatum(r->source), (Datum) 0};
	char nulls[2] = {' ', 'n'};
	char *mode;
	char *model;

	if (r->model != NULL)
	{
		values[1] = CStringGetTextDatum(r->model);
		nulls[1] = ' ';
	}
	mmrd_pg_run(&find_subject, values, nulls);
	mode = mmrd_pg_field_text(0, 1, r->memory);
	model = mmrd_pg_field_text(0, 2, r->memory);
	r->attached = mode != NULL;
	r->queued = mode != NULL && strcmp(mode, "queue") == 0;
	if (!r->attached && !bool_field(0, 3))
		ereport(ERROR,
		        (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
		         errmsg("there are no results for \"%s\" to report",
		                r->source_name),
		         errdetail("It is not attached, so its scans are not scored "
		                   "by themselves."),
		         errhint("Attach it with mmrd_attach(), which has new scans "
		                 "scored.")));
	if (!bool_field(0, 4))
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
		                errmsg("model \"%s\" does not exist", r->model),
		                errdetail("Nor has it scored anything of \"%s\".",
		                          r->source_name),
		                errhint("Models are in mmrd.models.")));
	r->page.waiting =
	    r->queued || count_field(0, 5) > 0 ? count_field(0, 5) : -1;
	return model;
}

static void
read_window(mmrd_pg_report *r)
{
	Datum values[] = {ObjectIdGetDatum(r->source), TimestampTzGetDatum(r->to),
	                  IntervalPGetDatum(r->since)};
	bool isnull;

	mmrd_pg_run(&find_window, values, NULL);
	r->page.unit = text_field(0, 1);
	r->from = DatumGetTimestampTz(mmrd_pg_field(0, 2, &isnull));
	r->page.from = text_field(0, 3);
	r->page.to = text_field(0, 4);
	r->page.made = text_field(0, 5);
}

/* ---- counts ---- */

static void
read_periods(mmrd_pg_report *r)
{
	parameters p = window_parameters(r, r->model);
	mmrd_report_period *periods;
	uint64 n;

	p.values[4] = CStringGetTextDatum(r->page.unit);
	n = mmrd_pg_run(&list_periods, p.values, p.nulls);
	periods = palloc0(Max(n, 1) * sizeof(mmrd_report_period));
	for (uint64 i = 0; i < n; i++)
	{
		periods[i].label = text_field(i, 1);
		periods[i].name = text_field(i, 2);
		periods[i].scans = count_field(i, 3);
		periods[i].anomalous = count_field(i, 4);
		periods[i].failed = count_field(i, 5);
	}
	r->page.periods = periods;
	r->page.n_periods = (int32) n;
}

static void
read_totals(mmrd_pg_report *r)
{
	parameters p = window_parameters(r, r->model);

	mmrd_pg_run(&sum_up, p.values, p.nulls);
	r->page.scans = count_field(0, 1);
	r->page.anomalous = count_field(0, 2);
	r->page.failed = count_field(0, 3);
	r->page.median_ms = float8_field(0, 4);
	r->page.high_ms = float8_field(0, 5);

	/* As much time before, up to but not including our beginning. */
	p.values[1] = TimestampTzGetDatum(r->from - (r->to - r->from));
	p.values[2] = TimestampTzGetDatum(r->from - 1);
	mmrd_pg_run(&sum_up, p.values, p.nulls);
	r->page.earlier_scans = count_field(0, 1);
	r->page.earlier_anomalous = count_field(0, 2);
}

/* ---- models ---- */

static void
read_scores(const mmrd_pg_report *r, mmrd_report_model *model,
            const char *name)
{
	parameters p = window_parameters(r, name);
	const int64 every = 1 + (model->scans - 1) / MMRD_PG_REPORT_SCORES;
	float *scores;
	size_t n = 0;
	Portal portal;
	uint64 got;

	p.values[4] = BoolGetDatum(model->relative);
	p.values[5] = Int64GetDatum(every);
	scores = palloc((Size) (model->scans / every + 1) * sizeof(float));
	portal = mmrd_pg_open(&list_scores, p.values, p.nulls);
	while ((got = mmrd_pg_fetch(portal, 4096)) > 0)
	{
		for (uint64 i = 0; i < got && (int64) n <= model->scans / every; i++)
			scores[n++] = (float) float4_field(i, 1);
		SPI_freetuptable(SPI_tuptable);
	}
	SPI_cursor_close(portal);
	model->scores = scores;
	model->n_scores = n;
}

static void
read_spreads(const mmrd_pg_report *r, mmrd_report_model *model,
             const char *name)
{
	parameters p = window_parameters(r, name);
	const int32 wanted = r->page.n_periods;
	mmrd_report_spread *spreads =
	    palloc((Size) Max(wanted, 1) * sizeof(mmrd_report_spread));
	uint64 n;

	p.values[4] = BoolGetDatum(model->relative);
	p.values[5] = CStringGetTextDatum(r->page.unit);
	n = mmrd_pg_run(&list_spreads, p.values, p.nulls);
	for (int32 i = 0; i < wanted; i++)
	{
		const bool there = (uint64) i < n;

		spreads[i].low = there ? float8_field((uint64) i, 1) : (double) NAN;
		spreads[i].median = there ? float8_field((uint64) i, 2) : (double) NAN;
		spreads[i].high = there ? float8_field((uint64) i, 3) : (double) NAN;
	}
	model->spread = spreads;
}

/* The calibration scores of row `row`, in the model's units, to the end. */
static void
append_validation(mmrd_report_model *model, uint64 row, double threshold,
                  float **scores, size_t *room)
{
	bool isnull;
	const Datum value = mmrd_pg_field(row, 11, &isnull);
	Datum *items;
	int n;

	if (isnull || (model->relative && !(threshold > 0)))
		return;
	deconstruct_array(DatumGetArrayTypeP(value), FLOAT4OID, sizeof(float4),
	                  true, TYPALIGN_INT, &items, NULL, &n);
	if (model->n_validation + (size_t) n > *room)
	{
		*room = 2 * (model->n_validation + (size_t) n);
		*scores = repalloc_huge(*scores, *room * sizeof(float));
	}
	for (int i = 0; i < n; i++)
	{
		const double s = (double) DatumGetFloat4(items[i]);

		(*scores)[model->n_validation++] =
		    (float) (model->relative ? s / threshold : s);
	}
	pfree(items);
}

/*
 * Versions, and the validation scores of those that scored; when none did,
 * of the deployed one.
 */
static void
read_versions(const mmrd_pg_report *r, mmrd_report_model *model,
              const char *name)
{
	parameters p = window_parameters(r, name);
	mmrd_report_version *versions;
	size_t room = 1;
	float *validation = palloc(sizeof(float));
	uint64 n;

	p.values[4] = Int32GetDatum(MMRD_PG_REPORT_VERSIONS);
	n = mmrd_pg_run(&list_versions, p.values, p.nulls);
	versions = palloc0(Max(n, 1) * sizeof(mmrd_report_version));
	for (uint64 i = 0; i < n; i++)
	{
		mmrd_report_version *v = &versions[i];

		v->version = int_field(i, 1);
		v->trained = text_field(i, 2);
		v->training_scans = int_field(i, 3);
		v->epochs = int_field(i, 4);
		v->loss = float4_field(i, 5);
		v->threshold = float4_field(i, 6);
		v->validation_scans = int_field(i, 7);
		v->scans = count_field(i, 8);
		v->anomalous = count_field(i, 9);
		v->deployed = bool_field(i, 10);
		if (model->scans == 0 && v->deployed)
			model->threshold = v->threshold;
		if (v->scans > 0 || model->scans == 0)
			append_validation(model, i, v->threshold, &validation, &room);
	}
	model->versions = versions;
	model->n_versions = (int32) n;
	model->validation = validation;
}

static void
read_epochs(mmrd_report_model *model, const char *name)
{
	Datum values[] = {CStringGetTextDatum(name)};
	const uint64 n = mmrd_pg_run(&list_epochs, values, NULL);
	mmrd_report_epoch *epochs = palloc(Max(n, 1) * sizeof(mmrd_report_epoch));

	for (uint64 i = 0; i < n; i++)
	{
		model->loss_version = int_field(i, 1);
		epochs[i].epoch = int_field(i, 2);
		epochs[i].loss = float4_field(i, 3);
	}
	model->epochs = epochs;
	model->n_epochs = (int32) n;
}

/* expected: the model that will score, when none has yet; or NULL. */
static void
read_models(mmrd_pg_report *r, const char *expected)
{
	parameters p = window_parameters(r, r->model);
	mmrd_report_model *models;
	char *names[MMRD_PG_REPORT_MODELS];
	int32 n;

	p.values[4] = Int32GetDatum(MMRD_PG_REPORT_MODELS);
	n = (int32) mmrd_pg_run(&list_models, p.values, p.nulls);
	models = palloc0((Size) Max(n, 1) * sizeof(mmrd_report_model));
	for (int32 i = 0; i < n; i++)
	{
		names[i] = mmrd_pg_field_text((uint64) i, 1, r->memory);
		models[i].scans = count_field((uint64) i, 2);
		models[i].anomalous = count_field((uint64) i, 3);
		models[i].relative = bool_field((uint64) i, 4);
		models[i].threshold =
		    models[i].relative ? 1 : float4_field((uint64) i, 5);
		r->page.models_left = (int32) count_field((uint64) i, 6) - n;
	}
	if (n == 0 && expected != NULL)
	{
		names[n] = pstrdup(expected);
		models[n++].threshold = (double) NAN;
	}
	for (int32 i = 0; i < n; i++)
	{
		models[i].name = mmrd_pg_report_text(names[i]);
		read_scores(r, &models[i], names[i]);
		read_spreads(r, &models[i], names[i]);
		read_versions(r, &models[i], names[i]);
		read_epochs(&models[i], names[i]);
	}
	r->page.models = models;
	r->page.n_models = n;
}

/* ---- scans ---- */

static void
read_worst(mmrd_pg_report *r)
{
	parameters p = window_parameters(r, r->model);
	uint64 n;

	p.values[4] = Int32GetDatum(MMRD_PG_REPORT_WORST);
	n = mmrd_pg_run(&list_worst, p.values, p.nulls);
	r->worst = palloc0(Max(n, 1) * sizeof(mmrd_report_scan));
	r->maps = palloc0(Max(n, 1) * sizeof(struct varlena *));
	for (uint64 i = 0; i < n; i++)
	{
		mmrd_report_scan *scan = &r->worst[i];
		bool isnull;
		Datum map;

		/* Not yet in UTF-8: it has to be found in the table first. */
		scan->key = mmrd_pg_field_text(i, 1, r->memory);
		scan->when = text_field(i, 2);
		scan->model = text_field(i, 3);
		scan->version = int_field(i, 4);
		scan->score = float4_field(i, 5);
		scan->threshold = float4_field(i, 6);
		scan->area = float4_field(i, 7);
		scan->anomalous = bool_field(i, 8);
		map = mmrd_pg_field(i, 9, &isnull);
		if (!isnull && r->sees_maps)
			r->maps[i] = PG_DETOAST_DATUM_COPY(map);
	}
	r->page.worst = r->worst;
	r->page.n_worst = (int32) n;
}

static void
read_failures(mmrd_pg_report *r)
{
	parameters p = window_parameters(r, r->model);
	mmrd_report_failure *failures;
	uint64 n;

	p.values[4] = Int32GetDatum(MMRD_PG_REPORT_FAILURES);
	n = mmrd_pg_run(&list_failures, p.values, p.nulls);
	failures = palloc0(Max(n, 1) * sizeof(mmrd_report_failure));
	for (uint64 i = 0; i < n; i++)
	{
		failures[i].key = text_field(i, 1);
		failures[i].when = text_field(i, 2);
		failures[i].error = text_field(i, 3);
	}
	r->page.failures = failures;
	r->page.n_failures = (int32) n;
}

void
mmrd_pg_report_gather(mmrd_pg_report *r)
{
	mmrd_pg_access access;
	char *model;

	mmrd_pg_access_begin(&access);
	MemoryContextSwitchTo(r->memory);
	model = check_subject(r);
	read_window(r);
	read_periods(r);
	read_totals(r);
	read_models(r, r->model != NULL ? r->model : model);
	read_worst(r);
	read_failures(r);
	mmrd_pg_access_end(&access);
}
