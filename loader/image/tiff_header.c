/*
 * loader/image/tiff_header.c
 *	  The first directory of a TIFF file.
 *
 * A classic directory is a 16-bit count and entries of 12 bytes: tag, type,
 * 32-bit count, and a 32-bit field that holds the value itself or its offset.
 * BigTIFF has the same with 64 bits: a count of 8 bytes, entries of 20.
 */
#include "loader/image/tiff_header.h"

#include <inttypes.h>
#include <string.h>

#include "loader/image/tiff.h"

enum
{
	TAG_WIDTH = 256,
	TAG_HEIGHT = 257,
	TAG_BITS = 258,
	TAG_COMPRESSION = 259,
	TAG_PHOTOMETRIC = 262,
	TAG_FILL_ORDER = 266,
	TAG_SAMPLES = 277,
	TAG_PLANAR = 284,
	TAG_PREDICTOR = 317,
	TAG_TILE_WIDTH = 322,
	TAG_TILE_HEIGHT = 323,
	TAG_EXTRA = 338,
	TAG_FORMAT = 339
};

enum
{
	TYPE_BYTE = 1,
	TYPE_SHORT = 3,
	TYPE_LONG = 4,
	TYPE_LONG8 = 16
};

static const uint32_t absent = UINT32_MAX;

/* The file, and how its numbers are written. */
typedef struct source
{
	const uint8_t *bytes;
	size_t len;
	int big_endian;
	int big_tiff;
} source;

/* One directory entry: count values of one type, at an offset of the file. */
typedef struct entry
{
	uint32_t tag;
	uint32_t type;
	uint64_t count;
	size_t at;
} entry;

/* An unsigned number of n bytes at offset at, which the caller has checked. */
static uint64_t
number(const source *s, size_t at, size_t n)
{
	uint64_t v = 0;

	for (size_t i = 0; i < n; i++)
	{
		const size_t from = s->big_endian ? at + i : at + n - 1 - i;

		v = v << 8 | s->bytes[from];
	}
	return v;
}

static size_t
type_bytes(uint32_t type)
{
	switch (type)
	{
		case TYPE_BYTE:
			return 1;
		case TYPE_SHORT:
			return 2;
		case TYPE_LONG:
			return 4;
		case TYPE_LONG8:
			return 8;
		default:
			return 0;
	}
}

/* Where a directory entry's values are; false when they leave the file. */
static int
entry_read(const source *s, size_t at, entry *e)
{
	const size_t field = s->big_tiff ? 8 : 4; /* bytes of count and value */
	uint64_t offset;
	size_t each;

	e->tag = (uint32_t) number(s, at, 2);
	e->type = (uint32_t) number(s, at + 2, 2);
	e->count = number(s, at + 4, field);
	e->at = at + 4 + field;
	each = type_bytes(e->type);
	if (each == 0 || e->count == 0 || e->count > s->len / each)
		return 0;
	if (e->count * each <= field)
		return 1;
	offset = number(s, e->at, field);
	if (offset > s->len || e->count * each > s->len - offset)
		return 0;
	e->at = (size_t) offset;
	return 1;
}

/* The one value of an entry, or the value all of them have. */
static mmrd_status
entry_value(const source *s, const entry *e, uint32_t *out, mmrd_error *err)
{
	const size_t each = type_bytes(e->type);
	const uint64_t first = number(s, e->at, each);

	for (uint64_t i = 1; i < e->count; i++)
		if (number(s, e->at + (size_t) i * each, each) != first)
		{
			mmrd_fail(err, MMRD_UNSUPPORTED,
			          "TIFF file has channels of different types");
			return mmrd_detail(
			    err,
			    "Tag %u holds %" PRIu64 " for the first and %" PRIu64
			    " for another channel.",
			    e->tag, first, number(s, e->at + (size_t) i * each, each));
		}
	if (first >= UINT32_MAX)
	{
		mmrd_fail(err, MMRD_CORRUPT_DATA,
		          "TIFF directory holds an impossible value");
		return mmrd_detail(err, "Tag %u is %" PRIu64 ".", e->tag, first);
	}
	*out = (uint32_t) first;
	return MMRD_OK;
}

/* Where the value of a tag goes, or NULL for a tag that we do not need. */
static uint32_t *
slot_of(mmrd_tiff_header *h, uint32_t size[2], uint32_t tag)
{
	switch (tag)
	{
		case TAG_WIDTH:
			return &size[0];
		case TAG_HEIGHT:
			return &size[1];
		case TAG_BITS:
			return &h->bits;
		case TAG_COMPRESSION:
			return &h->compression;
		case TAG_PHOTOMETRIC:
			return &h->photometric;
		case TAG_FILL_ORDER:
			return &h->fill_order;
		case TAG_SAMPLES:
			return &h->samples;
		case TAG_PLANAR:
			return &h->planar;
		case TAG_PREDICTOR:
			return &h->predictor;
		case TAG_TILE_WIDTH:
			return &h->tile_width;
		case TAG_TILE_HEIGHT:
			return &h->tile_height;
		case TAG_FORMAT:
			return &h->format;
		default:
			return NULL;
	}
}

