/*
 * loader/weights/json_header.c
 *	  The only file that includes jansson.h.
 *
 * jansson builds a tree of everything it reads, tens of bytes for each value,
 * so a header of brackets and commas could cost far more memory than its own
 * size.  Before parsing we count the characters that begin a value and refuse
 * more than the allowed number of tensors can need.  Depth is bounded by
 * jansson itself (2,048).
 */
#include "loader/weights/json_header.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "loader/bytes/printable.h"
#include "model/base/checked.h"

enum
{
	/* Per tensor: its brace and comma, 3 colons, 2 commas, 2 brackets and
	 * their commas are about 12 for 4 dimensions. */
	MARKS_PER_TENSOR = 24,
	MARKS_OF_METADATA = 4096 /* inside its texts, too */
};

static mmrd_status
check_marks(const char *json, size_t len, int max_tensors, mmrd_error *err)
{
	const size_t most =
	    (size_t) max_tensors * MARKS_PER_TENSOR + MARKS_OF_METADATA;
	size_t n = 0;

	for (size_t i = 0; i < len; i++)
	{
		const char c = json[i];

		n += c == ',' || c == ':' || c == '[' || c == '{';
	}
	if (n > most)
	{
		mmrd_fail(err, MMRD_LIMIT_EXCEEDED,
		          "safetensors header lists too much");
		return mmrd_detail(err, "At most %d tensors are allowed.",
		                   max_tensors);
	}
	return MMRD_OK;
}

static mmrd_status
bad_tensor(const char *name, const char *what, mmrd_error *err)
{
	char shown[64];

	mmrd_fail(err, MMRD_CORRUPT_DATA,
	          "safetensors header describes tensor \"%s\" wrongly",
	          mmrd_printable(name, strlen(name), shown, sizeof(shown)));
	return mmrd_detail(err, "%s", what);
}

static mmrd_status
read_shape(const json_t *shape, mmrd_json_tensor *tensor, mmrd_error *err)
{
	const size_t n = json_array_size(shape);

	if (!json_is_array(shape))
		return bad_tensor(tensor->name, "Its shape is not an array.", err);
	if (n > INT32_MAX)
		return bad_tensor(tensor->name, "Its shape is too long.", err);
	tensor->n_dims = (int) n;
	tensor->count = 1;
	for (size_t i = 0; i < n; i++)
	{
		const json_t *dim = json_array_get(shape, i);
		const json_int_t value = json_integer_value(dim);

		if (!json_is_integer(dim) || value < 0)
			return bad_tensor(tensor->name,
			                  "A dimension is not a whole number.", err);
		if (i < MMRD_MAX_DIMS)
			tensor->dims[i] = value;
		if ((uint64_t) value > SIZE_MAX ||
		    !mmrd_size_mul(tensor->count, (size_t) value, &tensor->count))
			return bad_tensor(tensor->name,
			                  "Its number of elements exceeds 64 bits.", err);
	}
	return MMRD_OK;
}

static mmrd_status
read_offsets(const json_t *offsets, mmrd_json_tensor *tensor, mmrd_error *err)
{
	const json_t *begin = json_array_get(offsets, 0);
	const json_t *end = json_array_get(offsets, 1);

	if (json_array_size(offsets) != 2 || !json_is_integer(begin) ||
	    !json_is_integer(end) || json_integer_value(begin) < 0 ||
	    json_integer_value(end) < 0)
		return bad_tensor(tensor->name,
		                  "Its data_offsets are not two whole numbers.", err);
	tensor->begin = (uint64_t) json_integer_value(begin);
	tensor->end = (uint64_t) json_integer_value(end);
	return MMRD_OK;
}

static mmrd_status
visit_tensor(const char *name, json_t *value, const mmrd_json_visitor *visitor,
             mmrd_error *err)
{
	mmrd_json_tensor tensor = {0};
	const json_t *shape = json_object_get(value, "shape");
	const json_t *offsets = json_object_get(value, "data_offsets");

	tensor.name = name;
	tensor.dtype = json_string_value(json_object_get(value, "dtype"));
	if (!json_is_object(value) || tensor.dtype == NULL || shape == NULL ||
	    offsets == NULL)
		return bad_tensor(name, "It lacks dtype, shape or data_offsets.", err);
	if (json_object_size(value) != 3)
	{
		bad_tensor(name, "It has a key besides dtype, shape, data_offsets.",
		           err);
		err->status = MMRD_UNSUPPORTED;
		return err->status;
	}
	MMRD_TRY(read_shape(shape, &tensor, err));
	MMRD_TRY(read_offsets(offsets, &tensor, err));
	return visitor->tensor(visitor->context, &tensor, err);
}

static mmrd_status
visit_metadata(json_t *metadata, const mmrd_json_visitor *visitor,
               mmrd_error *err)
{
	const char *key;
	json_t *value;

	if (!json_is_object(metadata))
		return mmrd_fail(err, MMRD_CORRUPT_DATA,
		                 "safetensors metadata is not an object");
	json_object_foreach(metadata, key, value)
	{
		if (!json_is_string(value))
			return mmrd_fail(err, MMRD_CORRUPT_DATA,
			                 "safetensors metadata holds something that is "
			                 "not a string");
		MMRD_TRY(visitor->metadata(visitor->context, key,
		                           json_string_value(value), err));
	}
	return MMRD_OK;
}

