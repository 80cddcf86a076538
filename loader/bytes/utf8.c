/*
 * loader/bytes/utf8.c
 *	  Characters of one to four bytes.
 */
#include "loader/bytes/utf8.h"

size_t
mmrd_utf8_length(const uint8_t *p, size_t n)
{
	uint32_t character;
	uint32_t least;
	size_t length;

	if (n == 0)
		return 0;
	if (p[0] < 0x80)
		return 1;
	if (p[0] >= 0xf0)
	{
		length = 4;
		least = 0x10000;
		character = p[0] & 0x0f; /* f8 and above become too large */
	}
	else if (p[0] >= 0xe0)
	{
		length = 3;
		least = 0x800;
		character = p[0] & 0x0f;
	}
	else
	{
		length = 2;
		least = 0x80;
		character = p[0] & 0x1f;
	}
	if (length > n || p[0] < 0xc0)
		return 0;
	for (size_t i = 1; i < length; i++)
	{
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		character = character << 6 | (p[i] & 0x3f);
	}
	if (character < least || character > 0x10ffff ||
	    (character >= 0xd800 && character <= 0xdfff))
		return 0;
	return length;
}

bool
mmrd_utf8_valid(const uint8_t *p, size_t n)
{
	while (n > 0)
	{
		const size_t length = mmrd_utf8_length(p, n);

		if (length == 0)
			return false;
		p += length;
		n -= length;
	}
	return true;
}

size_t
mmrd_utf8_write(uint32_t character, uint8_t *out)
{
	if (character < 0x80)
	{
		out[0] = (uint8_t) character;
		return 1;
	}
	if (character < 0x800)
	{
		out[0] = (uint8_t) (0xc0 | character >> 6);
		out[1] = (uint8_t) (0x80 | (character & 0x3f));
		return 2;
	}
	if (character < 0x10000)
	{
		out[0] = (uint8_t) (0xe0 | character >> 12);
		out[1] = (uint8_t) (0x80 | (character >> 6 & 0x3f));
		out[2] = (uint8_t) (0x80 | (character & 0x3f));
		return 3;
	}
	out[0] = (uint8_t) (0xf0 | character >> 18);
	out[1] = (uint8_t) (0x80 | (character >> 12 & 0x3f));
	out[2] = (uint8_t) (0x80 | (character >> 6 & 0x3f));
	out[3] = (uint8_t) (0x80 | (character & 0x3f));
	return 4;
}
