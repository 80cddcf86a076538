/*
 * extension/pg_train.c
 *	  mmrd_train(): read, train, calibrate, store and deploy, in this backend;
 *	  and these steps for training as a job.
 *
 * Everything that can be wrong with the arguments, the scans and the
 * validation scans is found before the first step of training.  Nothing is
 * written before the last one, and then in the caller's transaction.
 */
#include "postgres.h"

#include "extension/pg_train.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "extension/pg_access.h"
#include "extension/pg_builtin.h"
#include "extension/pg_calibrate.h"
#include "extension/pg_conclude.h"
#include "extension/pg_glue.h"
#include "extension/pg_input.h"
#include "extension/pg_input_resolve.h"
#include "extension/pg_scans.h"
#include "extension/pg_settings.h"
#include "extension/pg_store.h"
#include "extension/pg_threads.h"
#include "extension/pg_training.h"
#include "extension/pg_truth.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "model/base/random.h"
#include "model/score/calibration.h"
#include "portability/instr_time.h"
#include "tcop/utility.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"

PG_FUNCTION_INFO_V1(mmrd_train);

enum
{
	MIN_HELD_OUT = 32 /* scans, where a tenth of all is more than that */
};

/* ---- arguments ---- */

static char *
text_or_null(FunctionCallInfo fcinfo, int n)
{
	return PG_ARGISNULL(n) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(n));
}

static void
find_teacher(mmrd_pg_request *r)
{
	MemoryContext memory = CurrentMemoryContext;
	mmrd_pg_access access;

	mmrd_pg_access_begin(&access);
	mmrd_pg_model_check(r->model, access.user);
	if (!mmrd_pg_teacher_find(r->options.teacher, memory, &r->teacher))
		ereport(ERROR,
		        (errcode(ERRCODE_UNDEFINED_OBJECT),
		         errmsg("teacher \"%s\" does not exist", r->options.teacher),
		         errhint("Teachers are: %s.",
		                 mmrd_pg_teacher_names(CurrentMemoryContext))));
	mmrd_pg_teacher_lock(&r->teacher);
	mmrd_pg_access_end(&access);
}

/* The columns label and mask belong to the validation scans. */
static void
check_labels(mmrd_pg_request *r)
{
	const mmrd_pg_options *options = &r->options;

	r->labelled = r->source;
	mmrd_pg_truth_init(&r->truth, &r->labelled, options->label, options->mask,
	                   options->config.input_size);
	if (r->labelled.n_extra > 0 && r->validation == NULL)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
		                errmsg("option \"%s\" needs validation scans",
		                       options->label != NULL ? "label" : "mask"),
		                errdetail("It says which of them are anomalous."),
		                errhint("Name some in the argument validation.")));
}

void
mmrd_pg_request_complete(mmrd_pg_request *r)
{
	mmrd_error err = {0};

	check_labels(r);
	find_teacher(r);
	r->options.config.arch = r->teacher.arch;
	r->options.config.n_aux = r->source.n_modalities - 1;
	MMRD_PG_CHECK(mmrd_config_check(&r->options.config, &err), &err);
}

void
mmrd_pg_request_read(FunctionCallInfo fcinfo, mmrd_pg_request *r)
{
	bool colour_only;

	memset(r, 0, sizeof(*r));
	r->user = GetUserId();
	r->search_path = pstrdup(GetConfigOption("search_path", false, false));
	mmrd_pg_options_init(&r->options);
	if (!PG_ARGISNULL(7))
		mmrd_pg_options_parse(PG_GETARG_JSONB_P(7), &r->options);
	colour_only = r->options.method == MMRD_PG_METHOD_RD;
	mmrd_pg_need_source(fcinfo, 0, "table or view");
	mmrd_pg_source_init(&r->source, PG_GETARG_OID(0),
	                    mmrd_pg_name_argument(fcinfo, 2),
	                    colour_only ? NULL : mmrd_pg_name_argument(fcinfo, 3),
	                    colour_only ? NULL : mmrd_pg_name_argument(fcinfo, 4));
	r->model = PG_ARGISNULL(1) ? r->source.name : text_or_null(fcinfo, 1);
	mmrd_pg_model_check_name(r->model);
	r->filter = text_or_null(fcinfo, 5);
	r->validation = text_or_null(fcinfo, 6);
	mmrd_pg_request_complete(r);
	mmrd_pg_request_find_warm(r);
}

