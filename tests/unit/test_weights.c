/*
 * tests/unit/test_weights.c
 *	  Orders of weights, loading and its refusals, and which backbone a file
 *	  holds.
 */
#include "model/net/weights.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/base/random.h"
#include "tests/unit/check.h"

static mmrd_config
make_config(mmrd_arch arch)
{
	mmrd_config config;

	mmrd_config_init(&config);
	config.arch = arch;
	config.n_aux = 2;
	config.prior_at = MMRD_PRIOR_SAME;
	config.input_size = 64;
	return config;
}

static mmrd_weights *
make_weights(mmrd_arch arch, bool values)
{
	const mmrd_config config = make_config(arch);
	mmrd_weights *w = NULL;
	mmrd_error err = {0};
	const mmrd_status st = values ? mmrd_weights_create(&config, &w, &err)
	                              : mmrd_weights_describe(&config, &w, &err);

	CHECK(st == MMRD_OK && w != NULL, "%s", err.message);
	if (w == NULL)
		exit(check_result());
	CHECK((w->values != NULL) == values, "values of a description");
	return w;
}

static float *
make_buffer(size_t n)
{
	float *x = malloc(n * sizeof(float));

	if (x == NULL)
		exit(1);
	memset(x, 0xff, n * sizeof(float));
	return x;
}

/* Where a tensor's values begin in the sequence of value(). */
static uint32_t
origin(const char *name)
{
	return (uint32_t) (mmrd_fnv1a64(name) % 65521);
}

/* Element k of a tensor: positive, and different from its neighbours'. */
static float
value(uint32_t origin, size_t k)
{
	return (float) ((origin + 7 * (uint32_t) k) % 65521 + 1) / 65536;
}

/* ---- order ---- */

/* Where network.md's (d0, d1, d2, d3) lies in the order weights.h promises. */
static size_t
place(const mmrd_tensor_info *t, const int64_t *i)
{
	const int64_t *d = t->dims;

	if (t->order == MMRD_ORDER_CONV) /* (KH, KW, I, O) */
		return (size_t) (((i[2] * d[3] + i[3]) * d[1] + i[1]) * d[0] + i[0]);
	if (t->order == MMRD_ORDER_TRANSPOSED) /* (I, KH, KW, O) */
		return (size_t) (((i[0] * d[2] + i[2]) * d[3] + i[3]) * d[1] + i[1]);
	return 0;
}

static void
check_order(const mmrd_weights *w, const mmrd_tensor_info *t)
{
	const int64_t *d = t->dims;
	const uint32_t from = origin(t->name);
	size_t wrong = 0;
	size_t k = 0;

	if (t->order == MMRD_ORDER_PLAIN)
	{
		for (; k < t->count; k++)
			wrong += mmrd_tensor_place(t, k) != k ||
			         w->values[t->offset + k] != value(from, k);
		CHECK(wrong == 0, "%s: %zu elements misplaced", t->name, wrong);
		return;
	}
	for (int64_t a = 0; a < d[0]; a++)
		for (int64_t b = 0; b < d[1]; b++)
			for (int64_t y = 0; y < d[2]; y++)
				for (int64_t x = 0; x < d[3]; x++, k++)
				{
					const size_t at = place(t, (int64_t[]){a, b, y, x});

					wrong += mmrd_tensor_place(t, k) != at ||
					         w->values[t->offset + at] != value(from, k);
				}
	CHECK(wrong == 0, "%s: %zu elements misplaced", t->name, wrong);
}

