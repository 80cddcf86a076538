/*
 * loader/image/map_codec.c
 *	  Levels, their residuals, two byte planes, deflate.
 *
 * A blurred map is nearly a plane over any three neighbours, so the fourth is
 * predicted to a few levels of 4095 and most residuals are small numbers.
 * Their high bytes are then nearly all zero and cost nothing; keeping them
 * apart lets the low bytes have a Huffman code of their own.  On maps of the
 * kind the network makes, second differences in both directions compress as
 * well at 4095 levels and better only beyond 16383, which nobody needs.
 *
 * The level is nudged by at most one in two cases: only the maximum may have
 * the top level, so that the peak stays where it was, and a value stays on
 * its side of the threshold, so that regions of a stored map are those of the
 * map that was scored.
 */
#include "loader/image/map_codec.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "loader/bytes/deflate.h"

enum
{
	VERSION = 1,
	DEFLATE_LEVEL = 6,
	DEFLATE_MAX_RATIO = 1032 /* to one: 258 bytes from 2 bits */
};

static const uint8_t MAGIC[4] = {'m', 'M', 'a', 'p'};

static void
put_u32(uint8_t *p, uint32_t u)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t) (u >> 8 * i);
}

static uint32_t
get_u32(const uint8_t *p)
{
	return (uint32_t) p[0] | (uint32_t) p[1] << 8 | (uint32_t) p[2] << 16 |
	       (uint32_t) p[3] << 24;
}

static void
put_float(uint8_t *p, float f)
{
	uint32_t u;

	memcpy(&u, &f, sizeof(u));
	put_u32(p, u);
}

static float
get_float(const uint8_t *p)
{
	const uint32_t u = get_u32(p);
	float f;

	memcpy(&f, &u, sizeof(f));
	return f;
}

/* The sizes, in the order of the format. */
static void
sizes_of(mmrd_map_info *info, int32_t *sizes[8])
{
	sizes[0] = &info->height;
	sizes[1] = &info->width;
	sizes[2] = &info->source_height;
	sizes[3] = &info->source_width;
	sizes[4] = &info->roi_x;
	sizes[5] = &info->roi_y;
	sizes[6] = &info->roi_width;
	sizes[7] = &info->roi_height;
}

static void
put_header(const mmrd_map_info *info, uint32_t n_packed, uint8_t *p)
{
	mmrd_map_info copy = *info;
	int32_t *sizes[8];

	memset(p, 0, MMRD_MAP_HEADER_BYTES);
	memcpy(p, MAGIC, sizeof(MAGIC));
	p[4] = VERSION;
	p[5] = info->has_threshold;
	sizes_of(&copy, sizes);
	for (int i = 0; i < 8; i++)
		put_u32(p + 8 + 4 * i, (uint32_t) *sizes[i]);
	put_float(p + 40, info->lo);
	put_float(p + 44, info->hi);
	put_float(p + 48, info->has_threshold ? info->threshold : 0);
	put_u32(p + 52, n_packed);
}

static float
value_of_level(const mmrd_map_info *info, int level)
{
	const double range = (double) info->hi - info->lo;

	if (level == MMRD_MAP_LEVELS)
		return info->hi;
	return (float) (info->lo + range * level / MMRD_MAP_LEVELS);
}

static int
level_of_value(const mmrd_map_info *info, float v)
{
	const double range = (double) info->hi - info->lo;
	int level;

	if (v == info->lo)
		return 0;
	if (v == info->hi)
		return MMRD_MAP_LEVELS;
	level = (int) lrint(((double) v - info->lo) / range * MMRD_MAP_LEVELS);
	if (level == MMRD_MAP_LEVELS)
		level--;
	if (!info->has_threshold)
		return level;
	if (v > info->threshold)
		while (value_of_level(info, level) <= info->threshold)
			level++; /* ends at hi, which is above v */
	else
		while (value_of_level(info, level) > info->threshold)
			level--; /* ends at lo, which is below v */
	return level;
}

