/*
 * tests/unit/test_dataset.c
 *	  Walking and pairing: the three layouts on generated folders, whole and
 *	  broken.
 */
#include "loader/dataset/dataset.h"

#include <errno.h>
#include <string.h>

#include "tests/unit/check.h"
#include "tests/unit/tree.h"

static mmrd_dataset_options
options_for(mmrd_dataset_format format)
{
	mmrd_dataset_options options;

	mmrd_dataset_options_init(&options, format);
	return options;
}

static mmrd_dataset *
open_set(const char *name, const mmrd_dataset_options *options)
{
	mmrd_error err = {0};
	mmrd_dataset *set;
	const mmrd_status st =
	    mmrd_dataset_open(tree_path(name), options, &set, &err);

	CHECK(st == MMRD_OK, "%s: %d \"%s\" \"%s\"", name, st, err.message,
	      err.detail);
	CHECK((st == MMRD_OK) == (set != NULL), "%s", name);
	if (set == NULL)
		tree_must(0, name);
	return set;
}

static const mmrd_scan *
find(const mmrd_dataset *set, const char *id)
{
	for (size_t i = 0; i < set->n_scans; i++)
		if (strcmp(set->scans[i].id, id) == 0)
			return &set->scans[i];
	return NULL;
}

static int
is(const char *got, const char *want)
{
	return got == NULL || want == NULL ? got == want : strcmp(got, want) == 0;
}

static int
ends(const char *path, const char *want)
{
	if (path == NULL || want == NULL)
		return path == want;
	return strlen(path) > strlen(want) &&
	       strcmp(path + strlen(path) - strlen(want), want) == 0;
}

/* What one scan should be; of paths only the ends. */
typedef struct expected
{
	const char *id;
	const char *category;
	const char *split;
	const char *defect;
	mmrd_scan_label label;
	const char *path[MMRD_SCAN_ROLES];
} expected;

static void
check_scan(const mmrd_dataset *set, const expected *want)
{
	const mmrd_scan *scan = find(set, want->id);

	CHECK(scan != NULL, "%s is not in the set", want->id);
	if (scan == NULL)
		return;
	CHECK(is(scan->category, want->category), "%s: %s", want->id,
	      scan->category);
	CHECK(is(scan->split, want->split), "%s: split", want->id);
	CHECK(is(scan->defect, want->defect), "%s: defect", want->id);
	CHECK(scan->label == want->label, "%s: label %d", want->id, scan->label);
	for (int r = 0; r < MMRD_SCAN_ROLES; r++)
		CHECK(ends(scan->path[r], want->path[r]), "%s: path %d is %s",
		      want->id, r, scan->path[r] != NULL ? scan->path[r] : "none");
}

/* One problem, with this path and this text in its message. */
static void
check_problem(const mmrd_dataset *set, const char *path, const char *message)
{
	int found = 0;

	for (size_t i = 0; i < set->n_problems; i++)
		found += ends(set->problems[i].path, path) &&
		         strstr(set->problems[i].message, message) != NULL;
	CHECK(found == 1, "%d problems %s: ...%s...", found, path, message);
	if (found != 1)
		for (size_t i = 0; i < set->n_problems; i++)
			fprintf(stderr, "  %s: %s\n", set->problems[i].path,
			        set->problems[i].message);
}

static void
check_counts(const char *name, const mmrd_dataset *set, size_t n_scans,
             size_t n_problems)
{
	CHECK(set->n_scans == n_scans, "%s: %zu scans", name, set->n_scans);
	CHECK(set->n_problems == n_problems, "%s: %zu problems", name,
	      set->n_problems);
}

static void
refuses(const char *name, const mmrd_dataset_options *options,
        mmrd_status want, const char *message)
{
	mmrd_error err = {0};
	mmrd_dataset *set = (mmrd_dataset *) &err;
	const mmrd_status st =
	    mmrd_dataset_open(tree_path(name), options, &set, &err);

	CHECK(st == want && set == NULL, "%s: got %d", name, st);
	CHECK(strstr(err.message, message) != NULL, "%s: \"%s\" lacks \"%s\"",
	      name, err.message, message);
}