/* All tensors are set before any is looked at: none may reach into another. */
static void
test_round_trip(void)
{
	mmrd_weights *w = make_weights(MMRD_ARCH_RESNET18, true);
	float *buffer = make_buffer(mmrd_weights_largest(w));
	size_t largest = 0;

	for (int i = 0; i < w->n_tensors; i++)
	{
		const mmrd_tensor_info *t = &w->tensors[i];
		const uint32_t from = origin(t->name);

		for (size_t k = 0; k < t->count; k++)
			buffer[k] = value(from, k);
		mmrd_weights_set(w, i, buffer);
		largest = t->count > largest ? t->count : largest;
		CHECK(mmrd_weights_find(w, t->name) == i, "%s is not found", t->name);
	}
	CHECK(mmrd_weights_largest(w) == largest, "largest is %zu, want %zu",
	      mmrd_weights_largest(w), largest);
	CHECK(mmrd_weights_find(w, "teacher.layer4.0.conv1.weight") == -1,
	      "found what does not exist");
	for (int i = 0; i < w->n_tensors; i++)
	{
		const mmrd_tensor_info *t = &w->tensors[i];
		const uint32_t from = origin(t->name);
		size_t wrong = 0;

		check_order(w, t);
		memset(buffer, 0xff, t->count * sizeof(float));
		mmrd_weights_get(w, i, buffer);
		for (size_t k = 0; k < t->count; k++)
			wrong += buffer[k] != value(from, k);
		CHECK(wrong == 0, "%s: %zu elements changed", t->name, wrong);
	}
	free(buffer);
	mmrd_weights_free(w);
	mmrd_weights_free(NULL);
}

/* ---- loading ---- */

/*
 * A file of a backbone: the tensors of `shapes`, under their own names or
 * under torchvision's, one of which may be wrong.
 */
typedef enum fault
{
	FAULT_NONE,
	FAULT_MISSING,
	FAULT_SHAPE, /* its last dimension is one more */
	FAULT_RANK,  /* it has a dimension too few */
	FAULT_NAN,
	FAULT_NEGATIVE,
	FAULT_UNREADABLE /* the lookup itself fails */
} fault;

typedef struct source
{
	const mmrd_weights *shapes;
	bool torchvision;
	fault fault;
	const char *name; /* of the wrong one */
	float *buffer;
	int n_lookups;
} source;

static int
source_index(const source *s, const char *name)
{
	if (!s->torchvision)
		return mmrd_weights_find(s->shapes, name);
	for (int i = 0; i < s->shapes->n_tensors; i++)
	{
		const char *own = mmrd_teacher_tensor_name(s->shapes, i);

		if (own != NULL && strcmp(own, name) == 0)
			return i;
	}
	return -1;
}

static mmrd_status
source_lookup(void *context, const char *name, mmrd_tensor *out, bool *found,
              mmrd_error *err)
{
	source *s = context;
	const fault wrong =
	    s->name != NULL && strcmp(name, s->name) == 0 ? s->fault : FAULT_NONE;
	const int i = source_index(s, name);
	const uint32_t from = origin(name);
	const mmrd_tensor_info *t;

	s->n_lookups++;
	*found = i >= 0 && wrong != FAULT_MISSING;
	if (wrong == FAULT_UNREADABLE)
		return mmrd_fail(err, MMRD_IO_ERROR, "could not read \"%s\"", name);
	if (!*found)
		return MMRD_OK;
	t = &s->shapes->tensors[i];
	for (size_t k = 0; k < t->count; k++)
		s->buffer[k] = value(from, k);
	memset(out, 0, sizeof(*out));
	out->dtype = MMRD_DTYPE_F32;
	out->n_dims = t->n_dims;
	memcpy(out->dims, t->dims, sizeof(out->dims));
	out->data = s->buffer;
	out->n_bytes = t->count * sizeof(float);
	if (wrong == FAULT_SHAPE)
		out->dims[out->n_dims - 1]++;
	if (wrong == FAULT_RANK)
		out->n_dims--;
	if (wrong == FAULT_NAN)
		s->buffer[t->count - 1] = NAN;
	if (wrong == FAULT_NEGATIVE)
		s->buffer[t->count - 1] = -0.25f;
	return MMRD_OK;
}

static source
source_create(const mmrd_weights *shapes, bool torchvision)
{
	source s = {shapes,
	            torchvision,
	            FAULT_NONE,
	            NULL,
	            make_buffer(mmrd_weights_largest(shapes)),
	            0};

	return s;
}

