/*
 * client/scan_copy.c
 *	  Scans to the server, by COPY in binary form.
 *
 * One COPY is one transaction of some 16 MB.  When the server refuses the data
 * of a chunk (a key that somebody else has just inserted, a trigger that does
 * not like a picture), it does not say which row; so the rows of that chunk
 * are sent again one by one, each a COPY of its own, and those that are
 * refused again are bad.  Other failures are nobody's row's fault, and end
 * the run.
 */
#include "client/scan_copy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/say.h"
#include "loader/dataset/scan_files.h"

enum
{
	CHUNK_BYTES = 16 << 20,
	CHUNK_ROWS = 256
};

volatile sig_atomic_t mmrd_load_interrupted;

typedef struct copier
{
	PGconn *conn;
	const mmrd_scan_table *table;
	const mmrd_dataset *set;
	mmrd_load_report *report;
	mmrd_progress progress;
	size_t n_done; /* of the progress */

	bool open;                /* a COPY is going on */
	size_t chunk[CHUNK_ROWS]; /* the scans in it */
	size_t n_chunk;
	size_t chunk_bytes;
} copier;

/* How a COPY ended. */
typedef enum outcome
{
	SENT,
	REFUSED, /* because of the data; nothing of it is in the table */
	BROKEN   /* said already */
} outcome;

/* What the server said about a refusal. */
typedef struct refusal
{
	char sqlstate[6];
	char message[512];
} refusal;

static bool
put(copier *c, const void *bytes, size_t n)
{
	const char *p = bytes;

	while (n > 0)
	{
		/* libpq keeps what it cannot send yet: small pieces, little memory. */
		const int piece = n < 1 << 20 ? (int) n : 1 << 20;

		if (PQputCopyData(c->conn, p, piece) != 1)
			return false;
		p += piece;
		n -= (size_t) piece;
	}
	return true;
}

/* Integers of the protocol are big endian. */
static bool
put_integer(copier *c, unsigned value, int n_bytes)
{
	unsigned char bytes[4];

	for (int i = 0; i < n_bytes; i++)
		bytes[i] = (unsigned char) (value >> 8 * (n_bytes - 1 - i));
	return put(c, bytes, (size_t) n_bytes);
}

/* One field; bytes NULL is NULL. */
static bool
put_field(copier *c, const void *bytes, size_t n)
{
	if (bytes == NULL)
		return put_integer(c, 0xffffffffu, 4);
	return put_integer(c, (unsigned) n, 4) && put(c, bytes, n);
}

static bool
put_text(copier *c, const char *text)
{
	return put_field(c, text, text != NULL ? strlen(text) : 0);
}

static bool
put_column(copier *c, int column, const mmrd_scan *scan,
           const mmrd_scan_files *files)
{
	const int role = column - MMRD_LOAD_RGB;
	const char label = scan->label == MMRD_SCAN_DEFECTIVE;

	switch (column)
	{
		case MMRD_LOAD_ID:
			return put_text(c, scan->id);
		case MMRD_LOAD_CATEGORY:
			return put_text(c, scan->category);
		case MMRD_LOAD_SPLIT:
			return put_text(c, scan->split);
		case MMRD_LOAD_LABEL:
			return put_field(
			    c, scan->label == MMRD_SCAN_UNKNOWN ? NULL : &label, 1);
		case MMRD_LOAD_DEFECT:
			return put_text(c, scan->defect);
		default: /* rgb, aux, aux2, mask: in the order of the roles */
			return put_field(c, files->bytes[role], files->n_bytes[role]);
	}
}

static bool
put_row(copier *c, const mmrd_scan *scan, const mmrd_scan_files *files)
{
	unsigned n = 0;

	for (int column = 0; column < MMRD_LOAD_COLUMNS; column++)
		n += c->table->fills[column];
	if (!put_integer(c, n, 2))
		return false;
	for (int column = 0; column < MMRD_LOAD_COLUMNS; column++)
		if (c->table->fills[column] && !put_column(c, column, scan, files))
			return false;
	return true;
}

static bool
begin_copy(copier *c)
{
	/* The signature, then no flags and no extension: 11 + 4 + 4 bytes. */
	static const char header[19] = "PGCOPY\n\377\r\n";
	PGresult *result =
	    mmrd_query(c->conn, "begin to copy", c->table->copy, 0, NULL);

	PQclear(result);
	c->open = result != NULL;
	c->n_chunk = 0;
	c->chunk_bytes = 0;
	/* A failure to send shows when the COPY ends. */
	if (c->open)
		(void) put(c, header, sizeof(header));
	return c->open;
}

/* Classes of SQLSTATE that are about the data, not about the server. */
static bool
is_about_data(const char *sqlstate)
{
	static const char *const classes[] = {
	    "0A",  /* not supported: a trigger that scores an odd picture */
	    "22",  /* data exception */
	    "23",  /* a constraint */
	    "44",  /* check option of a view, row security */
	    "54",  /* too large */
	    "P0"}; /* RAISE in a trigger */

	for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++)
		if (strncmp(sqlstate, classes[i], 2) == 0)
			return true;
	return false;
}

static void
note_refusal(const PGresult *result, refusal *why)
{
	const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	const char *primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
	const char *detail = PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL);

	snprintf(why->sqlstate, sizeof(why->sqlstate), "%s",
	         state != NULL ? state : "");
	snprintf(why->message, sizeof(why->message), "%s%s%s",
	         primary != NULL ? primary : "", detail != NULL ? ": " : "",
	         detail != NULL ? detail : "");
}