static mmrd_status
parse_failed(const json_error_t *problem, mmrd_error *err)
{
	char shown[JSON_ERROR_TEXT_LENGTH];

	if (json_error_code(problem) == json_error_out_of_memory)
		return mmrd_fail_memory(err, 0);
	mmrd_fail(err, MMRD_CORRUPT_DATA, "safetensors header is not valid JSON");
	return mmrd_detail(err, "At byte %d: %s.", problem->position,
	                   mmrd_printable(problem->text, strlen(problem->text),
	                                  shown, sizeof(shown)));
}

mmrd_status
mmrd_json_header_parse(const char *json, size_t len, int max_tensors,
                       const mmrd_json_visitor *visitor, mmrd_error *err)
{
	mmrd_status st = MMRD_OK;
	json_error_t problem;
	json_t *root;
	const char *key;
	json_t *value;

	MMRD_TRY(check_marks(json, len, max_tensors, err));
	root = json_loadb(json, len, JSON_REJECT_DUPLICATES, &problem);
	if (root == NULL)
		return parse_failed(&problem, err);
	if (!json_is_object(root))
		st = mmrd_fail(err, MMRD_CORRUPT_DATA,
		               "safetensors header is not an object");
	else
		json_object_foreach(root, key, value)
		{
			if (strcmp(key, "__metadata__") == 0)
				st = visit_metadata(value, visitor, err);
			else
				st = visit_tensor(key, value, visitor, err);
			if (st != MMRD_OK)
				break;
		}
	json_decref(root);
	return st;
}

/* Give value to the object under key; takes value over, which may be NULL. */
static mmrd_status
add(json_t *object, const char *key, json_t *value, mmrd_error *err)
{
	if (value == NULL)
		return mmrd_fail_memory(err, 0);
	if (json_object_get(object, key) != NULL)
	{
		json_decref(value);
		return mmrd_fail(err, MMRD_INVALID_ARGUMENT,
		                 "\"%s\" occurs twice in a safetensors header", key);
	}
	if (json_object_set_new_nocheck(object, key, value) != 0)
		return mmrd_fail_memory(err, 0);
	return MMRD_OK;
}

static mmrd_status
add_texts(json_t *root, const mmrd_json_text *texts, int n, mmrd_error *err)
{
	json_t *metadata = json_object();

	MMRD_TRY(add(root, "__metadata__", metadata, err));
	for (int i = 0; i < n; i++)
	{
		json_t *value = json_string(texts[i].value);
		json_t *key = json_string(texts[i].key);

		json_decref(key);
		if (value == NULL || key == NULL)
		{
			json_decref(value);
			return mmrd_fail(err, MMRD_INVALID_ARGUMENT,
			                 "metadata of a safetensors file is not UTF-8");
		}
		MMRD_TRY(add(metadata, texts[i].key, value, err));
	}
	return MMRD_OK;
}

static mmrd_status
add_tensor(json_t *root, const mmrd_json_tensor *tensor, mmrd_error *err)
{
	json_t *shape = json_array();
	json_t *value;

	for (int i = 0; i < tensor->n_dims; i++)
		if (json_array_append_new(shape, json_integer(tensor->dims[i])) != 0)
		{
			json_decref(shape);
			return mmrd_fail_memory(err, 0);
		}
	/* "o" takes shape over, also when packing fails. */
	value = json_pack("{s:s, s:o, s:[I, I]}", "dtype", tensor->dtype, "shape",
	                  shape, "data_offsets", (json_int_t) tensor->begin,
	                  (json_int_t) tensor->end);
	return add(root, tensor->name, value, err);
}

static mmrd_status
print(const json_t *root, char **json, size_t *len, mmrd_error *err)
{
	const size_t flags = JSON_COMPACT | JSON_ENSURE_ASCII;
	const size_t n = json_dumpb(root, NULL, 0, flags);

	if (n == 0)
		return mmrd_fail_memory(err, 0);
	*json = malloc(n);
	if (*json == NULL)
		return mmrd_fail_memory(err, (double) n);
	*len = json_dumpb(root, *json, n, flags);
	return MMRD_OK;
}

mmrd_status
mmrd_json_header_build(const mmrd_json_tensor *tensors, int n_tensors,
                       const mmrd_json_text *texts, int n_texts, char **json,
                       size_t *len, mmrd_error *err)
{
	json_t *root = json_object();
	mmrd_status st = MMRD_OK;

	*json = NULL;
	*len = 0;
	if (root == NULL)
		return mmrd_fail_memory(err, 0);
	if (n_texts > 0)
		st = add_texts(root, texts, n_texts, err);
	for (int i = 0; i < n_tensors && st == MMRD_OK; i++)
		st = add_tensor(root, &tensors[i], err);
	if (st == MMRD_OK)
		st = print(root, json, len, err);
	json_decref(root);
	return st;
}
