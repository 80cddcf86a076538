/*
 * loader/weights/zip_directory.c
 *	  Zip archives, as PKWARE's APPNOTE.TXT (6.3.10) describes them.
 *
 * From the back: an end record, found by its signature and by a comment that
 * reaches exactly to the end of the file, says where the central directory
 * is; each of its headers says where a local header is, and the data follows
 * that one.  Numbers that do not fit 16 or 32 bits are all ones and stand in
 * a zip64 record instead.
 *
 * The two kinds of header say the same things twice, and archives have been
 * made to mislead readers that believe different ones.  We read sizes from
 * the central header, refuse a local one that contradicts it, and refuse
 * entries that share bytes.
 */
#include "loader/weights/zip_directory.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "loader/bytes/printable.h"

enum
{
	LOCAL_BYTES = 30, /* the fixed parts of the records */
	CENTRAL_BYTES = 46,
	END_BYTES = 22,
	END64_BYTES = 56,
	LOCATOR64_BYTES = 20,
	MAX_COMMENT = 0xffff,
	FLAG_ENCRYPTED = 1 << 0,
	FLAG_SIZES_FOLLOW = 1 << 3, /* the local header has none */
	FLAG_STRONG = 1 << 6,       /* encryption */
	FLAG_MASKED = 1 << 13,      /* encrypted directory */
	METHOD_STORED = 0,
	METHOD_DEFLATED = 8,
	EXTRA_ZIP64 = 1
};

#define LOCAL_SIGNATURE UINT32_C(0x04034b50)
#define CENTRAL_SIGNATURE UINT32_C(0x02014b50)
#define END_SIGNATURE UINT32_C(0x06054b50)
#define END64_SIGNATURE UINT32_C(0x06064b50)
#define LOCATOR64_SIGNATURE UINT32_C(0x07064b50)

static uint16_t
u16(const uint8_t *p)
{
	return (uint16_t) (p[0] | p[1] << 8);
}

static uint32_t
u32(const uint8_t *p)
{
	return (uint32_t) u16(p) | (uint32_t) u16(p + 2) << 16;
}

static uint64_t
u64(const uint8_t *p)
{
	return (uint64_t) u32(p) | (uint64_t) u32(p + 4) << 32;
}

/* Where the directory is and how many entries it has. */
typedef struct directory
{
	uint64_t n_entries;
	uint64_t n_bytes;
	uint64_t at;
	size_t end; /* where the first of the end records begins */
} directory;

/* The end record: the last one whose comment ends with the file. */
static bool
find_end(const uint8_t *bytes, size_t len, size_t *at)
{
	if (len < END_BYTES)
		return false;
	for (size_t comment = 0; comment <= MAX_COMMENT; comment++)
	{
		if (comment > len - END_BYTES)
			break;
		*at = len - END_BYTES - comment;
		if (u32(bytes + *at) == END_SIGNATURE &&
		    u16(bytes + *at + 20) == comment)
			return true;
	}
	return false;
}

static mmrd_status
several_disks(mmrd_error *err)
{
	return mmrd_fail(err, MMRD_UNSUPPORTED,
	                 "zip archive is spread over several disks");
}

/* The zip64 end record, when a locator stands before the end record. */
static mmrd_status
read_end64(const uint8_t *bytes, size_t locator, directory *dir,
           mmrd_error *err)
{
	const uint64_t at = u64(bytes + locator + 8);
	const uint8_t *p;

	if (u32(bytes + locator + 4) != 0 || u32(bytes + locator + 16) > 1)
		return several_disks(err);
	if (locator < END64_BYTES || at > locator - END64_BYTES ||
	    u32(bytes + at) != END64_SIGNATURE)
	{
		mmrd_fail(err, MMRD_CORRUPT_DATA,
		          "zip archive has no zip64 end record where it says");
		return mmrd_detail(err, "It should be at byte %" PRIu64 ".", at);
	}
	p = bytes + at;
	/* Its size field counts what follows the field, 12 bytes in. */
	if (u64(p + 4) != locator - at - 12)
		return mmrd_fail(err, MMRD_CORRUPT_DATA,
		                 "zip64 end record of a zip archive has the wrong "
		                 "size");
	if (u32(p + 16) != 0 || u32(p + 20) != 0 || u64(p + 24) != u64(p + 32))
		return several_disks(err);
	dir->n_entries = u64(p + 32);
	dir->n_bytes = u64(p + 40);
	dir->at = u64(p + 48);
	dir->end = (size_t) at;
	return MMRD_OK;
}

