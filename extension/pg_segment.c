/*
 * extension/pg_segment.c
 *	  Segments of dynamic shared memory that hold one packed model each.
 *
 * A finished segment is mapped read-only: a stray write of one session is
 * that session's crash and not every session's wrong score.  The protection
 * is taken off before the mapping is given back, because small requests may
 * be served from the server's main segment (min_dynamic_shared_memory), whose
 * pages this process goes on to use.
 */
#include "postgres.h"

#include "extension/pg_segment.h"

#include <sys/mman.h>
#include <unistd.h>

#include "extension/pg_registry.h"
#include "model/base/arena.h"

enum
{
	MODEL_ALIGNMENT = 64 /* as model/net/packed.h wants it */
};

typedef struct request
{
	Size n_bytes;
	dsm_handle handle;
	dsm_segment *segment;
} request;

static void
create(void *arg)
{
	request *r = arg;

	r->segment = dsm_create(r->n_bytes, DSM_CREATE_NULL_IF_MAXSEGMENTS);
	if (r->segment != NULL)
		dsm_pin_mapping(r->segment);
}

static void
attach(void *arg)
{
	request *r = arg;

	r->segment = dsm_attach(r->handle);
	if (r->segment != NULL)
		dsm_pin_mapping(r->segment);
}

/* Whole pages only: others lie in the server's main segment. */
static void
protect(dsm_segment *segment, int protection)
{
	const uintptr_t page = (uintptr_t) sysconf(_SC_PAGESIZE);
	void *address = dsm_segment_address(segment);

	if ((uintptr_t) address % page == 0)
		(void) mprotect(address, dsm_segment_map_length(segment), protection);
}

static dsm_segment *
finish(request *r, ErrorData *error, const char *otherwise, char **why)
{
	if (error != NULL)
	{
		*why = error->message;
		return NULL;
	}
	if (r->segment == NULL)
		*why = pstrdup(otherwise);
	else if ((uintptr_t) dsm_segment_address(r->segment) % MODEL_ALIGNMENT !=
	         0)
	{
		dsm_detach(r->segment);
		r->segment = NULL;
		*why = pstrdup("its place in shared memory is not aligned");
	}
	return r->segment;
}

dsm_segment *
mmrd_pg_segment_create(Size n_bytes, char **why)
{
	request r = {.n_bytes = n_bytes};
	ErrorData *error = mmrd_pg_attempt(create, &r);

	return finish(&r, error, "the server has too many segments", why);
}

void
mmrd_pg_segment_publish(dsm_segment *segment)
{
	protect(segment, PROT_READ);
	dsm_pin_segment(segment);
}

dsm_segment *
mmrd_pg_segment_attach(dsm_handle handle, char **why)
{
	request r = {.handle = handle};
	ErrorData *error = mmrd_pg_attempt(attach, &r);
	dsm_segment *segment =
	    finish(&r, error, "the segment is not there any more", why);

	if (segment != NULL)
	{
		protect(segment, PROT_READ);
		mmrd_pages_map(dsm_segment_address(segment),
		               dsm_segment_map_length(segment));
	}
	return segment;
}

void
mmrd_pg_segment_detach(dsm_segment *segment)
{
	protect(segment, PROT_READ | PROT_WRITE);
	dsm_detach(segment);
}

void
mmrd_pg_segment_forget(dsm_handle handle)
{
	dsm_unpin_segment(handle);
}
