/*
 * report/charts.c
 *	  The charts of the page.
 *
 * Blue is normal, orange is anomalous and grey is what was known before, in
 * every chart; the two colours are those that nearly everybody can tell apart.
 */
#include "report/charts.h"

#include <math.h>
#include <stdio.h>

#include "report/histogram.h"
#include "report/plot.h"

enum
{
	X_LABELS = 8 /* under a scale of periods, at most */
};

#define BAR 0.72       /* of a period's room is its bar */
#define WIDEST_BAR 0.1 /* of the chart: few periods have slim bars */

/* ---- legends ---- */

static void
begin_legend(mmrd_page *page)
{
	mmrd_page_raw(page, "<p class=\"legend\">");
}

/* A colour and what it means, which stay together. */
static void
put_key(mmrd_page *page, const char *class, const char *words)
{
	mmrd_page_format(page,
	                 "<span class=\"item\"><span class=\"key "
	                 "%s\"></span>%s</span>",
	                 class, words);
}

static void
end_legend(mmrd_page *page, const char *axis)
{
	mmrd_page_format(page, "</p><p class=\"axis\">%s</p>", axis);
}

/* ---- scales of periods ---- */

/* Half the width of a bar, in periods. */
static double
half_bar(int32_t n_periods)
{
	const double widest = WIDEST_BAR * n_periods;

	return (BAR < widest ? BAR : widest) / 2;
}

static void
put_period_labels(mmrd_plot *plot, const mmrd_report *report)
{
	const int32_t every = (report->n_periods + X_LABELS - 1) / X_LABELS;
	int32_t shown = 0;

	/* Counted from the last, which is the one that people look for. */
	for (int32_t i = report->n_periods - 1; i >= 0; i -= every)
		mmrd_plot_x_label(plot, i + 0.5, report->periods[i].label,
		                  shown++ % 2 == 1 && report->n_periods > 4);
}

static void
put_period_title(mmrd_page *page, const mmrd_report_period *period)
{
	mmrd_page_raw(page, "<title>");
	mmrd_page_text(page, period->name);
	mmrd_page_raw(page, ": ");
	mmrd_page_count(page, period->scans);
	mmrd_page_raw(page, period->scans == 1 ? " scan, " : " scans, ");
	mmrd_page_count(page, period->anomalous);
	mmrd_page_raw(page, " anomalous");
	if (period->scans > 0)
	{
		mmrd_page_raw(page, " (");
		mmrd_page_percent(page,
		                  (double) period->anomalous / (double) period->scans);
		mmrd_page_raw(page, ")");
	}
	if (period->failed > 0)
	{
		mmrd_page_raw(page, ", ");
		mmrd_page_count(page, period->failed);
		mmrd_page_raw(page, " not scored");
	}
	mmrd_page_raw(page, "</title>");
}

/* ---- counts and rate ---- */

static void
put_counts(mmrd_page *page, const mmrd_report *report)
{
	const double half = half_bar(report->n_periods);
	mmrd_plot plot = {
	    .page = page, .x_hi = report->n_periods, .y_hi = 1, .whole = true};

	for (int32_t i = 0; i < report->n_periods; i++)
	{
		const double all =
		    (double) (report->periods[i].scans + report->periods[i].failed);

		plot.y_hi = all > plot.y_hi ? all : plot.y_hi;
	}
	plot.y_hi = mmrd_ticks_above(plot.y_hi, 4);
	mmrd_plot_begin(&plot, "tall", "number of scans over time");
	for (int32_t i = 0; i < report->n_periods; i++)
	{
		const mmrd_report_period *p = &report->periods[i];
		const double at = i + 0.5;
		const double normal = (double) (p->scans - p->anomalous);
		const double scans = (double) p->scans;

		mmrd_page_raw(page, "<g>");
		put_period_title(page, p);
		mmrd_plot_bar(&plot, "normal", at - half, at + half, 0, normal);
		mmrd_plot_bar(&plot, "anomalous", at - half, at + half, normal, scans);
		mmrd_plot_bar(&plot, "failed", at - half, at + half, scans,
		              scans + (double) p->failed);
		mmrd_plot_bar(&plot, "hover", i, i + 1, 0, plot.y_hi);
		mmrd_page_raw(page, "</g>");
	}
	mmrd_plot_shapes_end(&plot);
	mmrd_plot_end(&plot);
}

