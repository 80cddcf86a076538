/*
 * model/input/resize.c
 *	  Separable resize, rows first.
 *
 * For each output row, the few source rows that have a weight in it are added
 * up into one row of floats, straight from the samples of the file: that loop
 * runs along contiguous memory and vectorizes whatever the channel count, and
 * it is where nearly all of the work of a shrink is.  That one row is then
 * resized along x, and gain and offset are applied on the way out.  Columns
 * first would walk the big source with a strided inner loop instead.
 *
 * Along x the three channels of a pixel are one vector of four lanes, the
 * fourth of which is the next pixel's and is dropped; the row has a lane to
 * spare at its end for that.
 *
 * Threads share out output rows.  Each has a row of its own, so no sum
 * depends on their number.
 */
#include "model/input/resize.h"

#include <math.h>
#include <string.h>
#ifdef _OPENMP
#include <omp.h>
#endif

#include "model/base/arena.h"
#include "model/base/checked.h"
#include "model/base/threads.h"

typedef float lanes __attribute__((vector_size(16)));

/* The weights of one output pixel: source pixels first .. first + n - 1. */
typedef struct taps
{
	int first;
	int n;
} taps;

/* The weights of a whole side. */
typedef struct side
{
	taps *at;       /* one per output pixel */
	float *weights; /* room for max_taps per output pixel */
	int max_taps;
} side;

static double
larger(double a, double b)
{
	return a > b ? a : b;
}

/* No more source pixels than this have a weight in one output pixel. */
static int
max_taps_of(int n_in, int n_out)
{
	const double support = larger(1.0, (double) n_in / n_out);
	const double taps = ceil(2 * support) + 1;

	return taps < n_in ? (int) taps : n_in;
}

static void
weights_fill(int n_in, int n_out, const side *s)
{
	const double scale = (double) n_in / n_out;
	const double support = larger(1.0, scale);

	for (int o = 0; o < n_out; o++)
	{
		const double centre = (o + 0.5) * scale;
		float *w = s->weights + (size_t) o * (size_t) s->max_taps;
		int first = (int) floor(centre - support + 0.5);
		int end = (int) floor(centre + support + 0.5);
		double sum = 0;

		if (first < 0)
			first = 0;
		if (end > n_in)
			end = n_in;
		if (end - first > s->max_taps)
			end = first + s->max_taps;
		for (int i = first; i < end; i++)
			sum += larger(0, 1 - fabs(i + 0.5 - centre) / support);
		for (int i = first; i < end; i++)
			w[i - first] =
			    (float) (larger(0, 1 - fabs(i + 0.5 - centre) / support) /
			             sum);
		s->at[o].first = first;
		s->at[o].n = end - first;
	}
}

/*
 * row[x] = sum over k of w[k] * in[k * pitch + x], for one sample type.  Four
 * source rows per sweep, so that row is read and written a quarter as often.
 */
#define DEFINE_ADD_ROWS(name, type)                                           \
	static void name(const type *restrict in, size_t pitch, int n,            \
	                 const float *w, size_t width, float *restrict row)       \
	{                                                                         \
		memset(row, 0, width * sizeof(float));                                \
		while (n >= 4)                                                        \
		{                                                                     \
			const type *b = in + pitch;                                       \
			const type *c = b + pitch;                                        \
			const type *d = c + pitch;                                        \
                                                                              \
			for (size_t x = 0; x < width; x++)                                \
				row[x] += (w[0] * (float) in[x] + w[1] * (float) b[x]) +      \
				          (w[2] * (float) c[x] + w[3] * (float) d[x]);        \
			in += 4 * pitch;                                                  \
			w += 4;                                                           \
			n -= 4;                                                           \
		}                                                                     \
		for (; n > 0; n--, in += pitch, w++)                                  \
			for (size_t x = 0; x < width; x++)                                \
				row[x] += w[0] * (float) in[x];                               \
	}

DEFINE_ADD_ROWS(add_rows_u8, uint8_t)
DEFINE_ADD_ROWS(add_rows_u16, uint16_t)
DEFINE_ADD_ROWS(add_rows_f32, float)

static void
add_rows(const mmrd_view *in, const taps *t, const float *w, float *row)
{
	const size_t width = (size_t) in->width * (size_t) in->channels;
	const size_t at = (size_t) t->first * in->pitch;

	switch (in->sample)
	{
		case MMRD_SAMPLE_U8:
			add_rows_u8((const uint8_t *) in->data + at, in->pitch, t->n, w,
			            width, row);
			break;
		case MMRD_SAMPLE_U16:
			add_rows_u16((const uint16_t *) in->data + at, in->pitch, t->n, w,
			             width, row);
			break;
		case MMRD_SAMPLE_F32:
			add_rows_f32((const float *) in->data + at, in->pitch, t->n, w,
			             width, row);
			break;
	}
}

/* One row of three channels along x. */
static void
columns_3(const float *row, int W, const side *s, const mmrd_affine *to,
          float *out)
{
	const lanes gain = {to->gain[0], to->gain[1], to->gain[2], 0};
	const lanes offset = {to->offset[0], to->offset[1], to->offset[2], 0};

	for (int x = 0; x < W; x++, out += 3)
	{
		const float *w = s->weights + (size_t) x * (size_t) s->max_taps;
		const float *from = row + 3 * (size_t) s->at[x].first;
		lanes sum = {0, 0, 0, 0};

		for (int k = 0; k < s->at[x].n; k++, from += 3)
		{
			lanes v;

			memcpy(&v, from, sizeof(v));
			sum += w[k] * v;
		}
		sum = sum * gain + offset;
		out[0] = sum[0];
		out[1] = sum[1];
		out[2] = sum[2];
	}
}

