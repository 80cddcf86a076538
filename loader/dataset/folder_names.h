/*
 * loader/dataset/folder_names.h
 *	  What the names in a folder of one's own say about a file.
 */
#ifndef MMRD_FOLDER_NAMES_H
#define MMRD_FOLDER_NAMES_H

#include <stdbool.h>

#include "loader/dataset/dataset.h"

/* Does the name end like one of a picture: .png, .tif, .tiff, .jpg, .jpeg? */
bool mmrd_name_is_picture(const char *name);

/*
 * Which part of which scan a file is, by its path below the set's folder.
 *
 * path		"lot1/rgb/0001.png"; cut into pieces and rewritten: what is left of
 *			it is the scan, "lot1/0001"
 * role		out: of the folder or ending that tells it; else MMRD_SCAN_RGB
 */
void mmrd_name_scan(char *path, mmrd_scan_role *role);

/*
 * What the folders that a scan is in say about it.
 *
 * scan		"test/scratch/0001", as left by mmrd_name_scan()
 * split	out: where its split's name begins in scan, or NULL; it ends at the
 *			next slash
 * defect	out: the same for the folder that tells what is wrong, or NULL
 * label	out
 */
void mmrd_name_label(const char *scan, const char **split, const char **defect,
                     mmrd_scan_label *label);

#endif /* MMRD_FOLDER_NAMES_H */