static void
make_mvtec3d(void)
{
	tree_text("m/bolt/train/good/rgb/000.png", "");
	tree_text("m/bolt/train/good/xyz/000.tiff", "");
	tree_text("m/bolt/train/good/rgb/001.png", "");
	tree_text("m/bolt/train/good/xyz/001.tiff", "");
	tree_text("m/bolt/validation/good/rgb/000.png", "");
	tree_text("m/bolt/validation/good/xyz/000.tiff", "");
	tree_text("m/bolt/test/good/rgb/000.png", "");
	tree_text("m/bolt/test/good/xyz/000.tiff", "");
	tree_text("m/bolt/test/good/gt/000.png", "");
	tree_text("m/bolt/test/bent/rgb/000.png", "");
	tree_text("m/bolt/test/bent/xyz/000.tiff", "");
	tree_text("m/bolt/test/bent/gt/000.png", "");
	tree_text("m/bolt/calibration/camera_parameters.json", "{}");
	tree_text("m/bolt/readme.txt", "");
	tree_text("m/nut/train/good/rgb/000.png", "");
	tree_text("m/nut/train/good/xyz/000.tiff", "");
	tree_text("m/license.txt", "");
}

static void
mvtec3d(void)
{
	static const expected good = {
	    "bolt/test/good/000",
	    "bolt",
	    "test",
	    "good",
	    MMRD_SCAN_GOOD,
	    {"good/rgb/000.png", "good/xyz/000.tiff", NULL, NULL}};
	static const expected bent = {
	    "bolt/test/bent/000",
	    "bolt",
	    "test",
	    "bent",
	    MMRD_SCAN_DEFECTIVE,
	    {"bent/rgb/000.png", "bent/xyz/000.tiff", NULL, "bent/gt/000.png"}};
	static const char *const nut[] = {"nut"};
	static const char *const wrong[] = {"nut", "screw"};
	mmrd_dataset_options o = options_for(MMRD_DATASET_MVTEC3D);
	mmrd_dataset *set = open_set("m", &o);

	check_counts("m", set, 6, 0);
	check_scan(set, &good);
	check_scan(set, &bent);
	CHECK(set->kind[MMRD_SCAN_AUX] == MMRD_SCAN_POINTS, "kind");
	CHECK(set->has[MMRD_SCAN_AUX] && !set->has[MMRD_SCAN_AUX2] &&
	          set->has[MMRD_SCAN_MASK],
	      "roles");
	mmrd_dataset_free(set);

	/* One category: by itself (with a slash, or by a link), or chosen. */
	set = open_set("m/bolt/", &o);
	check_counts("m/bolt/", set, 5, 0);
	check_scan(set, &bent);
	mmrd_dataset_free(set);
	tree_link("here", "m/bolt");
	set = open_set("here", &o);
	check_scan(set, &bent); /* named after where it leads */
	mmrd_dataset_free(set);
	o.categories = nut;
	o.n_categories = 1;
	set = open_set("m", &o);
	check_counts("nut", set, 1, 0);
	mmrd_dataset_free(set);
	o.aux = MMRD_DATASET_AUX_NONE;
	set = open_set("m/nut", &o);
	check_counts("nut", set, 1, 0);
	CHECK(!set->has[MMRD_SCAN_AUX], "none");
	mmrd_dataset_free(set);

	refuses("m/bolt", &o, MMRD_INVALID_ARGUMENT, "\"nut\" is not there");
	o.categories = wrong;
	o.n_categories = 2;
	refuses("m", &o, MMRD_INVALID_ARGUMENT, "\"screw\" is not there");
	o.n_categories = 0;
	refuses("m/bolt/calibration", &o, MMRD_INVALID_ARGUMENT, "layout");
	refuses("nowhere", &o, MMRD_IO_ERROR, "cannot be opened");
	refuses("m/license.txt", &o, MMRD_IO_ERROR, "cannot be opened");
	o.aux = MMRD_DATASET_AUX_DEPTH;
	refuses("m", &o, MMRD_INVALID_ARGUMENT, "\"depth\" does not go with");
}

