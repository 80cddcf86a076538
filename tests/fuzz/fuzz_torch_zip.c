/*
 * tests/fuzz/fuzz_torch_zip.c
 *	  Any bytes to the reader of PyTorch's zip archives.
 *
 * Every input is tried twice, the second time with the checksums of its
 * stored entries put right: otherwise hardly a mutation of a pickle gets past
 * the first.
 *
 * Seeds: tests/hostile/weights/ and tests/golden/weights/.
 */
#include "tests/fuzz/fuzz_weights.h"

#include "loader/bytes/deflate.h"
#include "loader/weights/zip_directory.h"

static void
put_crc(uint8_t *p, uint32_t crc)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t) (crc >> 8 * i);
}

/* The checksum stands 30 bytes before the name in the directory, and 14
 * bytes into the local header. */
static void
repair_checksums(uint8_t *bytes, size_t len)
{
	mmrd_zip zip;
	mmrd_error err;

	if (mmrd_zip_open(bytes, len, fuzz_limits.max_tensors, &zip, &err) !=
	    MMRD_OK)
		return;
	for (int i = 0; i < zip.n_entries; i++)
	{
		const mmrd_zip_entry *e = &zip.entries[i];
		const uint32_t crc = mmrd_crc32(0, e->stored, e->stored_bytes);

		if (e->deflated)
			continue;
		put_crc(bytes + (e->name - (const char *) bytes) - 30, crc);
		put_crc(bytes + e->from + 14, crc);
	}
	mmrd_zip_clear(&zip);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	uint8_t *repaired = malloc(len > 0 ? len : 1);

	FUZZ_REQUIRE(repaired != NULL);
	fuzz_weights(bytes, len);
	memcpy(repaired, bytes, len);
	repair_checksums(repaired, len);
	fuzz_weights(repaired, len);
	free(repaired);
	return 0;
}
