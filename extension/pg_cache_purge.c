/*
 * extension/pg_cache_purge.c
 *	  Letting go of shared models that nobody can ask for any more.
 *
 * Done before a model is loaded and when the cache is looked at, the two
 * occasions when somebody cares and nobody is in a hurry.  An old snapshot may
 * not see a version that others use already; evicting that one costs nothing,
 * its users keep it.
 */
#include "postgres.h"

#include "extension/pg_cache_purge.h"

#include "catalog/pg_type.h"
#include "extension/pg_access.h"
#include "extension/pg_slots.h"
#include "miscadmin.h"
#include "utils/syscache.h"
#include "utils/uuid.h"

static mmrd_pg_statement find_uid = {
    "SELECT FROM mmrd.versions WHERE uid = $1", true, 1, {UUIDOID}, NULL};

void
mmrd_pg_cache_purge(mmrd_pg_registry *r)
{
	mmrd_pg_slot *slots = palloc(MMRD_PG_SLOTS * sizeof(mmrd_pg_slot));
	const int n = mmrd_pg_slots_list(r, slots);
	mmrd_pg_access access;
	bool ours = false;

	for (int i = 0; i < n; i++)
	{
		const mmrd_pg_slot *s = &slots[i];

		if (s->state != MMRD_PG_SLOT_READY || s->evicted)
			continue;
		if (s->key.database == MyDatabaseId)
			ours = true;
		else if (!SearchSysCacheExists1(DATABASEOID,
		                                ObjectIdGetDatum(s->key.database)))
			mmrd_pg_slots_evict(r, s->key.database, &s->key.uid);
	}
	if (ours)
	{
		mmrd_pg_access_begin(&access);
		for (int i = 0; i < n; i++)
		{
			const mmrd_pg_slot *s = &slots[i];
			Datum values[] = {UUIDPGetDatum(&s->key.uid)};

			if (s->state == MMRD_PG_SLOT_READY && !s->evicted &&
			    s->key.database == MyDatabaseId &&
			    mmrd_pg_run(&find_uid, values, NULL) == 0)
				mmrd_pg_slots_evict(r, MyDatabaseId, &s->key.uid);
		}
		mmrd_pg_access_end(&access);
	}
	pfree(slots);
}
