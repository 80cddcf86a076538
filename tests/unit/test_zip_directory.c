/*
 * tests/unit/test_zip_directory.c
 *	  Finding entries; what is refused is in tests/hostile/weights.
 */
#include "loader/weights/zip_directory.h"

#include <stdlib.h>
#include <string.h>

#include "tests/unit/check.h"

enum
{
	N_ENTRIES = 5
};

/* An archive being written: local parts and directory side by side. */
typedef struct writer
{
	uint8_t body[1024];
	uint8_t directory[1024];
	size_t n_body;
	size_t n_directory;
} writer;

static void
put(uint8_t *to, size_t *n, uint64_t value, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		to[(*n)++] = i < 8 ? (uint8_t) (value >> 8 * i) : 0;
}

static void
put_text(uint8_t *to, size_t *n, const char *text)
{
	memcpy(to + *n, text, strlen(text));
	*n += strlen(text);
}

/* A stored entry; its CRC is the number of its bytes: nobody checks here. */
static void
add(writer *w, const char *name, const char *data)
{
	const size_t at = w->n_body;
	const size_t n = strlen(data);

	put(w->body, &w->n_body, 0x04034b50, 4);
	put(w->body, &w->n_body, 0, 10);
	put(w->body, &w->n_body, n, 4);
	put(w->body, &w->n_body, n, 4);
	put(w->body, &w->n_body, n, 4);
	put(w->body, &w->n_body, strlen(name), 2);
	put(w->body, &w->n_body, 3, 2); /* an extra field */
	put_text(w->body, &w->n_body, name);
	put_text(w->body, &w->n_body, "...");
	put_text(w->body, &w->n_body, data);

	put(w->directory, &w->n_directory, 0x02014b50, 4);
	put(w->directory, &w->n_directory, 0, 12);
	put(w->directory, &w->n_directory, n, 4);
	put(w->directory, &w->n_directory, n, 4);
	put(w->directory, &w->n_directory, n, 4);
	put(w->directory, &w->n_directory, strlen(name), 2);
	put(w->directory, &w->n_directory, 0, 2);
	put(w->directory, &w->n_directory, 7, 2); /* a comment */
	put(w->directory, &w->n_directory, 0, 8);
	put(w->directory, &w->n_directory, at, 4);
	put_text(w->directory, &w->n_directory, name);
	put_text(w->directory, &w->n_directory, "comment");
}

static uint8_t *
finish(const writer *w, int n, size_t *len)
{
	uint8_t *bytes = malloc(w->n_body + w->n_directory + 22);
	size_t at = w->n_body + w->n_directory;

	memcpy(bytes, w->body, w->n_body);
	memcpy(bytes + w->n_body, w->directory, w->n_directory);
	put(bytes, &at, 0x06054b50, 4);
	put(bytes, &at, 0, 4);
	put(bytes, &at, (uint64_t) n, 2);
	put(bytes, &at, (uint64_t) n, 2);
	put(bytes, &at, w->n_directory, 4);
	put(bytes, &at, w->n_body, 4);
	put(bytes, &at, 0, 2);
	*len = at;
	return bytes;
}

int
main(void)
{
	static const char *const names[N_ENTRIES] = {"b", "a/long", "", "a",
	                                             "a/longer"};
	static const char *const data[N_ENTRIES] = {"0", "22", "", "4444",
	                                            "PK\5\6"};
	writer w = {{0}, {0}, 0, 0};
	mmrd_error err = {0};
	mmrd_zip zip;
	uint8_t *bytes;
	size_t len;

	for (int i = 0; i < N_ENTRIES; i++)
		add(&w, names[i], data[i]);
	bytes = finish(&w, N_ENTRIES, &len);
	CHECK(mmrd_zip_open(bytes, len, N_ENTRIES - 1, &zip, &err) ==
	          MMRD_LIMIT_EXCEEDED,
	      "%s", err.message);
	CHECK(zip.entries == NULL && zip.n_entries == 0, "owns something");
	CHECK(mmrd_zip_open(bytes, len, N_ENTRIES, &zip, &err) == MMRD_OK, "%s %s",
	      err.message, err.detail);
	CHECK(zip.n_entries == N_ENTRIES, "%d entries", zip.n_entries);
	for (int i = 0; i < N_ENTRIES; i++)
	{
		const mmrd_zip_entry *e =
		    mmrd_zip_find(&zip, names[i], strlen(names[i]));

		CHECK(e != NULL, "\"%s\" is missing", names[i]);
		if (e == NULL)
			continue;
		CHECK(e->n_bytes == strlen(data[i]) && e->crc == e->n_bytes &&
		          !e->deflated && e->stored_bytes == e->n_bytes,
		      "\"%s\" has %zu bytes", names[i], e->n_bytes);
		CHECK(memcmp(e->stored, data[i], e->n_bytes) == 0, "\"%s\"", names[i]);
	}
	CHECK(mmrd_zip_find(&zip, "a/", 2) == NULL, "a name that begins others");
	CHECK(mmrd_zip_find(&zip, "c", 1) == NULL, "a name behind all");
	mmrd_zip_clear(&zip);
	CHECK(mmrd_zip_find(&zip, "a", 1) == NULL, "an empty archive");
	mmrd_zip_clear(&zip);
	free(bytes);
	return check_result();
}
