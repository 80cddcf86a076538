/*
 * extension/pg_report.h
 *	  Gathering what report/ writes a page of.
 *
 * mmrd's tables are read as the extension's owner, by statements of our own,
 * after it was checked that the caller may see results; the scans are read as
 * the caller.
 */
#ifndef MMRD_PG_REPORT_H
#define MMRD_PG_REPORT_H

#include "datatype/timestamp.h"
#include "extension/pg_compat.h"
#include "report/report.h"

enum
{
	MMRD_PG_REPORT_MODELS = 6,
	MMRD_PG_REPORT_VERSIONS = 12, /* of a model */
	MMRD_PG_REPORT_WORST = 8,
	MMRD_PG_REPORT_FAILURES = 10,
	MMRD_PG_REPORT_REGIONS = 5,    /* of a scan */
	MMRD_PG_REPORT_SCORES = 500000 /* of a model; of more, a part */
};

typedef struct mmrd_pg_report
{
	MemoryContext memory; /* whatever is gathered */
	Oid source;
	const char *source_name;
	const char *model; /* as asked for; NULL: all */
	Interval *since;
	TimestampTz from; /* set by mmrd_pg_report_gather() */
	TimestampTz to;
	bool sees_maps;
	bool attached; /* set by it too */
	bool queued;   /* attached in mode queue */
	mmrd_report page;
	mmrd_report_scan *worst;     /* page.worst */
	const struct varlena **maps; /* of those; NULL: none was kept */
} mmrd_pg_report;

/*
 * Everything but pictures.  Throws where there is nothing that a report could
 * be about: the table is not attached and has no results, or the model named
 * exists nowhere.
 */
extern void mmrd_pg_report_gather(mmrd_pg_report *report);

/*
 * Pictures and regions of the worst scans.  One that is gone, hidden or cannot
 * be decoded is a note in its place.
 */
extern void mmrd_pg_report_pictures(mmrd_pg_report *report);

/* In UTF-8, which is what report/ reads; NULL for NULL. */
extern const char *mmrd_pg_report_text(const char *text);

#endif /* MMRD_PG_REPORT_H */
