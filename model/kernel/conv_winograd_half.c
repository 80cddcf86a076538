/*
 * model/kernel/conv_winograd_half.c
 *	  Winograd's F(4x4, 3x3) with products of bfloat16 numbers.
 *
 * As conv_winograd.c: transforms in float32, V = B^T d B and U = G g G^T
 * rounded, the 36 products summed in float32.  Rounding in the transformed
 * domain adds an error of 1.2 % of a sum's magnitude (docs/numerics.md), where
 * rounding maps and weights adds 0.2 %; the products cost a quarter.
 *
 * U is packed where it is small; elsewhere g is, by pairs of channels in, and
 * the task that uses it transforms DEPTH channels at a time.
 */
#include "model/base/threads.h"
#include "model/kernel/conv_method.h"

#ifndef MMRD_FLOAT_IS_DOUBLE

#ifdef _OPENMP
#include <omp.h>
#else
#define omp_get_thread_num() 0
#endif

enum
{
	TILES = MMRD_WINO_TILES,
	DEPTH = 64,              /* channels in of weights transformed at once */
	SUPER_NUMBERS = 1 << 20, /* of V in a super-block: 2 MB */
	LINE = 32,               /* numbers of a cache line */
	U_PLANE = DEPTH * MMRD_PANEL + LINE,
	STRIP = 64 /* channels of a task of phase 1 */
};

static int
super_tiles(const mmrd_conv_shape *s)
{
	int n = SUPER_NUMBERS / (MMRD_WINO * s->C) / TILES * TILES;

	n = n < TILES ? TILES : n;
	return mmrd_smaller(n, mmrd_wino_tiles(s));
}

static size_t
v_plane(const mmrd_conv_shape *s)
{
	return mmrd_wino_plane((size_t) super_tiles(s) * s->C, LINE);
}

size_t
mmrd_half_wino_packed(const mmrd_conv_shape *s)
{
	return (size_t) s->C * s->O * (mmrd_wino_stored(s) ? MMRD_WINO : 9);
}

/* Two channels in, nine taps of pairs of a panel, rounded, to g. */
static void
gather_pairs(const mmrd_conv_shape *s, const float *w, int c, int o0,
             int width, uint16_t *g)
{
	uint16_t row[2][MMRD_PANEL];

	for (int t = 0; t < 9; t++)
	{
		for (int i = 0; i < 2; i++)
			mmrd_isa_get()->half_round(
			    width, w + ((size_t) t * s->C + c + i) * s->O + o0, row[i]);
		for (int o = 0; o < width; o++)
		{
			g[2 * (t * width + o)] = row[0][o];
			g[2 * (t * width + o) + 1] = row[1][o];
		}
	}
}

/*
 * Stored: panel by panel, place by place, (C / 2, width, 2).  Otherwise:
 * panel by panel, pair by pair of channels in, (9, width, 2).
 */
void
mmrd_half_wino_pack(const mmrd_conv_shape *s, const float *w, uint16_t *packed)
{
	const int panels = mmrd_blocks(s->O, MMRD_PANEL);
	const int pairs = s->C / 2;
	const bool transformed = mmrd_wino_stored(s);

#pragma omp parallel for num_threads(mmrd_threads()) schedule(static)
	for (int task = 0; task < panels * pairs; task++)
	{
		const int o0 = task / pairs * MMRD_PANEL;
		const int c = task % pairs * 2;
		const int width = mmrd_smaller(s->O - o0, MMRD_PANEL);
		uint16_t g[9 * 2 * MMRD_PANEL];

		gather_pairs(s, w, c, o0, width,
		             transformed ? g
		                         : packed + (size_t) o0 * 9 * s->C +
		                               (size_t) c * 9 * width);
		if (transformed)
			mmrd_isa_get()->half_wino_weight(
			    width, g,
			    packed + (size_t) o0 * MMRD_WINO * s->C + (size_t) c * width,
			    (size_t) s->C * width);
	}
}

size_t
mmrd_half_wino_shared(const mmrd_conv_shape *s)
{
	return MMRD_WINO * v_plane(s) / 2;
}

size_t
mmrd_half_wino_thread(const mmrd_conv_shape *s)
{
	return (size_t) MMRD_WINO * MMRD_WINO_M_PLANE +
	       (mmrd_wino_stored(s) ? 0 : (size_t) MMRD_WINO * U_PLANE / 2);
}

/*
 * M (+)= V U over `depth` channels, at all 36 places, n tiles.  v: places
 * v_plane apart, tiles C apart; u: 36 matrices of pairs, u_plane apart.
 */
