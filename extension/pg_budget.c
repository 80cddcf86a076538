/*
 * extension/pg_budget.c
 *	  mmrd.total_threads: threads that all sessions share.
 *
 * Three sums in the registry, changed by each session when its part of them
 * changes.  A session asks anew with each scan, so that one that came first
 * and took everything gives way to the next within a scan's time.  Nobody
 * waits: a session that finds nothing free works with one thread, so up to
 * one thread for each session is above the budget.
 */
#include "postgres.h"

#include "extension/pg_budget.h"

#include "extension/pg_settings.h"
#include "model/base/threads.h"

static int taken = 0; /* by this session */
static int asked = 0;

int
mmrd_pg_budget_total(void)
{
	return mmrd_pg_setting_total_threads != 0 ? mmrd_pg_setting_total_threads
	                                          : mmrd_threads_available();
}

static void
give_back_at_exit(int code, Datum unused)
{
	(void) code;
	(void) unused;
	mmrd_pg_budget_give_back();
}

static int
share_of(const mmrd_pg_registry *r, int wanted)
{
	const int total = mmrd_pg_budget_total();
	const int others = r->threads_taken - taken;
	const int64 all_want = (int64) r->threads_wanted - asked + wanted;
	const int share = (int) ((int64) total * wanted / all_want);
	int n = Min(wanted, total - others);

	if (all_want > total)
		n = Min(n, share);
	return Max(n, 1);
}

int
mmrd_pg_budget_take(int wanted)
{
	static bool registered = false;
	mmrd_pg_registry *r = mmrd_pg_registry_get(NULL);
	int n;

	if (r == NULL)
		return wanted;
	if (!registered)
	{
		mmrd_pg_registry_at_exit(give_back_at_exit);
		registered = true;
	}
	LWLockAcquire(&r->lock, LW_EXCLUSIVE);
	n = share_of(r, wanted);
	r->threads_sessions += taken == 0;
	r->threads_taken += n - taken;
	r->threads_wanted += wanted - asked;
	taken = n;
	asked = wanted;
	LWLockRelease(&r->lock);
	return n;
}

void
mmrd_pg_budget_give_back(void)
{
	mmrd_pg_registry *r;

	if (taken == 0)
		return;
	r = mmrd_pg_registry_get(NULL);
	LWLockAcquire(&r->lock, LW_EXCLUSIVE);
	r->threads_sessions--;
	r->threads_taken -= taken;
	r->threads_wanted -= asked;
	taken = 0;
	asked = 0;
	LWLockRelease(&r->lock);
}
