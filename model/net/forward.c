/*
 * model/net/forward.c
 *	  Inference over a program: each unit is one convolution with an epilogue.
 */
#include "model/net/forward.h"

#include <stdlib.h>

#include "model/base/arena.h"
#include "model/kernel/maxpool.h"

mmrd_conv_shape
mmrd_unit_shape(const mmrd_program *program, const mmrd_unit *unit, int N)
{
	const mmrd_slot *x = &program->slots[unit->x];
	const mmrd_slot *y = &program->slots[unit->y];
	mmrd_conv_shape s = {0};

	s.N = N;
	s.H = x->H;
	s.W = x->W;
	s.C = x->C;
	s.O = y->C;
	s.K = unit->K;
	s.stride = unit->stride;
	s.pad = unit->pad;
	s.OH = y->H;
	s.OW = y->W;
	s.x_ld = x->ld;
	s.y_ld = y->ld;
	s.transposed = unit->kind == MMRD_UNIT_CONV_TRANSPOSED;
	s.bf16 = program->bf16 != 0;
	return s;
}

size_t
mmrd_program_work(const mmrd_program *program, int N, int n_threads,
                  bool gradients)
{
	size_t most = 16;

	for (int i = 0; i < program->n_units; i++)
	{
		const mmrd_unit *u = &program->units[i];
		const mmrd_conv_shape s = mmrd_unit_shape(program, u, N);
		size_t n;

		if (u->kind == MMRD_UNIT_MAXPOOL)
			continue;
		n = mmrd_conv_work(&s, n_threads);
		most = n > most ? n : most;
		n = gradients ? mmrd_conv_gradient_work(&s, n_threads) : 0;
		most = n > most ? n : most;
	}
	return most;
}

size_t
mmrd_program_packed(const mmrd_program *program, int N, bool gradients)
{
	size_t most = 16;

	for (int i = 0; i < program->n_units; i++)
	{
		const mmrd_unit *u = &program->units[i];
		const mmrd_conv_shape s = mmrd_unit_shape(program, u, N);
		size_t n;

		if (u->kind == MMRD_UNIT_MAXPOOL)
			continue;
		n = mmrd_conv_packed(&s);
		most = n > most ? n : most;
		n = gradients ? mmrd_conv_packed_input(&s) : 0;
		most = n > most ? n : most;
	}
	return most;
}

float *
mmrd_pass_slot(const mmrd_pass *pass, int slot)
{
	const mmrd_slot *s = &pass->program->slots[slot];

	return pass->maps + pass->offsets[s->root] * (size_t) pass->N + s->channel;
}

mmrd_status
mmrd_scratch_ensure(mmrd_scratch *scratch, size_t n_floats, mmrd_error *err)
{
	const size_t n = (n_floats * sizeof(float) + MMRD_ALIGNMENT - 1) /
	                 MMRD_ALIGNMENT * MMRD_ALIGNMENT;

	if (n_floats <= scratch->n_floats)
		return MMRD_OK;
	mmrd_scratch_clear(scratch);
	scratch->floats = aligned_alloc(MMRD_ALIGNMENT, n);
	if (scratch->floats == NULL)
		return mmrd_fail_memory(err, (double) n);
	scratch->n_floats = n_floats;
	return MMRD_OK;
}

void
mmrd_scratch_clear(mmrd_scratch *scratch)
{
	free(scratch->floats);
	scratch->floats = NULL;
	scratch->n_floats = 0;
}

mmrd_status
mmrd_stop_check(const mmrd_stop *stop, mmrd_error *err)
{
	if (stop->asked != NULL && stop->asked(stop->context))
		return mmrd_fail(err, MMRD_CANCELLED, "cancelled");
	return MMRD_OK;
}

mmrd_status
mmrd_pass_run(const mmrd_pass *pass, const mmrd_packed_unit *layout,
              const float *block, int images_per_group, const mmrd_stop *stop,
              mmrd_error *err)
{
	const mmrd_program *p = pass->program;

	for (int i = 0; i < p->n_units; i++)
	{
		const mmrd_unit *u = &p->units[i];
		const float *x = mmrd_pass_slot(pass, u->x);
		float *y = mmrd_pass_slot(pass, u->y);
		mmrd_conv_shape s;
		mmrd_epilogue e = {0};

		MMRD_TRY(mmrd_stop_check(stop, err));
		if (u->kind == MMRD_UNIT_MAXPOOL)
		{
			mmrd_maxpool(pass->N, p->slots[u->x].H, p->slots[u->x].W,
			             p->slots[u->x].C, x, y);
			continue;
		}
		s = mmrd_unit_shape(p, u, pass->N);
		e.scale = block + layout[i].scale;
		e.shift = block + layout[i].shift;
		e.images_per_group = images_per_group;
		e.relu = u->relu;
		if (u->res != MMRD_NO_SLOT)
		{
			e.res = mmrd_pass_slot(pass, u->res);
			e.res_ld = p->slots[u->res].ld;
		}
		mmrd_conv_forward(&s, x, block + layout[i].weight, &e, y, pass->work);
	}
	return MMRD_OK;
}
