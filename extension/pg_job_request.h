/*
 * extension/pg_job_request.h
 *	  What a job was asked to do: from its row back to a request.
 */
#ifndef MMRD_PG_JOB_REQUEST_H
#define MMRD_PG_JOB_REQUEST_H

#include "extension/pg_job_rows.h"

/*
 * As the arguments were checked when the job was started; the source is
 * looked up by its name, as the current user.  Locks the teacher.
 */
extern void mmrd_pg_job_request(const mmrd_pg_job *job, mmrd_pg_request *r);

/*
 * The settings that decide what a condition means (search_path, TimeZone,
 * DateStyle) as they were when the job was started; until the session's end,
 * or with GUC_ACTION_SAVE until the caller's level of settings ends.
 */
extern void mmrd_pg_job_settings(const mmrd_pg_job *job, GucAction action);

/* Throw when the job has read other scans before. */
extern void mmrd_pg_job_check_scans(const mmrd_pg_job *job,
                                    const uint8 *sha256);

#endif /* MMRD_PG_JOB_REQUEST_H */
