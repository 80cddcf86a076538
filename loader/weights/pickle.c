/*
 * loader/weights/pickle.c
 *	  What each opcode does.
 *
 * A tuple turned into a storage or a tensor shares its chain of children: no
 * opcode appends to any of the three.
 */
#include "loader/weights/pickle.h"

#include <string.h>

#include "loader/weights/pickle_machine.h"
#include "loader/weights/pickle_torch.h"

/* Opcodes, by their names in Python's pickletools. */
enum
{
	OP_MARK = '(',
	OP_STOP = '.',
	OP_PROTO = 0x80,
	OP_FRAME = 0x95,
	OP_NONE = 'N',
	OP_NEWTRUE = 0x88,
	OP_NEWFALSE = 0x89,
	OP_BININT = 'J',
	OP_BININT1 = 'K',
	OP_BININT2 = 'M',
	OP_LONG1 = 0x8a,
	OP_BINFLOAT = 'G',
	OP_BINSTRING = 'T',
	OP_SHORT_BINSTRING = 'U',
	OP_BINUNICODE = 'X',
	OP_SHORT_BINUNICODE = 0x8c,
	OP_BINUNICODE8 = 0x8d,
	OP_BINBYTES = 'B',
	OP_SHORT_BINBYTES = 'C',
	OP_BINBYTES8 = 0x8e,
	OP_EMPTY_TUPLE = ')',
	OP_TUPLE = 't',
	OP_TUPLE1 = 0x85,
	OP_TUPLE2 = 0x86,
	OP_TUPLE3 = 0x87,
	OP_EMPTY_LIST = ']',
	OP_APPEND = 'a',
	OP_APPENDS = 'e',
	OP_EMPTY_DICT = '}',
	OP_SETITEM = 's',
	OP_SETITEMS = 'u',
	OP_GLOBAL = 'c',
	OP_STACK_GLOBAL = 0x93,
	OP_REDUCE = 'R',
	OP_BUILD = 'b',
	OP_BINPERSID = 'Q',
	OP_BINPUT = 'q',
	OP_LONG_BINPUT = 'r',
	OP_MEMOIZE = 0x94,
	OP_BINGET = 'h',
	OP_LONG_BINGET = 'j'
};

static mmrd_status
push_plain(mmrd_machine *m, mmrd_pickle_kind kind, int64_t integer,
           mmrd_error *err)
{
	mmrd_pickle_value value = {0};

	value.kind = kind;
	value.u.integer = integer;
	return mmrd_machine_push(m, &value, err);
}

static mmrd_status
push_container(mmrd_machine *m, mmrd_pickle_kind kind, mmrd_error *err)
{
	mmrd_pickle_value value = {0};

	value.kind = kind;
	return mmrd_machine_push(m, &value, err);
}

/* A text or bytes whose length is a number of length_bytes bytes. */
static mmrd_status
push_text(mmrd_machine *m, mmrd_pickle_kind kind, unsigned length_bytes,
          mmrd_error *err)
{
	mmrd_pickle_value value = {0};
	uint64_t n;

	MMRD_TRY(mmrd_machine_take_number(m, length_bytes, &n, err));
	value.kind = kind;
	MMRD_TRY(mmrd_machine_take(m, n, &value.u.text, err));
	value.n = (uint32_t) n; /* the whole pickle has no more than 32 bits */
	return mmrd_machine_push(m, &value, err);
}

/* A two's complement number of n bytes, n from a byte. */
static mmrd_status
push_long(mmrd_machine *m, mmrd_error *err)
{
	mmrd_pickle_value value = {0};
	const uint8_t *p;
	uint64_t n;
	uint64_t number;

	MMRD_TRY(mmrd_machine_take_number(m, 1, &n, err));
	MMRD_TRY(mmrd_machine_take(m, n, &p, err));
	if (n > 8)
	{
		value.kind = MMRD_PICKLE_BIG;
		value.n = (uint32_t) n;
		value.u.text = p;
		return mmrd_machine_push(m, &value, err);
	}
	number = n > 0 && (p[n - 1] & 0x80) ? UINT64_MAX : 0;
	while (n-- > 0)
		number = number << 8 | p[n];
	return push_plain(m, MMRD_PICKLE_INT, (int64_t) number, err);
}

