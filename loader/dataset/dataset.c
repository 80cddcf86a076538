/*
 * loader/dataset/dataset.c
 *	  Opening a data set: options, categories, and the walker of the layout.
 */
#include "loader/dataset/dataset.h"

#include <stdlib.h>
#include <string.h>

#include "loader/dataset/dataset_build.h"

enum
{
	MAX_LIGHT = 5,          /* Eyecandies has six, from 0 */
	DEFAULT_LIGHT = 4,      /* the one the literature uses */
	MAX_ENTRIES = 20000000, /* about 2 GB of names */

	/* The most that fits into a bytea: 1 GB less its length word. */
	MAX_FILE_BYTES = (1 << 30) - 8,
	MAX_PIXELS = 64 << 20, /* mmrd.max_pixels, unless somebody sets it */
	PIXEL_BYTES = 12       /* three floats */
};

/* What the three layouts have in common, said once. */
static const struct
{
	const char *name;
	bool (*is_category)(const mmrd_folder *folder); /* NULL: any folder is */
	mmrd_status (*walk)(mmrd_dataset_builder *b, const char *path,
	                    const char *category, mmrd_error *err);
	const char *layout;
} formats[] = {
    [MMRD_DATASET_MVTEC3D] = {"mvtec3d", mmrd_mvtec3d_is_category,
                              mmrd_mvtec3d_walk,
                              "CATEGORY/train/good/rgb and .../xyz"},
    [MMRD_DATASET_EYECANDIES] = {"eyecandies", mmrd_eyecandies_is_category,
                                 mmrd_eyecandies_walk, "CATEGORY/train/data"},
    [MMRD_DATASET_FOLDER] = {"folder", NULL, mmrd_folder_walk,
                             "pictures, at any depth"},
};