/* What the pixel's level is expected to be, from those before it. */
static int
predict(const uint16_t *levels, size_t width, size_t y, size_t x)
{
	const uint16_t *at = levels + y * width + x;

	if (y == 0)
		return x == 0 ? 0 : at[-1];
	if (x == 0)
		return at[-(ptrdiff_t) width];
	return at[-1] + at[-(ptrdiff_t) width] - at[-(ptrdiff_t) width - 1];
}

static mmrd_status
check_view(const mmrd_map_view *map, mmrd_error *err)
{
	const mmrd_map_info *info = &map->info;
	const int32_t h = info->height;
	const int32_t w = info->width;

	if (!mmrd_map_info_fits(info))
	{
		mmrd_fail(err, MMRD_INVALID_ARGUMENT, "map has impossible dimensions");
		return mmrd_detail(err,
		                   "%d x %d values for %d x %d pixels at (%d, %d) of "
		                   "an image of %d x %d.",
		                   w, h, info->roi_width, info->roi_height,
		                   info->roi_x, info->roi_y, info->source_width,
		                   info->source_height);
	}
	if ((int64_t) h * w > MMRD_MAP_MAX_PIXELS)
	{
		mmrd_fail(err, MMRD_LIMIT_EXCEEDED, "map is too large");
		return mmrd_detail(err, "It has %d x %d values, %d are allowed.", w, h,
		                   MMRD_MAP_MAX_PIXELS);
	}
	if (info->has_threshold && !isfinite(info->threshold))
	{
		mmrd_fail(err, MMRD_INVALID_ARGUMENT,
		          "threshold of the map is not finite");
		return mmrd_detail(err, "It is %g.", (double) info->threshold);
	}
	for (int32_t p = 0; p < h * w; p++)
		if (!isfinite(map->values[p]))
		{
			mmrd_fail(err, MMRD_INVALID_ARGUMENT,
			          "map holds a value that is not finite");
			return mmrd_detail(err, "It is %g, at column %d, row %d.",
			                   (double) map->values[p], p % w, p / w);
		}
	return MMRD_OK;
}

/* planes: 2 bytes per pixel, see the header. */
static void
split_residuals(const uint16_t *levels, size_t height, size_t width,
                uint8_t *planes)
{
	const size_t n = height * width;

	for (size_t y = 0; y < height; y++)
		for (size_t x = 0; x < width; x++)
		{
			const size_t p = y * width + x;
			const int r = levels[p] - predict(levels, width, y, x);
			const int stored = r >= 0 ? 2 * r : -2 * r - 1;

			planes[p] = (uint8_t) (stored & 0xff);
			planes[n + p] = (uint8_t) (stored >> 8);
		}
}

mmrd_status
mmrd_map_encode(const mmrd_map_view *map, uint8_t **bytes, size_t *n_bytes,
                mmrd_error *err)
{
	mmrd_status st = MMRD_OK;
	mmrd_map_info info = map->info;
	uint16_t *levels = NULL;
	uint8_t *planes = NULL;
	uint8_t *out = NULL;
	uint8_t *fitted;
	size_t n_packed = 0;
	size_t n;

	*bytes = NULL;
	*n_bytes = 0;
	MMRD_TRY(check_view(map, err));
	n = (size_t) info.height * (size_t) info.width;
	levels = malloc(n * sizeof(*levels));
	planes = malloc(2 * n);
	out = malloc(MMRD_MAP_HEADER_BYTES + mmrd_deflate_bound(2 * n));
	if (levels == NULL || planes == NULL || out == NULL)
	{
		st = mmrd_fail_memory(err, 6.0 * (double) n);
		goto done;
	}
	info.lo = map->values[0];
	info.hi = map->values[0];
	for (size_t p = 1; p < n; p++)
	{
		info.lo = map->values[p] < info.lo ? map->values[p] : info.lo;
		info.hi = map->values[p] > info.hi ? map->values[p] : info.hi;
	}
	for (size_t p = 0; p < n; p++)
		levels[p] = (uint16_t) level_of_value(&info, map->values[p]);
	split_residuals(levels, (size_t) info.height, (size_t) info.width, planes);
	st = mmrd_deflate(DEFLATE_LEVEL, planes, 2 * n,
	                  out + MMRD_MAP_HEADER_BYTES, &n_packed, err);
	if (st != MMRD_OK)
		goto done;
	put_header(&info, (uint32_t) n_packed, out);
	*n_bytes = MMRD_MAP_HEADER_BYTES + n_packed;
	fitted = realloc(out, *n_bytes); /* give back what the bound was over */
	*bytes = fitted != NULL ? fitted : out;
	out = NULL;

done:
	free(levels);
	free(planes);
	free(out);
	return st;
}

