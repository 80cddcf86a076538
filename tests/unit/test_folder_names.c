/*
 * tests/unit/test_folder_names.c
 *	  What the names in a folder of one's own are taken to mean.
 */
#include "loader/dataset/folder_names.h"

#include <string.h>

#include "tests/unit/check.h"

static const struct
{
	const char *path;
	const char *scan;
	mmrd_scan_role role;
} names[] = {
    {"0001.png", "0001", MMRD_SCAN_RGB},
    {"rgb/0001.png", "0001", MMRD_SCAN_RGB},
    {"RGB/0001.PNG", "0001", MMRD_SCAN_RGB},
    {"depth/0001.tiff", "0001", MMRD_SCAN_AUX},
    {"lot1/xyz/0001.tiff", "lot1/0001", MMRD_SCAN_AUX},
    {"xyz/lot1/0001.tiff", "lot1/0001", MMRD_SCAN_AUX},
    {"rgb/depth/0001.tiff", "rgb/0001", MMRD_SCAN_AUX},
    {"aux2/0001.png", "0001", MMRD_SCAN_AUX2},
    {"test/cut/gt/0001.png", "test/cut/0001", MMRD_SCAN_MASK},
    {"ground_truth/0001.png", "0001", MMRD_SCAN_MASK},

    {"0001_rgb.png", "0001", MMRD_SCAN_RGB},
    {"0001_aux.png", "0001", MMRD_SCAN_AUX},
    {"0001-depth.tiff", "0001", MMRD_SCAN_AUX},
    {"0001.normals.png", "0001", MMRD_SCAN_AUX},
    {"0001_aux2.tiff", "0001", MMRD_SCAN_AUX2},
    {"a_b_ground_truth.png", "a_b", MMRD_SCAN_MASK},
    {"lot_7/0001_mask.png", "lot_7/0001", MMRD_SCAN_MASK},

    /* Both say the same: both are taken out. */
    {"rgb/0001_rgb.png", "0001", MMRD_SCAN_RGB},
    {"depth/0001_depth.png", "0001", MMRD_SCAN_AUX},
    /* They differ: the ending knows better. */
    {"image/0001_mask.png", "0001", MMRD_SCAN_MASK},

    /* A folder per scan. */
    {"lot1/0001/rgb.png", "lot1/0001", MMRD_SCAN_RGB},
    {"0001/depth.tiff", "0001", MMRD_SCAN_AUX},

    /* Words that only look like it. */
    {"0001_image_4.png", "0001_image_4", MMRD_SCAN_RGB},
    {"unmasked/0001.png", "unmasked/0001", MMRD_SCAN_RGB},
    {"v1.2/0001.png", "v1.2/0001", MMRD_SCAN_RGB},
    {"v1.2/0001", "v1.2/0001", MMRD_SCAN_RGB},
    {"0001.tar.png", "0001.tar", MMRD_SCAN_RGB},
    {"_rgb.png", "_rgb", MMRD_SCAN_RGB},
};

static const struct
{
	const char *scan;
	const char *split; /* NULL: none */
	const char *defect;
	mmrd_scan_label label;
} labels[] = {
    {"0001", NULL, NULL, MMRD_SCAN_UNKNOWN},
    {"lot1/0001", NULL, NULL, MMRD_SCAN_UNKNOWN},
    {"good/0001", NULL, "good", MMRD_SCAN_GOOD},
    {"OK/0001", NULL, "OK", MMRD_SCAN_GOOD},
    {"ng/0001", NULL, "ng", MMRD_SCAN_DEFECTIVE},
    {"lot1/defect/0001", NULL, "defect", MMRD_SCAN_DEFECTIVE},
    {"train/0001", "train", NULL, MMRD_SCAN_UNKNOWN},
    {"train/good/0001", "train", "good", MMRD_SCAN_GOOD},
    {"lot1/test/scratch/0001", "test", "scratch", MMRD_SCAN_DEFECTIVE},
    {"test/scratch/lot1/0001", "test", "scratch", MMRD_SCAN_DEFECTIVE},
    {"val/lot1/good/0001", "val", "lot1", MMRD_SCAN_DEFECTIVE},
    {"good/train/0001", "train", "good", MMRD_SCAN_GOOD},
    {"good", NULL, NULL, MMRD_SCAN_UNKNOWN},
    {"lot1/test", NULL, NULL, MMRD_SCAN_UNKNOWN},
};

static int
piece_is(const char *piece, const char *want)
{
	if (piece == NULL || want == NULL)
		return piece == want;
	return strcspn(piece, "/") == strlen(want) &&
	       strncmp(piece, want, strlen(want)) == 0;
}

int
main(void)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
	{
		char path[100];
		mmrd_scan_role role;

		snprintf(path, sizeof(path), "%s", names[i].path);
		mmrd_name_scan(path, &role);
		CHECK(strcmp(path, names[i].scan) == 0, "%s: scan \"%s\"",
		      names[i].path, path);
		CHECK(role == names[i].role, "%s: role %d", names[i].path, role);
	}
	for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++)
	{
		const char *split;
		const char *defect;
		mmrd_scan_label label;

		mmrd_name_label(labels[i].scan, &split, &defect, &label);
		CHECK(piece_is(split, labels[i].split), "%s: split \"%s\"",
		      labels[i].scan, split != NULL ? split : "(none)");
		CHECK(piece_is(defect, labels[i].defect), "%s: defect \"%s\"",
		      labels[i].scan, defect != NULL ? defect : "(none)");
		CHECK(label == labels[i].label, "%s: label %d", labels[i].scan, label);
	}

	CHECK(mmrd_name_is_picture("a.png") && mmrd_name_is_picture("a.b.TIFF"),
	      "pictures");
	CHECK(!mmrd_name_is_picture("a.txt") && !mmrd_name_is_picture(".png") &&
	          !mmrd_name_is_picture("png"),
	      "no pictures");
	return check_result();
}
