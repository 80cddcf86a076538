/*
 * tests/unit/test_deflate.c
 *	  Round trips, and streams that lie about their length.
 */
#include "loader/bytes/deflate.h"

#include <stdlib.h>
#include <string.h>

#include "tests/unit/check.h"

static void
round_trip(size_t n)
{
	uint8_t *in = malloc(n + 1);
	uint8_t *packed = malloc(mmrd_deflate_bound(n));
	uint8_t *out = malloc(n + 2);
	size_t packed_bytes;
	mmrd_error err = {0};

	for (size_t i = 0; i < n; i++)
		in[i] = (uint8_t) (i * i >> 3);
	CHECK(mmrd_deflate(6, in, n, packed, &packed_bytes, &err) == MMRD_OK,
	      "%zu bytes: %s", n, err.message);
	CHECK(mmrd_inflate(MMRD_DEFLATE_ZLIB, packed, packed_bytes, out, n,
	                   &err) == MMRD_OK,
	      "%zu bytes: %s", n, err.message);
	CHECK(memcmp(in, out, n) == 0, "%zu bytes changed", n);

	/* The raw stream is what lies between the header and the Adler-32. */
	CHECK(mmrd_inflate(MMRD_DEFLATE_RAW, packed + 2, packed_bytes - 6, out, n,
	                   &err) == MMRD_OK,
	      "%zu bytes raw: %s", n, err.message);

	CHECK(mmrd_inflate(MMRD_DEFLATE_ZLIB, packed, packed_bytes, out, n + 1,
	                   &err) == MMRD_CORRUPT_DATA,
	      "%zu bytes: a longer declaration passed", n);
	if (n > 0)
		CHECK(mmrd_inflate(MMRD_DEFLATE_ZLIB, packed, packed_bytes, out, n - 1,
		                   &err) == MMRD_CORRUPT_DATA,
		      "%zu bytes: a shorter declaration passed", n);
	for (size_t cut = 0; cut < packed_bytes; cut += 1 + packed_bytes / 7)
		CHECK(mmrd_inflate(MMRD_DEFLATE_ZLIB, packed, cut, out, n, &err) ==
		          MMRD_CORRUPT_DATA,
		      "%zu bytes cut to %zu passed", n, cut);
	free(in);
	free(packed);
	free(out);
}

int
main(void)
{
	round_trip(0);
	round_trip(1);
	round_trip(1000);
	round_trip(100003);
	CHECK(mmrd_crc32(0, (const uint8_t *) "123456789", 9) == 0xcbf43926u,
	      "the check value of CRC-32");
	return check_result();
}
