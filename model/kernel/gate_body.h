/*
 * model/kernel/gate_body.h
 *	  Exponentials, and what is made of them, for whatever vectors the
 *	  including file has; after tile_body.h.
 *
 * exp(x) = 2^k exp(r) with k the nearest integer to x / ln 2, so that |r| is
 * at most 0.35, where the power series up to r^7 is within 6e-9 of exp(r): the
 * result is within 2 units in the last place.
 */
#include <math.h>

#ifdef MMRD_FLOAT_IS_DOUBLE

INLINE vec
exponential(vec x)
{
	vec y = {0};

	for (int i = 0; i < LANES; i++)
		y[i] = exp(x[i]);
	return y;
}

#else

#define EXP_MIN (-87.0f) /* below it exp would not be a normal number */
#define EXP_MAX 88.0f
#define ROUNDING 12582912.0f /* 1.5 * 2^23: adding it rounds to an integer */
#define LOG2_E 1.44269504f
#define LN2_HIGH 0.693359375f /* few bits: k times it is exact */
#define LN2_LOW (-2.12194440e-4f)
#define EXPONENT_BITS 23
#define EXPONENT_BIAS 127

/* x where m, else y. */
INLINE vec
chosen(mask m, vec x, vec y)
{
	return (vec) ((m & (mask) x) | (~m & (mask) y));
}

/* NaN stays; what is out of range counts as the end of the range. */
INLINE vec
exponential(vec x)
{
	const vec zero = {0};
	const vec lowest = zero + EXP_MIN;
	const vec highest = zero + EXP_MAX;
	const vec shifted = zero + ROUNDING;
	vec k;
	vec r;
	vec y;
	mask power;

	x = chosen((mask) (x < lowest), lowest, x);
	x = chosen((mask) (x > highest), highest, x);
	k = x * LOG2_E + shifted;
	power = ((mask) k - (mask) shifted + EXPONENT_BIAS) << EXPONENT_BITS;
	k -= shifted;
	r = x - k * LN2_HIGH - k * LN2_LOW;
	y = r * (1.0f / 5040) + (1.0f / 720);
	y = y * r + (1.0f / 120);
	y = y * r + (1.0f / 24);
	y = y * r + (1.0f / 6);
	y = y * r + 0.5f;
	y = y * r + 1.0f;
	y = y * r + 1.0f;
	return y * (vec) power;
}

#endif /* !MMRD_FLOAT_IS_DOUBLE */

static void
exponentials(int n, float *x)
{
	int i = 0;

	for (; i + LANES <= n; i += LANES)
		store(x + i, exponential(load(x + i)));
	if (i < n)
	{
		float rest[LANES] = {0};
		vec y;

		memcpy(rest, x + i, (size_t) (n - i) * sizeof(float));
		y = exponential(load(rest));
		memcpy(x + i, &y, (size_t) (n - i) * sizeof(float));
	}
}

INLINE vec
gated(vec v, vec mean, vec inverse, vec a, vec out)
{
	const vec d = v - mean;
	const vec zero = {0};

	return out + a / (1.0f + exponential(zero - d * d * inverse));
}

static void
gate(int n, const float *v, const float *mean, const float *inverse,
     const float *a, float *out)
{
	int i = 0;

	for (; i + LANES <= n; i += LANES)
		store(out + i, gated(load(v + i), load(mean + i), load(inverse + i),
		                     load(a + i), load(out + i)));
	if (i < n)
	{
		const size_t bytes = (size_t) (n - i) * sizeof(float);
		float rest[5][LANES] = {{0}};
		vec y;

		memcpy(rest[0], v + i, bytes);
		memcpy(rest[1], mean + i, bytes);
		memcpy(rest[2], inverse + i, bytes);
		memcpy(rest[3], a + i, bytes);
		memcpy(rest[4], out + i, bytes);
		y = gated(load(rest[0]), load(rest[1]), load(rest[2]), load(rest[3]),
		          load(rest[4]));
		memcpy(out + i, &y, bytes);
	}
}
