/*
 * extension/pg_warm_start.c
 *	  Starting a training from the student of the deployed version.
 *
 * What the student has learned, and the prototypes, come from the version;
 * the teacher's statistics are adapted to the new scans as ever, and the
 * optimiser starts anew.
 */
#include "postgres.h"

#include "extension/pg_access.h"
#include "extension/pg_options.h"
#include "extension/pg_store.h"
#include "extension/pg_train.h"

/*
 * What the student learned from a kind of scan is no start for another kind.
 * So "auto" is here what that version's training found.
 */
static void
take_kinds(const mmrd_pg_version *version, mmrd_pg_request *r)
{
	for (int i = 0; i < r->options.config.n_aux; i++)
	{
		const int was = version->options.aux_kind[i];
		int *is = &r->options.aux_kind[i];

		if (*is != MMRD_PG_KIND_AUTO && *is != was)
			ereport(ERROR,
			        (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			         errmsg("model \"%s\" cannot be started from its version "
			                "%d",
			                r->model, version->version),
			         errdetail("That one learned from \"%s\" of kind %s, this "
			                   "one is to learn from kind %s.",
			                   r->source.column[1 + i],
			                   mmrd_input_kind_name(was - MMRD_PG_KIND_FIRST),
			                   mmrd_input_kind_name(*is - MMRD_PG_KIND_FIRST)),
			         errhint("Leave the kind out, or train without the option "
			                 "warm_start.")));
		*is = was;
		r->options.aux_strict[i] = version->options.aux_strict[i];
	}
}

void
mmrd_pg_request_find_warm(mmrd_pg_request *r)
{
	MemoryContext memory = CurrentMemoryContext;
	mmrd_pg_access access;
	mmrd_pg_version version;

	r->warm_version = 0;
	if (!r->options.warm_start)
		return;
	mmrd_pg_access_begin(&access);
	if (!mmrd_pg_version_deployed(r->model, r->user, memory, &version))
		ereport(ERROR,
		        (errcode(ERRCODE_UNDEFINED_OBJECT),
		         errmsg("model \"%s\" has no deployed version to start from",
		                r->model),
		         errhint("Train it without the option warm_start first.")));
	mmrd_pg_access_end(&access);
	if (version.teacher.id != r->teacher.id)
		ereport(ERROR,
		        (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
		         errmsg("model \"%s\" cannot be started from its version %d",
		                r->model, version.version),
		         errdetail("That one learned from teacher \"%s\", this one "
		                   "is to learn from \"%s\".",
		                   version.teacher.name, r->teacher.name),
		         errhint("Name the same teacher, or train without the option "
		                 "warm_start.")));
	version.options.config.input_size = r->options.config.input_size;
	if (memcmp(&version.options.config, &r->options.config,
	           sizeof(mmrd_config)) != 0)
		ereport(ERROR,
		        (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
		         errmsg("model \"%s\" cannot be started from its version %d",
		                r->model, version.version),
		         errdetail("Its network is another."),
		         errhint("The auxiliary columns and the options prototypes, "
		                 "fusion, interaction and prior_at must be as they "
		                 "were.")));
	take_kinds(&version, r);
	r->warm_version = version.id;
}

void
mmrd_pg_request_load_warm(const mmrd_pg_request *r, mmrd_weights *weights)
{
	mmrd_pg_access access;
	mmrd_pg_tensors *tensors;
	mmrd_error err = {0};

	if (r->warm_version == 0)
		return;
	mmrd_pg_access_begin(&access);
	tensors = mmrd_pg_tensors_open(r->warm_version, &r->teacher,
	                               &r->options.config, CurrentMemoryContext);
	mmrd_pg_tensors_check(
	    tensors,
	    mmrd_weights_load(weights,
	                      1u << MMRD_ROLE_PARAMETER | 1u << MMRD_ROLE_STAT,
	                      mmrd_pg_tensors_lookup, tensors, &err),
	    &err);
	mmrd_pg_access_end(&access);
}
