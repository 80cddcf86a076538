/*
 * extension/pg_spool.c
 *	  Records of one size, by number: in memory, and what does not fit in a
 *	  temporary file.
 *
 * The first records stay in memory, the rest goes to the file in order, so a
 * record's place follows from its number.
 */
#include "postgres.h"

#include "extension/pg_spool.h"

#include <limits.h>

#include "commands/tablespace.h"
#include "storage/fd.h"
#include "utils/memutils.h"

struct mmrd_pg_spool
{
	MemoryContext memory; /* holds the spool itself, too */
	Size record_bytes;
	int n;
	int n_memory;   /* records 0 .. n_memory - 1 are in memory */
	int max_memory; /* as many as may be */
	int n_pointers; /* room in records */
	char **records; /* of those in memory */
	File file;      /* -1: none */
	bool lasting;   /* across transactions */
	MemoryContextCallback at_end;
};

static void
close_file(void *arg)
{
	mmrd_pg_spool *spool = arg;

	if (spool->file >= 0)
		FileClose(spool->file);
	spool->file = -1;
}

mmrd_pg_spool *
mmrd_pg_spool_create(MemoryContext owner, Size record_bytes, Size memory_bytes,
                     bool lasting)
{
	MemoryContext memory =
	    AllocSetContextCreate(owner, "mmrd spool", ALLOCSET_DEFAULT_SIZES);
	mmrd_pg_spool *spool =
	    MemoryContextAllocZero(memory, sizeof(mmrd_pg_spool));

	spool->memory = memory;
	spool->record_bytes = record_bytes;
	spool->max_memory = (int) Min(memory_bytes / record_bytes, INT_MAX);
	spool->file = -1;
	spool->lasting = lasting;
	if (lasting)
	{
		/* Other files are closed by the resource owner, perhaps before. */
		spool->at_end.func = close_file;
		spool->at_end.arg = spool;
		MemoryContextRegisterResetCallback(memory, &spool->at_end);
	}
	return spool;
}

static void
add_to_memory(mmrd_pg_spool *spool, const void *record)
{
	char *copy;

	if (spool->n_memory == spool->n_pointers)
	{
		const int more = Max(64, 2 * spool->n_pointers);
		const Size bytes = more * sizeof(char *);

		spool->records = spool->records == NULL
		                     ? MemoryContextAllocHuge(spool->memory, bytes)
		                     : repalloc_huge(spool->records, bytes);
		spool->n_pointers = more;
	}
	copy = MemoryContextAllocHuge(spool->memory, spool->record_bytes);
	memcpy(copy, record, spool->record_bytes);
	spool->records[spool->n_memory++] = copy;
}

static off_t
place_in_file(const mmrd_pg_spool *spool, int number)
{
	return (off_t) (number - spool->n_memory) * (off_t) spool->record_bytes;
}

static void
add_to_file(mmrd_pg_spool *spool, const void *record)
{
	Size done = 0;

	if (spool->file < 0)
	{
		if (!spool->lasting)
			PrepareTempTablespaces(); /* or they would not be used */
		spool->file = OpenTemporaryFile(spool->lasting);
	}
	while (done < spool->record_bytes)
	{
		const int n = (int) Min(spool->record_bytes - done, 1 << 24);
		int written;

		errno = 0;
		written = FileWrite(spool->file, (char *) record + done, n,
		                    place_in_file(spool, spool->n) + (off_t) done,
		                    WAIT_EVENT_BUFFILE_WRITE);
		if (written != n)
		{
			if (errno == 0)
				errno = ENOSPC;
			ereport(ERROR, (errcode_for_file_access(),
			                errmsg("could not write to temporary file: %m"),
			                errhint("mmrd.train_memory decides how much of a "
			                        "training is kept in memory.")));
		}
		done += n;
	}
}

void
mmrd_pg_spool_add(mmrd_pg_spool *spool, const void *record)
{
	if (spool->file < 0 && spool->n_memory < spool->max_memory)
		add_to_memory(spool, record);
	else
		add_to_file(spool, record);
	spool->n++;
}

int
mmrd_pg_spool_count(const mmrd_pg_spool *spool)
{
	return spool->n;
}

Size
mmrd_pg_spool_memory(const mmrd_pg_spool *spool)
{
	return spool->n_memory * spool->record_bytes;
}

Size
mmrd_pg_spool_file(const mmrd_pg_spool *spool)
{
	return (spool->n - spool->n_memory) * spool->record_bytes;
}

const void *
mmrd_pg_spool_get(mmrd_pg_spool *spool, int number, void *buffer)
{
	Size done = 0;

	Assert(number >= 0 && number < spool->n);
	if (number < spool->n_memory)
		return spool->records[number];
	while (done < spool->record_bytes)
	{
		const int n = (int) Min(spool->record_bytes - done, 1 << 24);
		const int got = FileRead(spool->file, (char *) buffer + done, n,
		                         place_in_file(spool, number) + (off_t) done,
		                         WAIT_EVENT_BUFFILE_READ);

		if (got != n)
			ereport(ERROR,
			        (errcode_for_file_access(),
			         got < 0 ? errmsg("could not read temporary file: %m")
			                 : errmsg("temporary file is too short"),
			         errhint("Check the disk that temp_tablespaces is on.")));
		done += n;
	}
	return buffer;
}

void
mmrd_pg_spool_free(mmrd_pg_spool *spool)
{
	close_file(spool);
	MemoryContextDelete(spool->memory);
}