/* Tensors of the given roles have the file's values, the others still 0. */
static void
check_loaded(const mmrd_weights *w, unsigned roles)
{
	for (int i = 0; i < w->n_tensors; i++)
	{
		const mmrd_tensor_info *t = &w->tensors[i];
		size_t touched = 0;

		if (roles & 1u << t->role)
		{
			check_order(w, t);
			continue;
		}
		for (size_t k = 0; k < t->count; k++)
			touched += w->values[t->offset + k] != 0;
		CHECK(touched == 0, "%s was not asked for", t->name);
	}
}

static void
test_load(void)
{
	static const unsigned masks[] = {
	    1u << MMRD_ROLE_TEACHER,
	    1u << MMRD_ROLE_PARAMETER | 1u << MMRD_ROLE_STAT, 15};

	for (size_t i = 0; i < sizeof(masks) / sizeof(masks[0]); i++)
	{
		mmrd_weights *w = make_weights(MMRD_ARCH_RESNET18, true);
		source s = source_create(w, false);
		mmrd_error err = {0};

		CHECK(mmrd_weights_load(w, masks[i], source_lookup, &s, &err) ==
		          MMRD_OK,
		      "%s", err.message);
		check_loaded(w, masks[i]);
		free(s.buffer);
		mmrd_weights_free(w);
	}
}

/* A torchvision file: its statistics become every modality's. */
static void
test_load_teacher(void)
{
	mmrd_weights *w = make_weights(MMRD_ARCH_RESNET18, true);
	source s = source_create(w, true);
	float *buffer = make_buffer(mmrd_weights_largest(w));
	mmrd_error err = {0};
	int n = 0;

	CHECK(mmrd_weights_load_teacher(w, source_lookup, &s, &err) == MMRD_OK,
	      "%s", err.message);
	for (int i = 0; i < w->n_tensors; i++)
	{
		const mmrd_tensor_info *t = &w->tensors[i];
		const char *name = t->name + strlen("teacher.");
		size_t wrong = 0;
		uint32_t from;

		if (t->role != MMRD_ROLE_TEACHER && t->role != MMRD_ROLE_TEACHER_STAT)
		{
			CHECK(mmrd_teacher_tensor_name(w, i) == NULL, "%s", t->name);
			continue;
		}
		n += mmrd_teacher_tensor_name(w, i) != NULL;
		if (t->role == MMRD_ROLE_TEACHER_STAT)
			name = strchr(name, '.') + 1;
		from = origin(name);
		mmrd_weights_get(w, i, buffer);
		for (size_t k = 0; k < t->count; k++)
			wrong += buffer[k] != value(from, k);
		CHECK(wrong == 0, "%s: %zu elements differ from the file's", t->name,
		      wrong);
	}
	/* torchvision's resnet18 without layer4 and fc: 15 convolutions with
	 * four numbers of a batch-norm each. */
	CHECK(n == 75 && s.n_lookups == 75, "%d tensors, %d lookups", n,
	      s.n_lookups);
	free(buffer);
	free(s.buffer);
	mmrd_weights_free(w);
}

typedef struct refusal
{
	fault fault;
	const char *name;
	mmrd_status want;
	const char *detail;
} refusal;

static void
check_refusal(const refusal *r, bool torchvision)
{
	mmrd_weights *w = make_weights(MMRD_ARCH_RESNET18, true);
	source s = source_create(w, torchvision);
	mmrd_error err = {0};
	char quoted[MMRD_MAX_TENSOR_NAME + 2];
	mmrd_status got;

	s.fault = r->fault;
	s.name = r->name;
	snprintf(quoted, sizeof(quoted), "\"%s\"", r->name);
	got = torchvision ? mmrd_weights_load_teacher(w, source_lookup, &s, &err)
	                  : mmrd_weights_load(w, 15, source_lookup, &s, &err);
	CHECK(got == r->want && err.status == r->want, "%s: status %d, want %d",
	      r->name, got, r->want);
	CHECK(strstr(err.message, quoted) != NULL,
	      "the message does not name %s: %s", r->name, err.message);
	CHECK(strstr(err.detail, r->detail) != NULL,
	      "%s: detail \"%s\" lacks \"%s\"", r->name, err.detail, r->detail);
	free(s.buffer);
	mmrd_weights_free(w);
}