static outcome
end_copy(copier *c, refusal *why)
{
	outcome how = SENT;
	PGresult *result;

	c->open = false;
	if (put_integer(c, 0xffff, 2)) /* no further row */
		(void) PQputCopyEnd(c->conn, NULL);
	while ((result = PQgetResult(c->conn)) != NULL)
	{
		const ExecStatusType status = PQresultStatus(result);

		if (status == PGRES_COPY_IN) /* could not be ended: give up */
			PQputCopyEnd(c->conn, "gave up");
		else if (status != PGRES_COMMAND_OK && how == SENT)
		{
			note_refusal(result, why);
			how = is_about_data(why->sqlstate) ? REFUSED : BROKEN;
			if (how == BROKEN)
				mmrd_say_result("copy", PQresultErrorMessage(result));
		}
		PQclear(result);
		if (PQstatus(c->conn) == CONNECTION_BAD)
			break;
	}
	if (how == SENT && PQstatus(c->conn) == CONNECTION_BAD)
	{
		mmrd_say_result("copy", PQerrorMessage(c->conn));
		how = BROKEN;
	}
	return how;
}

/* Read scan i; a bad one is reported. */
static bool
read_scan(const mmrd_dataset *set, size_t i, mmrd_scan_files *files,
          mmrd_load_report *report)
{
	mmrd_error err = {0};

	if (mmrd_scan_read(set, i, files, &err) == MMRD_OK)
		return true;
	mmrd_report_bad(report,
	                files->bad != NULL ? files->bad
	                                   : set->scans[i].path[MMRD_SCAN_RGB],
	                err.message, err.detail);
	return false;
}

/* Was it another session that put the row there? */
static bool
is_present(copier *c, size_t i)
{
	bool *present = calloc(c->set->n_scans, sizeof(*present));
	const bool yes =
	    present != NULL &&
	    mmrd_scan_table_present(c->conn, c->table, c->set, &i, 1, present) &&
	    present[i];

	free(present);
	return yes;
}

/* A row of a refused chunk by itself. */
static bool
send_alone(copier *c, size_t i)
{
	const mmrd_scan *scan = &c->set->scans[i];
	mmrd_scan_files files;
	refusal why = {0};
	outcome how;

	if (!read_scan(c->set, i, &files, c->report))
		return true;
	if (!begin_copy(c))
	{
		mmrd_scan_files_clear(&files);
		return false;
	}
	(void) put_row(c, scan, &files);
	mmrd_scan_files_clear(&files);
	how = end_copy(c, &why);
	if (how == SENT)
		c->report->n_loaded++;
	else if (how == REFUSED && strcmp(why.sqlstate, "23505") == 0 &&
	         is_present(c, i))
		c->report->n_present++;
	else if (how == REFUSED)
		mmrd_report_bad(c->report, scan->path[MMRD_SCAN_RGB],
		                "the server refused it", why.message);
	return how != BROKEN;
}

static bool
end_chunk(copier *c)
{
	const size_t n = c->n_chunk;
	size_t scans[CHUNK_ROWS];
	refusal why = {0};
	outcome how;

	if (!c->open)
		return true;
	memcpy(scans, c->chunk, n * sizeof(*scans));
	how = end_copy(c, &why);
	if (how == SENT)
		c->report->n_loaded += n;
	for (size_t k = 0; how == REFUSED && k < n; k++)
		if (!send_alone(c, scans[k]))
			return false;
	return how != BROKEN;
}

/* Scan i into the chunk. */
static bool
send_scan(copier *c, size_t i)
{
	mmrd_scan_files files;
	size_t n_bytes = 0;
	bool ok = true;

	if (!read_scan(c->set, i, &files, c->report))
		return true;
	if (!c->open && !begin_copy(c))
		ok = false;
	if (ok)
	{
		c->chunk[c->n_chunk++] = i;
		(void) put_row(c, &c->set->scans[i], &files);
		for (int r = 0; r < MMRD_SCAN_ROLES; r++)
			n_bytes += files.n_bytes[r];
		c->chunk_bytes += n_bytes;
	}
	mmrd_scan_files_clear(&files);
	if (ok && (c->n_chunk == CHUNK_ROWS || c->chunk_bytes >= CHUNK_BYTES))
		ok = end_chunk(c);
	mmrd_progress_step(&c->progress, ++c->n_done, n_bytes);
	return ok;
}

bool
mmrd_scans_copy(PGconn *conn, const mmrd_scan_table *table,
                const mmrd_dataset *set, const size_t *scans, size_t n_scans,
                bool quiet, mmrd_load_report *report)
{
	copier c = {.conn = conn, .table = table, .set = set, .report = report};
	bool ok = true;

	mmrd_progress_begin(&c.progress, n_scans, quiet);
	for (size_t k = 0; ok && k < n_scans && !mmrd_load_interrupted; k++)
		ok = send_scan(&c, scans[k]);
	if (ok)
		ok = end_chunk(&c);
	mmrd_progress_end(&c.progress);
	return ok;
}

bool
mmrd_scans_check(const mmrd_dataset *set, bool quiet, mmrd_load_report *report)
{
	mmrd_progress progress;

	mmrd_progress_begin(&progress, set->n_scans, quiet);
	for (size_t i = 0; i < set->n_scans && !mmrd_load_interrupted; i++)
	{
		mmrd_scan_files files;
		size_t n_bytes = 0;

		if (read_scan(set, i, &files, report))
			report->n_loaded++;
		for (int r = 0; r < MMRD_SCAN_ROLES; r++)
			n_bytes += files.n_bytes[r];
		mmrd_scan_files_clear(&files);
		mmrd_progress_step(&progress, i + 1, n_bytes);
	}
	mmrd_progress_end(&progress);
	return !mmrd_load_interrupted;
}
