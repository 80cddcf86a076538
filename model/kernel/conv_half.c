/*
 * model/kernel/conv_half.c
 *	  The product tiles of conv_tile.c with bfloat16 numbers.
 *
 * Maps stay float32.  A task is BLOCK output pixels of one image by a few
 * panels, as there; it first rounds the input pixels that it will read, each
 * once, into its thread's scratch, which costs one to five per cent of its
 * products and keeps them at hand in half the space.
 *
 * The weights of a panel are read once for each group of six pixels.  Where
 * they are more than the second cache level holds, the task takes a few taps
 * at a time and keeps the sums between.
 */
#include <string.h>

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
	GROUPS = 8, /* tiles of a task */
	BLOCK = GROUPS * MMRD_TILE_ROWS,
	PANELS = 4,           /* panels of a task, at most */
	TASK_TAPS = 9,        /* taps whose pointers a task holds */
	MAX_DEPTH = 8192,     /* channels in: what `zeros` covers */
	CHUNK_BYTES = 1 << 18 /* of a panel's weights at a time */
};

static const uint16_t zeros[MAX_DEPTH];

/* Two rows of n <= MMRD_PANEL weights, rounded, as pairs; odd NULL: zeros. */
static void
pack_pairs(int n, const float *even, const float *odd, uint16_t *out)
{
	uint16_t rounded[2][MMRD_PANEL] = {{0}};

	mmrd_isa_get()->half_round(n, even, rounded[0]);
	if (odd != NULL)
		mmrd_isa_get()->half_round(n, odd, rounded[1]);
	for (int i = 0; i < n; i++)
	{
		out[2 * i] = rounded[0][i];
		out[2 * i + 1] = rounded[1][i];
	}
}

size_t
mmrd_half_tile_packed(const mmrd_tile_plan *p)
{
	return p->n_packed; /* C is even */
}

/* Panel by panel, tap by tap, pairs of channels in, the panel's outputs. */
void
mmrd_half_tile_pack(const mmrd_tile_plan *p, const float *w, uint16_t *packed)
{
	for (int f = 0; f < p->n_phases; f++)
	{
		const mmrd_tile_phase *phase = &p->phases[f];
		const int panels = mmrd_blocks(p->O, MMRD_PANEL);
		const int taps = phase->n_taps;

#pragma omp parallel for num_threads(mmrd_threads()) schedule(static)
		for (int task = 0; task < panels * taps; task++)
		{
			const int panel = task / taps;
			const int tap = task % taps;
			const int width = mmrd_panel_width(p->O, panel);
			const float *from =
			    w + phase->taps[tap].weight + (size_t) panel * MMRD_PANEL;
			uint16_t *to = packed + phase->packed +
			               (size_t) panel * MMRD_PANEL * taps * p->C +
			               (size_t) tap * p->C * width;

			for (int c = 0; c < p->C; c += 2)
				pack_pairs(width, from + c * p->c_step,
				           from + (c + 1) * p->c_step,
				           to + (size_t) c * width);
		}
	}
}

/* Input rows that BLOCK outputs of a phase can reach. */
static int
reached_rows(const mmrd_tile_plan *p, const mmrd_tile_phase *phase)
{
	const int rows = (BLOCK + phase->cols - 2) / phase->cols + 1;
	int low = 0;
	int high = 0;

	for (int t = 0; t < phase->n_taps; t++)
	{
		low = mmrd_smaller(low, phase->taps[t].ty);
		high = phase->taps[t].ty > high ? phase->taps[t].ty : high;
	}
	return mmrd_smaller((rows - 1) * p->in_step + high - low + 1, p->H);
}

/* Pixels of scratch: those rows, whole. */
static size_t
scratch_pixels(const mmrd_tile_plan *p)
{
	int rows = 1;

	for (int f = 0; f < p->n_phases; f++)
	{
		const int n = reached_rows(p, &p->phases[f]);

		rows = n > rows ? n : rows;
	}
	return (size_t) rows * p->W;
}

/* Marks of pixels already rounded, one byte each, then the pixels. */
static size_t
mark_floats(const mmrd_tile_plan *p)
{
	return (scratch_pixels(p) / sizeof(float) + 16) & ~(size_t) 15;
}

