/*
 * extension/pg_job_rows.c
 *	  Training jobs in mmrd's tables: the jobs, their epochs, their
 *	  checkpoints.
 *
 * Reading uses the latest snapshot, not the statement's: whoever waits for a
 * job, in a transaction of whatever isolation, wants to know how it is now.
 */
#include "postgres.h"

#include "extension/pg_job_rows.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "extension/pg_access.h"
#include "extension/pg_job_locks.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"

enum
{
	PART_BYTES = 8 << 20 /* of a checkpoint in one row */
};

static const char *const state_names[] = {
    "queued", "running", "done", "failed", "cancelled", "interrupted"};

const char *
mmrd_pg_job_state_name(mmrd_pg_job_state state)
{
	return state_names[state];
}

static mmrd_pg_job_state
parse_state(const char *name)
{
	for (int i = 0; i < MMRD_PG_JOB_INTERRUPTED; i++)
		if (strcmp(name, state_names[i]) == 0)
			return (mmrd_pg_job_state) i;
	elog(ERROR, "unknown state \"%s\" in mmrd.trainings", name);
	return MMRD_PG_JOB_FAILED; /* not reached */
}

/* Which cluster and database this is. */
static char *
home(void)
{
	return psprintf(UINT64_FORMAT "/%u", GetSystemIdentifier(), MyDatabaseId);
}

static mmrd_pg_statement insert_job = {
    "INSERT INTO mmrd.trainings (model, source, columns, filter, validation, "
    "options, epochs, owner, search_path, time_zone, date_style, threads, "
    "home, warm_version) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, "
    "$11, $12, $13, nullif($14, 0)) RETURNING id",
    false,
    14,
    {TEXTOID, TEXTOID, TEXTARRAYOID, TEXTOID, TEXTOID, JSONBOID, INT4OID,
     NAMEOID, TEXTOID, TEXTOID, TEXTOID, INT4OID, TEXTOID, INT8OID},
    NULL};

static mmrd_pg_statement read_job = {
    "SELECT state, xmin, model, source, columns, filter, validation, options, "
    "owner, search_path, time_zone, date_style, threads, home, scans_sha256, "
    "coalesce(warm_version, 0) FROM mmrd.trainings WHERE id = $1",
    true,
    1,
    {INT8OID},
    NULL};

static mmrd_pg_statement read_state = {
    "SELECT state, home FROM mmrd.trainings WHERE id = $1",
    true,
    1,
    {INT8OID},
    NULL};

static mmrd_pg_statement list_queued = {
    "SELECT id, owner::text, xmin FROM mmrd.trainings WHERE state = 'queued' "
    "AND state = ANY (ARRAY['queued', 'running']) AND home = $1 "
    "ORDER BY id LIMIT $2",
    true,
    2,
    {TEXTOID, INT4OID},
    NULL};

static mmrd_pg_statement list_running = {
    "SELECT id FROM mmrd.trainings WHERE state = 'running' "
    "AND state = ANY (ARRAY['queued', 'running']) AND home = $1 "
    "AND resumed < $2 ORDER BY id LIMIT $3",
    true,
    3,
    {TEXTOID, INT4OID, INT4OID},
    NULL};

static mmrd_pg_statement move_job = {
    "UPDATE mmrd.trainings SET state = $3, "
    "started_at = CASE $3 WHEN 'running' "
    "THEN coalesce(started_at, clock_timestamp()) ELSE started_at END, "
    "finished_at = CASE $3 WHEN 'running' THEN NULL "
    "ELSE clock_timestamp() END, error = NULL WHERE id = $1 AND state = $2",
    false,
    3,
    {INT8OID, TEXTOID, TEXTOID},
    NULL};

/* A copy that is resumed is at home here from then on. */
static mmrd_pg_statement requeue_job = {
    "UPDATE mmrd.trainings SET state = 'queued', queued_at = "
    "clock_timestamp(), finished_at = NULL, error = NULL, home = $2, "
    "resumed = CASE WHEN $3 THEN resumed + 1 ELSE 0 END "
    "WHERE id = $1 AND state <> 'done'",
    false,
    3,
    {INT8OID, TEXTOID, BOOLOID},
    NULL};