static mmrd_status
push_tuple(mmrd_machine *m, const uint32_t *numbers, uint32_t n,
           mmrd_error *err)
{
	mmrd_pickle_value value = {0};

	value.kind = MMRD_PICKLE_TUPLE;
	MMRD_TRY(mmrd_machine_append(m, &value, numbers, n, err));
	return mmrd_machine_push(m, &value, err);
}

static mmrd_status
push_small_tuple(mmrd_machine *m, uint32_t n, mmrd_error *err)
{
	const uint32_t *numbers;

	MMRD_TRY(mmrd_machine_pop(m, n, &numbers, err));
	return push_tuple(m, numbers, n, err);
}

/* "module\nname\n" */
static mmrd_status
push_global(mmrd_machine *m, mmrd_error *err)
{
	const uint8_t *part[2];
	size_t n[2];
	int64_t global;

	for (int i = 0; i < 2; i++)
	{
		const uint8_t *end;

		part[i] = m->bytes + m->at;
		end = memchr(part[i], '\n', m->len - m->at);
		if (end == NULL)
			return mmrd_machine_corrupt(m, "is truncated", err);
		n[i] = (size_t) (end - part[i]);
		m->at += n[i] + 1;
	}
	MMRD_TRY(mmrd_pickle_global(part[0], n[0], part[1], n[1], &global, err));
	return push_plain(m, MMRD_PICKLE_GLOBAL, global, err);
}

static mmrd_status
push_stack_global(mmrd_machine *m, mmrd_error *err)
{
	const uint32_t *numbers;
	const mmrd_pickle_value *module;
	const mmrd_pickle_value *name;
	int64_t global;

	MMRD_TRY(mmrd_machine_pop(m, 2, &numbers, err));
	module = mmrd_pickle_at(m->pickle, numbers[0]);
	name = mmrd_pickle_at(m->pickle, numbers[1]);
	if (module->kind != MMRD_PICKLE_TEXT || name->kind != MMRD_PICKLE_TEXT)
		return mmrd_machine_corrupt(m, "asks for something without a name",
		                            err);
	MMRD_TRY(mmrd_pickle_global(module->u.text, module->n, name->u.text,
	                            name->n, &global, err));
	return push_plain(m, MMRD_PICKLE_GLOBAL, global, err);
}

/* The pairs of OrderedDict([[key, value], ...]), flat. */
static mmrd_status
append_pairs(mmrd_machine *m, const mmrd_pickle_value *arguments,
             mmrd_pickle_value *dict, mmrd_error *err)
{
	const mmrd_pickle_value *list = mmrd_pickle_child(m->pickle, arguments, 0);
	const mmrd_pickle_value *pair;
	uint32_t cell = list->u.children.first;

	while ((pair = mmrd_pickle_next(m->pickle, &cell)) != NULL)
	{
		const mmrd_pickle_cell key = m->pickle->cells[pair->u.children.first];
		const uint32_t numbers[2] = {key.value,
		                             m->pickle->cells[key.next].value};

		MMRD_TRY(mmrd_machine_append(m, dict, numbers, 2, err));
	}
	return MMRD_OK;
}

static mmrd_status
reduce(mmrd_machine *m, mmrd_error *err)
{
	const uint32_t *numbers;
	const mmrd_pickle_value *function;
	const mmrd_pickle_value *arguments;
	mmrd_pickle_value value;
	uint32_t same;

	MMRD_TRY(mmrd_machine_pop(m, 2, &numbers, err));
	function = mmrd_pickle_at(m->pickle, numbers[0]);
	arguments = mmrd_pickle_at(m->pickle, numbers[1]);
	MMRD_TRY(
	    mmrd_pickle_call(m->pickle, function, arguments, &value, &same, err));
	if (same != 0)
		return mmrd_machine_push_number(m, same, err);
	if (value.kind == MMRD_PICKLE_DICT && arguments->n == 1)
		MMRD_TRY(append_pairs(m, arguments, &value, err));
	return mmrd_machine_push(m, &value, err);
}

/* Attributes of an object, which stays on the stack; they are not kept. */
static mmrd_status
build(mmrd_machine *m, mmrd_error *err)
{
	const uint32_t *numbers;
	uint32_t object;

	MMRD_TRY(mmrd_machine_pop(m, 2, &numbers, err));
	object = numbers[0];
	MMRD_TRY(
	    mmrd_pickle_attributes(m->pickle, mmrd_pickle_at(m->pickle, object),
	                           mmrd_pickle_at(m->pickle, numbers[1]), err));
	return mmrd_machine_push_number(m, object, err);
}