static double
rate_of(const mmrd_report_period *period)
{
	return period->scans > 0
	           ? (double) period->anomalous / (double) period->scans
	           : NAN;
}

static void
put_rate(mmrd_page *page, const mmrd_report *report)
{
	const double half = half_bar(report->n_periods);
	mmrd_plot plot = {
	    .page = page, .x_hi = report->n_periods, .y_hi = 0, .percent = true};

	for (int32_t i = 0; i < report->n_periods; i++)
	{
		const double rate = rate_of(&report->periods[i]);

		plot.y_hi = rate > plot.y_hi ? rate : plot.y_hi;
	}
	plot.y_hi = plot.y_hi > 0 ? mmrd_ticks_above(plot.y_hi, 3) : 0.1;
	mmrd_plot_begin(&plot, "low", "share of anomalous scans over time");
	for (int32_t i = 0; i < report->n_periods; i++)
	{
		const double rate = rate_of(&report->periods[i]);

		mmrd_page_raw(page, "<g>");
		put_period_title(page, &report->periods[i]);
		if (rate >= 0)
			mmrd_plot_bar(&plot, "anomalous", i + 0.5 - half, i + 0.5 + half,
			              0, rate);
		mmrd_plot_bar(&plot, "hover", i, i + 1, 0, plot.y_hi);
		mmrd_page_raw(page, "</g>");
	}
	mmrd_plot_shapes_end(&plot);
	put_period_labels(&plot, report);
	mmrd_plot_end(&plot);
}

void
mmrd_chart_periods(mmrd_page *page, const mmrd_report *report)
{
	begin_legend(page);
	put_key(page, "normal", "normal");
	put_key(page, "anomalous", "anomalous");
	if (report->failed > 0)
		put_key(page, "failed", "not scored");
	end_legend(page, "scans");
	put_counts(page, report);
	mmrd_page_raw(page, "<p class=\"axis\">share anomalous</p>");
	put_rate(page, report);
}

/* ---- scores ---- */

static double
share_in(const mmrd_histogram *h, int bin)
{
	return h->total > 0 ? (double) h->count[bin] / (double) h->total : 0;
}

static double
highest_share(const mmrd_histogram *h)
{
	double most = 0;

	for (int i = 0; i < h->n; i++)
		most = share_in(h, i) > most ? share_in(h, i) : most;
	return most;
}

/* A number of scans, and which share of them all. */
static void
put_bin_count(mmrd_page *page, const mmrd_histogram *h, int bin,
              const char *what)
{
	mmrd_page_count(page, h->count[bin]);
	mmrd_page_format(page, " %s%s (", what, h->count[bin] == 1 ? "" : "s");
	mmrd_page_percent(page, share_in(h, bin));
	mmrd_page_raw(page, ")");
}

static void
put_bin_title(mmrd_page *page, const mmrd_histogram *recent,
              const mmrd_histogram *known, int bin)
{
	const double left = recent->lo + bin * recent->step;
	/* One digit more than the step has: the ends are no round numbers. */
	const int digits = 1 + (int) ceil(-log10(recent->step) - 1e-9);
	const int decimals = digits < 0 ? 0 : digits > 9 ? 9 : digits;

	mmrd_page_format(page, "<title>%.*f to %.*f", decimals, left, decimals,
	                 left + recent->step);
	if (bin == recent->n - 1 && recent->beyond + known->beyond > 0)
		mmrd_page_raw(page, " and above");
	mmrd_page_raw(page, ": ");
	put_bin_count(page, recent, bin, "scan");
	if (known->total > 0)
	{
		mmrd_page_raw(page, ", ");
		put_bin_count(page, known, bin, "validation scan");
	}
	mmrd_page_raw(page, "</title>");
}

/* The outline of a histogram, a staircase from the floor to the floor. */
static void
put_outline(mmrd_plot *plot, const mmrd_histogram *h)
{
	double x[2 * MMRD_HISTOGRAM_BINS + 2];
	double y[2 * MMRD_HISTOGRAM_BINS + 2];
	int n = 0;

	x[n] = h->lo;
	y[n++] = 0;
	for (int i = 0; i < h->n; i++)
		for (int side = 0; side < 2; side++)
		{
			x[n] = h->lo + (i + side) * h->step;
			y[n++] = share_in(h, i);
		}
	x[n] = h->lo + h->n * h->step;
	y[n++] = 0;
	mmrd_plot_line(plot, "known", x, y, n);
}

