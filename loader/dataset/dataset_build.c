/*
 * loader/dataset/dataset_build.c
 *	  What the walkers of the three layouts share.
 */
#include "loader/dataset/dataset_build.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *
mmrd_text_print(const char *fmt, ...)
{
	va_list args;
	char *text;
	int n;

	va_start(args, fmt);
	n = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	text = n < 0 ? NULL : malloc((size_t) n + 1);
	if (text == NULL)
		return NULL;
	va_start(args, fmt);
	vsnprintf(text, (size_t) n + 1, fmt, args);
	va_end(args);
	return text;
}

/* Make room for one more item; *items is unchanged on failure. */
static mmrd_status
grow(void **items, size_t n, size_t *room, size_t item_bytes, mmrd_error *err)
{
	const size_t wanted = *room < 32 ? 32 : *room * 2;
	void *grown;

	if (n < *room)
		return MMRD_OK;
	grown = wanted > SIZE_MAX / item_bytes
	            ? NULL
	            : realloc(*items, wanted * item_bytes);
	if (grown == NULL)
		return mmrd_fail_memory(err, (double) wanted * (double) item_bytes);
	*items = grown;
	*room = wanted;
	return MMRD_OK;
}

/* Bytes of the UTF-8 character at p (which ends with a zero), 0: invalid. */
static int
utf8_character(const unsigned char *p)
{
	static const unsigned least[] = {0, 0, 0x80, 0x800, 0x10000};
	const int n = p[0] < 0x80           ? 1
	              : (p[0] >> 5) == 0x06 ? 2
	              : (p[0] >> 4) == 0x0e ? 3
	              : (p[0] >> 3) == 0x1e ? 4
	                                    : 0;
	unsigned code = n > 1 ? p[0] & (0x7fu >> n) : p[0];

	for (int i = 1; i < n; i++)
	{
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (p[i] & 0x3fu);
	}
	if (n > 1 && (code < least[n] || code > 0x10ffff ||
	              (code >= 0xd800 && code < 0xe000)))
		return 0;
	return n;
}

/* UTF-8 without control characters: what a text column takes and shows. */
static bool
is_text(const char *s)
{
	const unsigned char *p = (const unsigned char *) s;

	while (*p != '\0')
	{
		const int n = utf8_character(p);

		if (n == 0 || *p < ' ' || *p == 0x7f ||
		    (n == 2 && p[0] == 0xc2 && p[1] < 0xa0))
			return false;
		p += n;
	}
	return true;
}

static bool
copy_text(char **to, const char *from)
{
	*to = from != NULL ? strdup(from) : NULL;
	return *to != NULL || from == NULL;
}

mmrd_status
mmrd_dataset_add(mmrd_dataset_builder *b, const mmrd_scan *scan,
                 mmrd_error *err)
{
	mmrd_dataset *set = b->set;
	mmrd_scan *to;
	bool copied;

	/* The id contains the category, the split and the defect's folder. */
	if (!is_text(scan->id) || !is_text(scan->category))
		return mmrd_dataset_problem(b, scan->path[MMRD_SCAN_RGB], err,
		                            "its name is not UTF-8 text");
	MMRD_TRY(grow((void **) &set->scans, set->n_scans, &b->scan_room,
	              sizeof(*set->scans), err));
	to = &set->scans[set->n_scans++];
	*to = *scan;
	copied = copy_text(&to->id, scan->id);
	copied &= copy_text(&to->category, scan->category);
	copied &= copy_text(&to->split, scan->split);
	copied &= copy_text(&to->defect, scan->defect);
	for (int r = 0; r < MMRD_SCAN_ROLES; r++)
	{
		copied &= copy_text(&to->path[r], scan->path[r]);
		set->has[r] |= scan->path[r] != NULL;
	}
	return copied ? MMRD_OK : mmrd_fail_memory(err, 0);
}

