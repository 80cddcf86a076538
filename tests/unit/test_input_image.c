/*
 * tests/unit/test_input_image.c
 *	  Range and normalisation of pictures, grey, 16 bits, roi, refusals.
 */
#include "model/input/input_image.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/check.h"

enum
{
	S = 4
};

/* A picture of one colour stays one colour, whatever the resize does. */
static void
flat(mmrd_sample sample, int channels, const double colour[3])
{
	enum
	{
		H = 7,
		W = 9
	};
	const double full = sample == MMRD_SAMPLE_U8 ? 255 : 65535;
	uint8_t u8[H * W * 3];
	uint16_t u16[H * W * 3];
	mmrd_raster r = {sample, channels, H, W,
	                 sample == MMRD_SAMPLE_U8 ? (void *) u8 : (void *) u16};
	float out[S * S * 3];
	mmrd_error err = {0};

	for (int i = 0; i < H * W * channels; i++)
	{
		u8[i] = (uint8_t) (colour[i % channels] * 255 + 0.5);
		u16[i] = (uint16_t) (colour[i % channels] * 65535 + 0.5);
	}
	memset(out, 0xff, sizeof(out));
	CHECK(mmrd_input_image(&r, NULL, S, out, &err) == MMRD_OK, "%s",
	      err.message);
	for (int i = 0; i < S * S * 3; i++)
	{
		const int c = i % 3;
		const int from = channels == 1 ? 0 : c;
		const double v =
		    (sample == MMRD_SAMPLE_U8 ? u8[from] : u16[from]) / full;
		const double want = (v - mmrd_input_mean[c]) / mmrd_input_std[c];

		/* Values up to 3, a dozen roundings. */
		CHECK(fabs(out[i] - want) <= 5e-6,
		      "sample %d, %d channels, at %d: got %.9g, want %.9g", sample,
		      channels, i, out[i], want);
	}
}

static void
test_roi(void)
{
	uint8_t data[6 * 6 * 3];
	mmrd_raster r = {MMRD_SAMPLE_U8, 3, 6, 6, data};
	const mmrd_roi inner = {2, 3, 3, 2};
	const mmrd_roi outside = {4, 0, 3, 2};
	float out[S * S * 3];
	mmrd_error err = {0};

	memset(data, 255, sizeof(data));
	for (int y = 3; y < 5; y++)
		memset(data + (y * 6 + 2) * 3, 0, 9);
	memset(out, 0xff, sizeof(out));
	CHECK(mmrd_input_image(&r, &inner, S, out, &err) == MMRD_OK, "%s",
	      err.message);
	for (int i = 0; i < S * S * 3; i++)
		CHECK(fabsf(out[i] + mmrd_input_mean[i % 3] / mmrd_input_std[i % 3]) <
		          1e-6f,
		      "something from outside the roi at %d: %.9g", i, out[i]);
	CHECK(mmrd_input_image(&r, &outside, S, out, &err) ==
	          MMRD_INVALID_ARGUMENT,
	      "a roi outside passed");
}

static void
test_refusals(void)
{
	float data[4 * 4 * 3] = {0};
	mmrd_raster r = {MMRD_SAMPLE_F32, 3, 4, 4, data};
	float out[S * S * 3];
	mmrd_error err = {0};

	CHECK(mmrd_input_image(&r, NULL, S, out, &err) == MMRD_UNSUPPORTED,
	      "float samples passed");
	CHECK(err.hint[0] != '\0', "no hint");
	r.sample = MMRD_SAMPLE_U8;
	CHECK(mmrd_input_image(&r, NULL, 0, out, &err) == MMRD_INVALID_ARGUMENT,
	      "size 0 passed");
	CHECK(mmrd_input_image(&r, NULL, MMRD_INPUT_MAX_SIDE + 1, out, &err) ==
	          MMRD_INVALID_ARGUMENT,
	      "a huge size passed");
}

int
main(void)
{
	static const double black[3] = {0, 0, 0};
	static const double white[3] = {1, 1, 1};
	static const double mixed[3] = {0.1, 0.7, 0.4};

	for (int channels = 1; channels <= 3; channels += 2)
		for (int s = 0; s < 2; s++)
		{
			flat((mmrd_sample) s, channels, black);
			flat((mmrd_sample) s, channels, white);
			flat((mmrd_sample) s, channels, mixed);
		}
	test_roi();
	test_refusals();
	return check_result();
}
