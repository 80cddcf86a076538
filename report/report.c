/*
 * report/report.c
 *	  The page from top to bottom.
 *
 * It opens with what a person in a hurry wants to know, in a sentence and in
 * large numbers, and goes on to what explains them.  The page forbids itself
 * everything but its own style and its own pictures, so even a mistake in the
 * escaping of some text could run no script and call nobody.
 */
#include "report/report.h"

#include <inttypes.h>
#include <math.h>

#include "report/charts.h"
#include "report/page.h"
#include "report/sections.h"

static double
share_of(int64_t part, int64_t whole)
{
	return whole > 0 ? (double) part / (double) whole : NAN;
}

/* ---- the top ---- */

static void
put_head(mmrd_page *page, const mmrd_report *report)
{
	mmrd_page_raw(
	    page,
	    "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n"
	    "<meta charset=\"utf-8\">\n"
	    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src "
	    "'none'; style-src 'unsafe-inline'; img-src data:\">\n"
	    "<meta name=\"viewport\" content=\"width=device-width, "
	    "initial-scale=1\">\n"
	    "<meta name=\"color-scheme\" content=\"light dark\">\n<title>");
	mmrd_page_text(page, report->title);
	mmrd_page_raw(page, "</title>\n<style>\n");
	mmrd_page_raw(page, mmrd_report_style());
	mmrd_page_raw(page, "</style>\n</head>\n<body>\n<main>\n");
}

static void
put_title(mmrd_page *page, const mmrd_report *report)
{
	mmrd_page_raw(page, "<header><p class=\"eyebrow\">Inspection "
	                    "report</p><h1><bdi>");
	mmrd_page_text(page, report->title);
	mmrd_page_raw(page, "</bdi></h1><p class=\"sub\">");
	mmrd_page_text(page, report->from);
	mmrd_page_raw(page, " &ndash; ");
	mmrd_page_text(page, report->to);
	mmrd_page_raw(page, " &middot; table <bdi>");
	mmrd_page_text(page, report->source);
	mmrd_page_raw(page, "</bdi></p>");
}

/* "Of 1,204 scans, 31 are anomalous (2.6 %), against 1.9 % before." */
static void
put_summary(mmrd_page *page, const mmrd_report *report)
{
	mmrd_page_raw(page, "<p class=\"summary\">");
	if (report->scans == 0)
	{
		mmrd_page_raw(page, report->waiting > 0
		                        ? "No scan has been scored yet; "
		                        : "No scan was scored in this time.");
		if (report->waiting > 0)
		{
			mmrd_page_count(page, report->waiting);
			mmrd_page_raw(page, report->waiting == 1 ? " waits." : " wait.");
		}
	}
	else
	{
		mmrd_page_raw(page, "Of ");
		mmrd_page_count(page, report->scans);
		mmrd_page_raw(page, report->scans == 1 ? " scan, " : " scans, ");
		if (report->anomalous == 0)
			mmrd_page_raw(page, "none is");
		else
			mmrd_page_count(page, report->anomalous);
		if (report->anomalous > 0)
			mmrd_page_raw(page, report->anomalous == 1 ? " is" : " are");
		mmrd_page_raw(page, " anomalous");
		if (report->anomalous > 0)
		{
			mmrd_page_raw(page, " (");
			mmrd_page_percent(page,
			                  share_of(report->anomalous, report->scans));
			mmrd_page_raw(page, ")");
		}
		mmrd_page_raw(page, ".");
	}
	mmrd_page_raw(page, "</p></header>\n");
}

/* ---- the large numbers ---- */

static void
begin_tile(mmrd_page *page, const char *name, bool alert)
{
	mmrd_page_format(page, "<div class=\"tile\"><dt>%s</dt><dd%s>", name,
	                 alert ? " class=\"alert\"" : "");
}

static void
put_tiles(mmrd_page *page, const mmrd_report *report)
{
	const double rate = share_of(report->anomalous, report->scans);
	const double earlier =
	    share_of(report->earlier_anomalous, report->earlier_scans);

	mmrd_page_raw(page, "<dl class=\"tiles\">");
	begin_tile(page, "Scans", false);
	mmrd_page_count(page, report->scans);
	if (report->earlier_scans > 0)
	{
		mmrd_page_raw(page, "<small>");
		mmrd_page_count(page, report->earlier_scans);
		mmrd_page_raw(page, " in as much time before</small>");
	}
	mmrd_page_raw(page, "</dd></div>");

	begin_tile(page, "Anomalous", report->anomalous > 0);
	mmrd_page_count(page, report->anomalous);
	mmrd_page_raw(page, "</dd></div>");

	begin_tile(page, "Anomaly rate", report->anomalous > 0);
	mmrd_page_percent(page, rate);
	if (isfinite(earlier))
	{
		mmrd_page_raw(page, "<small>");
		mmrd_page_percent(page, earlier);
		mmrd_page_raw(page, " before</small>");
	}
	mmrd_page_raw(page, "</dd></div>");

	begin_tile(page, "Not scored", report->failed > 0);
	mmrd_page_count(page, report->failed);
	mmrd_page_raw(page, "</dd></div>");

	if (report->waiting >= 0)
	{
		begin_tile(page, "Waiting", false);
		mmrd_page_count(page, report->waiting);
		mmrd_page_raw(page, "</dd></div>");
	}
	if (isfinite(report->median_ms))
	{
		begin_tile(page, "Time per scan", false);
		mmrd_page_number(page, report->median_ms);
		mmrd_page_raw(page, "&#8239;ms<small>95&#8239;% below ");
		mmrd_page_number(page, report->high_ms);
		mmrd_page_raw(page, "&#8239;ms</small></dd></div>");
	}
	mmrd_page_raw(page, "</dl>\n");
}

