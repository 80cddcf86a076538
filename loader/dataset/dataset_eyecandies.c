/*
 * loader/dataset/dataset_eyecandies.c
 *	  The layout of Eyecandies (Bonfiglioli et al., ACCV 2022).
 *
 *	  CATEGORY/train/data/000_image_0.png ... 000_image_5.png	six lights
 *							  000_normals.png
 *							  000_depth.png			16 bits
 *							  000_info_depth.yaml	metres of 0 and 65535
 *							  000_mask.png, 000_bumps_mask.png, ...
 *							  000_metadata.yaml		what is wrong with it
 *			  /val/data/..., /test_public/data/..., /test_private/data/...
 *
 * A scan is what begins with the same number.  The private test scans are
 * published without what is known of them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loader/bytes/file_bytes.h"
#include "loader/dataset/dataset_build.h"
#include "loader/dataset/yaml_scalars.h"

enum
{
	PART_RGB,
	PART_NORMALS,
	PART_DEPTH,
	PART_INFO_DEPTH,
	PART_MASK,
	PART_METADATA,
	N_PARTS,
	MAX_YAML_BYTES = 64 << 10
};

/* Of the picture, the number of the light is put in between. */
static const char *const part_ending[N_PARTS] = {
    "_image_",          "_normals.png", "_depth.png",
    "_info_depth.yaml", "_mask.png",    "_metadata.yaml"};

static const char *const splits[] = {"train", "val", "test_public",
                                     "test_private"};
static const char *const defects[] = {"bumps", "dents", "colors", "normals"};

enum
{
	N_SPLITS = sizeof(splits) / sizeof(splits[0]),
	N_DEFECTS = sizeof(defects) / sizeof(defects[0])
};

bool
mmrd_eyecandies_is_category(const mmrd_folder *folder)
{
	for (int s = 0; s < N_SPLITS; s++)
	{
		const mmrd_folder_entry *e = mmrd_folder_find(folder, splits[s]);

		if (e != NULL && e->is_folder)
			return true;
	}
	return false;
}

/* The part that a file name ends with after its number, or -1. */
static int
part_of(const char *ending, int light)
{
	char rgb[32];

	snprintf(rgb, sizeof(rgb), "%s%d.png", part_ending[PART_RGB], light);
	for (int p = 0; p < N_PARTS; p++)
		if (strcmp(ending, p == PART_RGB ? rgb : part_ending[p]) == 0)
			return p;
	return -1;
}

static mmrd_status
claim_file(mmrd_dataset_builder *b, const char *path, char *name,
           mmrd_claims *claims, mmrd_error *err)
{
	char *ending = name + strspn(name, "0123456789");
	const int part =
	    ending > name ? part_of(ending, b->set->options.light) : -1;
	char *file;

	if (part < 0)
		return MMRD_OK;
	file = mmrd_path_join(path, name);
	*ending = '\0';
	return mmrd_claims_add(claims, name, part, file, err);
}

static mmrd_status
read_numbers(mmrd_dataset_builder *b, const char *path, int n,
             const char *const (*keys)[2], double *values, mmrd_error *err)
{
	uint8_t *text;
	size_t len;
	mmrd_status st = mmrd_file_read(path, MAX_YAML_BYTES, b->set->options.stop,
	                                &text, &len, err);

	for (int i = 0; st == MMRD_OK && i < n; i++)
		st = mmrd_yaml_number((const char *) text, len, keys[i][0], keys[i][1],
		                      &values[i], err);
	free(text);
	return st;
}

/* The metres that the ends of the depth's range stand for. */
static mmrd_status
read_range(mmrd_dataset_builder *b, const char *path, mmrd_scan *scan,
           mmrd_error *err)
{
	static const char *const keys[2][2] = {{"normalization", "min"},
	                                       {"normalization", "max"}};
	double range[2] = {0};

	MMRD_TRY(read_numbers(b, path, 2, keys, range, err));
	if (!(range[0] <= range[1] && range[0] > -1e6 && range[1] < 1e6))
	{
		mmrd_fail(err, MMRD_CORRUPT_DATA, "the range of depths is impossible");
		return mmrd_detail(err, "It goes from %g to %g metres.", range[0],
		                   range[1]);
	}
	scan->depth_lo = range[0];
	scan->depth_hi = range[1];
	return MMRD_OK;
}

/* Label and defect; text has room for the names of all defects. */
static mmrd_status
read_metadata(mmrd_dataset_builder *b, const char *path, mmrd_scan *scan,
              char *text, size_t text_bytes, mmrd_error *err)
{
	static const char *const keys[1 + N_DEFECTS][2] = {
	    {NULL, "anomalous"},
	    {NULL, "anomalous_bumps"},
	    {NULL, "anomalous_dents"},
	    {NULL, "anomalous_colors"},
	    {NULL, "anomalous_normals"}};
	double flags[1 + N_DEFECTS] = {0};
	size_t n = 0;

	MMRD_TRY(read_numbers(b, path, 1 + N_DEFECTS, keys, flags, err));
	text[0] = '\0';
	for (int d = 0; d < N_DEFECTS; d++)
		if (flags[1 + d] != 0)
			n += (size_t) snprintf(text + n, text_bytes - n, "%s%s",
			                       n > 0 ? "+" : "", defects[d]);
	if ((flags[0] != 0) != (n > 0))
		return mmrd_fail(err, MMRD_CORRUPT_DATA,
		                 "\"anomalous\" contradicts the kinds of defects");
	scan->label = n > 0 ? MMRD_SCAN_DEFECTIVE : MMRD_SCAN_GOOD;
	if (n == 0)
		snprintf(text, text_bytes, "good");
	scan->defect = text;
	return MMRD_OK;
}

