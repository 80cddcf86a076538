/*
 * model/kernel/conv_tile.c
 *	  Convolution by product tiles that read their input where it lies.
 *
 * A tile is six output pixels by one panel of output channels, summed over
 * taps and input channels in registers and finished (scale, shift, shortcut,
 * ReLU) before it is stored.  It is given a pointer for every pixel and tap,
 * so that no patch is ever copied and padding is a pointer to zeros; the
 * output pixels are pointers too, which makes transposed convolutions and the
 * gradient of strided ones the same thing (phases, see conv_method.h).
 *
 * A task is BLOCK pixels of one image by a few panels: its pointers are made
 * once, its input stays in the second cache level while panels pass by.
 *
 * The gradient by the weights has its own tile: six input channels by a
 * panel, summed over pixels.  A task owns one tap, one panel and up to
 * DW_CHANNELS input channels, and walks the pixels in chunks that stay in
 * cache while all its channels use them.
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
	GROUPS = 8, /* tiles of a task */
	BLOCK = GROUPS * MMRD_TILE_ROWS,
	PANELS = 4,        /* panels of a task, at most */
	TASK_TAPS = 9,     /* taps whose pointers a task holds */
	MAX_DEPTH = 8192,  /* channels in: what `zeros` covers */
	DW_CHANNELS = 96,  /* channels in of a task of the weight gradient */
	DW_PIXELS = 256,   /* pixels of a chunk */
	DW_SEGMENTS = 1024 /* pieces of rows in a chunk, at most */
};

static const float zeros[MAX_DEPTH];

static void
finish_plan(mmrd_tile_plan *p)
{
	p->n_packed = 0;
	for (int f = 0; f < p->n_phases; f++)
	{
		p->phases[f].packed = p->n_packed;
		p->n_packed += (size_t) p->phases[f].n_taps * p->C * p->O;
	}
}

void
mmrd_tile_plan_forward(const mmrd_conv_shape *s, mmrd_tile_plan *p)
{
	memset(p, 0, sizeof(*p));
	p->N = s->N;
	p->C = s->C;
	p->O = s->O;
	p->H = s->H;
	p->W = s->W;
	p->x_ld = s->x_ld;
	p->OH = s->OH;
	p->OW = s->OW;
	p->y_ld = s->y_ld;
	p->o_step = 1;
	if (s->transposed)
	{
		p->in_step = 1;
		p->out_step = 2;
		p->c_step = 4 * (size_t) s->O;
		p->n_phases = 4;
		for (int f = 0; f < 4; f++)
		{
			mmrd_tile_phase *phase = &p->phases[f];

			phase->oy = f / 2;
			phase->ox = f % 2;
			phase->rows = s->H;
			phase->cols = s->W;
			phase->n_taps = 1;
			phase->taps[0].weight = (size_t) f * s->O;
		}
	}
	else
	{
		mmrd_tile_phase *phase = &p->phases[0];

		p->in_step = s->stride;
		p->out_step = 1;
		p->c_step = (size_t) s->O;
		p->n_phases = 1;
		phase->rows = s->OH;
		phase->cols = s->OW;
		phase->n_taps = s->K * s->K;
		for (int t = 0; t < phase->n_taps; t++)
		{
			phase->taps[t].ty = t / s->K - s->pad;
			phase->taps[t].tx = t % s->K - s->pad;
			phase->taps[t].weight = (size_t) t * s->C * s->O;
		}
	}
	finish_plan(p);
}

/* Input pixel h = py + stride * g collects output (h + pad - k) / stride. */
static void
plan_parity(const mmrd_conv_shape *s, int py, int px, mmrd_tile_phase *phase)
{
	phase->oy = py;
	phase->ox = px;
	phase->rows = (s->H - py + s->stride - 1) / s->stride;
	phase->cols = (s->W - px + s->stride - 1) / s->stride;
	for (int ky = 0; ky < s->K; ky++)
	{
		for (int kx = 0; kx < s->K; kx++)
		{
			if ((py + s->pad - ky) % s->stride != 0 ||
			    (px + s->pad - kx) % s->stride != 0)
				continue;
			phase->taps[phase->n_taps].ty = (py + s->pad - ky) / s->stride;
			phase->taps[phase->n_taps].tx = (px + s->pad - kx) / s->stride;
			phase->taps[phase->n_taps].weight =
			    (size_t) (ky * s->K + kx) * s->C * s->O;
			phase->n_taps++;
		}
	}
}

