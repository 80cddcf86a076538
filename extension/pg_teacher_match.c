/*
 * extension/pg_teacher_match.c
 *	  A teacher that came with a model: is it one of ours?
 *
 * Nearly always the first tensor tells two teachers apart, so comparing with
 * all of them costs little more than reading the one that is the same.
 */
#include "postgres.h"

#include "extension/pg_teacher_match.h"

#include "catalog/pg_type.h"
#include "extension/pg_access.h"
#include "extension/pg_store.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

static mmrd_pg_statement list_candidates = {
    "SELECT id, name, builtin FROM mmrd.teachers WHERE arch = $1 "
    "ORDER BY name <> $2, id",
    false,
    2,
    {TEXTOID, TEXTOID},
    NULL};

/* ---- comparing ---- */

static int
read_candidates(const char *wanted, mmrd_arch arch, mmrd_pg_teacher **out)
{
	Datum values[] = {CStringGetTextDatum(mmrd_arch_name(arch)),
	                  CStringGetTextDatum(wanted)};
	const int n = (int) mmrd_pg_run(&list_candidates, values, NULL);
	bool isnull;

	*out = palloc0(n * sizeof(mmrd_pg_teacher) + 1);
	for (int i = 0; i < n; i++)
	{
		mmrd_pg_teacher *t = &(*out)[i];

		t->id = DatumGetInt32(mmrd_pg_field(i, 1, &isnull));
		t->name = mmrd_pg_field_text(i, 2, CurrentMemoryContext);
		t->arch = arch;
		t->builtin = DatumGetBool(mmrd_pg_field(i, 3, &isnull));
	}
	return n;
}

static bool
same_tensor(mmrd_pg_tensors *tensors, const mmrd_weights *weights, int i,
            float *mine, float *its)
{
	const mmrd_tensor_info *info = &weights->tensors[i];
	/* Shipped teachers go by a model's names, stored ones by their own. */
	const char *name = tensors->teacher.builtin
	                       ? info->name
	                       : mmrd_teacher_tensor_name(weights, i);
	mmrd_error err = {0};

	mmrd_pg_tensors_check(tensors,
	                      mmrd_tensor_fetch(info, name, mmrd_pg_tensors_lookup,
	                                        tensors, its, &err),
	                      &err);
	mmrd_weights_get(weights, i, mine);
	return memcmp(mine, its, info->count * sizeof(float)) == 0;
}

static bool
same_teacher(const mmrd_pg_teacher *teacher, const mmrd_weights *weights)
{
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext memory =
	    AllocSetContextCreate(caller, "mmrd teacher", ALLOCSET_DEFAULT_SIZES);
	const Size largest = mmrd_weights_largest(weights) * sizeof(float);
	mmrd_pg_tensors *tensors;
	float *mine;
	float *its;
	bool same = true;

	MemoryContextSwitchTo(memory);
	tensors = mmrd_pg_tensors_open(0, teacher, &weights->config, memory);
	mine = MemoryContextAllocHuge(memory, largest);
	its = MemoryContextAllocHuge(memory, largest);
	for (int i = 0; same && i < weights->n_tensors; i++)
	{
		if (weights->tensors[i].role == MMRD_ROLE_TEACHER)
			same = same_tensor(tensors, weights, i, mine, its);
		CHECK_FOR_INTERRUPTS();
	}
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(memory);
	return same;
}

/* ---- adding ---- */

static bool
is_free(const char *name)
{
	mmrd_pg_teacher ignored;

	return name[0] != '\0' && strncmp(name, "builtin", 7) != 0 &&
	       strlen(name) <= 200 /* as mmrd_import_teacher() */ &&
	       !mmrd_pg_teacher_find(name, CurrentMemoryContext, &ignored);
}

static const char *
free_name(const char *wanted, const char *model)
{
	if (is_free(wanted))
		return wanted;
	if (is_free(model))
		return model;
	for (int n = 1;; n++)
	{
		const char *name = psprintf("teacher %d", n);

		if (is_free(name))
			return name;
	}
}

/* A teacher's own names, looked up among those of a model. */
static mmrd_status
teacher_lookup(void *context, const char *name, mmrd_tensor *out, bool *found,
               mmrd_error *err)
{
	char full[MMRD_MAX_TENSOR_NAME + 16];

	snprintf(full, sizeof(full), "teacher.%s", name);
	MMRD_TRY(mmrd_weights_lookup(context, full, out, found, err));
	if (*found)
		return MMRD_OK;
	snprintf(full, sizeof(full), "teacher.rgb.%s", name);
	return mmrd_weights_lookup(context, full, out, found, err);
}

static int32
add_teacher(const char *name, const mmrd_weights *weights, Oid by)
{
	mmrd_weights_source source = {
	    .weights = weights,
	    .buffer = MemoryContextAllocHuge(CurrentMemoryContext,
	                                     mmrd_weights_largest(weights) *
	                                         sizeof(float))};
	const int32 id =
	    mmrd_pg_teacher_insert(name, (mmrd_arch) weights->config.arch, by);

	mmrd_pg_tensors_store_teacher(id, weights, teacher_lookup, &source);
	pfree(source.buffer);
	return id;
}

void
mmrd_pg_teacher_find_or_add(const char *wanted, const char *model,
                            const mmrd_weights *weights, Oid by,
                            MemoryContext owner, mmrd_pg_teacher *out)
{
	const mmrd_arch arch = (mmrd_arch) weights->config.arch;
	mmrd_pg_teacher *candidates;
	const int n = read_candidates(wanted, arch, &candidates);
	const char *name;

	for (int i = 0; i < n; i++)
	{
		if (!same_teacher(&candidates[i], weights))
			continue;
		*out = candidates[i];
		out->name = MemoryContextStrdup(owner, candidates[i].name);
		mmrd_pg_teacher_lock(out);
		return;
	}
	name = free_name(wanted, model);
	out->id = add_teacher(name, weights, by);
	out->name = MemoryContextStrdup(owner, name);
	out->arch = arch;
	out->builtin = false;
	ereport(NOTICE,
	        (errmsg("the teacher of model \"%s\" is new here and is kept as "
	                "\"%s\"",
	                model, name)));
}
