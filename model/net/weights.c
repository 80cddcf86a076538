/*
 * model/net/weights.c
 *	  Values of a network's tensors: layout, order, loading.
 */
#include "model/net/weights.h"

#include <stdlib.h>
#include <string.h>

#include "model/net/network.h"

mmrd_status
mmrd_weights_describe(const mmrd_config *config, mmrd_weights **out,
                      mmrd_error *err)
{
	mmrd_network *net;
	mmrd_weights *w;

	*out = NULL;
	MMRD_TRY(mmrd_network_create(config, &net, err));
	w = calloc(1, sizeof(*w));
	if (w == NULL)
	{
		mmrd_network_free(net);
		return mmrd_fail_memory(err, sizeof(*w));
	}
	w->config = net->config;
	w->n_tensors = net->n_tensors;
	w->tensors = net->tensors; /* ownership moves */
	w->n_values = net->n_values;
	w->parameter_at = net->parameter_at;
	w->n_parameters = net->n_parameters;
	net->tensors = NULL;
	mmrd_network_free(net);
	*out = w;
	return MMRD_OK;
}

mmrd_status
mmrd_weights_create(const mmrd_config *config, mmrd_weights **out,
                    mmrd_error *err)
{
	MMRD_TRY(mmrd_weights_describe(config, out, err));
	(*out)->values = calloc((*out)->n_values, sizeof(float));
	if ((*out)->values == NULL)
	{
		mmrd_fail_memory(err, (double) (*out)->n_values * sizeof(float));
		mmrd_weights_free(*out);
		*out = NULL;
		return err->status;
	}
	return MMRD_OK;
}

void
mmrd_weights_free(mmrd_weights *weights)
{
	if (weights == NULL)
		return;
	free(weights->tensors);
	free(weights->values);
	free(weights);
}

int
mmrd_weights_find(const mmrd_weights *weights, const char *name)
{
	for (int i = 0; i < weights->n_tensors; i++)
		if (strcmp(weights->tensors[i].name, name) == 0)
			return i;
	return -1;
}

size_t
mmrd_tensor_place(const mmrd_tensor_info *t, size_t k)
{
	size_t taps;
	size_t tap;
	size_t d1;
	size_t d0;

	if (t->order == MMRD_ORDER_PLAIN)
		return k;
	taps = (size_t) (t->dims[2] * t->dims[3]);
	tap = k % taps;
	d1 = k / taps % (size_t) t->dims[1];
	d0 = k / taps / (size_t) t->dims[1];
	if (t->order == MMRD_ORDER_CONV)
		return (tap * (size_t) t->dims[1] + d1) * (size_t) t->dims[0] + d0;
	return (d0 * taps + tap) * (size_t) t->dims[1] + d1;
}

/* Floats from one index of the file's order to the next, in memory. */
typedef struct strides
{
	size_t n0, n1, taps;
	size_t step0, step1, step_tap;
} strides;

static strides
strides_of(const mmrd_tensor_info *t)
{
	strides s;

	s.n0 = (size_t) t->dims[0];
	s.n1 = (size_t) t->dims[1];
	s.taps = (size_t) (t->dims[2] * t->dims[3]);
	if (t->order == MMRD_ORDER_CONV)
	{
		s.step0 = 1;
		s.step1 = s.n0;
		s.step_tap = s.n0 * s.n1;
	}
	else
	{
		s.step0 = s.taps * s.n1;
		s.step1 = 1;
		s.step_tap = s.n1;
	}
	return s;
}

void
mmrd_tensor_from_file(const mmrd_tensor_info *t, const float *file,
                      float *here)
{
	strides s;

	if (t->order == MMRD_ORDER_PLAIN)
	{
		memcpy(here, file, t->count * sizeof(float));
		return;
	}
	s = strides_of(t);
	for (size_t i = 0; i < s.n0; i++)
		for (size_t j = 0; j < s.n1; j++)
			for (size_t k = 0; k < s.taps; k++)
				here[i * s.step0 + j * s.step1 + k * s.step_tap] = *file++;
}

static void
to_file(const mmrd_tensor_info *t, const float *here, float *file)
{
	strides s;

	if (t->order == MMRD_ORDER_PLAIN)
	{
		memcpy(file, here, t->count * sizeof(float));
		return;
	}
	s = strides_of(t);
	for (size_t i = 0; i < s.n0; i++)
		for (size_t j = 0; j < s.n1; j++)
			for (size_t k = 0; k < s.taps; k++)
				*file++ = here[i * s.step0 + j * s.step1 + k * s.step_tap];
}

void
mmrd_weights_get(const mmrd_weights *weights, int index, float *out)
{
	const mmrd_tensor_info *t = &weights->tensors[index];

	to_file(t, weights->values + t->offset, out);
}

