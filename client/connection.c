/*
 * client/connection.c
 *	  Connecting as psql does, and statements over the connection.
 */
#include "client/connection.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>

#include "client/say.h"

enum
{
	MAX_PASSWORD = 1024 /* bytes */
};

/* From the terminal, not from stdin, and without showing it. */
static bool
ask_password(char *buf, size_t buf_bytes)
{
	FILE *terminal = fopen("/dev/tty", "r+");
	struct termios before;
	struct termios hidden;
	bool got;

	if (terminal == NULL)
	{
		mmrd_say("a password is needed, and there is no terminal to ask for "
		         "it");
		return false;
	}
	fputs("Password: ", terminal);
	fflush(terminal);
	tcgetattr(fileno(terminal), &before);
	hidden = before;
	hidden.c_lflag &= ~(tcflag_t) ECHO;
	tcsetattr(fileno(terminal), TCSAFLUSH, &hidden);
	got = fgets(buf, (int) buf_bytes, terminal) != NULL;
	tcsetattr(fileno(terminal), TCSAFLUSH, &before);
	fputc('\n', terminal);
	fclose(terminal);
	if (got)
		buf[strcspn(buf, "\r\n")] = '\0';
	return got;
}

static PGconn *
try_connect(const mmrd_load_options *o, const char *password)
{
	const char *const names[] = {"host",
	                             "port",
	                             "user",
	                             "password",
	                             "dbname",
	                             "client_encoding",
	                             "fallback_application_name",
	                             NULL};
	const char *const values[] = {o->host,     o->port, o->user,     password,
	                              o->database, "UTF8",  "mmrd-load", NULL};

	return PQconnectdbParams(names, values, 1);
}

static void
say_notice(void *unused, const char *message)
{
	(void) unused;
	mmrd_say_plain("%.*s", (int) strcspn(message, "\n"), message);
}

PGconn *
mmrd_connect(const mmrd_load_options *options)
{
	char password[MAX_PASSWORD];
	bool asked = false;
	PGconn *conn;

	if (options->password > 0)
		asked = ask_password(password, sizeof(password));
	conn = try_connect(options, asked ? password : NULL);
	if (!asked && options->password == 0 && conn != NULL &&
	    PQstatus(conn) == CONNECTION_BAD && PQconnectionNeedsPassword(conn) &&
	    ask_password(password, sizeof(password)))
	{
		PQfinish(conn);
		conn = try_connect(options, password);
	}
	memset(password, 0, sizeof(password));
	if (conn == NULL)
		mmrd_say("out of memory");
	else if (PQstatus(conn) != CONNECTION_OK)
	{
		mmrd_say_result("connect", PQerrorMessage(conn));
		PQfinish(conn);
		conn = NULL;
	}
	if (conn != NULL)
		PQsetNoticeProcessor(conn, say_notice, NULL);
	return conn;
}

/* All lines of it: DETAIL and HINT help. */
void
mmrd_say_result(const char *doing, const char *message)
{
	size_t n = strlen(message);

	while (n > 0 && message[n - 1] == '\n')
		n--;
	mmrd_say("could not %s: %.*s", doing, (int) n, message);
}

PGresult *
mmrd_query(PGconn *conn, const char *doing, const char *sql, int n,
           const char *const *values)
{
	PGresult *result = PQexecParams(conn, sql, n, NULL, values, NULL, NULL, 0);
	const ExecStatusType status = PQresultStatus(result);

	if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK ||
	    status == PGRES_COPY_IN)
		return result;
	mmrd_say_result(doing, PQerrorMessage(conn));
	PQclear(result);
	return NULL;
}

bool
mmrd_commands(PGconn *conn, const char *doing, const char *sql)
{
	PGresult *result = PQexec(conn, sql);
	const bool ok = PQresultStatus(result) == PGRES_COMMAND_OK;

	if (!ok)
		mmrd_say_result(doing, PQerrorMessage(conn));
	PQclear(result);
	return ok;
}