static void
test_refusals(void)
{
	static const refusal own[] = {
	    {FAULT_MISSING, "decoder.1.0.conv1.weight", MMRD_CORRUPT_DATA,
	     "(128, 64, 2, 2)"},
	    {FAULT_MISSING, "teacher.conv1.weight", MMRD_CORRUPT_DATA,
	     "(64, 3, 7, 7)"},
	    {FAULT_MISSING, "interaction.3.spatial2.bias", MMRD_CORRUPT_DATA,
	     "(1)"},
	    {FAULT_SHAPE, "ocbe.conv1.weight", MMRD_CORRUPT_DATA,
	     "Expected (128, 64, 3, 3), found (128, 64, 3, 4)."},
	    {FAULT_SHAPE, "prototypes.aux2.1", MMRD_CORRUPT_DATA,
	     "Expected (50, 64), found (50, 65)."},
	    {FAULT_RANK, "decoder.3.join.conv.weight", MMRD_CORRUPT_DATA,
	     "Expected (256, 512, 1, 1), found (256, 512, 1)."},
	    {FAULT_NAN, "prototypes.rgb.2", MMRD_CORRUPT_DATA,
	     "Element 6399 of 6400 is"},
	    {FAULT_NEGATIVE, "teacher.aux2.layer3.1.bn2.running_var",
	     MMRD_CORRUPT_DATA, "Element 255 is -0.25."},
	    {FAULT_NEGATIVE, "ocbe.bn1.running_var", MMRD_CORRUPT_DATA,
	     "Element 127 is -0.25."},
	    {FAULT_UNREADABLE, "ocbe.bn1.running_var", MMRD_IO_ERROR, ""},
	};
	static const refusal file[] = {
	    {FAULT_MISSING, "layer3.1.bn2.running_mean", MMRD_CORRUPT_DATA,
	     "(256)"},
	    {FAULT_SHAPE, "layer1.0.conv1.weight", MMRD_CORRUPT_DATA,
	     "Expected (64, 64, 3, 3), found (64, 64, 3, 4)."},
	    {FAULT_NAN, "conv1.weight", MMRD_CORRUPT_DATA,
	     "Element 9407 of 9408 is"},
	    {FAULT_NEGATIVE, "bn1.running_var", MMRD_CORRUPT_DATA,
	     "Element 63 is -0.25."},
	    {FAULT_UNREADABLE, "bn1.weight", MMRD_IO_ERROR, ""},
	};

	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		check_refusal(&own[i], false);
	for (size_t i = 0; i < sizeof(file) / sizeof(file[0]); i++)
		check_refusal(&file[i], true);
}

/* ---- which backbone ---- */

static void
test_infer(void)
{
	for (int arch = 0; arch < MMRD_ARCH_COUNT; arch++)
	{
		mmrd_weights *w = make_weights((mmrd_arch) arch, false);
		source s = source_create(w, true);
		mmrd_arch got = MMRD_ARCH_COUNT;
		mmrd_error err = {0};

		CHECK(mmrd_arch_infer(source_lookup, &s, &got, &err) == MMRD_OK &&
		          (int) got == arch,
		      "%s was taken for %s", mmrd_arch_name((mmrd_arch) arch),
		      mmrd_arch_name(got));
		/* What cannot be read is not what is not there. */
		s.fault = FAULT_UNREADABLE;
		s.name = "layer3.1.conv1.weight";
		if (arch != MMRD_ARCH_RESNET18)
			s.name = "layer3.5.conv1.weight";
		CHECK(mmrd_arch_infer(source_lookup, &s, &got, &err) == MMRD_IO_ERROR,
		      "%s: a failure to read became \"%s\"",
		      mmrd_arch_name((mmrd_arch) arch), err.message);
		free(s.buffer);
		mmrd_weights_free(w);
	}
}

