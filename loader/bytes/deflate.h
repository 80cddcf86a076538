/*
 * loader/bytes/deflate.h
 *	  Compressing and uncompressing a block of memory; wraps zlib.
 */
#ifndef MMRD_DEFLATE_H
#define MMRD_DEFLATE_H

#include <stddef.h>
#include <stdint.h>

#include "model/base/status.h"

typedef enum mmrd_deflate_form
{
	MMRD_DEFLATE_ZLIB, /* with zlib's header and Adler-32 */
	MMRD_DEFLATE_RAW   /* the bare stream, as in a zip archive */
} mmrd_deflate_form;

/*
 * Uncompress in[0 .. in_bytes) to exactly out_bytes bytes at out, which the
 * caller allocated (after checking the declared size against its limits).
 * MMRD_CORRUPT_DATA when the stream is broken, ends early, or holds more or
 * less than out_bytes; MMRD_NO_MEMORY.  Bytes after the stream are ignored.
 */
mmrd_status mmrd_inflate(mmrd_deflate_form form, const uint8_t *in,
                         size_t in_bytes, uint8_t *out, size_t out_bytes,
                         mmrd_error *err);

/* An upper bound of what mmrd_deflate() writes for n_bytes. */
size_t mmrd_deflate_bound(size_t n_bytes);

/*
 * Compress with zlib's header at level 1 .. 9.  out has room for
 * mmrd_deflate_bound(in_bytes); *out_bytes says how much was written.
 */
mmrd_status mmrd_deflate(int level, const uint8_t *in, size_t in_bytes,
                         uint8_t *out, size_t *out_bytes, mmrd_error *err);

/* CRC-32 as in zip and PNG, of n_bytes at p, continuing from crc (0 first). */
uint32_t mmrd_crc32(uint32_t crc, const uint8_t *p, size_t n_bytes);

#endif /* MMRD_DEFLATE_H */
