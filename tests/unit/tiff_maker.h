/*
 * tests/unit/tiff_maker.h
 *	  TIFF files in every layout that we read, made by hand for the tests.
 *
 *	  tiff_spec spec = TIFF_SPEC;
 *	  spec.bits = 16;
 *	  n = tiff_make(&spec, bytes);
 *
 * Samples come from a formula, so that a test can tell what must come out.
 */
#ifndef TIFF_MAKER_H
#define TIFF_MAKER_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "loader/bytes/deflate.h"
#include "model/base/random.h"

enum
{
	TIFF_MAX_BYTES = 1 << 20 /* of a file made here */
};

typedef struct tiff_spec
{
	int width;
	int height;
	int samples; /* per pixel */
	int extra;   /* of them */
	int bits;
	int format;      /* 1 unsigned, 3 float */
	int photometric; /* 1 grey, 2 RGB, 3 palette */
	int compression;
	int predictor;
	int planar;      /* 1 interleaved, 2 planes */
	int block_width; /* 0: strips */
	int block_height;
	int big_endian;
	int big_tiff;
} tiff_spec;

#define TIFF_SPEC ((tiff_spec){13, 11, 1, 0, 8, 1, 1, 1, 1, 1, 0, 4, 0, 0})

typedef struct tiff_file
{
	const tiff_spec *spec;
	uint8_t *bytes;
	size_t n;
} tiff_file;

/* Sample s of pixel (x, y), as stored: its bits. */
static inline uint64_t
tiff_sample_bits(const tiff_spec *spec, int y, int x, int s)
{
	const uint64_t bits = mmrd_mix64((uint64_t) ((y * 1000 + x) * 8 + s));
	const float f = (float) (bits >> 40) / (1 << 23) - 1.0f;
	const double d = f; /* narrowing gives f again */
	uint64_t out = 0;

	if (spec->format == 3 && spec->bits == 64)
		memcpy(&out, &d, 8);
	else if (spec->format == 3)
	{
		uint32_t u;

		memcpy(&u, &f, 4);
		out = u;
	}
	else
		out = bits >> (64 - spec->bits);
	return out;
}

/* Entry i of channel c of the palette, 16 bits. */
static inline uint16_t
tiff_palette(int c, int i)
{
	return (uint16_t) (mmrd_mix64((uint64_t) (i * 3 + c + 1000000)) >> 48);
}

static inline void
tiff_store(uint8_t *to, int big_endian, uint64_t v, int n)
{
	for (int i = 0; i < n; i++)
		to[big_endian ? n - 1 - i : i] = (uint8_t) (v >> (8 * i));
}

static inline void
tiff_put(tiff_file *f, uint64_t v, int n)
{
	tiff_store(f->bytes + f->n, f->spec->big_endian, v, n);
	f->n += (size_t) n;
}

/* One directory entry with one value, or with the offset of several. */
static inline void
tiff_put_entry(tiff_file *f, int tag, int type, uint64_t count, uint64_t v)
{
	const int field = f->spec->big_tiff ? 8 : 4;
	const int each = type == 3 ? 2 : type == 4 ? 4 : 8;
	const int in_place = count * (uint64_t) each <= (uint64_t) field;
	uint8_t value[8] = {0};

	tiff_put(f, (uint64_t) tag, 2);
	tiff_put(f, (uint64_t) type, 2);
	tiff_put(f, count, field);
	if (in_place) /* all the same */
		for (uint64_t i = 0; i < count; i++)
			tiff_store(value + i * (uint64_t) each, f->spec->big_endian, v,
			           each);
	else
		tiff_store(value, f->spec->big_endian, v, field);
	memcpy(f->bytes + f->n, value, (size_t) field);
	f->n += (size_t) field;
}

/* Difference the count values of one row, each of n bytes, in place. */
static inline void
tiff_predict(const tiff_spec *spec, uint64_t *row, int count, int stride,
             uint8_t *out)
{
	const int n = spec->bits / 8;

	if (spec->predictor == 3)
	{
		for (int i = 0; i < count; i++)
			for (int b = 0; b < n; b++)
				out[b * count + i] = (uint8_t) (row[i] >> (8 * (n - 1 - b)));
		for (int i = count * n - 1; i >= stride; i--)
			out[i] = (uint8_t) (out[i] - out[i - stride]);
		return;
	}
	for (int i = count - 1; spec->predictor == 2 && i >= stride; i--)
		row[i] -= row[i - stride];
	for (int i = 0; i < count; i++)
		tiff_store(out + i * n, spec->big_endian, row[i], n);
}