static void
put_bins(mmrd_plot *plot, const mmrd_histogram *recent,
         const mmrd_histogram *known, double threshold)
{
	for (int i = 0; i < recent->n; i++)
	{
		const double left = recent->lo + i * recent->step;
		const double right = left + recent->step;
		const double middle = left + recent->step / 2;

		mmrd_page_raw(plot->page, "<g>");
		put_bin_title(plot->page, recent, known, i);
		mmrd_plot_bar(plot, middle > threshold ? "anomalous" : "normal",
		              left + 0.06 * recent->step, right - 0.06 * recent->step,
		              0, share_in(recent, i));
		mmrd_plot_bar(plot, "hover", left, right, 0, plot->y_hi);
		mmrd_page_raw(plot->page, "</g>");
	}
	if (known->total > 0)
		put_outline(plot, known);
}

void
mmrd_chart_scores(mmrd_page *page, const mmrd_report_model *model,
                  const float *scores, size_t n_scores,
                  const float *validation, size_t n_validation)
{
	mmrd_histogram recent;
	mmrd_histogram known;
	mmrd_plot plot = {.page = page, .percent = true};
	double most;

	mmrd_histogram_choose(scores, n_scores, validation, n_validation,
	                      model->threshold, &recent);
	known = recent;
	mmrd_histogram_count(&recent, scores, n_scores);
	mmrd_histogram_count(&known, validation, n_validation);
	most = highest_share(&recent);
	most = highest_share(&known) > most ? highest_share(&known) : most;
	plot.x_lo = recent.lo;
	plot.x_hi = recent.lo + recent.n * recent.step;
	plot.y_hi = mmrd_ticks_above(most * 1.08, 4);

	begin_legend(page);
	if (n_scores > 0)
		put_key(page, "normal", "these scans");
	if (n_scores > 0 && isfinite(model->threshold))
		put_key(page, "anomalous", "above the threshold");
	if (n_validation > 0)
		put_key(page, "known", "validation scans (known to be good)");
	end_legend(page, "share of scans");
	mmrd_plot_begin(&plot, "tall", "histogram of scores");
	put_bins(&plot, &recent, &known, model->threshold);
	mmrd_plot_shapes_end(&plot);
	mmrd_plot_x_numbers(&plot, 8);
	mmrd_plot_mark_x(&plot, model->threshold, "threshold");
	mmrd_plot_end(&plot);
	mmrd_page_raw(page, model->relative
	                        ? "<p class=\"axis below\">score, in multiples of "
	                          "the threshold</p>"
	                        : "<p class=\"axis below\">score</p>");
	if (recent.beyond + known.beyond > 0)
	{
		mmrd_page_raw(page, "<p class=\"note\">The last bar also holds ");
		mmrd_page_count(page, recent.beyond + known.beyond);
		mmrd_page_raw(page, " higher ");
		mmrd_page_raw(page, recent.beyond + known.beyond == 1 ? "score.</p>"
		                                                      : "scores.</p>");
	}
}

/* ---- drift ---- */

static void
put_spread_title(mmrd_page *page, const mmrd_report_period *period,
                 const mmrd_report_spread *spread)
{
	mmrd_page_raw(page, "<title>");
	mmrd_page_text(page, period->name);
	mmrd_page_raw(page, ": median ");
	mmrd_page_number(page, spread->median);
	mmrd_page_raw(page, ", nine of ten from ");
	mmrd_page_number(page, spread->low);
	mmrd_page_raw(page, " to ");
	mmrd_page_number(page, spread->high);
	mmrd_page_raw(page, "</title>");
}

static void
put_spreads(mmrd_plot *plot, const mmrd_report *report,
            const mmrd_report_model *model)
{
	const double half = half_bar(report->n_periods) * 0.7;
	/* A median must be seen in a bar of no height as well. */
	const double thin = 0.011 * (plot->y_hi - plot->y_lo);

	for (int32_t i = 0; i < report->n_periods; i++)
	{
		const mmrd_report_spread *s = &model->spread[i];
		const double at = i + 0.5;

		if (!isfinite(s->median))
			continue;
		mmrd_page_raw(plot->page, "<g>");
		put_spread_title(plot->page, &report->periods[i], s);
		mmrd_plot_bar(plot, "range", at - half, at + half, s->low, s->high);
		mmrd_plot_bar(plot, "median", at - half, at + half, s->median - thin,
		              s->median + thin);
		mmrd_plot_bar(plot, "hover", i, i + 1, plot->y_lo, plot->y_hi);
		mmrd_page_raw(plot->page, "</g>");
	}
}

