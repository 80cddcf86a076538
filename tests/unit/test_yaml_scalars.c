/*
 * tests/unit/test_yaml_scalars.c
 *	  Which YAML is read, and that the rest is refused with its line.
 */
#include "loader/dataset/yaml_scalars.h"

#include <stdlib.h>
#include <string.h>

#include "tests/unit/check.h"

static const struct
{
	const char *text;
	const char *section;
	const char *key;
	mmrd_status want;
	double value;
} cases[] = {
    {"anomalous: 1\n", NULL, "anomalous", MMRD_OK, 1},
    {"anomalous: 1", NULL, "anomalous", MMRD_OK, 1},
    {"---\n# of scan 7\n\nanomalous: 0 # fine\n", NULL, "anomalous", MMRD_OK,
     0},
    {"a: true\r\nb: false\r\n", NULL, "a", MMRD_OK, 1},
    {"a: true\r\nb: false\r\n", NULL, "b", MMRD_OK, 0},
    {"n:\n  max: 4.9030\n  min: -2.5e-3\n", "n", "min", MMRD_OK, -2.5e-3},
    {"n:\n  max: 4.9030\nmin: 1\n", "n", "max", MMRD_OK, 4.903},
    {"max: 1\nn:\n  max: 2\n", NULL, "max", MMRD_OK, 1},
    {"max: 1\nn:\n  max: 2\n", "n", "max", MMRD_OK, 2},
    {"note: any [text]\nmax: 3\n", NULL, "max", MMRD_OK, 3},

    {"", NULL, "max", MMRD_CORRUPT_DATA, 0},
    {"\n\n", NULL, "max", MMRD_CORRUPT_DATA, 0},
    {"max: 1\n", NULL, "min", MMRD_CORRUPT_DATA, 0},
    {"max: 1\n", "n", "max", MMRD_CORRUPT_DATA, 0},
    {"n:\n  max: 1\n", NULL, "max", MMRD_CORRUPT_DATA, 0},
    {"n:\n  max: 1\nm: 2\n  min: 3\n", "n", "min", MMRD_CORRUPT_DATA, 0},
    {"max: 1\nmax: 1\n", NULL, "max", MMRD_CORRUPT_DATA, 0},
    {"max:\n", NULL, "max", MMRD_CORRUPT_DATA, 0},
    {"max: high\n", NULL, "max", MMRD_CORRUPT_DATA, 0},
    {"max: 1.5m\n", NULL, "max", MMRD_CORRUPT_DATA, 0},
    {"max: .inf\n", NULL, "max", MMRD_CORRUPT_DATA, 0},
    {"max: nan\n", NULL, "max", MMRD_CORRUPT_DATA, 0},
    {"max: 1e999\n", NULL, "max", MMRD_CORRUPT_DATA, 0},
    {"max: 0x10\n", NULL, "max", MMRD_CORRUPT_DATA, 0},
    {"n: {max: 1}\n", "n", "max", MMRD_CORRUPT_DATA, 0},

    {"max 1\n", NULL, "max", MMRD_UNSUPPORTED, 0},
    {"max:1\n", NULL, "max", MMRD_UNSUPPORTED, 0},
    {"- max: 1\n", NULL, "max", MMRD_UNSUPPORTED, 0},
    {"\"max\": 1\n", NULL, "max", MMRD_UNSUPPORTED, 0},
    {"\tmax: 1\n", NULL, "max", MMRD_UNSUPPORTED, 0},
    {"n:\n  m:\n    max: 1\n", "n", "max", MMRD_UNSUPPORTED, 0},
    {"max: 1\n{broken\n", NULL, "max", MMRD_UNSUPPORTED, 0},
    {"max: \x80\xff\n", NULL, "max", MMRD_UNSUPPORTED, 0},
};

static void
check_text(const char *text, size_t len, const char *section, const char *key,
           mmrd_status want, double value)
{
	/* Its own memory, so that a sanitizer sees a read past the end. */
	char *copy = malloc(len > 0 ? len : 1);
	mmrd_error err = {0};
	double got = -1;
	mmrd_status st;

	memcpy(copy, text, len);
	st = mmrd_yaml_number(copy, len, section, key, &got, &err);
	CHECK(st == want, "\"%s\": got %d \"%s\" \"%s\"", text, st, err.message,
	      err.detail);
	CHECK(got == value, "\"%s\": got %.17g", text, got);
	CHECK((st == MMRD_OK) == (err.message[0] == '\0'), "\"%s\"", text);
	free(copy);
}

int
main(void)
{
	char many[100];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check_text(cases[i].text, strlen(cases[i].text), cases[i].section,
		           cases[i].key, cases[i].want, cases[i].value);

	check_text("max: 1\0\n", 8, NULL, "max", MMRD_UNSUPPORTED, 0);

	/* A number longer than any number. */
	memset(many, '1', sizeof(many));
	memcpy(many, "max: ", 5);
	check_text(many, sizeof(many) - 1, NULL, "max", MMRD_CORRUPT_DATA, 0);
	return check_result();
}