static const struct
{
	const char *name;
	mmrd_dataset_aux aux;
	int formats; /* bits: those it goes with */
} aux_choices[] = {
    {"default", MMRD_DATASET_AUX_DEFAULT, 7},
    {"none", MMRD_DATASET_AUX_NONE, 7},
    {"xyz", MMRD_DATASET_AUX_XYZ, 1 << MMRD_DATASET_MVTEC3D},
    {"normals", MMRD_DATASET_AUX_NORMALS, 1 << MMRD_DATASET_EYECANDIES},
    {"depth", MMRD_DATASET_AUX_DEPTH, 1 << MMRD_DATASET_EYECANDIES},
    {"both", MMRD_DATASET_AUX_BOTH, 1 << MMRD_DATASET_EYECANDIES},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

void
mmrd_dataset_options_init(mmrd_dataset_options *options,
                          mmrd_dataset_format format)
{
	memset(options, 0, sizeof(*options));
	options->format = format;
	options->light = DEFAULT_LIGHT;
	options->max_entries = MAX_ENTRIES;
	options->max_file_bytes = MAX_FILE_BYTES;
	options->raster.max_pixels = MAX_PIXELS;
	options->raster.max_bytes = (size_t) MAX_PIXELS * PIXEL_BYTES;
}

bool
mmrd_dataset_format_parse(const char *name, mmrd_dataset_format *format)
{
	for (size_t i = 0; i < COUNT(formats); i++)
		if (strcmp(name, formats[i].name) == 0)
		{
			*format = (mmrd_dataset_format) i;
			return true;
		}
	return false;
}

bool
mmrd_dataset_aux_parse(const char *name, mmrd_dataset_aux *aux)
{
	for (size_t i = 0; i < COUNT(aux_choices); i++)
		if (strcmp(name, aux_choices[i].name) == 0)
		{
			*aux = aux_choices[i].aux;
			return true;
		}
	return false;
}

static mmrd_status
check_options(const mmrd_dataset_options *o, mmrd_error *err)
{
	for (size_t i = 0; i < COUNT(aux_choices); i++)
		if (aux_choices[i].aux == o->aux &&
		    !(aux_choices[i].formats & 1 << o->format))
			return mmrd_fail(err, MMRD_INVALID_ARGUMENT,
			                 "aux \"%s\" does not go with the format %s",
			                 aux_choices[i].name, formats[o->format].name);
	if (o->light < 0 || o->light > MAX_LIGHT)
		return mmrd_fail(err, MMRD_INVALID_ARGUMENT,
		                 "light %d does not exist: there are 0 to %d",
		                 o->light, MAX_LIGHT);
	if (o->format == MMRD_DATASET_FOLDER && o->n_categories > 1)
		return mmrd_fail(err, MMRD_INVALID_ARGUMENT,
		                 "a folder has one category, not %d", o->n_categories);
	return MMRD_OK;
}

/* The last name of a path, links and dots resolved; malloc'd. */
static mmrd_status
name_of(const char *path, char **name, mmrd_error *err)
{
	char *real = realpath(path, NULL);
	const char *slash = real != NULL ? strrchr(real, '/') : NULL;

	*name = strdup(slash == NULL || slash[1] == '\0' ? "scans" : slash + 1);
	free(real);
	return *name != NULL ? MMRD_OK : mmrd_fail_memory(err, 0);
}

static bool
is_wanted(const mmrd_dataset_options *o, const char *category)
{
	for (int i = 0; i < o->n_categories; i++)
		if (strcmp(o->categories[i], category) == 0)
			return true;
	return o->n_categories == 0;
}

/* Walk the wanted ones of a folder's categories; *n_found counts them. */
static mmrd_status
walk_categories(mmrd_dataset_builder *b, const char *path,
                const mmrd_folder *folder, size_t *n_found, mmrd_error *err)
{
	const mmrd_dataset_options *o = &b->set->options;
	mmrd_status st = MMRD_OK;

	*n_found = 0;
	for (size_t i = 0; st == MMRD_OK && i < folder->n; i++)
	{
		const mmrd_folder_entry *e = &folder->entries[i];
		mmrd_folder inside = {0};
		char *sub;

		if (!e->is_folder || !is_wanted(o, e->name))
			continue;
		sub = mmrd_path_join(path, e->name);
		st = sub != NULL ? mmrd_dataset_list_if_possible(b, sub, &inside, err)
		                 : mmrd_fail_memory(err, 0);
		if (st == MMRD_OK && formats[o->format].is_category(&inside))
		{
			++*n_found;
			st = formats[o->format].walk(b, sub, e->name, err);
		}
		else if (st == MMRD_OK && o->n_categories > 0 && inside.n > 0)
			st = mmrd_dataset_problem(b, sub, err,
			                          "it does not have the layout of %s",
			                          formats[o->format].name);
		mmrd_folder_clear(&inside);
		free(sub);
	}
	return st;
}

/* A category that was asked for and is not there, or none at all. */
static mmrd_status
check_found(const mmrd_dataset_options *o, const mmrd_folder *folder,
            const char *itself, mmrd_error *err)
{
	for (int i = 0; i < o->n_categories; i++)
	{
		const mmrd_folder_entry *e =
		    folder != NULL ? mmrd_folder_find(folder, o->categories[i]) : NULL;

		if (e == NULL &&
		    (itself == NULL || strcmp(o->categories[i], itself) != 0))
		{
			mmrd_fail(err, MMRD_INVALID_ARGUMENT,
			          "category \"%s\" is not there", o->categories[i]);
			return itself == NULL
			           ? err->status
			           : mmrd_detail(err, "The folder is that of \"%s\".",
			                         itself);
		}
	}
	return MMRD_OK;
}

static mmrd_status
fail_layout(const mmrd_dataset_options *o, mmrd_error *err)
{
	mmrd_fail(err, MMRD_INVALID_ARGUMENT,
	          "the folder does not have the layout of %s",
	          formats[o->format].name);
	return mmrd_hint(err, "Expected is %s, with or without CATEGORY.",
	                 formats[o->format].layout);
}

static mmrd_status
walk_set(mmrd_dataset_builder *b, const char *path, const mmrd_folder *folder,
         const char *name, mmrd_error *err)
{
	const mmrd_dataset_options *o = &b->set->options;
	size_t n_found;

	if (o->format == MMRD_DATASET_FOLDER)
		return mmrd_folder_walk(
		    b, path, o->n_categories == 1 ? o->categories[0] : name, err);
	if (formats[o->format].is_category(folder))
	{
		MMRD_TRY(check_found(o, NULL, name, err));
		return formats[o->format].walk(b, path, name, err);
	}
	MMRD_TRY(check_found(o, folder, NULL, err));
	MMRD_TRY(walk_categories(b, path, folder, &n_found, err));
	return n_found > 0 ? MMRD_OK : fail_layout(o, err);
}

mmrd_status
mmrd_dataset_open(const char *folder, const mmrd_dataset_options *options,
                  mmrd_dataset **out, mmrd_error *err)
{
	mmrd_dataset_builder b = {.budget = options->max_entries};
	mmrd_folder root = {0};
	char *name = NULL;
	mmrd_status st;

	*out = NULL;
	MMRD_TRY(check_options(options, err));
	b.set = calloc(1, sizeof(*b.set));
	if (b.set == NULL)
		return mmrd_fail_memory(err, sizeof(*b.set));
	b.set->options = *options;
	b.set->kind[MMRD_SCAN_RGB] = MMRD_SCAN_PICTURE;
	b.set->kind[MMRD_SCAN_MASK] = MMRD_SCAN_BINARY;
	st = mmrd_dataset_list(&b, folder, &root, err);
	if (st == MMRD_OK)
		st = name_of(folder, &name, err);
	if (st == MMRD_OK)
		st = walk_set(&b, folder, &root, name, err);
	mmrd_folder_clear(&root);
	free(name);
	b.set->options.n_categories = 0;
	b.set->options.categories = NULL;
	if (st != MMRD_OK)
	{
		mmrd_dataset_free(b.set);
		return st;
	}
	*out = b.set;
	return MMRD_OK;
}

void
mmrd_dataset_free(mmrd_dataset *set)
{
	if (set == NULL)
		return;
	for (size_t i = 0; i < set->n_scans; i++)
	{
		mmrd_scan *scan = &set->scans[i];

		free(scan->id);
		free(scan->category);
		free(scan->split);
		free(scan->defect);
		for (int r = 0; r < MMRD_SCAN_ROLES; r++)
			free(scan->path[r]);
	}
	for (size_t i = 0; i < set->n_problems; i++)
	{
		free(set->problems[i].path);
		free(set->problems[i].message);
	}
	free(set->scans);
	free(set->problems);
	free(set);
}
