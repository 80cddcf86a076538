/*
 * model/kernel/cosine_map_ref.c
 *	  The reference twin of cosine_map.c: the formula, one pixel at a time.
 */
#include "model/kernel/cosine_map.h"

#include <math.h>
#include <stddef.h>

void
mmrd_cosine_map_ref(int P, int C, const float *t, int t_ld, const float *s,
                    int s_ld, float *map)
{
	for (int p = 0; p < P; p++)
	{
		double ts = 0;
		double tt = 0;
		double ss = 0;

		for (int c = 0; c < C; c++)
		{
			const double a = t[(size_t) p * t_ld + c];
			const double b = s[(size_t) p * s_ld + c];

			ts += a * b;
			tt += a * a;
			ss += b * b;
		}
		map[p] =
		    (float) (1 - ts / (fmax(sqrt(tt), (double) MMRD_COSINE_MIN_NORM) *
		                       fmax(sqrt(ss), (double) MMRD_COSINE_MIN_NORM)));
	}
}
