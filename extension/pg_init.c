/*
 * extension/pg_init.c
 *	  Module magic and settings.
 *
 * Nothing here starts a thread or reads a table: _PG_init may run in the
 * postmaster, before a fork.  There it also loads the library of matrix
 * products, which sessions then have; without room for it they try again.
 */
#include "postgres.h"

#include <limits.h>

#include "extension/pg_registry.h"
#include "extension/pg_settings.h"
#include "extension/pg_worker.h"
#include "miscadmin.h"
#include "model/kernel/gemm.h"
#include "model/net/config.h"

MMRD_PG_MODULE_MAGIC("mmrd", MMRD_VERSION);

int mmrd_pg_setting_threads;
int mmrd_pg_setting_train_threads;
int mmrd_pg_setting_precision = MMRD_FLOAT32;
char *mmrd_pg_setting_model;
int mmrd_pg_setting_on_bad_image = MMRD_PG_BAD_IMAGE_ERROR;
bool mmrd_pg_setting_progress = true;
int mmrd_pg_setting_max_pixels;
int mmrd_pg_setting_train_memory;
int mmrd_pg_setting_cache_size;
int mmrd_pg_setting_total_threads;
int mmrd_pg_setting_max_training_jobs;
bool mmrd_pg_setting_auto_resume;

static const struct config_enum_entry bad_image_entries[] = {
    {"error", MMRD_PG_BAD_IMAGE_ERROR, false},
    {"null", MMRD_PG_BAD_IMAGE_NULL, false},
    {NULL, 0, false},
};

static const struct config_enum_entry precision_entries[] = {
    {"float32", MMRD_FLOAT32, false},
    {"bfloat16", MMRD_BFLOAT16, false},
    {NULL, 0, false},
};

enum
{
	MAX_TRAINING_JOBS = 64,
	MAX_THREADS = 256, /* as model/base/threads.c */
	MAX_TOTAL_THREADS = 65536,
	DEFAULT_MAX_PIXELS = 64 << 20, /* a square of 8192 pixels */
	/* kB: 6 GB.  wide_resnet50_2 with the default options needs 5.4 GB. */
	DEFAULT_TRAIN_MEMORY = 6 << 20,
	DEFAULT_CACHE_SIZE = 1 << 20, /* kB: 1 GB, two of the largest models */
	MIN_TRAIN_MEMORY = 64 << 10,  /* kB: 64 MB */
};

static void
define_user_settings(void)
{
	DefineCustomIntVariable(
	    "mmrd.threads", "Threads that one call of mmrd may use.",
	    "0 means all cores; a parallel worker always uses one.",
	    &mmrd_pg_setting_threads, 0, 0, MAX_THREADS, PGC_USERSET, 0, NULL,
	    NULL, NULL);
	DefineCustomStringVariable(
	    "mmrd.model", "Model to score with when a call names none.",
	    "Empty means the only deployed model.", &mmrd_pg_setting_model, "",
	    PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomEnumVariable(
	    "mmrd.precision", "Precision in which scans are scored.",
	    "A model trained with the option precision "
	    "\"bfloat16\" is scored in bfloat16 always.",
	    &mmrd_pg_setting_precision, MMRD_FLOAT32, precision_entries,
	    PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomEnumVariable(
	    "mmrd.on_bad_image", "What scoring does with an unreadable image.",
	    "\"error\" ends the statement; \"null\" gives NULL and one warning "
	    "per statement.",
	    &mmrd_pg_setting_on_bad_image, MMRD_PG_BAD_IMAGE_ERROR,
	    bad_image_entries, PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomBoolVariable(
	    "mmrd.progress", "Send a notice after each epoch of a training.", NULL,
	    &mmrd_pg_setting_progress, true, PGC_USERSET, 0, NULL, NULL, NULL);
}

static void
define_limits(void)
{
	DefineCustomIntVariable(
	    "mmrd.max_pixels", "Largest image accepted, in pixels.",
	    "Compared with the size that the file declares, before anything of "
	    "that size is allocated.",
	    &mmrd_pg_setting_max_pixels, DEFAULT_MAX_PIXELS, 1, 1 << 30, PGC_SUSET,
	    0, NULL, NULL, NULL);
	DefineCustomIntVariable(
	    "mmrd.train_memory", "Memory that one training may use.",
	    "What does not fit is kept in temporary files.",
	    &mmrd_pg_setting_train_memory, DEFAULT_TRAIN_MEMORY, MIN_TRAIN_MEMORY,
	    INT_MAX, PGC_SUSET, GUC_UNIT_KB, NULL, NULL, NULL);
	DefineCustomIntVariable("mmrd.train_threads",
	                        "Threads that one training may use.",
	                        "0 means as many as mmrd.threads says.",
	                        &mmrd_pg_setting_train_threads, 0, 0, MAX_THREADS,
	                        PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable(
	    "mmrd.cache_size",
	    "Memory of the server for models that are ready to score.",
	    "What is in use is always kept, whatever its size.",
	    &mmrd_pg_setting_cache_size, DEFAULT_CACHE_SIZE, 0, INT_MAX,
	    PGC_SIGHUP, GUC_UNIT_KB, NULL, NULL, NULL);
	DefineCustomIntVariable(
	    "mmrd.total_threads", "Threads that all sessions together may use.",
	    "0 means as many as there are cores.  A session that finds none free "
	    "works with one.",
	    &mmrd_pg_setting_total_threads, 0, 0, MAX_TOTAL_THREADS, PGC_SIGHUP, 0,
	    NULL, NULL, NULL);
}

static void
define_job_settings(void)
{
	DefineCustomIntVariable(
	    "mmrd.max_training_jobs",
	    "Training jobs that may run at once in a database.",
	    "The others are queued.  0 starts none.",
	    &mmrd_pg_setting_max_training_jobs, 1, 0, MAX_TRAINING_JOBS,
	    PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomBoolVariable(
	    "mmrd.auto_resume",
	    "Resume interrupted training jobs when the server starts.",
	    "Takes effect when mmrd is in shared_preload_libraries.",
	    &mmrd_pg_setting_auto_resume, false, PGC_SIGHUP, 0, NULL, NULL, NULL);
}

void _PG_init(void);

void
_PG_init(void)
{
	mmrd_error err = {0};

	define_user_settings();
	define_limits();
	define_job_settings();
	mmrd_pg_reserve_settings("mmrd");
	if (process_shared_preload_libraries_in_progress)
	{
		mmrd_pg_registry_preload();
		mmrd_pg_launcher_register();
		if (mmrd_gemm_start(&err) != MMRD_OK)
			ereport(LOG, (errmsg_internal("%s", err.message),
			              errdetail_internal("%s", err.detail)));
	}
}
