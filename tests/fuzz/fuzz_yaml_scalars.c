/*
 * tests/fuzz/fuzz_yaml_scalars.c
 *	  Any bytes as a small YAML file: a finite number comes out, or a reason
 *	  why not.
 *
 * Seeds: tests/fuzz/seeds/yaml_scalars/.
 */
#include "loader/dataset/yaml_scalars.h"

#include <math.h>

#include "tests/fuzz/fuzz_replay.h"

static void
look_up(const uint8_t *bytes, size_t len, const char *section, const char *key)
{
	mmrd_error err = {0};
	double value = NAN;
	const mmrd_status st = mmrd_yaml_number((const char *) bytes, len, section,
	                                        key, &value, &err);

	FUZZ_REQUIRE(st == MMRD_OK || st == MMRD_CORRUPT_DATA ||
	             st == MMRD_UNSUPPORTED);
	FUZZ_REQUIRE(isfinite(value));
	FUZZ_REQUIRE(st == MMRD_OK || value == 0);
	FUZZ_REQUIRE((st == MMRD_OK) == (err.message[0] == '\0'));
	for (const char *c = err.detail; *c != '\0'; c++)
		FUZZ_REQUIRE(*c >= ' ' && *c <= '~'); /* fit for any database */
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	look_up(bytes, len, NULL, "anomalous");
	look_up(bytes, len, "normalization", "max");
	return 0;
}