/* ---- scans ---- */

typedef struct collector
{
	mmrd_pg_request *request;
	mmrd_pg_spool *spool;
	mmrd_pg_tables tables;
	float *record;
	StringInfo digests; /* NULL: not wanted */
	int64 n_unlabelled; /* left out */
} collector;

static void
take_digests(void *context, const mmrd_pg_scan *scan)
{
	collector *c = context;

	for (int m = 0; m <= c->request->options.config.n_aux; m++)
		appendBinaryStringInfo(c->digests, (const char *) scan->digest[m],
		                       MMRD_PG_DIGEST_BYTES);
}

static void
collect(void *context, const mmrd_pg_scan *scan)
{
	collector *c = context;
	mmrd_pg_options *options = &c->request->options;
	const size_t count = mmrd_pg_input_count(options);
	float *out[MMRD_MAX_MODALITIES];
	mmrd_pg_prepared prepared;
	mmrd_error err = {0};

	mmrd_pg_resolve_kinds(options, &c->request->source, scan);
	for (int m = 0; m <= options->config.n_aux; m++)
		out[m] = c->record + m * count;
	if (mmrd_pg_inputs_prepare(options, scan->modality, out, &prepared,
	                           &err) != MMRD_OK)
		mmrd_pg_scan_throw(&c->request->source, scan, prepared.failed, &err);
	mmrd_pg_tables_count(&c->tables, &prepared);
	if (c->digests != NULL)
		take_digests(c, scan);
	mmrd_pg_spool_add(c->spool, c->record);
}

/* A scan that the student is not to see: its inputs, and what it is. */
static void
collect_unseen(void *context, const mmrd_pg_scan *scan)
{
	collector *c = context;
	const mmrd_pg_options *options = &c->request->options;
	const Size S = (Size) options->config.input_size;
	char *end = (char *) c->record + mmrd_pg_input_record_bytes(options);
	mmrd_pg_verdict verdict;
	bool has_mask;

	verdict.class =
	    mmrd_pg_truth_read(&c->request->truth, scan, options, &has_mask);
	verdict.has_mask = has_mask;
	if (verdict.class == MMRD_PG_UNKNOWN && c->request->labelled.n_extra > 0)
	{
		c->n_unlabelled++;
		return;
	}
	memcpy(end, &verdict, sizeof(verdict));
	if (has_mask)
		memcpy(end + sizeof(verdict), c->request->truth.pixels, S * S);
	collect(c, scan);
}

static void
no_scans(const mmrd_pg_request *r, const char *what, const char *condition,
         int64 skipped)
{
	ereport(ERROR,
	        (errcode(ERRCODE_NO_DATA_FOUND),
	         errmsg("\"%s\" has no scans %s", r->source.name, what),
	         skipped > 0
	             ? errdetail("In each of the %lld rows found, an image "
	                         "is NULL.",
	                         (long long) skipped)
	         : condition != NULL ? errdetail("No row matches: %s", condition)
	                             : errdetail("No row was found."),
	         errhint("Rows that row security hides are not seen either.")));
}

static void
hash_digests(const StringInfoData *digests, uint8 *out)
{
	bytea *all = palloc(VARHDRSZ + digests->len);
	bytea *hash;

	SET_VARSIZE(all, VARHDRSZ + digests->len);
	memcpy(VARDATA(all), digests->data, digests->len);
	hash = DatumGetByteaPP(
	    DirectFunctionCall1(sha256_bytea, PointerGetDatum(all)));
	memcpy(out, VARDATA_ANY(hash), MMRD_PG_DIGEST_BYTES);
	pfree(all);
}

