/*
 * loader/weights/pickle_machine.c
 *	  Bounded stack, memo and brackets.
 *
 * Values are numbered in the order in which they appear; the stack and the
 * memo hold their numbers.  The children of a container are a chain of cells,
 * so that appending is one step and no container is ever moved.
 *
 * Open brackets (MARK) are kept apart from the stack, as the stack heights at
 * which they were opened.  Python's own machine uses a special object on the
 * stack instead, but what it accepts is the same.
 */
#include "loader/weights/pickle_machine.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum
{
	FIRST = 64 /* elements of an array when it is first allocated */
};

mmrd_status
mmrd_machine_too_much(const char *what, uint32_t limit, mmrd_error *err)
{
	mmrd_fail(err, MMRD_LIMIT_EXCEEDED, "pickle has too many %s", what);
	return mmrd_detail(err, "At most %" PRIu32 " are allowed.", limit);
}

/* Room for n elements in an array of *max, growing by doubling. */
static mmrd_status
make_room(void **array, uint32_t n, uint32_t *max, size_t element_bytes,
          uint32_t limit, const char *what, mmrd_error *err)
{
	uint32_t grown = *max < FIRST ? FIRST : *max;
	void *moved;

	if (n > limit)
		return mmrd_machine_too_much(what, limit, err);
	if (n <= *max)
		return MMRD_OK;
	while (grown < n)
		grown *= 2;
	moved = realloc(*array, grown * element_bytes);
	if (moved == NULL)
		return mmrd_fail_memory(err, (double) grown * element_bytes);
	memset((char *) moved + *max * element_bytes, 0,
	       (grown - *max) * element_bytes);
	*array = moved;
	*max = grown;
	return MMRD_OK;
}

mmrd_status
mmrd_machine_corrupt(const mmrd_machine *m, const char *what, mmrd_error *err)
{
	mmrd_fail(err, MMRD_CORRUPT_DATA, "pickle %s", what);
	mmrd_detail(err, "At byte %zu of %zu.", m->at, m->len);
	return MMRD_CORRUPT_DATA;
}

/* Take n bytes of the pickle. */
mmrd_status
mmrd_machine_take(mmrd_machine *m, uint64_t n, const uint8_t **out,
                  mmrd_error *err)
{
	if (n > m->len - m->at)
		return mmrd_machine_corrupt(m, "is truncated", err);
	*out = m->bytes + m->at;
	m->at += (size_t) n;
	return MMRD_OK;
}

/* Take an unsigned little-endian number of n bytes, at most 8. */
mmrd_status
mmrd_machine_take_number(mmrd_machine *m, unsigned n, uint64_t *out,
                         mmrd_error *err)
{
	const uint8_t *p;

	MMRD_TRY(mmrd_machine_take(m, n, &p, err));
	*out = 0;
	while (n-- > 0)
		*out = *out << 8 | p[n];
	return MMRD_OK;
}

mmrd_status
mmrd_machine_push_number(mmrd_machine *m, uint32_t value, mmrd_error *err)
{
	void *array = m->stack;
	mmrd_status st =
	    make_room(&array, m->n_stack + 1, &m->max_stack, sizeof(*m->stack),
	              MMRD_PICKLE_MAX_STACK, "values on its stack", err);

	m->stack = array;
	if (st == MMRD_OK)
		m->stack[m->n_stack++] = value;
	return st;
}

/* Number a new value and push it. */
mmrd_status
mmrd_machine_push(mmrd_machine *m, const mmrd_pickle_value *value,
                  mmrd_error *err)
{
	mmrd_pickle *pickle = m->pickle;
	void *array = pickle->values;
	mmrd_status st =
	    make_room(&array, pickle->n_values + 1, &pickle->max_values,
	              sizeof(*value), MMRD_PICKLE_MAX_VALUES, "values", err);

	pickle->values = array;
	if (st != MMRD_OK)
		return st;
	pickle->values[pickle->n_values] = *value;
	return mmrd_machine_push_number(m, pickle->n_values++, err);
}

/* The height below which the innermost open bracket hides the stack. */
static uint32_t
floor_of(const mmrd_machine *m)
{
	return m->n_marks > 0 ? m->marks[m->n_marks - 1] : 0;
}

/* Pop n values; *out points at their numbers until the next push. */
mmrd_status
mmrd_machine_pop(mmrd_machine *m, uint32_t n, const uint32_t **out,
                 mmrd_error *err)
{
	if (n > m->n_stack - floor_of(m))
		return mmrd_machine_corrupt(
		    m, "takes more from its stack than there is", err);
	m->n_stack -= n;
	*out = m->stack + m->n_stack;
	return MMRD_OK;
}