static mmrd_pg_statement set_scans = {
    "UPDATE mmrd.trainings SET scans = $2, scans_sha256 = $3 WHERE id = $1",
    false,
    3,
    {INT8OID, INT4OID, BYTEAOID},
    NULL};

static mmrd_pg_statement finish_job = {
    "UPDATE mmrd.trainings SET state = $2, version = nullif($3, 0), "
    "error = $4, finished_at = clock_timestamp() WHERE id = $1",
    false,
    4,
    {INT8OID, TEXTOID, INT4OID, TEXTOID},
    NULL};

static Datum
text_or_null(const char *text, char *null)
{
	*null = text == NULL ? 'n' : ' ';
	return text == NULL ? (Datum) 0 : CStringGetTextDatum(text);
}

static Datum
column_names(const mmrd_pg_source *source)
{
	Datum names[MMRD_MAX_MODALITIES];

	for (int m = 0; m < source->n_modalities; m++)
		names[m] = CStringGetTextDatum(source->column[m]);
	return PointerGetDatum(construct_array(names, source->n_modalities,
	                                       TEXTOID, -1, false, TYPALIGN_INT));
}

static Datum
setting(const char *name)
{
	return CStringGetTextDatum(GetConfigOption(name, false, false));
}

int64
mmrd_pg_job_insert(const mmrd_pg_request *r, int threads)
{
	Datum values[14];
	char nulls[] = "              ";
	bool isnull;

	values[0] = CStringGetTextDatum(r->model);
	values[1] = CStringGetTextDatum(r->source.quoted);
	values[2] = column_names(&r->source);
	values[3] = text_or_null(r->filter, &nulls[3]);
	values[4] = text_or_null(r->validation, &nulls[4]);
	values[5] = JsonbPGetDatum(mmrd_pg_options_complete(&r->options));
	values[6] = Int32GetDatum(r->options.epochs);
	values[7] = DirectFunctionCall1(
	    namein, CStringGetDatum(GetUserNameFromId(r->user, false)));
	values[8] = CStringGetTextDatum(r->search_path);
	values[9] = setting("TimeZone");
	values[10] = setting("DateStyle");
	values[11] = Int32GetDatum(threads);
	values[12] = CStringGetTextDatum(home());
	values[13] = Int64GetDatum(r->warm_version);
	mmrd_pg_run(&insert_job, values, nulls);
	return DatumGetInt64(mmrd_pg_field(0, 1, &isnull));
}

/* Run a read-only statement with the latest snapshot. */
static uint64
run_now(mmrd_pg_statement *statement, Datum *values)
{
	uint64 n;

	PushActiveSnapshot(GetLatestSnapshot());
	n = mmrd_pg_run(statement, values, NULL);
	PopActiveSnapshot();
	return n;
}

static void
read_columns(mmrd_pg_job *out, Datum array, MemoryContext owner)
{
	Datum *elements;
	int n;

	deconstruct_array(DatumGetArrayTypeP(array), TEXTOID, -1, false,
	                  TYPALIGN_INT, &elements, NULL, &n);
	if (n < 1 || n > MMRD_MAX_MODALITIES)
		elog(ERROR, "%d columns in mmrd.trainings", n);
	out->n_columns = n;
	for (int i = 0; i < n; i++)
		out->column[i] =
		    MemoryContextStrdup(owner, TextDatumGetCString(elements[i]));
}

