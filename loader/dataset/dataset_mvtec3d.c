/*
 * loader/dataset/dataset_mvtec3d.c
 *	  The layout of MVTec 3D-AD (Bergmann et al., 2022).
 *
 *	  CATEGORY/train/good/rgb/000.png			a picture
 *							 /xyz/000.tiff		its points, metres
 *			  /validation/good/...
 *			  /test/good/..., /test/bent/..., one folder per kind of defect
 *				   /test/bent/gt/000.png		0 where it is good
 *
 * A scan is what has the same name, suffix apart, in rgb/, xyz/ and gt/.  In
 * gt/, a defect is drawn with the number of its kind (252 to 255 in
 * cable_gland), and good scans have an empty one, which is not needed.
 */
#include <stdlib.h>
#include <string.h>

#include "loader/dataset/dataset_build.h"

enum
{
	PART_RGB,
	PART_XYZ,
	PART_GT,
	N_PARTS
};

static const char *const part_folder[N_PARTS] = {"rgb", "xyz", "gt"};
static const char *const splits[] = {"train", "validation", "test"};

enum
{
	N_SPLITS = sizeof(splits) / sizeof(splits[0])
};

bool
mmrd_mvtec3d_is_category(const mmrd_folder *folder)
{
	for (int s = 0; s < N_SPLITS; s++)
	{
		const mmrd_folder_entry *e = mmrd_folder_find(folder, splits[s]);

		if (e != NULL && e->is_folder)
			return true;
	}
	return false;
}

/* Claim every file of rgb/, xyz/ or gt/ for the scan of its name. */
static mmrd_status
claim_part(mmrd_dataset_builder *b, const char *path, int part,
           mmrd_claims *claims, mmrd_error *err)
{
	char *inside = mmrd_path_join(path, part_folder[part]);
	mmrd_folder files = {0};
	mmrd_status st =
	    inside != NULL ? mmrd_dataset_list_if_possible(b, inside, &files, err)
	                   : mmrd_fail_memory(err, 0);

	for (size_t i = 0; st == MMRD_OK && i < files.n; i++)
	{
		char *file = mmrd_path_join(inside, files.entries[i].name);
		char *name = files.entries[i].name;
		char *dot = strrchr(name, '.');

		if (dot != NULL)
			*dot = '\0';
		st = mmrd_claims_add(claims, name, part, file, err);
	}
	mmrd_folder_clear(&files);
	free(inside);
	return st;
}

/* Why these files are no scan, or NULL. */
static const char *
incomplete(const mmrd_claimed *c, bool aux, bool defective)
{
	if (c->path[PART_RGB] == NULL)
		return "there is no file of that name in rgb";
	if (aux && c->path[PART_XYZ] == NULL)
		return "there is no file of that name in xyz";
	if (defective && c->path[PART_GT] == NULL)
		return "there is no file of that name in gt";
	return NULL;
}

/* One group of claims to a scan or a problem; the rest of scan is filled. */
static mmrd_status
take_scan(mmrd_dataset_builder *b, mmrd_scan *scan, const mmrd_claimed *c,
          mmrd_error *err)
{
	const bool aux = b->set->options.aux != MMRD_DATASET_AUX_NONE;
	const bool defective = scan->label == MMRD_SCAN_DEFECTIVE;
	const char *why = incomplete(c, aux, defective);
	mmrd_status st;

	if (c->twice != NULL)
		return mmrd_dataset_problem(b, c->twice, err,
		                            "there is another file for the same scan");
	if (why != NULL)
		return mmrd_dataset_problem(b, c->first, err, "%s", why);
	scan->path[MMRD_SCAN_RGB] = (char *) c->path[PART_RGB];
	scan->path[MMRD_SCAN_AUX] = aux ? (char *) c->path[PART_XYZ] : NULL;
	scan->path[MMRD_SCAN_MASK] = defective ? (char *) c->path[PART_GT] : NULL;
	scan->id = mmrd_text_print("%s/%s/%s/%s", scan->category, scan->split,
	                           scan->defect, c->scan);
	st = scan->id != NULL ? mmrd_dataset_add(b, scan, err)
	                      : mmrd_fail_memory(err, 0);
	free(scan->id);
	return st;
}

/* One folder that has rgb/, xyz/ and maybe gt/. */
static mmrd_status
walk_defect(mmrd_dataset_builder *b, const char *path, mmrd_scan *scan,
            mmrd_error *err)
{
	mmrd_claims claims = {0};
	mmrd_claimed claimed;
	mmrd_folder parts = {0};
	size_t at = 0;
	mmrd_status st = mmrd_dataset_list_if_possible(b, path, &parts, err);

	for (int p = 0; st == MMRD_OK && p < N_PARTS; p++)
		if (mmrd_folder_find(&parts, part_folder[p]) != NULL)
			st = claim_part(b, path, p, &claims, err);
	if (st == MMRD_OK && parts.n > 0 && claims.n == 0)
		st = mmrd_dataset_problem(b, path, err,
		                          "there are no files in rgb below it");
	mmrd_claims_sort(&claims);
	while (st == MMRD_OK && mmrd_claims_next(&claims, &at, &claimed))
		st = take_scan(b, scan, &claimed, err);
	mmrd_claims_clear(&claims);
	mmrd_folder_clear(&parts);
	return st;
}

static mmrd_status
walk_split(mmrd_dataset_builder *b, const char *path, const char *category,
           const char *split, mmrd_error *err)
{
	mmrd_folder defects = {0};
	mmrd_status st = mmrd_dataset_list_if_possible(b, path, &defects, err);

	for (size_t i = 0; st == MMRD_OK && i < defects.n; i++)
	{
		const mmrd_folder_entry *e = &defects.entries[i];
		char *inside;
		mmrd_scan scan = {.category = (char *) category,
		                  .split = (char *) split,
		                  .defect = e->name,
		                  .label = strcmp(e->name, "good") == 0
		                               ? MMRD_SCAN_GOOD
		                               : MMRD_SCAN_DEFECTIVE};

		if (!e->is_folder)
			continue;
		inside = mmrd_path_join(path, e->name);
		st = inside != NULL ? walk_defect(b, inside, &scan, err)
		                    : mmrd_fail_memory(err, 0);
		free(inside);
	}
	mmrd_folder_clear(&defects);
	return st;
}

mmrd_status
mmrd_mvtec3d_walk(mmrd_dataset_builder *b, const char *path,
                  const char *category, mmrd_error *err)
{
	mmrd_folder folder;
	mmrd_status st;

	b->set->kind[MMRD_SCAN_AUX] = MMRD_SCAN_POINTS;
	st = mmrd_dataset_list_if_possible(b, path, &folder, err);
	for (int s = 0; st == MMRD_OK && s < N_SPLITS; s++)
	{
		const mmrd_folder_entry *e = mmrd_folder_find(&folder, splits[s]);
		char *inside;

		if (e == NULL)
			continue;
		inside = mmrd_path_join(path, splits[s]);
		st = inside == NULL ? mmrd_fail_memory(err, 0)
		     : e->is_folder
		         ? walk_split(b, inside, category, splits[s], err)
		         : mmrd_dataset_problem(b, inside, err, "not a folder");
		free(inside);
	}
	mmrd_folder_clear(&folder);
	return st;
}
