/*
 * client/mmrd_load.c
 *	  The program mmrd-load: folders of scans into a table.
 *
 * Walk the folder, ask which scans have a row already, send the others, list
 * what was bad.  Everything about files is in loader/, the same code that
 * mmrd_import_scans() runs in the server.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/connection.h"
#include "client/load_options.h"
#include "client/load_report.h"
#include "client/say.h"
#include "client/scan_copy.h"
#include "client/scan_table.h"

/* The first Ctrl-C ends the run in good order, the second one at once. */
static void
on_interrupt(int signal_number)
{
	mmrd_load_interrupted = 1;
	signal(signal_number, SIG_DFL);
}

static bool
open_set(const mmrd_load_options *o, mmrd_dataset **set,
         mmrd_load_report *report)
{
	mmrd_error err = {0};

	if (mmrd_dataset_open(o->folder, &o->set, set, &err) != MMRD_OK)
	{
		mmrd_say("%s: %s", o->folder, err.message);
		if (err.detail[0])
			mmrd_say("%s", err.detail);
		if (err.hint[0])
			mmrd_say("%s", err.hint);
		return false;
	}
	for (size_t i = 0; i < (*set)->n_problems; i++)
		mmrd_report_bad(report, (*set)->problems[i].path,
		                (*set)->problems[i].message, "");
	return true;
}

/* Send what has no row yet. */
static bool
load(PGconn *conn, const mmrd_load_options *o, const mmrd_dataset *set,
     mmrd_load_report *report)
{
	const size_t n = set->n_scans;
	mmrd_scan_table table = {0};
	bool *present = calloc(n + 1, sizeof(*present));
	size_t *todo = calloc(n + 1, sizeof(*todo));
	size_t n_todo = 0;
	bool ok = present != NULL && todo != NULL;

	if (!ok)
		mmrd_say("out of memory");
	for (size_t i = 0; ok && i < n; i++)
		todo[i] = i;
	ok = ok && mmrd_scan_table_open(conn, o, set, &table) &&
	     mmrd_scan_table_present(conn, &table, set, todo, n, present);
	for (size_t i = 0; ok && i < n; i++)
		if (!present[i])
			todo[n_todo++] = i;
	if (ok)
	{
		report->n_present = n - n_todo;
		ok =
		    mmrd_scans_copy(conn, &table, set, todo, n_todo, o->quiet, report);
		if (!o->quiet)
			printf("%zu scans loaded into %s, %zu were already there\n",
			       report->n_loaded, table.name, report->n_present);
	}
	mmrd_scan_table_clear(&table);
	free(present);
	free(todo);
	return ok;
}

static bool
run(const mmrd_load_options *o, const mmrd_dataset *set,
    mmrd_load_report *report)
{
	PGconn *conn;
	bool ok;

	if (o->dry_run)
	{
		signal(SIGINT, on_interrupt);
		ok = mmrd_scans_check(set, o->quiet, report);
		mmrd_report_set(set);
		printf("%zu scans found, %zu could be loaded, %zu bad\n", set->n_scans,
		       report->n_loaded, report->n_bad);
		return ok;
	}
	conn = mmrd_connect(o);
	if (conn == NULL)
		return false;
	ok = mmrd_teachers_send(conn, o);
	signal(SIGINT, on_interrupt);
	if (ok && set != NULL)
		ok = load(conn, o, set, report);
	PQfinish(conn);
	return ok;
}

int
main(int argc, char **argv)
{
	mmrd_load_options options;
	mmrd_load_report report = {0};
	mmrd_dataset *set = NULL;
	int status;

	if (mmrd_load_options_read(argc, argv, &options, &status))
	{
		const bool ok =
		    (options.folder == NULL || open_set(&options, &set, &report)) &&
		    run(&options, set, &report);

		mmrd_report_list_bad(&report);
		if (mmrd_load_interrupted)
			mmrd_say("interrupted: run it again to go on");
		status = mmrd_load_interrupted ? MMRD_LOAD_INTERRUPTED
		         : !ok                 ? MMRD_LOAD_FAILED
		         : report.n_bad > 0    ? MMRD_LOAD_SOME_BAD
		                               : MMRD_LOAD_DONE;
	}
	mmrd_dataset_free(set);
	mmrd_report_clear(&report);
	mmrd_load_options_clear(&options);
	return status;
}