void
mmrd_weights_set(mmrd_weights *weights, int index, const float *in)
{
	const mmrd_tensor_info *t = &weights->tensors[index];

	mmrd_tensor_from_file(t, in, weights->values + t->offset);
}

/* Check that what was found under a name has the shape we need. */
static mmrd_status
check_shape(const mmrd_tensor_info *want, const char *name,
            const mmrd_tensor *got, mmrd_error *err)
{
	bool equal = want->n_dims == got->n_dims;
	char a[80];
	char b[80];

	for (int i = 0; equal && i < want->n_dims; i++)
		equal = want->dims[i] == got->dims[i];
	if (equal)
		return MMRD_OK;
	mmrd_fail(err, MMRD_CORRUPT_DATA, "tensor \"%s\" has the wrong shape",
	          name);
	return mmrd_detail(err, "Expected %s, found %s.",
	                   mmrd_dims_print(want->n_dims, want->dims, a, sizeof(a)),
	                   mmrd_dims_print(got->n_dims, got->dims, b, sizeof(b)));
}

static bool
is_variance(const mmrd_tensor_info *t)
{
	static const char suffix[] = ".running_var";
	const size_t n = strlen(t->name);

	return n > sizeof(suffix) &&
	       strcmp(t->name + n - (sizeof(suffix) - 1), suffix) == 0;
}

mmrd_status
mmrd_tensor_fetch(const mmrd_tensor_info *want, const char *name,
                  mmrd_tensor_lookup lookup, void *context, float *out,
                  mmrd_error *err)
{
	mmrd_tensor tensor;
	bool found = false;

	MMRD_TRY(lookup(context, name, &tensor, &found, err));
	if (!found)
	{
		char dims[80];

		mmrd_fail(err, MMRD_CORRUPT_DATA, "tensor \"%s\" is missing", name);
		return mmrd_detail(
		    err, "It should have shape %s.",
		    mmrd_dims_print(want->n_dims, want->dims, dims, sizeof(dims)));
	}
	MMRD_TRY(check_shape(want, name, &tensor, err));
	MMRD_TRY(mmrd_tensor_read(&tensor, name, out, err));
	if (is_variance(want))
	{
		for (size_t i = 0; i < want->count; i++)
		{
			if (out[i] < 0)
			{
				mmrd_fail(err, MMRD_CORRUPT_DATA,
				          "tensor \"%s\" holds a negative variance", name);
				return mmrd_detail(err, "Element %zu is %g.", i,
				                   (double) out[i]);
			}
		}
	}
	return MMRD_OK;
}

/* The largest tensor of the given roles, in floats. */
static size_t
largest(const mmrd_weights *weights, unsigned roles)
{
	size_t n = 1;

	for (int i = 0; i < weights->n_tensors; i++)
		if ((roles & 1u << weights->tensors[i].role) &&
		    weights->tensors[i].count > n)
			n = weights->tensors[i].count;
	return n;
}

mmrd_status
mmrd_weights_load(mmrd_weights *weights, unsigned roles,
                  mmrd_tensor_lookup lookup, void *context, mmrd_error *err)
{
	const size_t n = largest(weights, roles);
	float *buffer = malloc(n * sizeof(float));
	mmrd_status st = MMRD_OK;

	if (buffer == NULL)
		return mmrd_fail_memory(err, (double) n * sizeof(float));
	for (int i = 0; i < weights->n_tensors && st == MMRD_OK; i++)
	{
		const mmrd_tensor_info *t = &weights->tensors[i];

		if (!(roles & 1u << t->role))
			continue;
		st = mmrd_tensor_fetch(t, t->name, lookup, context, buffer, err);
		if (st == MMRD_OK)
			mmrd_weights_set(weights, i, buffer);
	}
	free(buffer);
	return st;
}

const char *
mmrd_teacher_tensor_name(const mmrd_weights *weights, int index)
{
	static const char stat[] = "teacher.rgb.";
	const mmrd_tensor_info *t = &weights->tensors[index];

	if (t->role == MMRD_ROLE_TEACHER)
		return t->name + strlen("teacher.");
	if (t->role == MMRD_ROLE_TEACHER_STAT &&
	    strncmp(t->name, stat, sizeof(stat) - 1) == 0)
		return t->name + sizeof(stat) - 1;
	return NULL;
}