/* One row of one channel along x. */
static void
columns_1(const float *row, int W, const side *s, const mmrd_affine *to,
          float *out)
{
	for (int x = 0; x < W; x++)
	{
		const float *w = s->weights + (size_t) x * (size_t) s->max_taps;
		const float *from = row + s->at[x].first;
		float sum = 0;

		for (int k = 0; k < s->at[x].n; k++)
			sum += w[k] * from[k];
		for (int c = 0; c < to->channels; c++)
			*out++ = sum * to->gain[c] + to->offset[c];
	}
}

mmrd_status
mmrd_view_of(const mmrd_raster *raster, const mmrd_roi *roi, mmrd_view *view,
             mmrd_error *err)
{
	const mmrd_roi whole = {0, 0, raster->width, raster->height};
	const mmrd_roi *r = roi != NULL ? roi : &whole;
	size_t at;

	memset(view, 0, sizeof(*view));
	if (r->x < 0 || r->y < 0 || r->width < 1 || r->height < 1 ||
	    r->x >= raster->width || r->y >= raster->height ||
	    r->width > raster->width - r->x || r->height > raster->height - r->y)
	{
		mmrd_fail(err, MMRD_INVALID_ARGUMENT,
		          "roi does not lie inside the image");
		return mmrd_detail(
		    err, "The roi is [%d, %d, %d, %d], the image has %d x %d pixels.",
		    r->x, r->y, r->width, r->height, raster->width, raster->height);
	}
	view->sample = raster->sample;
	view->channels = raster->channels;
	view->height = r->height;
	view->width = r->width;
	view->pitch = (size_t) raster->width * (size_t) raster->channels;
	at = (size_t) r->y * view->pitch +
	     (size_t) r->x * (size_t) raster->channels;
	view->data =
	    (const char *) raster->data + at * mmrd_sample_bytes(raster->sample);
	return MMRD_OK;
}

mmrd_status
mmrd_resize_bilinear(const mmrd_view *in, int H, int W, const mmrd_affine *to,
                     float *out, mmrd_error *err)
{
	const size_t row_floats = (size_t) in->width * (size_t) in->channels + 1;
	const int n_threads = mmrd_threads() < H ? mmrd_threads() : H;
	side rows = {.max_taps = max_taps_of(in->height, H)};
	side columns = {.max_taps = max_taps_of(in->width, W)};
	mmrd_arena arena = {0};
	const size_t row_bytes = /* whole cache lines, one row per thread */
	    (row_floats * sizeof(float) + MMRD_ALIGNMENT - 1) / MMRD_ALIGNMENT *
	    MMRD_ALIGNMENT;
	const size_t at_row =
	    mmrd_arena_plan(&arena, row_bytes * (size_t) n_threads);
	const size_t at_ry = mmrd_arena_plan(&arena, sizeof(taps) * (size_t) H);
	const size_t at_rx = mmrd_arena_plan(&arena, sizeof(taps) * (size_t) W);
	const size_t at_wy = mmrd_arena_plan(&arena, sizeof(float) * (size_t) H *
	                                                 (size_t) rows.max_taps);
	const size_t at_wx = mmrd_arena_plan(
	    &arena, sizeof(float) * (size_t) W * (size_t) columns.max_taps);

	MMRD_TRY(mmrd_arena_allocate(&arena, 0, err));
	rows.at = mmrd_arena_at(&arena, at_ry);
	rows.weights = mmrd_arena_at(&arena, at_wy);
	columns.at = mmrd_arena_at(&arena, at_rx);
	columns.weights = mmrd_arena_at(&arena, at_wx);
	weights_fill(in->height, H, &rows);
	weights_fill(in->width, W, &columns);

#pragma omp parallel num_threads(n_threads)
	{
#ifdef _OPENMP
		const int me = omp_get_thread_num();
#else
		const int me = 0;
#endif
		float *row = (float *) ((char *) mmrd_arena_at(&arena, at_row) +
		                        row_bytes * (size_t) me);

		row[row_floats - 1] = 0; /* the lane to spare */
#pragma omp for schedule(static)
		for (int y = 0; y < H; y++)
		{
			float *to_row = out + (size_t) y * W * (size_t) to->channels;

			add_rows(in, &rows.at[y],
			         rows.weights + (size_t) y * (size_t) rows.max_taps, row);
			if (in->channels == 3)
				columns_3(row, W, &columns, to, to_row);
			else
				columns_1(row, W, &columns, to, to_row);
		}
	}
	mmrd_arena_clear(&arena);
	return MMRD_OK;
}

void
mmrd_resize_nearest(const mmrd_view *in, int H, int W, float *out)
{
	const size_t C = (size_t) in->channels;

#pragma omp parallel for schedule(static) num_threads(mmrd_threads())
	for (int y = 0; y < H; y++)
	{
		const int64_t from_y = (2 * (int64_t) y + 1) * in->height / (2 * H);
		float *to = out + (size_t) y * W * C;

		for (int x = 0; x < W; x++, to += C)
		{
			const int64_t from_x = (2 * (int64_t) x + 1) * in->width / (2 * W);
			const size_t at = (size_t) from_y * in->pitch + from_x * C;

			for (size_t c = 0; c < C; c++)
				switch (in->sample)
				{
					case MMRD_SAMPLE_U8:
						to[c] = ((const uint8_t *) in->data)[at + c];
						break;
					case MMRD_SAMPLE_U16:
						to[c] = ((const uint16_t *) in->data)[at + c];
						break;
					case MMRD_SAMPLE_F32:
						to[c] = ((const float *) in->data)[at + c];
						break;
				}
		}
	}
}