void
mmrd_pg_request_hash(const mmrd_pg_request *r, uint8 *sha256)
{
	StringInfoData digests;
	/* only read here */
	collector c = {.request = unconstify(mmrd_pg_request *, r),
	               .digests = &digests};
	int64 skipped;

	initStringInfo(&digests);
	mmrd_pg_scans_read(
	    &r->source,
	    mmrd_pg_source_query(&r->source, r->filter, r->validation, true), true,
	    take_digests, &c, &skipped);
	hash_digests(&digests, sha256);
	pfree(digests.data);
}

static void
read_training_scans(mmrd_pg_request *r, Size memory_bytes, mmrd_pg_material *m)
{
	StringInfoData digests;
	collector c;

	initStringInfo(&digests);
	m->query =
	    mmrd_pg_source_query(&r->source, r->filter, r->validation, true);
	mmrd_pg_resolve_limits(&r->options, &r->source, m->query);
	m->inputs = mmrd_pg_spool_create(
	    CurrentMemoryContext, mmrd_pg_input_record_bytes(&r->options),
	    mmrd_pg_training_input_memory(&r->options, memory_bytes), m->lasting);
	memset(&c, 0, sizeof(c));
	c.request = r;
	c.spool = m->inputs;
	c.record = palloc(mmrd_pg_input_record_bytes(&r->options));
	c.digests = &digests;
	m->n = mmrd_pg_scans_read(&r->source, m->query, true, collect, &c,
	                          &m->skipped);
	if (m->n == 0)
		no_scans(r, "to train on", r->filter, m->skipped);
	if (m->n > INT_MAX / 2)
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
		                errmsg("\"%s\" has too many scans", r->source.name),
		                errhint("Select fewer with the argument filter.")));
	mmrd_pg_scans_report_skipped(&r->source, m->skipped);
	mmrd_pg_tables_report(&c.tables, NOTICE);
	hash_digests(&digests, m->sha256);
	pfree(digests.data);
	pfree(c.record);
}

/* Kept in a file: each is read once, when training is over. */
static mmrd_pg_spool *
unseen_spool(const mmrd_pg_request *r, bool lasting)
{
	return mmrd_pg_spool_create(CurrentMemoryContext,
	                            mmrd_pg_calibration_record_bytes(&r->options),
	                            0, lasting);
}

static void
read_validation_scans(mmrd_pg_request *r, mmrd_pg_material *m)
{
	collector c;
	int64 skipped;
	int64 n;

	m->unseen = unseen_spool(r, m->lasting);
	m->unseen_from = "validation";
	memset(&c, 0, sizeof(c));
	c.request = r;
	c.spool = m->unseen;
	c.record = palloc0(mmrd_pg_calibration_record_bytes(&r->options));
	n = mmrd_pg_scans_read(
	    &r->labelled,
	    mmrd_pg_source_query(&r->labelled, r->validation, NULL, true), true,
	    collect_unseen, &c, &skipped);
	if (n == 0)
		no_scans(r, "for validation", r->validation, skipped);
	if (n == c.n_unlabelled)
		ereport(ERROR,
		        (errcode(ERRCODE_NO_DATA_FOUND),
		         errmsg("\"%s\" has no labelled scans for validation",
		                r->source.name),
		         errdetail("In each of the %lld rows found, \"%s\" is NULL.",
		                   (long long) n, r->options.label),
		         errhint("Name validation scans of both kinds, or leave the "
		                 "option label out.")));
	mmrd_pg_scans_report_skipped(&r->source, skipped);
	mmrd_pg_tables_report(&c.tables, NOTICE);
	if (c.n_unlabelled > 0)
		ereport(NOTICE,
		        (errmsg_plural("%lld validation scan has no label and is not "
		                       "used",
		                       "%lld validation scans have no label and are "
		                       "not used",
		                       (unsigned long) c.n_unlabelled,
		                       (long long) c.n_unlabelled)));
	pfree(c.record);
	m->n_train = (int) m->n;
	for (int i = 0; i < m->n_train; i++)
		m->train[i] = i;
}

