/*
 * tests/unit/tree.h
 *	  Folders of files for one test, in a folder of their own that goes away
 *	  with tree_end().
 */
#ifndef MMRD_TREE_H
#define MMRD_TREE_H

#include <errno.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include "loader/image/png.h"
#include "loader/image/tiff_write.h"

static char tree_root[] = "/tmp/mmrd-tree.XXXXXX";

/* A test without its files has nothing to say: no way to go on. */
static inline void
tree_must(int ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(1);
}

static inline void
tree_begin(void)
{
	tree_must(mkdtemp(tree_root) != NULL, tree_root);
}

static inline void
tree_end(void)
{
	char *const roots[] = {tree_root, NULL};
	FTS *walk = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	const FTSENT *entry;

	while (walk != NULL && (entry = fts_read(walk)) != NULL)
		if (entry->fts_info != FTS_D) /* a folder once it is empty */
			remove(entry->fts_accpath);
	if (walk != NULL)
		fts_close(walk);
}

/* The path of a name in the tree; one of four buffers, in turn. */
static inline const char *
tree_path(const char *name)
{
	static char paths[4][4096];
	static int turn;
	char *path = paths[turn++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/%s", tree_root, name);
	return path;
}

/* All folders on the way to a name, but not the last part of it. */
static inline void
tree_folders(const char *name)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s", tree_root, name);
	for (char *slash = path + strlen(tree_root) + 1;
	     (slash = strchr(slash, '/')) != NULL; slash++)
	{
		*slash = '\0';
		tree_must(mkdir(path, 0755) == 0 || errno == EEXIST, path);
		*slash = '/';
	}
}

static inline void
tree_write(const char *name, const void *bytes, size_t n)
{
	FILE *file;

	tree_folders(name);
	file = fopen(tree_path(name), "wb");
	tree_must(file != NULL && fwrite(bytes, 1, n, file) == n &&
	              fclose(file) == 0,
	          name);
}

static inline void
tree_text(const char *name, const char *text)
{
	tree_write(name, text, strlen(text));
}

/* A symbolic link to a path, relative to the link. */
static inline void
tree_link(const char *name, const char *target)
{
	tree_folders(name);
	tree_must(symlink(target, tree_path(name)) == 0, name);
}

/* A picture of 4 x 3 pixels: value at each fifth sample, else 0. */
static inline void
tree_raster(const char *name, mmrd_sample sample, int channels, unsigned value)
{
	float data[4 * 3 * 3];
	mmrd_raster image = {sample, channels, 3, 4, data};
	mmrd_error err = {0};
	uint8_t *bytes = NULL;
	size_t n = 0;

	for (int i = 0; i < 4 * 3 * channels; i++)
	{
		const unsigned v = i % 5 == 0 ? value : 0;

		if (sample == MMRD_SAMPLE_F32)
			data[i] = (float) v;
		else if (sample == MMRD_SAMPLE_U16)
			((uint16_t *) (void *) data)[i] = (uint16_t) v;
		else
			((uint8_t *) (void *) data)[i] = (uint8_t) v;
	}
	if (sample == MMRD_SAMPLE_F32)
		mmrd_tiff_encode(&image, 6, &bytes, &n, &err);
	else
		mmrd_png_encode(&image, 6, &bytes, &n, &err);
	tree_must(bytes != NULL, err.message);
	tree_write(name, bytes, n);
	free(bytes);
}

static inline void
tree_picture(const char *name)
{
	tree_raster(name, MMRD_SAMPLE_U8, 3, 200);
}

#endif /* MMRD_TREE_H */
