/*
 * report/scan_cards.c
 *	  Scans on the page: the worst with their pictures, and those that have no
 *	  score.
 */
#include "report/sections.h"

#include <inttypes.h>
#include <math.h>

enum
{
	MAX_KEY = 80, /* characters of a key, and of an error, that are shown */
	MAX_ERROR = 400
};

/* ---- pictures ---- */

static void
put_picture(mmrd_page *page, const char *what, const uint8_t *png,
            size_t n_bytes)
{
	mmrd_page_format(page,
	                 "<img alt=\"%s\" loading=\"lazy\" "
	                 "src=\"data:image/png;base64,",
	                 what);
	mmrd_page_base64(page, png, n_bytes);
	mmrd_page_raw(page, "\">");
}

/* Boxes are SVG, which knows the photo's pixels; their numbers are not, so
 * that they can be read at any size. */
static void
put_boxes(mmrd_page *page, const mmrd_report_scan *scan)
{
	mmrd_page_format(page,
	                 "<svg viewBox=\"0 0 %" PRId32 " %" PRId32
	                 "\" preserveAspectRatio=\"none\" aria-hidden=\"true\">",
	                 scan->width, scan->height);
	for (int32_t i = 0; i < scan->n_regions; i++)
	{
		const mmrd_report_region *r = &scan->regions[i];

		mmrd_page_format(page,
		                 "<rect class=\"box\" x=\"%" PRId32 "\" y=\"%" PRId32
		                 "\" width=\"%" PRId32 "\" height=\"%" PRId32 "\"/>",
		                 r->x, r->y, r->width, r->height);
	}
	mmrd_page_raw(page, "</svg>");
	for (int32_t i = 0; i < scan->n_regions; i++)
	{
		const mmrd_report_region *r = &scan->regions[i];

		mmrd_page_format(page,
		                 "<span class=\"number\" "
		                 "style=\"left:%.1f%%;top:%.1f%%\">%d</span>",
		                 100.0 * r->x / scan->width,
		                 100.0 * r->y / scan->height, i + 1);
	}
}

static void
put_pictures(mmrd_page *page, const mmrd_report_scan *scan)
{
	if (scan->photo_bytes == 0 && scan->overlay_bytes == 0)
	{
		mmrd_page_raw(page, "<div class=\"nothing\"><span>");
		mmrd_page_text(page, scan->note);
		mmrd_page_raw(page, "</span></div>");
		return;
	}
	mmrd_page_raw(page, "<div class=\"pictures\">");
	if (scan->photo_bytes > 0)
	{
		mmrd_page_raw(page, "<div class=\"picture\">");
		put_picture(page, "photo of the scan", scan->photo, scan->photo_bytes);
		if (scan->n_regions > 0 && scan->width > 0 && scan->height > 0)
			put_boxes(page, scan);
		mmrd_page_raw(page, "</div>");
	}
	if (scan->overlay_bytes > 0)
	{
		mmrd_page_raw(page, "<div class=\"picture\">");
		put_picture(page, "heat map laid over the photo", scan->overlay,
		            scan->overlay_bytes);
		mmrd_page_raw(page, "</div>");
	}
	mmrd_page_raw(page, "</div>");
	if (scan->note != NULL)
	{
		mmrd_page_raw(page, "<p class=\"note\">");
		mmrd_page_text(page, scan->note);
		mmrd_page_raw(page, "</p>");
	}
}

/* ---- the worst ---- */

static void
put_regions(mmrd_page *page, const mmrd_report_scan *scan)
{
	if (scan->n_regions == 0)
		return;
	mmrd_page_raw(page, "<ol class=\"regions\">");
	for (int32_t i = 0; i < scan->n_regions; i++)
	{
		const mmrd_report_region *r = &scan->regions[i];

		mmrd_page_format(page,
		                 "<li>%" PRId32 "&#8239;&times;&#8239;%" PRId32
		                 " px at (%" PRId32 ", %" PRId32 "), peak ",
		                 r->width, r->height, r->x, r->y);
		mmrd_page_number(page, r->peak);
		mmrd_page_raw(page, "</li>");
	}
	mmrd_page_raw(page, "</ol>");
	if (scan->regions_found > scan->n_regions)
		mmrd_page_format(page, "<p class=\"note\">and %" PRId32 " more</p>",
		                 scan->regions_found - scan->n_regions);
}

/* How the score stands to the threshold, as a bar: the mark is at half. */
static void
put_meter(mmrd_page *page, const mmrd_report_scan *scan)
{
	const double share = scan->score / scan->threshold / 2;

	if (!isfinite(share) || !(scan->threshold > 0))
		return;
	mmrd_page_format(page,
	                 "<div class=\"meter\"><i class=\"%s\" "
	                 "style=\"width:%.1f%%\"></i><b></b></div>",
	                 scan->anomalous ? "anomalous" : "normal",
	                 100 * (share < 0   ? 0
	                        : share > 1 ? 1
	                                    : share));
}

