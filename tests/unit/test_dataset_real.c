/*
 * tests/unit/test_dataset_real.c
 *	  The real sets beside the repository: all of their scans are found, and
 *	  each that is read here is whole and becomes network input.
 *
 * They are in ../shared/data, or where MMRD_SHARED points, and cannot be
 * given to everybody.
 */
#include "loader/dataset/scan_files.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "loader/image/format.h"
#include "model/input/input_prepare.h"
#include "tests/unit/check.h"

static const mmrd_raster_limits limits = {1 << 22, 1 << 26};
static char folder[4096];

static const char *
place(const char *set)
{
	const char *shared = getenv("MMRD_SHARED");

	snprintf(folder, sizeof(folder), "%s/data/%s",
	         shared != NULL ? shared : "../shared", set);
	return folder;
}

static mmrd_dataset *
open_set(const char *name, mmrd_dataset_format format, mmrd_dataset_aux aux)
{
	mmrd_dataset_options options;
	mmrd_dataset *set;
	mmrd_error err = {0};

	mmrd_dataset_options_init(&options, format);
	options.aux = aux;
	CHECK(mmrd_dataset_open(place(name), &options, &set, &err) == MMRD_OK,
	      "%s: %s", name, err.message);
	if (set == NULL)
		exit(1);
	for (size_t i = 0; i < set->n_problems; i++)
		CHECK(0, "%s: %s", set->problems[i].path, set->problems[i].message);
	return set;
}

static size_t
count(const mmrd_dataset *set, const char *split, mmrd_scan_label label)
{
	size_t n = 0;

	for (size_t i = 0; i < set->n_scans; i++)
		n += strcmp(set->scans[i].split, split) == 0 &&
		     set->scans[i].label == label;
	return n;
}

static int
decode(const mmrd_scan_files *files, int role, mmrd_raster *image)
{
	mmrd_error err = {0};

	return mmrd_image_decode(files->bytes[role], files->n_bytes[role], &limits,
	                         image, &err) == MMRD_OK;
}

/* What is stored is taken for what it is when nobody says: "auto". */
static void
check_input(const char *id, const mmrd_scan_files *files, int role,
            mmrd_input_kind want)
{
	enum
	{
		S = 64
	};
	static float out[S * S * 3];
	mmrd_input_spec spec = {0};
	mmrd_input_note note;
	mmrd_error err = {0};
	mmrd_raster image;

	if (!decode(files, role, &image))
	{
		CHECK(0, "%s: file %d does not decode", id, role);
		return;
	}
	spec.kind = mmrd_input_kind_guess(&image);
	CHECK(spec.kind == (int32_t) want, "%s: file %d taken as %s", id, role,
	      mmrd_input_kind_name(spec.kind));
	CHECK(mmrd_input_prepare(&image, &spec, S, out, &note, &err) == MMRD_OK,
	      "%s: %s", id, err.message);
	CHECK(note.n_valid > S * S / 3, "%s: file %d has %d valid pixels", id,
	      role, note.n_valid);
	mmrd_raster_clear(&image);
}

/* A mask is of the picture's size, and somewhere says "defect". */
static void
check_mask(const char *id, const mmrd_scan_files *files, int32_t side)
{
	mmrd_raster mask;
	size_t n = 0;

	if (!decode(files, MMRD_SCAN_MASK, &mask))
	{
		CHECK(0, "%s: the mask does not decode", id);
		return;
	}
	CHECK(mask.width == side && mask.height == side, "%s", id);
	for (int32_t p = 0; p < side * side; p++)
	{
		const uint8_t v = ((const uint8_t *) mask.data)[p];

		CHECK(v == 0 || v == 255, "%s: pixel %d is %d", id, p, v);
		n += v == 255;
	}
	CHECK(n > 0 && n < (size_t) side * (size_t) side / 2, "%s: %zu pixels", id,
	      n);
	mmrd_raster_clear(&mask);
}

