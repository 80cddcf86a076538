/*
 * model/kernel/isa.h
 *	  The inner loops that exist once per instruction set, and which set this
 *	  processor gets.
 *
 * One body (tile_body.h, winograd_body.h, half_body.h, gate_body.h) is
 *compiled several times, each file with its own target; the choice is made
 *here, once, from CPUID.  Sums run in the same order everywhere, but fused
 *multiply-add rounds once instead of twice, so that bits are equal only
 *between processors with the same choice.
 */
#ifndef MMRD_ISA_H
#define MMRD_ISA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum
{
	MMRD_TILE_ROWS = 6,   /* output pixels of one product tile */
	MMRD_PANEL = 64,      /* output channels of one packed panel, at most */
	MMRD_PANEL_STEP = 16, /* a panel's width is a multiple of this */
	MMRD_WINO = 36        /* products of a 6 x 6 Winograd tile */
};

/*
 * One tile of a product: rows r of c, each `width` channels, are
 *
 *	  c[r] = act(scale * sum over taps t, depth k of a[t][r][k] * b[t*depth+k]
 *	         + shift + res[r])
 *
 * a		taps * MMRD_TILE_ROWS pointers, tap by tap; padding points to zeros
 * b		(taps * depth, width), packed without gaps
 * c, res	`rows` pointers; res NULL: none
 * scale, shift		width floats, or NULL
 */
typedef struct mmrd_tile
{
	int rows; /* 1 .. MMRD_TILE_ROWS */
	int width;
	int taps;
	int depth;
	const float *const *a;
	const float *b;
	float *const *c;
	const float *const *res;
	const float *scale;
	const float *shift;
	bool relu;
} mmrd_tile;

/*
 * The same for bfloat16 numbers, two steps of depth at a time: a product of
 * two is exact in float32, and each is added with one rounding, the odd step's
 * before the even one's.  What is too small for a normal number may count as
 * zero.
 *
 * a		as above, to `depth` numbers (even)
 * b		(taps * depth / 2, width, 2): the two numbers of a pair side by
 * side start	`rows` pointers to what the sums begin with, or NULL: 0
 */
typedef struct mmrd_half_tile
{
	int rows, width, taps, depth;
	const uint16_t *const *a;
	const uint16_t *b;
	const float *const *start;
	float *const *c;
	const float *const *res;
	const float *scale;
	const float *shift;
	bool relu;
} mmrd_half_tile;

/*
 * A tile of a weight gradient: for rows i < rows and `width` columns,
 * out[i * ld + j] += sum over segments and their pixels p of
 * x[p * x_step + i] * dy[p * dy_step + j].
 */
typedef struct mmrd_segment
{
	const float *x;
	const float *dy;
	int n; /* pixels */
} mmrd_segment;

typedef struct mmrd_outer
{
	int rows; /* 1 .. MMRD_TILE_ROWS */
	int width;
	int n_segments;
	const mmrd_segment *segments;
	int x_at, dy_at; /* first channel of each, added to the pointers */
	int x_step, dy_step;
	float *out;
	int out_ld;
	bool add; /* to out, else it is written */
} mmrd_outer;

typedef struct mmrd_isa
{
	const char *name;
	void (*tile)(const mmrd_tile *t);
	void (*outer)(const mmrd_outer *o);

	/*
	 * Winograd F(4x4, 3x3) transforms of one tile, n channels (a multiple of
	 * 16); see conv_winograd.c.  v and m: 36 planes, `plane` floats apart.
	 */
	void (*wino_input)(int n, const float *const *d, float *v, size_t plane);
	void (*wino_output)(int n, const float *m, size_t plane, float *const *y,
	                    const float *const *res, const float *scale,
	                    const float *shift, bool relu);
	/* For the weight gradient: 6x6 planes z = A dy A^T of a 4x4 tile. */
	void (*wino_gradient)(int n, const float *const *dy, float *z,
	                      size_t plane);
	/* u = G g G^T: 9 rows of n weights, n apart, to 36 planes; and the way
	 * back, g = G^T u G, rows g_step apart. */
	void (*wino_weight)(int n, const float *g, float *u, size_t plane);
	void (*wino_weight_back)(int n, const float *u, size_t plane, float *g,
	                         size_t g_step);

	/* x = exp(x), n numbers, of which those beyond -87 .. 88 count as the end
	 * of that range. */
	void (*exponentials)(int n, float *x);
	/* out += a / (1 + exp(-(v - mean)^2 inverse)), n numbers of each. */
	void (*gate)(int n, const float *v, const float *mean,
	             const float *inverse, const float *a, float *out);

	/* bfloat16; NULL where float is double. */
	void (*half_tile)(const mmrd_half_tile *t);
	/* n numbers rounded to nearest, ties to even; any n. */
	void (*half_round)(int n, const float *x, uint16_t *y);
	/* As wino_input, the result rounded. */
	void (*half_wino_input)(int n, const float *const *d, uint16_t *v,
	                        size_t plane);
	/* As wino_weight for two channels in: g is 9 rows of n pairs, u 36 planes
	 * of them, `plane` numbers apart. */
	void (*half_wino_weight)(int n, const uint16_t *g, uint16_t *u,
	                         size_t plane);
} mmrd_isa;

/* The best set that this processor and this build have. */
const mmrd_isa *mmrd_isa_get(void);

/* For tests: use the set of this name from now on ("plain", "avx2",
 * "avx512", "avx512bf16"); false when it is unknown or the processor lacks it.
 */
bool mmrd_isa_select(const char *name);

extern const mmrd_isa mmrd_isa_plain;
#if defined(__x86_64__) && !defined(MMRD_FLOAT_IS_DOUBLE)
extern const mmrd_isa mmrd_isa_avx2;
extern const mmrd_isa mmrd_isa_avx512;
extern const mmrd_isa mmrd_isa_avx512bf16; /* avx512 with dot products */
#endif

#endif /* MMRD_ISA_H */
