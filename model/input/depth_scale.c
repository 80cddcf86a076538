/*
 * model/input/depth_scale.c
 *	  Scaling depth and filling its holes.
 */
#include "model/input/depth_scale.h"

#include "model/base/threads.h"

bool
mmrd_depth_range(size_t n, const float *value, const uint8_t *use, float *lo,
                 float *hi)
{
	bool found = false;

	*lo = 0;
	*hi = 0;
	for (size_t i = 0; i < n; i++)
	{
		if (!use[i])
			continue;
		if (!found || value[i] < *lo)
			*lo = value[i];
		if (!found || value[i] > *hi)
			*hi = value[i];
		found = true;
	}
	return found;
}

void
mmrd_depth_scale(size_t n, const float *value, const uint8_t *use, float lo,
                 float hi, float *out)
{
	/* In double: hi - lo may be beyond a float, and may be tiny. */
	const double span = (double) hi - lo;
	const double gain =
	    span > 0 ? (MMRD_DEPTH_HIGH - MMRD_DEPTH_LOW) / span : 0;
	const double base = span > 0 ? MMRD_DEPTH_LOW : MMRD_DEPTH_FLAT;

	for (size_t i = 0; i < n; i++)
	{
		const float v = value[i] < lo ? lo : value[i] > hi ? hi : value[i];

		out[i] = use[i] ? (float) (base + gain * ((double) v - lo)) : 0;
	}
}

void
mmrd_depth_fill(int H, int W, const uint8_t *mask, const float *in, float *out)
{
#pragma omp parallel for schedule(static) num_threads(mmrd_threads())
	for (int y = 0; y < H; y++)
	{
		const int y0 = y > 0 ? y - 1 : 0;
		const int y1 = y < H - 1 ? y + 1 : H - 1;

		for (int x = 0; x < W; x++)
		{
			const size_t at = (size_t) y * W + x;
			const int x0 = x > 0 ? x - 1 : 0;
			const int x1 = x < W - 1 ? x + 1 : W - 1;
			float sum = 0;
			int count = 0;

			out[at] = in[at];
			if (!mask[at] || in[at] != 0)
				continue;
			for (int v = y0; v <= y1; v++)
				for (int u = x0; u <= x1; u++)
					if (in[(size_t) v * W + u] > 0)
					{
						sum += in[(size_t) v * W + u];
						count++;
					}
			if (count > 0)
				out[at] = sum / (float) count;
		}
	}
}
