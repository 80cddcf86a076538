/*
 * loader/weights/json_header_build.c
 *	  Writing the JSON header of a safetensors file.
 *
 * Written twice by the same code: without memory, to learn the length, and
 * into memory of that length.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loader/bytes/utf8.h"
#include "loader/weights/json_header.h"

typedef struct writer
{
	char *out; /* NULL: only count */
	size_t n;
} writer;

static void
put(writer *w, const char *text, size_t n)
{
	if (w->out != NULL)
		memcpy(w->out + w->n, text, n);
	w->n += n;
}

static void
put_text(writer *w, const char *text)
{
	put(w, text, strlen(text));
}

static void
put_number(writer *w, uint64_t number)
{
	char digits[24];

	snprintf(digits, sizeof(digits), "%" PRIu64, number);
	put_text(w, digits);
}

/* In quotes; UTF-8 stays as it is. */
static void
put_string(writer *w, const char *text)
{
	char escape[8];

	put(w, "\"", 1);
	for (const char *p = text; *p != '\0'; p++)
		if (*p == '"' || *p == '\\')
		{
			put(w, "\\", 1);
			put(w, p, 1);
		}
		else if ((unsigned char) *p < ' ')
		{
			snprintf(escape, sizeof(escape), "\\u%04x", (unsigned) *p);
			put_text(w, escape);
		}
		else
			put(w, p, 1);
	put(w, "\"", 1);
}

static void
put_tensor(writer *w, const mmrd_json_tensor *tensor)
{
	put_string(w, tensor->name);
	put_text(w, ":{\"dtype\":");
	put_string(w, tensor->dtype);
	put_text(w, ",\"shape\":[");
	for (int i = 0; i < tensor->n_dims; i++)
	{
		put(w, ",", i > 0);
		put_number(w, (uint64_t) tensor->dims[i]);
	}
	put_text(w, "],\"data_offsets\":[");
	put_number(w, tensor->begin);
	put(w, ",", 1);
	put_number(w, tensor->end);
	put_text(w, "]}");
}

static void
put_header(writer *w, const mmrd_json_tensor *tensors, int n_tensors,
           const mmrd_json_text *texts, int n_texts)
{
	put(w, "{", 1);
	if (n_texts > 0)
	{
		put_text(w, "\"__metadata__\":{");
		for (int i = 0; i < n_texts; i++)
		{
			put(w, ",", i > 0);
			put_string(w, texts[i].key);
			put(w, ":", 1);
			put_string(w, texts[i].value);
		}
		put(w, "}", 1);
		put(w, ",", n_tensors > 0);
	}
	for (int i = 0; i < n_tensors; i++)
	{
		put(w, ",", i > 0);
		put_tensor(w, &tensors[i]);
	}
	put(w, "}", 1);
}

static bool
is_utf8(const char *text)
{
	return mmrd_utf8_valid((const uint8_t *) text, strlen(text));
}

static mmrd_status
check_texts(const mmrd_json_text *texts, int n, mmrd_error *err)
{
	for (int i = 0; i < n; i++)
	{
		if (!is_utf8(texts[i].key) || !is_utf8(texts[i].value))
			return mmrd_fail(err, MMRD_INVALID_ARGUMENT,
			                 "metadata of a safetensors file is not UTF-8");
		for (int k = 0; k < i; k++)
			if (strcmp(texts[i].key, texts[k].key) == 0)
				return mmrd_fail(err, MMRD_INVALID_ARGUMENT,
				                 "metadata of a safetensors file has a key "
				                 "twice");
	}
	return MMRD_OK;
}

mmrd_status
mmrd_json_header_build(const mmrd_json_tensor *tensors, int n_tensors,
                       const mmrd_json_text *texts, int n_texts, char **json,
                       size_t *len, mmrd_error *err)
{
	writer w = {NULL, 0};

	*json = NULL;
	*len = 0;
	MMRD_TRY(check_texts(texts, n_texts, err));
	put_header(&w, tensors, n_tensors, texts, n_texts);
	w.out = malloc(w.n);
	if (w.out == NULL)
		return mmrd_fail_memory(err, (double) w.n);
	*len = w.n;
	w.n = 0;
	put_header(&w, tensors, n_tensors, texts, n_texts);
	*json = w.out;
	return MMRD_OK;
}
