/*
 * extension/pg_glue.c
 *	  The only place where an mmrd_status meets an SQLSTATE.
 */
#include "postgres.h"

#include "extension/pg_glue.h"

#include <stdlib.h>

#include "miscadmin.h"
#include "utils/memutils.h"

static int
sqlstate_of(mmrd_status status)
{
	switch (status)
	{
		case MMRD_INVALID_ARGUMENT:
			return ERRCODE_INVALID_PARAMETER_VALUE;
		case MMRD_CORRUPT_DATA:
			return ERRCODE_DATA_EXCEPTION;
		case MMRD_UNSUPPORTED:
			return ERRCODE_FEATURE_NOT_SUPPORTED;
		case MMRD_LIMIT_EXCEEDED:
			return ERRCODE_PROGRAM_LIMIT_EXCEEDED;
		case MMRD_NO_MEMORY:
			return ERRCODE_OUT_OF_MEMORY;
		case MMRD_IO_ERROR:
			return ERRCODE_IO_ERROR;
		case MMRD_CANCELLED:
			return ERRCODE_QUERY_CANCELED;
		case MMRD_OK:
		case MMRD_INTERNAL:
			break;
	}
	return ERRCODE_INTERNAL_ERROR;
}

/* What can be done about it where nothing better was said. */
static const char *
usual_hint(mmrd_status status)
{
	switch (status)
	{
		case MMRD_CORRUPT_DATA:
			return "The bytes are damaged or incomplete: compare them with "
			       "the file that they come from.";
		case MMRD_UNSUPPORTED:
			return "The manual lists what is read; convert the file to one "
			       "of those formats.";
		case MMRD_LIMIT_EXCEEDED:
			return "If it is meant to be this large, raise the limit that "
			       "the manual names for it.";
		case MMRD_NO_MEMORY:
			return "Lower mmrd.threads or mmrd.train_memory, or give the "
			       "server more memory.";
		case MMRD_IO_ERROR:
			return "Look for free space and rights on that disk.";
		case MMRD_INTERNAL:
			return "This is a defect of mmrd: please report it with the "
			       "statement and the lines around it in the server log.";
		case MMRD_INVALID_ARGUMENT:
		case MMRD_CANCELLED:
		case MMRD_OK:
			break;
	}
	return NULL;
}

void
mmrd_pg_throw(const mmrd_error *err)
{
	const char *hint = err->hint[0] ? err->hint : usual_hint(err->status);

	if (err->status == MMRD_CANCELLED)
		CHECK_FOR_INTERRUPTS(); /* says why it was cancelled */

	errno = err->sys_errno; /* read by errcode_for_file_access() */
	ereport(ERROR,
	        (err->status == MMRD_IO_ERROR ? errcode_for_file_access()
	                                      : errcode(sqlstate_of(err->status)),
	         errmsg_internal("%s", err->message),
	         err->detail[0] ? errdetail_internal("%s", err->detail) : 0,
	         hint != NULL ? errhint("%s", hint) : 0));
	pg_unreachable();
}

static void
say_where(void *where)
{
	errcontext("%s", (const char *) where);
}

void
mmrd_pg_throw_where(const mmrd_error *err, char *where)
{
	ErrorContextCallback callback = {
	    .callback = say_where, .arg = where, .previous = error_context_stack};

	if (where != NULL)
		error_context_stack = &callback;
	mmrd_pg_throw(err);
}

void
mmrd_pg_release(mmrd_pg_owned *owned)
{
	void *object = owned->object;

	owned->object = NULL;
	if (object != NULL)
		owned->release(object);
}

static void
release_owned(void *arg)
{
	mmrd_pg_release(arg);
}

mmrd_pg_owned *
mmrd_pg_own(MemoryContext owner, void (*release)(void *object))
{
	mmrd_pg_owned *owned =
	    MemoryContextAllocZero(owner, sizeof(mmrd_pg_owned));

	owned->release = release;
	owned->callback.func = release_owned;
	owned->callback.arg = owned;
	MemoryContextRegisterResetCallback(owner, &owned->callback);
	return owned;
}

void *
mmrd_pg_allocate(MemoryContext owner, Size n_bytes, mmrd_pg_owned **owned)
{
	mmrd_pg_owned *handle = mmrd_pg_own(owner, free);

	if (posix_memalign(&handle->object, 64, Max(n_bytes, 64)) != 0)
	{
		handle->object = NULL;
		ereport(ERROR,
		        (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory"),
		         errdetail("Failed on request of size %zu.", n_bytes),
		         errhint("Set mmrd.threads or mmrd.train_memory lower, or "
		                 "give the server more memory.")));
	}
	if (owned != NULL)
		*owned = handle;
	return handle->object;
}

static bool
stop_asked(void *unused)
{
	(void) unused;
	return QueryCancelPending || ProcDiePending;
}

const mmrd_stop mmrd_pg_stop = {stop_asked, NULL};
