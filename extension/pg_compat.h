/*
 * extension/pg_compat.h
 *	  Where PostgreSQL 13 to 18 differ, said once.
 */
#ifndef MMRD_PG_COMPAT_H
#define MMRD_PG_COMPAT_H

#include "postgres.h"

#if PG_VERSION_NUM >= 160000
#include "varatt.h" /* split out of postgres.h in 16 */
#endif

#endif /* MMRD_PG_COMPAT_H */