static mmrd_status
corrupt(mmrd_error *err, const char *what)
{
	mmrd_fail(err, MMRD_CORRUPT_DATA, "map is damaged");
	return mmrd_detail(err, "%s", what);
}

static mmrd_status
get_header(const uint8_t *p, size_t n_bytes, mmrd_map_info *info,
           mmrd_error *err)
{
	int32_t *sizes[8];

	if (n_bytes < MMRD_MAP_HEADER_BYTES)
	{
		corrupt(err, "");
		return mmrd_detail(err, "Its header takes %d bytes, %zu are there.",
		                   MMRD_MAP_HEADER_BYTES, n_bytes);
	}
	if (memcmp(p, MAGIC, sizeof(MAGIC)) != 0)
		return corrupt(err, "It does not start with the signature of a map.");
	if (p[4] != VERSION)
	{
		mmrd_fail(err, MMRD_UNSUPPORTED, "map has an unknown format version");
		return mmrd_detail(err, "Expected %d, found %d.", VERSION, p[4]);
	}
	if (p[5] > 1 || p[6] != 0 || p[7] != 0)
		return corrupt(err, "Its header sets bits that have no meaning.");
	sizes_of(info, sizes);
	for (int i = 0; i < 8; i++)
	{
		const uint32_t u = get_u32(p + 8 + 4 * i);

		if (u > INT32_MAX)
			return corrupt(err, "Its header declares an impossible size.");
		*sizes[i] = (int32_t) u;
	}
	if (!mmrd_map_info_fits(info))
		return corrupt(err, "The sizes in its header contradict each other.");
	info->has_threshold = p[5] == 1;
	info->lo = get_float(p + 40);
	info->hi = get_float(p + 44);
	info->threshold = get_float(p + 48);
	if (!isfinite(info->lo) || !isfinite(info->hi) || info->lo > info->hi)
		return corrupt(err, "The range of its values is impossible.");
	if (!isfinite(info->threshold) ||
	    (!info->has_threshold && get_u32(p + 48) != 0))
		return corrupt(err, "Its threshold is impossible.");
	return MMRD_OK;
}

mmrd_status
mmrd_map_header(const uint8_t *bytes, size_t n_bytes, mmrd_map_info *info,
                mmrd_error *err)
{
	mmrd_status st;

	memset(info, 0, sizeof(*info));
	st = get_header(bytes, n_bytes, info, err);
	if (st != MMRD_OK)
		memset(info, 0, sizeof(*info));
	return st;
}

/* The sizes against the limits and against the bytes that are there. */
static mmrd_status
check_sizes(const mmrd_map_info *info, const uint8_t *bytes, size_t n_bytes,
            const mmrd_raster_limits *limits, mmrd_error *err)
{
	const int64_t n = (int64_t) info->height * info->width; /* below 2^62 */
	const size_t n_packed = n_bytes - MMRD_MAP_HEADER_BYTES;

	if (n > limits->max_pixels || n > MMRD_MAP_MAX_PIXELS ||
	    (size_t) n > limits->max_bytes / sizeof(float))
	{
		mmrd_fail(err, MMRD_LIMIT_EXCEEDED, "map is too large");
		return mmrd_detail(err, "It declares %d x %d values.", info->width,
		                   info->height);
	}
	if (get_u32(bytes + 52) != n_packed)
	{
		corrupt(err, "");
		return mmrd_detail(err, "It declares %u bytes of data, %zu are there.",
		                   get_u32(bytes + 52), n_packed);
	}
	if (2 * (size_t) n / DEFLATE_MAX_RATIO > n_packed)
	{
		corrupt(err, "");
		return mmrd_detail(err, "%d x %d values cannot come from %zu bytes.",
		                   info->width, info->height, n_packed);
	}
	return MMRD_OK;
}