/*
 * A tenth of the training scans, chosen by the seed, at least 1; no more than
 * the threshold needs.
 */
static void
hold_out(const mmrd_pg_request *r, mmrd_pg_material *m)
{
	const int n = (int) m->n;
	const int enough = Max(
	    MIN_HELD_OUT, mmrd_threshold_scans_needed(r->options.threshold_fpr));
	const int held_out = n < 2 ? 0 : Max(1, Min(n / 10, enough));
	int32 *order = palloc(n * sizeof(int32));
	bool *is_held_out = palloc0(n * sizeof(bool));
	void *record = palloc0(mmrd_pg_calibration_record_bytes(&r->options));
	const Size bytes = mmrd_pg_input_record_bytes(&r->options);
	mmrd_random random =
	    mmrd_random_create(r->options.train.seed, "held-out scans");

	m->unseen = unseen_spool(r, m->lasting);
	m->unseen_from = "held-out";
	mmrd_random_permutation(&random, n, order);
	for (int i = 0; i < held_out; i++)
		is_held_out[order[i]] = true;
	for (int i = 0; i < n; i++)
	{
		if (is_held_out[i])
		{
			const void *inputs = mmrd_pg_spool_get(m->inputs, i, record);

			/* Its class is unknown, which is 0. */
			if (inputs != record)
				memcpy(record, inputs, bytes);
			mmrd_pg_spool_add(m->unseen, record);
		}
		else
			m->train[m->n_train++] = i;
	}
	pfree(record);
	if (held_out > 0)
		ereport(NOTICE,
		        (errmsg("%d of %d scans are held out for the threshold",
		                held_out, n),
		         errhint("Name scans of your own with the argument "
		                 "validation.")));
}

void
mmrd_pg_material_read(mmrd_pg_request *r, Size memory_bytes, bool lasting,
                      mmrd_pg_material *m)
{
	memset(m, 0, sizeof(*m));
	m->lasting = lasting;
	read_training_scans(r, memory_bytes, m);
	m->train = MemoryContextAllocHuge(CurrentMemoryContext,
	                                  (Size) m->n * sizeof(int32));
	if (r->validation != NULL)
		read_validation_scans(r, m);
	else
		hold_out(r, m);
}

/* ---- training ---- */

void
mmrd_pg_request_load_teacher(const mmrd_pg_request *r, mmrd_weights *weights)
{
	mmrd_pg_access access;
	mmrd_pg_tensors *tensors;
	mmrd_error err = {0};

	if (r->teacher.builtin)
	{
		mmrd_pg_builtin_load(&r->teacher, weights);
		return;
	}
	mmrd_pg_access_begin(&access);
	tensors = mmrd_pg_tensors_open(0, &r->teacher, &r->options.config,
	                               CurrentMemoryContext);
	mmrd_pg_tensors_check(tensors,
	                      mmrd_weights_load_teacher(
	                          weights, mmrd_pg_tensors_lookup, tensors, &err),
	                      &err);
	mmrd_pg_access_end(&access);
}

static int
begin_student(void *context, mmrd_trainer *trainer)
{
	mmrd_pg_request_load_warm(context, mmrd_trainer_weights(trainer));
	return 0;
}

static void
report_epoch(void *context, int epoch, int epochs, const mmrd_losses *mean,
             double seconds_left)
{
	const long left = (long) (seconds_left + 0.5);

	(void) context;
	if (!mmrd_pg_setting_progress)
		return;
	ereport(NOTICE, (errmsg("epoch %d of %d: loss %.4f, %ld:%02ld:%02ld left",
	                        epoch, epochs, mean->loss, left / 3600,
	                        left / 60 % 60, left % 60)));
}

