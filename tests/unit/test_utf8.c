/*
 * tests/unit/test_utf8.c
 *	  Every character there and back, and every sequence of two bytes.
 */
#include "loader/bytes/utf8.h"

#include "tests/unit/check.h"

int
main(void)
{
	uint8_t out[4];
	int pairs = 0;

	for (uint32_t c = 0; c <= 0x10ffff; c++)
	{
		const size_t want = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
		const size_t n = mmrd_utf8_write(c, out);
		const size_t read = mmrd_utf8_length(out, 4);

		if (n != want || read != (c >= 0xd800 && c <= 0xdfff ? 0 : n))
			CHECK(0, "U+%04X: %zu bytes written, %zu read", c, n, read);
		if (mmrd_utf8_length(out, n - 1) != 0)
			CHECK(0, "U+%04X cut short passed", c);
	}
	for (unsigned i = 0; i < 0x10000; i++)
	{
		out[0] = (uint8_t) (i >> 8);
		out[1] = (uint8_t) i;
		pairs += mmrd_utf8_valid(out, 2);
	}
	CHECK(pairs == 128 * 128 + 1920, "%d pairs are valid", pairs);
	CHECK(mmrd_utf8_length(out, 0) == 0, "no bytes are no character");
	CHECK(mmrd_utf8_valid(out, 0), "no bytes are valid");
	/* One below the least of three and of four bytes, one above the last. */
	CHECK(!mmrd_utf8_valid((const uint8_t *) "\xe0\x9f\xbf", 3), "overlong");
	CHECK(!mmrd_utf8_valid((const uint8_t *) "\xf0\x8f\xbf\xbf", 4),
	      "overlong");
	CHECK(!mmrd_utf8_valid((const uint8_t *) "\xf4\x90\x80\x80", 4),
	      "beyond the last character");
	CHECK(!mmrd_utf8_valid((const uint8_t *) "\xf8\x80\x80\x80", 4),
	      "a byte that begins nothing");
	return check_result();
}
