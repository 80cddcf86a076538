/*
 * loader/dataset/yaml_scalars.c
 *	  Numbers out of a small YAML file.
 *
 * Line by line: each is cut into indentation, key and value.  A line with a
 * key and no value, at the left edge, opens a section, which the next line
 * at the left edge closes.
 */
#include "loader/dataset/yaml_scalars.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "loader/bytes/printable.h"

enum
{
	MAX_NUMBER_BYTES = 64,
	SHOWN_BYTES = 40 /* of a line, in a message */
};

/* Part of the text; not terminated. */
typedef struct span
{
	const char *at;
	size_t n;
} span;

typedef struct line
{
	int number; /* from 1 */
	bool indented;
	span key; /* empty: the line says nothing */
	span value;
} line;

static span
trim(span s)
{
	while (s.n > 0 && (s.at[0] == ' ' || s.at[0] == '\r'))
	{
		s.at++;
		s.n--;
	}
	while (s.n > 0 && (s.at[s.n - 1] == ' ' || s.at[s.n - 1] == '\r'))
		s.n--;
	return s;
}

static bool
equals(span s, const char *text)
{
	return s.n == strlen(text) && memcmp(s.at, text, s.n) == 0;
}

static mmrd_status
fail_line(const line *l, span whole, const char *why, mmrd_error *err)
{
	char shown[SHOWN_BYTES];

	mmrd_fail(err, MMRD_UNSUPPORTED, "line %d is not \"key: number\": %s",
	          l->number, why);
	return mmrd_detail(
	    err, "It reads \"%s\".",
	    mmrd_printable(whole.at, whole.n, shown, sizeof(shown)));
}

/* A '#' begins a comment at the start of a line and after a space. */
static span
without_comment(span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.at[i] == '#' && (i == 0 || s.at[i - 1] == ' '))
			s.n = i;
	return s;
}

static bool
is_key(span s)
{
	for (size_t i = 0; i < s.n; i++)
	{
		const char c = s.at[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		      (c >= '0' && c <= '9') || c == '_'))
			return false;
	}
	return s.n > 0;
}

static mmrd_status
cut_line(span whole, line *l, mmrd_error *err)
{
	const span s = without_comment(whole);
	const span body = trim(s);
	const char *colon;

	l->key = (span){s.at, 0};
	l->value = l->key;
	if (!mmrd_is_printable(body.at, body.n))
		return fail_line(l, whole, "bytes that are not text", err);
	if (body.n == 0 || equals(body, "---"))
		return MMRD_OK;
	l->indented = s.at[0] == ' ';
	colon = memchr(body.at, ':', body.n);
	if (colon == NULL)
		return fail_line(l, whole, "no colon", err);
	l->key = (span){body.at, (size_t) (colon - body.at)};
	l->value = trim((span){colon + 1, body.n - l->key.n - 1});
	if (!is_key(l->key))
		return fail_line(l, whole, "not a plain key", err);
	if (l->value.n == 0 && l->indented)
		return fail_line(l, whole, "a section inside another", err);
	if (l->value.n > 0 && colon[1] != ' ')
		return fail_line(l, whole, "no space after the colon", err);
	return MMRD_OK;
}

static mmrd_status
read_number(const line *l, double *value, mmrd_error *err)
{
	char text[MAX_NUMBER_BYTES];
	char *end = text;

	*value = equals(l->value, "true") ? 1 : 0;
	if (equals(l->value, "true") || equals(l->value, "false"))
		return MMRD_OK;
	/* strtod also reads hexadecimal, "inf" and "nan": not here. */
	if (l->value.n > 0 && l->value.n < sizeof(text))
	{
		memcpy(text, l->value.at, l->value.n);
		text[l->value.n] = '\0';
		if (strspn(text, "+-.0123456789eE") == l->value.n)
			*value = strtod(text, &end);
	}
	if (end == text || *end != '\0' || !isfinite(*value))
	{
		*value = 0;
		mmrd_fail(err, MMRD_CORRUPT_DATA, "\"%.*s\" is not a number",
		          (int) l->key.n, l->key.at);
		return mmrd_detail(
		    err, "Line %d says \"%s\".", l->number,
		    mmrd_printable(l->value.at, l->value.n, text, SHOWN_BYTES));
	}
	return MMRD_OK;
}

mmrd_status
mmrd_yaml_number(const char *text, size_t len, const char *section,
                 const char *key, double *value, mmrd_error *err)
{
	line l = {0};
	span in_section = {text, 0};
	double number = 0;
	bool found = false;

	*value = 0;
	for (size_t at = 0; at < len;)
	{
		const char *newline = memchr(text + at, '\n', len - at);
		const size_t n =
		    newline != NULL ? (size_t) (newline - text) - at : len - at;
		const span whole = {text + at, n};

		at += n + 1;
		l.number++;
		MMRD_TRY(cut_line(whole, &l, err));
		if (l.key.n == 0)
			continue;
		if (!l.indented)
			in_section = l.value.n == 0 ? l.key : (span){text, 0};
		if (!equals(l.key, key) || l.indented != (section != NULL) ||
		    (section != NULL && !equals(in_section, section)))
			continue;
		if (found)
			return mmrd_fail(err, MMRD_CORRUPT_DATA, "\"%s\" is given twice",
			                 key);
		MMRD_TRY(read_number(&l, &number, err));
		found = true;
	}
	if (!found)
		return mmrd_fail(err, MMRD_CORRUPT_DATA, "\"%s%s%s\" is missing",
		                 section != NULL ? section : "",
		                 section != NULL ? "." : "", key);
	*value = number;
	return MMRD_OK;
}
