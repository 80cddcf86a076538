/*
 * extension/pg_server_file.h
 *	  Files of the server: for roles that may, and for nobody else.
 */
#ifndef MMRD_PG_SERVER_FILE_H
#define MMRD_PG_SERVER_FILE_H

#include "extension/pg_compat.h"

/*
 * Throw unless the current role has the privileges of pg_read_server_files or
 * pg_write_server_files.  hint: what there is for others.
 */
extern void mmrd_pg_server_file_may_read(const char *hint);
extern void mmrd_pg_server_file_may_write(const char *hint);

/* Argument n as a path in its simplest form; throws when it is NULL. */
extern char *mmrd_pg_server_file_path(FunctionCallInfo fcinfo, int n);

/* Throw unless the path starts at the root. */
extern void mmrd_pg_server_file_absolute(const char *path);

/*
 * The whole file, palloc'd, up to 1 GB.  Only a regular file: reading from
 * another one may block.
 */
extern uint8 *mmrd_pg_server_file_read(const char *path, Size *n_bytes);

/*
 * Write a file piece by piece.  It grows under another name beside path, and
 * takes the place of what was there when all of it is on disk; after an error
 * nothing of it is left and what was there still is.
 */
typedef struct mmrd_pg_server_file mmrd_pg_server_file;

extern mmrd_pg_server_file *mmrd_pg_server_file_create(const char *path);
extern void mmrd_pg_server_file_write(mmrd_pg_server_file *file,
                                      const void *bytes, Size n_bytes);
extern void mmrd_pg_server_file_finish(mmrd_pg_server_file *file);

#endif /* MMRD_PG_SERVER_FILE_H */
