/*
 * tests/unit/test_pickle.c
 *	  The opcodes one by one, and what they leave behind.
 *
 * A value is shown as text: None True False 12 1.0 "text" b"bytes" (tuple)
 * [list] {key: value} <global> S(storage ...) T(tensor ...).
 */
#include "loader/weights/pickle.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/check.h"

typedef struct printer
{
	char text[1024];
	size_t n;
} printer;

static void
put(printer *p, const char *text, size_t n)
{
	if (n > sizeof(p->text) - 1 - p->n)
		n = sizeof(p->text) - 1 - p->n;
	memcpy(p->text + p->n, text, n);
	p->n += n;
	p->text[p->n] = '\0';
}

static void show(printer *p, const mmrd_pickle *pickle,
                 const mmrd_pickle_value *v, int depth);

static void
show_children(printer *p, const mmrd_pickle *pickle,
              const mmrd_pickle_value *v, const char *brackets, int depth)
{
	uint32_t cell = v->u.children.first;
	const mmrd_pickle_value *child;
	uint32_t n = 0;

	put(p, brackets, strlen(brackets) - 1);
	while ((child = mmrd_pickle_next(pickle, &cell)) != NULL)
	{
		if (n++ > 0)
			put(p, v->kind == MMRD_PICKLE_DICT && n % 2 == 0 ? ":" : " ", 1);
		show(p, pickle, child, depth - 1);
	}
	CHECK(n == v->n, "%u children, %u counted", n, v->n);
	put(p, brackets + strlen(brackets) - 1, 1);
}

static void
show(printer *p, const mmrd_pickle *pickle, const mmrd_pickle_value *v,
     int depth)
{
	char number[32];

	if (depth == 0)
	{
		put(p, "...", 3);
		return;
	}
	switch (v->kind)
	{
		case MMRD_PICKLE_NONE:
			put(p, "None", 4);
			break;
		case MMRD_PICKLE_BOOL:
			put(p, v->u.integer ? "True" : "False", 5 - v->u.integer);
			break;
		case MMRD_PICKLE_INT:
			snprintf(number, sizeof(number), "%" PRId64, v->u.integer);
			put(p, number, strlen(number));
			break;
		case MMRD_PICKLE_GLOBAL:
			snprintf(number, sizeof(number), "<%" PRId64 ">", v->u.integer);
			put(p, number, strlen(number));
			break;
		case MMRD_PICKLE_FLOAT:
			put(p, "float", 5);
			break;
		case MMRD_PICKLE_BIG:
		case MMRD_PICKLE_TEXT:
		case MMRD_PICKLE_BYTES:
			put(p, v->kind == MMRD_PICKLE_BIG ? "#" : "b\"",
			    v->kind == MMRD_PICKLE_BYTES ? 2 : 1);
			put(p, (const char *) v->u.text, v->n);
			put(p, "'", 1);
			break;
		case MMRD_PICKLE_TUPLE:
			show_children(p, pickle, v, "()", depth);
			break;
		case MMRD_PICKLE_LIST:
			show_children(p, pickle, v, "[]", depth);
			break;
		case MMRD_PICKLE_DICT:
			show_children(p, pickle, v, "{}", depth);
			break;
		case MMRD_PICKLE_STORAGE:
			show_children(p, pickle, v, "S()", depth);
			break;
		case MMRD_PICKLE_TENSOR:
			show_children(p, pickle, v, "T()", depth);
			break;
	}
}

/* Parse the body between protocol and stop, in a block of its own size. */
static void
parses(const char *body, size_t n, const char *want)
{
	uint8_t *bytes = malloc(n + 3);
	mmrd_pickle pickle = {0};
	mmrd_error err = {0};
	printer p = {{0}, 0};
	size_t used = 0;
	mmrd_status st;

	bytes[0] = 0x80;
	bytes[1] = 4;
	memcpy(bytes + 2, body, n);
	bytes[n + 2] = '.';
	st = mmrd_pickle_parse(&pickle, bytes, n + 3, &used, &err);
	CHECK(st == MMRD_OK, "%s: %s %s", want, err.message, err.detail);
	if (st == MMRD_OK)
	{
		CHECK(used == n + 3, "%s: used %zu of %zu", want, used, n + 3);
		show(&p, &pickle, mmrd_pickle_at(&pickle, pickle.root), 5);
		CHECK(strcmp(p.text, want) == 0, "got %s, want %s", p.text, want);
	}
	mmrd_pickle_clear(&pickle);
	CHECK(pickle.values == NULL && pickle.n_values == 0, "not cleared");
	free(bytes);
}

#define PARSES(body, want) parses(body, sizeof(body) - 1, want)

#define STORAGE                                                               \
	"(X\7\0\0\0storagectorch\nFloatStorage\nX\1\0\0\0"                        \
	"kX\3\0\0\0cpuK\4tQ"