static mmrd_status
find_directory(const uint8_t *bytes, size_t len, directory *dir,
               mmrd_error *err)
{
	const uint8_t *p;
	size_t end;

	if (!find_end(bytes, len, &end))
	{
		mmrd_fail(err, MMRD_CORRUPT_DATA, "zip archive has no directory");
		return mmrd_hint(err, "The file was probably cut short.");
	}
	p = bytes + end;
	dir->n_entries = u16(p + 10);
	dir->n_bytes = u32(p + 12);
	dir->at = u32(p + 16);
	dir->end = end;
	if (end >= LOCATOR64_BYTES &&
	    u32(p - LOCATOR64_BYTES) == LOCATOR64_SIGNATURE)
		MMRD_TRY(read_end64(bytes, end - LOCATOR64_BYTES, dir, err));
	else if (u16(p + 4) != 0 || u16(p + 6) != 0 || u16(p + 8) != u16(p + 10))
		return several_disks(err);
	if (dir->at > dir->end || dir->n_bytes != dir->end - dir->at)
	{
		mmrd_fail(err, MMRD_CORRUPT_DATA,
		          "zip archive has its directory at an impossible place");
		return mmrd_detail(err,
		                   "%" PRIu64 " bytes at byte %" PRIu64
		                   " should end at byte %zu.",
		                   dir->n_bytes, dir->at, dir->end);
	}
	if (dir->n_entries > dir->n_bytes / CENTRAL_BYTES)
	{
		mmrd_fail(err, MMRD_CORRUPT_DATA,
		          "zip archive declares an impossible number of entries");
		return mmrd_detail(err, "%" PRIu64 " entries in %" PRIu64 " bytes.",
		                   dir->n_entries, dir->n_bytes);
	}
	return MMRD_OK;
}

static mmrd_status
bad_entry(const mmrd_zip_entry *entry, const char *what, mmrd_error *err)
{
	char shown[64];

	mmrd_printable(entry->name, entry->name_bytes, shown, sizeof(shown));
	return mmrd_fail(err, MMRD_CORRUPT_DATA, "zip entry \"%s\" %s", shown,
	                 what);
}

/*
 * Replace sizes and place by those of the zip64 extra field, which holds only
 * the ones that are all ones in the header, in this order.
 */
static mmrd_status
read_extra64(const mmrd_zip_entry *entry, const uint8_t *extra,
             size_t extra_bytes, uint64_t *wanted[3], mmrd_error *err)
{
	while (extra_bytes >= 4)
	{
		const size_t n = u16(extra + 2);
		size_t at = 0;

		if (n > extra_bytes - 4)
			return bad_entry(entry, "has a broken extra field", err);
		if (u16(extra) == EXTRA_ZIP64)
		{
			for (int i = 0; i < 3; i++)
			{
				if (*wanted[i] != UINT32_MAX)
					continue;
				if (n - at < 8)
					return bad_entry(entry, "has a short zip64 field", err);
				*wanted[i] = u64(extra + 4 + at);
				at += 8;
			}
			return MMRD_OK;
		}
		extra += 4 + n;
		extra_bytes -= 4 + n;
	}
	return MMRD_OK;
}

