/*
 * extension/pg_score.c
 *	  mmrd_score() and mmrd_inspect().
 *
 * They write nothing, so they run on a standby and in parallel workers.
 *
 * What a statement has looked up (which version a model's name means) is kept
 * in fn_extra together with the snapshot that saw it.  An FmgrInfo can outlive
 * its statement (PL/pgSQL keeps those of simple expressions), so the snapshot
 * is compared at each call and everything is forgotten when it differs.
 */
#include "postgres.h"

#include "extension/pg_score.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "extension/pg_access.h"
#include "extension/pg_finding.h"
#include "extension/pg_input.h"
#include "extension/pg_settings.h"
#include "extension/pg_threads.h"
#include "extension/pg_timing.h"
#include "model/base/clock.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

PG_FUNCTION_INFO_V1(mmrd_score);
PG_FUNCTION_INFO_V1(mmrd_inspect);

/* ---- which version ---- */

static void
no_model(void)
{
	int n;
	char **names = mmrd_pg_models_deployed(10, &n, CurrentMemoryContext);
	StringInfoData list;

	if (n == 0)
		ereport(ERROR,
		        (errcode(ERRCODE_UNDEFINED_OBJECT),
		         errmsg("no model is deployed"),
		         errhint("Train one: SELECT * FROM mmrd_train('scans').")));
	initStringInfo(&list);
	for (int i = 0; i < n; i++)
		appendStringInfo(&list, "%s\"%s\"", i ? ", " : "", names[i]);
	ereport(ERROR, (errcode(ERRCODE_AMBIGUOUS_PARAMETER),
	                errmsg("the model to score with must be named"),
	                errdetail("Deployed models are: %s.", list.data),
	                errhint("Pass the argument model, or set mmrd.model.")));
}

static void
not_deployed(const char *model)
{
	int n;
	char **names = mmrd_pg_models_deployed(10, &n, CurrentMemoryContext);
	StringInfoData list;

	initStringInfo(&list);
	for (int i = 0; i < n; i++)
		appendStringInfo(&list, "%s\"%s\"", i ? ", " : "", names[i]);
	ereport(ERROR,
	        (errcode(ERRCODE_UNDEFINED_OBJECT),
	         errmsg("model \"%s\" does not exist or is not deployed", model),
	         n > 0 ? errdetail("Deployed models are: %s.", list.data)
	               : errdetail("No model is deployed."),
	         errhint("Train a model with mmrd_train(), or deploy a version "
	                 "with mmrd_deploy().")));
}

mmrd_pg_version *
mmrd_pg_version_for(const char *model, Oid user, MemoryContext owner)
{
	mmrd_pg_version *version =
	    MemoryContextAllocZero(owner, sizeof(mmrd_pg_version));
	mmrd_pg_access access;

	mmrd_pg_access_begin(&access);
	if (model == NULL)
	{
		int n;
		char **names = mmrd_pg_models_deployed(2, &n, CurrentMemoryContext);

		if (n != 1)
			no_model();
		model = names[0];
	}
	if (!mmrd_pg_version_deployed(model, user, owner, version))
		not_deployed(model);
	mmrd_pg_access_end(&access);
	return version;
}

mmrd_pg_version *
mmrd_pg_version_wanted(const char *model, MemoryContext owner)
{
	if (model == NULL && mmrd_pg_setting_model[0] != '\0')
		model = mmrd_pg_setting_model;
	return mmrd_pg_version_for(model, GetUserId(), owner);
}

static void
modality_mismatch(const mmrd_pg_version *version, const char *name, bool given)
{
	ereport(ERROR,
	        (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
	         given ? errmsg("model \"%s\" has no modality %s", version->model,
	                        name)
	               : errmsg("model \"%s\" needs modality %s, which is null",
	                        version->model, name),
	         errdetail("Version %d was trained on %s.", version->version,
	                   version->options.config.n_aux == 0   ? "rgb"
	                   : version->options.config.n_aux == 1 ? "rgb and aux"
	                                                        : "rgb, aux and "
	                                                          "aux2"),
	         errhint("Pass what the model was trained on; "
	                 "mmrd.versions.modalities lists it.")));
}

void
mmrd_pg_check_modalities(const mmrd_pg_version *version, bool has_aux,
                         bool has_aux2)
{
	const int n_aux = version->options.config.n_aux;

	if (has_aux != (n_aux >= 1))
		modality_mismatch(version, "aux", has_aux);
	if (has_aux2 != (n_aux >= 2))
		modality_mismatch(version, "aux2", has_aux2);
}

/* ---- what a statement remembers ---- */