static void
broken_mvtec3d(void)
{
	const mmrd_dataset_options o = options_for(MMRD_DATASET_MVTEC3D);
	mmrd_dataset *set;

	tree_text("b/bolt/train/good/rgb/000.png", "");
	tree_text("b/bolt/train/good/rgb/001.png", ""); /* no xyz */
	tree_text("b/bolt/train/good/xyz/000.tiff", "");
	tree_text("b/bolt/train/good/xyz/002.tiff", ""); /* no rgb */
	tree_text("b/bolt/train/good/rgb/003.png", "");
	tree_text("b/bolt/train/good/rgb/003.jpg", ""); /* one too many */
	tree_text("b/bolt/train/good/xyz/003.tiff", "");
	tree_text("b/bolt/test/cut/rgb/000.png", "");
	tree_text("b/bolt/test/cut/xyz/000.tiff", ""); /* no gt */
	tree_text("b/bolt/test/empty/notes.txt", "");
	tree_text("b/bolt/test/file", "");
	tree_text("b/bolt/test/thin/rgb", ""); /* a file, not a folder */
	tree_text("b/bolt/train/good/rgb/\xff.png", "");
	tree_text("b/bolt/train/good/xyz/\xff.tiff", "");
	tree_text("b/bolt/train/good/rgb/two\nlines.png", "");
	tree_text("b/bolt/train/good/xyz/two\nlines.tiff", "");
	tree_text("b/bolt/train/good/rgb/gl\xc3\xbchen.png", ""); /* is fine */
	tree_text("b/bolt/train/good/xyz/gl\xc3\xbchen.tiff", "");
	tree_link("b/bolt/validation", "validation"); /* leads nowhere */

	set = open_set("b", &o);
	check_counts("b", set, 2, 10);
	CHECK(find(set, "bolt/train/good/000") != NULL, "000");
	CHECK(find(set, "bolt/train/good/gl\xc3\xbchen") != NULL, "UTF-8");
	check_problem(set, "rgb/001.png", "in xyz");
	check_problem(set, "xyz/002.tiff", "in rgb");
	check_problem(set, "rgb/003.png", "another file");
	check_problem(set, "cut/rgb/000.png", "in gt");
	check_problem(set, "test/empty", "no files in rgb");
	check_problem(set, "bolt/validation", "not a folder");
	check_problem(set, "test/thin/rgb", "cannot be opened");
	check_problem(set, "test/thin", "no files in rgb");
	check_problem(set, "\xff.png", "not UTF-8");
	check_problem(set, "lines.png", "not UTF-8");
	mmrd_dataset_free(set);
}

static void
eyecandy(const char *where, const char *metadata, const char *info)
{
	static const char *const files[] = {"image_4.png", "normals.png",
	                                    "depth.png", "mask.png",
	                                    "bumps_mask.png"};
	char name[200];

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
	{
		snprintf(name, sizeof(name), "%s_%s", where, files[i]);
		tree_text(name, "");
	}
	snprintf(name, sizeof(name), "%s_metadata.yaml", where);
	tree_text(name, metadata);
	snprintf(name, sizeof(name), "%s_info_depth.yaml", where);
	tree_text(name, info);
}

#define METADATA(all, bumps, dents, colors, normals)                          \
	"anomalous: " all "\nanomalous_bumps: " bumps "\nanomalous_dents: " dents \
	"\nanomalous_colors: " colors "\nanomalous_normals: " normals "\n"
#define GOOD METADATA("0", "0", "0", "0", "0")
#define RANGE "normalization:\n  max: 4.5\n  min: 2.25\n"

