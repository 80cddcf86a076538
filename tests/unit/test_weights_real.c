/*
 * tests/unit/test_weights_real.c
 *	  Weight files as they are found in the world.
 *
 * The same network was saved as .pth and as safetensors; both must give the
 * same bytes.  The files are in a folder beside the repository that not
 * everybody has; MMRD_SHARED names another place.
 */
#include "loader/weights/weights_file.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/check.h"

static const char *
shared_path(const char *name, char *buf, size_t buf_bytes)
{
	const char *shared = getenv("MMRD_SHARED");

	snprintf(buf, buf_bytes, "%s/weights/%s",
	         shared != NULL ? shared : "../shared", name);
	return buf;
}

/* The whole file; NULL where it does not exist. */
static uint8_t *
read_file(const char *name, size_t *len)
{
	char path[1024];
	FILE *f = fopen(shared_path(name, path, sizeof(path)), "rb");
	uint8_t *bytes;
	long n;

	if (f == NULL)
		return NULL;
	fseek(f, 0, SEEK_END);
	n = ftell(f);
	rewind(f);
	bytes = malloc((size_t) n);
	*len = fread(bytes, 1, (size_t) n, f);
	CHECK(*len == (size_t) n, "%s could not be read", path);
	fclose(f);
	return bytes;
}

static mmrd_weights_file *
open_file(const char *name, uint8_t *bytes, size_t len, int count)
{
	mmrd_weights_file *file = NULL;
	mmrd_error err = {0};

	CHECK(mmrd_weights_file_open(bytes, len, NULL, &file, &err) == MMRD_OK,
	      "%s: %s %s", name, err.message, err.detail);
	if (file != NULL)
		CHECK(mmrd_weights_file_count(file) == count,
		      "%s has %d tensors, expected %d", name,
		      mmrd_weights_file_count(file), count);
	return file;
}

static void
compare(mmrd_weights_file *a, mmrd_weights_file *b)
{
	for (int i = 0; i < mmrd_weights_file_count(a); i++)
	{
		const char *name = mmrd_weights_file_name(a, i);
		mmrd_error err = {0};
		mmrd_tensor x;
		mmrd_tensor y;
		bool found = false;

		CHECK(mmrd_weights_file_tensor(a, i, &x, &err) == MMRD_OK, "%s: %s",
		      name, err.message);
		CHECK(mmrd_weights_file_lookup(b, name, &y, &found, &err) == MMRD_OK,
		      "%s: %s", name, err.message);
		CHECK(found, "%s is missing", name);
		CHECK(x.dtype == MMRD_DTYPE_F32 && y.dtype == MMRD_DTYPE_F32,
		      "%s: types %d and %d", name, x.dtype, y.dtype);
		CHECK(x.n_dims == y.n_dims &&
		          memcmp(x.dims, y.dims, sizeof(x.dims)) == 0,
		      "%s: shapes differ", name);
		CHECK(found && x.n_bytes == y.n_bytes && x.n_bytes > 0 &&
		          memcmp(x.data, y.data, x.n_bytes) == 0,
		      "%s: values differ", name);
	}
}

/* resnet20 as trained on CIFAR-10 in 2018: legacy, DataParallel, wrapped. */
static void
check_legacy(mmrd_weights_file *file)
{
	mmrd_error err = {0};
	mmrd_tensor t;
	bool found = false;
	double sum = 0;
	float x[16 * 3 * 3 * 3];

	CHECK(mmrd_weights_file_kind(file) == MMRD_WEIGHTS_TORCH_LEGACY, "kind");
	CHECK(mmrd_weights_file_lookup(file, "conv1.weight", &t, &found, &err) ==
	          MMRD_OK,
	      "%s", err.message);
	CHECK(found && t.n_dims == 4 && t.dims[0] == 16 && t.dims[1] == 3 &&
	          t.dims[2] == 3 && t.dims[3] == 3,
	      "conv1.weight has %d dimensions", t.n_dims);
	if (!found || mmrd_tensor_count(&t) != sizeof(x) / sizeof(x[0]))
		return;
	CHECK(mmrd_tensor_read(&t, "conv1.weight", x, &err) == MMRD_OK, "%s",
	      err.message);
	for (size_t i = 0; i < sizeof(x) / sizeof(x[0]); i++)
		sum += (double) x[i] * x[i];
	/* torch.load(...)["state_dict"]["module.conv1.weight"].square().sum() */
	CHECK(fabs(sum - 68.3890515) < 1e-7 * 68, "conv1.weight squared is %.9g",
	      sum);
}

int
main(void)
{
	size_t len[3];
	uint8_t *pth = read_file("resnet18_imagenet.pth", &len[0]);
	uint8_t *safe = read_file("resnet18_imagenet.safetensors", &len[1]);
	uint8_t *legacy = read_file("resnet20-12fca82f.th", &len[2]);
	mmrd_weights_file *file[3] = {NULL};

	if (pth == NULL || safe == NULL || legacy == NULL)
	{
		char path[1024];

		fprintf(stderr,
		        "SKIPPED: no real weight files in %s (set MMRD_SHARED)\n",
		        shared_path("", path, sizeof(path)));
		free(pth);
		free(safe);
		free(legacy);
		return CHECK_SKIPPED;
	}
	file[0] = open_file("resnet18_imagenet.pth", pth, len[0], 75);
	file[1] = open_file("resnet18_imagenet.safetensors", safe, len[1], 75);
	file[2] = open_file("resnet20-12fca82f.th", legacy, len[2], 97);
	if (file[0] != NULL && file[1] != NULL)
		compare(file[0], file[1]);
	if (file[2] != NULL)
		check_legacy(file[2]);
	for (int i = 0; i < 3; i++)
		mmrd_weights_file_free(file[i]);
	free(pth);
	free(safe);
	free(legacy);
	return check_result();
}
