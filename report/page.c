/*
 * report/page.c
 *	  HTML as it grows.
 */
#include "report/page.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/base/checked.h"

enum
{
	FIRST_ROOM = 1 << 16,
	FORMATTED = 512, /* bytes of one mmrd_page_format() */
	REPLACEMENT = 0xfffd
};

/* Room for n more bytes and the zero. */
static bool
reserve(mmrd_page *page, size_t n)
{
	size_t wanted;
	size_t room = page->room > 0 ? page->room : FIRST_ROOM;
	char *text;

	if (page->refused > 0)
		return false;
	if (!mmrd_size_add(page->n, n, &wanted) ||
	    !mmrd_size_add(wanted, 1, &wanted))
	{
		page->refused = SIZE_MAX;
		return false;
	}
	if (wanted <= page->room)
		return true;
	while (room < wanted)
		if (!mmrd_size_mul(room, 2, &room))
			room = wanted;
	text = realloc(page->text, room);
	if (text == NULL)
	{
		page->refused = room;
		return false;
	}
	page->text = text;
	page->room = room;
	return true;
}

static void
append(mmrd_page *page, const char *bytes, size_t n)
{
	if (!reserve(page, n))
		return;
	memcpy(page->text + page->n, bytes, n);
	page->n += n;
	page->text[page->n] = '\0';
}

void
mmrd_page_raw(mmrd_page *page, const char *html)
{
	append(page, html, strlen(html));
}

void
mmrd_page_format(mmrd_page *page, const char *format, ...)
{
	char piece[FORMATTED];
	va_list arguments;
	int n;

	va_start(arguments, format);
	n = vsnprintf(piece, sizeof(piece), format, arguments);
	va_end(arguments);
	if (n > 0)
		append(page, piece,
		       (size_t) n < sizeof(piece) ? (size_t) n : sizeof(piece) - 1);
}

/* ---- text of others ---- */

/* The character at *at, which moves past it; REPLACEMENT for bytes that are
 * none.  What UTF-8 allows: shortest forms, no surrogates, to U+10FFFF. */
static uint32_t
next_character(const unsigned char **at)
{
	static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
	const unsigned char *p = *at;
	const int more = p[0] < 0x80             ? 0
	                 : (p[0] & 0xe0) == 0xc0 ? 1
	                 : (p[0] & 0xf0) == 0xe0 ? 2
	                 : (p[0] & 0xf8) == 0xf0 ? 3
	                                         : -1;
	uint32_t c;

	*at = p + 1;
	if (more <= 0)
		return more == 0 ? p[0] : REPLACEMENT;
	c = p[0] & (0x3fu >> more);
	for (int i = 1; i <= more; i++)
	{
		if ((p[i] & 0xc0) != 0x80) /* the final zero too */
			return REPLACEMENT;
		c = c << 6 | (p[i] & 0x3f);
	}
	if (c < least[more] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return REPLACEMENT;
	*at = p + 1 + more;
	return c;
}

/* Controls and noncharacters, which a page must not hold even as references;
 * tab and line feed apart. */
static bool
is_forbidden(uint32_t c)
{
	return (c < 0x20 && c != '\t' && c != '\n') || (c >= 0x7f && c < 0xa0) ||
	       (c >= 0xfdd0 && c <= 0xfdef) || (c & 0xfffe) == 0xfffe;
}

static void
put_character(mmrd_page *page, uint32_t c)
{
	if (is_forbidden(c))
		c = REPLACEMENT;
	if (c >= 0x7f || c == '&' || c == '<' || c == '>' || c == '"' ||
	    c == '\'' || c == '`')
		mmrd_page_format(page, "&#%" PRIu32 ";", c);
	else
	{
		const char one = (char) c;

		append(page, &one, 1);
	}
}

void
mmrd_page_text_cut(mmrd_page *page, const char *utf8, size_t max)
{
	const unsigned char *at = (const unsigned char *) utf8;

	if (utf8 == NULL)
		return;
	for (; *at != '\0' && max > 0; max--)
		put_character(page, next_character(&at));
	if (*at != '\0')
		mmrd_page_raw(page, "&hellip;");
}

void
mmrd_page_text(mmrd_page *page, const char *utf8)
{
	mmrd_page_text_cut(page, utf8, SIZE_MAX);
}

/* ---- numbers ---- */

void
mmrd_page_count(mmrd_page *page, int64_t count)
{
	char digits[32];
	const int n = snprintf(digits, sizeof(digits), "%" PRId64, count);
	const int first = count < 0;

	for (int i = 0; i < n; i++)
	{
		if (i > first && (n - i) % 3 == 0)
			append(page, ",", 1);
		append(page, digits + i, 1);
	}
}

void
mmrd_page_number(mmrd_page *page, double number)
{
	const double size = fabs(number);
	int decimals = 0;

	if (!isfinite(number))
	{
		mmrd_page_raw(page, "&ndash;");
		return;
	}
	if (size == 0 || size < 1e-4 || size >= 1e9)
	{
		mmrd_page_format(page, "%.3g", number);
		return;
	}
	/* 999.6 has three digits before the point, not four. */
	for (double limit = 99.95; decimals < 6 && size < limit; limit /= 10)
		decimals++;
	mmrd_page_format(page, "%.*f", decimals, number);
}

void
mmrd_page_percent(mmrd_page *page, double share)
{
	const double percent = 100 * share;

	if (!isfinite(share))
		mmrd_page_raw(page, "&ndash;");
	else if (percent == 0 || percent >= 9.95)
		mmrd_page_format(page, "%.0f&#8239;%%", percent);
	else
		mmrd_page_format(page, "%.*f&#8239;%%", percent < 0.095 ? 3 : 1,
		                 percent);
}

void
mmrd_page_base64(mmrd_page *page, const uint8_t *bytes, size_t n_bytes)
{
	static const char letters[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char *out;

	if (!reserve(page, n_bytes / 3 * 4 + 4))
		return;
	out = page->text + page->n;
	for (size_t i = 0; i < n_bytes; i += 3)
	{
		const size_t left = n_bytes - i;
		const uint32_t three = (uint32_t) bytes[i] << 16 |
		                       (left > 1 ? (uint32_t) bytes[i + 1] << 8 : 0) |
		                       (left > 2 ? bytes[i + 2] : 0);

		*out++ = letters[three >> 18];
		*out++ = letters[three >> 12 & 63];
		*out++ = left > 1 ? letters[three >> 6 & 63] : '=';
		*out++ = left > 2 ? letters[three & 63] : '=';
	}
	page->n = (size_t) (out - page->text);
	page->text[page->n] = '\0';
}

/* ---- the end ---- */

mmrd_status
mmrd_page_finish(mmrd_page *page, char **text, size_t *n_bytes,
                 mmrd_error *err)
{
	const size_t refused = page->refused;

	*text = NULL;
	*n_bytes = 0;
	append(page, "", 0); /* an empty page is "" */
	if (page->refused > 0)
	{
		mmrd_page_clear(page);
		return mmrd_fail_memory(err, (double) refused);
	}
	*text = page->text;
	*n_bytes = page->n;
	page->text = NULL;
	mmrd_page_clear(page);
	return MMRD_OK;
}

void
mmrd_page_clear(mmrd_page *page)
{
	free(page->text);
	memset(page, 0, sizeof(*page));
}
