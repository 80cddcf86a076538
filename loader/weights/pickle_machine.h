/*
 * loader/weights/pickle_machine.h
 *	  Stack, memo and brackets of the machine that pickle.c drives.
 */
#ifndef MMRD_PICKLE_MACHINE_H
#define MMRD_PICKLE_MACHINE_H

#include "loader/weights/pickle.h"

/* What exists only while a pickle is being parsed. */
typedef struct mmrd_machine
{
	mmrd_pickle *pickle; /* where values and cells go */
	const uint8_t *bytes;
	size_t len;
	size_t at;
	uint32_t *stack; /* numbers of values */
	uint32_t *memo;  /* the same; 0: nothing */
	uint32_t n_stack;
	uint32_t n_memo; /* entries that hold something */
	uint32_t max_stack;
	uint32_t max_memo;
	uint32_t marks[MMRD_PICKLE_MAX_MARKS]; /* stack heights, see the .c */
	uint32_t n_marks;
} mmrd_machine;

/* Start on an empty pickle; release what that allocated, but the pickle. */
mmrd_status mmrd_machine_init(mmrd_machine *m, mmrd_pickle *pickle,
                              const uint8_t *bytes, size_t len,
                              mmrd_error *err);
void mmrd_machine_clear(mmrd_machine *m);

/* Fail with "pickle WHAT" and the place; with "too many WHAT". */
mmrd_status mmrd_machine_corrupt(const mmrd_machine *m, const char *what,
                                 mmrd_error *err);
mmrd_status mmrd_machine_too_much(const char *what, uint32_t limit,
                                  mmrd_error *err);

/* Take n bytes of the pickle, or an unsigned number of n bytes (up to 8). */
mmrd_status mmrd_machine_take(mmrd_machine *m, uint64_t n, const uint8_t **out,
                              mmrd_error *err);
mmrd_status mmrd_machine_take_number(mmrd_machine *m, unsigned n,
                                     uint64_t *out, mmrd_error *err);

/* Push a value that has a number, or a new one, which gets one. */
mmrd_status mmrd_machine_push_number(mmrd_machine *m, uint32_t value,
                                     mmrd_error *err);
mmrd_status mmrd_machine_push(mmrd_machine *m, const mmrd_pickle_value *value,
                              mmrd_error *err);

/*
 * Pop n values, or all above the innermost bracket, which is closed; *out
 * points at their numbers, the lowest first, until the next push.
 */
mmrd_status mmrd_machine_pop(mmrd_machine *m, uint32_t n, const uint32_t **out,
                             mmrd_error *err);
mmrd_status mmrd_machine_pop_bracket(mmrd_machine *m, const uint32_t **out,
                                     uint32_t *n, mmrd_error *err);

/* Open a bracket. */
mmrd_status mmrd_machine_open(mmrd_machine *m, mmrd_error *err);

/* The container on top of the stack, which must be of that kind and stays
 * there; *out is valid until the next push. */
mmrd_status mmrd_machine_top(mmrd_machine *m, mmrd_pickle_kind kind,
                             mmrd_pickle_value **out, mmrd_error *err);

/* Add children to a container. */
mmrd_status mmrd_machine_append(mmrd_machine *m, mmrd_pickle_value *to,
                                const uint32_t *numbers, uint32_t n,
                                mmrd_error *err);

/* Remember what is on top of the stack; push what was remembered. */
mmrd_status mmrd_machine_put(mmrd_machine *m, uint64_t index, mmrd_error *err);
mmrd_status mmrd_machine_get(mmrd_machine *m, uint64_t index, mmrd_error *err);

#endif /* MMRD_PICKLE_MACHINE_H */