size_t
mmrd_half_tile_thread(const mmrd_tile_plan *p)
{
	return mark_floats(p) +
	       ((scratch_pixels(p) * p->C / 2 + 15) & ~(size_t) 15);
}

/* Pointers of a task's pixels, and the sums between its chunks. */
typedef struct half_task
{
	const uint16_t *a[GROUPS][TASK_TAPS * MMRD_TILE_ROWS];
	float *c[GROUPS][MMRD_TILE_ROWS];
	const float *res[GROUPS][MMRD_TILE_ROWS];
	float sums[BLOCK][MMRD_PANEL];
} half_task;

/* First input row of the scratch: that of the task's first output row. */
static int
first_row(const mmrd_tile_plan *p, const mmrd_tile_phase *phase, int first)
{
	int low = phase->taps[0].ty;
	int row;

	for (int t = 1; t < phase->n_taps; t++)
		low = mmrd_smaller(low, phase->taps[t].ty);
	row = first / phase->cols * p->in_step + low;
	return row < 0 ? 0 : row;
}

static void
point(const mmrd_tile_plan *p, const mmrd_tile_phase *phase, int n, int first,
      int count, const float *x, const mmrd_epilogue *e, float *y,
      float *scratch, half_task *at)
{
	const float *image = x + (size_t) n * p->H * p->W * p->x_ld;
	uint8_t *done = (uint8_t *) scratch;
	uint16_t *pixels = (uint16_t *) (scratch + mark_floats(p));
	const int h0 = phase->n_taps > 0 ? first_row(p, phase, first) : 0;

	memset(done, 0, scratch_pixels(p));
	for (int i = 0; i < count; i++)
	{
		const int g = i / MMRD_TILE_ROWS;
		const int r = i % MMRD_TILE_ROWS;
		const int gy = (first + i) / phase->cols;
		const int gx = (first + i) % phase->cols;
		const size_t out =
		    ((size_t) n * p->OH + gy * p->out_step + phase->oy) * p->OW +
		    gx * p->out_step + phase->ox;

		at->c[g][r] = y + out * p->y_ld;
		if (e != NULL && e->res != NULL)
			at->res[g][r] = e->res + out * e->res_ld;
		for (int t = 0; t < phase->n_taps; t++)
		{
			const int h = gy * p->in_step + phase->taps[t].ty;
			const int v = gx * p->in_step + phase->taps[t].tx;
			const uint16_t **a = &at->a[g][t * MMRD_TILE_ROWS + r];
			size_t slot;

			*a = zeros;
			if (h < 0 || h >= p->H || v < 0 || v >= p->W)
				continue;
			slot = (size_t) (h - h0) * p->W + v;
			*a = pixels + slot * p->C;
			if (!done[slot])
				mmrd_isa_get()->half_round(
				    p->C, image + ((size_t) h * p->W + v) * p->x_ld,
				    pixels + slot * p->C);
			done[slot] = 1;
		}
	}
}