/* Round ends of the scale of a chart that need not begin at 0. */
static void
choose_range(mmrd_plot *plot, double lo, double hi)
{
	mmrd_ticks ticks;

	if (!(hi > lo))
		hi = lo + (lo != 0 ? 0.1 * fabs(lo) : 1);
	lo = lo > 0 && lo < 0.5 * hi ? 0 : lo - 0.1 * (hi - lo);
	ticks = mmrd_ticks_choose(lo, hi, 4);
	plot->y_lo = ticks.step * floor(lo / ticks.step);
	plot->y_hi = ticks.step * ceil(hi / ticks.step);
}

void
mmrd_chart_spread(mmrd_page *page, const mmrd_report *report,
                  const mmrd_report_model *model, const float *validation,
                  size_t n_validation)
{
	const double low = mmrd_scores_quantile(validation, n_validation, 0.05);
	const double middle = mmrd_scores_quantile(validation, n_validation, 0.5);
	const double high = mmrd_scores_quantile(validation, n_validation, 0.95);
	mmrd_plot plot = {.page = page, .x_hi = report->n_periods};
	double least = fmin(low, model->threshold); /* which pass over a NaN */
	double most = fmax(high, model->threshold);

	for (int32_t i = 0; i < report->n_periods; i++)
	{
		least = fmin(least, model->spread[i].low);
		most = fmax(most, model->spread[i].high);
	}
	if (!isfinite(least) || !isfinite(most))
		return;
	choose_range(&plot, least, most);

	begin_legend(page);
	put_key(page, "range", "nine of ten scores");
	put_key(page, "median", "median");
	if (n_validation > 0)
		put_key(page, "band", "the same of validation scans");
	end_legend(page, model->relative ? "score &divide; threshold" : "score");
	mmrd_plot_begin(&plot, "tall", "scores over time");
	if (n_validation > 0)
	{
		const double x[] = {0, report->n_periods};
		const double y[] = {middle, middle};

		mmrd_plot_bar(&plot, "band", 0, report->n_periods, low, high);
		mmrd_plot_line(&plot, "known", x, y, 2);
	}
	put_spreads(&plot, report, model);
	mmrd_plot_shapes_end(&plot);
	put_period_labels(&plot, report);
	mmrd_plot_mark_y(&plot, model->threshold, "threshold");
	mmrd_plot_end(&plot);
}

/* ---- loss ---- */

enum
{
	MAX_POINTS = 400 /* of the curve */
};

void
mmrd_chart_loss(mmrd_page *page, const mmrd_report_model *model)
{
	double x[MAX_POINTS];
	double y[MAX_POINTS];
	const int32_t n =
	    model->n_epochs < MAX_POINTS ? model->n_epochs : MAX_POINTS;
	mmrd_plot plot = {.page = page};
	double most = 0;

	if (n < 1)
		return;
	/* The first and the last epoch, and what fits between them. */
	for (int32_t i = 0; i < n; i++)
	{
		const int64_t at =
		    n > 1 ? (int64_t) i * (model->n_epochs - 1) / (n - 1) : 0;

		x[i] = model->epochs[at].epoch;
		y[i] = model->epochs[at].loss;
		most = fmax(most, y[i]);
	}
	plot.x_lo = n > 1 ? x[0] : x[0] - 1;
	plot.x_hi = n > 1 ? x[n - 1] : x[0] + 1;
	plot.y_hi = mmrd_ticks_above(most, 4);
	begin_legend(page);
	mmrd_page_format(page,
	                 "<span class=\"item\"><span class=\"key "
	                 "learned\"></span>version %d</span>",
	                 (int) model->loss_version);
	end_legend(page, "loss");
	mmrd_plot_begin(&plot, "tall", "loss of each epoch of the training");
	mmrd_plot_line(&plot, "learned", x, y, n);
	mmrd_plot_shapes_end(&plot);
	if (plot.x_hi - plot.x_lo >= 4)
		mmrd_plot_x_numbers(&plot, 8);
	else
		for (int32_t i = 0; i < n; i++)
		{
			char label[16];

			snprintf(label, sizeof(label), "%d", (int) x[i]);
			mmrd_plot_x_label(&plot, x[i], label, false);
		}
	mmrd_plot_end(&plot);
	mmrd_page_raw(page, "<p class=\"axis below\">epoch</p>");
}
