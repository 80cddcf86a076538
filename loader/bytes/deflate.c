/*
 * loader/bytes/deflate.c
 *	  The only file that includes zlib.h.
 *
 * zlib counts in 32 bits, so longer blocks are fed and drained in pieces.
 */
#include "loader/bytes/deflate.h"

#include <limits.h>
#include <string.h>
#include <zlib.h>

enum
{
	PIECE = 1 << 30 /* bytes: the most given to zlib at once */
};

static uInt
piece_of(size_t left)
{
	return left < PIECE ? (uInt) left : PIECE;
}

mmrd_status
mmrd_inflate(mmrd_deflate_form form, const uint8_t *in, size_t in_bytes,
             uint8_t *out, size_t out_bytes, mmrd_error *err)
{
	z_stream z;
	uint8_t beyond; /* one byte of room more tells a longer stream apart */
	size_t in_left = in_bytes;
	size_t out_left = out_bytes;
	int rc;

	memset(&z, 0, sizeof(z));
	rc = inflateInit2(&z, form == MMRD_DEFLATE_RAW ? -MAX_WBITS : MAX_WBITS);
	if (rc == Z_MEM_ERROR)
		return mmrd_fail_memory(err, 0);
	if (rc != Z_OK)
		return mmrd_fail(err, MMRD_INTERNAL, "zlib could not be started");
	z.next_in = (Bytef *) (uintptr_t) in;
	z.next_out = out_bytes > 0 ? out : &beyond;
	do
	{
		const uInt give = piece_of(in_left);
		const uInt room = out_left > 0 ? piece_of(out_left) : 1;

		if (out_left == 0)
			z.next_out = &beyond;
		z.avail_in = give;
		z.avail_out = room;
		rc = inflate(&z, Z_NO_FLUSH);
		in_left -= give - z.avail_in;
		if (out_left == 0 && z.avail_out == 0)
			rc = Z_DATA_ERROR; /* it goes on after its declared end */
		else if (out_left > 0)
			out_left -= room - z.avail_out;
		if (rc == Z_BUF_ERROR && (in_left == 0 || z.avail_in == give))
			break;
	} while (rc == Z_OK || rc == Z_BUF_ERROR);
	inflateEnd(&z);

	if (rc == Z_MEM_ERROR)
		return mmrd_fail_memory(err, 0);
	if (rc != Z_STREAM_END || out_left != 0)
	{
		mmrd_fail(err, MMRD_CORRUPT_DATA, "compressed data is damaged");
		return mmrd_detail(err, "%zu bytes were declared, %zu are missing.",
		                   out_bytes, out_left);
	}
	return MMRD_OK;
}

size_t
mmrd_deflate_bound(size_t n_bytes)
{
	return n_bytes + n_bytes / 1000 + 64;
}

mmrd_status
mmrd_deflate(int level, const uint8_t *in, size_t in_bytes, uint8_t *out,
             size_t *out_bytes, mmrd_error *err)
{
	uLongf written = mmrd_deflate_bound(in_bytes);
	int rc;

	*out_bytes = 0;
	rc = compress2(out, &written, in, in_bytes, level);
	if (rc == Z_MEM_ERROR)
		return mmrd_fail_memory(err, 0);
	if (rc != Z_OK)
		return mmrd_fail(err, MMRD_INTERNAL, "zlib could not compress");
	*out_bytes = written;
	return MMRD_OK;
}

uint32_t
mmrd_crc32(uint32_t crc, const uint8_t *p, size_t n_bytes)
{
	while (n_bytes > 0)
	{
		const uInt piece = piece_of(n_bytes);

		crc = (uint32_t) crc32(crc, p, piece);
		p += piece;
		n_bytes -= piece;
	}
	return crc;
}