/* The part that is missing, or -1. */
static int
missing_part(const mmrd_claimed *c, mmrd_dataset_aux aux, bool is_private)
{
	const bool normals = aux == MMRD_DATASET_AUX_DEFAULT ||
	                     aux == MMRD_DATASET_AUX_NORMALS ||
	                     aux == MMRD_DATASET_AUX_BOTH;
	const bool depth =
	    aux == MMRD_DATASET_AUX_DEPTH || aux == MMRD_DATASET_AUX_BOTH;
	const bool needed[N_PARTS] = {[PART_RGB] = true,
	                              [PART_NORMALS] = normals,
	                              [PART_DEPTH] = depth,
	                              [PART_INFO_DEPTH] = depth,
	                              [PART_METADATA] = !is_private};

	for (int p = 0; p < N_PARTS; p++)
		if (needed[p] && c->path[p] == NULL)
			return p;
	return -1;
}

/* Files to columns. */
static void
place(const mmrd_claimed *c, mmrd_dataset_aux aux, mmrd_scan *scan)
{
	char *normals = (char *) c->path[PART_NORMALS];
	char *depth = (char *) c->path[PART_DEPTH];

	scan->path[MMRD_SCAN_RGB] = (char *) c->path[PART_RGB];
	scan->path[MMRD_SCAN_AUX] = aux == MMRD_DATASET_AUX_NONE    ? NULL
	                            : aux == MMRD_DATASET_AUX_DEPTH ? depth
	                                                            : normals;
	scan->path[MMRD_SCAN_AUX2] = aux == MMRD_DATASET_AUX_BOTH ? depth : NULL;
	if (scan->label == MMRD_SCAN_DEFECTIVE)
		scan->path[MMRD_SCAN_MASK] = (char *) c->path[PART_MASK];
}

static mmrd_status
take_scan(mmrd_dataset_builder *b, const char *category, const char *split,
          const mmrd_claimed *c, mmrd_error *err)
{
	const mmrd_dataset_aux aux = b->set->options.aux;
	const bool is_private = strcmp(split, "test_private") == 0;
	const int missing = missing_part(c, aux, is_private);
	char defect[64];
	mmrd_scan scan = {.category = (char *) category,
	                  .split = (char *) split,
	                  .label = MMRD_SCAN_UNKNOWN};
	mmrd_status st;

	if (missing == PART_RGB)
		return mmrd_dataset_problem(b, c->first, err, "%s%s%d.png is missing",
		                            c->scan, part_ending[PART_RGB],
		                            b->set->options.light);
	if (missing >= 0)
		return mmrd_dataset_problem(b, c->first, err, "%s%s is missing",
		                            c->scan, part_ending[missing]);
	if (c->path[PART_METADATA] != NULL &&
	    read_metadata(b, c->path[PART_METADATA], &scan, defect, sizeof(defect),
	                  err) != MMRD_OK)
		return mmrd_dataset_tolerate(b, c->path[PART_METADATA], err);
	if ((aux == MMRD_DATASET_AUX_DEPTH || aux == MMRD_DATASET_AUX_BOTH) &&
	    read_range(b, c->path[PART_INFO_DEPTH], &scan, err) != MMRD_OK)
		return mmrd_dataset_tolerate(b, c->path[PART_INFO_DEPTH], err);
	if (scan.label == MMRD_SCAN_DEFECTIVE && c->path[PART_MASK] == NULL)
		return mmrd_dataset_problem(b, c->first, err, "%s%s is missing",
		                            c->scan, part_ending[PART_MASK]);
	place(c, aux, &scan);
	scan.id = mmrd_text_print("%s/%s/%s", category, split, c->scan);
	st = scan.id != NULL ? mmrd_dataset_add(b, &scan, err)
	                     : mmrd_fail_memory(err, 0);
	free(scan.id);
	return st;
}

/* The folder data/ of one split. */
static mmrd_status
walk_data(mmrd_dataset_builder *b, const char *path, const char *category,
          const char *split, mmrd_error *err)
{
	mmrd_claims claims = {0};
	mmrd_claimed claimed;
	mmrd_folder files = {0};
	size_t at = 0;
	mmrd_status st = mmrd_dataset_list_if_possible(b, path, &files, err);

	for (size_t i = 0; st == MMRD_OK && i < files.n; i++)
		st = claim_file(b, path, files.entries[i].name, &claims, err);
	mmrd_claims_sort(&claims);
	while (st == MMRD_OK && mmrd_claims_next(&claims, &at, &claimed))
		st = take_scan(b, category, split, &claimed, err);
	mmrd_claims_clear(&claims);
	mmrd_folder_clear(&files);
	return st;
}

mmrd_status
mmrd_eyecandies_walk(mmrd_dataset_builder *b, const char *path,
                     const char *category, mmrd_error *err)
{
	const bool depth = b->set->options.aux == MMRD_DATASET_AUX_DEPTH;
	mmrd_folder folder;
	mmrd_status st;

	b->set->kind[MMRD_SCAN_AUX] =
	    depth ? MMRD_SCAN_SCALED_DEPTH : MMRD_SCAN_PICTURE;
	b->set->kind[MMRD_SCAN_AUX2] = MMRD_SCAN_SCALED_DEPTH;
	st = mmrd_dataset_list_if_possible(b, path, &folder, err);
	for (int s = 0; st == MMRD_OK && s < N_SPLITS; s++)
	{
		const mmrd_folder_entry *e = mmrd_folder_find(&folder, splits[s]);
		char *data;

		if (e == NULL)
			continue;
		data = mmrd_text_print("%s/%s/data", path, splits[s]);
		st = data == NULL ? mmrd_fail_memory(err, 0)
		                  : walk_data(b, data, category, splits[s], err);
		free(data);
	}
	mmrd_folder_clear(&folder);
	return st;
}