/* Enough of a snapshot to tell that another one sees something else. */
typedef struct snapshot_key
{
	uint64 completed; /* transactions completed when it was taken */
	CommandId command;
	TransactionId xmin;
	TransactionId xmax;
	uint64 rollbacks; /* of savepoints, in this session */
} snapshot_key;

typedef struct resolved
{
	struct resolved *next;
	char *model; /* as the call said; NULL: it said nothing */
	char *setting;
	mmrd_pg_version *version;
} resolved;

typedef struct statement_state
{
	MemoryContext memory; /* holds versions; reset when the snapshot changes */
	snapshot_key key;
	resolved *versions;
	uint64 n_bad; /* images that gave NULL instead of an error */
	mmrd_pg_tables tables;
	struct statement_state *next_bad;
	bool listed;     /* among those that have something to say */
	char first[200]; /* message of the first of them */
} statement_state;

/* Statements that owe a warning. */
static statement_state *bad_statements = NULL;

static void
say_bad(statement_state *state)
{
	statement_state **at = &bad_statements;
	const uint64 n = state->n_bad;

	while (*at != NULL && *at != state)
		at = &(*at)->next_bad;
	if (*at != NULL)
		*at = state->next_bad;
	state->listed = false;
	state->n_bad = 0;
	if (IsTransactionState())
		mmrd_pg_tables_report(&state->tables, WARNING);
	if (n > 0 && IsTransactionState())
		ereport(WARNING,
		        (errmsg_plural("%llu image could not be read and gave NULL",
		                       "%llu images could not be read and gave NULL",
		                       (unsigned long) n, (unsigned long long) n),
		         errdetail("The first one: %s", state->first),
		         errhint("Set mmrd.on_bad_image to error to stop there.")));
}

static void
statement_ends(void *arg)
{
	say_bad(arg);
}

/* Where a statement's memory outlives the statement (PL/pgSQL). */
static void
transaction_ends(XactEvent event, void *unused)
{
	(void) unused;
	if (event != XACT_EVENT_PRE_COMMIT)
		return;
	while (bad_statements != NULL)
		say_bad(bad_statements);
}

/* Have say_bad() called when the statement is over. */
static void
owe_warning(statement_state *state)
{
	static bool registered = false;

	if (!registered)
	{
		RegisterXactCallback(transaction_ends, NULL);
		registered = true;
	}
	if (state->listed)
		return;
	state->next_bad = bad_statements;
	bad_statements = state;
	state->listed = true;
}

static void
count_bad(statement_state *state, const mmrd_error *err)
{
	if (state->n_bad++ == 0)
		snprintf(state->first, sizeof(state->first), "%s", err->message);
	owe_warning(state);
}

static void
count_tables(statement_state *state, const mmrd_pg_prepared *prepared)
{
	mmrd_pg_tables_count(&state->tables, prepared);
	for (int m = 0; m < MMRD_MAX_MODALITIES; m++)
		if (state->tables.missing[m] > 0)
			owe_warning(state);
}

static uint64 n_rollbacks = 0;

/* Own rows vanish and neither snapshot nor command number tells. */
static void
savepoint_ends(SubXactEvent event, SubTransactionId mine,
               SubTransactionId parent, void *unused)
{
	(void) mine;
	(void) parent;
	(void) unused;
	if (event == SUBXACT_EVENT_ABORT_SUB)
		n_rollbacks++;
}

static snapshot_key
current_key(void)
{
	static bool registered = false;
	const Snapshot snapshot = GetActiveSnapshot();
	snapshot_key key;

	if (!registered)
	{
		RegisterSubXactCallback(savepoint_ends, NULL);
		registered = true;
	}

	memset(&key, 0, sizeof(key));
	key.completed = mmrd_pg_snapshot_completed(snapshot);
	key.command = snapshot->curcid;
	key.xmin = snapshot->xmin;
	key.xmax = snapshot->xmax;
	key.rollbacks = n_rollbacks;
	return key;
}

static statement_state *
get_state(FunctionCallInfo fcinfo)
{
	statement_state *state = fcinfo->flinfo->fn_extra;
	const snapshot_key key = current_key();

	if (state == NULL)
	{
		MemoryContextCallback *callback;

		state = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt,
		                               sizeof(statement_state));
		callback = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt,
		                                  sizeof(MemoryContextCallback));
		callback->func = statement_ends;
		callback->arg = state;
		MemoryContextRegisterResetCallback(fcinfo->flinfo->fn_mcxt, callback);
		state->memory = AllocSetContextCreate(
		    fcinfo->flinfo->fn_mcxt, "mmrd statement", ALLOCSET_SMALL_SIZES);
		state->key = key;
		fcinfo->flinfo->fn_extra = state;
		return state;
	}
	if (memcmp(&state->key, &key, sizeof(key)) != 0)
	{
		say_bad(state);
		state->versions = NULL;
		MemoryContextReset(state->memory);
		state->key = key;
	}
	return state;
}

