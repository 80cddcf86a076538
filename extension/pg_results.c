/*
 * extension/pg_results.c
 *	  Results of scans: making one, and the rows of mmrd.results.
 */
#include "postgres.h"

#include "extension/pg_results.h"

#include "catalog/pg_type.h"
#include "commands/async.h"
#include "extension/pg_access.h"
#include "extension/pg_score.h"
#include "lib/stringinfo.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

/* ---- which version ---- */

typedef struct mmrd_pg_version_entry
{
	struct mmrd_pg_version_entry *next;
	char *model; /* as the row said */
	mmrd_pg_version *version;
} mmrd_pg_version_entry;

const mmrd_pg_version *
mmrd_pg_versions_get(mmrd_pg_versions *versions, const char *model)
{
	mmrd_pg_version_entry *e;

	if (model == NULL)
		model = versions->attachment->model;
	for (e = versions->first; e != NULL; e = e->next)
		if (model == NULL || e->model == NULL ? model == e->model
		                                      : strcmp(model, e->model) == 0)
			return e->version;
	e = MemoryContextAllocZero(versions->memory, sizeof(*e));
	e->version = mmrd_pg_version_for(model, versions->attachment->owner,
	                                 versions->memory);
	if (model != NULL)
		e->model = MemoryContextStrdup(versions->memory, model);
	e->next = versions->first;
	versions->first = e;
	return e->version;
}

/* ---- making a result ---- */

void
mmrd_pg_result_begin(mmrd_pg_result *result, const char *key)
{
	memset(result, 0, sizeof(*result));
	result->key = pstrdup(key);
	result->scored_at = GetCurrentTimestamp();
	INSTR_TIME_SET_CURRENT(result->start);
}

static void
finish(mmrd_pg_result *result)
{
	instr_time now;

	INSTR_TIME_SET_CURRENT(now);
	INSTR_TIME_SUBTRACT(now, result->start);
	result->elapsed_ms = (float) INSTR_TIME_GET_MILLISEC(now);
}

void
mmrd_pg_result_fail(mmrd_pg_result *result, const char *error)
{
	result->error = pstrdup(error);
	result->map = NULL;
	finish(result);
}

/* "aux: PNG is truncated (...)" */
static char *
picture_error(const mmrd_error *err, int m)
{
	StringInfoData text;

	initStringInfo(&text);
	appendStringInfo(&text, "%s: %s", mmrd_modality_name(m), err->message);
	if (err->detail[0] != '\0')
		appendStringInfo(&text, " (%s)", err->detail);
	return text.data;
}

static bool
wants_map(const mmrd_pg_attachment *attachment, const mmrd_pg_finding *finding)
{
	switch (attachment->keep_map)
	{
		case MMRD_PG_KEEP_ALWAYS:
			return true;
		case MMRD_PG_KEEP_NEVER:
			return false;
		case MMRD_PG_KEEP_ANOMALOUS:
			break;
	}
	return finding->anomalous;
}

void
mmrd_pg_result_score(mmrd_pg_versions *versions,
                     const struct varlena *const *bytes, int n_modalities,
                     const char *model, mmrd_pg_result *result)
{
	const mmrd_pg_version *version = mmrd_pg_versions_get(versions, model);
	mmrd_error err = {0};
	mmrd_pg_prepared prepared;
	mmrd_pg_scored scored;

	result->model = pstrdup(version->model);
	result->version = version->version;
	mmrd_pg_check_modalities(version, n_modalities > 1 && bytes[1] != NULL,
	                         n_modalities > 2 && bytes[2] != NULL);
	if (mmrd_pg_scan_score(version, bytes, &scored, &prepared, &err) !=
	    MMRD_OK)
	{
		if (!mmrd_pg_is_scans_fault(err.status))
			mmrd_pg_throw(&err);
		mmrd_pg_result_fail(result, picture_error(&err, prepared.failed));
		return;
	}
	mmrd_pg_finding_of(&scored, &result->finding);
	if (wants_map(versions->attachment, &result->finding))
		result->map = mmrd_pg_finding_map(&scored);
	finish(result);
}

/* ---- rows ---- */

enum
{
	MAP_PARAMETER = 10
};

static mmrd_pg_statement write_result = {
    "INSERT INTO mmrd.results AS r (source, key, model, version, score, "
    "normalized, anomalous, threshold, area, regions, map, error, scored_at, "
    "elapsed_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, "
    "$13, $14) ON CONFLICT (source, key) DO UPDATE SET model = "
    "excluded.model, version = excluded.version, score = excluded.score, "
    "normalized = excluded.normalized, anomalous = excluded.anomalous, "
    "threshold = excluded.threshold, area = excluded.area, regions = "
    "excluded.regions, map = excluded.map, error = excluded.error, scored_at "
    "= excluded.scored_at, elapsed_ms = excluded.elapsed_ms WHERE $15",
    false,
    15,
    {OIDOID, TEXTOID, TEXTOID, INT4OID, FLOAT4OID, FLOAT4OID, BOOLOID,
     FLOAT4OID, FLOAT4OID, INT4OID, InvalidOid, TEXTOID, TIMESTAMPTZOID,
     FLOAT4OID, BOOLOID},
    NULL};

