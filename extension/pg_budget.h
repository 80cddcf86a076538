/*
 * extension/pg_budget.h
 *	  mmrd.total_threads: threads that all sessions share.
 */
#ifndef MMRD_PG_BUDGET_H
#define MMRD_PG_BUDGET_H

#include "extension/pg_registry.h"

/*
 * Take threads for this session, in place of those it has taken before: all
 * that are wanted if the budget has them; else what is free, or this
 * session's share, the smaller; at least 1.  The share is the budget divided
 * in proportion to what the sessions want.
 */
extern int mmrd_pg_budget_take(int wanted);

/* Give all back.  May be called at any time, also when none are taken. */
extern void mmrd_pg_budget_give_back(void);

/* The budget in force: mmrd.total_threads, or the cores. */
extern int mmrd_pg_budget_total(void);

#endif /* MMRD_PG_BUDGET_H */