void
mmrd_tile_plan_input(const mmrd_conv_shape *s, mmrd_tile_plan *p)
{
	memset(p, 0, sizeof(*p));
	p->N = s->N;
	p->C = s->O; /* the gradient runs the other way */
	p->O = s->C;
	p->H = s->OH;
	p->W = s->OW;
	p->x_ld = s->y_ld;
	p->OH = s->H;
	p->OW = s->W;
	p->y_ld = s->x_ld;
	p->c_step = 1;
	if (s->transposed)
	{
		mmrd_tile_phase *phase = &p->phases[0];

		p->in_step = 2;
		p->out_step = 1;
		p->o_step = 4 * (size_t) s->O;
		p->n_phases = 1;
		phase->rows = s->H;
		phase->cols = s->W;
		phase->n_taps = 4;
		for (int t = 0; t < 4; t++)
		{
			phase->taps[t].ty = t / 2;
			phase->taps[t].tx = t % 2;
			phase->taps[t].weight = (size_t) t * s->O;
		}
	}
	else
	{
		p->in_step = 1;
		p->out_step = s->stride;
		p->o_step = (size_t) s->O;
		p->n_phases = s->stride * s->stride;
		for (int f = 0; f < p->n_phases; f++)
			plan_parity(s, f / s->stride, f % s->stride, &p->phases[f]);
	}
	finish_plan(p);
}

/* Panel by panel, tap by tap, channel by channel in, the panel's outputs. */
void
mmrd_tile_pack(const mmrd_tile_plan *p, const float *w, float *packed)
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
			const float *from = w + phase->taps[tap].weight +
			                    (size_t) panel * MMRD_PANEL * p->o_step;
			float *to = packed + phase->packed +
			            (size_t) panel * MMRD_PANEL * taps * p->C +
			            (size_t) tap * p->C * width;

			for (int c = 0; c < p->C; c++)
				for (int o = 0; o < width; o++)
					to[(size_t) c * width + o] =
					    from[(size_t) c * p->c_step + (size_t) o * p->o_step];
		}
	}
}

/* Pointers of a task's pixels. */
typedef struct task_pointers
{
	const float *a[GROUPS][TASK_TAPS * MMRD_TILE_ROWS];
	float *c[GROUPS][MMRD_TILE_ROWS];
	const float *res[GROUPS][MMRD_TILE_ROWS];
} task_pointers;

static void
point(const mmrd_tile_plan *p, const mmrd_tile_phase *phase, int n, int first,
      int count, const float *x, const mmrd_epilogue *e, float *y,
      task_pointers *at)
{
	const float *image = x + (size_t) n * p->H * p->W * p->x_ld;

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

			at->a[g][t * MMRD_TILE_ROWS + r] =
			    h < 0 || h >= p->H || v < 0 || v >= p->W
			        ? zeros
			        : image + ((size_t) h * p->W + v) * p->x_ld;
		}
	}
}

static void
run_task(const mmrd_tile_plan *p, const mmrd_tile_phase *phase, int n,
         int first, int panel0, int panels, const float *x,
         const float *packed, const mmrd_epilogue *e, float *y)
{
	const int count = mmrd_smaller(phase->rows * phase->cols - first, BLOCK);
	const mmrd_isa *isa = mmrd_isa_get();
	task_pointers at;

	point(p, phase, n, first, count, x, e, y, &at);
	for (int panel = panel0; panel < panel0 + panels; panel++)
	{
		const size_t o0 = (size_t) panel * MMRD_PANEL;
		mmrd_tile t = {0};

		t.width = mmrd_panel_width(p->O, panel);
		t.taps = phase->n_taps;
		t.depth = p->C;
		t.b = packed + phase->packed + o0 * (size_t) phase->n_taps * p->C;
		if (e != NULL)
		{
			mmrd_epilogue_at(e, n, p->O, o0, &t.scale, &t.shift);
			t.relu = e->relu;
		}
		for (int g = 0; g * MMRD_TILE_ROWS < count; g++)
		{
			float *c[MMRD_TILE_ROWS];
			const float *res[MMRD_TILE_ROWS];

			t.rows = mmrd_smaller(count - g * MMRD_TILE_ROWS, MMRD_TILE_ROWS);
			for (int r = 0; r < t.rows; r++)
			{
				c[r] = at.c[g][r] + o0;
				if (e != NULL && e->res != NULL)
					res[r] = at.res[g][r] + o0;
			}
			t.a = at.a[g];
			t.c = c;
			t.res = e != NULL && e->res != NULL ? res : NULL;
			isa->tile(&t);
		}
	}
}

