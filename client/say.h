/*
 * client/say.h
 *	  What mmrd-load tells its user on stderr: messages, and the progress.
 */
#ifndef MMRD_SAY_H
#define MMRD_SAY_H

#include <stdbool.h>
#include <stddef.h>

/* One line, "mmrd-load: ...", above the progress. */
void mmrd_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* The same as it is, without the name of the program. */
void mmrd_say_plain(const char *fmt, ...)
    __attribute__((format(printf, 1, 2)));

/*
 * A copy of a text for the terminal, malloc'd, "?" for control characters: a
 * file's name must not clear somebody's screen.  NULL without memory.
 */
char *mmrd_say_clean(const char *text);

/* Work of a known number of scans. */
typedef struct mmrd_progress
{
	bool quiet;
	bool terminal;  /* a line that changes; else one now and then */
	size_t n_total; /* scans */
	double n_bytes; /* sent so far */
	double started; /* seconds, monotonic */
	double last;    /* when it was last shown */
} mmrd_progress;

void mmrd_progress_begin(mmrd_progress *p, size_t n_total, bool quiet);

/* n_done scans of the total are finished; n_bytes more were sent. */
void mmrd_progress_step(mmrd_progress *p, size_t n_done, size_t n_bytes);

/* Take the line away. */
void mmrd_progress_end(mmrd_progress *p);

/* Seconds of a clock that never goes back. */
double mmrd_seconds(void);

#endif /* MMRD_SAY_H */
