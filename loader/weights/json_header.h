/*
 * loader/weights/json_header.h
 *	  The JSON header of a safetensors file.
 */
#ifndef MMRD_JSON_HEADER_H
#define MMRD_JSON_HEADER_H

#include <stddef.h>
#include <stdint.h>

#include "model/base/status.h"
#include "model/base/tensor.h"

/* One tensor as the header declares it; nothing is checked against data. */
typedef struct mmrd_json_tensor
{
	const char *name;
	const char *dtype;           /* "F32", ... */
	int n_dims;                  /* may exceed MMRD_MAX_DIMS */
	int64_t dims[MMRD_MAX_DIMS]; /* the first of them; not negative */
	size_t count;                /* product of all of them */
	uint64_t begin;              /* bytes, from the end of the header */
	uint64_t end;
} mmrd_json_tensor;

/* Called in the order of the header; a failure ends the walk. */
typedef struct mmrd_json_visitor
{
	void *context;
	mmrd_status (*tensor)(void *context, const mmrd_json_tensor *tensor,
	                      mmrd_error *err);
	mmrd_status (*metadata)(void *context, const char *key, const char *value,
	                        mmrd_error *err);
} mmrd_json_visitor;

/*
 * Parse a header and hand out what it lists; the strings live until this
 * returns.  Allocates len bytes.
 *
 * A tensor listed twice is handed out twice, and so is a key of the metadata;
 * everything else that occurs twice is refused.
 *
 * Returns MMRD_CORRUPT_DATA (not JSON, a missing or mistyped key),
 * MMRD_UNSUPPORTED (an unknown key), MMRD_NO_MEMORY, or what the visitor
 * returned.
 */
mmrd_status mmrd_json_header_parse(const char *json, size_t len,
                                   const mmrd_json_visitor *visitor,
                                   mmrd_error *err);

/* A key of __metadata__ and its text, both UTF-8. */
typedef struct mmrd_json_text
{
	const char *key;
	const char *value;
} mmrd_json_text;

/*
 * The header that says all this, in the order given; the tensors' names have
 * been checked.  *json has *len bytes, no final zero, and belongs to the
 * caller, who releases it with free(); NULL on failure.
 *
 * Returns MMRD_INVALID_ARGUMENT for a text that is not UTF-8 or a key that
 * occurs twice; MMRD_NO_MEMORY.
 */
mmrd_status mmrd_json_header_build(const mmrd_json_tensor *tensors,
                                   int n_tensors, const mmrd_json_text *texts,
                                   int n_texts, char **json, size_t *len,
                                   mmrd_error *err);

#endif /* MMRD_JSON_HEADER_H */
