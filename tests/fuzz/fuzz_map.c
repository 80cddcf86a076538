/*
 * tests/fuzz/fuzz_map.c
 *	  mmrd_map_decode() on anything: no crash, and what it accepts survives
 *	  encoding.
 *
 * Every input is tried twice: as it is, and once more as a map that mutations
 * can hardly hit, with a stream that inflates and sizes that agree (made of
 *the input: its header's flags, numbers and places, then residuals).
 *
 * For libFuzzer, or with the main() of fuzz_replay.h.
 */
#include "loader/image/map_codec.h"

#include <stdlib.h>
#include <string.h>

#include "loader/bytes/deflate.h"
#include "tests/fuzz/fuzz_replay.h"

static void
try_map(const uint8_t *data, size_t size)
{
	const mmrd_raster_limits limits = {1 << 20, 1 << 22};
	mmrd_error err = {0};
	mmrd_map_info info;
	mmrd_map map;
	mmrd_map again;
	mmrd_map_view view;
	uint8_t *bytes;
	size_t n_bytes;

	(void) mmrd_map_header(data, size, &info, &err);
	if (mmrd_map_decode(data, size, &limits, &map, &err) != MMRD_OK)
	{
		FUZZ_REQUIRE(map.values == NULL && err.message[0] != '\0');
		return;
	}
	view = mmrd_map_as_view(&map);
	FUZZ_REQUIRE(mmrd_map_encode(&view, &bytes, &n_bytes, &err) == MMRD_OK);
	FUZZ_REQUIRE(mmrd_map_decode(bytes, n_bytes, &limits, &again, &err) ==
	             MMRD_OK);
	FUZZ_REQUIRE(again.info.hi == map.info.hi && again.info.lo == map.info.lo);
	FUZZ_REQUIRE(again.info.width == map.info.width &&
	             again.info.height == map.info.height);
	free(bytes);
	mmrd_map_clear(&again);
	mmrd_map_clear(&map);
}

static void
put_u32(uint8_t *p, uint32_t u)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t) (u >> 8 * i);
}

/* Height and width of 1 to 16, within a source and a region a bit larger. */
static void
agreeing_sizes(uint8_t *header, int height, int width)
{
	const int x = header[24] % 4;
	const int y = header[28] % 4;

	put_u32(header + 8, (uint32_t) height);
	put_u32(header + 12, (uint32_t) width);
	put_u32(header + 16, (uint32_t) (height + y + header[16] % 4));
	put_u32(header + 20, (uint32_t) (width + x + header[20] % 4));
	put_u32(header + 24, (uint32_t) x);
	put_u32(header + 28, (uint32_t) y);
	put_u32(header + 32, (uint32_t) width);
	put_u32(header + 36, (uint32_t) height);
}

static void
try_repaired(const uint8_t *data, size_t size)
{
	const int height = 1 + data[8] % 16;
	const int width = 1 + data[12] % 16;
	uint8_t bytes[MMRD_MAP_HEADER_BYTES + 1024];
	uint8_t residuals[2 * 16 * 16];
	const size_t n = 2 * (size_t) height * (size_t) width;
	size_t n_packed;
	mmrd_error err = {0};

	FUZZ_REQUIRE(mmrd_deflate_bound(n) <= 1024);
	memcpy(bytes, data, MMRD_MAP_HEADER_BYTES);
	memcpy(bytes, "mMap\1", 5);
	bytes[5] &= 1;
	bytes[6] = bytes[7] = 0;
	if (bytes[5] == 0)
		put_u32(bytes + 48, 0);
	agreeing_sizes(bytes, height, width);
	for (size_t i = 0; i < n; i++)
		residuals[i] =
		    data[MMRD_MAP_HEADER_BYTES + i % (size - MMRD_MAP_HEADER_BYTES)];
	FUZZ_REQUIRE(mmrd_deflate(1, residuals, n, bytes + MMRD_MAP_HEADER_BYTES,
	                          &n_packed, &err) == MMRD_OK);
	put_u32(bytes + 52, (uint32_t) n_packed);
	try_map(bytes, MMRD_MAP_HEADER_BYTES + n_packed);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	try_map(data, size);
	if (size > MMRD_MAP_HEADER_BYTES)
		try_repaired(data, size);
	return 0;
}
