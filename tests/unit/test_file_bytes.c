/*
 * tests/unit/test_file_bytes.c
 *	  Which files are read, and that the others cost neither time nor memory.
 */
#include "loader/bytes/file_bytes.h"

#include <errno.h>

#include "tests/unit/check.h"
#include "tests/unit/tree.h"

static bool
always(void *unused)
{
	(void) unused;
	return true;
}

static void
refuses(const char *name, size_t max, const mmrd_stop *stop, mmrd_status want,
        int want_errno)
{
	mmrd_error err = {0};
	uint8_t *bytes = (uint8_t *) &err;
	size_t n = 1;
	const mmrd_status st =
	    mmrd_file_read(tree_path(name), max, stop, &bytes, &n, &err);

	CHECK(st == want, "%s: got %d \"%s\"", name, st, err.message);
	CHECK(err.sys_errno == want_errno, "%s: errno %d", name, err.sys_errno);
	CHECK(bytes == NULL && n == 0, "%s: something came out", name);
	CHECK(err.message[0] != '\0', "%s: no message", name);
}

static void
reads(const char *name, size_t max, size_t want)
{
	mmrd_error err = {0};
	uint8_t *bytes;
	size_t n;

	CHECK(mmrd_file_read(tree_path(name), max, NULL, &bytes, &n, &err) ==
	          MMRD_OK,
	      "%s: %s", name, err.message);
	CHECK(n == want && bytes != NULL, "%s: %zu bytes", name, n);
	for (size_t i = 0; i < n; i++)
		CHECK(bytes[i] == (uint8_t) (i * 7), "%s: byte %zu", name, i);
	free(bytes);
}

int
main(void)
{
	static uint8_t bytes[3000];
	const mmrd_stop stop = {always, NULL};

	tree_begin();
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t) (i * 7);
	tree_write("some", bytes, sizeof(bytes));
	tree_write("none", bytes, 0);
	tree_link("linked", "some");
	tree_link("dangling", "nothing");
	tree_link("itself", "itself");
	tree_must(mkfifo(tree_path("pipe"), 0600) == 0, "pipe");

	/* Sparse: a terabyte that takes no room, and must not be asked for. */
	tree_write("huge", bytes, 1);
	tree_must(truncate(tree_path("huge"), (off_t) 1 << 40) == 0, "huge");

	reads("some", sizeof(bytes), sizeof(bytes));
	reads("linked", sizeof(bytes) + 1, sizeof(bytes));
	reads("none", 0, 0);
	refuses("some", sizeof(bytes) - 1, NULL, MMRD_LIMIT_EXCEEDED, 0);
	refuses("huge", 1 << 30, NULL, MMRD_LIMIT_EXCEEDED, 0);
	refuses("nothing", 100, NULL, MMRD_IO_ERROR, ENOENT);
	refuses("dangling", 100, NULL, MMRD_IO_ERROR, ENOENT);
	refuses("itself", 100, NULL, MMRD_IO_ERROR, ELOOP);
	refuses("some/inside", 100, NULL, MMRD_IO_ERROR, ENOTDIR);
	refuses(".", 100000, NULL, MMRD_UNSUPPORTED, 0);
	refuses("pipe", 100, NULL, MMRD_UNSUPPORTED, 0); /* and does not wait */
	refuses("some", sizeof(bytes), &stop, MMRD_CANCELLED, 0);
	if (geteuid() != 0)
	{
		tree_must(chmod(tree_path("some"), 0) == 0, "some");
		refuses("some", 3000, NULL, MMRD_IO_ERROR, EACCES);
	}
	tree_end();
	return check_result();
}
