/*
 * report/plot.h
 *	  A chart's frame: scales, grid, labels, marks.
 *
 * A chart must be readable on a phone and on a wall.  Its shapes are SVG that
 * is stretched to whatever room there is, with lines that keep their width;
 * its words are HTML at a percentage of that room, so that letters are never
 * stretched.
 *
 *	  mmrd_plot plot = {.page = page, .x_hi = n, .y_hi = top};
 *
 *	  mmrd_plot_begin(&plot, "tall", "scans of each day");
 *	  mmrd_plot_bar(&plot, "normal", 0.1, 0.9, 0, 17);
 *	  mmrd_plot_shapes_end(&plot);
 *	  mmrd_plot_x_label(&plot, 0.5, "24 Nov", false);
 *	  mmrd_plot_end(&plot);
 */
#ifndef MMRD_PLOT_H
#define MMRD_PLOT_H

#include <stdbool.h>

#include "report/page.h"

typedef struct mmrd_plot
{
	mmrd_page *page;
	double x_lo; /* of the left edge, and so on; lo < hi */
	double x_hi;
	double y_lo;
	double y_hi;
	bool percent; /* y is a share, and its labels are per cent */
	bool whole;   /* y is a count: no ticks between whole numbers */
} mmrd_plot;

/* Round numbers: first, first + step, ... */
typedef struct mmrd_ticks
{
	double first; /* at least lo */
	double step;  /* 1, 2 or 5 times a power of ten */
	int n;
} mmrd_ticks;

/* About so many round numbers from lo to hi; hi > lo, both finite. */
mmrd_ticks mmrd_ticks_choose(double lo, double hi, int about);

/* A round number at or above value, for the end of a scale; 1 for 0. */
double mmrd_ticks_above(double value, int about);

/* Open the frame, with grid and labels of y.  size: "tall" or "low"; what:
 * what the chart shows, for those who cannot see it; our own words. */
void mmrd_plot_begin(mmrd_plot *plot, const char *size, const char *what);

/* A rectangle, in the units of the scales; what is outside is cut off. */
void mmrd_plot_bar(mmrd_plot *plot, const char *class, double x0, double x1,
                   double y0, double y1);

/* A line through n points; a gap where y is NaN.  A point without
 * neighbours is a dot. */
void mmrd_plot_line(mmrd_plot *plot, const char *class, const double *x,
                    const double *y, int n);

/* Between shapes and words. */
void mmrd_plot_shapes_end(mmrd_plot *plot);

/* A label below x, any text; a minor one is hidden where room is scarce. */
void mmrd_plot_x_label(mmrd_plot *plot, double x, const char *text,
                       bool minor);

/* Labels of round numbers below the whole scale. */
void mmrd_plot_x_numbers(mmrd_plot *plot, int about);

/* A dashed line at x, or at y, with our own words and a number beside it;
 * nothing where it is NaN or outside. */
void mmrd_plot_mark_x(mmrd_plot *plot, double x, const char *words);
void mmrd_plot_mark_y(mmrd_plot *plot, double y, const char *words);

void mmrd_plot_end(mmrd_plot *plot);

#endif /* MMRD_PLOT_H */
