/*
 * loader/weights/pickle_torch.c
 *	  The calls that torch.save() wraps tensors in.
 *
 * A tensor in a pickle is
 *
 *	  torch._utils._rebuild_tensor_v2(storage, offset, sizes, strides,
 *	                                  requires_grad, hooks [, metadata])
 *
 * where storage is a persistent id, the tuple
 *
 *	  ('storage', torch.FloatStorage, key, location, numel)
 *
 * with a sixth element (a view, or None) in old files.  A parameter is
 * torch._utils._rebuild_parameter(tensor, requires_grad, hooks), in files of
 * 2017 torch.nn.parameter.Parameter(tensor) with attributes.  The state
 * dict around them is a collections.OrderedDict: made empty and filled like a
 * dict, or, by Python 2, made from a list of pairs.
 */
#include "loader/weights/pickle_torch.h"

#include <string.h>

#include "loader/bytes/printable.h"

typedef enum role
{
	ROLE_STORAGE,
	ROLE_DICT,
	ROLE_TENSOR,
	ROLE_PARAMETER
} role;

enum
{
	MAX_KEY = 255 /* bytes; real keys are numbers.  A few long texts
	               * compared again and again would take for ever. */
};

static const struct
{
	const char *module;
	const char *name;
	role role;
	mmrd_torch_type type; /* ROLE_STORAGE only */
} globals[] = {
    {"collections", "OrderedDict", ROLE_DICT, {0}},
    {"torch._utils", "_rebuild_tensor", ROLE_TENSOR, {0}},
    {"torch._utils", "_rebuild_tensor_v2", ROLE_TENSOR, {0}},
    {"torch._utils", "_rebuild_parameter", ROLE_PARAMETER, {0}},
    {"torch.nn.parameter", "Parameter", ROLE_PARAMETER, {0}},
    {"torch", "FloatStorage", ROLE_STORAGE, {MMRD_DTYPE_F32, 4}},
    {"torch", "DoubleStorage", ROLE_STORAGE, {MMRD_DTYPE_F64, 8}},
    {"torch", "HalfStorage", ROLE_STORAGE, {MMRD_DTYPE_F16, 2}},
    {"torch", "BFloat16Storage", ROLE_STORAGE, {MMRD_DTYPE_BF16, 2}},
    {"torch", "LongStorage", ROLE_STORAGE, {MMRD_DTYPE_OTHER, 8}},
    {"torch", "IntStorage", ROLE_STORAGE, {MMRD_DTYPE_OTHER, 4}},
    {"torch", "ShortStorage", ROLE_STORAGE, {MMRD_DTYPE_OTHER, 2}},
    {"torch", "CharStorage", ROLE_STORAGE, {MMRD_DTYPE_OTHER, 1}},
    {"torch", "ByteStorage", ROLE_STORAGE, {MMRD_DTYPE_OTHER, 1}},
    {"torch", "BoolStorage", ROLE_STORAGE, {MMRD_DTYPE_OTHER, 1}},
    {"torch", "ComplexFloatStorage", ROLE_STORAGE, {MMRD_DTYPE_OTHER, 8}},
    {"torch", "ComplexDoubleStorage", ROLE_STORAGE, {MMRD_DTYPE_OTHER, 16}},
};

static bool
same_bytes(const char *text, const uint8_t *bytes, size_t n)
{
	return strlen(text) == n && memcmp(text, bytes, n) == 0;
}

mmrd_status
mmrd_pickle_global(const uint8_t *module, size_t module_bytes,
                   const uint8_t *name, size_t name_bytes, int64_t *global,
                   mmrd_error *err)
{
	const size_t n = sizeof(globals) / sizeof(globals[0]);
	char shown[2][48];

	for (size_t i = 0; i < n; i++)
		if (same_bytes(globals[i].module, module, module_bytes) &&
		    same_bytes(globals[i].name, name, name_bytes))
		{
			*global = (int64_t) i;
			return MMRD_OK;
		}
	mmrd_printable(module, module_bytes, shown[0], sizeof(shown[0]));
	mmrd_printable(name, name_bytes, shown[1], sizeof(shown[1]));
	mmrd_fail(err, MMRD_UNSUPPORTED,
	          "weights file asks for \"%s.%s\", which is refused", shown[0],
	          shown[1]);
	mmrd_detail(err, "Only tensors in dictionaries are read from a pickle, "
	                 "and nothing in it is executed.");
	return mmrd_hint(err, "Save the state dict alone, "
	                      "torch.save(model.state_dict(), path), or as "
	                      "safetensors.");
}