static void
eyecandies(void)
{
	static const expected both = {
	    "Bar/test_public/00",
	    "Bar",
	    "test_public",
	    "bumps+normals",
	    MMRD_SCAN_DEFECTIVE,
	    {"00_image_4.png", "00_normals.png", "00_depth.png", "00_mask.png"}};
	static const expected normals = {
	    "Bar/train/001", "Bar",
	    "train",         "good",
	    MMRD_SCAN_GOOD,  {"001_image_4.png", "001_normals.png", NULL, NULL}};
	static const expected depth = {
	    "Bar/train/001", "Bar",
	    "train",         "good",
	    MMRD_SCAN_GOOD,  {"001_image_4.png", "001_depth.png", NULL, NULL}};
	static const expected hidden = {
	    "Bar/test_private/00",
	    "Bar",
	    "test_private",
	    NULL,
	    MMRD_SCAN_UNKNOWN,
	    {"00_image_4.png", "00_normals.png", NULL, NULL}};
	mmrd_dataset_options o = options_for(MMRD_DATASET_EYECANDIES);
	mmrd_dataset *set;

	eyecandy("e/Bar/train/data/000", GOOD, RANGE);
	eyecandy("e/Bar/train/data/001", GOOD, RANGE);
	eyecandy("e/Bar/val/data/000", GOOD, RANGE);
	eyecandy("e/Bar/test_public/data/00", METADATA("1", "1", "0", "0", "1"),
	         RANGE);
	eyecandy("e/Bar/test_private/data/00", GOOD, RANGE);
	unlink(tree_path("e/Bar/test_private/data/00_metadata.yaml"));
	tree_text("e/Bar/train/data/notes.txt", "");
	tree_text("e/Bar/train/data/000_image_0.png", "");

	set = open_set("e", &o);
	check_counts("e", set, 5, 0);
	check_scan(set, &normals);
	check_scan(set, &hidden);
	CHECK(set->kind[MMRD_SCAN_AUX] == MMRD_SCAN_PICTURE, "kind");
	mmrd_dataset_free(set);

	o.aux = MMRD_DATASET_AUX_BOTH;
	set = open_set("e/Bar", &o);
	check_counts("both", set, 5, 0);
	check_scan(set, &both);
	CHECK(find(set, both.id)->depth_lo == 2.25 &&
	          find(set, both.id)->depth_hi == 4.5,
	      "range");
	CHECK(set->kind[MMRD_SCAN_AUX2] == MMRD_SCAN_SCALED_DEPTH, "kind");
	mmrd_dataset_free(set);

	o.aux = MMRD_DATASET_AUX_DEPTH;
	set = open_set("e/Bar", &o);
	check_scan(set, &depth);
	CHECK(set->kind[MMRD_SCAN_AUX] == MMRD_SCAN_SCALED_DEPTH, "kind");
	mmrd_dataset_free(set);

	/* Only one scan was taken with this light. */
	o.light = 0;
	set = open_set("e/Bar", &o);
	check_counts("light 0", set, 1, 4);
	check_problem(set, "train/data/001_normals.png",
	              "001_image_0.png is missing");
	mmrd_dataset_free(set);
	o.light = 6;
	refuses("e", &o, MMRD_INVALID_ARGUMENT, "light 6");
}