/* One panel: all groups, a few taps at a time. */
static void
run_panel(const mmrd_tile_plan *p, const mmrd_tile_phase *phase, int n,
          int count, int panel, const uint16_t *packed, const mmrd_epilogue *e,
          half_task *at)
{
	const size_t o0 = (size_t) panel * MMRD_PANEL;
	const int width = mmrd_panel_width(p->O, panel);
	const int step = p->C * width * (int) sizeof(uint16_t) > CHUNK_BYTES
	                     ? 1
	                     : CHUNK_BYTES / (p->C * width * 2);
	const uint16_t *b =
	    packed + phase->packed + o0 * (size_t) phase->n_taps * p->C;
	int tap = 0;

	do
	{
		const int taps = mmrd_smaller(phase->n_taps - tap, step);
		const bool last = tap + taps == phase->n_taps;
		mmrd_half_tile t = {0};

		t.width = width;
		t.taps = taps;
		t.depth = p->C;
		t.b = b + (size_t) tap * p->C * width;
		if (last && e != NULL)
		{
			mmrd_epilogue_at(e, n, p->O, o0, &t.scale, &t.shift);
			t.relu = e->relu;
		}
		for (int g = 0; g * MMRD_TILE_ROWS < count; g++)
		{
			const bool adds = last && e != NULL && e->res != NULL;
			float *c[MMRD_TILE_ROWS];
			float *sum[MMRD_TILE_ROWS];
			const float *res[MMRD_TILE_ROWS];

			t.rows = mmrd_smaller(count - g * MMRD_TILE_ROWS, MMRD_TILE_ROWS);
			for (int r = 0; r < t.rows; r++)
			{
				sum[r] = at->sums[g * MMRD_TILE_ROWS + r];
				c[r] = last ? at->c[g][r] + o0 : sum[r];
				res[r] = adds ? at->res[g][r] + o0 : NULL;
			}
			t.a = at->a[g] + tap * MMRD_TILE_ROWS;
			t.start = tap > 0 ? (const float *const *) sum : NULL;
			t.c = c;
			t.res = adds ? res : NULL;
			mmrd_isa_get()->half_tile(&t);
		}
		tap += taps;
	} while (tap < phase->n_taps);
}

void
mmrd_half_tile_run(const mmrd_tile_plan *p, const float *x,
                   const uint16_t *packed, const mmrd_epilogue *e, float *y,
                   float *work)
{
	const size_t scratch = mmrd_half_tile_thread(p);
	const int all_panels = mmrd_blocks(p->O, MMRD_PANEL);
	int per_image[MMRD_CONV_MAX_PHASES];
	int before[MMRD_CONV_MAX_PHASES + 1] = {0};
	int panels = mmrd_smaller(all_panels, PANELS);
	int all;

	for (int f = 0; f < p->n_phases; f++)
	{
		per_image[f] =
		    mmrd_blocks(p->phases[f].rows * p->phases[f].cols, BLOCK);
		before[f + 1] = before[f] + p->N * per_image[f];
	}
	all = before[p->n_phases];
	/* Few pixels: fewer panels a task, so that there are enough tasks. */
	while (panels > 1 && all * mmrd_blocks(all_panels, panels) < 16)
		panels /= 2;

#pragma omp parallel for num_threads(mmrd_threads()) schedule(dynamic)
	for (int task = 0; task < all * mmrd_blocks(all_panels, panels); task++)
	{
		const int panel0 = task / all * panels;
		int at = task % all;
		int f = 0;
		half_task pointers;
		const mmrd_tile_phase *phase;
		int first;
		int count;

		while (at >= before[f + 1])
			f++;
		at -= before[f];
		phase = &p->phases[f];
		first = at % per_image[f] * BLOCK;
		count = mmrd_smaller(phase->rows * phase->cols - first, BLOCK);
		point(p, phase, at / per_image[f], first, count, x, e, y,
		      work + scratch * (size_t) omp_get_thread_num(), &pointers);
		for (int i = panel0; i < mmrd_smaller(all_panels, panel0 + panels);
		     i++)
			run_panel(p, phase, at / per_image[f], count, i, packed, e,
			          &pointers);
	}
}

/*
 * The stem: a kernel row's K pixels are one tap of K * C numbers.  An odd
 * number of them is made even by a weight of zero, which meets whatever
 * follows in the row.
 */
static int
stem_depth(const mmrd_conv_shape *s)
{
	return (s->K * s->C + 1) & ~1;
}

size_t
mmrd_half_stem_packed(const mmrd_conv_shape *s)
{
	return (size_t) s->K * stem_depth(s) * s->O;
}

/* Numbers of a padded row: even, so that even pixels are 4-byte aligned. */
static size_t
stem_row_size(const mmrd_conv_shape *s)
{
	return ((size_t) (s->W + 2 * s->pad) * s->C + 3) & ~(size_t) 1;
}

size_t
mmrd_half_stem_thread(const mmrd_conv_shape *s)
{
	return (s->K * stem_row_size(s) / 2 + 16) & ~(size_t) 15;
}