mmrd_torch_type
mmrd_pickle_storage_type(int64_t global)
{
	return globals[global].type;
}

static mmrd_status
bad_call(int64_t global, mmrd_error *err)
{
	return mmrd_fail(err, MMRD_CORRUPT_DATA,
	                 "pickle passes wrong arguments to \"%s.%s\"",
	                 globals[global].module, globals[global].name);
}

static bool
all_of_kind(const mmrd_pickle *pickle, const mmrd_pickle_value *value,
            mmrd_pickle_kind kind)
{
	uint32_t cell = value->u.children.first;
	const mmrd_pickle_value *child;

	while ((child = mmrd_pickle_next(pickle, &cell)) != NULL)
		if (child->kind != kind)
			return false;
	return true;
}

/* OrderedDict(): empty; OrderedDict(list of pairs) is left to pickle.c. */
static bool
fits_dict(const mmrd_pickle *pickle, const mmrd_pickle_value *arguments)
{
	const mmrd_pickle_value *list = mmrd_pickle_child(pickle, arguments, 0);
	const mmrd_pickle_value *pair;
	uint32_t cell;

	if (arguments->n == 0)
		return true;
	if (arguments->n != 1 || list->kind != MMRD_PICKLE_LIST)
		return false;
	cell = list->u.children.first;
	while ((pair = mmrd_pickle_next(pickle, &cell)) != NULL)
		if ((pair->kind != MMRD_PICKLE_LIST &&
		     pair->kind != MMRD_PICKLE_TUPLE) ||
		    pair->n != 2)
			return false;
	return true;
}

static bool
fits_tensor(const mmrd_pickle *pickle, const mmrd_pickle_value *arguments)
{
	const mmrd_pickle_value *storage = mmrd_pickle_child(pickle, arguments, 0);
	const mmrd_pickle_value *offset = mmrd_pickle_child(pickle, arguments, 1);
	const mmrd_pickle_value *sizes = mmrd_pickle_child(pickle, arguments, 2);
	const mmrd_pickle_value *strides = mmrd_pickle_child(pickle, arguments, 3);

	return arguments->n >= 4 && arguments->n <= 7 &&
	       storage->kind == MMRD_PICKLE_STORAGE &&
	       offset->kind == MMRD_PICKLE_INT &&
	       sizes->kind == MMRD_PICKLE_TUPLE &&
	       strides->kind == MMRD_PICKLE_TUPLE && sizes->n == strides->n &&
	       sizes->n <= MMRD_TORCH_MAX_DIMS &&
	       all_of_kind(pickle, sizes, MMRD_PICKLE_INT) &&
	       all_of_kind(pickle, strides, MMRD_PICKLE_INT);
}

