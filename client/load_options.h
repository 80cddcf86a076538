/*
 * client/load_options.h
 *	  What the user of mmrd-load asked for.
 */
#ifndef MMRD_LOAD_OPTIONS_H
#define MMRD_LOAD_OPTIONS_H

#include <stdbool.h>

#include "loader/dataset/dataset.h"

enum
{
	/* Exit statuses; "mmrd-load --help" explains them. */
	MMRD_LOAD_DONE = 0,
	MMRD_LOAD_FAILED = 1,
	MMRD_LOAD_SOME_BAD = 2,
	MMRD_LOAD_INTERRUPTED = 130 /* as a shell says it */
};

/* The columns that are filled. */
typedef enum mmrd_load_column
{
	MMRD_LOAD_ID,
	MMRD_LOAD_CATEGORY,
	MMRD_LOAD_SPLIT,
	MMRD_LOAD_LABEL,
	MMRD_LOAD_DEFECT,
	MMRD_LOAD_RGB,
	MMRD_LOAD_AUX,
	MMRD_LOAD_AUX2,
	MMRD_LOAD_MASK,
	MMRD_LOAD_COLUMNS
} mmrd_load_column;

/* "NAME=FILE", cut in two. */
typedef struct mmrd_load_teacher
{
	const char *name;
	const char *path;
} mmrd_load_teacher;

/* Texts belong to the command line. */
typedef struct mmrd_load_options
{
	const char *folder; /* NULL: teachers only */
	const char *table;
	mmrd_dataset_options set;
	const char *column[MMRD_LOAD_COLUMNS]; /* what each is called */
	int n_teachers;
	mmrd_load_teacher *teachers;
	const char **categories;
	bool dry_run;
	bool quiet;

	const char *host; /* NULL where libpq shall decide */
	const char *port;
	const char *user;
	const char *database;
	int password; /* -1 never ask, 1 ask first, 0 when it is needed */
} mmrd_load_options;

/*
 * Read the command line.  Returns true when there is work to do; else
 * *status is the exit status, and what had to be said (help, a mistake) has
 * been.  mmrd_load_options_clear() in either case.
 */
bool mmrd_load_options_read(int argc, char **argv, mmrd_load_options *out,
                            int *status);

void mmrd_load_options_clear(mmrd_load_options *options);

/* The name of a column as --column and a new table have it. */
const char *mmrd_load_column_name(mmrd_load_column column);

#endif /* MMRD_LOAD_OPTIONS_H */
