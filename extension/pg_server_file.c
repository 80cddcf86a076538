/*
 * extension/pg_server_file.c
 *	  Files of the server: for roles that may, and for nobody else.
 */
#include "postgres.h"

#include "extension/pg_server_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "extension/pg_glue.h"
#include "miscadmin.h"
#include "storage/fd.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

enum
{
	READ_AT_ONCE = 1 << 20,  /* bytes of a file between two checks */
	MAX_FILE_BYTES = 1 << 30 /* what a bytea could hold */
};

static void
check_role(Oid role, const char *name, const char *what, const char *hint)
{
	if (has_privs_of_role(GetUserId(), role))
		return;
	ereport(ERROR,
	        (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
	         errmsg("permission denied to %s files of the server", what),
	         errdetail("Only roles with privileges of role \"%s\" may.", name),
	         errhint("%s", hint)));
}

void
mmrd_pg_server_file_may_read(const char *hint)
{
	check_role(ROLE_PG_READ_SERVER_FILES, "pg_read_server_files", "read",
	           hint);
}

void
mmrd_pg_server_file_may_write(const char *hint)
{
	check_role(ROLE_PG_WRITE_SERVER_FILES, "pg_write_server_files", "write",
	           hint);
}

char *
mmrd_pg_server_file_path(FunctionCallInfo fcinfo, int n)
{
	char *path;

	if (PG_ARGISNULL(n))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
		                errmsg("the path of the file must not be null"),
		                errhint("Pass an absolute path of the server.")));
	path = text_to_cstring(PG_GETARG_TEXT_PP(n));
	canonicalize_path(path);
	return path;
}

/* ---- reading ---- */

uint8 *
mmrd_pg_server_file_read(const char *path, Size *n_bytes)
{
	struct stat st;
	FILE *file;
	uint8 *bytes;
	Size at = 0;

	if (stat(path, &st) != 0)
		ereport(ERROR, (errcode_for_file_access(),
		                errmsg("could not open file \"%s\": %m", path),
		                errhint("The path is one of the server, and its user "
		                        "must be able to read the file.")));
	if (!S_ISREG(st.st_mode))
		ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE),
		                errmsg("\"%s\" is not a regular file", path),
		                errhint("Name a file, no folder or device.")));
	if (st.st_size > MAX_FILE_BYTES)
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
		                errmsg("file \"%s\" is too large", path),
		                errdetail("It has %lld bytes, %d are allowed.",
		                          (long long) st.st_size, MAX_FILE_BYTES),
		                errhint("Check that it is the file you mean.")));
	file = AllocateFile(path, PG_BINARY_R);
	if (file == NULL)
		ereport(ERROR, (errcode_for_file_access(),
		                errmsg("could not open file \"%s\": %m", path),
		                errhint("The path is one of the server, and its user "
		                        "must be able to read the file.")));
	bytes = MemoryContextAllocHuge(CurrentMemoryContext,
	                               Max((Size) st.st_size, 1));
	while (at < (Size) st.st_size)
	{
		const Size n = Min((Size) st.st_size - at, (Size) READ_AT_ONCE);
		const Size got = fread(bytes + at, 1, n, file);

		CHECK_FOR_INTERRUPTS();
		if (ferror(file))
			ereport(ERROR, (errcode_for_file_access(),
			                errmsg("could not read file \"%s\": %m", path),
			                errhint("Check the disk that the file is on.")));
		if (got == 0)
			break; /* it has become shorter: the reader will say so */
		at += got;
	}
	FreeFile(file);
	*n_bytes = at;
	return bytes;
}

/* ---- writing ---- */

struct mmrd_pg_server_file
{
	mmrd_pg_owned *unfinished; /* removes the file under its first name */
	char *path;
	char *first_name;
	int fd;
};

static void
remove_file(void *name)
{
	(void) unlink(name);
}

void
mmrd_pg_server_file_absolute(const char *path)
{
	if (!is_absolute_path(path))
		ereport(
		    ERROR,
		    (errcode(ERRCODE_INVALID_NAME),
		     errmsg("\"%s\" is not an absolute path", path),
		     errhint(
		         "Start the path with a slash: it is a path of the server.")));
}

mmrd_pg_server_file *
mmrd_pg_server_file_create(const char *path)
{
	mmrd_pg_server_file *file = palloc0(sizeof(*file));
	struct stat st;

	mmrd_pg_server_file_absolute(path);
	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
		ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE),
		                errmsg("\"%s\" is not a regular file", path),
		                errhint("Name a file, no folder or device.")));
	file->path = pstrdup(path);
	file->first_name = psprintf("%s.%d.tmp", path, MyProcPid);
	file->unfinished = mmrd_pg_own(CurrentMemoryContext, remove_file);
	file->fd = OpenTransientFilePerm(file->first_name,
	                                 O_WRONLY | O_CREAT | O_EXCL | PG_BINARY,
	                                 S_IRUSR | S_IWUSR | S_IRGRP | S_IROTH);
	if (file->fd < 0)
		ereport(ERROR, (errcode_for_file_access(),
		                errmsg("could not create file \"%s\": %m", path),
		                errhint("The folder must exist, and the user of the "
		                        "server must be able to write to it.")));
	file->unfinished->object = file->first_name;
	return file;
}

void
mmrd_pg_server_file_write(mmrd_pg_server_file *file, const void *bytes,
                          Size n_bytes)
{
	const char *at = bytes;

	while (n_bytes > 0)
	{
		const ssize_t n =
		    write(file->fd, at, Min(n_bytes, (Size) READ_AT_ONCE));

		if (n < 0 && errno == EINTR)
		{
			CHECK_FOR_INTERRUPTS();
			continue;
		}
		if (n <= 0)
		{
			if (n == 0)
				errno = ENOSPC; /* as elsewhere in the server */
			ereport(ERROR,
			        (errcode_for_file_access(),
			         errmsg("could not write file \"%s\": %m", file->path),
			         errhint("Check that there is free space on this disk.")));
		}
		at += n;
		n_bytes -= (Size) n;
		CHECK_FOR_INTERRUPTS();
	}
}

void
mmrd_pg_server_file_finish(mmrd_pg_server_file *file)
{
	if (CloseTransientFile(file->fd) != 0)
		ereport(ERROR,
		        (errcode_for_file_access(),
		         errmsg("could not close file \"%s\": %m", file->first_name),
		         errhint("Check that there is free space on this disk.")));
	/* to disk, and only then in place of what was there */
	durable_rename(file->first_name, file->path, ERROR);
	file->unfinished->object = NULL;
}