/* A file of convolutions given by name and shape. */
typedef struct listed
{
	const char *name;
	int64_t dims[4];
} listed;

static mmrd_status
listed_lookup(void *context, const char *name, mmrd_tensor *out, bool *found,
              mmrd_error *err)
{
	static const float nothing = 0;
	const listed *l = context;

	(void) err;
	*found = false;
	for (; l->name != NULL && !*found; l++)
	{
		if (strcmp(l->name, name) != 0)
			continue;
		*found = true;
		out->dtype = MMRD_DTYPE_F32;
		out->n_dims = 4;
		memcpy(out->dims, l->dims, sizeof(out->dims));
		out->data = &nothing;
		out->n_bytes = 0;
	}
	return MMRD_OK;
}

/* Relatives that share the tensors we look at: deeper, or of other widths. */
static void
test_infer_relatives(void)
{
	static listed resnet101[] = {{"layer3.1.conv1.weight", {256, 1024, 1, 1}},
	                             {"layer3.2.conv1.weight", {256, 1024, 1, 1}},
	                             {"layer3.5.conv1.weight", {256, 1024, 1, 1}},
	                             {"layer3.6.conv1.weight", {256, 1024, 1, 1}},
	                             {NULL, {0}}};
	static listed resnet26[] = {{"layer3.1.conv1.weight", {256, 1024, 1, 1}},
	                            {NULL, {0}}};
	static listed other[] = {{"layer3.1.conv1.weight", {256, 256, 3, 3}},
	                         {"layer3.2.conv1.weight", {256, 256, 3, 3}},
	                         {NULL, {0}}};
	static listed wide[] = {{"layer3.5.conv1.weight", {1024, 1024, 1, 1}},
	                        {NULL, {0}}};
	static listed nothing[] = {{NULL, {0}}};
	listed *const files[] = {resnet101, resnet26, other, wide, nothing};

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
	{
		mmrd_arch arch = MMRD_ARCH_COUNT;
		mmrd_error err = {0};

		CHECK(mmrd_arch_infer(listed_lookup, files[i], &arch, &err) ==
		          MMRD_CORRUPT_DATA,
		      "file %zu was taken for %s", i, mmrd_arch_name(arch));
		CHECK(strstr(err.detail, "layer3.") != NULL && err.hint[0] != '\0',
		      "detail \"%s\", hint \"%s\"", err.detail, err.hint);
	}
}

/* ---- a lookup over weights in memory ---- */

static void
test_lookup(void)
{
	mmrd_weights *w = make_weights(MMRD_ARCH_RESNET18, true);
	mmrd_weights *copy = make_weights(MMRD_ARCH_RESNET18, true);
	source s = source_create(w, false);
	mmrd_weights_source memory = {w, make_buffer(mmrd_weights_largest(w))};
	mmrd_error err = {0};
	mmrd_tensor t;
	bool found = true;

	mmrd_weights_load(w, 15, source_lookup, &s, &err);
	CHECK(mmrd_weights_load(copy, 15, mmrd_weights_lookup, &memory, &err) ==
	          MMRD_OK,
	      "%s", err.message);
	CHECK(memcmp(copy->values, w->values, w->n_values * sizeof(float)) == 0,
	      "weights changed on the way");
	CHECK(mmrd_weights_lookup(&memory, "fc.weight", &t, &found, &err) ==
	              MMRD_OK &&
	          !found,
	      "found fc.weight");
	free(memory.buffer);
	free(s.buffer);
	mmrd_weights_free(w);
	mmrd_weights_free(copy);
}

int
main(void)
{
	test_round_trip();
	test_load();
	test_load_teacher();
	test_refusals();
	test_infer();
	test_infer_relatives();
	test_lookup();
	return check_result();
}