bool
mmrd_pg_job_read(int64 id, MemoryContext owner, mmrd_pg_job *out)
{
	Datum values[] = {Int64GetDatum(id)};
	MemoryContext before;
	bool isnull;
	Datum value;

	if (run_now(&read_job, values) == 0)
		return false;
	memset(out, 0, sizeof(*out));
	out->id = id;
	out->state = parse_state(mmrd_pg_field_text(0, 1, CurrentMemoryContext));
	out->changed_here = TransactionIdIsCurrentTransactionId(
	    DatumGetTransactionId(mmrd_pg_field(0, 2, &isnull)));
	out->model = mmrd_pg_field_text(0, 3, owner);
	out->source = mmrd_pg_field_text(0, 4, owner);
	read_columns(out, mmrd_pg_field(0, 5, &isnull), owner);
	out->filter = mmrd_pg_field_text(0, 6, owner);
	out->validation = mmrd_pg_field_text(0, 7, owner);
	before = MemoryContextSwitchTo(owner);
	out->options = DatumGetJsonbPCopy(mmrd_pg_field(0, 8, &isnull));
	out->owner = pstrdup(NameStr(*DatumGetName(mmrd_pg_field(0, 9, &isnull))));
	MemoryContextSwitchTo(before);
	out->search_path = mmrd_pg_field_text(0, 10, owner);
	out->time_zone = mmrd_pg_field_text(0, 11, owner);
	out->date_style = mmrd_pg_field_text(0, 12, owner);
	out->threads = DatumGetInt32(mmrd_pg_field(0, 13, &isnull));
	out->at_home =
	    strcmp(mmrd_pg_field_text(0, 14, CurrentMemoryContext), home()) == 0;
	value = mmrd_pg_field(0, 15, &isnull);
	if (!isnull)
	{
		const bytea *sha256 = DatumGetByteaPP(value);

		out->has_sha256 = VARSIZE_ANY_EXHDR(sha256) == MMRD_PG_DIGEST_BYTES;
		if (out->has_sha256)
			memcpy(out->sha256, VARDATA_ANY(sha256), MMRD_PG_DIGEST_BYTES);
	}
	out->warm_version = DatumGetInt64(mmrd_pg_field(0, 16, &isnull));
	return true;
}

/*
 * A worker takes its lock before it stores "running" and stores the end
 * before it releases the lock.  So "running", when no lock was seen before
 * and none after, is a worker that was killed; unless it ended in between,
 * which a second look at the row tells.
 */
bool
mmrd_pg_job_look(int64 id, mmrd_pg_job_state *state, int *pid)
{
	for (int looks = 1;; looks++)
	{
		Datum values[] = {Int64GetDatum(id)};
		const bool recovery = RecoveryInProgress();
		bool at_home;

		*pid = recovery ? 0 : mmrd_pg_job_pid(id);
		if (run_now(&read_state, values) == 0)
			return false;
		*state = parse_state(mmrd_pg_field_text(0, 1, CurrentMemoryContext));
		at_home = strcmp(mmrd_pg_field_text(0, 2, CurrentMemoryContext),
		                 home()) == 0;
		if (*state != MMRD_PG_JOB_RUNNING)
			*pid = 0;
		if (*state != MMRD_PG_JOB_RUNNING && *state != MMRD_PG_JOB_QUEUED)
			return true;
		if (!at_home)
		{
			*state = MMRD_PG_JOB_INTERRUPTED;
			*pid = 0;
			return true;
		}

		/* A standby has the rows, and no worker of its own. */
		if (recovery || *state == MMRD_PG_JOB_QUEUED || *pid != 0)
			return true;
		if (looks == 2)
		{
			*state = MMRD_PG_JOB_INTERRUPTED;
			return true;
		}
	}
}

int
mmrd_pg_jobs_queued(int n, int64 *ids, char **owners, MemoryContext memory)
{
	Datum values[] = {CStringGetTextDatum(home()), Int32GetDatum(n)};
	const int rows = (int) run_now(&list_queued, values);
	int found = 0;

	for (int i = 0; i < rows; i++)
	{
		bool isnull;

		/* Those of this transaction have a worker that waits for its end. */
		if (TransactionIdIsCurrentTransactionId(
		        DatumGetTransactionId(mmrd_pg_field(i, 3, &isnull))))
			continue;
		ids[found] = DatumGetInt64(mmrd_pg_field(i, 1, &isnull));
		owners[found++] = mmrd_pg_field_text(i, 2, memory);
	}
	return found;
}

int
mmrd_pg_jobs_interrupted(int times, int n, int64 *ids)
{
	Datum values[] = {CStringGetTextDatum(home()), Int32GetDatum(times),
	                  Int32GetDatum(n)};
	const int rows = (int) run_now(&list_running, values);
	int found = 0;
	bool isnull;

	for (int i = 0; i < rows; i++)
		ids[i] = DatumGetInt64(mmrd_pg_field(i, 1, &isnull));
	for (int i = 0; i < rows; i++)
	{
		mmrd_pg_job_state state;
		int pid;

		if (mmrd_pg_job_look(ids[i], &state, &pid) &&
		    state == MMRD_PG_JOB_INTERRUPTED)
			ids[found++] = ids[i];
	}
	return found;
}