static bool
same(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static const mmrd_pg_version *
resolve(statement_state *state, const char *model)
{
	const char *setting = model == NULL ? mmrd_pg_setting_model : NULL;
	resolved *r;

	for (r = state->versions; r != NULL; r = r->next)
		if (same(r->model, model) && same(r->setting, setting))
			return r->version;
	r = MemoryContextAllocZero(state->memory, sizeof(resolved));
	r->version = mmrd_pg_version_wanted(model, state->memory);
	if (model != NULL)
		r->model = MemoryContextStrdup(state->memory, model);
	if (setting != NULL)
		r->setting = MemoryContextStrdup(state->memory, setting);
	r->next = state->versions;
	state->versions = r;
	return r->version;
}

/* ---- one scan ---- */

static void
bad_image(mmrd_error *err, int m)
{
	if (err->hint[0] == '\0' && mmrd_pg_is_scans_fault(err->status))
		mmrd_hint(err,
		          "Set mmrd.on_bad_image to 'null' to get NULL for a scan "
		          "that cannot be read.");
	mmrd_pg_throw_where(
	    err, psprintf("argument %s of a score", mmrd_modality_name(m)));
}

/*
 * Score the call's scan.  False when it gives NULL: no image, or an
 * unreadable one.  Arguments: rgb, aux, model, aux2.
 */
static bool
score_call(FunctionCallInfo fcinfo, mmrd_pg_scored *out)
{
	static const int argument[MMRD_MAX_MODALITIES] = {0, 1, 3};
	statement_state *state = get_state(fcinfo);
	mmrd_error err = {0};
	const char *model = NULL;
	const struct varlena *bytes[MMRD_MAX_MODALITIES];
	mmrd_pg_prepared prepared;
	mmrd_status st;
	double begun;
	int n;

	if (PG_ARGISNULL(0))
		return false;
	if (!PG_ARGISNULL(2))
		model = text_to_cstring(PG_GETARG_TEXT_PP(2));
	out->version = resolve(state, model);
	mmrd_pg_check_modalities(out->version, !PG_ARGISNULL(1), !PG_ARGISNULL(3));
	mmrd_pg_threads_begin(mmrd_pg_setting_threads, fcinfo->flinfo->fn_mcxt);
	n = 1 + out->version->options.config.n_aux;

	/* All of them before the threads start: detoasting may throw. */
	begun = mmrd_clock_ms();
	for (int m = 0; m < n; m++)
		bytes[m] = PG_GETARG_VARLENA_PP(argument[m]);
	mmrd_pg_timing_add(MMRD_PG_PART_READ, mmrd_clock_ms() - begun);
	st = mmrd_pg_scan_score(out->version, bytes, out, &prepared, &err);
	for (int m = 0; m < n; m++)
		PG_FREE_IF_COPY((void *) bytes[m], argument[m]);
	if (st != MMRD_OK)
	{
		/* May it give NULL instead? */
		if (mmrd_pg_setting_on_bad_image == MMRD_PG_BAD_IMAGE_ERROR ||
		    !mmrd_pg_is_scans_fault(st))
			bad_image(&err, prepared.failed);
		count_bad(state, &err);
		return false;
	}
	count_tables(state, &prepared);
	return true;
}

Datum
mmrd_score(PG_FUNCTION_ARGS)
{
	mmrd_pg_scored s;

	if (!score_call(fcinfo, &s))
		PG_RETURN_NULL();
	PG_RETURN_FLOAT4(s.score);
}

/* ---- mmrd_inspect ---- */

Datum
mmrd_inspect(PG_FUNCTION_ARGS)
{
	TupleDesc desc;
	Datum values[9];
	bool nulls[9] = {false};
	mmrd_pg_finding f;
	mmrd_pg_scored s;

	if (!score_call(fcinfo, &s))
		PG_RETURN_NULL();
	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	desc = BlessTupleDesc(desc);
	mmrd_pg_finding_of(&s, &f);

	values[0] = Float4GetDatum(f.score);
	values[1] = Float4GetDatum(f.normalized);
	values[2] = BoolGetDatum(f.anomalous);
	values[3] = Float4GetDatum(f.threshold);
	values[4] = Float4GetDatum(f.area);
	values[5] = Int32GetDatum(f.regions);
	for (int i = 1; i <= 5; i++)
		nulls[i] = !f.calibrated;
	values[6] = CStringGetTextDatum(s.version->model);
	values[7] = Int32GetDatum(s.version->version);
	values[8] = PointerGetDatum(mmrd_pg_finding_map(&s));
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(desc, values, nulls)));
}
