/*
 * loader/dataset/dataset.h
 *	  A folder of scans on disk: which files belong together, and what is
 *	  known about each scan.
 *
 *	  mmrd_dataset_options options;
 *	  mmrd_dataset *set;
 *
 *	  mmrd_dataset_options_init(&options, MMRD_DATASET_MVTEC3D);
 *	  MMRD_TRY(mmrd_dataset_open("mvtec_3d_ad", &options, &set, err));
 *	  for (size_t i = 0; i < set->n_scans; i++)
 *		  ... mmrd_scan_read(set, i, ...), in scan_files.h ...
 *	  mmrd_dataset_free(set);
 *
 * Three layouts, each in a file dataset_*.c that describes it.  Opening reads
 * names, and of Eyecandies the small YAML files; pictures are read scan by
 * scan.  A scan that is not complete does not stop the others: it is left out
 * and becomes a problem with its reason.
 */
#ifndef MMRD_DATASET_H
#define MMRD_DATASET_H

#include <stdbool.h>
#include <stddef.h>

#include "model/base/raster.h"
#include "model/base/status.h"
#include "model/base/threads.h"

typedef enum mmrd_dataset_format
{
	MMRD_DATASET_MVTEC3D,
	MMRD_DATASET_EYECANDIES,
	MMRD_DATASET_FOLDER
} mmrd_dataset_format;

/* What becomes aux (and aux2). */
typedef enum mmrd_dataset_aux
{
	MMRD_DATASET_AUX_DEFAULT, /* points; normals; in a folder what is there */
	MMRD_DATASET_AUX_NONE,    /* RGB alone */
	MMRD_DATASET_AUX_XYZ,     /* MVTec 3D-AD */
	MMRD_DATASET_AUX_NORMALS, /* Eyecandies, as the next two */
	MMRD_DATASET_AUX_DEPTH,
	MMRD_DATASET_AUX_BOTH /* aux normals, aux2 depth */
} mmrd_dataset_aux;

typedef struct mmrd_dataset_options
{
	mmrd_dataset_format format;
	mmrd_dataset_aux aux;
	int light; /* Eyecandies: which of the pictures 0 to 5 is rgb */

	/* Which of several to take, none: all.  Of a plain folder: its name. */
	int n_categories;
	const char *const *categories;

	size_t max_entries;        /* files and folders looked at */
	size_t max_file_bytes;     /* of one file */
	mmrd_raster_limits raster; /* of one decoded picture */
	const mmrd_stop *stop;     /* may be NULL */
} mmrd_dataset_options;

typedef enum mmrd_scan_role
{
	MMRD_SCAN_RGB,
	MMRD_SCAN_AUX,
	MMRD_SCAN_AUX2,
	MMRD_SCAN_MASK,
	MMRD_SCAN_ROLES
} mmrd_scan_role;

/* What a file must be, and what becomes of it: see scan_files.h. */
typedef enum mmrd_scan_kind
{
	MMRD_SCAN_PICTURE,
	MMRD_SCAN_POINTS,
	MMRD_SCAN_SCALED_DEPTH,
	MMRD_SCAN_ANY_MAP,
	MMRD_SCAN_BINARY
} mmrd_scan_kind;

typedef enum mmrd_scan_label
{
	MMRD_SCAN_UNKNOWN = -1,
	MMRD_SCAN_GOOD = 0,
	MMRD_SCAN_DEFECTIVE = 1
} mmrd_scan_label;

/* One scan.  Texts are UTF-8 without control characters. */
typedef struct mmrd_scan
{
	char *id;       /* unique in the set: its place, "cable_gland/..." */
	char *category; /* never NULL */
	char *split;    /* as the set calls it ("train"), or NULL: unknown */
	char *defect;   /* "good", or what is wrong, or NULL: unknown */
	mmrd_scan_label label;
	char *path[MMRD_SCAN_ROLES]; /* of its files; NULL: there is none */
	double depth_lo; /* metres that 0 and 65535 stand for, finite; 0 unless */
	double depth_hi; /* a file is of the kind MMRD_SCAN_SCALED_DEPTH */
} mmrd_scan;

/* Why a file or folder is not in the set.  Bytes of path are as on disk. */
typedef struct mmrd_scan_problem
{
	char *path;
	char *message; /* lower case, no period */
} mmrd_scan_problem;

typedef struct mmrd_dataset
{
	mmrd_dataset_options options; /* categories: not after open */
	mmrd_scan_kind kind[MMRD_SCAN_ROLES];
	bool has[MMRD_SCAN_ROLES]; /* some scan has such a file */
	size_t n_scans;            /* in an order that names alone decide */
	mmrd_scan *scans;
	size_t n_problems;
	mmrd_scan_problem *problems;
} mmrd_dataset;

/* The defaults; limits are those of a bytea and of mmrd.max_pixels. */
void mmrd_dataset_options_init(mmrd_dataset_options *options,
                               mmrd_dataset_format format);

/* By name: "mvtec3d", "eyecandies", "folder".  False: no such format. */
bool mmrd_dataset_format_parse(const char *name, mmrd_dataset_format *format);

/* By name: "none", "xyz", "normals", "depth", "both", "default". */
bool mmrd_dataset_aux_parse(const char *name, mmrd_dataset_aux *aux);

/*
 * Walk a data set.
 *
 * folder	of one category, or one that has folders of categories
 * out		the caller releases it with mmrd_dataset_free(); NULL on failure
 *
 * Symbolic links are followed; a link that leads back to a folder it lies in
 * is a problem of the set, not a failure.
 *
 * Returns MMRD_INVALID_ARGUMENT when the folder does not have this layout, a
 * category is not there, or an option does not go with the format;
 * MMRD_IO_ERROR when the folder itself cannot be read; MMRD_LIMIT_EXCEEDED,
 * MMRD_NO_MEMORY, MMRD_CANCELLED.
 */
mmrd_status mmrd_dataset_open(const char *folder,
                              const mmrd_dataset_options *options,
                              mmrd_dataset **out, mmrd_error *err);

/* Accepts NULL. */
void mmrd_dataset_free(mmrd_dataset *set);

#endif /* MMRD_DATASET_H */
