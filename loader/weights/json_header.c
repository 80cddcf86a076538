/*
 * loader/weights/json_header.c
 *	  Parsing the JSON header of a safetensors file.
 *
 * Not a general parser: the header has one shape, two levels deep, and what
 * does not fit it is refused where it stands, so there is no tree, no
 * recursion and nothing to skip.  A general library was tried and dropped: it
 * needs tens of bytes for each value, and its memory exhausted in the middle
 * of a text, it ends the process (jansson 2.14, an assertion).
 *
 * Decoded strings are kept one after the other in a block as long as the
 * header: no escape is shorter than what it stands for, and the final zero
 * takes the place of a quote.
 */
#include "loader/weights/json_header.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "loader/bytes/printable.h"
#include "loader/bytes/utf8.h"
#include "model/base/checked.h"

typedef struct parser
{
	const uint8_t *json;
	size_t len;
	size_t at;
	char *strings; /* decoded ones, each with its zero */
	size_t n_strings;
	const mmrd_json_visitor *visitor;
} parser;

static mmrd_status
not_json(const parser *p, const char *expected, mmrd_error *err)
{
	mmrd_fail(err, MMRD_CORRUPT_DATA, "safetensors header is not valid JSON");
	mmrd_detail(err, "At byte %zu: expected %s.", p->at, expected);
	return MMRD_CORRUPT_DATA;
}

static mmrd_status
bad_tensor(const char *name, const char *what, mmrd_error *err)
{
	char shown[64];

	mmrd_fail(err, MMRD_CORRUPT_DATA,
	          "safetensors header describes tensor \"%s\" wrongly",
	          mmrd_printable(name, strlen(name), shown, sizeof(shown)));
	mmrd_detail(err, "%s", what);
	return MMRD_CORRUPT_DATA;
}

/* The next character that is no white space, or 0 at the end. */
static uint8_t
peek(parser *p)
{
	while (p->at < p->len &&
	       (p->json[p->at] == ' ' || p->json[p->at] == '\t' ||
	        p->json[p->at] == '\n' || p->json[p->at] == '\r'))
		p->at++;
	return p->at < p->len ? p->json[p->at] : 0;
}

/* Take it if it is this one. */
static bool
take(parser *p, char c)
{
	if (peek(p) != (uint8_t) c)
		return false;
	p->at++;
	return true;
}

/* The four digits of a \u escape; false when they are not there. */
static bool
take_hex(parser *p, uint32_t *out)
{
	*out = 0;
	if (p->len - p->at < 4)
		return false;
	for (int i = 0; i < 4; i++)
	{
		const uint8_t c = p->json[p->at++];

		if (c >= '0' && c <= '9')
			*out = *out << 4 | (uint32_t) (c - '0');
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			*out = *out << 4 | (uint32_t) ((c | 0x20) - 'a' + 10);
		else
			return false;
	}
	return true;
}

/* What follows \u: a character, or two surrogates that make one.  A zero
 * would end the text for its readers, so it is none. */
static bool
take_unicode(parser *p, uint32_t *out)
{
	uint32_t low;

	if (!take_hex(p, out) || *out == 0)
		return false;
	if (*out < 0xd800 || *out > 0xdfff)
		return true;
	if (*out > 0xdbff || p->len - p->at < 2 || p->json[p->at] != '\\' ||
	    p->json[p->at + 1] != 'u')
		return false;
	p->at += 2;
	if (!take_hex(p, &low) || low < 0xdc00 || low > 0xdfff)
		return false;
	*out = 0x10000 + ((*out - 0xd800) << 10) + (low - 0xdc00);
	return true;
}

