/*
 * loader/weights/zip_directory.h
 *	  What a zip archive in memory contains.
 *
 *	  mmrd_zip zip;
 *
 *	  MMRD_TRY(mmrd_zip_open(bytes, len, max_entries, &zip, err));
 *	  const mmrd_zip_entry *e = mmrd_zip_find(&zip, "archive/data.pkl", 16);
 *	  ...
 *	  mmrd_zip_clear(&zip);
 *
 * Stored and deflated entries, 32-bit and zip64 archives on a single disk.
 * Reading the data is left to the caller: stored bytes are at e->stored.
 */
#ifndef MMRD_ZIP_DIRECTORY_H
#define MMRD_ZIP_DIRECTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/base/status.h"

typedef struct mmrd_zip_entry
{
	const char *name; /* in the archive, no final zero */
	size_t name_bytes;
	const uint8_t *stored; /* in the archive */
	size_t stored_bytes;
	size_t n_bytes; /* once uncompressed, as the directory declares */
	bool deflated;  /* else n_bytes equals stored_bytes */
	uint32_t crc;   /* CRC-32 of the n_bytes, as the directory declares */
	size_t from;    /* its local header and data are [from, to) */
	size_t to;
} mmrd_zip_entry;

typedef struct mmrd_zip
{
	mmrd_zip_entry *entries; /* sorted by name */
	int n_entries;
} mmrd_zip;

/*
 * Read the directory and check all of it: every entry lies inside the archive
 * and apart from every other, its local header agrees, no name occurs twice.
 *
 * bytes, len	the archive; only read; the entries point into it
 * max_entries	checked before anything is allocated
 * zip			out; the caller releases it with mmrd_zip_clear(); all zero on
 *				failure
 *
 * Returns MMRD_CORRUPT_DATA, MMRD_UNSUPPORTED (encrypted, another compression,
 * several disks), MMRD_LIMIT_EXCEEDED, MMRD_NO_MEMORY.
 */
mmrd_status mmrd_zip_open(const uint8_t *bytes, size_t len, int max_entries,
                          mmrd_zip *zip, mmrd_error *err);

/* The entry of that name, or NULL. */
const mmrd_zip_entry *mmrd_zip_find(const mmrd_zip *zip, const char *name,
                                    size_t name_bytes);

/* Leaves zip all zero; accepts all zero. */
void mmrd_zip_clear(mmrd_zip *zip);

#endif /* MMRD_ZIP_DIRECTORY_H */
