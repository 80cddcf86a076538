/*
 * tests/unit/test_printable.c
 *	  Bytes of a file inside a message.
 */
#include "loader/bytes/printable.h"

#include <string.h>

#include "tests/unit/check.h"

static void
shows(const char *bytes, size_t n, size_t room, const char *want)
{
	char buf[16];

	memset(buf, 'Z', sizeof(buf));
	CHECK(mmrd_printable(bytes, n, buf, room) == buf, "returns its buffer");
	CHECK(strcmp(buf, want) == 0, "got \"%s\", want \"%s\"", buf, want);
	for (size_t i = room; i < sizeof(buf); i++)
		CHECK(buf[i] == 'Z', "wrote beyond %zu bytes", room);
}

int
main(void)
{
	shows("", 0, 4, "");
	shows("abc", 3, 4, "abc");
	shows("abcd", 4, 4, "...");
	shows("abcdefg", 7, 8, "abcdefg");
	shows("abcdefgh", 8, 8, "abcd...");
	shows("a\0b\n\x7f\x80\xff~ ", 9, 16, "a?b????~ ");
	CHECK(mmrd_is_printable("", 0), "nothing is printable");
	CHECK(mmrd_is_printable(" ~", 2), "the ends of the range");
	CHECK(!mmrd_is_printable("a\x1f", 2), "a control character");
	CHECK(!mmrd_is_printable("\x7f", 1), "delete");
	CHECK(!mmrd_is_printable("\xc3\xa4", 2), "UTF-8");
	return check_result();
}