static inline size_t
tiff_packbits(const uint8_t *in, size_t n, uint8_t *out)
{
	size_t used = 0;

	for (size_t i = 0; i < n;)
	{
		size_t run = 1;

		while (i + run < n && run < 128 && in[i + run] == in[i])
			run++;
		if (run == 1)
		{
			out[used++] = 0;
			out[used++] = in[i];
		}
		else
		{
			out[used++] = (uint8_t) (257 - run);
			out[used++] = in[i];
		}
		i += run;
	}
	return used;
}

/* LZW of literals only, the table cleared before its codes get longer. */
static inline size_t
tiff_lzw(const uint8_t *in, size_t n, uint8_t *out)
{
	size_t used = 0;
	uint32_t bits = 0;
	int n_bits = 0;

	for (size_t i = 0; i <= n; i++)
	{
		uint32_t codes[2];
		int n_codes = 0;

		if (i % 200 == 0)
			codes[n_codes++] = 256; /* clear */
		codes[n_codes++] = i < n ? in[i] : 257 /* end */;
		for (int c = 0; c < n_codes; c++)
		{
			bits = bits << 9 | codes[c];
			n_bits += 9;
			while (n_bits >= 8)
			{
				n_bits -= 8;
				out[used++] = (uint8_t) (bits >> n_bits);
			}
		}
	}
	if (n_bits > 0)
		out[used++] = (uint8_t) (bits << (8 - n_bits));
	return used;
}

/* Append one block's compressed bytes. */
static inline void
tiff_put_block(tiff_file *f, const uint8_t *raw, size_t n)
{
	uint8_t *to = f->bytes + f->n;
	mmrd_error err;
	size_t used = 0;

	switch (f->spec->compression)
	{
		case 5:
			used = tiff_lzw(raw, n, to);
			break;
		case 8:
		case 32946:
			if (mmrd_deflate(6, raw, n, to, &used, &err) != MMRD_OK)
				abort();
			break;
		case 32773:
			used = tiff_packbits(raw, n, to);
			break;
		default:
			memcpy(to, raw, n);
			used = n;
	}
	f->n += used;
}

/* Write all blocks; their offsets and lengths go into at and n_bytes. */
static inline int
tiff_put_blocks(tiff_file *f, uint64_t *at, uint64_t *n_bytes)
{
	static uint8_t raw[TIFF_MAX_BYTES];
	static uint64_t row[1 << 14];
	const tiff_spec *s = f->spec;
	const int tiled = s->block_width != 0;
	const int bw = tiled ? s->block_width : s->width;
	const int planes = s->planar == 2 ? s->samples : 1;
	const int inside = s->samples / planes; /* samples in one block */
	int k = 0;

	for (int p = 0; p < planes; p++)
		for (int y0 = 0; y0 < s->height; y0 += s->block_height)
			for (int x0 = 0; x0 < s->width; x0 += bw)
			{
				size_t n = 0;

				for (int y = y0; y < y0 + s->block_height; y++)
				{
					if (!tiled && y >= s->height)
						break;
					for (int x = x0; x < x0 + bw; x++)
						for (int i = 0; i < inside; i++)
							row[(x - x0) * inside + i] =
							    y < s->height && x < s->width
							        ? tiff_sample_bits(s, y, x, p + i)
							        : 0;
					tiff_predict(s, row, bw * inside, inside, raw + n);
					n += (size_t) (bw * inside * s->bits / 8);
				}
				at[k] = f->n;
				tiff_put_block(f, raw, n);
				n_bytes[k] = f->n - at[k];
				k++;
			}
	return k;
}

