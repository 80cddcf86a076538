/*
 * model/kernel/conv_winograd.c
 *	  3x3 convolutions of stride 1 by Winograd's F(4x4, 3x3).
 *
 * An output tile of 4x4 pixels needs an input tile of 6x6.  In the transformed
 * domain each of the 36 places is a plain product over channels:
 *
 *	  Y = A^T [ (G g G^T) . (B^T d B) ] A	(Lavin and Gray, CVPR 2016)
 *
 * 36 multiplications for 16 outputs, where the direct way has 144.  The work
 * goes super-block by super-block of tiles, each in two parallel phases:
 *
 *	  1. V = B^T d B for all tiles and channels of the super-block
 *	  2. for a panel of output channels and up to TILES tiles: 36 products
 *	     M = V U, then the output transform with the epilogue
 *
 * U = G g G^T is four times as large as g.  Small weights are packed
 * transformed; large ones are packed as g and transformed by the task that
 * uses them, DEPTH input channels at a time: that costs a few per cent of the
 * products and saves three quarters of the memory traffic.
 *
 * The gradient by the weights is dg = G^T [ sum over tiles V^T Z ] G with Z =
 *A dy A^T: phase 1 makes V and Z, phase 2 adds the products to the 36
 *matrices, each owned by one task, and at the end they are transformed back.
 */
#include "model/kernel/conv_method.h"

#include <string.h>

#include "model/base/threads.h"
#include "model/kernel/isa.h"

#ifdef _OPENMP
#include <omp.h>
#else
#define omp_get_thread_num() 0
#endif

enum
{
	TILES = MMRD_WINO_TILES, /* tiles of a task of phase 2 */
	DEPTH = 64,              /* channels in of weights transformed at once */
	SUPER_FLOATS = 1 << 20,  /* of V in a super-block: 4 MB */
	STRIP = 64,              /* channels of a task of phase 1 */
	MAX_CHANNELS = 8192,     /* what `zeros` covers */
	LINE = 16,               /* floats of a cache line */
	U_PLANE = DEPTH * MMRD_PANEL + LINE,
	SIDE = 6 /* of an input tile */
};

static const float zeros[MAX_CHANNELS];

/* Tiles of a super-block: a multiple of TILES, V within SUPER_FLOATS. */
static int
super_tiles(const mmrd_conv_shape *s)
{
	int n = SUPER_FLOATS / (MMRD_WINO * s->C) / TILES * TILES;

	n = n < TILES ? TILES : n;
	return mmrd_smaller(n, mmrd_wino_tiles(s));
}

static size_t
v_plane(const mmrd_conv_shape *s)
{
	return mmrd_wino_plane((size_t) super_tiles(s) * s->C, LINE);
}

size_t
mmrd_wino_packed(const mmrd_conv_shape *s)
{
	return (size_t) s->C * s->O * (mmrd_wino_stored(s) ? MMRD_WINO : 9);
}

/* One input channel's 9 x width weights of a panel, to g. */
static void
gather_weights(const mmrd_conv_shape *s, const float *w, bool flip, int c,
               int o0, int width, float *g)
{
	for (int t = 0; t < 9; t++)
	{
		for (int o = 0; o < width; o++)
			g[t * width + o] =
			    flip ? w[((size_t) (8 - t) * s->O + o0 + o) * s->C + c]
			         : w[((size_t) t * s->C + c) * s->O + o0 + o];
	}
}

/*
 * Stored: panel by panel, place by place, (C, width).  Otherwise: panel by
 * panel, channel by channel, (9, width).
 */
void
mmrd_wino_pack(const mmrd_conv_shape *s, const float *w, bool flip,
               float *packed)
{
	const int panels = mmrd_blocks(s->O, MMRD_PANEL);
	const int strips = mmrd_blocks(s->C, 16);
	const bool transformed = mmrd_wino_stored(s);

#pragma omp parallel for num_threads(mmrd_threads()) schedule(static)
	for (int task = 0; task < panels * strips; task++)
	{
		const int o0 = task / strips * MMRD_PANEL;
		const int width = mmrd_smaller(s->O - o0, MMRD_PANEL);
		const int c0 = task % strips * 16;
		float g[9 * MMRD_PANEL];

		for (int c = c0; c < mmrd_smaller(s->C, c0 + 16); c++)
		{
			if (transformed)
			{
				gather_weights(s, w, flip, c, o0, width, g);
				mmrd_isa_get()->wino_weight(
				    width, g,
				    packed + (size_t) o0 * MMRD_WINO * s->C +
				        (size_t) c * width,
				    (size_t) s->C * width);
			}
			else
				gather_weights(s, w, flip, c, o0, width,
				               packed + (size_t) o0 * 9 * s->C +
				                   (size_t) c * 9 * width);
		}
	}
}

