/*
 * model/input/resize_ref.c
 *	  The reference twin of resize.c: the formula, one output at a time.
 */
#include "model/input/resize.h"

#include <math.h>

static double
sample_at(const mmrd_view *in, int y, int x, int c)
{
	const size_t at = (size_t) y * in->pitch + (size_t) x * in->channels + c;

	switch (in->sample)
	{
		case MMRD_SAMPLE_U8:
			return ((const uint8_t *) in->data)[at];
		case MMRD_SAMPLE_U16:
			return ((const uint16_t *) in->data)[at];
		case MMRD_SAMPLE_F32:
			break;
	}
	return ((const float *) in->data)[at];
}

/* Not yet divided by the sum of a side's weights. */
static double
weight(int i, double centre, double support)
{
	return fmax(0, 1 - fabs(i + 0.5 - centre) / support);
}

void
mmrd_resize_bilinear_ref(const mmrd_view *in, int H, int W,
                         const mmrd_affine *to, float *out)
{
	const double sy = (double) in->height / H;
	const double sx = (double) in->width / W;

	for (int Y = 0; Y < H; Y++)
		for (int X = 0; X < W; X++)
			for (int c = 0; c < to->channels; c++)
			{
				double sum = 0;
				double total = 0;

				for (int y = 0; y < in->height; y++)
				{
					const double wy = weight(y, (Y + 0.5) * sy, fmax(1, sy));

					for (int x = 0; wy > 0 && x < in->width; x++)
					{
						const double w =
						    wy * weight(x, (X + 0.5) * sx, fmax(1, sx));

						if (w > 0)
							sum += w * sample_at(in, y, x,
							                     in->channels == 1 ? 0 : c);
						total += w;
					}
				}
				*out++ = (float) (to->gain[c] * (sum / total) + to->offset[c]);
			}
}