/* What follows a backslash. */
static bool
take_escape(parser *p)
{
	static const char from[] = "\"\\/bfnrt";
	static const char to[] = "\"\\/\b\f\n\r\t";
	uint32_t character;
	const char *known;

	if (p->at == p->len)
		return false;
	if (p->json[p->at] == 'u')
	{
		p->at++;
		if (!take_unicode(p, &character))
			return false;
		p->n_strings +=
		    mmrd_utf8_write(character, (uint8_t *) p->strings + p->n_strings);
		return true;
	}
	known = memchr(from, p->json[p->at], sizeof(from) - 1);
	if (known == NULL)
		return false;
	p->at++;
	p->strings[p->n_strings++] = to[known - from];
	return true;
}

static mmrd_status
take_string(parser *p, const char **out, mmrd_error *err)
{
	*out = p->strings + p->n_strings;
	if (!take(p, '"'))
		return not_json(p, "a string", err);
	while (p->at < p->len && p->json[p->at] != '"')
	{
		size_t n;

		if (p->json[p->at] == '\\')
		{
			p->at++;
			if (!take_escape(p))
				return not_json(p, "an escape", err);
			continue;
		}
		n = mmrd_utf8_length(p->json + p->at, p->len - p->at);
		if (n == 0 || p->json[p->at] < ' ')
			return not_json(p, "a character in UTF-8", err);
		memcpy(p->strings + p->n_strings, p->json + p->at, n);
		p->n_strings += n;
		p->at += n;
	}
	if (p->at == p->len)
		return not_json(p, "a quote", err);
	p->at++;
	p->strings[p->n_strings++] = '\0';
	return MMRD_OK;
}

/* A whole number from 0 to 2^63 - 1; false for anything else. */
static bool
take_whole(parser *p, uint64_t *out)
{
	const bool zero = peek(p) == '0'; /* then it is the only digit */
	const size_t start = p->at;
	uint8_t c;

	*out = 0;
	while (p->at < p->len && p->json[p->at] >= '0' && p->json[p->at] <= '9')
	{
		const uint64_t digit = (uint64_t) (p->json[p->at] - '0');

		if (*out > (INT64_MAX - digit) / 10)
			return false;
		*out = *out * 10 + digit;
		p->at++;
	}
	if (p->at == start || (zero && p->at > start + 1))
		return false;
	c = p->at < p->len ? p->json[p->at] : 0;
	return c != '.' && c != 'e' && c != 'E';
}

static mmrd_status
take_shape(parser *p, mmrd_json_tensor *tensor, mmrd_error *err)
{
	uint64_t dim;

	tensor->count = 1;
	if (!take(p, '['))
		return bad_tensor(tensor->name, "Its shape is not an array.", err);
	if (take(p, ']'))
		return MMRD_OK;
	do
	{
		if (!take_whole(p, &dim))
			return bad_tensor(tensor->name,
			                  "A dimension is not a whole number.", err);
		if (tensor->n_dims < MMRD_MAX_DIMS)
			tensor->dims[tensor->n_dims] = (int64_t) dim;
		tensor->n_dims++;
		if (dim > SIZE_MAX ||
		    !mmrd_size_mul(tensor->count, (size_t) dim, &tensor->count))
			return bad_tensor(tensor->name,
			                  "Its number of elements exceeds 64 bits.", err);
	} while (take(p, ','));
	return take(p, ']') ? MMRD_OK : not_json(p, "a bracket or a comma", err);
}

static mmrd_status
take_offsets(parser *p, mmrd_json_tensor *tensor, mmrd_error *err)
{
	if (!take(p, '[') || !take_whole(p, &tensor->begin) || !take(p, ',') ||
	    !take_whole(p, &tensor->end) || !take(p, ']'))
		return bad_tensor(tensor->name,
		                  "Its data_offsets are not two whole numbers.", err);
	return MMRD_OK;
}

