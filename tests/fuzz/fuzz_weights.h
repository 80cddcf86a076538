/*
 * tests/fuzz/fuzz_weights.h
 *	  What the three targets for weight files do with a file.
 */
#ifndef FUZZ_WEIGHTS_H
#define FUZZ_WEIGHTS_H

#include <stdlib.h>
#include <string.h>

#include "loader/weights/weights_file.h"
#include "tests/fuzz/fuzz_replay.h"

/* Small, so that an input takes microseconds. */
static const mmrd_weights_limits fuzz_limits = {200, 1 << 20};

/* Read a tensor and find it by its name, too. */
static void
fuzz_tensor(mmrd_weights_file *file, int i)
{
	const char *name = mmrd_weights_file_name(file, i);
	mmrd_tensor tensor;
	mmrd_tensor again;
	mmrd_error err = {0};
	bool found = false;
	volatile uint8_t sink = 0;
	float *values;

	FUZZ_REQUIRE(strlen(name) > 0 && strlen(name) < MMRD_MAX_TENSOR_NAME);
	if (mmrd_weights_file_tensor(file, i, &tensor, &err) != MMRD_OK)
	{
		FUZZ_REQUIRE(err.message[0] != '\0' && tensor.data == NULL);
		return;
	}
	FUZZ_REQUIRE(tensor.n_dims >= 0 && tensor.n_dims <= MMRD_MAX_DIMS);
	for (size_t k = 0; k < tensor.n_bytes; k++) /* every byte is there */
		sink = (uint8_t) (sink + ((const uint8_t *) tensor.data)[k]);
	FUZZ_REQUIRE(mmrd_weights_file_lookup(file, name, &again, &found, &err) ==
	                 MMRD_OK &&
	             found && again.data == tensor.data);
	if (tensor.dtype == MMRD_DTYPE_OTHER)
		return;
	FUZZ_REQUIRE(tensor.n_bytes ==
	             mmrd_tensor_count(&tensor) * mmrd_dtype_bytes(tensor.dtype));
	values = malloc(mmrd_tensor_count(&tensor) * sizeof(float) + 1);
	FUZZ_REQUIRE(values != NULL);
	(void) mmrd_tensor_read(&tensor, name, values, &err);
	free(values);
}

/* Open any bytes: a file or a refusal, and then every tensor of it. */
static void
fuzz_weights(const uint8_t *bytes, size_t len)
{
	mmrd_weights_file *file;
	mmrd_error err = {0};
	const mmrd_status st =
	    mmrd_weights_file_open(bytes, len, &fuzz_limits, &file, &err);

	FUZZ_REQUIRE((st == MMRD_OK) == (file != NULL));
	FUZZ_REQUIRE((st == MMRD_OK) == (err.message[0] == '\0'));
	FUZZ_REQUIRE(st != MMRD_INTERNAL && st != MMRD_INVALID_ARGUMENT &&
	             st != MMRD_NO_MEMORY);
	if (file == NULL)
		return;
	for (int i = 0; i < mmrd_weights_file_count(file); i++)
		fuzz_tensor(file, i);
	mmrd_weights_file_free(file);
}

#endif /* FUZZ_WEIGHTS_H */
