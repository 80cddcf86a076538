/*
 * tests/fuzz/fuzz_torch_legacy.c
 *	  Any bytes to the reader of PyTorch's older files, and as the pickle of
 *	  the saved object between the parts that every such file has.
 *
 * Seeds: tests/hostile/weights/ and tests/golden/weights/.
 */
#include "tests/fuzz/fuzz_weights.h"

static const uint8_t before[] =
    "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19." /* magic */
    "\x80\x02M\xe9\x03."                                        /* 1001 */
    "\x80\x02}X\x0d\0\0\0little_endian\x88s.";
/* One storage "0" of four numbers. */
static const uint8_t after[] = "\x80\x02]X\x01\0\0\0"
                               "0a.\x04\0\0\0\0\0\0\0"
                               "0123456789abcdef";

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	const size_t n_before = sizeof(before) - 1;
	const size_t n_after = sizeof(after) - 1;
	uint8_t *whole;

	fuzz_weights(bytes, len);
	if (len < 2 || bytes[0] != 0x80)
		return 0;
	whole = malloc(n_before + len + n_after);
	FUZZ_REQUIRE(whole != NULL);
	memcpy(whole, before, n_before);
	memcpy(whole + n_before, bytes, len);
	memcpy(whole + n_before + len, after, n_after);
	fuzz_weights(whole, n_before + len + n_after);
	free(whole);
	return 0;
}
