/*
 * client/text.c
 *	  A text that grows.
 */
#include "client/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/say.h"

static void
fail(mmrd_text *to)
{
	if (!to->failed)
		mmrd_say("out of memory");
	free(to->text);
	to->text = NULL;
	to->failed = true;
}

void
mmrd_text_add(mmrd_text *to, const char *fmt, ...)
{
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	if (n < 0)
		fail(to);
	if (to->failed)
		return;
	if ((size_t) n >= to->room - to->n)
	{
		const size_t room = (to->n + (size_t) n + 1) * 2;
		char *grown = realloc(to->text, room);

		if (grown == NULL)
		{
			fail(to);
			return;
		}
		to->text = grown;
		to->room = room;
	}
	va_start(args, fmt);
	vsnprintf(to->text + to->n, (size_t) n + 1, fmt, args);
	va_end(args);
	to->n += (size_t) n;
}

void
mmrd_text_identifier(mmrd_text *to, PGconn *conn, const char *name)
{
	char *quoted = PQescapeIdentifier(conn, name, strlen(name));

	if (quoted == NULL)
		fail(to);
	else
		mmrd_text_add(to, "%s", quoted);
	PQfreemem(quoted);
}

void
mmrd_text_clear(mmrd_text *text)
{
	free(text->text);
	memset(text, 0, sizeof(*text));
}