size_t
mmrd_wino_shared(const mmrd_conv_shape *s)
{
	return MMRD_WINO * v_plane(s);
}

size_t
mmrd_wino_thread(const mmrd_conv_shape *s)
{
	return (size_t) MMRD_WINO * MMRD_WINO_M_PLANE +
	       (mmrd_wino_stored(s) ? 0 : (size_t) MMRD_WINO * U_PLANE);
}

void
mmrd_wino_place(const mmrd_conv_shape *s, int t, int *n, int *y, int *x)
{
	const int across = mmrd_blocks(s->OW, 4);
	const int down = mmrd_blocks(s->OH, 4);

	*n = t / (across * down);
	*y = t / across % down * 4;
	*x = t % across * 4;
}

void
mmrd_wino_inputs(const mmrd_conv_shape *s, const float *x, int t, int c0,
                 const float *d[SIDE * SIDE])
{
	int image;
	int y0;
	int x0;

	mmrd_wino_place(s, t, &image, &y0, &x0);
	for (int i = 0; i < SIDE * SIDE; i++)
	{
		const int h = y0 - 1 + i / SIDE;
		const int w = x0 - 1 + i % SIDE;

		d[i] =
		    h < 0 || h >= s->H || w < 0 || w >= s->W
		        ? zeros
		        : x + (((size_t) image * s->H + h) * s->W + w) * s->x_ld + c0;
	}
}

/* Phase 1: V of tile t, channels c0 .. c0+n-1. */
static void
transform_input(const mmrd_conv_shape *s, const float *x, int t, int c0, int n,
                float *v, size_t plane)
{
	const float *d[SIDE * SIDE];

	mmrd_wino_inputs(s, x, t, c0, d);
	mmrd_isa_get()->wino_input(n, d, v, plane);
}

/* The last step of a task. */
void
mmrd_wino_outputs(const mmrd_conv_shape *s, int first, int n, int o0,
                  int width, const float *m, const mmrd_epilogue *e, float *y)
{
	for (int i = 0; i < n; i++)
	{
		float *out[16];
		const float *res[16];
		const float *scale = NULL;
		const float *shift = NULL;
		int image;
		int y0;
		int x0;

		mmrd_wino_place(s, first + i, &image, &y0, &x0);
		for (int k = 0; k < 16; k++)
		{
			const int h = y0 + k / 4;
			const int w = x0 + k % 4;
			const size_t p = ((size_t) image * s->OH + h) * s->OW + w;

			out[k] = NULL;
			if (h >= s->OH || w >= s->OW)
				continue;
			out[k] = y + p * s->y_ld + o0;
			if (e != NULL && e->res != NULL)
				res[k] = e->res + p * e->res_ld + o0;
		}
		if (e != NULL)
			mmrd_epilogue_at(e, image, s->O, o0, &scale, &shift);
		mmrd_isa_get()->wino_output(width, m + (size_t) i * MMRD_PANEL,
		                            (size_t) MMRD_WINO_M_PLANE, out,
		                            e != NULL && e->res != NULL ? res : NULL,
		                            scale, shift, e != NULL && e->relu);
	}
}

/* M (+)= V U over `depth` channels from c0, at all 36 places, n tiles. */
typedef struct product
{
	const float *v; /* 36 planes (n, C), v_plane apart */
	size_t v_plane;
	int n, C, c0, depth, width;
	bool add;
	const float *u; /* 36 matrices (depth, width), u_plane apart */
	size_t u_plane;
	float *m;          /* 36 planes, MMRD_WINO_M_PLANE apart */
	const float *next; /* lines that are needed after this product */
	size_t n_next;
} product;

/* Large weights come from memory, and their transform would wait for it: they
 * are fetched while the product before it keeps the processor busy. */
static void
fetch_next(const product *p, size_t place)
{
	const size_t end = (place + 1) * p->n_next / MMRD_WINO;

	for (size_t i = place * p->n_next / MMRD_WINO; i < end; i++)
		__builtin_prefetch(p->next + i * LINE, 0, 2);
}