static mmrd_status
persistent(mmrd_machine *m, mmrd_error *err)
{
	const uint32_t *numbers;
	mmrd_pickle_value value;

	MMRD_TRY(mmrd_machine_pop(m, 1, &numbers, err));
	MMRD_TRY(mmrd_pickle_persistent(
	    m->pickle, mmrd_pickle_at(m->pickle, numbers[0]), &value, err));
	return mmrd_machine_push(m, &value, err);
}

/* Items in brackets, or n of them, into the container below. */
static mmrd_status
add_items(mmrd_machine *m, mmrd_pickle_kind kind, uint32_t n, mmrd_error *err)
{
	const uint32_t *numbers;
	mmrd_pickle_value *container;

	if (n > 0)
		MMRD_TRY(mmrd_machine_pop(m, n, &numbers, err));
	else
		MMRD_TRY(mmrd_machine_pop_bracket(m, &numbers, &n, err));
	if (kind == MMRD_PICKLE_DICT && n % 2 != 0)
		return mmrd_machine_corrupt(m, "has a dictionary key without a value",
		                            err);
	MMRD_TRY(mmrd_machine_top(m, kind, &container, err));
	return mmrd_machine_append(m, container, numbers, n, err);
}

static mmrd_status
unknown_opcode(const mmrd_machine *m, uint8_t op, mmrd_error *err)
{
	mmrd_fail(err, MMRD_UNSUPPORTED,
	          "weights file uses pickle opcode %s (0x%02x), which is refused",
	          mmrd_pickle_opcode_name(op), op);
	mmrd_detail(err, "At byte %zu of the pickle.", m->at - 1);
	return mmrd_hint(err, "Save the state dict alone, "
	                      "torch.save(model.state_dict(), path), or as "
	                      "safetensors.");
}

/* Opcodes that push a number, a text or an empty container. */
static mmrd_status
step_plain(mmrd_machine *m, uint8_t op, mmrd_error *err)
{
	uint64_t n = 0;

	switch (op)
	{
		case OP_NONE:
			return push_plain(m, MMRD_PICKLE_NONE, 0, err);
		case OP_NEWTRUE:
		case OP_NEWFALSE:
			return push_plain(m, MMRD_PICKLE_BOOL, op == OP_NEWTRUE, err);
		case OP_BININT:
			MMRD_TRY(mmrd_machine_take_number(m, 4, &n, err));
			return push_plain(m, MMRD_PICKLE_INT, (int32_t) (uint32_t) n, err);
		case OP_BININT1:
			MMRD_TRY(mmrd_machine_take_number(m, 1, &n, err));
			return push_plain(m, MMRD_PICKLE_INT, (int64_t) n, err);
		case OP_BININT2:
			MMRD_TRY(mmrd_machine_take_number(m, 2, &n, err));
			return push_plain(m, MMRD_PICKLE_INT, (int64_t) n, err);
		case OP_LONG1:
			return push_long(m, err);
		case OP_BINFLOAT:
			MMRD_TRY(mmrd_machine_take_number(m, 8, &n, err));
			return push_plain(m, MMRD_PICKLE_FLOAT, 0, err);
		case OP_SHORT_BINSTRING:
		case OP_SHORT_BINUNICODE:
			return push_text(m, MMRD_PICKLE_TEXT, 1, err);
		case OP_BINSTRING:
		case OP_BINUNICODE:
			return push_text(m, MMRD_PICKLE_TEXT, 4, err);
		case OP_BINUNICODE8:
			return push_text(m, MMRD_PICKLE_TEXT, 8, err);
		case OP_SHORT_BINBYTES:
			return push_text(m, MMRD_PICKLE_BYTES, 1, err);
		case OP_BINBYTES:
			return push_text(m, MMRD_PICKLE_BYTES, 4, err);
		case OP_BINBYTES8:
			return push_text(m, MMRD_PICKLE_BYTES, 8, err);
		case OP_EMPTY_TUPLE:
			return push_container(m, MMRD_PICKLE_TUPLE, err);
		case OP_EMPTY_LIST:
			return push_container(m, MMRD_PICKLE_LIST, err);
		case OP_EMPTY_DICT:
			return push_container(m, MMRD_PICKLE_DICT, err);
		default:
			return unknown_opcode(m, op, err);
	}
}

