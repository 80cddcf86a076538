/*
 * tests/unit/test_hostile_image.c
 *	  Every file of tests/hostile/png, tiff and jpeg gives the status that its
 *	  name starts with, an error text when it fails, and nothing to release
 *	  then.  The files of tests/golden/jpeg/ are held against their pixels as
 *	  PNG.
 */
#include "loader/image/format.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/check.h"

static const mmrd_raster_limits limits = {1 << 24, 1 << 28};

/* Read a whole file; NULL and a failed check when it cannot be. */
static uint8_t *
slurp(const char *path, size_t *n)
{
	FILE *file = fopen(path, "rb");
	uint8_t *bytes = NULL;
	long size = -1;

	if (file != NULL && fseek(file, 0, SEEK_END) == 0)
		size = ftell(file);
	CHECK(size >= 0, "%s cannot be read", path);
	if (size >= 0)
	{
		rewind(file);
		/* Exactly as long as the file, so that a sanitizer sees the end. */
		bytes = malloc(size > 0 ? (size_t) size : 1);
		*n = fread(bytes, 1, (size_t) size, file);
		CHECK(*n == (size_t) size, "%s cannot be read", path);
	}
	if (file != NULL)
		fclose(file);
	return bytes;
}

static mmrd_status
status_of(const char *name)
{
	static const struct
	{
		const char *start;
		mmrd_status status;
	} statuses[] = {{"ok-", MMRD_OK},
	                {"corrupt-", MMRD_CORRUPT_DATA},
	                {"unsupported", MMRD_UNSUPPORTED},
	                {"limit-", MMRD_LIMIT_EXCEEDED}};

	for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++)
		if (strncmp(name, statuses[i].start, strlen(statuses[i].start)) == 0)
			return statuses[i].status;
	return MMRD_INTERNAL;
}

static void
decode_one(const char *folder, const char *name)
{
	char path[512];
	mmrd_raster image;
	mmrd_error err = {0};
	mmrd_error size_err = {0};
	mmrd_status got;
	mmrd_status size_status;
	uint8_t *bytes;
	size_t n = 0;
	int32_t width;
	int32_t height;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	bytes = slurp(path, &n);
	if (bytes == NULL)
		return;
	memset(&image, 0xff, sizeof(image));
	got = mmrd_image_decode(bytes, n, &limits, &image, &err);
	CHECK(got == status_of(name), "%s gave %d \"%s\" \"%s\"", name, got,
	      err.message, err.detail);
	CHECK((got == MMRD_OK) == (image.data != NULL), "%s: data", name);
	CHECK((got == MMRD_OK) == (err.message[0] == '\0') && err.status == got,
	      "%s: message \"%s\"", name, err.message);
	size_status = mmrd_image_size(bytes, n, &width, &height, &size_err);
	CHECK((size_status == MMRD_OK) == (width > 0 && height > 0),
	      "%s: size %d x %d", name, width, height);
	if (got == MMRD_OK)
		CHECK(size_status == MMRD_OK && width == image.width &&
		          height == image.height,
		      "%s: size %d x %d", name, width, height);
	if (got == MMRD_LIMIT_EXCEEDED)
		CHECK(size_status == MMRD_OK, "%s: %s", name, size_err.message);
	mmrd_raster_clear(&image);
	free(bytes);
}

/* Decode all files of a folder whose name ends so; how many there were. */
static int
decode_all(const char *folder, const char *start)
{
	DIR *dir = opendir(folder);
	const struct dirent *entry;
	int count = 0;

	CHECK(dir != NULL, "%s is missing", folder);
	while (dir != NULL && (entry = readdir(dir)) != NULL)
		if (entry->d_name[0] != '.' &&
		    strncmp(entry->d_name, start, strlen(start)) == 0)
		{
			decode_one(folder, entry->d_name);
			count++;
		}
	if (dir != NULL)
		closedir(dir);
	return count;
}

static void
test_jpeg_pixels(void)
{
	static const char *const names[] = {
	    "grey",         "grey_progressive", "baseline_420", "baseline_422",
	    "baseline_444", "baseline_410",     "restarts",     "progressive",
	    "rgb",          "surplus"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
	{
		mmrd_raster r[2] = {0};
		int worst = 0;

		for (int k = 0; k < 2; k++)
		{
			char path[200];
			mmrd_error err = {0};
			uint8_t *bytes;
			size_t n = 0;

			snprintf(path, sizeof(path), "tests/golden/jpeg/%s.%s", names[i],
			         k == 0 ? "jpg" : "png");
			bytes = slurp(path, &n);
			CHECK(mmrd_image_decode(bytes, n, &limits, &r[k], &err) == MMRD_OK,
			      "%s: %s %s", path, err.message, err.detail);
			free(bytes);
		}
		CHECK(r[0].width == 45 && r[0].height == 37 && r[1].width == 45 &&
		          r[1].height == 37 && r[0].channels == r[1].channels &&
		          r[0].channels == (i < 2 ? 1 : 3),
		      "%s: %d x %d x %d", names[i], r[0].width, r[0].height,
		      r[0].channels);
		for (int k = 0; k < 45 * 37 * r[0].channels; k++)
		{
			const int off =
			    abs(((uint8_t *) r[0].data)[k] - ((uint8_t *) r[1].data)[k]);

			worst = off > worst ? off : worst;
		}

		/* The same library; other versions may round the transform, the
		 * upsampling and the colours once each the other way. */
		CHECK(worst <= 3, "%s: off by %d", names[i], worst);
		mmrd_raster_clear(&r[0]);
		mmrd_raster_clear(&r[1]);
	}
}

int
main(void)
{
	CHECK(decode_all("tests/hostile/png", "") >= 70, "PNG files are missing");
	CHECK(decode_all("tests/hostile/tiff", "") >= 80,
	      "TIFF files are missing");
	CHECK(decode_all("tests/hostile/jpeg", "") >= 40,
	      "JPEG files are missing");
	CHECK(decode_all("tests/golden/jpeg", "unsupported") == 2,
	      "the unsupported JPEG files are missing");
	test_jpeg_pixels();
	return check_result();
}
