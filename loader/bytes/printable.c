/*
 * loader/bytes/printable.c
 *	  Bytes of a file as ASCII.
 */
#include "loader/bytes/printable.h"

#include <string.h>

static bool
printable(unsigned char c)
{
	return c >= ' ' && c <= '~';
}

bool
mmrd_is_printable(const void *bytes, size_t n)
{
	const unsigned char *p = bytes;

	for (size_t i = 0; i < n; i++)
		if (!printable(p[i]))
			return false;
	return true;
}

const char *
mmrd_printable(const void *bytes, size_t n, char *buf, size_t buf_bytes)
{
	const unsigned char *p = bytes;
	const bool cut = n > buf_bytes - 1;
	const size_t keep = cut ? buf_bytes - 4 : n;

	for (size_t i = 0; i < keep; i++)
		buf[i] = printable(p[i]) ? (char) p[i] : '?';
	memcpy(buf + keep, cut ? "..." : "", cut ? 4 : 1);
	return buf;
}