static void
broken_eyecandies(void)
{
	mmrd_dataset_options o = options_for(MMRD_DATASET_EYECANDIES);
	mmrd_dataset *set;

	eyecandy("x/train/data/000", GOOD, RANGE);
	eyecandy("x/train/data/001", "anomalous 0\n", RANGE);
	eyecandy("x/train/data/002", METADATA("1", "0", "0", "0", "0"), RANGE);
	eyecandy("x/train/data/003", "anomalous: 0\n", RANGE);
	eyecandy("x/train/data/004", GOOD, "normalization:\n  max: 1\n");
	eyecandy("x/train/data/005", GOOD, "normalization:\n  max: 1\n  min: 2\n");
	eyecandy("x/train/data/006", GOOD,
	         "normalization:\n  max: 1e300\n  min: 0\n");
	eyecandy("x/train/data/007", METADATA("1", "1", "0", "0", "0"), RANGE);
	unlink(tree_path("x/train/data/007_mask.png"));
	eyecandy("x/train/data/008", GOOD, RANGE);
	unlink(tree_path("x/train/data/008_metadata.yaml"));
	eyecandy("x/train/data/009", GOOD, RANGE);
	unlink(tree_path("x/train/data/009_normals.png"));
	eyecandy("x/train/data/010", GOOD, RANGE);
	unlink(tree_path("x/train/data/010_info_depth.yaml"));
	tree_link("x/train/data/010_info_depth.yaml", "nowhere.yaml");
	eyecandy("x/train/data/011", GOOD, RANGE);
	tree_must(truncate(tree_path("x/train/data/011_metadata.yaml"), 1 << 20) ==
	              0,
	          "truncate");
	tree_text("x/val/notes", "");

	o.aux = MMRD_DATASET_AUX_BOTH;
	set = open_set("x", &o);
	check_counts("x", set, 1, 12);
	check_problem(set, "001_metadata.yaml", "line 1");
	check_problem(set, "002_metadata.yaml", "contradicts");
	check_problem(set, "003_metadata.yaml", "\"anomalous_bumps\" is missing");
	check_problem(set, "004_info_depth.yaml", "min\" is missing");
	check_problem(set, "005_info_depth.yaml", "from 2 to 1 metres");
	check_problem(set, "006_info_depth.yaml", "impossible");
	check_problem(set, "007_image_4.png", "007_mask.png is missing");
	check_problem(set, "008_image_4.png", "008_metadata.yaml is missing");
	check_problem(set, "009_image_4.png", "009_normals.png is missing");
	check_problem(set, "010_info_depth.yaml", "cannot be opened");
	check_problem(set, "011_metadata.yaml", "too large");
	check_problem(set, "val/data", "cannot be opened");
	mmrd_dataset_free(set);

	/* Without depth, its files are not needed. */
	o.aux = MMRD_DATASET_AUX_DEFAULT;
	set = open_set("x", &o);
	check_counts("x normals", set, 5, 8);
	mmrd_dataset_free(set);
}

static void
own_folder(void)
{
	static const expected deep = {
	    "f/test/scratch/lot1/7",
	    "f",
	    "test",
	    "scratch",
	    MMRD_SCAN_DEFECTIVE,
	    {"rgb/7.png", "depth/7.tiff", NULL, "mask/7.png"}};
	static const expected flat = {
	    "f/good/8",     "f",
	    NULL,           "good",
	    MMRD_SCAN_GOOD, {"8_rgb.jpg", "8_aux.png", NULL, NULL}};
	static const char *const name[] = {"line 3", "line 4"};
	mmrd_dataset_options o = options_for(MMRD_DATASET_FOLDER);
	mmrd_dataset *set;

	tree_text("f/test/scratch/lot1/rgb/7.png", "");
	tree_text("f/test/scratch/lot1/depth/7.tiff", "");
	tree_text("f/test/scratch/lot1/mask/7.png", "");
	tree_text("f/good/8_rgb.jpg", "");
	tree_text("f/good/8_aux.png", "");
	tree_text("f/notes.txt", "");
	tree_text("f/.hidden/9.png", "");
	set = open_set("f", &o);
	check_counts("f", set, 2, 0);
	check_scan(set, &deep);
	check_scan(set, &flat);
	mmrd_dataset_free(set);

	o.categories = name;
	o.n_categories = 1;
	set = open_set("f/", &o);
	CHECK(find(set, "line 3/good/8") != NULL, "named");
	mmrd_dataset_free(set);
	o.n_categories = 2;
	refuses("f", &o, MMRD_INVALID_ARGUMENT, "one category, not 2");
	o.n_categories = 0;

	tree_text("f/good/10.png", "");       /* no aux */
	tree_text("f/good/11_depth.png", ""); /* no rgb */
	tree_text("f/good/8.depth.png", "");  /* an aux too many */
	set = open_set("f", &o);
	check_counts("f, incomplete", set, 1, 3);
	check_problem(set, "good/10.png", "good/10 has no aux");
	check_problem(set, "good/11_depth.png", "has no picture");
	check_problem(set, "good/8_aux.png", "another such file");
	mmrd_dataset_free(set);

	o.aux = MMRD_DATASET_AUX_NONE;
	set = open_set("f", &o);
	CHECK(find(set, "f/good/10") != NULL && !set->has[MMRD_SCAN_AUX],
	      "without aux");
	mmrd_dataset_free(set);
	o.aux = MMRD_DATASET_AUX_DEFAULT;

	tree_text("g/1.png", "");
	tree_text("g/2.png", "");
	set = open_set("g", &o);
	check_counts("rgb alone", set, 2, 0);
	CHECK(!set->has[MMRD_SCAN_AUX], "rgb alone");
	mmrd_dataset_free(set);
	tree_text("g/2_aux2.png", "");
	set = open_set("g", &o);
	check_counts("aux2 without aux", set, 0, 2);
	mmrd_dataset_free(set);
}