bool
mmrd_pg_job_move(int64 id, mmrd_pg_job_state from, mmrd_pg_job_state to)
{
	Datum values[] = {Int64GetDatum(id),
	                  CStringGetTextDatum(mmrd_pg_job_state_name(from)),
	                  CStringGetTextDatum(mmrd_pg_job_state_name(to))};

	return mmrd_pg_run(&move_job, values, NULL) > 0;
}

bool
mmrd_pg_job_requeue(int64 id, bool by_itself)
{
	Datum values[] = {Int64GetDatum(id), CStringGetTextDatum(home()),
	                  BoolGetDatum(by_itself)};

	return mmrd_pg_run(&requeue_job, values, NULL) > 0;
}

static bytea *
make_bytea(Size n)
{
	bytea *value = palloc(VARHDRSZ + n);

	SET_VARSIZE(value, VARHDRSZ + n);
	return value;
}

void
mmrd_pg_job_set_scans(int64 id, int64 n, const uint8 *sha256)
{
	bytea *hash = make_bytea(MMRD_PG_DIGEST_BYTES);
	Datum values[] = {Int64GetDatum(id), Int32GetDatum((int32) n),
	                  PointerGetDatum(hash)};

	memcpy(VARDATA(hash), sha256, MMRD_PG_DIGEST_BYTES);
	mmrd_pg_run(&set_scans, values, NULL);
}

/* ---- epochs ---- */

static mmrd_pg_statement insert_epoch = {
    "INSERT INTO mmrd.epochs (job, epoch, loss, distillation, prototype, "
    "seconds) VALUES ($1, $2, $3, $4, $5, $6)",
    false,
    6,
    {INT8OID, INT4OID, FLOAT4OID, FLOAT4OID, FLOAT4OID, FLOAT4OID},
    NULL};

static mmrd_pg_statement delete_epochs = {
    "DELETE FROM mmrd.epochs WHERE job = $1 AND epoch > $2",
    false,
    2,
    {INT8OID, INT4OID},
    NULL};

static mmrd_pg_statement sum_seconds = {
    "SELECT coalesce(sum(seconds::float8), 0) FROM mmrd.epochs "
    "WHERE job = $1",
    false,
    1,
    {INT8OID},
    NULL};

void
mmrd_pg_epoch_insert(int64 job, int epoch, const mmrd_losses *mean,
                     float seconds)
{
	Datum values[] = {Int64GetDatum(job),
	                  Int32GetDatum(epoch),
	                  Float4GetDatum((float) mean->loss),
	                  Float4GetDatum((float) mean->distillation),
	                  Float4GetDatum((float) mean->prototype),
	                  Float4GetDatum(seconds)};

	mmrd_pg_run(&insert_epoch, values, NULL);
}

double
mmrd_pg_epochs_trim(int64 job, int epoch)
{
	Datum values[] = {Int64GetDatum(job), Int32GetDatum(epoch)};
	bool isnull;

	mmrd_pg_run(&delete_epochs, values, NULL);
	mmrd_pg_run(&sum_seconds, values, NULL);
	return DatumGetFloat8(mmrd_pg_field(0, 1, &isnull));
}

/* ---- checkpoints ---- */

static mmrd_pg_statement insert_part = {
    "INSERT INTO mmrd.checkpoints (job, epoch, part, data) "
    "VALUES ($1, $2, $3, $4)",
    false,
    4,
    {INT8OID, INT4OID, INT4OID, BYTEAOID},
    NULL};

static mmrd_pg_statement delete_parts = {
    "DELETE FROM mmrd.checkpoints WHERE job = $1", false, 1, {INT8OID}, NULL};

static mmrd_pg_statement forget_resumed = {
    "UPDATE mmrd.trainings SET resumed = 0 WHERE id = $1 AND resumed > 0",
    false,
    1,
    {INT8OID},
    NULL};

