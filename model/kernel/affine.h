/*
 * model/kernel/affine.h
 *	  What follows a convolution: scale, shift, shortcut and ReLU.
 */
#ifndef MMRD_AFFINE_H
#define MMRD_AFFINE_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Describes y = act(scale * z + shift + res) for maps (N, H, W, C).
 *
 * scale, shift		C floats a group of images; a group is images_per_group
 *					consecutive images (the modalities of one batch); NULL
 *					scale: 1, NULL shift: 0
 * res				(N, H, W, C) with res_ld floats a pixel, or NULL
 */
typedef struct mmrd_epilogue
{
	const float *scale;
	const float *shift;
	int images_per_group;
	const float *res;
	int res_ld;
	bool relu;
} mmrd_epilogue;

/* Scale and shift of image n from channel `first` of C on; NULL stays NULL. */
static inline void
mmrd_epilogue_at(const mmrd_epilogue *e, int n, int C, size_t first,
                 const float **scale, const float **shift)
{
	const size_t at = (size_t) (n / e->images_per_group) * (size_t) C + first;

	*scale = e->scale != NULL ? e->scale + at : NULL;
	*shift = e->shift != NULL ? e->shift + at : NULL;
}

/*
 * Apply to one run of n_pixels pixels and n_channels channels.
 *
 * z				n_pixels rows, z_ld apart; y likewise; they may be the same
 * res				first pixel of the shortcut, or NULL
 * scale, shift		of these channels (already moved to the first one)
 */
void mmrd_affine_run(int n_pixels, int n_channels, const float *z, int z_ld,
                     const float *scale, const float *shift, const float *res,
                     int res_ld, bool relu, float *y, int y_ld);

/*
 * Apply e to whole maps, in parallel: z (N, pixels, C) with z_ld, y with y_ld;
 * they may be the same memory when z_ld equals y_ld.
 */
void mmrd_affine(int N, int pixels, int C, const float *z, int z_ld,
                 const mmrd_epilogue *e, float *y, int y_ld);

/* The same, plainly, in double. */
void mmrd_affine_ref(int N, int pixels, int C, const float *z, int z_ld,
                     const mmrd_epilogue *e, float *y, int y_ld);

#endif /* MMRD_AFFINE_H */
