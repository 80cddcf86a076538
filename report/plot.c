/*
 * report/plot.c
 *	  A chart's frame.
 */
#include "report/plot.h"

#include <math.h>

enum
{
	SIDE = 1000, /* of the picture, in units that are stretched */
	Y_TICKS = 4
};

mmrd_ticks
mmrd_ticks_choose(double lo, double hi, int about)
{
	const double raw = (hi - lo) / about;
	const double power = pow(10, floor(log10(raw)));
	const double digit = raw / power;
	mmrd_ticks ticks;

	ticks.step = power * (digit < 1.5   ? 1
	                      : digit < 3.5 ? 2
	                      : digit < 7.5 ? 5
	                                    : 10);
	ticks.first = ceil(lo / ticks.step - 1e-9) * ticks.step;
	ticks.n = (int) floor((hi - ticks.first) / ticks.step + 1e-9) + 1;
	return ticks;
}

double
mmrd_ticks_above(double value, int about)
{
	mmrd_ticks ticks;

	if (!(value > 0) || !isfinite(value))
		return 1;
	ticks = mmrd_ticks_choose(0, value, about);
	return ceil(value / ticks.step - 1e-9) * ticks.step;
}

/* Where on the scale: 0 at lo, 1 at hi, and no further. */
static double
along(double value, double lo, double hi)
{
	const double share = (value - lo) / (hi - lo);

	return share < 0 ? 0 : share > 1 ? 1 : share;
}

static double
x_of(const mmrd_plot *plot, double x)
{
	return along(x, plot->x_lo, plot->x_hi);
}

static double
y_of(const mmrd_plot *plot, double y)
{
	return along(y, plot->y_lo, plot->y_hi);
}

/* A tick's number, with as many decimals as the step has. */
static void
put_tick(mmrd_page *page, double value, double step, bool percent)
{
	const double unit = percent ? 100 * step : step;
	int decimals = (int) ceil(-log10(unit) - 1e-9);

	decimals = decimals < 0 ? 0 : decimals > 6 ? 6 : decimals;
	if (percent)
		mmrd_page_format(page, "%.*f&#8239;%%", decimals, 100 * value);
	else if (decimals == 0 && fabs(value) < 1e15)
		mmrd_page_count(page, llrint(value));
	else
		mmrd_page_format(page, "%.*f", decimals, value);
}

void
mmrd_plot_begin(mmrd_plot *plot, const char *size, const char *what)
{
	mmrd_ticks ticks = mmrd_ticks_choose(plot->y_lo, plot->y_hi, Y_TICKS);

	if (plot->whole && ticks.step < 1)
	{
		ticks.step = 1;
		ticks.first = ceil(plot->y_lo);
		ticks.n = (int) floor(plot->y_hi - ticks.first) + 1;
	}
	mmrd_page_format(plot->page,
	                 "<div class=\"plot\"><div class=\"area %s\" role=\"img\" "
	                 "aria-label=\"%s\">",
	                 size, what);
	for (int i = 0; i < ticks.n; i++)
	{
		const double value = ticks.first + i * ticks.step;

		mmrd_page_format(plot->page,
		                 "<i class=\"grid\" style=\"bottom:%.2f%%\"></i>"
		                 "<span class=\"y\" style=\"bottom:%.2f%%\">",
		                 100 * y_of(plot, value), 100 * y_of(plot, value));
		put_tick(plot->page, value, ticks.step, plot->percent);
		mmrd_page_raw(plot->page, "</span>");
	}
	mmrd_page_format(plot->page,
	                 "<svg viewBox=\"0 0 %d %d\" preserveAspectRatio=\"none\" "
	                 "aria-hidden=\"true\">",
	                 SIDE, SIDE);
}

void
mmrd_plot_bar(mmrd_plot *plot, const char *class, double x0, double x1,
              double y0, double y1)
{
	const double left = SIDE * x_of(plot, x0);
	const double right = SIDE * x_of(plot, x1);
	const double bottom = SIDE * (1 - y_of(plot, y0));
	const double top = SIDE * (1 - y_of(plot, y1));

	if (right > left && bottom > top)
		mmrd_page_format(plot->page,
		                 "<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" "
		                 "width=\"%.1f\" height=\"%.1f\"/>",
		                 class, left, top, right - left, bottom - top);
}

void
mmrd_plot_line(mmrd_plot *plot, const char *class, const double *x,
               const double *y, int n)
{
	bool drawing = false;

	mmrd_page_format(plot->page, "<path class=\"line %s\" d=\"", class);
	for (int i = 0; i < n; i++)
	{
		const bool here = isfinite(y[i]);

		if (here)
			mmrd_page_format(plot->page, "%s%.1f %.1f", drawing ? "L" : "M",
			                 SIDE * x_of(plot, x[i]),
			                 SIDE * (1 - y_of(plot, y[i])));
		/* A line of no length with round ends is a dot. */
		if (here && !drawing && (i + 1 == n || !isfinite(y[i + 1])))
			mmrd_page_raw(plot->page, "h0");
		drawing = here;
	}
	mmrd_page_raw(plot->page, "\"/>");
}

void
mmrd_plot_shapes_end(mmrd_plot *plot)
{
	mmrd_page_raw(plot->page, "</svg>");
}

void
mmrd_plot_x_label(mmrd_plot *plot, double x, const char *text, bool minor)
{
	mmrd_page_format(plot->page, "<span class=\"x%s\" style=\"left:%.2f%%\">",
	                 minor ? " minor" : "", 100 * x_of(plot, x));
	mmrd_page_text(plot->page, text);
	mmrd_page_raw(plot->page, "</span>");
}

void
mmrd_plot_x_numbers(mmrd_plot *plot, int about)
{
	const mmrd_ticks ticks = mmrd_ticks_choose(plot->x_lo, plot->x_hi, about);

	for (int i = 0; i < ticks.n; i++)
	{
		const double value = ticks.first + i * ticks.step;

		mmrd_page_format(plot->page,
		                 "<span class=\"x%s\" style=\"left:%.2f%%\">",
		                 i % 2 ? " minor" : "", 100 * x_of(plot, value));
		put_tick(plot->page, value, ticks.step, false);
		mmrd_page_raw(plot->page, "</span>");
	}
}

static void
put_mark(mmrd_plot *plot, const char *axis, const char *edge, double share,
         const char *words, double value)
{
	/* Beside the line, on the side where there is room. */
	mmrd_page_format(
	    plot->page, "<span class=\"mark %s%s\" style=\"%s:%.2f%%\"><b>%s ",
	    axis, share > 0.6 ? " before" : "", edge, 100 * share, words);
	mmrd_page_number(plot->page, value);
	mmrd_page_raw(plot->page, "</b></span>");
}

void
mmrd_plot_mark_x(mmrd_plot *plot, double x, const char *words)
{
	if (x >= plot->x_lo && x <= plot->x_hi)
		put_mark(plot, "vertical", "left", x_of(plot, x), words, x);
}

void
mmrd_plot_mark_y(mmrd_plot *plot, double y, const char *words)
{
	if (y >= plot->y_lo && y <= plot->y_hi)
		put_mark(plot, "horizontal", "bottom", y_of(plot, y), words, y);
}

void
mmrd_plot_end(mmrd_plot *plot)
{
	mmrd_page_raw(plot->page, "</div></div>");
}
