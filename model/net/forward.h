/*
 * model/net/forward.h
 *	  Running a program of units on a batch, as inference does.
 */
#ifndef MMRD_FORWARD_H
#define MMRD_FORWARD_H

#include <stddef.h>

#include "model/base/status.h"
#include "model/base/threads.h"
#include "model/kernel/conv.h"
#include "model/net/network.h"
#include "model/net/packed_layout.h"

/* The convolution that a unit of a program is, for N images. */
mmrd_conv_shape mmrd_unit_shape(const mmrd_program *program,
                                const mmrd_unit *unit, int N);

/* Scratch in floats for any unit of a program with n_threads threads, with
 * the gradients' or without; and the most that packed weights take. */
size_t mmrd_program_work(const mmrd_program *program, int N, int n_threads,
                         bool gradients);
size_t mmrd_program_packed(const mmrd_program *program, int N, bool gradients);

/* A program with memory for its maps. */
typedef struct mmrd_pass
{
	const mmrd_program *program;
	const size_t *offsets; /* of mmrd_program_plan() */
	int N;                 /* images */
	float *maps;           /* N times the plan's floats */
	float *work;           /* mmrd_program_work() floats */
} mmrd_pass;

/* First value of a slot: (N, H, W, ld), C floats a pixel are the slot's. */
float *mmrd_pass_slot(const mmrd_pass *pass, int slot);

/*
 * Run every unit with the packed weights of `block`; a program with several
 * scales and shifts (the teacher's modalities) uses the g-th for image g *
 * images_per_group and the following ones.  MMRD_CANCELLED between units.
 */
mmrd_status mmrd_pass_run(const mmrd_pass *pass,
                          const mmrd_packed_unit *layout, const float *block,
                          int images_per_group, const mmrd_stop *stop,
                          mmrd_error *err);

/* Scratch memory that grows when the number of threads does. */
typedef struct mmrd_scratch
{
	float *floats; /* 64-byte aligned; contents unspecified */
	size_t n_floats;
} mmrd_scratch;

/* At least n_floats; what was there may be lost.  MMRD_NO_MEMORY. */
mmrd_status mmrd_scratch_ensure(mmrd_scratch *scratch, size_t n_floats,
                                mmrd_error *err);

/* Leaves it all zero; accepts all zero. */
void mmrd_scratch_clear(mmrd_scratch *scratch);

/* MMRD_CANCELLED with its message when the stop hook says so. */
mmrd_status mmrd_stop_check(const mmrd_stop *stop, mmrd_error *err);

#endif /* MMRD_FORWARD_H */
