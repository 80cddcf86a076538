/*
 * tests/fuzz/fuzz_map.c
 *	  mmrd_map_decode() on anything: no crash, and what it accepts survives
 *	  encoding.
 *
 * For libFuzzer, or with the main() of fuzz_replay.h.
 */
#include "loader/image/map_codec.h"

#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz_replay.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
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
		if (map.values != NULL || err.message[0] == '\0')
			abort();
		return 0;
	}
	view = mmrd_map_as_view(&map);
	if (mmrd_map_encode(&view, &bytes, &n_bytes, &err) != MMRD_OK ||
	    mmrd_map_decode(bytes, n_bytes, &limits, &again, &err) != MMRD_OK)
		abort();
	if (again.info.hi != map.info.hi || again.info.lo != map.info.lo ||
	    again.info.width != map.info.width ||
	    again.info.height != map.info.height)
		abort();
	free(bytes);
	mmrd_map_clear(&again);
	mmrd_map_clear(&map);
	return 0;
}
