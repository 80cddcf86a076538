/*
 * model/kernel/blur.h
 *	  Gaussian smoothing of an anomaly map (network.md 5).
 */
#ifndef MMRD_BLUR_H
#define MMRD_BLUR_H

enum
{
	MMRD_BLUR_RADIUS = 16 /* pixels: four standard deviations */
};

/* Standard deviation, pixels; scipy's gaussian_filter(sigma=4) */
#define MMRD_BLUR_SIGMA 4.0

/*
 * y = x smoothed by a Gaussian, separable, weights summing to 1, the map
 * continued by half-sample reflection (d c b a | a b c d | d c b a).
 *
 * x, y		(S, S); may be the same array; S at least MMRD_BLUR_RADIUS
 * work		S * S floats, overlapping neither
 */
void mmrd_blur(int S, const float *x, float *y, float *work);

/* The same, plainly, in double; x and y do not overlap. */
void mmrd_blur_ref(int S, const float *x, float *y);

#endif /* MMRD_BLUR_H */
