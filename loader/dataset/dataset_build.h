/*
 * loader/dataset/dataset_build.h
 *	  What the walkers of the three layouts share.
 *
 * A walker claims each file it recognises for a scan and a part in it; claims
 * sorted by scan are the pairing.  It then adds a scan, or the problem that
 * keeps it out.
 */
#ifndef MMRD_DATASET_BUILD_H
#define MMRD_DATASET_BUILD_H

#include <stdbool.h>
#include <stddef.h>

#include "loader/dataset/dataset.h"
#include "loader/dataset/folder_list.h"

enum
{
	MMRD_CLAIM_PARTS = 8 /* parts of a scan that a walker tells apart */
};

typedef struct mmrd_dataset_builder
{
	mmrd_dataset *set;
	size_t scan_room;
	size_t problem_room;
	size_t budget; /* entries that may still be looked at */
} mmrd_dataset_builder;

/* Copies everything.  A text that is not UTF-8 makes a problem instead. */
mmrd_status mmrd_dataset_add(mmrd_dataset_builder *b, const mmrd_scan *scan,
                             mmrd_error *err);

/* path is copied. */
mmrd_status mmrd_dataset_problem(mmrd_dataset_builder *b, const char *path,
                                 mmrd_error *err, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/*
 * A failure that concerns one file or folder becomes a problem, and MMRD_OK
 * is returned; one that concerns the whole walk (memory, limits, cancelled)
 * is returned as it is.
 */
mmrd_status mmrd_dataset_tolerate(mmrd_dataset_builder *b, const char *path,
                                  mmrd_error *err);

/* mmrd_folder_read() with this builder's budget and stop hook. */
mmrd_status mmrd_dataset_list(mmrd_dataset_builder *b, const char *path,
                              mmrd_folder *out, mmrd_error *err);

/* The same, tolerated: what cannot be listed is empty, and a problem. */
mmrd_status mmrd_dataset_list_if_possible(mmrd_dataset_builder *b,
                                          const char *path, mmrd_folder *out,
                                          mmrd_error *err);

/* A text made of several, malloc'd: NULL when there is no memory. */
char *mmrd_text_print(const char *fmt, ...)
    __attribute__((format(printf, 1, 2)));

/* "This file is that part of that scan." */
typedef struct mmrd_claim
{
	char *scan;
	int part;
	char *path;
} mmrd_claim;

typedef struct mmrd_claims
{
	size_t n;
	size_t room;
	mmrd_claim *items;
} mmrd_claims;

/* scan is copied; path, malloc'd, is taken over, and freed on failure. */
mmrd_status mmrd_claims_add(mmrd_claims *claims, const char *scan, int part,
                            char *path, mmrd_error *err);

/* Sort by scan and part; then mmrd_claims_next() may be called. */
void mmrd_claims_sort(mmrd_claims *claims);

/* The files of one scan; all pointers belong to the claims. */
typedef struct mmrd_claimed
{
	const char *scan;
	const char *first; /* path of any of them */
	const char *path[MMRD_CLAIM_PARTS];
	const char *twice; /* path of one too many for its part, or NULL */
} mmrd_claimed;

/* The scan at *at (0 first), which is moved on; false at the end. */
bool mmrd_claims_next(const mmrd_claims *claims, size_t *at,
                      mmrd_claimed *out);

void mmrd_claims_clear(mmrd_claims *claims);

/* The layouts: does the folder look like one category, and walk one. */
bool mmrd_mvtec3d_is_category(const mmrd_folder *folder);
mmrd_status mmrd_mvtec3d_walk(mmrd_dataset_builder *b, const char *path,
                              const char *category, mmrd_error *err);
bool mmrd_eyecandies_is_category(const mmrd_folder *folder);
mmrd_status mmrd_eyecandies_walk(mmrd_dataset_builder *b, const char *path,
                                 const char *category, mmrd_error *err);
mmrd_status mmrd_folder_walk(mmrd_dataset_builder *b, const char *path,
                             const char *category, mmrd_error *err);

#endif /* MMRD_DATASET_BUILD_H */
