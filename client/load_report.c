/*
 * client/load_report.c
 *	  What became of the scans, for the end of the run.
 */
#include "client/load_report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/say.h"

void
mmrd_report_bad(mmrd_load_report *report, const char *path,
                const char *message, const char *detail)
{
	mmrd_load_bad bad = {mmrd_say_clean(path), NULL};
	const size_t room = strlen(message) + strlen(detail) + 3;
	char *whole = malloc(room);

	report->n_bad++;
	if (whole != NULL)
	{
		snprintf(whole, room, "%s%s%s", message, detail[0] ? ": " : "",
		         detail);
		bad.message = mmrd_say_clean(whole); /* names are quoted in it */
	}
	free(whole);
	if (report->n_listed == report->room)
	{
		const size_t more = report->room < 32 ? 32 : report->room * 2;
		mmrd_load_bad *grown = realloc(report->bad, more * sizeof(*grown));

		if (grown != NULL)
		{
			report->bad = grown;
			report->room = more;
		}
	}
	if (bad.path != NULL && bad.message != NULL &&
	    report->n_listed < report->room)
	{
		report->bad[report->n_listed++] = bad;
		return;
	}
	mmrd_say("bad: %s: %s", path, message); /* now, as it cannot be kept */
	free(bad.path);
	free(bad.message);
}

void
mmrd_report_list_bad(const mmrd_load_report *report)
{
	if (report->n_bad == 0)
		return;
	mmrd_say("%zu bad:", report->n_bad);
	for (size_t i = 0; i < report->n_listed; i++)
		mmrd_say_plain("  %s: %s", report->bad[i].path,
		               report->bad[i].message);
}

/* Do two scans stand in the same line of the table? */
static bool
same(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static bool
same_kind(const mmrd_scan *a, const mmrd_scan *b)
{
	return same(a->category, b->category) && same(a->split, b->split) &&
	       same(a->defect, b->defect);
}

/* The first scan of a kind stands for it: find that of scan i. */
static size_t
find_kind(const mmrd_dataset *set, const size_t *kinds, size_t n_kinds,
          size_t i)
{
	size_t k = n_kinds;

	while (k-- > 0) /* mostly it is the last one */
		if (same_kind(&set->scans[kinds[k]], &set->scans[i]))
			return k;
	return n_kinds;
}

void
mmrd_report_set(const mmrd_dataset *set)
{
	static const char *const labels[] = {"unknown", "good", "defective"};
	size_t *kinds = calloc(set->n_scans + 1, sizeof(*kinds));
	size_t *counts = calloc(set->n_scans + 1, sizeof(*counts));
	size_t n_kinds = 0;

	for (size_t i = 0; kinds != NULL && counts != NULL && i < set->n_scans;
	     i++)
	{
		const size_t k = find_kind(set, kinds, n_kinds, i);

		if (k == n_kinds)
			kinds[n_kinds++] = i;
		counts[k]++;
	}
	for (size_t k = 0; k < n_kinds; k++)
	{
		const mmrd_scan *scan = &set->scans[kinds[k]];

		printf("%-16s %-12s %-28s %-9s %6zu\n", scan->category,
		       scan->split != NULL ? scan->split : "-",
		       scan->defect != NULL ? scan->defect : "-",
		       labels[scan->label + 1], counts[k]);
	}
	free(kinds);
	free(counts);
}

void
mmrd_report_clear(mmrd_load_report *report)
{
	for (size_t i = 0; i < report->n_listed; i++)
	{
		free(report->bad[i].path);
		free(report->bad[i].message);
	}
	free(report->bad);
	memset(report, 0, sizeof(*report));
}