static void
multiply(const product *p)
{
	const mmrd_isa *isa = mmrd_isa_get();

	for (int place = 0; place < MMRD_WINO; place++)
	{
		const float *from = p->v + place * p->v_plane + p->c0;
		float *to = p->m + (size_t) place * MMRD_WINO_M_PLANE;
		mmrd_tile t = {0};

		fetch_next(p, (size_t) place);
		t.width = p->width;
		t.taps = 1;
		t.depth = p->depth;
		t.b = p->u + place * p->u_plane;
		for (int i = 0; i < p->n; i += MMRD_TILE_ROWS)
		{
			const float *a[MMRD_TILE_ROWS];
			float *c[MMRD_TILE_ROWS];

			t.rows = mmrd_smaller(p->n - i, MMRD_TILE_ROWS);
			for (int r = 0; r < t.rows; r++)
			{
				a[r] = from + (size_t) (i + r) * p->C;
				c[r] = to + (size_t) (i + r) * MMRD_PANEL;
			}
			t.a = a;
			t.c = c;
			t.res = p->add ? (const float *const *) c : NULL;
			isa->tile(&t);
		}
	}
}

/* Where the weights of channel c are, and floats from one to the next. */
static const float *
weights_at(const mmrd_conv_shape *s, const float *packed, int panel, int c)
{
	const size_t before = (size_t) panel * MMRD_PANEL * 9 * s->C;

	return packed + before + (size_t) c * 9 * mmrd_panel_width(s->O, panel);
}

/* Weights that are packed as g: transformed here, DEPTH channels at a time. */
static void
multiply_untransformed(const mmrd_conv_shape *s, int panel,
                       const float *packed, float *u, product *p)
{
	p->u = u;
	p->u_plane = U_PLANE;
	for (int c0 = 0; c0 < s->C; c0 += DEPTH)
	{
		const float *g = weights_at(s, packed, panel, c0);
		const int after = mmrd_smaller(s->C - c0, 2 * DEPTH);

		p->c0 = c0;
		p->depth = mmrd_smaller(s->C - c0, DEPTH);
		p->add = c0 > 0;
		p->next = g + (size_t) p->depth * 9 * p->width;
		p->n_next = (size_t) (after - p->depth) * 9 * p->width / LINE;
		for (int c = 0; c < p->depth; c++)
			mmrd_isa_get()->wino_weight(p->width,
			                            g + (size_t) c * 9 * p->width,
			                            u + (size_t) c * p->width, U_PLANE);
		multiply(p);
	}
}

/* Phase 2: one panel and n tiles from `first`, whose V starts at v. */
static void
product_task(const mmrd_conv_shape *s, int panel, int first, int n,
             const float *v, size_t v_plane, const float *packed,
             const mmrd_epilogue *e, float *y, float *scratch)
{
	const int o0 = panel * MMRD_PANEL;
	product p = {0};

	p.v = v;
	p.v_plane = v_plane;
	p.n = n;
	p.C = s->C;
	p.width = mmrd_panel_width(s->O, panel);
	p.m = scratch;
	if (mmrd_wino_stored(s))
	{
		p.depth = s->C;
		p.u = packed + (size_t) o0 * MMRD_WINO * s->C;
		p.u_plane = (size_t) s->C * p.width;
		multiply(&p);
	}
	else
		multiply_untransformed(
		    s, panel, packed, scratch + (size_t) MMRD_WINO * MMRD_WINO_M_PLANE,
		    &p);
	mmrd_wino_outputs(s, first, n, o0, p.width, p.m, e, y);
}