/* Read the entries of the directory into h and size (absent where unset). */
static mmrd_status
entries_read(const source *s, size_t at, uint64_t n, mmrd_tiff_header *h,
             uint32_t size[2], mmrd_error *err)
{
	const size_t entry_bytes = s->big_tiff ? 20 : 12;

	for (uint64_t i = 0; i < n; i++, at += entry_bytes)
	{
		const uint32_t tag = (uint32_t) number(s, at, 2);
		uint32_t *slot = slot_of(h, size, tag);
		entry e;

		if (slot == NULL && tag != TAG_EXTRA)
			continue;
		if (!entry_read(s, at, &e))
		{
			mmrd_fail(err, MMRD_CORRUPT_DATA, "TIFF directory is damaged");
			return mmrd_detail(err,
			                   "The values of tag %u do not lie inside the "
			                   "file, or have the wrong type.",
			                   tag);
		}
		if (tag == TAG_EXTRA)
			h->extra = e.count > UINT16_MAX ? UINT16_MAX : (uint32_t) e.count;
		else if (*slot != absent)
		{
			mmrd_fail(err, MMRD_CORRUPT_DATA, "TIFF directory is damaged");
			return mmrd_detail(err, "It holds tag %u twice.", tag);
		}
		else
			MMRD_TRY(entry_value(s, &e, slot, err));
	}
	return MMRD_OK;
}

static void
set_default(uint32_t *slot, uint32_t value)
{
	if (*slot == absent)
		*slot = value;
}

/* Find the first directory: its first entry's offset and their number. */
static mmrd_status
directory_find(const source *s, size_t *at, uint64_t *n, mmrd_error *err)
{
	const size_t head = s->big_tiff ? 16 : 8;
	const size_t field = s->big_tiff ? 8 : 4;
	const size_t count_bytes = s->big_tiff ? 8 : 2;
	const size_t entry_bytes = s->big_tiff ? 20 : 12;
	uint64_t offset;

	if (s->len < head)
	{
		mmrd_fail(err, MMRD_CORRUPT_DATA, "TIFF header is truncated");
		return mmrd_detail(err, "It has %zu bytes, the file has %zu.", head,
		                   s->len);
	}
	offset = number(s, head - field, field);
	if (offset > s->len || s->len - offset < count_bytes)
	{
		mmrd_fail(err, MMRD_CORRUPT_DATA, "TIFF file is truncated");
		return mmrd_detail(
		    err, "Its directory is at byte %" PRIu64 ", the file has %zu.",
		    offset, s->len);
	}
	*n = number(s, (size_t) offset, count_bytes);
	*at = (size_t) offset + count_bytes;
	if (s->len - *at < field || /* the offset of the next directory */
	    *n > (s->len - *at - field) / entry_bytes)
	{
		mmrd_fail(err, MMRD_CORRUPT_DATA, "TIFF file is truncated");
		return mmrd_detail(err,
		                   "Its directory declares %" PRIu64
		                   " entries, %zu bytes remain.",
		                   *n, s->len - *at);
	}
	return MMRD_OK;
}

int
mmrd_tiff_recognise(const uint8_t *bytes, size_t len)
{
	return len >= 4 &&
	       (memcmp(bytes, "II*\0", 4) == 0 || memcmp(bytes, "MM\0*", 4) == 0 ||
	        memcmp(bytes, "II+\0", 4) == 0 || memcmp(bytes, "MM\0+", 4) == 0);
}

mmrd_status
mmrd_tiff_header_read(const uint8_t *bytes, size_t len,
                      mmrd_tiff_header *header, mmrd_error *err)
{
	source s = {bytes, len, 0, 0};
	mmrd_tiff_header h;
	uint32_t size[2] = {absent, absent};
	uint64_t n = 0;
	size_t at = 0;

	memset(header, 0, sizeof(*header));
	if (!mmrd_tiff_recognise(bytes, len))
		return mmrd_fail(err, MMRD_CORRUPT_DATA,
		                 "TIFF file has no TIFF signature");
	s.big_endian = bytes[0] == 'M';
	s.big_tiff = bytes[2] == '+' || bytes[3] == '+';
	memset(&h, 0xff, sizeof(h)); /* every slot absent */
	h.extra = 0;
	MMRD_TRY(directory_find(&s, &at, &n, err));
	MMRD_TRY(entries_read(&s, at, n, &h, size, err));

	if (size[0] == absent || size[1] == absent || size[0] == 0 ||
	    size[1] == 0 || size[0] > INT32_MAX || size[1] > INT32_MAX)
	{
		mmrd_fail(err, MMRD_CORRUPT_DATA,
		          "TIFF file declares no size, or an impossible one");
		if (size[0] != absent && size[1] != absent)
			mmrd_detail(err, "Width %u, height %u.", size[0], size[1]);
		return err->status;
	}
	h.width = (int32_t) size[0];
	h.height = (int32_t) size[1];
	set_default(&h.bits, 1);
	set_default(&h.format, 1);
	set_default(&h.compression, 1);
	set_default(&h.samples, 1);
	set_default(&h.photometric, h.samples >= 3 ? 2 : 1);
	set_default(&h.planar, 1);
	set_default(&h.predictor, 1);
	set_default(&h.fill_order, 1);
	set_default(&h.tile_width, 0);
	set_default(&h.tile_height, 0);
	if (h.samples == 0 || h.extra >= h.samples ||
	    (h.tile_width == 0) != (h.tile_height == 0))
	{
		mmrd_fail(err, MMRD_CORRUPT_DATA, "TIFF directory contradicts itself");
		return mmrd_detail(err,
		                   "%u samples per pixel, %u of them extra; tiles of "
		                   "%u x %u pixels.",
		                   h.samples, h.extra, h.tile_width, h.tile_height);
	}
	*header = h;
	return MMRD_OK;
}
