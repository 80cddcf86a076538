/*
 * client/teacher_send.c
 *	  Weights files from this machine to mmrd_import_teacher().
 *
 * The file is opened by our own reader first: a wrong file is noticed before
 * a hundred megabytes have travelled.  It is one parameter in binary form, so
 * what the server stores of it is what is in the file, and no file of the
 * server, nor a right to read any, is needed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/connection.h"
#include "client/say.h"
#include "loader/bytes/file_bytes.h"
#include "loader/weights/weights_file.h"

enum
{
	BYTEA_OID = 17, /* fixed in every PostgreSQL */
	TEXT_OID = 25,
	MAX_FILE_BYTES = (1 << 30) - 1024 /* of a message, and so of a bytea */
};

static void
say_error(const char *path, const mmrd_error *err)
{
	char *clean = mmrd_say_clean(path);

	mmrd_say("%s: %s%s%s", clean != NULL ? clean : "", err->message,
	         err->detail[0] ? ": " : "", err->detail);
	free(clean);
}

static bool
is_there(PGconn *conn, const char *name, bool *there)
{
	PGresult *result = mmrd_query(
	    conn, "look for teachers",
	    "SELECT FROM mmrd.teachers WHERE name OPERATOR(pg_catalog.=) $1", 1,
	    &name);

	*there = result != NULL && PQntuples(result) > 0;
	PQclear(result);
	return result != NULL;
}

/* The schema of the extension's functions, quoted; free with PQfreemem(). */
static char *
find_schema(PGconn *conn)
{
	PGresult *result =
	    mmrd_query(conn, "look for the extension",
	               "SELECT n.nspname FROM pg_catalog.pg_extension e "
	               "JOIN pg_catalog.pg_namespace n "
	               "ON n.oid OPERATOR(pg_catalog.=) e.extnamespace "
	               "WHERE e.extname OPERATOR(pg_catalog.=) 'mmrd'",
	               0, NULL);
	char *schema = NULL;

	if (result != NULL && PQntuples(result) == 0)
		mmrd_say("extension \"mmrd\" is not in database \"%s\": run CREATE "
		         "EXTENSION mmrd there",
		         PQdb(conn));
	else if (result != NULL)
		schema = PQescapeIdentifier(conn, PQgetvalue(result, 0, 0),
		                            strlen(PQgetvalue(result, 0, 0)));
	PQclear(result);
	return schema;
}

static bool
import(PGconn *conn, const char *schema, const char *name,
       const uint8_t *bytes, size_t n_bytes)
{
	const Oid types[2] = {TEXT_OID, BYTEA_OID};
	const char *const values[2] = {name, (const char *) bytes};
	const int lengths[2] = {0, (int) n_bytes};
	const int formats[2] = {0, 1};
	char sql[256];
	PGresult *result;
	bool ok;

	snprintf(sql, sizeof(sql), "SELECT %s.mmrd_import_teacher($1, $2)",
	         schema);
	result = PQexecParams(conn, sql, 2, types, values, lengths, formats, 0);
	ok = PQresultStatus(result) == PGRES_TUPLES_OK;
	if (!ok)
		mmrd_say_result("import the teacher", PQerrorMessage(conn));
	PQclear(result);
	return ok;
}

static bool
send_one(PGconn *conn, const char *schema, const mmrd_load_teacher *teacher,
         bool quiet)
{
	mmrd_weights_file *file = NULL;
	mmrd_error err = {0};
	uint8_t *bytes;
	size_t n_bytes;
	bool there;
	bool ok;

	if (!is_there(conn, teacher->name, &there))
		return false;
	if (there)
	{
		mmrd_say("teacher \"%s\" exists already: it is left as it is",
		         teacher->name);
		return true;
	}
	ok = mmrd_file_read(teacher->path, MAX_FILE_BYTES, NULL, &bytes, &n_bytes,
	                    &err) == MMRD_OK &&
	     mmrd_weights_file_open(bytes, n_bytes, NULL, &file, &err) == MMRD_OK;
	if (!ok)
		say_error(teacher->path, &err);
	mmrd_weights_file_free(file);
	ok = ok && import(conn, schema, teacher->name, bytes, n_bytes);
	free(bytes);
	if (ok && !quiet)
		printf("teacher \"%s\" imported, %.1f MB\n", teacher->name,
		       (double) n_bytes / 1e6);
	return ok;
}

bool
mmrd_teachers_send(PGconn *conn, const mmrd_load_options *options)
{
	char *schema;
	bool ok = true;

	if (options->n_teachers == 0)
		return true;
	schema = find_schema(conn);
	if (schema == NULL)
		return false;
	for (int i = 0; ok && i < options->n_teachers; i++)
		ok = send_one(conn, schema, &options->teachers[i], options->quiet);
	PQfreemem(schema);
	return ok;
}
