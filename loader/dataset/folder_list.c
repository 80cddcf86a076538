/*
 * loader/dataset/folder_list.c
 *	  What is in one folder, sorted.
 *
 * A folder is read to its end and closed before anybody looks at it, so a
 * walk holds one file descriptor however deep it is, and the order does not
 * depend on the file system.
 */
#include "loader/dataset/folder_list.h"

#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "loader/bytes/file_bytes.h"

enum
{
	ASK_EVERY = 256 /* entries between two questions to the stop hook */
};

char *
mmrd_path_join(const char *folder, const char *name)
{
	const size_t n = strlen(folder);
	const char *slash = n > 0 && folder[n - 1] == '/' ? "" : "/";
	const size_t room = n + strlen(name) + 2;
	char *path = malloc(room);

	if (path != NULL)
		snprintf(path, room, "%s%s%s", folder, slash, name);
	return path;
}

/* Links are followed: sets are often put together from them. */
static mmrd_status
examine(const char *path, const struct dirent *entry, bool *is_folder,
        mmrd_error *err)
{
	struct stat st;
	char *full;

	*is_folder = entry->d_type == DT_DIR;
	if (entry->d_type != DT_LNK && entry->d_type != DT_UNKNOWN)
		return MMRD_OK;
	full = mmrd_path_join(path, entry->d_name);
	if (full == NULL)
		return mmrd_fail_memory(err, (double) strlen(path));
	*is_folder = stat(full, &st) == 0 && S_ISDIR(st.st_mode);
	free(full);
	return MMRD_OK;
}

static mmrd_status
append(mmrd_folder *out, size_t *room, const char *name, bool is_folder,
       mmrd_error *err)
{
	mmrd_folder_entry *grown = out->entries;

	if (out->n == *room)
	{
		*room = *room < 32 ? 32 : *room * 2;
		grown = *room > SIZE_MAX / sizeof(*grown)
		            ? NULL
		            : realloc(out->entries, *room * sizeof(*grown));
		if (grown == NULL)
			return mmrd_fail_memory(err, (double) *room * sizeof(*grown));
		out->entries = grown;
	}
	grown[out->n].name = strdup(name);
	grown[out->n].is_folder = is_folder;
	if (grown[out->n].name == NULL)
		return mmrd_fail_memory(err, (double) strlen(name));
	out->n++;
	return MMRD_OK;
}

static mmrd_status
take_entries(DIR *dir, const char *path, size_t *budget, const mmrd_stop *stop,
             mmrd_folder *out, mmrd_error *err)
{
	size_t room = 0;

	for (size_t seen = 0;; seen++)
	{
		const struct dirent *entry;
		bool is_folder;

		if (seen % ASK_EVERY == 0 && stop != NULL && stop->asked != NULL &&
		    stop->asked(stop->context))
			return mmrd_fail(err, MMRD_CANCELLED, "cancelled");
		errno = 0;
		entry = readdir(dir);
		if (entry == NULL && errno != 0)
			return mmrd_fail_errno(err, errno, "folder cannot be read");
		if (entry == NULL)
			return MMRD_OK;
		if (*budget == 0)
			return mmrd_fail(err, MMRD_LIMIT_EXCEEDED,
			                 "the data set has too many files");
		--*budget;
		if (entry->d_name[0] == '.')
			continue;
		MMRD_TRY(examine(path, entry, &is_folder, err));
		MMRD_TRY(append(out, &room, entry->d_name, is_folder, err));
	}
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(((const mmrd_folder_entry *) a)->name,
	              ((const mmrd_folder_entry *) b)->name);
}

mmrd_status
mmrd_folder_read(const char *path, size_t *budget, const mmrd_stop *stop,
                 mmrd_folder *out, mmrd_error *err)
{
	DIR *dir;
	mmrd_status st;

	memset(out, 0, sizeof(*out));
	dir = opendir(path);
	if (dir == NULL)
		return mmrd_fail_errno(err, errno, "folder cannot be opened");
	st = take_entries(dir, path, budget, stop, out, err);
	closedir(dir);
	if (st != MMRD_OK)
	{
		mmrd_folder_clear(out);
		return st;
	}
	if (out->n > 1)
		qsort(out->entries, out->n, sizeof(*out->entries), by_name);
	return MMRD_OK;
}

void
mmrd_folder_clear(mmrd_folder *folder)
{
	for (size_t i = 0; i < folder->n; i++)
		free(folder->entries[i].name);
	free(folder->entries);
	memset(folder, 0, sizeof(*folder));
}

const mmrd_folder_entry *
mmrd_folder_find(const mmrd_folder *folder, const char *name)
{
	for (size_t i = 0; i < folder->n; i++)
		if (strcmp(folder->entries[i].name, name) == 0)
			return &folder->entries[i];
	return NULL;
}