/* Opcodes that use what is on the stack or in the memo. */
static mmrd_status
step(mmrd_machine *m, uint8_t op, mmrd_error *err)
{
	const uint32_t *numbers;
	uint32_t n_numbers;
	uint64_t n = 0;

	switch (op)
	{
		case OP_FRAME:
			return mmrd_machine_take_number(m, 8, &n,
			                                err); /* frames do not matter */
		case OP_MARK:
			return mmrd_machine_open(m, err);
		case OP_TUPLE:
			MMRD_TRY(mmrd_machine_pop_bracket(m, &numbers, &n_numbers, err));
			return push_tuple(m, numbers, n_numbers, err);
		case OP_TUPLE1:
		case OP_TUPLE2:
		case OP_TUPLE3:
			return push_small_tuple(m, op - OP_TUPLE1 + 1u, err);
		case OP_APPEND:
			return add_items(m, MMRD_PICKLE_LIST, 1, err);
		case OP_APPENDS:
			return add_items(m, MMRD_PICKLE_LIST, 0, err);
		case OP_SETITEM:
			return add_items(m, MMRD_PICKLE_DICT, 2, err);
		case OP_SETITEMS:
			return add_items(m, MMRD_PICKLE_DICT, 0, err);
		case OP_GLOBAL:
			return push_global(m, err);
		case OP_STACK_GLOBAL:
			return push_stack_global(m, err);
		case OP_REDUCE:
			return reduce(m, err);
		case OP_BUILD:
			return build(m, err);
		case OP_BINPERSID:
			return persistent(m, err);
		case OP_BINPUT:
			MMRD_TRY(mmrd_machine_take_number(m, 1, &n, err));
			return mmrd_machine_put(m, n, err);
		case OP_LONG_BINPUT:
			MMRD_TRY(mmrd_machine_take_number(m, 4, &n, err));
			return mmrd_machine_put(m, n, err);
		case OP_MEMOIZE:
			return mmrd_machine_put(m, m->n_memo, err);
		case OP_BINGET:
			MMRD_TRY(mmrd_machine_take_number(m, 1, &n, err));
			return mmrd_machine_get(m, n, err);
		case OP_LONG_BINGET:
			MMRD_TRY(mmrd_machine_take_number(m, 4, &n, err));
			return mmrd_machine_get(m, n, err);
		default:
			return step_plain(m, op, err);
	}
}

static mmrd_status
run(mmrd_machine *m, mmrd_error *err)
{
	const uint8_t *p;
	const uint32_t *numbers;

	MMRD_TRY(mmrd_machine_take(m, 2, &p, err));
	if (p[0] != OP_PROTO || p[1] < 2 || p[1] > 5)
	{
		mmrd_fail(err, MMRD_UNSUPPORTED, "pickle is of an unknown protocol");
		return mmrd_detail(err, "It begins with %02x %02x.", p[0], p[1]);
	}
	for (;;)
	{
		MMRD_TRY(mmrd_machine_take(m, 1, &p, err));
		if (p[0] == OP_STOP)
			break;
		MMRD_TRY(step(m, p[0], err));
	}
	if (m->n_marks > 0)
		return mmrd_machine_corrupt(m, "ends inside a bracket", err);
	MMRD_TRY(mmrd_machine_pop(m, 1, &numbers, err));
	m->pickle->root = numbers[0];
	return MMRD_OK;
}

mmrd_status
mmrd_pickle_parse(mmrd_pickle *pickle, const uint8_t *bytes, size_t len,
                  size_t *used, mmrd_error *err)
{
	const size_t most = MMRD_PICKLE_MAX_BYTES;
	mmrd_machine m;
	mmrd_status st;

	st = mmrd_machine_init(&m, pickle, bytes, len < most ? len : most, err);
	if (st == MMRD_OK)
		st = run(&m, err);
	if (st == MMRD_CORRUPT_DATA && len > most)
	{
		mmrd_fail(err, MMRD_LIMIT_EXCEEDED, "pickle is too long");
		st = mmrd_detail(err, "At most %zu bytes are read.", most);
	}
	*used = m.at;
	mmrd_machine_clear(&m);
	if (st != MMRD_OK)
		mmrd_pickle_clear(pickle);
	return st;
}