/* One of the three keys of a tensor; *seen has a bit for each. */
static mmrd_status
take_property(parser *p, mmrd_json_tensor *tensor, unsigned *seen,
              mmrd_error *err)
{
	static const char *const keys[] = {"dtype", "shape", "data_offsets"};
	const char *key;
	unsigned k = 0;

	MMRD_TRY(take_string(p, &key, err));
	if (!take(p, ':'))
		return not_json(p, "a colon", err);
	while (k < 3 && strcmp(key, keys[k]) != 0)
		k++;
	if (k == 3)
	{
		bad_tensor(tensor->name,
		           "It has a key besides dtype, shape, data_offsets.", err);
		err->status = MMRD_UNSUPPORTED;
		return MMRD_UNSUPPORTED;
	}
	if (*seen & 1u << k)
		return bad_tensor(tensor->name, "It has a key twice.", err);
	*seen |= 1u << k;
	if (k == 1)
		return take_shape(p, tensor, err);
	if (k == 2)
		return take_offsets(p, tensor, err);
	if (peek(p) != '"')
		return bad_tensor(tensor->name, "Its dtype is not a text.", err);
	return take_string(p, &tensor->dtype, err);
}

static mmrd_status
take_tensor(parser *p, const char *name, mmrd_error *err)
{
	mmrd_json_tensor tensor = {0};
	unsigned seen = 0;

	tensor.name = name;
	if (!take(p, '{'))
		return bad_tensor(name, "It is not an object.", err);
	if (!take(p, '}'))
	{
		do
			MMRD_TRY(take_property(p, &tensor, &seen, err));
		while (take(p, ','));
		if (!take(p, '}'))
			return not_json(p, "a brace or a comma", err);
	}
	if (seen != 7)
		return bad_tensor(name, "It lacks dtype, shape or data_offsets.", err);
	return p->visitor->tensor(p->visitor->context, &tensor, err);
}

static mmrd_status
take_metadata(parser *p, mmrd_error *err)
{
	if (!take(p, '{'))
		return mmrd_fail(err, MMRD_CORRUPT_DATA,
		                 "safetensors metadata is not an object");
	if (take(p, '}'))
		return MMRD_OK;
	do
	{
		const char *key;
		const char *value;

		MMRD_TRY(take_string(p, &key, err));
		if (!take(p, ':'))
			return not_json(p, "a colon", err);
		if (peek(p) != '"')
			return mmrd_fail(err, MMRD_CORRUPT_DATA,
			                 "safetensors metadata holds something that is "
			                 "not a string");
		MMRD_TRY(take_string(p, &value, err));
		MMRD_TRY(p->visitor->metadata(p->visitor->context, key, value, err));
	} while (take(p, ','));
	return take(p, '}') ? MMRD_OK : not_json(p, "a brace or a comma", err);
}

static mmrd_status
take_header(parser *p, mmrd_error *err)
{
	bool metadata_seen = false;

	if (!take(p, '{'))
		return mmrd_fail(err, MMRD_CORRUPT_DATA,
		                 "safetensors header is not an object");
	if (!take(p, '}'))
	{
		do
		{
			const char *key;

			MMRD_TRY(take_string(p, &key, err));
			if (!take(p, ':'))
				return not_json(p, "a colon", err);
			if (strcmp(key, "__metadata__") != 0)
				MMRD_TRY(take_tensor(p, key, err));
			else if (metadata_seen)
				return mmrd_fail(err, MMRD_CORRUPT_DATA,
				                 "safetensors metadata occurs more than "
				                 "once");
			else
			{
				metadata_seen = true;
				MMRD_TRY(take_metadata(p, err));
			}
		} while (take(p, ','));
		if (!take(p, '}'))
			return not_json(p, "a brace or a comma", err);
	}
	peek(p);
	return p->at == p->len ? MMRD_OK : not_json(p, "nothing more", err);
}

mmrd_status
mmrd_json_header_parse(const char *json, size_t len,
                       const mmrd_json_visitor *visitor, mmrd_error *err)
{
	parser p = {(const uint8_t *) json, len, 0, NULL, 0, visitor};
	mmrd_status st;

	p.strings = malloc(len > 0 ? len : 1);
	if (p.strings == NULL)
		return mmrd_fail_memory(err, (double) len);
	st = take_header(&p, err);
	free(p.strings);
	return st;
}
