/*
 * model/net/weights.h
 *	  The named tensors of a network and, in float, their values.
 *
 * Names and shapes are those of network.md 6; shapes and order given here are
 * the file's, (O, I, KH, KW).  Inside, convolution weights are kept as
 * (KH, KW, I, O), transposed ones as (I, KH, KW, O), so that the kernels'
 * matrix products run along the output channels; mmrd_weights_get() and
 * mmrd_weights_set() convert.
 */
#ifndef MMRD_WEIGHTS_H
#define MMRD_WEIGHTS_H

#include <stddef.h>
#include <stdint.h>

#include "model/base/status.h"
#include "model/base/tensor.h"
#include "model/net/config.h"

typedef enum mmrd_role
{
	MMRD_ROLE_TEACHER,      /* frozen, shared by modalities and versions */
	MMRD_ROLE_TEACHER_STAT, /* running statistics, one set a modality */
	MMRD_ROLE_PARAMETER,    /* learned */
	MMRD_ROLE_STAT          /* running statistics of the student */
} mmrd_role;

typedef enum mmrd_order
{
	MMRD_ORDER_PLAIN,     /* as in the file */
	MMRD_ORDER_CONV,      /* file (O, I, KH, KW), here (KH, KW, I, O) */
	MMRD_ORDER_TRANSPOSED /* file (I, O, KH, KW), here (I, KH, KW, O) */
} mmrd_order;

typedef struct mmrd_tensor_info
{
	char name[MMRD_MAX_TENSOR_NAME];
	mmrd_role role;
	mmrd_order order;
	int n_dims;
	int64_t dims[MMRD_MAX_DIMS]; /* of the file */
	size_t count;                /* product of dims */
	size_t offset;               /* floats from the start of values */
} mmrd_tensor_info;

typedef struct mmrd_weights
{
	mmrd_config config;
	int n_tensors;
	mmrd_tensor_info *tensors; /* role by role, in the roles' order */
	size_t n_values;           /* all tensors, and padding between roles */
	size_t parameter_at;       /* first learned value ... */
	size_t n_parameters;       /* ... and how many: one contiguous run */
	float *values;
} mmrd_weights;

/*
 * Lay out the tensors of a configuration and allocate their values, all 0.
 * The caller releases with mmrd_weights_free().  MMRD_INVALID_ARGUMENT,
 * MMRD_NO_MEMORY; then *out is NULL.
 */
mmrd_status mmrd_weights_create(const mmrd_config *config, mmrd_weights **out,
                                mmrd_error *err);

/* The same without values (values is NULL): names and shapes only. */
mmrd_status mmrd_weights_describe(const mmrd_config *config,
                                  mmrd_weights **out, mmrd_error *err);

/* Accepts NULL. */
void mmrd_weights_free(mmrd_weights *weights);

/* Index of a tensor, or -1. */
int mmrd_weights_find(const mmrd_weights *weights, const char *name);

/* Where element k (in file order) lies among the tensor's own values. */
size_t mmrd_tensor_place(const mmrd_tensor_info *info, size_t k);

/* A whole tensor from file order to memory order; no overlap. */
void mmrd_tensor_from_file(const mmrd_tensor_info *info, const float *file,
                           float *here);

/* The largest tensor's count. */
size_t mmrd_weights_largest(const mmrd_weights *weights);

/*
 * Fetch one tensor by a name (which may differ from info's), check its shape
 * and its values, and convert: out gets info->count floats in file order.
 * Failures as mmrd_weights_load().
 */
mmrd_status mmrd_tensor_fetch(const mmrd_tensor_info *info, const char *name,
                              mmrd_tensor_lookup lookup, void *context,
                              float *out, mmrd_error *err);

/* Copy one tensor in file order: count floats to or from the caller's array.
 */
void mmrd_weights_get(const mmrd_weights *weights, int index, float *out);
void mmrd_weights_set(mmrd_weights *weights, int index, const float *in);

/*
 * Which tensors of a version can be kept in bfloat16: what is learned and has
 * two or more dimensions.  The rest is hardly any memory, and a batch norm's
 * variance or shift would lose more than a weight among thousands does.
 */
bool mmrd_tensor_may_round(const mmrd_tensor_info *info);

/* Round the values of all of those to the nearest bfloat16. */
void mmrd_weights_round(mmrd_weights *weights);

/*
 * Read every tensor of the given roles (a mask of 1 << role) by its name.  A
 * missing or misshapen one is MMRD_CORRUPT_DATA and named, as is one with a
 * value that is not finite; a variance below 0 too.
 */
mmrd_status mmrd_weights_load(mmrd_weights *weights, unsigned roles,
                              mmrd_tensor_lookup lookup, void *context,
                              mmrd_error *err);

/*
 * Read the teacher from a torchvision-named file ("conv1.weight",
 * "bn1.weight", "bn1.running_mean", ...): MMRD_ROLE_TEACHER, and the file's
 * statistics into every modality's MMRD_ROLE_TEACHER_STAT.
 */
mmrd_status mmrd_weights_load_teacher(mmrd_weights *weights,
                                      mmrd_tensor_lookup lookup, void *context,
                                      mmrd_error *err);

/*
 * The teacher `builtin_random`: convolutions He-initialised (fan_out) from a
 * fixed seed, affine 1 and 0, statistics 0 and 1 (to be adapted to the scans).
 */
void mmrd_weights_init_teacher(mmrd_weights *weights);

/*
 * Initial values of everything learned but the prototypes (network.md 3), and
 * running statistics 0 and 1, drawn from the seed.
 */
void mmrd_weights_init_student(mmrd_weights *weights, uint64_t seed);

/*
 * Which backbone a torchvision-named file holds, from its tensors' shapes.
 * MMRD_CORRUPT_DATA, saying what was looked for, when it is none we know;
 * a lookup's own failure.
 */
mmrd_status mmrd_arch_infer(mmrd_tensor_lookup lookup, void *context,
                            mmrd_arch *arch, mmrd_error *err);

/*
 * A teacher's own tensors as torchvision names them, for storing a teacher:
 * the name of tensor `index` (role TEACHER, or TEACHER_STAT of modality 0)
 * without "teacher." and "rgb."; NULL for every other tensor.
 */
const char *mmrd_teacher_tensor_name(const mmrd_weights *weights, int index);

/*
 * A lookup over weights in memory, for mmrd_packed_build(): context is a
 * mmrd_weights_source whose buffer has room for mmrd_weights_largest().
 */
typedef struct mmrd_weights_source
{
	const mmrd_weights *weights;
	float *buffer;
} mmrd_weights_source;

mmrd_status mmrd_weights_lookup(void *context, const char *name,
                                mmrd_tensor *out, bool *found,
                                mmrd_error *err);

#endif /* MMRD_WEIGHTS_H */