static void
multiply(int n, int width, int depth, bool add, const uint16_t *v,
         size_t v_plane, int C, const uint16_t *u, size_t u_plane, float *m)
{
	for (int place = 0; place < MMRD_WINO; place++)
	{
		const uint16_t *from = v + place * v_plane;
		float *to = m + (size_t) place * MMRD_WINO_M_PLANE;
		mmrd_half_tile t = {0};

		t.width = width;
		t.taps = 1;
		t.depth = depth;
		t.b = u + place * u_plane;
		for (int i = 0; i < n; i += MMRD_TILE_ROWS)
		{
			const uint16_t *a[MMRD_TILE_ROWS];
			float *c[MMRD_TILE_ROWS];

			t.rows = mmrd_smaller(n - i, MMRD_TILE_ROWS);
			for (int r = 0; r < t.rows; r++)
			{
				a[r] = from + (size_t) (i + r) * C;
				c[r] = to + (size_t) (i + r) * MMRD_PANEL;
			}
			t.a = a;
			t.c = c;
			t.start = add ? (const float *const *) c : NULL;
			mmrd_isa_get()->half_tile(&t);
		}
	}
}

/* One panel and n tiles from `first`, whose V starts at v. */
static void
product_task(const mmrd_conv_shape *s, int panel, int first, int n,
             const uint16_t *v, size_t v_plane, const uint16_t *packed,
             const mmrd_epilogue *e, float *y, float *scratch)
{
	const int o0 = panel * MMRD_PANEL;
	const int width = mmrd_smaller(s->O - o0, MMRD_PANEL);
	float *m = scratch;
	uint16_t *u =
	    (uint16_t *) (scratch + (size_t) MMRD_WINO * MMRD_WINO_M_PLANE);

	if (mmrd_wino_stored(s))
		multiply(n, width, s->C, false, v, v_plane, s->C,
		         packed + (size_t) o0 * MMRD_WINO * s->C,
		         (size_t) s->C * width, m);
	else
	{
		for (int c0 = 0; c0 < s->C; c0 += DEPTH)
		{
			const int depth = mmrd_smaller(s->C - c0, DEPTH);
			const uint16_t *g =
			    packed + (size_t) o0 * 9 * s->C + (size_t) c0 * 9 * width;

			for (int c = 0; c < depth; c += 2)
				mmrd_isa_get()->half_wino_weight(
				    width, g + (size_t) c * 9 * width, u + (size_t) c * width,
				    U_PLANE);
			multiply(n, width, depth, c0 > 0, v + c0, v_plane, s->C, u,
			         U_PLANE, m);
		}
	}
	mmrd_wino_outputs(s, first, n, o0, width, m, e, y);
}

void
mmrd_half_wino_run(const mmrd_conv_shape *s, const float *x,
                   const uint16_t *packed, const mmrd_epilogue *e, float *y,
                   float *work)
{
	const int total = mmrd_wino_tiles(s);
	const int super = super_tiles(s);
	const int panels = mmrd_blocks(s->O, MMRD_PANEL);
	const int strips = mmrd_blocks(s->C, STRIP);
	const size_t plane = v_plane(s);
	const size_t scratch = mmrd_half_wino_thread(s);
	uint16_t *v = (uint16_t *) work;
	float *own = work + mmrd_half_wino_shared(s);

#pragma omp parallel num_threads(mmrd_threads())
	for (int base = 0; base < total; base += super)
	{
		const int n = mmrd_smaller(total - base, super);
		const int runs = mmrd_blocks(n, TILES);
		const int run =
		    mmrd_blocks(mmrd_blocks(n, runs), MMRD_TILE_ROWS) * MMRD_TILE_ROWS;
		const int real_runs = mmrd_blocks(n, run);

#pragma omp for schedule(static)
		for (int task = 0; task < n * strips; task++)
		{
			const int t = task / strips;
			const int c0 = task % strips * STRIP;
			const float *d[MMRD_WINO];

			mmrd_wino_inputs(s, x, base + t, c0, d);
			mmrd_isa_get()->half_wino_input(mmrd_smaller(s->C - c0, STRIP), d,
			                                v + (size_t) t * s->C + c0, plane);
		}
#pragma omp for schedule(dynamic)
		for (int task = 0; task < panels * real_runs; task++)
		{
			const int at = task % real_runs * run;

			product_task(s, task / real_runs, base + at,
			             mmrd_smaller(n - at, run), v + (size_t) at * s->C,
			             plane, packed, e, y,
			             own + scratch * (size_t) omp_get_thread_num());
		}
	}
}

#endif /* !MMRD_FLOAT_IS_DOUBLE */
