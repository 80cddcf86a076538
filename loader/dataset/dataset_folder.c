/*
 * loader/dataset/dataset_folder.c
 *	  A folder of one's own, in any of the usual layouts.
 *
 * Folders are walked to any depth.  What a picture is follows from names, see
 * folder_names.c:
 *
 *	  lot1/rgb/0001.png				lot1/0001_rgb.png
 *	  lot1/depth/0001.tiff			lot1/0001_depth.tiff
 *
 * Folders named train, validation (val) and test are splits; what follows one
 * of them, or is called good or bad, tells the defect.  Other files are not
 * looked at.  Where one scan has an aux, every scan needs one: a model has
 * the same inputs for all.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "loader/dataset/dataset_build.h"
#include "loader/dataset/folder_names.h"

enum
{
	MAX_DEPTH = 32, /* folders inside each other */
	MAX_ABOVE = 64  /* and those that the set itself is in */
};

/* A folder, whatever path leads there. */
typedef struct place
{
	dev_t device;
	ino_t inode;
} place;

typedef struct walk
{
	mmrd_dataset_builder *b;
	mmrd_claims claims;
	size_t root_bytes; /* of the path that all paths begin with */

	/* The folders we are in, to notice a link back to one. */
	place inside[MAX_ABOVE + MAX_DEPTH];
	int n_above; /* the first of them: above the set's own folder */
	int n_inside;
} walk;

static bool
same_place(const place *a, const place *b)
{
	return a->device == b->device && a->inode == b->inode;
}

/* Note the folders above the set's: a link to one would lead everywhere. */
static mmrd_status
note_above(walk *w, const char *path, mmrd_error *err)
{
	const size_t room = strlen(path) + 3 * (MAX_ABOVE + 1) + 1;
	char *up = malloc(room);
	size_t n = strlen(path);
	struct stat st;

	if (up == NULL)
		return mmrd_fail_memory(err, (double) room);
	memcpy(up, path, n + 1);
	while (w->n_above < MAX_ABOVE)
	{
		place here;

		memcpy(up + n, "/..", 4);
		n += 3;
		if (stat(up, &st) != 0)
			break;
		here = (place){st.st_dev, st.st_ino};
		if (w->n_above > 0 && same_place(&here, &w->inside[w->n_above - 1]))
			break; /* above the root is the root */
		w->inside[w->n_above++] = here;
	}
	w->n_inside = w->n_above;
	free(up);
	return MMRD_OK;
}

/* Enter a folder: false, and a problem noted, where that must not be. */
static mmrd_status
enter(walk *w, const char *path, bool *entered, mmrd_error *err)
{
	struct stat st;
	place here;

	*entered = false;
	if (w->n_inside - w->n_above == MAX_DEPTH)
		return mmrd_dataset_problem(w->b, path, err,
		                            "more than %d folders inside each other",
		                            MAX_DEPTH);
	if (stat(path, &st) != 0)
		return mmrd_dataset_problem(w->b, path, err,
		                            "folder cannot be examined");
	here = (place){st.st_dev, st.st_ino};
	for (int i = 0; i < w->n_inside; i++)
		if (same_place(&here, &w->inside[i]))
			return mmrd_dataset_problem(
			    w->b, path, err, "a link back to a folder that it lies in");
	w->inside[w->n_inside++] = here;
	*entered = true;
	return MMRD_OK;
}

static mmrd_status
claim_file(walk *w, char *path, mmrd_error *err)
{
	char *below = strdup(path + w->root_bytes + 1);
	mmrd_scan_role role;
	mmrd_status st;

	if (below == NULL)
	{
		free(path);
		return mmrd_fail_memory(err, 0);
	}
	mmrd_name_scan(below, &role);
	st = mmrd_claims_add(&w->claims, below, (int) role, path, err);
	free(below);
	return st;
}