/* Links: followed, but not in circles, and not without end. */
static void
loops(void)
{
	mmrd_dataset_options o = options_for(MMRD_DATASET_FOLDER);
	char deep[400] = "l/deep";
	mmrd_dataset *set;

	tree_text("l/a/1.png", "");
	tree_link("l/a/up", "..");
	tree_link("l/a/self", ".");
	tree_link("l/a/out", "../..");
	tree_link("l/a/root", "/");
	tree_link("l/b", "a"); /* the same folder twice is no circle */
	tree_link("l/c.png", "nowhere");
	set = open_set("l", &o);
	CHECK(find(set, "l/a/1") != NULL && find(set, "l/b/1") != NULL, "links");
	check_problem(set, "a/up", "a link back");
	check_problem(set, "a/self", "a link back");
	check_problem(set, "b/up", "a link back");
	check_problem(set, "a/out", "a link back");
	check_problem(set, "a/root", "a link back");
	check_counts("l", set, 3, 8); /* c: found when it is read */
	mmrd_dataset_free(set);

	for (int i = 0; i < 40; i++)
		strcat(deep, "/d");
	strcat(deep, "/2.png");
	tree_text(deep, "");
	set = open_set("l", &o);
	CHECK(find(set, "l/a/1") != NULL, "beside what is too deep");
	check_counts("too deep", set, 3, 9);
	mmrd_dataset_free(set);

	/* m has a file, two folders; m/bolt alone more than that. */
	o.max_entries = 3;
	refuses("l", &o, MMRD_LIMIT_EXCEEDED, "too many files");
	o.format = MMRD_DATASET_MVTEC3D;
	refuses("m", &o, MMRD_LIMIT_EXCEEDED, "too many files");
}

static bool
always(void *unused)
{
	(void) unused;
	return true;
}

static void
names(void)
{
	const mmrd_stop stop = {always, NULL};
	mmrd_dataset_options o = options_for(MMRD_DATASET_FOLDER);
	mmrd_dataset_format format;
	mmrd_dataset_aux aux;

	CHECK(mmrd_dataset_format_parse("eyecandies", &format) &&
	          format == MMRD_DATASET_EYECANDIES,
	      "eyecandies");
	CHECK(!mmrd_dataset_format_parse("Folder", &format), "Folder");
	CHECK(mmrd_dataset_aux_parse("both", &aux) && aux == MMRD_DATASET_AUX_BOTH,
	      "both");
	CHECK(!mmrd_dataset_aux_parse("", &aux), "empty");
	o.stop = &stop;
	refuses("m", &o, MMRD_CANCELLED, "cancelled");
	mmrd_dataset_free(NULL);
}

int
main(void)
{
	tree_begin();
	make_mvtec3d();
	mvtec3d();
	broken_mvtec3d();
	eyecandies();
	broken_eyecandies();
	own_folder();
	loops();
	names();
	tree_end();
	return check_result();
}