mmrd_status
mmrd_weights_load_teacher(mmrd_weights *weights, mmrd_tensor_lookup lookup,
                          void *context, mmrd_error *err)
{
	const unsigned roles =
	    1u << MMRD_ROLE_TEACHER | 1u << MMRD_ROLE_TEACHER_STAT;
	const size_t n = largest(weights, roles);
	float *buffer = malloc(n * sizeof(float));
	mmrd_status st = MMRD_OK;
	int n_stats = 0;

	if (buffer == NULL)
		return mmrd_fail_memory(err, (double) n * sizeof(float));
	for (int i = 0; i < weights->n_tensors; i++)
		n_stats += weights->tensors[i].role == MMRD_ROLE_TEACHER_STAT;
	n_stats /= 1 + weights->config.n_aux;
	for (int i = 0; i < weights->n_tensors && st == MMRD_OK; i++)
	{
		const char *name = mmrd_teacher_tensor_name(weights, i);

		if (name == NULL)
			continue;
		st = mmrd_tensor_fetch(&weights->tensors[i], name, lookup, context,
		                       buffer, err);
		if (st != MMRD_OK)
			break;
		mmrd_weights_set(weights, i, buffer);
		for (int m = 1; weights->tensors[i].role == MMRD_ROLE_TEACHER_STAT &&
		                m <= weights->config.n_aux;
		     m++)
			mmrd_weights_set(weights, i + m * n_stats, buffer);
	}
	free(buffer);
	return st;
}

/* Channels out and in of a convolution's weight; both 0 when there is none. */
static mmrd_status
conv_channels(mmrd_tensor_lookup lookup, void *context, const char *name,
              int64_t *out_in, mmrd_error *err)
{
	mmrd_tensor t;
	bool found = false;

	out_in[0] = 0;
	out_in[1] = 0;
	MMRD_TRY(lookup(context, name, &t, &found, err));
	if (found && t.n_dims == 4)
		memcpy(out_in, t.dims, 2 * sizeof(*out_in));
	return MMRD_OK;
}

mmrd_status
mmrd_arch_infer(mmrd_tensor_lookup lookup, void *context, mmrd_arch *arch,
                mmrd_error *err)
{
	/*
	 * The last block of layer3 tells depth, its width tells the rest.  Deeper
	 * relatives (resnet101, ...) have that block too, and one behind it.
	 */
	static const struct
	{
		mmrd_arch arch;
		const char *last, *behind;
		int64_t out, in;
	} known[] = {
	    {MMRD_ARCH_WIDE_RESNET50_2, "layer3.5.conv1.weight",
	     "layer3.6.conv1.weight", 512, 1024},
	    {MMRD_ARCH_RESNET50, "layer3.5.conv1.weight", "layer3.6.conv1.weight",
	     256, 1024},
	    {MMRD_ARCH_RESNET34, "layer3.5.conv1.weight", "layer3.6.conv1.weight",
	     256, 256},
	    {MMRD_ARCH_RESNET18, "layer3.1.conv1.weight", "layer3.2.conv1.weight",
	     256, 256},
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
	{
		int64_t last[2];
		int64_t behind[2];

		MMRD_TRY(conv_channels(lookup, context, known[i].last, last, err));
		MMRD_TRY(conv_channels(lookup, context, known[i].behind, behind, err));
		if (last[0] == known[i].out && last[1] == known[i].in &&
		    behind[0] == 0)
		{
			*arch = known[i].arch;
			return MMRD_OK;
		}
	}
	mmrd_fail(err, MMRD_CORRUPT_DATA,
	          "the weights are not those of a known backbone");
	mmrd_detail(err, "No tensor layer3.1.conv1.weight (resnet18) or "
	                 "layer3.5.conv1.weight (resnet34, resnet50, "
	                 "wide_resnet50_2) of the right shape was found, or "
	                 "layer3 has more blocks.");
	return mmrd_hint(err, "Use a torchvision or timm checkpoint of one "
	                      "of these backbones.");
}

mmrd_status
mmrd_weights_lookup(void *context, const char *name, mmrd_tensor *out,
                    bool *found, mmrd_error *err)
{
	mmrd_weights_source *source = context;
	const int i = mmrd_weights_find(source->weights, name);

	(void) err;
	*found = i >= 0;
	if (i < 0)
		return MMRD_OK;
	mmrd_weights_get(source->weights, i, source->buffer);
	/* Tests also build this with float defined as double. */
	out->dtype = sizeof(float) == 8 ? MMRD_DTYPE_F64 : MMRD_DTYPE_F32;
	out->n_dims = source->weights->tensors[i].n_dims;
	memcpy(out->dims, source->weights->tensors[i].dims, sizeof(out->dims));
	out->data = source->buffer;
	out->n_bytes = source->weights->tensors[i].count * sizeof(float);
	return MMRD_OK;
}

size_t
mmrd_weights_largest(const mmrd_weights *weights)
{
	return largest(weights, ~0u);
}
