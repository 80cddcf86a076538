/*
 * tests/unit/test_weights_hostile.c
 *	  Broken and malicious weight files, each with the refusal it must get;
 *	  and every truncation and many corruptions of the good ones.
 *
 * Every file is opened in a block of exactly its size, so that a sanitizer
 * sees a single byte read too far.
 */
#include "loader/weights/weights_file.h"

#include <stdlib.h>
#include <string.h>

#include "model/base/random.h"
#include "tests/unit/check.h"

static const mmrd_weights_limits limits = {1000, 16 << 20};

static const char *const statuses[] = {
    "OK",          "INVALID_ARGUMENT", "CORRUPT_DATA",
    "UNSUPPORTED", "LIMIT_EXCEEDED",   "NO_MEMORY",
    "IO_ERROR",    "CANCELLED",        "INTERNAL"};

static uint8_t *
read_file(const char *folder, const char *name, size_t *len)
{
	char path[256];
	FILE *f;
	uint8_t *bytes;
	long n;

	snprintf(path, sizeof(path), "tests/%s/weights/%s", folder, name);
	f = fopen(path, "rb");
	CHECK(f != NULL, "%s cannot be opened; run from the repository root",
	      path);
	if (f == NULL)
		return NULL;
	fseek(f, 0, SEEK_END);
	n = ftell(f);
	rewind(f);
	bytes = malloc(n > 0 ? (size_t) n : 1);
	*len = fread(bytes, 1, (size_t) n, f);
	CHECK(*len == (size_t) n, "%s cannot be read", path);
	fclose(f);
	return bytes;
}

/* Read every tensor; the first failure. */
static mmrd_status
read_tensors(mmrd_weights_file *file, mmrd_error *err)
{
	for (int i = 0; i < mmrd_weights_file_count(file); i++)
	{
		const char *name = mmrd_weights_file_name(file, i);
		mmrd_tensor t;
		float *x;
		mmrd_status st;

		st = mmrd_weights_file_tensor(file, i, &t, err);
		if (st != MMRD_OK)
			return st;
		x = malloc(mmrd_tensor_count(&t) * sizeof(float) + 1);
		st = mmrd_tensor_read(&t, name, x, err);
		free(x);
		if (st != MMRD_OK)
			return st;
	}
	return MMRD_OK;
}

/* Open a copy and read it all; *opened says how opening ended. */
static mmrd_status
try_bytes(const uint8_t *bytes, size_t len, mmrd_status *opened,
          mmrd_error *err)
{
	uint8_t *copy = malloc(len > 0 ? len : 1);
	mmrd_weights_file *file = NULL;
	mmrd_status st;

	memcpy(copy, bytes, len);
	memset(err, 0, sizeof(*err));
	st = mmrd_weights_file_open(copy, len, &limits, &file, err);
	*opened = st;
	CHECK((st == MMRD_OK) == (file != NULL), "status %d with%s a file", st,
	      file != NULL ? "" : "out");
	if (file != NULL)
		st = read_tensors(file, err);
	mmrd_weights_file_free(file);
	free(copy);
	return st;
}

static void
check_message(const char *name, const mmrd_error *err)
{
	const char *const parts[] = {err->message, err->detail, err->hint};

	CHECK(err->message[0] != '\0', "%s: no message", name);
	for (int i = 0; i < 3; i++)
		for (const char *p = parts[i]; *p != '\0'; p++)
			CHECK(*p >= ' ' && *p <= '~', "%s: byte %d in a message", name,
			      *p);
}

static void
one_case(const char *name, const char *want_open, const char *want_read,
         const char *text)
{
	size_t len = 0;
	uint8_t *bytes = read_file("hostile", name, &len);
	mmrd_status opened;
	mmrd_error err;
	mmrd_status st;

	if (bytes == NULL)
		return;
	st = try_bytes(bytes, len, &opened, &err);
	CHECK(strcmp(statuses[opened], want_open) == 0,
	      "%s: opening is %s, expected %s: %s | %s", name, statuses[opened],
	      want_open, err.message, err.detail);
	if (opened == MMRD_OK)
		CHECK(strcmp(statuses[st], want_read) == 0,
		      "%s: reading is %s, expected %s: %s | %s", name, statuses[st],
		      want_read, err.message, err.detail);
	else
		CHECK(strcmp(want_read, "-") == 0, "%s: cannot be read", name);
	CHECK(strstr(err.message, text) != NULL, "%s: \"%s\" lacks \"%s\"", name,
	      err.message, text);
	if (st != MMRD_OK)
		check_message(name, &err);
	free(bytes);
}

static int
all_cases(void)
{
	FILE *f = fopen("tests/hostile/weights/cases.txt", "r");
	char line[512];
	int n = 0;

	CHECK(f != NULL, "no cases; run from the repository root");
	if (f == NULL)
		return 0;
	while (fgets(line, sizeof(line), f) != NULL)
	{
		char name[64];
		char want_open[32];
		char want_read[32];
		int at = 0;

		line[strcspn(line, "\n")] = '\0';
		CHECK(sscanf(line, "%63s %31s %31s %n", name, want_open, want_read,
		             &at) == 3,
		      "cases.txt: %s", line);
		one_case(name, want_open, want_read, line + at);
		n++;
	}
	fclose(f);
	return n;
}

static void
truncations(const char *name, const uint8_t *bytes, size_t len)
{
	for (size_t cut = 0; cut < len; cut++)
	{
		mmrd_status opened;
		mmrd_error err;

		try_bytes(bytes, cut, &opened, &err);
		CHECK(opened == MMRD_CORRUPT_DATA ||
		          (opened == MMRD_UNSUPPORTED && cut < 9),
		      "%s cut to %zu bytes: %s %s", name, cut, statuses[opened],
		      err.message);
	}
}

/* Nothing is expected of these but that they end, and with a message. */
static void
corruptions(const char *name, const uint8_t *bytes, size_t len)
{
	static const uint8_t values[] = {0x00, 0x01, 0x7f, 0x80, 0xff};
	uint8_t *changed = malloc(len);
	mmrd_random r = mmrd_random_create(1, name);

	for (size_t at = 0; at < len; at++)
	{
		const uint64_t bits = mmrd_random_bits(&r);
		mmrd_status opened;
		mmrd_error err;

		memcpy(changed, bytes, len);
		changed[at] = bits & 1
		                  ? values[(bits >> 8) % sizeof(values)]
		                  : (uint8_t) (changed[at] ^ 1 << (bits >> 8) % 8);
		if (try_bytes(changed, len, &opened, &err) != MMRD_OK)
			check_message(name, &err);
	}
	free(changed);
}

int
main(void)
{
	static const char *const good[] = {"all.safetensors",
	                                   "zip_protocol2.pth",
	                                   "zip_protocol4.pth",
	                                   "zip_deflated.pth",
	                                   "zip64.pth",
	                                   "zip_wrapped.pth",
	                                   "legacy_protocol2.pth",
	                                   "legacy_protocol4.pth",
	                                   "legacy_python2.pth"};
	const int n = all_cases();

	CHECK(n > 150, "only %d cases", n);
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
	{
		size_t len = 0;
		uint8_t *bytes = read_file("golden", good[i], &len);

		if (bytes == NULL)
			continue;
		truncations(good[i], bytes, len);
		corruptions(good[i], bytes, len);
		free(bytes);
	}
	return check_result();
}
