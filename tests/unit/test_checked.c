/*
 * tests/unit/test_checked.c
 *	  Size arithmetic at the edge of size_t.
 */
#include "model/base/checked.h"

#include <stdint.h>

#include "tests/unit/check.h"

static const struct
{
	char op;
	size_t a, b;
	bool fits;
	size_t want;
} cases[] = {
    {'+', 0, 0, true, 0},
    {'+', SIZE_MAX, 0, true, SIZE_MAX},
    {'+', SIZE_MAX, 1, false, 0},
    {'+', SIZE_MAX - 5, 5, true, SIZE_MAX},
    {'+', SIZE_MAX - 5, 6, false, 0},
    {'+', SIZE_MAX, SIZE_MAX, false, 0},
    {'*', 0, SIZE_MAX, true, 0},
    {'*', 1, SIZE_MAX, true, SIZE_MAX},
    {'*', 2, SIZE_MAX, false, 0},
    {'*', 2, SIZE_MAX / 2, true, SIZE_MAX - 1},
    {'*', 2, SIZE_MAX / 2 + 1, false, 0},
    {'*', 123, 4567, true, 561741},
    {'*', SIZE_MAX, SIZE_MAX, false, 0},
    {'*', (size_t) 1 << 32, (size_t) 1 << 31, true, (size_t) 1 << 63},
    {'*', (size_t) 1 << 32, (size_t) 1 << 32, false, 0},
};

int
main(void)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		size_t got = 0;
		const bool fits = cases[i].op == '+'
		                      ? mmrd_size_add(cases[i].a, cases[i].b, &got)
		                      : mmrd_size_mul(cases[i].a, cases[i].b, &got);

		CHECK(fits == cases[i].fits && (!fits || got == cases[i].want),
		      "%zu %c %zu: got %zu, %s", cases[i].a, cases[i].op, cases[i].b,
		      got, fits ? "fits" : "does not fit");
	}
	return check_result();
}
