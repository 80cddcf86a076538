/*
 * client/text.h
 *	  A text that grows.
 */
#ifndef MMRD_TEXT_H
#define MMRD_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include <libpq-fe.h>

/* All zero is empty.  After a failure everything added is dropped. */
typedef struct mmrd_text
{
	char *text; /* NULL until something is added */
	size_t n;
	size_t room;
	bool failed; /* there was no memory; that has been said */
} mmrd_text;

void mmrd_text_add(mmrd_text *to, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* A name of a table or column, quoted. */
void mmrd_text_identifier(mmrd_text *to, PGconn *conn, const char *name);

void mmrd_text_clear(mmrd_text *text);

#endif /* MMRD_TEXT_H */