/* Close the innermost bracket: pop what stands above it. */
mmrd_status
mmrd_machine_pop_bracket(mmrd_machine *m, const uint32_t **out, uint32_t *n,
                         mmrd_error *err)
{
	if (m->n_marks == 0)
		return mmrd_machine_corrupt(m, "closes a bracket that was not opened",
		                            err);
	*n = m->n_stack - floor_of(m);
	MMRD_TRY(mmrd_machine_pop(m, *n, out, err));
	m->n_marks--;
	return MMRD_OK;
}

/* The container on top of the stack, which stays there. */
mmrd_status
mmrd_machine_top(mmrd_machine *m, mmrd_pickle_kind kind,
                 mmrd_pickle_value **out, mmrd_error *err)
{
	if (m->n_stack == floor_of(m))
		return mmrd_machine_corrupt(
		    m, "takes more from its stack than there is", err);
	*out = &m->pickle->values[m->stack[m->n_stack - 1]];
	if ((*out)->kind != kind)
		return mmrd_machine_corrupt(
		    m, "adds to something that is not a container", err);
	return MMRD_OK;
}

mmrd_status
mmrd_machine_append(mmrd_machine *m, mmrd_pickle_value *to,
                    const uint32_t *numbers, uint32_t n, mmrd_error *err)
{
	mmrd_pickle *pickle = m->pickle;
	void *array = pickle->cells;
	mmrd_status st = make_room(&array, pickle->n_cells + n, &pickle->max_cells,
	                           sizeof(*pickle->cells), MMRD_PICKLE_MAX_VALUES,
	                           "values in containers", err);

	pickle->cells = array;
	if (st != MMRD_OK)
		return st;
	for (uint32_t i = 0; i < n; i++)
	{
		const uint32_t cell = pickle->n_cells++;

		pickle->cells[cell].value = numbers[i];
		pickle->cells[cell].next = 0;
		if (to->u.children.first == 0)
			to->u.children.first = cell;
		else
			pickle->cells[to->u.children.last].next = cell;
		to->u.children.last = cell;
	}
	to->n += n;
	return MMRD_OK;
}

mmrd_status
mmrd_machine_put(mmrd_machine *m, uint64_t index, mmrd_error *err)
{
	void *array = m->memo;
	mmrd_status st;

	if (m->n_stack == floor_of(m))
		return mmrd_machine_corrupt(
		    m, "takes more from its stack than there is", err);
	if (index >= MMRD_PICKLE_MAX_VALUES)
		return mmrd_machine_too_much("memo entries", MMRD_PICKLE_MAX_VALUES,
		                             err);
	st =
	    make_room(&array, (uint32_t) index + 1, &m->max_memo, sizeof(*m->memo),
	              MMRD_PICKLE_MAX_VALUES, "memo entries", err);
	m->memo = array;
	if (st != MMRD_OK)
		return st;
	if (m->memo[index] == 0)
		m->n_memo++;
	m->memo[index] = m->stack[m->n_stack - 1];
	return MMRD_OK;
}

mmrd_status
mmrd_machine_get(mmrd_machine *m, uint64_t index, mmrd_error *err)
{
	if (index >= m->max_memo || m->memo[index] == 0)
		return mmrd_machine_corrupt(m, "uses a memo entry that does not exist",
		                            err);
	return mmrd_machine_push_number(m, m->memo[index], err);
}

mmrd_status
mmrd_machine_open(mmrd_machine *m, mmrd_error *err)
{
	if (m->n_marks == MMRD_PICKLE_MAX_MARKS)
		return mmrd_machine_too_much("open brackets", MMRD_PICKLE_MAX_MARKS,
		                             err);
	m->marks[m->n_marks++] = m->n_stack;
	return MMRD_OK;
}

mmrd_status
mmrd_machine_init(mmrd_machine *m, mmrd_pickle *pickle, const uint8_t *bytes,
                  size_t len, mmrd_error *err)
{
	memset(m, 0, sizeof(*m));
	memset(pickle, 0, sizeof(*pickle));
	pickle->n_values = 1; /* number 0 means "none" everywhere */
	pickle->n_cells = 1;
	m->pickle = pickle;
	m->bytes = bytes;
	m->len = len;
	m->max_stack = FIRST;
	m->stack = calloc(FIRST, sizeof(*m->stack));
	if (m->stack == NULL)
		return mmrd_fail_memory(err, FIRST * sizeof(*m->stack));
	return MMRD_OK;
}

void
mmrd_machine_clear(mmrd_machine *m)
{
	free(m->stack);
	free(m->memo);
	memset(m, 0, sizeof(*m));
}
