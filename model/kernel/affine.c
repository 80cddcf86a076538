/*
 * model/kernel/affine.c
 *	  Scale, shift, shortcut and ReLU, along channels.
 */
#include "model/kernel/affine.h"

#include "model/base/threads.h"

enum
{
	RUN = 256 /* pixels a task */
};

static void
one_pixel(int n, const float *z, const float *scale, const float *shift,
          const float *res, bool relu, float *y)
{
	for (int c = 0; c < n; c++)
	{
		float v = scale != NULL ? z[c] * scale[c] : z[c];

		v += shift != NULL ? shift[c] : 0.0f;
		v += res != NULL ? res[c] : 0.0f;
		y[c] = relu && v < 0 ? 0.0f : v;
	}
}

void
mmrd_affine_run(int n_pixels, int n_channels, const float *z, int z_ld,
                const float *scale, const float *shift, const float *res,
                int res_ld, bool relu, float *y, int y_ld)
{
	for (int p = 0; p < n_pixels; p++)
		one_pixel(n_channels, z + (size_t) p * z_ld, scale, shift,
		          res != NULL ? res + (size_t) p * res_ld : NULL, relu,
		          y + (size_t) p * y_ld);
}

void
mmrd_affine(int N, int pixels, int C, const float *z, int z_ld,
            const mmrd_epilogue *e, float *y, int y_ld)
{
	const int runs = (pixels + RUN - 1) / RUN;

#pragma omp parallel for num_threads(mmrd_threads()) schedule(static)
	for (int task = 0; task < N * runs; task++)
	{
		const int n = task / runs;
		const int from = task % runs * RUN;
		const int count = pixels - from < RUN ? pixels - from : RUN;
		const size_t at = (size_t) n * pixels + from;
		const size_t group = (size_t) (n / e->images_per_group) * C;

		mmrd_affine_run(count, C, z + at * z_ld, z_ld,
		                e->scale != NULL ? e->scale + group : NULL,
		                e->shift != NULL ? e->shift + group : NULL,
		                e->res != NULL ? e->res + at * e->res_ld : NULL,
		                e->res_ld, e->relu, y + at * y_ld, y_ld);
	}
}
