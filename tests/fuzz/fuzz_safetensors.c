/*
 * tests/fuzz/fuzz_safetensors.c
 *	  Any bytes to the safetensors reader.
 *
 * Every input is tried twice, the second time with the length in front put
 * right: it becomes the length of what lies between the first brace and the
 * last one, so that mutations may insert and delete.
 *
 * Seeds: tests/hostile/weights/ and tests/golden/weights/.
 */
#include "tests/fuzz/fuzz_weights.h"

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	uint8_t *repaired;
	size_t end = len;

	fuzz_weights(bytes, len);
	if (len < 10 || bytes[8] != '{')
		return 0;
	while (end > 9 && bytes[end - 1] != '}')
		end--;
	repaired = malloc(len);
	FUZZ_REQUIRE(repaired != NULL);
	memcpy(repaired, bytes, len);
	for (int i = 0; i < 8; i++)
		repaired[i] = (uint8_t) ((uint64_t) (end - 8) >> 8 * i);
	fuzz_weights(repaired, len);
	free(repaired);
	return 0;
}