static void
plain_values(void)
{
	PARSES("N", "None");
	PARSES("\x88", "True");
	PARSES("\x89", "False");
	PARSES("K\xff", "255");
	PARSES("M\xff\xfe", "65279");
	PARSES("J\xfe\xff\xff\xff", "-2");
	PARSES("J\xff\xff\xff\x7f", "2147483647");
	PARSES("\x8a\0", "0");
	PARSES("\x8a\1\x80", "-128");
	PARSES("\x8a\2\x80\0", "128");
	PARSES("\x8a\x08\0\0\0\0\0\0\0\x80", "-9223372036854775808");
	PARSES("\x8a\x09"
	       "123456789",
	       "#123456789'");
	PARSES("G\x3f\xf0\0\0\0\0\0\0", "float");
	PARSES("U\2ab", "bab'");
	PARSES("T\3\0\0\0abc", "babc'");
	PARSES("X\0\0\0\0", "b'");
	PARSES("\x8c\1a", "ba'");
	PARSES("\x8d\1\0\0\0\0\0\0\0a", "ba'");
	PARSES("C\1a", "b\"a'");
	PARSES("B\1\0\0\0a", "b\"a'");
	PARSES("\x8e\1\0\0\0\0\0\0\0a", "b\"a'");
	PARSES("\x95\xff\xff\xff\xff\xff\xff\xff\xffN", "None");
}

static void
containers(void)
{
	PARSES(")", "()");
	PARSES("]", "[]");
	PARSES("}", "{}");
	PARSES("(t", "()");
	PARSES("(K\1(K\2tK\3t", "(1 (2) 3)");
	PARSES("K\1\x85", "(1)");
	PARSES("K\1K\2\x86", "(1 2)");
	PARSES("K\1K\2K\3\x87", "(1 2 3)");
	PARSES("]K\1aK\2a(e(K\3K\4e", "[1 2 3 4]");
	PARSES("}K\1K\2s(u(K\3NK\5Nu", "{1:2 3:None 5:None}");
	PARSES("]q\0h\0a", "[[[[[...]]]]]");
	/* A list shared by two others, changed afterwards. */
	PARSES("]\x94\x85h\0K\7a\x86", "(([7]) [7])");
	PARSES("]r\0\1\0\0j\0\1\0\0\x86", "([] [])");
}

static void
calls(void)
{
	PARSES("ccollections\nOrderedDict\n)R", "{}");
	PARSES("ccollections\nOrderedDict\n)R(K\1K\2u}(K\5K\6ub", "{1:2}");
	PARSES("ccollections\nOrderedDict\n](](K\1K\2eK\3K\4\x86"
	       "e\x85R",
	       "{1:2 3:4}");
	PARSES("\x8c\x0b"
	       "collections\x8c\x0bOrderedDict\x93)R",
	       "{}");
	PARSES("ctorch.nn.parameter\nParameter\nctorch._utils\n"
	       "_rebuild_tensor\n(" STORAGE "K\0))tR\x85R\x88\x89N\x87"
	       "b",
	       "T(S(bstorage' <5> bk' bcpu' 4) 0 () ())");
	PARSES(STORAGE, "S(bstorage' <5> bk' bcpu' 4)");
	PARSES("ctorch._utils\n_rebuild_tensor\n(" STORAGE "K\0K\4\x85K\1\x85tR",
	       "T(S(bstorage' <5> bk' bcpu' 4) 0 (4) (1))");
	PARSES("ctorch._utils\n_rebuild_parameter\n(ctorch._utils\n"
	       "_rebuild_tensor_v2\n(" STORAGE "K\0))\x89NtR\x88NtR",
	       "T(S(bstorage' <5> bk' bcpu' 4) 0 () () False None)");
}

static void
lookups(void)
{
	static const char body[] = "\x80\2}(U\1aK\1U\2abK\2K\3K\4u.rest";
	mmrd_pickle pickle = {0};
	mmrd_error err = {0};
	size_t used = 0;
	const mmrd_pickle_value *root;
	const mmrd_pickle_value *v;

	CHECK(mmrd_pickle_parse(&pickle, (const uint8_t *) body, sizeof(body) - 1,
	                        &used, &err) == MMRD_OK,
	      "%s", err.message);
	if (pickle.root == 0)
		return;
	CHECK(used == sizeof(body) - 5, "used %zu", used);
	root = mmrd_pickle_at(&pickle, pickle.root);
	v = mmrd_pickle_get(&pickle, root, "ab");
	CHECK(v != NULL && v->u.integer == 2, "ab");
	v = mmrd_pickle_get(&pickle, root, "a");
	CHECK(v != NULL && v->u.integer == 1, "a");
	CHECK(mmrd_pickle_get(&pickle, root, "") == NULL, "no key");
	v = mmrd_pickle_child(&pickle, root, 5);
	CHECK(v != NULL && v->u.integer == 4, "the last child");
	CHECK(mmrd_pickle_child(&pickle, root, 6) == NULL, "beyond the last");
	v = mmrd_pickle_child(&pickle, root, 0);
	CHECK(mmrd_pickle_child(&pickle, v, 0) == NULL, "a child of a text");
	CHECK(mmrd_pickle_get(&pickle, v, "a") == NULL, "a key in a text");
	mmrd_pickle_clear(&pickle);
}

/* A pickle longer than the limit says so, and not that it is cut short. */
static void
too_long(void)
{
	const size_t n = (size_t) MMRD_PICKLE_MAX_BYTES + 100;
	uint8_t *bytes = calloc(n, 1);
	mmrd_pickle pickle = {0};
	mmrd_error err = {0};
	size_t used = 0;

	memcpy(bytes, "\x80\2X\xff\xff\xff\0", 7); /* 16 MB less one byte */
	CHECK(mmrd_pickle_parse(&pickle, bytes, n, &used, &err) ==
	          MMRD_LIMIT_EXCEEDED,
	      "%s", err.message);
	CHECK(pickle.values == NULL, "owns something after a failure");
	free(bytes);
}

int
main(void)
{
	plain_values();
	containers();
	calls();
	lookups();
	too_long();
	return check_result();
}
