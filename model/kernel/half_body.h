/*
 * model/kernel/half_body.h
 *	  Products of bfloat16 numbers, summed in float32, for whatever vectors the
 *	  including file has; after tile_body.h and winograd_body.h.
 *
 * A word is a pair of numbers, the first one low.  Where the processor has no
 * dot product (HAVE_DOT), pairs are taken apart by shifts and multiplied as
 * float32, in the order of AVX512_BF16: the same result but for numbers too
 * small to be normal, at about the speed of float32.
 */
#if defined(MMRD_FLOAT_IS_DOUBLE)

#define MMRD_HALF_MEMBERS NULL, NULL, NULL, NULL,

#else

#define MMRD_HALF_MEMBERS                                                     \
	half_tile, half_round, half_wino_input, half_wino_weight,

typedef uint32_t word __attribute__((vector_size(LANES * 4)));
typedef uint16_t half __attribute__((vector_size(LANES * 2)));

#define HIGH 0xffff0000u

INLINE word
load_word(const uint16_t *p)
{
	word w;

	memcpy(&w, p, sizeof(w));
	return w;
}

/* Rounded to nearest, ties to even, in the high half; NaN stays. */
INLINE word
rounded_high(vec x)
{
	const word w = (word) x;
	const word nan = (word) (x != x);
	const word r = w + 0x7fff + ((w >> 16) & 1);

	return ((r & ~nan) | ((w | 0x400000) & nan)) & HIGH;
}

#ifdef HAVE_DOT

INLINE vec
dot(vec sum, word a, word b)
{
	return (vec) _mm512_dpbf16_ps((__m512) sum, (__m512bh) a, (__m512bh) b);
}

INLINE half
rounded_half(vec x)
{
	return (half) _mm512_cvtneps_pbh((__m512) x);
}

INLINE word
rounded_pair(vec even, vec odd)
{
	static const uint16_t order[32] = {
	    0, 16, 1, 17, 2,  18, 3,  19, 4,  20, 5,  21, 6,  22, 7,  23,
	    8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31};

	return (word) _mm512_permutexvar_epi16(
	    _mm512_loadu_si512(order),
	    (__m512i) _mm512_cvtne2ps_pbh((__m512) odd, (__m512) even));
}

#else

INLINE vec
dot(vec sum, word a, word b)
{
	sum += (vec) (a & HIGH) * (vec) (b & HIGH);
	sum += (vec) (a << 16) * (vec) (b << 16);
	return sum;
}

INLINE half
rounded_half(vec x)
{
	return __builtin_convertvector(rounded_high(x) >> 16, half);
}

INLINE word
rounded_pair(vec even, vec odd)
{
	return rounded_high(even) >> 16 | rounded_high(odd);
}

#endif

INLINE void
half_rows(const mmrd_half_tile *t, int at, const int rows, const int vectors)
{
	vec sum[MMRD_TILE_ROWS][VECTORS];
	const uint16_t *b = t->b + 2 * at;
	const int ldb = 2 * t->width;

	for (int r = 0; r < rows; r++)
		for (int v = 0; v < vectors; v++)
			sum[r][v] = (vec){0};
	if (t->start != NULL)
		for (int r = 0; r < rows; r++)
			for (int v = 0; v < vectors; v++)
				sum[r][v] = load(t->start[r] + at + v * LANES);
	for (int tap = 0; tap < t->taps; tap++)
	{
		const uint16_t *a[MMRD_TILE_ROWS];

		for (int r = 0; r < rows; r++)
			a[r] = t->a[tap * MMRD_TILE_ROWS + r];
		for (int k = 0; k < t->depth; k += 2, b += ldb)
		{
			word row[VECTORS];

			for (int v = 0; v < vectors; v++)
				row[v] = load_word(b + 2 * v * LANES);
			for (int r = 0; r < rows; r++)
			{
				uint32_t pair;
				word both;

				memcpy(&pair, a[r] + k, sizeof(pair));
				both = pair - (word){0};
				for (int v = 0; v < vectors; v++)
					sum[r][v] = dot(sum[r][v], both, row[v]);
			}
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
half_width(const mmrd_half_tile *t, int at, const int vectors)
{
	switch (t->rows)
	{
		case 6:
			half_rows(t, at, 6, vectors);
			return;
		case 5:
			half_rows(t, at, 5, vectors);
			return;
		case 4:
			half_rows(t, at, 4, vectors);
			return;
		case 3:
			half_rows(t, at, 3, vectors);
			return;
		case 2:
			half_rows(t, at, 2, vectors);
			return;
		default:
			half_rows(t, at, 1, vectors);
	}
}

static void
half_tile(const mmrd_half_tile *t)
{
	int at = 0;

	for (; at + VECTORS * LANES <= t->width; at += VECTORS * LANES)
		half_width(t, at, VECTORS);
	for (; at < t->width; at += LANES)
		half_width(t, at, 1);
}

static void
half_round(int n, const float *x, uint16_t *y)
{
	int i = 0;

	for (; i + LANES <= n; i += LANES)
	{
		const half h = rounded_half(load(x + i));

		memcpy(y + i, &h, sizeof(h));
	}
	if (i < n)
	{
		float rest[LANES] = {0};
		half h;

		memcpy(rest, x + i, (size_t) (n - i) * sizeof(float));
		h = rounded_half(load(rest));
		memcpy(y + i, &h, (size_t) (n - i) * sizeof(uint16_t));
	}
}

static void
half_wino_input(int n, const float *const *d, uint16_t *v, size_t plane)
{
	for (int c = 0; c < n; c += LANES)
	{
		vec lines[6][6];

		input_columns(d, c, lines);
		for (int i = 0; i < 6; i++)
		{
			vec out[6];

			input_line(lines[i], out);
			for (int j = 0; j < 6; j++)
			{
				const half h = rounded_half(out[j]);

				memcpy(v + (size_t) (i * 6 + j) * plane + c, &h, sizeof(h));
			}
		}
	}
}

/* G g G^T of one half of the pairs at g. */
INLINE void
half_weight(const uint16_t *g, int n, bool odd, vec out[36])
{
	vec lines[6][3];

	for (int j = 0; j < 3; j++)
	{
		vec column[3];
		vec line[6];

		for (int i = 0; i < 3; i++)
		{
			const word w = load_word(g + (size_t) (i * 3 + j) * 2 * n);

			column[i] = (vec) (odd ? w & HIGH : w << 16);
		}
		weight_line(column, line);
		for (int i = 0; i < 6; i++)
			lines[i][j] = line[i];
	}
	for (int i = 0; i < 6; i++)
		weight_line(lines[i], out + i * 6);
}

static void
half_wino_weight(int n, const uint16_t *g, uint16_t *u, size_t plane)
{
	for (int o = 0; o < n; o += LANES)
	{
		vec even[MMRD_WINO];
		vec odd[MMRD_WINO];

		half_weight(g + 2 * o, n, false, even);
		half_weight(g + 2 * o, n, true, odd);
		for (int i = 0; i < MMRD_WINO; i++)
		{
			const word w = rounded_pair(even[i], odd[i]);

			memcpy(u + i * plane + 2 * o, &w, sizeof(w));
		}
	}
}

#endif /* !MMRD_FLOAT_IS_DOUBLE */
