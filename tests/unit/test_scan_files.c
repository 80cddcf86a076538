/*
 * tests/unit/test_scan_files.c
 *	  What is stored of a scan's files, and which files are found to be bad.
 */
#include "loader/dataset/scan_files.h"

#include <string.h>

#include "loader/bytes/file_bytes.h"
#include "loader/image/format.h"
#include "tests/unit/check.h"
#include "tests/unit/tree.h"

static const mmrd_raster_limits limits = {1 << 20, 1 << 24};

/* A set of one scan whose files are named; NULL for none. */
typedef struct one_scan
{
	mmrd_dataset set;
	mmrd_scan scan;
	char path[MMRD_SCAN_ROLES][4096];
} one_scan;

static void
make_scan(one_scan *o, const char *rgb, const char *aux, const char *mask)
{
	const char *const names[MMRD_SCAN_ROLES] = {rgb, aux, NULL, mask};

	memset(o, 0, sizeof(*o));
	mmrd_dataset_options_init(&o->set.options, MMRD_DATASET_FOLDER);
	o->set.n_scans = 1;
	o->set.scans = &o->scan;
	o->set.kind[MMRD_SCAN_AUX] = MMRD_SCAN_ANY_MAP;
	o->set.kind[MMRD_SCAN_MASK] = MMRD_SCAN_BINARY;
	for (int r = 0; r < MMRD_SCAN_ROLES; r++)
		if (names[r] != NULL)
		{
			snprintf(o->path[r], sizeof(o->path[r]), "%s/%s", tree_root,
			         names[r]);
			o->scan.path[r] = o->path[r];
		}
}

static void
read_whole(one_scan *o, mmrd_scan_files *files)
{
	mmrd_error err = {0};
	const mmrd_status st = mmrd_scan_read(&o->set, 0, files, &err);

	CHECK(st == MMRD_OK, "%s: %s %s", o->path[0], err.message, err.detail);
	CHECK(files->bad == NULL, "%s", o->path[0]);
	for (int r = 0; r < MMRD_SCAN_ROLES; r++)
		CHECK((files->bytes[r] != NULL) == (o->scan.path[r] != NULL),
		      "%s: file %d", o->path[0], r);
}

static void
check_kept(const char *path, const uint8_t *bytes, size_t n)
{
	mmrd_error err = {0};
	uint8_t *want;
	size_t n_want;

	CHECK(mmrd_file_read(path, 1 << 20, NULL, &want, &n_want, &err) == MMRD_OK,
	      "%s", path);
	CHECK(n == n_want && memcmp(bytes, want, n) == 0, "%s was changed", path);
	free(want);
}

static void
kept(void)
{
	one_scan o;
	mmrd_scan_files files;

	make_scan(&o, "rgb8.png", "points.tiff", NULL);
	o.set.kind[MMRD_SCAN_AUX] = MMRD_SCAN_POINTS;
	read_whole(&o, &files);
	check_kept(o.path[0], files.bytes[0], files.n_bytes[0]);
	check_kept(o.path[1], files.bytes[1], files.n_bytes[1]);
	mmrd_scan_files_clear(&files);
	CHECK(files.bytes[0] == NULL && files.n_bytes[1] == 0, "cleared");

	make_scan(&o, "grey16.png", "grey16.png", NULL);
	read_whole(&o, &files);
	check_kept(o.path[0], files.bytes[0], files.n_bytes[0]);
	mmrd_scan_files_clear(&files);
}

/* Any mark becomes 255, whatever it was. */
static void
masks(void)
{
	static const char *const names[] = {"mask1.png", "mask255.png",
	                                    "mask16.png", "mask_rgb.png",
	                                    "mask_float.tiff"};
	uint8_t *first = NULL;
	size_t n_first = 0;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
	{
		one_scan o;
		mmrd_scan_files files;
		mmrd_raster image;
		mmrd_error err = {0};
		const uint8_t *v;
		int wrong = 0;

		make_scan(&o, "rgb8.png", NULL, names[i]);
		read_whole(&o, &files);
		CHECK(mmrd_image_decode(files.bytes[MMRD_SCAN_MASK],
		                        files.n_bytes[MMRD_SCAN_MASK], &limits, &image,
		                        &err) == MMRD_OK,
		      "%s: %s", names[i], err.message);
		CHECK(image.sample == MMRD_SAMPLE_U8 && image.channels == 1 &&
		          image.width == 4 && image.height == 3,
		      "%s", names[i]);
		v = image.data;
		for (int p = 0; p < 12; p++)
		{
			/* Of three channels, samples 0, 5, 10, ... are marked. */
			const int marked = strcmp(names[i], "mask_rgb.png") == 0
			                       ? p % 5 != 2 && p % 5 != 4
			                       : p % 5 == 0;

			wrong += v[p] != (marked ? 255 : 0);
		}
		CHECK(wrong == 0, "%s: %d pixels are wrong", names[i], wrong);
		mmrd_raster_clear(&image);
		if (i == 0)
		{
			n_first = files.n_bytes[MMRD_SCAN_MASK];
			first = malloc(n_first);
			memcpy(first, files.bytes[MMRD_SCAN_MASK], n_first);
		}
		else if (i == 1)
			CHECK(n_first == files.n_bytes[MMRD_SCAN_MASK] &&
			          memcmp(first, files.bytes[MMRD_SCAN_MASK], n_first) == 0,
			      "1 and 255 give different files");
		mmrd_scan_files_clear(&files);
	}
	free(first);
}