/* Levels from the planes; false when one is out of range. */
static bool
join_residuals(const uint8_t *planes, size_t height, size_t width,
               uint16_t *levels)
{
	const size_t n = height * width;

	for (size_t y = 0; y < height; y++)
		for (size_t x = 0; x < width; x++)
		{
			const size_t p = y * width + x;
			const int stored = planes[p] | planes[n + p] << 8;
			const int r = stored & 1 ? -(stored >> 1) - 1 : stored >> 1;
			const int level = predict(levels, width, y, x) + r;

			if (level < 0 || level > MMRD_MAP_LEVELS)
				return false;
			levels[p] = (uint16_t) level;
		}
	return true;
}

/* Does the map hold the least and the largest value its header names? */
static bool
ends_present(const mmrd_map_info *info, const uint16_t *levels, size_t n)
{
	const int top = info->lo < info->hi ? MMRD_MAP_LEVELS : 0;
	int lo = MMRD_MAP_LEVELS;
	int hi = 0;

	for (size_t p = 0; p < n; p++)
	{
		lo = levels[p] < lo ? levels[p] : lo;
		hi = levels[p] > hi ? levels[p] : hi;
	}
	return lo == 0 && hi == top;
}

mmrd_status
mmrd_map_decode(const uint8_t *bytes, size_t n_bytes,
                const mmrd_raster_limits *limits, mmrd_map *map,
                mmrd_error *err)
{
	mmrd_status st = MMRD_OK;
	mmrd_map_info info;
	uint16_t *levels = NULL;
	uint8_t *planes = NULL;
	float *values = NULL;
	size_t n;

	memset(map, 0, sizeof(*map));
	MMRD_TRY(mmrd_map_header(bytes, n_bytes, &info, err));
	MMRD_TRY(check_sizes(&info, bytes, n_bytes, limits, err));
	n = (size_t) info.height * (size_t) info.width;
	levels = malloc(n * sizeof(*levels));
	planes = malloc(2 * n);
	if (levels == NULL || planes == NULL)
	{
		st = mmrd_fail_memory(err, 4.0 * (double) n);
		goto done;
	}
	st = mmrd_inflate(MMRD_DEFLATE_ZLIB, bytes + MMRD_MAP_HEADER_BYTES,
	                  n_bytes - MMRD_MAP_HEADER_BYTES, planes, 2 * n, err);
	if (st != MMRD_OK)
		goto done;
	if (!join_residuals(planes, (size_t) info.height, (size_t) info.width,
	                    levels))
	{
		st = corrupt(err, "A value lies outside the range it declares.");
		goto done;
	}
	if (!ends_present(&info, levels, n))
	{
		st = corrupt(err, "Its values do not fill the range it declares.");
		goto done;
	}
	free(planes); /* before the floats: they take as much */
	planes = NULL;
	values = malloc(n * sizeof(*values));
	if (values == NULL)
	{
		st = mmrd_fail_memory(err, 4.0 * (double) n);
		goto done;
	}
	for (size_t p = 0; p < n; p++)
		values[p] = value_of_level(&info, levels[p]);
	map->info = info;
	map->values = values;

done:
	free(levels);
	free(planes);
	return st;
}

void
mmrd_map_clear(mmrd_map *map)
{
	free(map->values);
	memset(map, 0, sizeof(*map));
}
