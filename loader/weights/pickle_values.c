/*
 * loader/weights/pickle_values.c
 *	  Walking what pickle.c has matched.
 */
#include "loader/weights/pickle.h"

#include <stdlib.h>
#include <string.h>

void
mmrd_pickle_clear(mmrd_pickle *pickle)
{
	free(pickle->values);
	free(pickle->cells);
	memset(pickle, 0, sizeof(*pickle));
}

const mmrd_pickle_value *
mmrd_pickle_next(const mmrd_pickle *pickle, uint32_t *cell)
{
	const mmrd_pickle_cell *c;

	if (*cell == 0)
		return NULL;
	c = &pickle->cells[*cell];
	*cell = c->next;
	return &pickle->values[c->value];
}

/* Texts and numbers use the same memory for something else. */
static bool
has_children(const mmrd_pickle_value *value)
{
	switch (value->kind)
	{
		case MMRD_PICKLE_TUPLE:
		case MMRD_PICKLE_LIST:
		case MMRD_PICKLE_DICT:
		case MMRD_PICKLE_STORAGE:
		case MMRD_PICKLE_TENSOR:
			return true;
		default:
			return false;
	}
}

const mmrd_pickle_value *
mmrd_pickle_child(const mmrd_pickle *pickle, const mmrd_pickle_value *value,
                  uint32_t i)
{
	uint32_t cell = has_children(value) ? value->u.children.first : 0;
	const mmrd_pickle_value *child;

	do
		child = mmrd_pickle_next(pickle, &cell);
	while (child != NULL && i-- > 0);
	return child;
}

bool
mmrd_pickle_is_text(const mmrd_pickle_value *value, const char *text)
{
	return value->kind == MMRD_PICKLE_TEXT && value->n == strlen(text) &&
	       memcmp(value->u.text, text, value->n) == 0;
}

const mmrd_pickle_value *
mmrd_pickle_get(const mmrd_pickle *pickle, const mmrd_pickle_value *dict,
                const char *key)
{
	uint32_t cell =
	    dict->kind == MMRD_PICKLE_DICT ? dict->u.children.first : 0;
	const mmrd_pickle_value *k;
	const mmrd_pickle_value *v;

	while ((k = mmrd_pickle_next(pickle, &cell)) != NULL)
	{
		v = mmrd_pickle_next(pickle, &cell);
		if (mmrd_pickle_is_text(k, key))
			return v;
	}
	return NULL;
}

/* The opcodes of protocols 0 to 5 that pickle.c does not know. */
static const struct
{
	uint8_t op;
	const char *name;
} refused[] = {
    {'i', "INST"},        {'o', "OBJ"},          {0x81, "NEWOBJ"},
    {0x92, "NEWOBJ_EX"},  {'P', "PERSID"},       {0x82, "EXT1"},
    {0x83, "EXT2"},       {0x84, "EXT4"},        {'I', "INT"},
    {'L', "LONG"},        {0x8b, "LONG4"},       {'F', "FLOAT"},
    {'S', "STRING"},      {'V', "UNICODE"},      {'d', "DICT"},
    {'l', "LIST"},        {'0', "POP"},          {'1', "POP_MARK"},
    {'2', "DUP"},         {'p', "PUT"},          {'g', "GET"},
    {0x8f, "EMPTY_SET"},  {0x90, "ADDITEMS"},    {0x91, "FROZENSET"},
    {0x96, "BYTEARRAY8"}, {0x97, "NEXT_BUFFER"}, {0x98, "READONLY_BUFFER"},
    {0x80, "PROTO"},
};

const char *
mmrd_pickle_opcode_name(uint8_t op)
{
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		if (refused[i].op == op)
			return refused[i].name;
	return "unknown";
}