mmrd_status
mmrd_pickle_call(const mmrd_pickle *pickle, const mmrd_pickle_value *function,
                 const mmrd_pickle_value *arguments, mmrd_pickle_value *out,
                 uint32_t *same, mmrd_error *err)
{
	const int64_t global = function->u.integer;
	bool fits = false;

	memset(out, 0, sizeof(*out));
	*same = 0;
	if (function->kind != MMRD_PICKLE_GLOBAL ||
	    arguments->kind != MMRD_PICKLE_TUPLE)
		return mmrd_fail(err, MMRD_CORRUPT_DATA,
		                 "pickle calls something that is not a function");
	switch (globals[global].role)
	{
		case ROLE_STORAGE:
			mmrd_fail(err, MMRD_UNSUPPORTED,
			          "pickle holds a \"%s.%s\" of its own",
			          globals[global].module, globals[global].name);
			return mmrd_hint(err, "Storages are read where tensors refer to "
			                      "them.");
		case ROLE_DICT:
			fits = fits_dict(pickle, arguments);
			out->kind = MMRD_PICKLE_DICT;
			break;
		case ROLE_TENSOR:
			fits = fits_tensor(pickle, arguments);
			*out = *arguments;
			out->kind = MMRD_PICKLE_TENSOR;
			break;
		case ROLE_PARAMETER:
			fits = arguments->n >= 1 && arguments->n <= 3 &&
			       mmrd_pickle_child(pickle, arguments, 0)->kind ==
			           MMRD_PICKLE_TENSOR;
			if (fits)
				*same = pickle->cells[arguments->u.children.first].value;
			break;
	}
	return fits ? MMRD_OK : bad_call(global, err);
}

mmrd_status
mmrd_pickle_attributes(const mmrd_pickle *pickle,
                       const mmrd_pickle_value *object,
                       const mmrd_pickle_value *attributes, mmrd_error *err)
{
	const mmrd_pickle_value *part[2] = {
	    mmrd_pickle_child(pickle, attributes, 0),
	    mmrd_pickle_child(pickle, attributes, 1)};

	/* _metadata of a state dict: versions of modules. */
	if (object->kind == MMRD_PICKLE_DICT &&
	    attributes->kind == MMRD_PICKLE_DICT)
		return MMRD_OK;
	/* requires_grad, volatile and hooks of an old parameter.  Four would be
	 * another storage, offset, sizes and strides. */
	if (object->kind == MMRD_PICKLE_TENSOR &&
	    attributes->kind == MMRD_PICKLE_TUPLE && attributes->n == 3 &&
	    part[0]->kind == MMRD_PICKLE_BOOL && part[1]->kind == MMRD_PICKLE_BOOL)
		return MMRD_OK;
	return mmrd_fail(err, MMRD_UNSUPPORTED,
	                 "pickle sets attributes of something else than a "
	                 "dictionary or a parameter");
}

mmrd_status
mmrd_pickle_persistent(const mmrd_pickle *pickle, const mmrd_pickle_value *id,
                       mmrd_pickle_value *out, mmrd_error *err)
{
	const mmrd_pickle_value *part[6] = {NULL};

	for (uint32_t i = 0; i < 6 && id->kind == MMRD_PICKLE_TUPLE; i++)
		part[i] = mmrd_pickle_child(pickle, id, i);
	if (id->kind != MMRD_PICKLE_TUPLE || id->n < 5 || id->n > 6 ||
	    !mmrd_pickle_is_text(part[0], "storage") ||
	    part[1]->kind != MMRD_PICKLE_GLOBAL ||
	    mmrd_pickle_storage_type(part[1]->u.integer).bytes == 0 ||
	    part[2]->kind != MMRD_PICKLE_TEXT ||
	    part[3]->kind != MMRD_PICKLE_TEXT || part[4]->kind != MMRD_PICKLE_INT)
		return mmrd_fail(err, MMRD_UNSUPPORTED,
		                 "pickle refers to something outside that is not a "
		                 "storage");
	if (part[4]->u.integer < 0)
		return mmrd_fail(err, MMRD_CORRUPT_DATA,
		                 "pickle declares a storage of negative size");
	if (part[2]->n > MAX_KEY)
	{
		mmrd_fail(err, MMRD_LIMIT_EXCEEDED, "key of a storage is too long");
		return mmrd_detail(err, "It has %u bytes, %d are allowed.", part[2]->n,
		                   MAX_KEY);
	}
	if (id->n == 6 && part[5]->kind != MMRD_PICKLE_NONE)
		return mmrd_fail(err, MMRD_UNSUPPORTED,
		                 "pickle refers to a view of a storage");
	*out = *id;
	out->kind = MMRD_PICKLE_STORAGE;
	return MMRD_OK;
}