/* Does the local header say what the central one said? */
static mmrd_status
check_local(const uint8_t *bytes, size_t directory_at, const uint8_t *central,
            uint64_t at, mmrd_zip_entry *entry, mmrd_error *err)
{
	const uint8_t *local;
	size_t room;
	size_t skip;

	if (directory_at < LOCAL_BYTES || at > directory_at - LOCAL_BYTES ||
	    u32(bytes + at) != LOCAL_SIGNATURE)
	{
		bad_entry(entry, "has no header where it says", err);
		return mmrd_detail(err, "It should be at byte %" PRIu64 ".", at);
	}
	local = bytes + at;
	room = directory_at - LOCAL_BYTES - (size_t) at;
	skip = (size_t) u16(local + 26) + u16(local + 28);
	if (skip > room || entry->stored_bytes > room - skip)
	{
		bad_entry(entry, "does not fit into the archive", err);
		return mmrd_detail(err, "It has %zu bytes, %zu remain.",
		                   entry->stored_bytes, skip > room ? 0 : room - skip);
	}
	if (u16(local + 8) != u16(central + 10) ||
	    u16(local + 26) != entry->name_bytes ||
	    memcmp(local + LOCAL_BYTES, entry->name, entry->name_bytes) != 0)
		return bad_entry(entry, "contradicts its own header", err);
	if ((u16(local + 6) & FLAG_SIZES_FOLLOW) == 0 &&
	    (u32(local + 14) != entry->crc ||
	     (u32(local + 18) != UINT32_MAX &&
	      u32(local + 18) != entry->stored_bytes) ||
	     (u32(local + 22) != UINT32_MAX && u32(local + 22) != entry->n_bytes)))
		return bad_entry(entry, "contradicts its own header", err);
	entry->from = (size_t) at;
	entry->stored = local + LOCAL_BYTES + skip;
	entry->to = (size_t) at + LOCAL_BYTES + skip + entry->stored_bytes;
	return MMRD_OK;
}

/* One central header at p, of which left bytes exist; *used is its length. */
static mmrd_status
read_entry(const uint8_t *bytes, size_t directory_at, const uint8_t *p,
           size_t left, mmrd_zip_entry *entry, size_t *used, mmrd_error *err)
{
	uint64_t stored_bytes = 0;
	uint64_t n_bytes = 0;
	uint64_t at = 0;
	uint64_t *wanted[3] = {&n_bytes, &stored_bytes, &at};
	uint16_t flags;
	uint16_t method;

	if (left < CENTRAL_BYTES || u32(p) != CENTRAL_SIGNATURE)
		return mmrd_fail(err, MMRD_CORRUPT_DATA,
		                 "zip archive has a broken directory");
	left -= CENTRAL_BYTES;
	*used = (size_t) u16(p + 28) + u16(p + 30) + u16(p + 32);
	if (*used > left)
		return mmrd_fail(err, MMRD_CORRUPT_DATA,
		                 "zip archive has a broken directory");
	*used += CENTRAL_BYTES;
	flags = u16(p + 8);
	method = u16(p + 10);
	entry->crc = u32(p + 16);
	stored_bytes = u32(p + 20);
	n_bytes = u32(p + 24);
	at = u32(p + 42);
	entry->name = (const char *) p + CENTRAL_BYTES;
	entry->name_bytes = u16(p + 28);
	MMRD_TRY(read_extra64(entry, p + CENTRAL_BYTES + entry->name_bytes,
	                      u16(p + 30), wanted, err));
	if (flags & (FLAG_ENCRYPTED | FLAG_STRONG | FLAG_MASKED))
	{
		bad_entry(entry, "is encrypted", err);
		err->status = MMRD_UNSUPPORTED;
		return err->status;
	}
	if (method != METHOD_STORED && method != METHOD_DEFLATED)
	{
		bad_entry(entry, "uses an unknown compression", err);
		err->status = MMRD_UNSUPPORTED;
		return mmrd_detail(err, "Method %u; 0 and 8 are read.", method);
	}
	if (u16(p + 34) != 0 && u16(p + 34) != UINT16_MAX)
		return several_disks(err);
	if (stored_bytes > directory_at || n_bytes > SIZE_MAX / 2 ||
	    (method == METHOD_STORED && stored_bytes != n_bytes))
	{
		bad_entry(entry, "declares impossible sizes", err);
		return mmrd_detail(err,
		                   "%" PRIu64 " bytes stored, %" PRIu64
		                   " uncompressed, in %zu bytes.",
		                   stored_bytes, n_bytes, directory_at);
	}
	entry->stored_bytes = (size_t) stored_bytes;
	entry->n_bytes = (size_t) n_bytes;
	entry->deflated = method == METHOD_DEFLATED;
	return check_local(bytes, directory_at, p, at, entry, err);
}