static mmrd_pg_statement remove_result = {
    "DELETE FROM mmrd.results WHERE source = $1 AND key = $2",
    false,
    2,
    {OIDOID, TEXTOID},
    NULL};

static mmrd_pg_statement remove_unless_busy = {
    "DELETE FROM mmrd.results WHERE ctid = ANY (ARRAY(SELECT ctid FROM "
    "mmrd.results WHERE source = $1 AND key = $2 FOR UPDATE SKIP LOCKED))",
    false,
    2,
    {OIDOID, TEXTOID},
    NULL};

static mmrd_pg_statement forget_source = {
    "DELETE FROM mmrd.results WHERE source = $1", false, 1, {OIDOID}, NULL};

/* One descent of the index for each, whatever the statistics say. */
static mmrd_pg_statement lock_results = {
    "SELECT k.key, mine.locked IS NOT NULL FROM unnest($2) k (key) CROSS JOIN "
    "LATERAL (SELECT FROM "
    "mmrd.results r WHERE r.source = $1 AND r.key = k.key OFFSET 0) found "
    "LEFT JOIN LATERAL (SELECT true AS locked FROM mmrd.results r WHERE "
    "r.source = $1 AND r.key = k.key FOR UPDATE SKIP LOCKED) mine ON true",
    false,
    2,
    {OIDOID, TEXTARRAYOID},
    NULL};

/*
 * The type of the column: another one after the extension was dropped and
 * created again, and a plan does not follow the types of its parameters.
 */
static void
set_map_type(void)
{
	const Oid relation = mmrd_pg_own_relation("results");
	const Oid type = get_atttype(relation, get_attnum(relation, "map"));

	if (write_result.types[MAP_PARAMETER] == type)
		return;
	if (write_result.plan != NULL)
		SPI_freeplan(write_result.plan);
	write_result.plan = NULL;
	write_result.types[MAP_PARAMETER] = type;
}

void
mmrd_pg_result_write(Oid source, const mmrd_pg_result *result, bool replace)
{
	const mmrd_pg_finding *f = &result->finding;
	const bool scored = result->error == NULL;
	const bool judged = scored && f->calibrated;
	char nulls[16];
	Datum values[15] = {
	    ObjectIdGetDatum(source),
	    CStringGetTextDatum(result->key),
	    result->model ? CStringGetTextDatum(result->model) : (Datum) 0,
	    Int32GetDatum(result->version),
	    Float4GetDatum(f->score),
	    Float4GetDatum(f->normalized),
	    BoolGetDatum(f->anomalous),
	    Float4GetDatum(f->threshold),
	    Float4GetDatum(f->area),
	    Int32GetDatum(f->regions),
	    PointerGetDatum(result->map),
	    scored ? (Datum) 0 : CStringGetTextDatum(result->error),
	    TimestampTzGetDatum(result->scored_at),
	    Float4GetDatum(result->elapsed_ms),
	    BoolGetDatum(replace)};

	memset(nulls, ' ', sizeof(nulls));
	nulls[2] = nulls[3] = result->model ? ' ' : 'n';
	nulls[4] = scored ? ' ' : 'n';
	for (int i = 5; i <= 9; i++)
		nulls[i] = judged ? ' ' : 'n';
	nulls[10] = result->map ? ' ' : 'n';
	nulls[11] = scored ? 'n' : ' ';
	set_map_type();
	mmrd_pg_run(&write_result, values, nulls);
}

void
mmrd_pg_result_remove(Oid source, const char *key, bool wait)
{
	Datum values[] = {ObjectIdGetDatum(source), CStringGetTextDatum(key)};

	mmrd_pg_run(wait ? &remove_result : &remove_unless_busy, values, NULL);
}

void
mmrd_pg_results_forget(Oid source)
{
	Datum values[] = {ObjectIdGetDatum(source)};

	mmrd_pg_run(&forget_source, values, NULL);
}

mmrd_pg_earlier *
mmrd_pg_results_lock(Oid source, Datum keys, int *n, MemoryContext owner)
{
	Datum values[] = {ObjectIdGetDatum(source), keys};
	mmrd_pg_earlier *found;
	bool isnull;

	*n = (int) mmrd_pg_run(&lock_results, values, NULL);
	found = MemoryContextAlloc(owner, sizeof(*found) * Max(*n, 1));
	for (int i = 0; i < *n; i++)
	{
		found[i].key = mmrd_pg_field_text(i, 1, owner);
		found[i].locked = DatumGetBool(mmrd_pg_field(i, 2, &isnull));
	}
	return found;
}

void
mmrd_pg_result_notify(const mmrd_pg_attachment *attachment,
                      const mmrd_pg_result *result)
{
	if (attachment->notify == NULL || result->error != NULL ||
	    !result->finding.anomalous)
		return;
	Async_Notify(attachment->notify, result->key);
}