/* Make the file in bytes, which has room for TIFF_MAX_BYTES; its length. */
static inline size_t
tiff_make(const tiff_spec *s, uint8_t *bytes)
{
	static uint64_t at[1 << 12];
	static uint64_t n_bytes[1 << 12];
	tiff_file f = {s, bytes, 0};
	const int wide = s->big_tiff ? 16 : 4; /* type of offsets */
	const int wide_bytes = s->big_tiff ? 8 : 4;
	const int tiled = s->block_width != 0;
	const int palette = s->photometric == 3;
	const int entries = 12 + (tiled ? 1 : 0) + palette + (s->extra > 0);
	size_t at_arrays;
	size_t at_map;
	size_t at_directory;
	int n;

	memcpy(bytes, s->big_endian ? "MM" : "II", 2);
	f.n = 2;
	tiff_put(&f, s->big_tiff ? 43 : 42, 2);
	if (s->big_tiff)
		tiff_put(&f, 8, 2); /* bytes of an offset */
	if (s->big_tiff)
		tiff_put(&f, 0, 2);
	f.n = s->big_tiff ? 16 : 8;
	n = tiff_put_blocks(&f, at, n_bytes);

	f.n += f.n % 2;
	at_arrays = f.n;
	for (int i = 0; i < n; i++)
		tiff_put(&f, at[i], wide_bytes);
	for (int i = 0; i < n; i++)
		tiff_put(&f, n_bytes[i], wide_bytes);
	at_map = f.n;
	for (int i = 0; palette && i < 3 * 256; i++)
		tiff_put(&f, tiff_palette(i / 256, i % 256), 2);
	for (int i = 0; i < 2 * s->samples; i++) /* bits, formats */
		tiff_put(&f, (uint64_t) (i < s->samples ? s->bits : s->format), 2);
	at_directory = f.n;

	tiff_put(&f, (uint64_t) entries, s->big_tiff ? 8 : 2);
	tiff_put_entry(&f, 256, 4, 1, (uint64_t) s->width);
	tiff_put_entry(&f, 257, 3, 1, (uint64_t) s->height);
	tiff_put_entry(&f, 258, 3, (uint64_t) s->samples,
	               2 * s->samples <= wide_bytes
	                   ? (uint64_t) s->bits
	                   : at_directory - (size_t) (4 * s->samples));
	tiff_put_entry(&f, 259, 3, 1, (uint64_t) s->compression);
	tiff_put_entry(&f, 262, 3, 1, (uint64_t) s->photometric);
	if (!tiled)
		tiff_put_entry(&f, 273, wide, (uint64_t) n,
		               n == 1 ? at[0] : at_arrays);
	tiff_put_entry(&f, 277, 3, 1, (uint64_t) s->samples);
	if (!tiled)
	{
		tiff_put_entry(&f, 278, 4, 1, (uint64_t) s->block_height);
		tiff_put_entry(&f, 279, wide, (uint64_t) n,
		               n == 1 ? n_bytes[0]
		                      : at_arrays + (size_t) (n * wide_bytes));
	}
	tiff_put_entry(&f, 284, 3, 1, (uint64_t) s->planar);
	tiff_put_entry(&f, 317, 3, 1, (uint64_t) s->predictor);
	if (palette)
		tiff_put_entry(&f, 320, 3, 3 * 256, at_map);
	if (tiled)
	{
		tiff_put_entry(&f, 322, 3, 1, (uint64_t) s->block_width);
		tiff_put_entry(&f, 323, 3, 1, (uint64_t) s->block_height);
		tiff_put_entry(&f, 324, wide, (uint64_t) n,
		               n == 1 ? at[0] : at_arrays);
		tiff_put_entry(&f, 325, wide, (uint64_t) n,
		               n == 1 ? n_bytes[0]
		                      : at_arrays + (size_t) (n * wide_bytes));
	}
	if (s->extra > 0)
		tiff_put_entry(&f, 338, 3, (uint64_t) s->extra, 2);
	tiff_put_entry(&f, 339, 3, (uint64_t) s->samples,
	               2 * s->samples <= wide_bytes
	                   ? (uint64_t) s->format
	                   : at_directory - (size_t) (2 * s->samples));
	tiff_put(&f, 0, wide_bytes); /* no next directory */
	tiff_store(bytes + (s->big_tiff ? 8 : 4), s->big_endian, at_directory,
	           wide_bytes);
	return f.n;
}

#endif /* TIFF_MAKER_H */
