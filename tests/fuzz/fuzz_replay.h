/*
 * tests/fuzz/fuzz_replay.h
 *	  A main() for a fuzz target built without libFuzzer: it runs the target
 *	  once on each file named, and on each file of each folder named.
 *
 * libFuzzer has a main() of its own: builds for it define the macro below, by
 * custom of all fuzzed projects, and this one is left out.
 *
 *	clang -fsanitize=fuzzer,address,undefined \
 *		-DFUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION ...
 */
#ifndef FUZZ_REPLAY_H
#define FUZZ_REPLAY_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* What a target may rely on; unlike assert it is never compiled out. */
#define FUZZ_REQUIRE(cond)                                                    \
	do                                                                        \
	{                                                                         \
		if (!(cond))                                                          \
			__builtin_trap();                                                 \
	} while (0)

#ifndef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

static int
fuzz_replay_file(const char *path)
{
	FILE *file = fopen(path, "rb");
	uint8_t *bytes;
	long size = -1;
	int done = 0;

	if (file == NULL)
		return 0;
	if (fseek(file, 0, SEEK_END) == 0)
		size = ftell(file);
	bytes = size < 0 ? NULL : malloc(size > 0 ? (size_t) size : 1);
	rewind(file);
	if (bytes != NULL && fread(bytes, 1, (size_t) size, file) == (size_t) size)
	{
		LLVMFuzzerTestOneInput(bytes, (size_t) size);
		done = 1;
	}
	free(bytes);
	fclose(file);
	return done;
}

static int
fuzz_replay(const char *path)
{
	DIR *dir = opendir(path);
	const struct dirent *entry;
	int done = 0;

	if (dir == NULL)
		return fuzz_replay_file(path);
	while ((entry = readdir(dir)) != NULL)
	{
		char inside[4096];

		snprintf(inside, sizeof(inside), "%s/%s", path, entry->d_name);
		if (entry->d_name[0] != '.')
			done += fuzz_replay_file(inside);
	}
	closedir(dir);
	return done;
}

int
main(int argc, char **argv)
{
	int done = 0;

	for (int i = 1; i < argc; i++)
	{
		const int here = fuzz_replay(argv[i]);

		if (here == 0)
		{
			fprintf(stderr, "%s: nothing to replay\n", argv[i]);
			return 1;
		}
		done += here;
	}
	printf("%d inputs replayed\n", done);
	return done > 0 ? 0 : 1;
}

#endif /* FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION */

#endif /* FUZZ_REPLAY_H */