static void
put_facts(mmrd_page *page, const mmrd_report_scan *scan)
{
	mmrd_page_raw(page, "<p class=\"score\">score <b>");
	mmrd_page_number(page, scan->score);
	mmrd_page_raw(page, "</b>");
	if (isfinite(scan->threshold))
	{
		mmrd_page_raw(page, ", threshold ");
		mmrd_page_number(page, scan->threshold);
	}
	mmrd_page_raw(page, "</p>");
	put_meter(page, scan);
	mmrd_page_raw(page, "<p class=\"note\">");
	mmrd_page_text(page, scan->when);
	mmrd_page_raw(page, " &middot; <bdi>");
	mmrd_page_text_cut(page, scan->model, MAX_KEY);
	mmrd_page_format(page, "</bdi> version %" PRId32, scan->version);
	if (isfinite(scan->area))
	{
		mmrd_page_raw(page, " &middot; ");
		mmrd_page_percent(page, scan->area);
		mmrd_page_raw(page, " of the pixels");
	}
	mmrd_page_raw(page, "</p>");
	put_regions(page, scan);
}

static void
put_card(mmrd_page *page, const mmrd_report_scan *scan)
{
	mmrd_page_raw(page, "<article class=\"card scan\"><h3><bdi title=\"");
	mmrd_page_text(page, scan->key);
	mmrd_page_raw(page, "\">");
	mmrd_page_text_cut(page, scan->key, MAX_KEY);
	mmrd_page_format(
	    page, "</bdi>%s</h3>",
	    scan->anomalous ? " <span class=\"tag alert\">anomalous</span>" : "");
	put_pictures(page, scan);
	put_facts(page, scan);
	mmrd_page_raw(page, "</article>");
}

void
mmrd_report_put_worst(mmrd_page *page, const mmrd_report *report)
{
	const bool any = report->n_worst > 0 && report->worst[0].anomalous;

	if (report->n_worst == 0)
		return;
	mmrd_page_raw(page, any ? "<h2>The worst scans</h2>"
	                        : "<h2>The highest scores</h2>");
	mmrd_page_raw(page,
	              any ? "<p class=\"lead\">Highest scores first, measured "
	                    "against their thresholds. Left the photo, "
	                    "with what was found in boxes; right the heat "
	                    "map, from dark (normal) to bright, and a green "
	                    "line around what is over the threshold.</p>"
	                  : "<p class=\"lead\">No scan is above its "
	                    "threshold. These come closest.</p>");
	mmrd_page_raw(page, "<div class=\"columns\">");
	for (int32_t i = 0; i < report->n_worst; i++)
		put_card(page, &report->worst[i]);
	mmrd_page_raw(page, "</div>");
}

/* ---- those without a score ---- */

void
mmrd_report_put_failures(mmrd_page *page, const mmrd_report *report)
{
	if (report->n_failures == 0)
		return;
	mmrd_page_raw(page, "<h2>Not scored</h2><p class=\"lead\">");
	mmrd_page_count(page, report->failed);
	mmrd_page_raw(page, report->failed == 1
	                        ? " scan could not be read or scored.</p>"
	                        : " scans could not be read or scored");
	if (report->failed > report->n_failures)
		mmrd_page_format(page, "; the newest %" PRId32 " of them",
		                 report->n_failures);
	if (report->failed != 1)
		mmrd_page_raw(page, ".</p>");
	mmrd_page_raw(page, "<section class=\"card\"><div class=\"scroll\"><table>"
	                    "<thead><tr><th class=\"text\">scan</th><th "
	                    "class=\"text\">when</th><th class=\"text\">why</th>"
	                    "</tr></thead><tbody>");
	for (int32_t i = 0; i < report->n_failures; i++)
	{
		const mmrd_report_failure *f = &report->failures[i];

		mmrd_page_raw(page, "<tr><td class=\"text\"><bdi>");
		mmrd_page_text_cut(page, f->key, MAX_KEY);
		mmrd_page_raw(page, "</bdi></td><td class=\"text\">");
		mmrd_page_text(page, f->when);
		mmrd_page_raw(page, "</td><td class=\"text wide\"><bdi>");
		mmrd_page_text_cut(page, f->error, MAX_ERROR);
		mmrd_page_raw(page, "</bdi></td></tr>");
	}
	mmrd_page_raw(page, "</tbody></table></div></section>");
}
