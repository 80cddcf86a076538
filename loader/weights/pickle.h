/*
 * loader/weights/pickle.h
 *	  Matching the pickles that torch.save() writes, as data.
 *
 *	  mmrd_pickle pickle = {0};
 *	  size_t used;
 *
 *	  MMRD_TRY(mmrd_pickle_parse(&pickle, bytes, len, &used, err));
 *	  const mmrd_pickle_value *root = mmrd_pickle_at(&pickle, pickle.root);
 *	  ...
 *	  mmrd_pickle_clear(&pickle);
 *
 * A pickle is a program for a stack machine that may call anything.  This
 * machine calls nothing.  It knows the opcodes that build numbers, texts,
 * tuples, lists and dictionaries, and recognises by name the few calls in
 * which torch.save() wraps a tensor; the result is a tree of plain values.
 * Every other opcode or name is refused.
 *
 * Values may be shared and, in a hostile pickle, contain themselves: walk
 * them to a fixed depth only.
 */
#ifndef MMRD_PICKLE_H
#define MMRD_PICKLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/base/status.h"
#include "model/base/tensor.h"

enum
{
	MMRD_PICKLE_MAX_BYTES = 16 << 20, /* longer ones are refused */
	MMRD_PICKLE_MAX_VALUES = 1 << 20, /* also of memo entries and cells */
	MMRD_PICKLE_MAX_STACK = 1 << 18,
	MMRD_PICKLE_MAX_MARKS = 256 /* open brackets at one time */
};

typedef enum mmrd_pickle_kind
{
	MMRD_PICKLE_NONE,
	MMRD_PICKLE_BOOL,   /* integer: 0 or 1 */
	MMRD_PICKLE_INT,    /* integer */
	MMRD_PICKLE_BIG,    /* text: more than 8 bytes, little endian */
	MMRD_PICKLE_FLOAT,  /* its value is not kept */
	MMRD_PICKLE_TEXT,   /* text: unicode, or Python 2's str */
	MMRD_PICKLE_BYTES,  /* text */
	MMRD_PICKLE_TUPLE,  /* children */
	MMRD_PICKLE_LIST,   /* children */
	MMRD_PICKLE_DICT,   /* children: key, value, key, value, ...  As they came:
	                     * a key may occur twice */
	MMRD_PICKLE_GLOBAL, /* integer: which one, see pickle_torch.h */
	MMRD_PICKLE_STORAGE, /* children, checked: "storage", GLOBAL that is a
	                      * storage, TEXT key, location, INT numel [, ...] */
	MMRD_PICKLE_TENSOR   /* children, checked: STORAGE, INT offset, TUPLE of
	                      * INT sizes, TUPLE of as many INT strides [, ...] */
} mmrd_pickle_kind;

typedef struct mmrd_pickle_value
{
	mmrd_pickle_kind kind;
	uint32_t n; /* children, or bytes of text */
	union
	{
		int64_t integer;
		const uint8_t *text; /* in the pickle's bytes, no final zero */
		struct
		{
			uint32_t first; /* cells; 0 is none */
			uint32_t last;
		} children;
	} u;
} mmrd_pickle_value;

typedef struct mmrd_pickle_cell
{
	uint32_t value;
	uint32_t next; /* 0: the last one */
} mmrd_pickle_cell;

/* All zero before the first use.  The pickle's bytes must outlive it. */
typedef struct mmrd_pickle
{
	mmrd_pickle_value *values; /* number 0 is not used */
	mmrd_pickle_cell *cells;   /* number 0 is not used */
	uint32_t n_values;
	uint32_t n_cells;
	uint32_t max_values;
	uint32_t max_cells;
	uint32_t root; /* the value that the pickle stands for */
} mmrd_pickle;

/*
 * Match one pickle of protocol 2 to 5 at the beginning of bytes.
 *
 * used		out: its length; what follows is not looked at
 *
 * Returns MMRD_CORRUPT_DATA (truncated, stack underflow, a call whose
 * arguments do not fit), MMRD_UNSUPPORTED naming the opcode or the call,
 * MMRD_LIMIT_EXCEEDED (see the constants), MMRD_NO_MEMORY.  On failure the
 * pickle is all zero.
 */
mmrd_status mmrd_pickle_parse(mmrd_pickle *pickle, const uint8_t *bytes,
                              size_t len, size_t *used, mmrd_error *err);

/* Leaves the pickle all zero; accepts all zero. */
void mmrd_pickle_clear(mmrd_pickle *pickle);

static inline const mmrd_pickle_value *
mmrd_pickle_at(const mmrd_pickle *pickle, uint32_t value)
{
	return &pickle->values[value];
}

/*
 * Walk the children of a container: *cell starts as value->u.children.first;
 * returns the next child and advances, or NULL at the end.
 */
const mmrd_pickle_value *mmrd_pickle_next(const mmrd_pickle *pickle,
                                          uint32_t *cell);

/* The i-th child, or NULL, also when value has no children. */
const mmrd_pickle_value *mmrd_pickle_child(const mmrd_pickle *pickle,
                                           const mmrd_pickle_value *value,
                                           uint32_t i);

/* The value of a TEXT key (the first, if there are two), or NULL, also when
 * dict is none. */
const mmrd_pickle_value *mmrd_pickle_get(const mmrd_pickle *pickle,
                                         const mmrd_pickle_value *dict,
                                         const char *key);

/* Is it a TEXT, and this one? */
bool mmrd_pickle_is_text(const mmrd_pickle_value *value, const char *text);

/* The name of an opcode that is refused, for messages; else "unknown". */
const char *mmrd_pickle_opcode_name(uint8_t op);

#endif /* MMRD_PICKLE_H */
