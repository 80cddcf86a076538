/*
 * tests/unit/test_page.c
 *	  What becomes of texts and numbers on their way into HTML.
 */
#include "report/page.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/check.h"

static char *
finish(mmrd_page *page)
{
	mmrd_error err = {0};
	size_t n;
	char *text;

	CHECK(mmrd_page_finish(page, &text, &n, &err) == MMRD_OK, "%s",
	      err.message);
	CHECK(text != NULL && strlen(text) == n, "its length");
	return text;
}

static void
check_page(mmrd_page *page, const char *what, const char *want)
{
	char *got = finish(page);

	CHECK(got != NULL && strcmp(got, want) == 0, "%s: got \"%s\", want \"%s\"",
	      what, got, want);
	free(got);
}

static void
test_text(void)
{
	static const struct
	{
		const char *text;
		const char *want;
	} cases[] = {
	    {"", ""},
	    {"plain 0-9 (a)/b;", "plain 0-9 (a)/b;"},
	    {"<script>alert(1)</script>",
	     "&#60;script&#62;alert(1)&#60;/script&#62;"},
	    {"\" onload='x' `", "&#34; onload=&#39;x&#39; &#96;"},
	    {"&lt;", "&#38;lt;"},
	    {"a\tb\nc", "a\tb\nc"},
	    {"\x01\x1f\x7f", "&#65533;&#65533;&#65533;"},
	    {"\r", "&#65533;"},
	    {"Gr\xc3\xb6\xc3\x9f"
	     "e",
	     "Gr&#246;&#223;e"},
	    {"\xe2\x82\xac", "&#8364;"},
	    {"\xf0\x9f\x94\xa7", "&#128295;"},
	    {"\xc2\x80", "&#65533;"},         /* a C1 control */
	    {"\xef\xbf\xbf", "&#65533;"},     /* a noncharacter */
	    {"\xc0\xbc", "&#65533;&#65533;"}, /* "<", too long */
	    {"\xe0\x80\xbc", "&#65533;&#65533;&#65533;"},
	    {"\xed\xa0\x80", "&#65533;&#65533;&#65533;"}, /* a surrogate */
	    {"\xf4\x90\x80\x80", "&#65533;&#65533;&#65533;&#65533;"},
	    {"\xe2\x82", "&#65533;&#65533;"}, /* cut off */
	    {"\xe2<", "&#65533;&#60;"},
	    {"\xff", "&#65533;"},
	    {"\x80", "&#65533;"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		mmrd_page page = {0};

		mmrd_page_text(&page, cases[i].text);
		check_page(&page, cases[i].text, cases[i].want);
	}
}

static void
test_cut(void)
{
	mmrd_page page = {0};

	mmrd_page_text_cut(&page, "abc", 3);
	mmrd_page_text_cut(&page, "\xc3\xb6\xc3\xb6\xc3\xb6", 2);
	mmrd_page_text_cut(&page, NULL, 2);
	mmrd_page_text(&page, NULL);
	check_page(&page, "cut", "abc&#246;&#246;&hellip;");
}

static void
test_numbers(void)
{
	static const struct
	{
		double number;
		const char *want;
	} numbers[] = {
	    {0, "0"},
	    {1, "1.00"},
	    {0.12345, "0.123"},
	    {9.996, "10.0"},
	    {99.96, "100"},
	    {99.94, "99.9"},
	    {1234.5, "1234"},
	    {-0.5, "-0.500"},
	    {0.00012345, "0.000123"},
	    {1e-5, "1e-05"},
	    {1e12, "1e+12"},
	    {NAN, "&ndash;"},
	    {INFINITY, "&ndash;"},
	};
	static const struct
	{
		double share;
		const char *want;
	} shares[] = {
	    {0, "0&#8239;%"},          {0.0312, "3.1&#8239;%"},
	    {0.0004, "0.040&#8239;%"}, {0.5, "50&#8239;%"},
	    {1, "100&#8239;%"},        {NAN, "&ndash;"},
	};
	mmrd_page page = {0};

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
	{
		mmrd_page_number(&page, numbers[i].number);
		check_page(&page, "number", numbers[i].want);
	}
	for (size_t i = 0; i < sizeof(shares) / sizeof(shares[0]); i++)
	{
		mmrd_page_percent(&page, shares[i].share);
		check_page(&page, "percent", shares[i].want);
	}
	mmrd_page_count(&page, 0);
	mmrd_page_raw(&page, " ");
	mmrd_page_count(&page, 999);
	mmrd_page_raw(&page, " ");
	mmrd_page_count(&page, 1000);
	mmrd_page_raw(&page, " ");
	mmrd_page_count(&page, -123456);
	mmrd_page_raw(&page, " ");
	mmrd_page_count(&page, INT64_MIN);
	check_page(&page, "counts",
	           "0 999 1,000 -123,456 -9,223,372,036,854,775,808");
}

static void
test_base64(void)
{
	static const char *const want[] = {
	    "",         "Zg==",     "Zm8=",    "Zm9v",
	    "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"}; /* RFC 4648, 10 */

	for (size_t n = 0; n <= 6; n++)
	{
		mmrd_page page = {0};

		mmrd_page_base64(&page, (const uint8_t *) "foobar", n);
		check_page(&page, "base64", want[n]);
	}
}

/* Longer than any first allocation, in pieces of every kind. */
static void
test_growth(void)
{
	mmrd_page page = {0};
	uint8_t *bytes = calloc(1, 300000);
	char *text;

	for (int i = 0; i < 100000; i++)
		mmrd_page_text(&page, "x<");
	mmrd_page_base64(&page, bytes, 300000);
	text = finish(&page);
	CHECK(strlen(text) == 100000 * 6 + 400000, "%zu bytes", strlen(text));
	CHECK(memcmp(text, "x&#60;x&#60;", 12) == 0, "it begins well");
	free(text);
	free(bytes);
}

int
main(void)
{
	test_text();
	test_cut();
	test_numbers();
	test_base64();
	test_growth();
	return check_result();
}