void
mmrd_wino_run(const mmrd_conv_shape *s, const float *x, const float *packed,
              const mmrd_epilogue *e, float *y, float *work)
{
	const int total = mmrd_wino_tiles(s);
	const int super = super_tiles(s);
	const int panels = mmrd_blocks(s->O, MMRD_PANEL);
	const int strips = mmrd_blocks(s->C, STRIP);
	const size_t plane = v_plane(s);
	const size_t scratch = mmrd_wino_thread(s);
	float *v = work;
	float *own = work + mmrd_wino_shared(s);

#pragma omp parallel num_threads(mmrd_threads())
	for (int base = 0; base < total; base += super)
	{
		const int n = mmrd_smaller(total - base, super);
		const int runs = mmrd_blocks(n, TILES);
		/* Even runs, in whole product tiles: 40 tiles are 24 + 16. */
		const int run =
		    mmrd_blocks(mmrd_blocks(n, runs), MMRD_TILE_ROWS) * MMRD_TILE_ROWS;
		const int real_runs = mmrd_blocks(n, run);

#pragma omp for schedule(static)
		for (int task = 0; task < n * strips; task++)
		{
			const int t = task / strips;
			const int c0 = task % strips * STRIP;

			transform_input(s, x, base + t, c0, mmrd_smaller(s->C - c0, STRIP),
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

/* --- gradient by the weights --- */

/* Tiles of a chunk: V and Z together within 4 * SUPER_FLOATS. */
static int
chunk_tiles(const mmrd_conv_shape *s)
{
	int n = 4 * SUPER_FLOATS / (MMRD_WINO * (s->C + s->O));

	n = n < 16 ? 16 : n > 256 ? 256 : n;
	return mmrd_smaller(n, mmrd_wino_tiles(s));
}

size_t
mmrd_wino_weight_shared(const mmrd_conv_shape *s)
{
	return MMRD_WINO * (mmrd_wino_plane((size_t) chunk_tiles(s) * s->C, LINE) +
	                    mmrd_wino_plane((size_t) chunk_tiles(s) * s->O, LINE) +
	                    (size_t) s->C * s->O);
}

static void
transform_gradient(const mmrd_conv_shape *s, const float *dy, int t, int o0,
                   int n, float *z, size_t plane)
{
	const float *d[16];
	int image;
	int y0;
	int x0;

	mmrd_wino_place(s, t, &image, &y0, &x0);
	for (int i = 0; i < 16; i++)
	{
		const int h = y0 + i / 4;
		const int w = x0 + i % 4;

		d[i] = h >= s->OH || w >= s->OW
		           ? zeros
		           : dy +
		                 (((size_t) image * s->OH + h) * s->OW + w) * s->y_ld +
		                 o0;
	}
	mmrd_isa_get()->wino_gradient(n, d, z, plane);
}

/* One place's matrix, one panel: du (+)= V^T Z over n tiles. */
static void
gradient_task(const mmrd_conv_shape *s, int panel, int n, bool add,
              const float *v, const float *z, float *du)
{
	const int o0 = panel * MMRD_PANEL;
	const mmrd_segment all = {v, z, n};
	mmrd_outer o = {0};

	o.width = mmrd_smaller(s->O - o0, MMRD_PANEL);
	o.n_segments = 1;
	o.segments = &all;
	o.dy_at = o0;
	o.x_step = s->C;
	o.dy_step = s->O;
	o.out_ld = s->O;
	o.add = add;
	for (int c = 0; c < s->C; c += MMRD_TILE_ROWS)
	{
		o.rows = mmrd_smaller(s->C - c, MMRD_TILE_ROWS);
		o.x_at = c;
		o.out = du + (size_t) c * s->O + o0;
		mmrd_isa_get()->outer(&o);
	}
}

void
mmrd_wino_weight(const mmrd_conv_shape *s, const float *x, const float *dy,
                 float *dw, float *work)
{
	const int total = mmrd_wino_tiles(s);
	const int chunk = chunk_tiles(s);
	const int panels = mmrd_blocks(s->O, MMRD_PANEL);
	const int c_strips = mmrd_blocks(s->C, STRIP);
	const int o_strips = mmrd_blocks(s->O, STRIP);
	const size_t v_plane = mmrd_wino_plane((size_t) chunk * s->C, LINE);
	const size_t z_plane = mmrd_wino_plane((size_t) chunk * s->O, LINE);
	const size_t u_plane = (size_t) s->C * s->O;
	float *v = work;
	float *z = v + MMRD_WINO * v_plane;
	float *du = z + MMRD_WINO * z_plane;

#pragma omp parallel num_threads(mmrd_threads())
	{
		for (int base = 0; base < total; base += chunk)
		{
			const int n = mmrd_smaller(total - base, chunk);

#pragma omp for schedule(static) nowait
			for (int task = 0; task < n * c_strips; task++)
			{
				const int t = task / c_strips;
				const int c0 = task % c_strips * STRIP;

				transform_input(s, x, base + t, c0,
				                mmrd_smaller(s->C - c0, STRIP),
				                v + (size_t) t * s->C + c0, v_plane);
			}
#pragma omp for schedule(static)
			for (int task = 0; task < n * o_strips; task++)
			{
				const int t = task / o_strips;
				const int o0 = task % o_strips * STRIP;

				transform_gradient(s, dy, base + t, o0,
				                   mmrd_smaller(s->O - o0, STRIP),
				                   z + (size_t) t * s->O + o0, z_plane);
			}
#pragma omp for schedule(dynamic)
			for (int task = 0; task < MMRD_WINO * panels; task++)
			{
				const int place = task / panels;

				gradient_task(s, task % panels, n, base > 0,
				              v + place * v_plane, z + place * z_plane,
				              du + place * u_plane);
			}
		}
#pragma omp for schedule(static)
		for (int c = 0; c < s->C; c++)
			mmrd_isa_get()->wino_weight_back(s->O, du + (size_t) c * s->O,
			                                 u_plane, dw + (size_t) c * s->O,
			                                 u_plane);
	}
}