void
mmrd_half_stem_pack(const mmrd_conv_shape *s, const float *w, uint16_t *packed)
{
	const int deep = s->K * s->C;

	for (int panel = 0; panel < mmrd_blocks(s->O, MMRD_PANEL); panel++)
	{
		const int width = mmrd_panel_width(s->O, panel);
		const float *from = w + (size_t) panel * MMRD_PANEL;
		uint16_t *to =
		    packed + (size_t) panel * MMRD_PANEL * s->K * stem_depth(s);

		for (int row = 0; row < s->K; row++)
			for (int k = 0; k < deep; k += 2, to += 2 * width)
				pack_pairs(width, from + (size_t) (row * deep + k) * s->O,
				           k + 1 < deep
				               ? from + (size_t) (row * deep + k + 1) * s->O
				               : NULL,
				           to);
	}
}

/* The K input rows of output row oy, rounded, with their padding. */
static void
stem_inputs(const mmrd_conv_shape *s, int n, int oy, const float *x,
            uint16_t *out)
{
	const size_t size = stem_row_size(s);

	memset(out, 0, s->K * size * sizeof(uint16_t));
	for (int k = 0; k < s->K; k++)
	{
		const int h = oy * s->stride - s->pad + k;
		const float *from = x + ((size_t) n * s->H + h) * s->W * s->x_ld;
		uint16_t *to = out + k * size + (size_t) s->pad * s->C;

		if (h < 0 || h >= s->H)
			continue;
		if (s->x_ld == s->C)
			mmrd_isa_get()->half_round(s->W * s->C, from, to);
		else
			for (int v = 0; v < s->W; v++)
				mmrd_isa_get()->half_round(s->C, from + (size_t) v * s->x_ld,
				                           to + (size_t) v * s->C);
	}
}

static void
stem_row(const mmrd_conv_shape *s, int row, const float *x,
         const uint16_t *packed, const mmrd_epilogue *e, float *y,
         uint16_t *inputs)
{
	const int n = row / s->OH;

	stem_inputs(s, n, row % s->OH, x, inputs);
	for (int panel = 0; panel < mmrd_blocks(s->O, MMRD_PANEL); panel++)
	{
		const int o0 = panel * MMRD_PANEL;
		mmrd_half_tile t = {0};

		t.width = mmrd_panel_width(s->O, panel);
		t.taps = s->K;
		t.depth = stem_depth(s);
		t.b = packed + (size_t) o0 * s->K * t.depth;
		if (e != NULL)
		{
			mmrd_epilogue_at(e, n, s->O, o0, &t.scale, &t.shift);
			t.relu = e->relu;
		}
		for (int ox = 0; ox < s->OW; ox += MMRD_TILE_ROWS)
		{
			const uint16_t *a[TASK_TAPS * MMRD_TILE_ROWS];
			const float *res[MMRD_TILE_ROWS];
			float *c[MMRD_TILE_ROWS];

			t.rows = mmrd_smaller(s->OW - ox, MMRD_TILE_ROWS);
			for (int r = 0; r < t.rows; r++)
			{
				const size_t out = (size_t) row * s->OW + ox + r;

				c[r] = y + out * s->y_ld + o0;
				if (e != NULL && e->res != NULL)
					res[r] = e->res + out * e->res_ld + o0;
				for (int k = 0; k < s->K; k++)
					a[k * MMRD_TILE_ROWS + r] =
					    inputs + k * stem_row_size(s) +
					    (size_t) (ox + r) * s->stride * s->C;
			}
			t.a = a;
			t.c = c;
			t.res = e != NULL && e->res != NULL ? res : NULL;
			mmrd_isa_get()->half_tile(&t);
		}
	}
}

void
mmrd_half_stem_run(const mmrd_conv_shape *s, const float *x,
                   const uint16_t *packed, const mmrd_epilogue *e, float *y,
                   float *work)
{
	const size_t scratch = mmrd_half_stem_thread(s);

#pragma omp parallel for num_threads(mmrd_threads()) schedule(dynamic)
	for (int row = 0; row < s->N * s->OH; row++)
		stem_row(
		    s, row, x, packed, e, y,
		    (uint16_t *) (work + scratch * (size_t) omp_get_thread_num()));
}

#endif /* !MMRD_FLOAT_IS_DOUBLE */