static mmrd_status
walk_folder(walk *w, const char *path, mmrd_error *err)
{
	mmrd_folder folder = {0};
	bool entered;
	mmrd_status st = enter(w, path, &entered, err);

	if (st != MMRD_OK || !entered)
		return st;
	st = mmrd_dataset_list_if_possible(w->b, path, &folder, err);
	for (size_t i = 0; st == MMRD_OK && i < folder.n; i++)
	{
		const mmrd_folder_entry *e = &folder.entries[i];
		char *inside;

		if (!e->is_folder && !mmrd_name_is_picture(e->name))
			continue;
		inside = mmrd_path_join(path, e->name);
		if (inside == NULL)
			st = mmrd_fail_memory(err, 0);
		else if (!e->is_folder)
			st = claim_file(w, inside, err);
		else
		{
			st = walk_folder(w, inside, err);
			free(inside);
		}
	}
	mmrd_folder_clear(&folder);
	w->n_inside--;
	return st;
}

/* A copy of the folder's name that begins at piece; NULL stays NULL. */
static char *
copy_piece(const char *piece, bool *failed)
{
	char *copy = piece != NULL ? strndup(piece, strcspn(piece, "/")) : NULL;

	*failed |= piece != NULL && copy == NULL;
	return copy;
}

static mmrd_status
add_scan(walk *w, const char *category, const mmrd_claimed *c, mmrd_error *err)
{
	const char *split;
	const char *defect;
	bool failed = false;
	mmrd_scan scan = {.category = (char *) category};
	mmrd_status st;

	mmrd_name_label(c->scan, &split, &defect, &scan.label);
	scan.split = copy_piece(split, &failed);
	scan.defect = scan.label == MMRD_SCAN_GOOD ? strdup("good")
	                                           : copy_piece(defect, &failed);
	scan.id = mmrd_text_print("%s/%s", category, c->scan);
	for (int r = 0; r < MMRD_SCAN_ROLES; r++)
		if (w->b->set->has[r])
			scan.path[r] = (char *) c->path[r];
	failed |= scan.id == NULL;
	failed |= scan.label == MMRD_SCAN_GOOD && scan.defect == NULL;
	st =
	    failed ? mmrd_fail_memory(err, 0) : mmrd_dataset_add(w->b, &scan, err);
	free(scan.split);
	free(scan.defect);
	free(scan.id);
	return st;
}

static mmrd_status
take_scan(walk *w, const char *category, const mmrd_claimed *c,
          mmrd_error *err)
{
	static const char *const names[] = {"picture (rgb)", "aux", "aux2"};

	if (c->twice != NULL)
		return mmrd_dataset_problem(w->b, c->twice, err,
		                            "there is another such file for scan %s",
		                            c->scan);
	for (int r = MMRD_SCAN_RGB; r <= MMRD_SCAN_AUX2; r++)
		if (w->b->set->has[r] && c->path[r] == NULL)
			return mmrd_dataset_problem(w->b, c->first, err,
			                            "its scan %s has no %s", c->scan,
			                            names[r]);
	return add_scan(w, category, c, err);
}

/* Which files scans of this set have: those that any of them has. */
static void
decide_roles(walk *w)
{
	mmrd_dataset *set = w->b->set;
	const bool aux = set->options.aux != MMRD_DATASET_AUX_NONE;

	set->has[MMRD_SCAN_RGB] = true;
	for (size_t i = 0; i < w->claims.n; i++)
	{
		const int part = w->claims.items[i].part;

		if (aux || part == MMRD_SCAN_RGB || part == MMRD_SCAN_MASK)
			set->has[part] = true;
	}
	/* There is no aux2 without an aux. */
	set->has[MMRD_SCAN_AUX] |= set->has[MMRD_SCAN_AUX2];
}

mmrd_status
mmrd_folder_walk(mmrd_dataset_builder *b, const char *path,
                 const char *category, mmrd_error *err)
{
	walk w = {.b = b, .root_bytes = strlen(path)};
	mmrd_claimed claimed;
	size_t at = 0;
	mmrd_status st;

	b->set->kind[MMRD_SCAN_AUX] = MMRD_SCAN_ANY_MAP;
	b->set->kind[MMRD_SCAN_AUX2] = MMRD_SCAN_ANY_MAP;
	if (w.root_bytes > 0 && path[w.root_bytes - 1] == '/')
		w.root_bytes--;
	st = note_above(&w, path, err);
	if (st == MMRD_OK)
		st = walk_folder(&w, path, err);
	mmrd_claims_sort(&w.claims);
	decide_roles(&w);
	while (st == MMRD_OK && mmrd_claims_next(&w.claims, &at, &claimed))
		st = take_scan(&w, category, &claimed, err);
	mmrd_claims_clear(&w.claims);
	return st;
}