mmrd_status
mmrd_dataset_problem(mmrd_dataset_builder *b, const char *path,
                     mmrd_error *err, const char *fmt, ...)
{
	mmrd_dataset *set = b->set;
	char message[480]; /* message and detail of an mmrd_error, and more */
	mmrd_scan_problem *to;
	va_list args;

	va_start(args, fmt);
	vsnprintf(message, sizeof(message), fmt, args);
	va_end(args);
	MMRD_TRY(grow((void **) &set->problems, set->n_problems, &b->problem_room,
	              sizeof(*set->problems), err));
	to = &set->problems[set->n_problems++];
	to->path = strdup(path);
	to->message = strdup(message);
	return to->path != NULL && to->message != NULL ? MMRD_OK
	                                               : mmrd_fail_memory(err, 0);
}

mmrd_status
mmrd_dataset_tolerate(mmrd_dataset_builder *b, const char *path,
                      mmrd_error *err)
{
	const mmrd_error failure = *err;

	switch (failure.status)
	{
		case MMRD_CORRUPT_DATA:
		case MMRD_UNSUPPORTED:
		case MMRD_IO_ERROR:
			break;
		case MMRD_LIMIT_EXCEEDED: /* of one file, or of the whole set */
			if (b->budget == 0)
				return failure.status;
			break;
		default:
			return failure.status;
	}
	memset(err, 0, sizeof(*err));
	return mmrd_dataset_problem(b, path, err, "%s%s%s", failure.message,
	                            failure.detail[0] ? ": " : "", failure.detail);
}

mmrd_status
mmrd_dataset_list(mmrd_dataset_builder *b, const char *path, mmrd_folder *out,
                  mmrd_error *err)
{
	return mmrd_folder_read(path, &b->budget, b->set->options.stop, out, err);
}

mmrd_status
mmrd_dataset_list_if_possible(mmrd_dataset_builder *b, const char *path,
                              mmrd_folder *out, mmrd_error *err)
{
	const mmrd_status st = mmrd_dataset_list(b, path, out, err);

	return st == MMRD_OK ? st : mmrd_dataset_tolerate(b, path, err);
}

mmrd_status
mmrd_claims_add(mmrd_claims *claims, const char *scan, int part, char *path,
                mmrd_error *err)
{
	char *copy = path != NULL ? strdup(scan) : NULL;
	mmrd_status st;

	if (copy == NULL)
		st = mmrd_fail_memory(err, (double) strlen(scan));
	else
		st = grow((void **) &claims->items, claims->n, &claims->room,
		          sizeof(*claims->items), err);
	if (st != MMRD_OK)
	{
		free(copy);
		free(path);
		return st;
	}
	claims->items[claims->n++] = (mmrd_claim){copy, part, path};
	return MMRD_OK;
}

static int
by_scan(const void *a, const void *b)
{
	const mmrd_claim *x = a;
	const mmrd_claim *y = b;
	const int order = strcmp(x->scan, y->scan);

	if (order != 0)
		return order;
	return x->part != y->part ? x->part - y->part : strcmp(x->path, y->path);
}

void
mmrd_claims_sort(mmrd_claims *claims)
{
	if (claims->n > 1)
		qsort(claims->items, claims->n, sizeof(*claims->items), by_scan);
}

bool
mmrd_claims_next(const mmrd_claims *claims, size_t *at, mmrd_claimed *out)
{
	memset(out, 0, sizeof(*out));
	if (*at == claims->n)
		return false;
	out->scan = claims->items[*at].scan;
	out->first = claims->items[*at].path;
	for (; *at < claims->n; ++*at)
	{
		const mmrd_claim *c = &claims->items[*at];

		if (strcmp(c->scan, out->scan) != 0)
			break;
		if (out->path[c->part] != NULL)
			out->twice = c->path;
		else
			out->path[c->part] = c->path;
	}
	return true;
}

void
mmrd_claims_clear(mmrd_claims *claims)
{
	for (size_t i = 0; i < claims->n; i++)
	{
		free(claims->items[i].scan);
		free(claims->items[i].path);
	}
	free(claims->items);
	memset(claims, 0, sizeof(*claims));
}
