/*
 * tests/bench/bench_make.c
 *	  What end_to_end measures with.
 *
 *	  bench_make scans N       N generated scans of 512 x 512, as PNGs: a line
 *	                           of COPY's text format for each, id, rgb, aux
 *	  bench_make teacher ARCH  a teacher of drawn weights, as safetensors
 *
 * Both to standard output.  The PNGs are compressed as files of cameras are;
 * mmrd_synthesize() makes smaller pictures.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loader/image/png.h"
#include "loader/weights/safetensors_write.h"
#include "model/mmrd.h"
#include "model/synth/synth_scan.h"

enum
{
	SIDE = 512, /* pixels */
	PNG_LEVEL = 6,
	MAX_TENSORS = 1000
};

static void
must(mmrd_status st, const mmrd_error *err)
{
	if (st == MMRD_OK)
		return;
	fprintf(stderr, "bench_make: %s. %s\n", err->message, err->detail);
	exit(1);
}

/* A tab, and the picture as COPY reads a bytea. */
static void
put_picture(const mmrd_raster *picture)
{
	static const char digits[] = "0123456789abcdef";
	mmrd_error err = {0};
	uint8_t *bytes;
	size_t n_bytes;

	must(mmrd_png_encode(picture, PNG_LEVEL, &bytes, &n_bytes, &err), &err);
	fputs("\t\\\\x", stdout);
	for (size_t i = 0; i < n_bytes; i++)
	{
		putchar(digits[bytes[i] >> 4]);
		putchar(digits[bytes[i] & 15]);
	}
	free(bytes);
}

static void
put_scans(int n)
{
	for (int i = 0; i < n; i++)
	{
		mmrd_error err = {0};
		mmrd_synth scan;

		must(mmrd_synth_scan(1, i, false, SIDE, MMRD_SYNTH_NORMALS, &scan,
		                     &err),
		     &err);
		printf("%d", i);
		put_picture(&scan.rgb);
		put_picture(&scan.aux);
		putchar('\n');
		mmrd_synth_clear(&scan);
	}
}

static void
put_teacher(mmrd_arch arch)
{
	static mmrd_safetensors_tensor tensors[MAX_TENSORS];
	static int index[MAX_TENSORS];
	mmrd_safetensors_plan *plan;
	mmrd_error err = {0};
	mmrd_config config;
	mmrd_weights *w;
	float *values;
	uint8_t *file;
	int n = 0;

	mmrd_config_init(&config);
	config.arch = arch;
	must(mmrd_weights_create(&config, &w, &err), &err);
	mmrd_weights_init_teacher(w);
	for (int i = 0; i < w->n_tensors && n < MAX_TENSORS; i++)
	{
		mmrd_safetensors_tensor *to = &tensors[n];

		to->name = mmrd_teacher_tensor_name(w, i);
		if (to->name == NULL)
			continue;
		to->dtype = MMRD_DTYPE_F32;
		to->n_dims = w->tensors[i].n_dims;
		memcpy(to->dims, w->tensors[i].dims, sizeof(to->dims));
		index[n++] = i;
	}
	must(mmrd_safetensors_plan_create(tensors, n, NULL, 0, &plan, &err), &err);
	values = malloc(mmrd_weights_largest(w) * sizeof(float));
	file = malloc(mmrd_safetensors_plan_bytes(plan));
	mmrd_safetensors_write_front(plan, file);
	for (int i = 0; i < n; i++)
	{
		mmrd_weights_get(w, index[i], values);
		must(mmrd_safetensors_write_tensor(
		         plan, i, values, file + mmrd_safetensors_plan_place(plan, i),
		         &err),
		     &err);
	}
	fwrite(file, 1, mmrd_safetensors_plan_bytes(plan), stdout);
	mmrd_safetensors_plan_free(plan);
	mmrd_weights_free(w);
	free(values);
	free(file);
}

int
main(int argc, char **argv)
{
	mmrd_arch arch = MMRD_ARCH_RESNET18;

	if (argc == 3 && strcmp(argv[1], "scans") == 0)
		put_scans(atoi(argv[2]));
	else if (argc == 3 && strcmp(argv[1], "teacher") == 0 &&
	         mmrd_arch_parse(argv[2], &arch))
		put_teacher(arch);
	else
	{
		fprintf(stderr, "bench_make scans N | teacher ARCH\n");
		return 2;
	}
	return fflush(stdout) == 0 ? 0 : 1;
}