/* The formula, to the last bit of a float. */
static void
depth(double lo, double hi, unsigned value)
{
	one_scan o;
	mmrd_scan_files files;
	mmrd_raster image;
	mmrd_error err = {0};
	const float want[2] = {(float) (lo + value / 65535.0 * (hi - lo)),
	                       (float) lo};
	const float *v;

	tree_raster("depth.png", MMRD_SAMPLE_U16, 1, value);
	make_scan(&o, "rgb8.png", "depth.png", NULL);
	o.set.kind[MMRD_SCAN_AUX] = MMRD_SCAN_SCALED_DEPTH;
	o.scan.depth_lo = lo;
	o.scan.depth_hi = hi;
	read_whole(&o, &files);
	CHECK(mmrd_image_decode(files.bytes[MMRD_SCAN_AUX],
	                        files.n_bytes[MMRD_SCAN_AUX], &limits, &image,
	                        &err) == MMRD_OK,
	      "%s", err.message);
	CHECK(image.sample == MMRD_SAMPLE_F32 && image.channels == 1 &&
	          image.width == 4 && image.height == 3,
	      "not a map of floats");
	v = image.data;
	for (int i = 0; i < 12; i++)
		CHECK(v[i] == want[i % 5 != 0], "%g .. %g, %u: got %.9g, want %.9g",
		      lo, hi, value, v[i], want[i % 5 != 0]);
	mmrd_raster_clear(&image);
	mmrd_scan_files_clear(&files);
}

static void
is_bad(const char *rgb, const char *aux, mmrd_scan_kind kind, const char *mask,
       int role, mmrd_status want)
{
	one_scan o;
	mmrd_scan_files files;
	mmrd_error err = {0};
	mmrd_status st;

	make_scan(&o, rgb, aux, mask);
	o.set.kind[MMRD_SCAN_AUX] = kind;
	o.set.options.max_file_bytes = 1 << 16;
	o.set.options.raster = limits;
	st = mmrd_scan_read(&o.set, 0, &files, &err);
	CHECK(st == want, "%s %s: got %d \"%s\"", rgb, aux != NULL ? aux : "", st,
	      err.message);
	CHECK(files.bad == o.scan.path[role], "%s: blamed is %s", rgb,
	      files.bad != NULL ? files.bad : "none");
	for (int r = 0; r < MMRD_SCAN_ROLES; r++)
		CHECK(files.bytes[r] == NULL, "%s: file %d remains", rgb, r);
	mmrd_scan_files_clear(&files);
}

static void
bad_files(void)
{
	const mmrd_scan_kind any = MMRD_SCAN_ANY_MAP;
	uint8_t *png;
	size_t n;
	mmrd_error err = {0};

	tree_text("text.png", "this is no picture");
	tree_text("empty.png", "");
	tree_link("gone.png", "nowhere");
	tree_text("folder.png/inside", "");
	tree_text("large.png", "x");
	tree_must(truncate(tree_path("large.png"), 1 << 20) == 0, "truncate");

	mmrd_file_read(tree_path("rgb8.png"), 1 << 16, NULL, &png, &n, &err);
	tree_must(png != NULL, "rgb8.png");
	tree_write("cut.png", png, n / 2);
	free(png);

	is_bad("text.png", NULL, any, NULL, 0, MMRD_CORRUPT_DATA);
	is_bad("empty.png", NULL, any, NULL, 0, MMRD_CORRUPT_DATA);
	is_bad("cut.png", NULL, any, NULL, 0, MMRD_CORRUPT_DATA);
	is_bad("gone.png", NULL, any, NULL, 0, MMRD_IO_ERROR);
	is_bad("folder.png", NULL, any, NULL, 0, MMRD_UNSUPPORTED);
	is_bad("large.png", NULL, any, NULL, 0, MMRD_LIMIT_EXCEEDED);
	is_bad("points.tiff", NULL, any, NULL, 0, MMRD_UNSUPPORTED);
	is_bad("rgb8.png", "text.png", any, NULL, 1, MMRD_CORRUPT_DATA);
	is_bad("rgb8.png", "rgb8.png", MMRD_SCAN_POINTS, NULL, 1,
	       MMRD_UNSUPPORTED);
	is_bad("rgb8.png", "mask_float.tiff", MMRD_SCAN_POINTS, NULL, 1,
	       MMRD_UNSUPPORTED);
	is_bad("rgb8.png", "rgb8.png", MMRD_SCAN_SCALED_DEPTH, NULL, 1,
	       MMRD_UNSUPPORTED);
	is_bad("rgb8.png", "points.tiff", MMRD_SCAN_PICTURE, NULL, 1,
	       MMRD_UNSUPPORTED);
	is_bad("rgb8.png", "rgb8.png", any, "text.png", 3, MMRD_CORRUPT_DATA);
}

int
main(void)
{
	tree_begin();
	tree_raster("rgb8.png", MMRD_SAMPLE_U8, 3, 200);
	tree_raster("grey16.png", MMRD_SAMPLE_U16, 1, 40000);
	tree_raster("points.tiff", MMRD_SAMPLE_F32, 3, 2);
	tree_raster("mask1.png", MMRD_SAMPLE_U8, 1, 1);
	tree_raster("mask255.png", MMRD_SAMPLE_U8, 1, 255);
	tree_raster("mask16.png", MMRD_SAMPLE_U16, 1, 256); /* low byte is 0 */
	tree_raster("mask_rgb.png", MMRD_SAMPLE_U8, 3, 252);
	tree_raster("mask_float.tiff", MMRD_SAMPLE_F32, 1, 1);
	kept();
	masks();
	depth(2.3110647201538086, 4.903090000152588, 65535);
	depth(2.3110647201538086, 4.903090000152588, 12345);
	depth(2.3110647201538086, 4.903090000152588, 1);
	depth(1.5, 1.5, 7);
	depth(-1, 1, 32768);
	bad_files();
	tree_end();
	return check_result();
}