void
mmrd_tile_run(const mmrd_tile_plan *p, const float *x, const float *packed,
              const mmrd_epilogue *e, float *y)
{
	const int all_panels = mmrd_blocks(p->O, MMRD_PANEL);
	int per_image[MMRD_CONV_MAX_PHASES];
	int before[MMRD_CONV_MAX_PHASES + 1] = {0};
	int panels = mmrd_smaller(all_panels, PANELS);
	int panel_tasks;

	for (int f = 0; f < p->n_phases; f++)
	{
		per_image[f] =
		    mmrd_blocks(p->phases[f].rows * p->phases[f].cols, BLOCK);
		before[f + 1] = before[f] + p->N * per_image[f];
	}
	/* Few pixels: fewer panels a task, so that there are enough tasks. */
	while (panels > 1 &&
	       before[p->n_phases] * mmrd_blocks(all_panels, panels) < 16)
		panels /= 2;
	panel_tasks = mmrd_blocks(all_panels, panels);

#pragma omp parallel for num_threads(mmrd_threads()) schedule(dynamic)
	for (int task = 0; task < before[p->n_phases] * panel_tasks; task++)
	{
		const int panel0 = task / before[p->n_phases] * panels;
		int at = task % before[p->n_phases];
		int f = 0;

		while (at >= before[f + 1])
			f++;
		at -= before[f];
		run_task(p, &p->phases[f], at / per_image[f],
		         at % per_image[f] * BLOCK, panel0,
		         mmrd_smaller(all_panels - panel0, panels), x, packed, e, y);
	}
}

/*
 * The pixels that one tap joins, as pieces of rows: for a convolution, output
 * row oy and the columns whose input lies inside; for a transposed one, input
 * row h and every second output pixel.
 */
typedef struct walker
{
	const mmrd_conv_shape *s;
	const float *x;
	const float *dy;
	int tap;
	int row;  /* next row, over all images */
	int from; /* next column of it */
} walker;

/* Columns [*a, *b) of an output row that tap kx reaches inside the input. */
static void
valid_columns(const mmrd_conv_shape *s, int kx, int *a, int *b)
{
	int first = 0;
	int end = s->OW;

	while (first < end && first * s->stride - s->pad + kx < 0)
		first++;
	while (end > first && (end - 1) * s->stride - s->pad + kx >= s->W)
		end--;
	*a = first;
	*b = end;
}

/* Fill up to DW_PIXELS pixels of segments; returns how many segments. */
static int
next_segments(walker *k, mmrd_segment *out)
{
	const mmrd_conv_shape *s = k->s;
	const int rows = s->N * (s->transposed ? s->H : s->OH);
	int n = 0;
	int pixels = 0;
	int a = 0;
	int b = s->W;

	if (!s->transposed)
		valid_columns(s, k->tap % s->K, &a, &b);
	while (k->row < rows && pixels < DW_PIXELS && n < DW_SEGMENTS)
	{
		const int start = a + k->from;
		const int count = mmrd_smaller(b - start, DW_PIXELS - pixels);
		int h = 0;

		if (!s->transposed)
			h = k->row % s->OH * s->stride - s->pad + k->tap / s->K;
		if (count <= 0 || h < 0 || h >= s->H)
		{
			k->row++;
			k->from = 0;
			continue;
		}
		if (s->transposed)
		{
			out[n].x = k->x + ((size_t) k->row * s->W + start) * s->x_ld;
			out[n].dy = k->dy + ((2 * (size_t) k->row + k->tap / 2) * s->OW +
			                     2 * start + k->tap % 2) *
			                        s->y_ld;
		}
		else
		{
			const size_t v =
			    (size_t) (start * s->stride - s->pad + k->tap % s->K);

			out[n].x =
			    k->x +
			    (((size_t) (k->row / s->OH) * s->H + h) * s->W + v) * s->x_ld;
			out[n].dy = k->dy + ((size_t) k->row * s->OW + start) * s->y_ld;
		}
		out[n].n = count;
		n++;
		pixels += count;
		k->from += count;
	}
	return n;
}

static void
weight_task(const mmrd_conv_shape *s, int tap, int panel, int c0,
            const float *x, const float *dy, float *dw)
{
	const int channels = mmrd_smaller(s->C - c0, DW_CHANNELS);
	const int o0 = panel * MMRD_PANEL;
	const int ld = s->transposed ? 4 * s->O : s->O;
	float *out = s->transposed ? dw + ((size_t) c0 * 4 + tap) * s->O + o0
	                           : dw + ((size_t) tap * s->C + c0) * s->O + o0;
	mmrd_segment segments[DW_SEGMENTS];
	walker k = {s, x, dy, tap, 0, 0};
	mmrd_outer o = {0};
	bool first = true;

	o.width = mmrd_panel_width(s->O, panel);
	o.segments = segments;
	o.dy_at = o0;
	o.x_step = s->transposed ? s->x_ld : s->x_ld * s->stride;
	o.dy_step = s->transposed ? 2 * s->y_ld : s->y_ld;
	o.out_ld = ld;
	for (;;)
	{
		o.n_segments = next_segments(&k, segments);
		if (o.n_segments == 0 && !first)
			break;
		o.add = !first;
		for (int c = 0; c < channels; c += MMRD_TILE_ROWS)
		{
			o.rows = mmrd_smaller(channels - c, MMRD_TILE_ROWS);
			o.x_at = c0 + c;
			o.out = out + (size_t) c * ld;
			mmrd_isa_get()->outer(&o);
		}
		first = false;
	}
}