static mmrd_pg_statement find_checkpoint = {
    "SELECT coalesce(max(epoch), 0) FROM mmrd.checkpoints WHERE job = $1",
    false,
    1,
    {INT8OID},
    NULL};

static mmrd_pg_statement read_part = {
    "SELECT data FROM mmrd.checkpoints "
    "WHERE job = $1 AND epoch = $2 AND part = $3",
    false,
    3,
    {INT8OID, INT4OID, INT4OID},
    NULL};

Size
mmrd_pg_checkpoint_save(int64 job, int epoch, const mmrd_trainer *trainer)
{
	const Size total = mmrd_trainer_state_bytes(trainer);
	bytea *data = make_bytea(Min(total, PART_BYTES));
	Datum values[] = {Int64GetDatum(job), Int32GetDatum(epoch), 0,
	                  PointerGetDatum(data)};
	int part = 0;

	mmrd_pg_run(&delete_parts, values, NULL);
	for (Size at = 0; at < total; at += PART_BYTES)
	{
		const Size n = Min(total - at, PART_BYTES);

		SET_VARSIZE(data, VARHDRSZ + n);
		mmrd_trainer_state_get(trainer, at, n, VARDATA(data));
		values[2] = Int32GetDatum(part++);
		mmrd_pg_run(&insert_part, values, NULL);
		CHECK_FOR_INTERRUPTS();
	}
	pfree(data);
	mmrd_pg_run(&forget_resumed, values, NULL);
	return total;
}

int
mmrd_pg_checkpoint_epoch(int64 job)
{
	Datum values[] = {Int64GetDatum(job)};
	bool isnull;

	mmrd_pg_run(&find_checkpoint, values, NULL);
	return DatumGetInt32(mmrd_pg_field(0, 1, &isnull));
}

void
mmrd_pg_checkpoint_load(int64 job, int epoch, mmrd_trainer *trainer)
{
	const Size total = mmrd_trainer_state_bytes(trainer);
	Datum values[] = {Int64GetDatum(job), Int32GetDatum(epoch), 0};
	mmrd_error err = {0};
	int part = 0;

	for (Size at = 0; at < total; at += PART_BYTES)
	{
		const Size wanted = Min(total - at, PART_BYTES);
		Datum value;
		bytea *data;
		bool isnull;

		values[2] = Int32GetDatum(part);
		if (mmrd_pg_run(&read_part, values, NULL) != 1)
			ereport(
			    ERROR,
			    (errcode(ERRCODE_DATA_CORRUPTED),
			     errmsg("the checkpoint of training job %lld is damaged",
			            (long long) job),
			     errdetail("Part %d is missing.", part),
			     errhint(
			         "Start the training again with mmrd_train_start().")));
		value = mmrd_pg_field(0, 1, &isnull);
		data = DatumGetByteaPP(value);
		if (VARSIZE_ANY_EXHDR(data) != wanted)
			ereport(
			    ERROR,
			    (errcode(ERRCODE_DATA_CORRUPTED),
			     errmsg("the checkpoint of training job %lld is damaged",
			            (long long) job),
			     errdetail("Part %d has %zu bytes, not %zu.", part,
			               (Size) VARSIZE_ANY_EXHDR(data), wanted),
			     errhint(
			         "Start the training again with mmrd_train_start().")));
		MMRD_PG_CHECK(mmrd_trainer_state_set(trainer, at, wanted,
		                                     VARDATA_ANY(data), &err),
		              &err);
		if (data != (bytea *) DatumGetPointer(value))
			pfree(data);
		SPI_freetuptable(SPI_tuptable);
		part++;
		CHECK_FOR_INTERRUPTS();
	}
}

void
mmrd_pg_job_finish(int64 id, mmrd_pg_job_state state, int32 version,
                   const char *error)
{
	char nulls[] = "    ";
	Datum values[] = {Int64GetDatum(id),
	                  CStringGetTextDatum(mmrd_pg_job_state_name(state)),
	                  Int32GetDatum(version), text_or_null(error, &nulls[3])};

	mmrd_pg_run(&finish_job, values, nulls);
	if (state == MMRD_PG_JOB_DONE)
		mmrd_pg_run(&delete_parts, values, NULL);
}
