/*
 * loader/dataset/folder_list.h
 *	  What is in one folder, sorted.
 */
#ifndef MMRD_FOLDER_LIST_H
#define MMRD_FOLDER_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "model/base/status.h"
#include "model/base/threads.h"

typedef struct mmrd_folder_entry
{
	char *name;
	bool is_folder; /* or a symbolic link to one; else anything */
} mmrd_folder_entry;

typedef struct mmrd_folder
{
	size_t n;
	mmrd_folder_entry *entries; /* by strcmp() of the name */
} mmrd_folder;

/*
 * List a folder and close it.  Names that begin with a dot are left out.
 *
 * budget	in and out: how many entries may still be looked at, those left
 *			out included
 * stop		asked now and then; may be NULL
 * out		the caller releases it with mmrd_folder_clear(); all zero on
 *			failure
 *
 * Returns MMRD_IO_ERROR, MMRD_LIMIT_EXCEEDED, MMRD_NO_MEMORY,
 * MMRD_CANCELLED.
 */
mmrd_status mmrd_folder_read(const char *path, size_t *budget,
                             const mmrd_stop *stop, mmrd_folder *out,
                             mmrd_error *err);

/* Release it; leaves all zero.  Accepts all zero. */
void mmrd_folder_clear(mmrd_folder *folder);

/* The entry of that name, or NULL. */
const mmrd_folder_entry *mmrd_folder_find(const mmrd_folder *folder,
                                          const char *name);

/* "folder/name", malloc'd, or NULL when there is no memory. */
char *mmrd_path_join(const char *folder, const char *name);

#endif /* MMRD_FOLDER_LIST_H */