void
mmrd_tile_weight(const mmrd_conv_shape *s, const float *x, const float *dy,
                 float *dw)
{
	const int panels = mmrd_blocks(s->O, MMRD_PANEL);
	const int chunks = mmrd_blocks(s->C, DW_CHANNELS);

#pragma omp parallel for num_threads(mmrd_threads()) schedule(dynamic)
	for (int task = 0; task < s->K * s->K * panels * chunks; task++)
		weight_task(s, task / (panels * chunks), task / chunks % panels,
		            task % chunks * DW_CHANNELS, x, dy, dw);
}

/*
 * The stem has three channels: too few for a tap.  There the K pixels of a
 * kernel row, contiguous in memory, are one tap of K * C numbers, read from
 * copies of the input rows with their padding written out.
 */
size_t
mmrd_conv_stem_packed(const mmrd_conv_shape *s)
{
	return (size_t) s->K * s->K * s->C * s->O;
}

size_t
mmrd_conv_stem_work(const mmrd_conv_shape *s)
{
	return ((size_t) s->K * (s->W + 2 * s->pad) * s->C + 15) & ~(size_t) 15;
}

void
mmrd_conv_stem_pack(const mmrd_conv_shape *s, const float *w, float *packed)
{
	const int depth = s->K * s->K * s->C;

	for (int panel = 0; panel < mmrd_blocks(s->O, MMRD_PANEL); panel++)
	{
		const int width = mmrd_panel_width(s->O, panel);
		float *to = packed + (size_t) panel * MMRD_PANEL * depth;

		for (int k = 0; k < depth; k++)
			for (int o = 0; o < width; o++)
				to[(size_t) k * width + o] =
				    w[(size_t) k * s->O + panel * MMRD_PANEL + o];
	}
}

static void
stem_row(const mmrd_conv_shape *s, int row, const float *x,
         const float *packed, const mmrd_epilogue *e, float *y, float *work)
{
	const int n = row / s->OH;
	const int oy = row % s->OH;
	const size_t wide = (size_t) (s->W + 2 * s->pad) * s->C;
	const int depth = s->K * s->K * s->C;

	for (int k = 0; k < s->K; k++)
	{
		const int h = oy * s->stride - s->pad + k;
		float *to = work + k * wide;

		memset(to, 0, wide * sizeof(float));
		for (int v = 0; h >= 0 && h < s->H && v < s->W; v++)
			memcpy(to + (size_t) (s->pad + v) * s->C,
			       x + (((size_t) n * s->H + h) * s->W + v) * s->x_ld,
			       (size_t) s->C * sizeof(float));
	}
	for (int panel = 0; panel < mmrd_blocks(s->O, MMRD_PANEL); panel++)
	{
		const int o0 = panel * MMRD_PANEL;
		mmrd_tile t = {0};

		t.width = mmrd_panel_width(s->O, panel);
		t.taps = s->K;
		t.depth = s->K * s->C;
		t.b = packed + (size_t) o0 * depth;
		if (e != NULL)
		{
			mmrd_epilogue_at(e, n, s->O, o0, &t.scale, &t.shift);
			t.relu = e->relu;
		}
		for (int ox = 0; ox < s->OW; ox += MMRD_TILE_ROWS)
		{
			const float *a[TASK_TAPS * MMRD_TILE_ROWS];
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
					    work + k * wide + (size_t) (ox + r) * s->stride * s->C;
			}
			t.a = a;
			t.c = c;
			t.res = e != NULL && e->res != NULL ? res : NULL;
			mmrd_isa_get()->tile(&t);
		}
	}
}

void
mmrd_conv_stem_run(const mmrd_conv_shape *s, const float *x,
                   const float *packed, const mmrd_epilogue *e, float *y,
                   float *work)
{
	const size_t scratch = mmrd_conv_stem_work(s);

#pragma omp parallel for num_threads(mmrd_threads()) schedule(static)
	for (int row = 0; row < s->N * s->OH; row++)
		stem_row(s, row, x, packed, e, y,
		         work + scratch * (size_t) omp_get_thread_num());
}