static void
cable_gland(void)
{
	mmrd_dataset *set = open_set("mvtec_3d_ad", MMRD_DATASET_MVTEC3D,
	                             MMRD_DATASET_AUX_DEFAULT);

	CHECK(set->n_scans == 20, "%zu scans", set->n_scans);
	CHECK(count(set, "train", MMRD_SCAN_GOOD) == 8, "train");
	CHECK(count(set, "validation", MMRD_SCAN_GOOD) == 2, "validation");
	CHECK(count(set, "test", MMRD_SCAN_GOOD) == 2, "test, good");
	CHECK(count(set, "test", MMRD_SCAN_DEFECTIVE) == 8, "test, defective");
	for (size_t i = 0; i < set->n_scans; i++)
	{
		const char *id = set->scans[i].id;
		mmrd_scan_files files;
		mmrd_error err = {0};
		const mmrd_status st = mmrd_scan_read(set, i, &files, &err);

		CHECK(strncmp(id, "cable_gland/", 12) == 0, "%s", id);
		CHECK(st == MMRD_OK, "%s: %s: %s", id, files.bad, err.message);
		if (files.bytes[MMRD_SCAN_MASK] != NULL)
			check_mask(id, &files, 400);
		check_input(id, &files, MMRD_SCAN_RGB, MMRD_INPUT_IMAGE);
		check_input(id, &files, MMRD_SCAN_AUX, MMRD_INPUT_NORMALS_FROM_XYZ);
		CHECK((files.bytes[MMRD_SCAN_MASK] != NULL) ==
		          (set->scans[i].label == MMRD_SCAN_DEFECTIVE),
		      "%s", id);
		mmrd_scan_files_clear(&files);
	}
	mmrd_dataset_free(set);
}

/* The nearest point is the range's begin, the farthest its end. */
static void
check_depth(const mmrd_scan *scan, const mmrd_scan_files *files)
{
	mmrd_raster depth;
	float lo = INFINITY;
	float hi = -INFINITY;

	if (!decode(files, MMRD_SCAN_AUX2, &depth))
	{
		CHECK(0, "%s: the depth does not decode", scan->id);
		return;
	}
	CHECK(depth.sample == MMRD_SAMPLE_F32 && depth.channels == 1, "%s",
	      scan->id);
	for (int32_t p = 0; p < depth.width * depth.height; p++)
	{
		lo = fminf(lo, ((const float *) depth.data)[p]);
		hi = fmaxf(hi, ((const float *) depth.data)[p]);
	}
	CHECK(lo == (float) scan->depth_lo && hi == (float) scan->depth_hi,
	      "%s: %g to %g, range %g to %g", scan->id, lo, hi, scan->depth_lo,
	      scan->depth_hi);
	CHECK(lo > 1 && hi < 10, "%s: no metres", scan->id);
	mmrd_raster_clear(&depth);
}

static void
candy_cane(void)
{
	mmrd_dataset *set =
	    open_set("eyecandies", MMRD_DATASET_EYECANDIES, MMRD_DATASET_AUX_BOTH);

	CHECK(set->n_scans == 200, "%zu scans", set->n_scans);
	CHECK(count(set, "train", MMRD_SCAN_GOOD) == 100, "train");
	CHECK(count(set, "val", MMRD_SCAN_GOOD) == 50, "val");
	CHECK(count(set, "test_public", MMRD_SCAN_GOOD) == 25, "good");
	CHECK(count(set, "test_public", MMRD_SCAN_DEFECTIVE) == 25, "defective");
	for (size_t i = 0; i < set->n_scans; i += 7)
	{
		const mmrd_scan *scan = &set->scans[i];
		mmrd_scan_files files;
		mmrd_error err = {0};
		const mmrd_status st = mmrd_scan_read(set, i, &files, &err);

		CHECK(st == MMRD_OK, "%s: %s: %s", scan->id, files.bad, err.message);
		if (st == MMRD_OK)
			check_depth(scan, &files);
		check_input(scan->id, &files, MMRD_SCAN_RGB, MMRD_INPUT_IMAGE);
		check_input(scan->id, &files, MMRD_SCAN_AUX, MMRD_INPUT_IMAGE);
		check_input(scan->id, &files, MMRD_SCAN_AUX2, MMRD_INPUT_DEPTH);
		if (files.bytes[MMRD_SCAN_MASK] != NULL)
			check_mask(scan->id, &files, 512);
		mmrd_scan_files_clear(&files);
	}
	mmrd_dataset_free(set);
}

int
main(void)
{
	if (access(place("mvtec_3d_ad/cable_gland"), R_OK) != 0 ||
	    access(place("eyecandies/CandyCane"), R_OK) != 0)
	{
		fprintf(stderr, "the real scans are not here: %s\n", folder);
		return CHECK_SKIPPED;
	}
	cable_gland();
	candy_cane();
	return check_result();
}