static mmrd_trainer *
run_training(mmrd_pg_request *r, mmrd_pg_material *m, Size memory_bytes,
             double *loss)
{
	mmrd_trainer *trainer =
	    mmrd_pg_training_create(&r->options, m->n_train, CurrentMemoryContext);
	mmrd_pg_training training = {
	    .options = &r->options,
	    .inputs = m->inputs,
	    .n_scans = m->n_train,
	    .scans = m->train,
	    .memory_bytes = memory_bytes,
	    .student_begun = begin_student,
	    .epoch_done = report_epoch,
	    .context = r,
	};

	mmrd_pg_request_load_teacher(r, mmrd_trainer_weights(trainer));
	mmrd_pg_training_run(trainer, &training, loss);
	m->inputs = NULL;
	return trainer;
}

/* ---- the result ---- */

static Datum
result_row(FunctionCallInfo fcinfo, const mmrd_pg_trained *t,
           const mmrd_pg_calibration *calibration, int32 version,
           bool deployed, double seconds)
{
	TupleDesc desc;
	Datum values[8];
	bool nulls[8] = {false};

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	desc = BlessTupleDesc(desc);
	values[0] = CStringGetTextDatum(t->model);
	values[1] = Int32GetDatum(version);
	values[2] = Int32GetDatum(t->scans);
	values[3] = Int32GetDatum(t->options->epochs);
	values[4] = Float4GetDatum((float) t->loss);
	values[5] = Float4GetDatum(calibration->threshold);
	nulls[5] = calibration->n == 0;
	values[6] = Float4GetDatum((float) seconds);
	values[7] = BoolGetDatum(deployed);
	return HeapTupleGetDatum(heap_form_tuple(desc, values, nulls));
}

mmrd_pg_trained
mmrd_pg_request_describe(const mmrd_pg_request *r, const mmrd_pg_material *m)
{
	const mmrd_pg_trained trained = {
	    .model = r->model,
	    .teacher = &r->teacher,
	    .options = &r->options,
	    .source = &r->source,
	    .validation = r->validation,
	    .query = m->query,
	    .scans = (int32) m->n,
	    .scans_sha256 = m->sha256,
	    .unseen = m->unseen,
	    .unseen_from = m->unseen_from,
	    .by = r->user,
	};

	return trained;
}

Datum
mmrd_train(PG_FUNCTION_ARGS)
{
	const Size memory_bytes = (Size) mmrd_pg_setting_train_memory << 10;
	const int threads = mmrd_pg_setting_train_threads != 0
	                        ? mmrd_pg_setting_train_threads
	                        : mmrd_pg_setting_threads;
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext memory;
	instr_time start;
	instr_time now;
	mmrd_pg_request r;
	mmrd_pg_material m;
	mmrd_pg_trained trained;
	mmrd_pg_conclusion conclusion;
	int32 version;
	bool deployed;
	double seconds;
	Datum row;

	PreventCommandDuringRecovery("mmrd_train()");
	PreventCommandIfReadOnly("mmrd_train()");
	INSTR_TIME_SET_CURRENT(start);
	memory =
	    AllocSetContextCreate(caller, "mmrd train", ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(memory);
	mmrd_pg_request_read(fcinfo, &r);
	mmrd_pg_threads_begin(threads, fcinfo->flinfo->fn_mcxt);
	mmrd_pg_material_read(&r, memory_bytes, false, &m);
	trained = mmrd_pg_request_describe(&r, &m);
	trained.weights = mmrd_trainer_weights(
	    run_training(&r, &m, memory_bytes, &trained.loss));
	mmrd_pg_conclude_judge(&trained, &conclusion);
	mmrd_pg_spool_free(m.unseen);
	INSTR_TIME_SET_CURRENT(now);
	INSTR_TIME_SUBTRACT(now, start);
	seconds = INSTR_TIME_GET_DOUBLE(now);
	mmrd_pg_conclude_store(&trained, &conclusion, seconds, &version,
	                       &deployed);

	MemoryContextSwitchTo(caller);
	row = result_row(fcinfo, &trained, &conclusion.calibration, version,
	                 deployed, seconds);
	MemoryContextDelete(memory);
	PG_RETURN_DATUM(row);
}
