/*
 * model/score/growing_array.c
 *	  Appending within a limit.
 */
#include "model/score/growing_array.h"

#include <stdlib.h>
#include <string.h>

enum
{
	FIRST_ROOM = 256, /* elements: below this, growing is all overhead */
	SLACK = 16 /* spare room is a sixteenth of the limit: big blocks grow by
	            * remapping, so more frequent growing costs little */
};

mmrd_status
mmrd_growing_reserve(mmrd_growing *array, size_t item_bytes, size_t n_more,
                     size_t limit_bytes, mmrd_error *err)
{
	const size_t most = limit_bytes / item_bytes;
	size_t step = array->room / 2;
	size_t room;
	void *items;

	if (n_more <= array->room - array->n)
		return MMRD_OK;
	if (array->n > most || n_more > most - array->n)
	{
		mmrd_fail(err, MMRD_LIMIT_EXCEEDED,
		          "too many values to measure in the memory allowed");
		return mmrd_detail(err,
		                   "%zu values are held, %zu more do not fit in "
		                   "%zu bytes.",
		                   array->n, n_more, limit_bytes);
	}
	if (step < FIRST_ROOM)
		step = FIRST_ROOM;
	if (step > most / SLACK)
		step = most / SLACK;
	room = array->n + n_more;
	room += step < most - room ? step : most - room;
	items = realloc(array->items, room * item_bytes);
	if (items == NULL)
		return mmrd_fail_memory(err, (double) room * (double) item_bytes);
	array->items = items;
	array->room = room;
	return MMRD_OK;
}

void
mmrd_growing_clear(mmrd_growing *array)
{
	free(array->items);
	memset(array, 0, sizeof(*array));
}
