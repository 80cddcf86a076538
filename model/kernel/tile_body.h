/*
 * model/kernel/tile_body.h
 *	  The two inner products, for whatever vectors the including file has.
 *
 * The includer defines LANES (floats of a vector) and VECTORS (vectors of a
 * row that fit in registers beside 6 rows of sums), and the target.  GCC's and
 * clang's vector extensions do the rest: with constant bounds the loops over
 * rows and vectors unroll and `sum` lives in registers.
 *
 * The product tile holds 6 x (VECTORS * LANES) sums; each step k loads one row
 * of b and one number of each row of a.  With AVX-512 that is 24 fused
 * multiply-adds for 10 loads.
 */
#include <string.h>

typedef float vec __attribute__((vector_size(LANES * sizeof(float))));
#if defined(MMRD_FLOAT_IS_DOUBLE)
typedef long long mask __attribute__((vector_size(LANES * sizeof(float))));
#else
typedef int mask __attribute__((vector_size(LANES * sizeof(float))));
#endif

#define INLINE static inline __attribute__((always_inline))

INLINE vec
load(const float *p)
{
	vec v;

	memcpy(&v, p, sizeof(v));
	return v;
}

INLINE void
store(float *p, vec v)
{
	memcpy(p, &v, sizeof(v));
}

/* Negative to 0; NaN stays. */
INLINE vec
rectify(vec x)
{
	const vec zero = {0};

	return (vec) ((mask) x & ~(mask) (x < zero));
}

/* The epilogue, for channels j and on. */
INLINE vec
finished(vec x, const float *scale, const float *shift, const float *res,
         bool relu, int j)
{
	if (scale != NULL)
		x *= load(scale + j);
	if (shift != NULL)
		x += load(shift + j);
	if (res != NULL)
		x += load(res + j);
	return relu ? rectify(x) : x;
}

INLINE void
tile_rows(const mmrd_tile *t, int at, const int rows, const int vectors)
{
	vec sum[MMRD_TILE_ROWS][VECTORS];
	const float *b = t->b + at;
	const int ldb = t->width;

	for (int r = 0; r < rows; r++)
		for (int v = 0; v < vectors; v++)
			sum[r][v] = (vec){0};
	for (int tap = 0; tap < t->taps; tap++)
	{
		const float *a[MMRD_TILE_ROWS];

		for (int r = 0; r < rows; r++)
			a[r] = t->a[tap * MMRD_TILE_ROWS + r];
		for (int k = 0; k < t->depth; k++, b += ldb)
		{
			vec row[VECTORS];

			for (int v = 0; v < vectors; v++)
				row[v] = load(b + v * LANES);
			for (int r = 0; r < rows; r++)
				for (int v = 0; v < vectors; v++)
					sum[r][v] += a[r][k] * row[v];
		}
	}
	if (t->scale == NULL && t->shift == NULL && t->res == NULL && !t->relu)
	{
		for (int r = 0; r < rows; r++)
			for (int v = 0; v < vectors; v++)
				store(t->c[r] + at + v * LANES, sum[r][v]);
		return;
	}
	for (int r = 0; r < rows; r++)
	{
		for (int v = 0; v < vectors; v++)
		{
			const int j = at + v * LANES;

			store(t->c[r] + j,
			      finished(sum[r][v], t->scale, t->shift,
			               t->res != NULL ? t->res[r] : NULL, t->relu, j));
		}
	}
}

INLINE void
tile_width(const mmrd_tile *t, int at, const int vectors)
{
	switch (t->rows)
	{
		case 6:
			tile_rows(t, at, 6, vectors);
			return;
		case 5:
			tile_rows(t, at, 5, vectors);
			return;
		case 4:
			tile_rows(t, at, 4, vectors);
			return;
		case 3:
			tile_rows(t, at, 3, vectors);
			return;
		case 2:
			tile_rows(t, at, 2, vectors);
			return;
		default:
			tile_rows(t, at, 1, vectors);
	}
}

static void
tile(const mmrd_tile *t)
{
	int at = 0;

	for (; at + VECTORS * LANES <= t->width; at += VECTORS * LANES)
		tile_width(t, at, VECTORS);
	for (; at < t->width; at += LANES)
		tile_width(t, at, 1);
}

INLINE void
outer_rows(const mmrd_outer *o, int at, const int rows, const int vectors)
{
	vec sum[MMRD_TILE_ROWS][VECTORS];

	for (int r = 0; r < rows; r++)
		for (int v = 0; v < vectors; v++)
			sum[r][v] =
			    o->add ? load(o->out + (size_t) r * o->out_ld + at + v * LANES)
			           : (vec){0};
	for (int s = 0; s < o->n_segments; s++)
	{
		const float *x = o->segments[s].x + o->x_at;
		const float *dy = o->segments[s].dy + o->dy_at + at;

		for (int p = 0; p < o->segments[s].n; p++)
		{
			vec row[VECTORS];

			for (int v = 0; v < vectors; v++)
				row[v] = load(dy + v * LANES);
			for (int r = 0; r < rows; r++)
				for (int v = 0; v < vectors; v++)
					sum[r][v] += x[r] * row[v];
			x += o->x_step;
			dy += o->dy_step;
		}
	}
	for (int r = 0; r < rows; r++)
		for (int v = 0; v < vectors; v++)
			store(o->out + (size_t) r * o->out_ld + at + v * LANES, sum[r][v]);
}

INLINE void
outer_width(const mmrd_outer *o, int at, const int vectors)
{
	switch (o->rows)
	{
		case 6:
			outer_rows(o, at, 6, vectors);
			return;
		case 5:
			outer_rows(o, at, 5, vectors);
			return;
		case 4:
			outer_rows(o, at, 4, vectors);
			return;
		case 3:
			outer_rows(o, at, 3, vectors);
			return;
		case 2:
			outer_rows(o, at, 2, vectors);
			return;
		default:
			outer_rows(o, at, 1, vectors);
	}
}

static void
outer(const mmrd_outer *o)
{
	int at = 0;

	for (; at + VECTORS * LANES <= o->width; at += VECTORS * LANES)
		outer_width(o, at, VECTORS);
	for (; at < o->width; at += LANES)
		outer_width(o, at, 1);
}