/* ---- counts ---- */

static void
put_table(mmrd_page *page, const mmrd_report *report)
{
	mmrd_page_format(page,
	                 "<details><summary>The numbers</summary><div "
	                 "class=\"scroll\"><table><thead><tr><th "
	                 "class=\"text\">%s</th><th>scans</th>"
	                 "<th>anomalous</th><th>rate</th><th>not scored</th>"
	                 "</tr></thead><tbody>",
	                 report->unit);
	for (int32_t i = report->n_periods - 1; i >= 0; i--)
	{
		const mmrd_report_period *p = &report->periods[i];

		mmrd_page_raw(page, "<tr><td class=\"text\">");
		mmrd_page_text(page, p->name);
		mmrd_page_raw(page, "</td><td>");
		mmrd_page_count(page, p->scans);
		mmrd_page_raw(page, "</td><td>");
		mmrd_page_count(page, p->anomalous);
		mmrd_page_raw(page, "</td><td>");
		mmrd_page_percent(page, share_of(p->anomalous, p->scans));
		mmrd_page_raw(page, "</td><td>");
		mmrd_page_count(page, p->failed);
		mmrd_page_raw(page, "</td></tr>");
	}
	mmrd_page_raw(page, "</tbody></table></div></details>");
}

static void
put_counts(mmrd_page *page, const mmrd_report *report)
{
	mmrd_page_format(page, "<h2>Each %s</h2><section class=\"card\">",
	                 report->unit);
	if (report->scans + report->failed == 0)
		mmrd_page_raw(page,
		              "<p class=\"empty\">Nothing was scored in this time. "
		              "Scans are scored when they are inserted, or by "
		              "mmrd_drain(), as mmrd_attach() was told.</p>");
	else
	{
		mmrd_chart_periods(page, report);
		put_table(page, report);
	}
	mmrd_page_raw(page, "</section>\n");
}

/* ---- the end ---- */

static void
put_foot(mmrd_page *page, const mmrd_report *report)
{
	mmrd_page_raw(
	    page,
	    "<details class=\"card words\"><summary>What the words "
	    "mean</summary><dl>"
	    "<dt>Score</dt><dd>How strange the worst place of a scan is to a "
	    "network that has only seen good ones. Scores of different models "
	    "cannot be compared.</dd>"
	    "<dt>Threshold</dt><dd>A scan above it is called anomalous. It is "
	    "chosen so that few good scans are above: as a rule one in a "
	    "hundred.</dd>"
	    "<dt>Validation scans</dt><dd>Good scans that were kept out of the "
	    "training, from which the threshold comes.</dd>"
	    "<dt>Drift</dt><dd>Scores of good products move when something "
	    "changes: light, a lens, a supplier. Where they have moved, look at "
	    "the line, and then train again.</dd>"
	    "<dt>Heat map</dt><dd>Where the scan is strange. Its colours run "
	    "from the lowest to the highest value of each scan by itself."
	    "</dd></dl></details>\n<footer>Made ");
	mmrd_page_text(page, report->made);
	mmrd_page_raw(page, " by mmrd ");
	mmrd_page_text(page, report->code_version);
	mmrd_page_raw(page, " in PostgreSQL.</footer>\n</main>\n</body>\n"
	                    "</html>\n");
}

mmrd_status
mmrd_report_write(const mmrd_report *report, char **html, size_t *n_bytes,
                  mmrd_error *err)
{
	mmrd_status st = MMRD_OK;
	mmrd_page page = {0};

	*html = NULL;
	*n_bytes = 0;
	put_head(&page, report);
	put_title(&page, report);
	put_summary(&page, report);
	put_tiles(&page, report);
	put_counts(&page, report);
	mmrd_report_put_worst(&page, report);
	for (int32_t i = 0; i < report->n_models; i++)
	{
		st = mmrd_report_put_model(&page, report, &report->models[i], err);
		if (st != MMRD_OK)
			goto done;
	}
	if (report->models_left > 0)
		mmrd_page_format(&page,
		                 "<p class=\"note\">%" PRId32 " more %s not shown; "
		                 "name one to see it.</p>",
		                 report->models_left,
		                 report->models_left == 1 ? "model is" : "models are");
	mmrd_report_put_failures(&page, report);
	put_foot(&page, report);
	st = mmrd_page_finish(&page, html, n_bytes, err);

done:
	mmrd_page_clear(&page);
	return st;
}
