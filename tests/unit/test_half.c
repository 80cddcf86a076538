/*
 * tests/unit/test_half.c
 *	  Every binary16 value survives the way to float and back, and rounding
 *	  is to nearest even.
 */
#include "model/base/half.h"

#include <math.h>
#include <stdlib.h>

#include "tests/unit/check.h"

static void
test_every_f16(void)
{
	for (uint32_t h = 0; h < 0x10000; h++)
	{
		const float f = mmrd_f16_to_float((uint16_t) h);
		const uint16_t back = mmrd_f16_from_float(f);
		const int is_nan = (h & 0x7c00) == 0x7c00 && (h & 0x3ff) != 0;

		if (is_nan)
			CHECK(isnan(f) && (back & 0x7fff) > 0x7c00, "0x%04x", h);
		else
			CHECK(back == h, "0x%04x came back as 0x%04x", h, back);
	}
}

/* Between two neighbours, the nearer one wins, the even one on a tie. */
static void
test_f16_rounding(void)
{
	for (uint32_t h = 0; h < 0x7bff; h++)
	{
		const float lo = mmrd_f16_to_float((uint16_t) h);
		const float hi = mmrd_f16_to_float((uint16_t) (h + 1));
		const float middle = lo + (hi - lo) / 2;
		const uint16_t even = (uint16_t) (h & 1 ? h + 1 : h);

		CHECK(mmrd_f16_from_float(middle) == even, "tie above 0x%04x", h);
		CHECK(mmrd_f16_from_float(nextafterf(middle, 0)) == h,
		      "below the tie above 0x%04x", h);
		CHECK(mmrd_f16_from_float(nextafterf(middle, INFINITY)) == h + 1,
		      "beyond the tie above 0x%04x", h);
	}
	CHECK(mmrd_f16_from_float(65520.0f) == 0x7c00, "65520 is not infinity");
	CHECK(mmrd_f16_from_float(65519.9f) == 0x7bff, "65519.9 overflowed");
}

static void
test_bulk(void)
{
	enum
	{
		N = 37
	};
	float x[N];
	uint16_t h[N];
	float y[N];

	for (int i = 0; i < N; i++)
		x[i] = ldexpf((float) (i - 18) * 1.234567f, i - 20);
	mmrd_f16_from_floats(N, x, h);
	mmrd_f16_to_floats(N, h, y);
	for (int i = 0; i < N; i++)
	{
		CHECK(h[i] == mmrd_f16_from_float(x[i]), "bulk differs at %d", i);
		CHECK(y[i] == mmrd_f16_to_float(h[i]), "bulk differs at %d", i);
	}
}

static void
test_bf16(void)
{
	CHECK(mmrd_bf16_from_float(1.0f) == 0x3f80, "1.0");
	CHECK(mmrd_bf16_from_float(1.00390625f) == 0x3f80, "tie to even");
	CHECK(mmrd_bf16_from_float(1.01171875f) == 0x3f82, "tie to even, up");
	CHECK(isnan(mmrd_bf16_to_float(mmrd_bf16_from_float(NAN))), "NaN");
	for (uint32_t h = 0; h < 0x7f80; h++)
		CHECK(mmrd_bf16_from_float(mmrd_bf16_to_float((uint16_t) h)) == h,
		      "0x%04x", h);
}

int
main(void)
{
	test_every_f16();
	test_f16_rounding();
	test_bulk();
	test_bf16();
	return check_result();
}
