/*
 * tests/unit/test_network_plan.c
 *	  The memory plan of a program's maps: no two maps that are needed at the
 *	  same time share memory.
 *
 * A program is run with marks in place of numbers: a unit writes, for every
 * float of its result, which map and which float of it this is, and has to
 * find exactly such marks where it reads.
 */
#include "model/net/network.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/check.h"

/* Write (or verify) the marks of a slot: which root, which float of it. */
static size_t
touch(const mmrd_program *p, int s, const size_t *offsets, uint64_t *memory,
      size_t total, bool write)
{
	const mmrd_slot *slot = &p->slots[s];
	size_t wrong = 0;

	for (size_t i = 0; i < (size_t) slot->H * slot->W; i++)
	{
		for (int c = 0; c < slot->C; c++)
		{
			const size_t own = i * (size_t) slot->ld + c;
			const size_t at = offsets[s] + own;
			const uint64_t mark = ((uint64_t) (slot->root + 1) << 40) + own +
			                      (size_t) slot->channel;

			if (at >= total)
				wrong++;
			else if (write)
				memory[at] = mark;
			else
				wrong += memory[at] != mark;
		}
	}
	return wrong;
}

/*
 * Fill what is filled from outside, run the units, look at what is kept.
 * Returns the plan's size.
 */
static size_t
run_plan(const mmrd_program *p, const char *keep, const int *filled,
         int n_filled)
{
	size_t offsets[MMRD_MAX_SLOTS];
	const size_t total = mmrd_program_plan(p, keep, offsets);
	uint64_t *memory = calloc(total, sizeof(*memory));
	size_t wrong = 0;

	if (memory == NULL)
		exit(1);
	for (int i = 0; i < n_filled; i++)
		if (filled[i] != MMRD_NO_SLOT)
			wrong += touch(p, filled[i], offsets, memory, total, true);
	for (int i = 0; i < p->n_units && wrong == 0; i++)
	{
		const mmrd_unit *u = &p->units[i];

		wrong += touch(p, u->x, offsets, memory, total, false);
		if (u->res != MMRD_NO_SLOT)
			wrong += touch(p, u->res, offsets, memory, total, false);
		CHECK(wrong == 0, "unit %d reads %zu floats that are not its own", i,
		      wrong);
		wrong += touch(p, u->y, offsets, memory, total, true);
		/* A convolution does not write where it reads. */
		wrong += touch(p, u->x, offsets, memory, total, false);
		CHECK(wrong == 0, "unit %d writes over its input", i);
	}
	for (int s = 0; s < p->n_slots; s++)
	{
		if (p->slots[s].root == s)
			CHECK(offsets[s] % 16 == 0, "slot %d at %zu", s, offsets[s]);
		if (keep != NULL && keep[s])
			CHECK(touch(p, s, offsets, memory, total, false) == 0,
			      "slot %d was not kept", s);
	}
	free(memory);
	return total;
}

static void
check_plans(const mmrd_network *net)
{
	char keep[MMRD_MAX_SLOTS] = {0};
	int filled[2 * MMRD_STAGES];
	size_t all = 0;
	size_t total;

	for (int s = 0; s < net->teacher.n_slots; s++)
		if (net->teacher.slots[s].root == s)
			all += (size_t) net->teacher.slots[s].C * net->teacher.slots[s].H *
			       net->teacher.slots[s].W;
	total = run_plan(&net->teacher, NULL, &net->teacher_in, 1);
	CHECK(total < all / 2, "the teacher's plan takes %zu of %zu", total, all);
	for (int i = 0; i < MMRD_STAGES; i++)
		keep[net->teacher_out[i]] = 1;
	run_plan(&net->teacher, keep, &net->teacher_in, 1);
	memset(keep, 1, sizeof(keep));
	total = run_plan(&net->teacher, keep, &net->teacher_in, 1);
	CHECK(total >= all, "keeping all takes %zu of %zu", total, all);

	memset(keep, 0, sizeof(keep));
	for (int i = 0; i < MMRD_STAGES; i++)
	{
		filled[2 * i] = net->target[i];
		filled[2 * i + 1] = net->prior[i];
		keep[net->target[i]] = 1;
		keep[net->restored[i]] = 1;
		if (net->prior[i] != MMRD_NO_SLOT)
			keep[net->prior[i]] = 1;
	}
	run_plan(&net->student, keep, filled, 2 * MMRD_STAGES);
	memset(keep, 1, sizeof(keep));
	run_plan(&net->student, keep, filled, 2 * MMRD_STAGES);
}

/* A size whose maps are odd at the bottom: 3 x 3. */
static void
one_network(mmrd_arch arch, mmrd_prior_at at, int n_aux, int n_prototypes)
{
	mmrd_config config;
	mmrd_network *net = NULL;
	mmrd_error err = {0};

	mmrd_config_init(&config);
	config.arch = arch;
	config.prior_at = at;
	config.n_aux = n_aux;
	config.input_size = 96;
	for (int i = 0; i < MMRD_STAGES; i++)
		config.prototypes[i] = n_prototypes;
	CHECK(mmrd_network_create(&config, &net, &err) == MMRD_OK, "%s",
	      err.message);
	if (net != NULL)
		check_plans(net);
	mmrd_network_free(net);
}

int
main(void)
{
	for (int arch = 0; arch < MMRD_ARCH_COUNT; arch++)
	{
		one_network((mmrd_arch) arch, MMRD_PRIOR_NEXT, 1, 50);
		one_network((mmrd_arch) arch, MMRD_PRIOR_SAME, 2, 50);
		one_network((mmrd_arch) arch, MMRD_PRIOR_NEXT, 0, 0);
	}
	return check_result();
}
