/*
 * extension/pg_job_conclude.h
 *	  The end of a job: its version is stored, whatever became of the table.
 */
#ifndef MMRD_PG_JOB_CONCLUDE_H
#define MMRD_PG_JOB_CONCLUDE_H

#include "extension/pg_train.h"

/*
 * mmrd_pg_conclude_store(), but when the version cannot be compared with the
 * deployed one, it is stored without being deployed (and so are r's options),
 * and the log says why.
 */
extern void mmrd_pg_job_conclude(const mmrd_pg_trained *trained,
                                 const mmrd_pg_conclusion *conclusion,
                                 mmrd_pg_request *r, double seconds,
                                 int32 *version, bool *deployed);

#endif /* MMRD_PG_JOB_CONCLUDE_H */
