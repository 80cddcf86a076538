/*
 * tests/unit/test_scans_real.c
 *	  The real scans of cable_gland (MVTec 3D-AD) through the TIFF reader and
 *	  the geometry.
 *
 * They are beside the repository, in ../shared/data, and cannot be given to
 * everybody; MMRD_SHARED names another place.  What is known of them: 400 x
 * 400 points, 33 to 46 % of them invalid, a mask in a SubIFD, a tilted table,
 * one part in the middle.
 */
#include "model/input/input_prepare.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loader/image/format.h"
#include "model/input/input_image.h"
#include "tests/unit/check.h"

enum
{
	S = 256
};

static const mmrd_raster_limits limits = {1 << 24, 1 << 28};
static float out[S * S * 3];

static int
decode(const char *path, mmrd_raster *r)
{
	FILE *file = fopen(path, "rb");
	mmrd_error err = {0};
	static uint8_t bytes[4 << 20];
	size_t n;

	memset(r, 0, sizeof(*r));
	CHECK(file != NULL, "%s cannot be opened", path);
	if (file == NULL)
		return 0;
	n = fread(bytes, 1, sizeof(bytes), file);
	fclose(file);
	CHECK(mmrd_image_decode(bytes, n, &limits, r, &err) == MMRD_OK,
	      "%s: %s %s", path, err.message, err.detail);
	return r->data != NULL;
}

/*
 * How speckled the normals are: the share of the part's pixels that differ
 * from the mean of their left and right neighbours by more than 0.15 of the
 * range.  Edges and threads are a few per cent; noise is most.
 */
static double
speckle(void)
{
	int part = 0;
	int strange = 0;

	for (int y = 0; y < S; y++)
		for (int x = 1; x < S - 1; x++)
		{
			double off = 0;
			int inside = 1;

			for (int u = -1; u <= 1; u++)
				inside &= out[(y * S + x + u) * 3] >
				          0.001f - mmrd_input_mean[0] / mmrd_input_std[0];
			if (!inside)
				continue;
			for (int c = 0; c < 3; c++)
			{
				const float *p = out + (y * S + x) * 3 + c;

				off = fmax(off, fabs(p[0] - 0.5 * (p[-3] + p[3])) *
				                    mmrd_input_std[c]);
			}
			part++;
			strange += off > 0.15;
		}
	return part > 0 ? (double) strange / part : 1;
}

static void
one_scan(const char *path)
{
	mmrd_raster r;
	mmrd_input_spec spec = {.kind = MMRD_INPUT_NORMALS_FROM_XYZ};
	mmrd_input_note note;
	mmrd_error err = {0};
	double invalid;

	if (!decode(path, &r))
		return;
	CHECK(r.sample == MMRD_SAMPLE_F32 && r.channels == 3 && r.width == 400 &&
	          r.height == 400 &&
	          mmrd_input_kind_guess(&r) == MMRD_INPUT_NORMALS_FROM_XYZ,
	      "%s: sample %d, %d channels, %d x %d", path, r.sample, r.channels,
	      r.width, r.height);
	CHECK(mmrd_input_prepare(&r, &spec, S, out, &note, &err) == MMRD_OK,
	      "%s: %s", path, err.message);
	invalid = 1 - note.n_valid / (double) (S * S);
	CHECK(invalid > 0.32 && invalid < 0.47, "%s: %.0f%% invalid", path,
	      100 * invalid);
	CHECK(note.plane_found && note.plane.normal[2] < -0.85 &&
	          note.plane.normal[2] > -0.99,
	      "%s: plane %d, normal z %g", path, note.plane_found,
	      note.plane.normal[2]);
	CHECK(note.n_part > S * S / 10 && note.n_part < S * S / 4,
	      "%s: the part has %d pixels", path, note.n_part);
	CHECK(speckle() < 0.05, "%s: speckle %.3f", path, speckle());

	/* The part is 3 to 5 cm high, and higher up is nearer. */
	spec.kind = MMRD_INPUT_HEIGHT;
	CHECK(mmrd_input_prepare(&r, &spec, S, out, &note, &err) == MMRD_OK,
	      "%s: %s", path, err.message);
	CHECK(note.lo < 0.01f && note.hi > 0.03f && note.hi < 0.06f,
	      "%s: heights [%g, %g]", path, (double) note.lo, (double) note.hi);
	spec.kind = MMRD_INPUT_XYZ;
	CHECK(mmrd_input_prepare(&r, &spec, S, out, &note, &err) == MMRD_OK,
	      "%s: %s", path, err.message);
	CHECK(note.lo > 0.5f && note.hi < 0.8f, "%s: z [%g, %g]", path,
	      (double) note.lo, (double) note.hi);
	mmrd_raster_clear(&r);
}

int
main(void)
{
	static const char *const folders[] = {
	    "train/good", "validation/good", "test/good",  "test/bent",
	    "test/cut",   "test/hole",       "test/thread"};
	const char *shared = getenv("MMRD_SHARED");
	int scans = 0;

	if (shared == NULL)
		shared = "../shared";
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
	{
		char folder[1024];
		const struct dirent *entry;
		DIR *dir;

		snprintf(folder, sizeof(folder),
		         "%s/data/mvtec_3d_ad/cable_gland/%s/xyz", shared, folders[i]);
		dir = opendir(folder);
		while (dir != NULL && (entry = readdir(dir)) != NULL)
			if (strstr(entry->d_name, ".tiff") != NULL)
			{
				char path[2048];

				snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
				one_scan(path);
				scans++;
			}
		if (dir != NULL)
			closedir(dir);
	}
	if (scans == 0)
	{
		fprintf(stderr,
		        "SKIPPED: no cable_gland scans in %s/data/mvtec_3d_ad (set "
		        "MMRD_SHARED)\n",
		        shared);
		return CHECK_SKIPPED;
	}
	return check_result();
}
