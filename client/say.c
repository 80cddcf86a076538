/*
 * client/say.c
 *	  What mmrd-load tells its user on stderr: messages, and the progress.
 *
 * On a terminal the progress is one line that is written over and over; a
 * message first wipes it, and the next step draws it again.  Anywhere else (a
 * log, a pipe) it is a plain line every few seconds.
 */
#include "client/say.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SHOW_EVERY 0.1   /* seconds, on a terminal */
#define REPORT_EVERY 5.0 /* seconds, elsewhere */

enum
{
	BAR_CELLS = 20
};

static bool line_is_shown;

static void
wipe_line(void)
{
	if (line_is_shown)
		fputs("\r\033[K", stderr); /* to the left edge, erase the line */
	line_is_shown = false;
}

static void
write_message(const char *prefix, const char *fmt, va_list args)
{
	fflush(stdout);
	wipe_line();
	fputs(prefix, stderr);
	vfprintf(stderr, fmt, args);
	fputc('\n', stderr);
}

void
mmrd_say(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	write_message("mmrd-load: ", fmt, args);
	va_end(args);
}

void
mmrd_say_plain(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	write_message("", fmt, args);
	va_end(args);
}

char *
mmrd_say_clean(const char *text)
{
	char *copy = strdup(text);

	for (char *c = copy; c != NULL && *c != '\0'; c++)
		if ((unsigned char) *c < ' ' || *c == 0x7f)
			*c = '?';
	return copy;
}

double
mmrd_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double) now.tv_sec + 1e-9 * (double) now.tv_nsec;
}

void
mmrd_progress_begin(mmrd_progress *p, size_t n_total, bool quiet)
{
	memset(p, 0, sizeof(*p));
	p->quiet = quiet;
	p->terminal = isatty(STDERR_FILENO);
	p->n_total = n_total;
	p->started = mmrd_seconds();
	p->last = p->started;
}

/* "12 s", "3 min", "2.5 h": a time left is never exact. */
static const char *
duration(double seconds, char *buf, size_t buf_bytes)
{
	if (seconds < 90)
		snprintf(buf, buf_bytes, "%.0f s", seconds);
	else if (seconds < 5400)
		snprintf(buf, buf_bytes, "%.0f min", seconds / 60);
	else
		snprintf(buf, buf_bytes, "%.1f h", seconds / 3600);
	return buf;
}

static void
show(const mmrd_progress *p, size_t n_done, double elapsed)
{
	const double per_second = (double) n_done / elapsed;
	const double left = (double) (p->n_total - n_done) / per_second;
	const int cells = (int) (BAR_CELLS * n_done / p->n_total);
	char text[160];
	char time_left[32];

	snprintf(text, sizeof(text),
	         "%zu of %zu scans, %.1f scans/s, %.1f MB/s, %s left", n_done,
	         p->n_total, per_second, p->n_bytes / 1e6 / elapsed,
	         duration(left, time_left, sizeof(time_left)));
	if (!p->terminal)
	{
		mmrd_say_plain("%s", text);
		return;
	}
	wipe_line();
	fprintf(stderr, "[%.*s%*s] %s", cells, "####################",
	        BAR_CELLS - cells, "", text);
	fflush(stderr);
	line_is_shown = true;
}

void
mmrd_progress_step(mmrd_progress *p, size_t n_done, size_t n_bytes)
{
	const double now = mmrd_seconds();

	p->n_bytes += (double) n_bytes;
	if (p->quiet || n_done == 0 || now <= p->started ||
	    now - p->last < (p->terminal ? SHOW_EVERY : REPORT_EVERY))
		return;
	p->last = now;
	show(p, n_done, now - p->started);
}

void
mmrd_progress_end(mmrd_progress *p)
{
	(void) p;
	wipe_line();
}
