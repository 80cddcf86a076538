/*
 * extension/pg_settings.h
 *	  The settings mmrd.*, as PostgreSQL keeps them.
 */
#ifndef MMRD_PG_SETTINGS_H
#define MMRD_PG_SETTINGS_H

#include "extension/pg_compat.h"

typedef enum mmrd_pg_bad_image
{
	MMRD_PG_BAD_IMAGE_ERROR,
	MMRD_PG_BAD_IMAGE_NULL
} mmrd_pg_bad_image;

extern int mmrd_pg_setting_threads;       /* 0: all cores */
extern int mmrd_pg_setting_train_threads; /* 0: as mmrd.threads */
extern int mmrd_pg_setting_precision;     /* mmrd_precision */
extern char *mmrd_pg_setting_model;       /* "": none */
extern int mmrd_pg_setting_on_bad_image;  /* mmrd_pg_bad_image */
extern bool mmrd_pg_setting_progress;
extern int mmrd_pg_setting_max_pixels;
extern int mmrd_pg_setting_train_memory;  /* kB */
extern int mmrd_pg_setting_cache_size;    /* kB */
extern int mmrd_pg_setting_total_threads; /* 0: as many as there are cores */
extern int mmrd_pg_setting_max_training_jobs;
extern bool mmrd_pg_setting_auto_resume;

#endif /* MMRD_PG_SETTINGS_H */
