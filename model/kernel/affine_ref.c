/*
 * model/kernel/affine_ref.c
 *	  The reference twin of affine.c: the formula, one value at a time.
 */
#include "model/kernel/affine.h"

void
mmrd_affine_ref(int N, int pixels, int C, const float *z, int z_ld,
                const mmrd_epilogue *e, float *y, int y_ld)
{
	for (int n = 0; n < N; n++)
	{
		const size_t group = (size_t) (n / e->images_per_group) * C;

		for (int i = 0; i < pixels; i++)
		{
			const size_t p = (size_t) n * pixels + i;

			for (int c = 0; c < C; c++)
			{
				double v = z[p * z_ld + c];

				if (e->scale != NULL)
					v *= e->scale[group + c];
				if (e->shift != NULL)
					v += e->shift[group + c];
				if (e->res != NULL)
					v += e->res[p * e->res_ld + c];
				if (e->relu && v < 0)
					v = 0;
				y[p * y_ld + c] = (float) v;
			}
		}
	}
}