static int
by_place(const void *a, const void *b)
{
	const mmrd_zip_entry *x = a;
	const mmrd_zip_entry *y = b;

	return x->from < y->from ? -1 : x->from > y->from;
}

static int
by_name(const void *a, const void *b)
{
	const mmrd_zip_entry *x = a;
	const mmrd_zip_entry *y = b;
	const size_t n =
	    x->name_bytes < y->name_bytes ? x->name_bytes : y->name_bytes;
	const int order = memcmp(x->name, y->name, n);

	if (order != 0)
		return order;
	return x->name_bytes < y->name_bytes ? -1 : x->name_bytes > y->name_bytes;
}

static mmrd_status
check_apart(mmrd_zip *zip, mmrd_error *err)
{
	const size_t n = (size_t) zip->n_entries;

	qsort(zip->entries, n, sizeof(zip->entries[0]), by_place);
	for (size_t i = 1; i < n; i++)
		if (zip->entries[i].from < zip->entries[i - 1].to)
			return bad_entry(&zip->entries[i], "overlaps another one", err);
	qsort(zip->entries, n, sizeof(zip->entries[0]), by_name);
	for (size_t i = 1; i < n; i++)
		if (by_name(&zip->entries[i - 1], &zip->entries[i]) == 0)
			return bad_entry(&zip->entries[i], "occurs more than once", err);
	return MMRD_OK;
}

mmrd_status
mmrd_zip_open(const uint8_t *bytes, size_t len, int max_entries, mmrd_zip *zip,
              mmrd_error *err)
{
	mmrd_status st = MMRD_OK;
	directory dir = {0};
	size_t at;

	memset(zip, 0, sizeof(*zip));
	MMRD_TRY(find_directory(bytes, len, &dir, err));
	if (dir.n_entries > (uint64_t) max_entries)
	{
		mmrd_fail(err, MMRD_LIMIT_EXCEEDED,
		          "zip archive has too many entries");
		return mmrd_detail(err, "It has %" PRIu64 ", %d are allowed.",
		                   dir.n_entries, max_entries);
	}
	if (dir.n_entries > 0)
	{
		zip->entries = calloc((size_t) dir.n_entries, sizeof(zip->entries[0]));
		if (zip->entries == NULL)
			return mmrd_fail_memory(err, (double) dir.n_entries *
			                                 sizeof(zip->entries[0]));
	}
	at = (size_t) dir.at;
	while (zip->n_entries < (int) dir.n_entries && st == MMRD_OK)
	{
		size_t used = 0;

		st = read_entry(bytes, (size_t) dir.at, bytes + at, dir.end - at,
		                &zip->entries[zip->n_entries], &used, err);
		at += used;
		zip->n_entries++;
	}
	if (st == MMRD_OK && at != dir.end)
		st = mmrd_fail(err, MMRD_CORRUPT_DATA,
		               "zip archive has a broken directory");
	if (st == MMRD_OK && zip->n_entries > 1)
		st = check_apart(zip, err);
	if (st != MMRD_OK)
		mmrd_zip_clear(zip);
	return st;
}

const mmrd_zip_entry *
mmrd_zip_find(const mmrd_zip *zip, const char *name, size_t name_bytes)
{
	mmrd_zip_entry key = {0};

	key.name = name;
	key.name_bytes = name_bytes;
	if (zip->n_entries == 0)
		return NULL;
	return bsearch(&key, zip->entries, (size_t) zip->n_entries,
	               sizeof(zip->entries[0]), by_name);
}

void
mmrd_zip_clear(mmrd_zip *zip)
{
	free(zip->entries);
	memset(zip, 0, sizeof(*zip));
}
