/*
 * extension/pg_job_request.c
 *	  What a job was asked to do: from its row back to a request.
 */
#include "postgres.h"

#include "extension/pg_job_request.h"

#include "utils/acl.h"
#include "utils/fmgrprotos.h"

void
mmrd_pg_job_request(const mmrd_pg_job *job, mmrd_pg_request *r)
{
	const int n = job->n_columns;
	const Oid relation = DatumGetObjectId(
	    DirectFunctionCall1(regclassin, CStringGetDatum(job->source)));

	memset(r, 0, sizeof(*r));
	r->user = get_role_oid(job->owner, false);
	mmrd_pg_source_init(&r->source, relation, job->column[0],
	                    n > 1 ? job->column[1] : NULL,
	                    n > 2 ? job->column[2] : NULL);
	r->model = job->model;
	r->filter = job->filter;
	r->validation = job->validation;
	r->search_path = job->search_path;
	r->warm_version = job->warm_version;
	mmrd_pg_options_init(&r->options);
	mmrd_pg_options_parse(job->options, &r->options);
	mmrd_pg_request_complete(r);
}

void
mmrd_pg_job_settings(const mmrd_pg_job *job, GucAction action)
{
	const char *const settings[][2] = {{"search_path", job->search_path},
	                                   {"TimeZone", job->time_zone},
	                                   {"DateStyle", job->date_style}};

	for (size_t i = 0; i < lengthof(settings); i++)
		(void) set_config_option(settings[i][0], settings[i][1], PGC_USERSET,
		                         PGC_S_SESSION, action, true, 0, false);
}

void
mmrd_pg_job_check_scans(const mmrd_pg_job *job, const uint8 *sha256)
{
	if (!job->has_sha256 ||
	    memcmp(job->sha256, sha256, MMRD_PG_DIGEST_BYTES) == 0)
		return;
	ereport(ERROR,
	        (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
	         errmsg("training job %lld cannot be resumed: its scans have "
	                "changed",
	                (long long) job->id),
	         errdetail("The training scans in %s are not those that it has "
	                   "learned from so far.",
	                   job->source),
	         errhint("Start a new job, with the option warm_start to go on "
	                 "from the deployed version.")));
}
