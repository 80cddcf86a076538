/*
 * client/connection.h
 *	  The connection of mmrd-load, and statements over it.
 */
#ifndef MMRD_CONNECTION_H
#define MMRD_CONNECTION_H

#include <stdbool.h>

#include <libpq-fe.h>

#include "client/load_options.h"

/* Connect; NULL, and the reason said, when that fails. */
PGconn *mmrd_connect(const mmrd_load_options *options);

/*
 * Run a statement with text parameters (NULL is NULL).  The result has rows,
 * or says COPY; PQclear() it.  NULL, and the server's message said after
 * "could not DOING", on failure.
 */
PGresult *mmrd_query(PGconn *conn, const char *doing, const char *sql, int n,
                     const char *const *values);

/* One or more statements, in one transaction, of which nothing comes back. */
bool mmrd_commands(PGconn *conn, const char *doing, const char *sql);

/* Say what the server said about a failure. */
void mmrd_say_result(const char *doing, const char *message);

/*
 * Send weights files to mmrd_import_teacher().  One whose name exists is left
 * as it is.  False, and the reason said, when one cannot be imported.
 */
bool mmrd_teachers_send(PGconn *conn, const mmrd_load_options *options);

#endif /* MMRD_CONNECTION_H */
